/* SPDX-License-Identifier: MIT */
/* Migration: the copy is the same, or it is not there. */
#include "upkeep_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static void migrate(const char *from, const char *to, const char *codecs)
{
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_migrate_result result = PDICT_MIGRATE_RESULT_INIT;
    pdict_store *store = store_open(from);

    options.codecs = codecs;
    options.verify = true;
    if (codecs)
        options.key = test_key;
    CHECK_OK(pdict_migrate(store, to, &options, &result));
    CHECK_INT(result.copied + result.kept, result.records);
    pdict_store_close(store);
}

static void check_same(const char *a, const char *b)
{
    CHECK_STR(map_text(a, "main", false), map_text(b, "main", false));
    CHECK_STR(map_text(a, "packed", false), map_text(b, "packed", false));
    CHECK_STR(map_text(a, "sealed", true), map_text(b, "sealed", true));
}

/* ---- the copy is the same ---- */

static void check_way(const char *middle)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_store *held = NULL;

    fill_store(a, 700);
    if (strncmp(middle, "memory:", 7) == 0)
        held = store_open(middle);
    migrate(a, middle, NULL);
    check_same(a, middle);
    migrate(middle, b, NULL);
    check_same(a, b);
    pdict_store_close(held);
    CHECK(!exists(test_path("b.db.migrating")));
    CHECK(!exists(test_path("b.db.migrating-job")));
}

TEST(migrate, sqlite_to_memory_and_back_keeps_everything_without_any_key)
{
    need_sqlite();
    check_way("memory:middle");
}

TEST(migrate, sqlite_to_lmdb_and_back_keeps_everything_without_any_key)
{
    need_sqlite();
    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    check_way(uri_of("lmdb", "middle.lmdb"));
}

static int name_order(void *ctx, const pdict_map_info *info)
{
    char *names = ctx;

    strcat(names, info->name);
    strcat(names, info->is_encrypted ? "* " : " ");
    return 0;
}

TEST(migrate, maps_keep_their_order_codecs_and_limits)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_options options = test_options(false);
    pdict_stats stats = PDICT_STATS_INIT;
    pdict_store *store;
    char names[64] = "";
    pdict *d;

    need_sqlite();
    CHECK_OK(pdict_open(test_path("a.db?map=z&max_value=4KiB&checksum=off"), &options, &d));
    pdict_close(d);
    fill_store(a, 3);
    migrate(a, b, NULL);
    store = store_open(b);
    CHECK_OK(pdict_store_maps(store, name_order, names));
    pdict_store_close(store);
    CHECK_STR(names, "z main packed sealed* ");
    CHECK_OK(pdict_open(test_path("b.db?map=z&max_value=4KiB&checksum=off"), &options, &d));
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_INT(stats.max_value, 4096);
    pdict_close(d);
}

TEST(migrate, one_map_of_many_is_copied_alone)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_migrate_result result = PDICT_MIGRATE_RESULT_INIT;
    pdict_store *store;
    char names[64] = "";

    need_sqlite();
    fill_store(a, 20);
    store = store_open(a);
    options.map = "absent";
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_NO_MAP);
    CHECK(!exists(test_path("b.db")));
    options.map = "packed";
    CHECK_OK(pdict_migrate(store, b, &options, &result));
    pdict_store_close(store);
    CHECK_INT(result.maps, 1);
    store = store_open(b);
    CHECK_OK(pdict_store_maps(store, name_order, names));
    pdict_store_close(store);
    CHECK_STR(names, "packed ");
    CHECK_STR(map_text(a, "packed", false), map_text(b, "packed", false));
}

TEST(migrate, expired_entries_are_left_out_and_others_keep_their_expiry)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_result result = PDICT_MIGRATE_RESULT_INIT;
    pdict_store *store;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    put_ttl(d, "soon", "x", 100);
    put_ttl(d, "later", "x", 1000);
    put(d, "never", "x");
    pdict_close(d);
    test_now_ms += 100;
    store = store_open(a);
    CHECK_OK(pdict_migrate(store, b, NULL, &result));
    pdict_store_close(store);
    CHECK_INT(result.records, 2);
    CHECK_INT(result.expired, 1);
    test_now_ms -= 100;
    d = map_open(b, "main", NULL, false);
    check_value(d, "soon", NULL);
    check_value(d, "later", "x");
    test_now_ms += 1000;
    check_value(d, "later", NULL);
    check_value(d, "never", "x");
    pdict_close(d);
}

TEST(migrate, what_is_written_during_the_copy_is_not_carried_over)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    const char *before;
    pdict_store *store;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    fill(d, 500);
    before = map_text(a, "main", false);
    store = store_open(a);
    CHECK_OK(pdict_migrate(store, b, NULL, NULL));
    put(d, "later", "x");
    CHECK_STR(map_text(b, "main", false), before);
    pdict_store_close(store);
    pdict_close(d);
}

/* ---- other codecs ---- */

static void check_recoded(const char *codecs, bool is_sealed)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d;

    unlink(test_path("b.db"));
    migrate(a, b, codecs);
    CHECK_STR(map_text(a, "main", false), map_text(b, "main", is_sealed));
    CHECK_STR(map_text(a, "packed", false), map_text(b, "packed", is_sealed));
    CHECK_STR(map_text(a, "sealed", true), map_text(b, "sealed", is_sealed));
    d = map_open(b, "main", NULL, is_sealed);
    CHECK_OK(pdict_stats_get(d, PDICT_STATS_SIZES, &stats));
    CHECK_STR(stats.codecs, codecs);
    CHECK_INT(stats.is_encrypted, is_sealed);
    put(d, "new", "value");
    check_value(d, "new", "value");
    pdict_close(d);
}

TEST(migrate, other_codecs_change_records_and_nothing_else)
{
    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 700);
    check_recoded("raw", false);
    check_recoded("raw,zlib:9", false);
    check_recoded("raw,xchacha20", true);
    check_recoded("raw,zstd:3,xchacha20", true);
    check_recoded("str", false);
}

TEST(migrate, other_codecs_of_a_sealed_map_need_its_key)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_store *store;

    need_sqlite();
    fill_store(a, 3);
    store = store_open(a);
    options.codecs = "raw";
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_NEED_KEY);
    options.key = pdict_str("another key, thirty-two bytes and more");
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_WRONG_KEY);
    options.passphrase = pdict_str("both");
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_CONTRADICTION);
    pdict_store_close(store);
    CHECK(!exists(test_path("b.db")));
}

TEST(migrate, a_damaged_record_ends_recoding_and_is_copied_as_it_is_otherwise)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_store *store;
    pdict_view view;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    put(d, "k", "a value to be damaged");
    pdict_close(d);
    damage(test_path("a.db"), "to be damaged", 13);
    store = store_open(a);
    options.codecs = "raw,zstd";
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_CHECKSUM);
    CHECK(!exists(test_path("b.db")));
    CHECK_OK(pdict_migrate(store, b, NULL, NULL));
    pdict_store_close(store);
    d = map_open(b, "main", NULL, false);
    CHECK_STATUS(pdict_get(d, pdict_str("k"), &view), PDICT_CHECKSUM);
    pdict_close(d);
}

/* ---- names ---- */

TEST(migrate, a_name_that_is_taken_is_left_alone)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_store *store;
    char *bytes;
    size_t size;

    need_sqlite();
    fill_store(a, 3);
    store = store_open(a);
    test_write_file(test_path("other"), "somebody's text", 15);
    CHECK_STATUS(pdict_migrate(store, a, NULL, NULL), PDICT_EXISTS);
    CHECK(strstr(pdict_error_text(), "a.db") != NULL);
    CHECK_STATUS(pdict_migrate(store, uri_of("sqlite", "other"), NULL, NULL), PDICT_NOT_A_STORE);
    CHECK_STATUS(pdict_migrate(store, uri_of("sqlite", "no/such.db"), NULL, NULL),
                 PDICT_NO_DIRECTORY);
    CHECK_STATUS(pdict_migrate(store, "nonsense:x", NULL, NULL), PDICT_UNKNOWN_BACKEND);
    pdict_store_close(store);
    bytes = test_file(test_path("other"), &size);
    CHECK_BYTES(bytes, size, "somebody's text", 15);
    CHECK(!exists(test_path("a.db.migrating")));
}

TEST(migrate, a_store_without_files_keeps_its_other_maps_and_shows_no_half_ones)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    struct stopper stopper = { "compare", 0 };
    pdict_store *store, *to;
    char names[128] = "";
    pdict *d;

    need_sqlite();
    fill_store(a, 20);
    store = store_open(a);
    to = store_open("memory:to");
    d = map_open("memory:to", "mine", "raw", false);
    put(d, "k", "v");
    options.verify = true;
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_migrate(store, "memory:to", &options, NULL), PDICT_CANCELLED);
    CHECK_OK(pdict_store_maps(to, name_order, names));
    CHECK_STR(names, "mine ");
    CHECK_OK(pdict_migrate(store, "memory:to", NULL, NULL));
    CHECK_STATUS(pdict_migrate(store, "memory:to", NULL, NULL), PDICT_EXISTS);
    names[0] = '\0';
    CHECK_OK(pdict_store_maps(to, name_order, names));
    CHECK_STR(names, "mine main packed sealed* ");
    check_value(d, "k", "v");
    pdict_close(d);
    pdict_store_close(to);
    pdict_store_close(store);
}

/* ---- going on ---- */

static void change_source(const char *uri)
{
    pdict *d = map_open(uri, "main", NULL, false);

    CHECK_OK(pdict_del(d, pdict_str("key 0")));
    put(d, "key 0", "at the end now");
    CHECK_OK(pdict_del(d, pdict_str("")));
    put(d, "key 15838", "in its place");
    put(d, "new", "x");
    pdict_close(d);
}

static void check_resumed(const char *codecs)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_migrate_result result = PDICT_MIGRATE_RESULT_INIT;
    struct stopper stopper = { "compare", 0 };
    pdict_store *store;

    unlink(test_path("a.db"));
    unlink(test_path("b.db"));
    fill_store(a, 300);
    store = store_open(a);
    options.codecs = codecs;
    if (codecs)
        options.key = test_key;
    options.verify = true;
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_CANCELLED);
    CHECK(!exists(test_path("b.db")));
    CHECK(exists(test_path("b.db.migrating")));
    CHECK(!exists(test_path("b.db.migrating-job")));
    change_source(a);
    options.progress = NULL;
    CHECK_OK(pdict_migrate(store, b, &options, &result));
    pdict_store_close(store);
    CHECK(result.kept > 700);
    CHECK_INT(result.copied, 3);
    CHECK_INT(result.removed, 2);
    check_same(a, b);
    CHECK(!exists(test_path("b.db.migrating")));
}

TEST(migrate, the_next_run_copies_what_differs_and_removes_what_is_gone)
{
    need_sqlite();
    check_resumed(NULL);
}

/* The same keys in the same order, but born again. */
TEST(migrate, the_next_run_tells_new_entries_from_old_ones_of_the_same_key)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    struct stopper stopper = { "compare", 0 };
    pdict_store *store;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    put(d, "x", "1");
    put(d, "y", "2");
    store = store_open(a);
    options.verify = true;
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_CANCELLED);
    test_now_ms += 1000;
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    put(d, "x", "1");
    put(d, "y", "2");
    options.progress = NULL;
    CHECK_OK(pdict_migrate(store, b, &options, NULL));
    pdict_store_close(store);
    pdict_close(d);
    CHECK_STR(map_text(a, "main", false), map_text(b, "main", false));
}

/* Another process that opens a store and holds a snapshot of it, when told to. */
struct holder {
    const char *uri;
    int to[2], from[2];
    bool is_told;
    pid_t pid;
};

static _Noreturn void hold(const struct holder *holder)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    char byte;
    pdict *d;

    range.flags = PDICT_SNAPSHOT;
    CHECK_INT(read(holder->to[0], &byte, 1), 1);
    d = map_open(holder->uri, "main", NULL, false);
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    CHECK_INT(write(holder->from[1], "", 1), 1);
    (void)!read(holder->to[0], &byte, 1);
    pdict_iter_close(iter);
    pdict_close(d);
    _exit(0);
}

static int tell_holder(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct holder *holder = ctx;
    char byte;

    (void)done;
    (void)total;
    if (strcmp(phase, "compare") == 0 && !holder->is_told) {
        holder->is_told = true;
        CHECK_INT(write(holder->to[1], "", 1), 1);
        CHECK_INT(read(holder->from[0], &byte, 1), 1);
    }
    return 0;
}

/* The log of the new store cannot be folded in then, and without it the file would be half. */
TEST(migrate, a_store_that_somebody_else_reads_does_not_get_its_name_yet)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    struct holder holder = { .uri = uri_of("sqlite", "b.db.migrating") };
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_store *store;

    need_sqlite();
    fill_store(a, 100);
    CHECK_INT(pipe(holder.to), 0);
    CHECK_INT(pipe(holder.from), 0);
    fflush(NULL);
    if ((holder.pid = fork()) == 0)
        hold(&holder);
    store = store_open(a);
    options.verify = true;
    options.progress = tell_holder;
    options.progress_ctx = &holder;
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_BUSY);
    CHECK(!exists(test_path("b.db")));
    CHECK_INT(write(holder.to[1], "", 1), 1);
    CHECK_INT(waitpid(holder.pid, NULL, 0), holder.pid);
    CHECK_OK(pdict_migrate(store, b, NULL, NULL));
    pdict_store_close(store);
    check_same(a, b);
}

TEST(migrate, a_run_for_another_source_begins_anew_where_it_has_to)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    const char *c = uri_of("sqlite", "c.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    struct stopper stopper = { "compare", 0 };
    pdict_store *store;
    pdict *d;

    need_sqlite();
    fill_store(a, 50);
    store = store_open(a);
    options.verify = true;
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_CANCELLED);
    pdict_store_close(store);
    d = map_open(c, "main", "raw", false);
    fill(d, 60);
    pdict_close(d);
    migrate(c, b, NULL);
    CHECK_STR(map_text(c, "main", false), map_text(b, "main", false));
}

static int migrate_again(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    pdict_store *other = ctx;

    (void)phase;
    (void)done;
    (void)total;
    CHECK_STATUS(pdict_migrate(other, uri_of("sqlite", "b.db"), NULL, NULL), PDICT_BUSY);
    return 0;
}

TEST(migrate, two_runs_to_one_place_do_not_meet)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_store *store, *other;

    need_sqlite();
    fill_store(a, 50);
    store = store_open(a);
    other = store_open("memory:other");
    options.progress = migrate_again;
    options.progress_ctx = other;
    CHECK_OK(pdict_migrate(store, b, &options, NULL));
    pdict_store_close(other);
    pdict_store_close(store);
    check_same(a, b);
}

static int damage_copy(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    bool *is_done = ctx;
    pdict *d;

    (void)done;
    (void)total;
    if (strcmp(phase, "compare") == 0 && !*is_done) {
        *is_done = true;
        d = map_open(uri_of("sqlite", "b.db.migrating?page_cache=16MiB"), "packed", NULL, false);
        put(d, "key 39595", "something else");
        pdict_close(d);
    }
    return 0;
}

TEST(migrate, a_copy_that_is_not_the_same_never_gets_its_name)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    bool is_done = false;
    pdict_store *store;

    need_sqlite();
    fill_store(a, 50);
    store = store_open(a);
    options.verify = true;
    options.progress = damage_copy;
    options.progress_ctx = &is_done;
    CHECK_STATUS(pdict_migrate(store, b, &options, NULL), PDICT_DAMAGED);
    CHECK(!exists(test_path("b.db")));
    CHECK(!exists(test_path("b.db.migrating")));
    options.progress = NULL;
    CHECK_OK(pdict_migrate(store, b, &options, NULL));
    pdict_store_close(store);
    check_same(a, b);
}

/* ---- killed ---- */

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void migrate_in_child(const char *from, const char *to)
{
    pdict_options options = test_options(false);
    pdict_store *store;

    _exit(pdict_store_open(from, &options, &store) != PDICT_OK ||
          pdict_migrate(store, to, NULL, NULL) != PDICT_OK);
}

/* Whether it came to its end before it was killed. */
static bool run_for(const char *from, const char *to, int64_t us)
{
    struct timespec wait = { us / 1000000, us % 1000000 * 1000 };
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        migrate_in_child(from, to);
    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static void check_killed(const char *to)
{
    const char *a = uri_of("sqlite", "a.db"), *path = strchr(to, ':') + 1;
    int64_t began, whole_us;
    unsigned seed = (unsigned)now_us();
    int killed = 0;
    pdict *d = map_open(a, "main", "raw", false);

    fprintf(stderr, "seed %u\n", seed);
    for (int i = 0; i < 20; i++)
        fill(d, 300);
    pdict_close(d);
    fill_store(a, 300);
    began = now_us();
    migrate(a, to, NULL);
    whole_us = now_us() - began;
    for (int i = 0; i < 20; i++) {
        unlink(path);
        for (int tries = 0;; tries++) {
            srand(seed++);
            if (run_for(a, to, rand() % (whole_us + 1)))
                break;
            killed++;
            if (exists(path))
                break;
            if (tries == 2) {
                migrate(a, to, NULL);
                break;
            }
        }
        check_same(a, to);
    }
    fprintf(stderr, "killed %d times\n", killed);
    CHECK(killed >= 10);
}

TEST(migrate, killed_at_any_moment_the_name_is_free_or_the_store_whole)
{
    need_sqlite();
    check_killed(uri_of("sqlite", "b.db"));
}

TEST(migrate, killed_on_its_way_to_lmdb_it_is_the_same)
{
    need_sqlite();
    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    check_killed(uri_of("lmdb", "b.mdb"));
    CHECK(!exists(test_path("b.mdb.migrating")));
    CHECK(!exists(test_path("b.mdb.migrating-lock")));
}

/* ---- failures ---- */

TEST(migrate, a_failing_disk_leaves_what_the_next_run_goes_on_with)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    static const char *const calls[] = { "map_create:2", "write_commit:2", "apply:1", "sync:1",
                                         "checkpoint:1" };
    pdict_store *store;

    need_sqlite();
    if (!has_backend("fault"))
        SKIP("this build has no fault layer");
    fill_store(a, 100);
    store = store_open(a);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        char uri[600];

        snprintf(uri, sizeof(uri), "fault+%s?fail=%s:IO", b, calls[i]);
        CHECK_STATUS(pdict_migrate(store, uri, NULL, NULL), PDICT_IO);
        CHECK(!exists(test_path("b.db")));
        CHECK(exists(test_path("b.db.migrating")));
    }
    CHECK_OK(pdict_migrate(store, b, NULL, NULL));
    pdict_store_close(store);
    check_same(a, b);
}
