/* SPDX-License-Identifier: MIT */
/* Migration that was ended, or met somebody: the next run goes on, and no half store has its name. */
#include "migrate_fixture.h"

#include <sys/wait.h>

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

TEST(migrate_resume, the_next_run_copies_what_differs_and_removes_what_is_gone)
{
    need_sqlite();
    check_resumed(NULL);
}

#define LARGE ((size_t)1 << 20)

static void put_large(pdict *d, int from, int to, char fill)
{
    char key[16], *value = test_alloc(LARGE);

    memset(value, fill, LARGE);
    for (int i = from; i < to; i++) {
        snprintf(key, sizeof(key), "%02d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, LARGE), NULL));
    }
}

static void delete_large(pdict *d, int from, int to)
{
    char key[16];

    for (int i = from; i < to; i++) {
        snprintf(key, sizeof(key), "%02d", i);
        CHECK_OK(pdict_del(d, pdict_str(key)));
    }
}

/* A run that is stopped before it compares. */
static void migrate_partly(pdict_store *store, const char *to)
{
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    struct stopper stopper = { "compare", 0 };

    options.verify = true;
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_migrate(store, to, &options, NULL), PDICT_CANCELLED);
}

/* A commit takes 12 MiB at most: what has changed takes two, in the middle of what is there. */
TEST(migrate_resume, what_has_changed_may_be_more_than_one_commit_takes)
{
    const char *a = uri_of("sqlite", "a.db?durability=unsafe"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_migrate_result result = PDICT_MIGRATE_RESULT_INIT;
    pdict_store *store;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    put_large(d, 0, 24, 'a');
    store = store_open(a);
    migrate_partly(store, b);
    put_large(d, 0, 16, 'b');
    delete_large(d, 20, 24);
    options.verify = true;
    CHECK_OK(pdict_migrate(store, b, &options, &result));
    CHECK_INT(result.copied, 16);
    CHECK_INT(result.kept, 4);
    CHECK_INT(result.removed, 4);
    pdict_store_close(store);
    pdict_close(d);
}

/* The same keys in the same order, but born again. */
TEST(migrate_resume, the_next_run_tells_new_entries_from_old_ones_of_the_same_key)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_store *store;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    put(d, "x", "1");
    put(d, "y", "2");
    store = store_open(a);
    migrate_partly(store, b);
    test_now_ms += 1000;
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    put(d, "x", "1");
    put(d, "y", "2");
    options.verify = true;
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
TEST(migrate_resume, a_store_that_somebody_else_reads_does_not_get_its_name_yet)
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

TEST(migrate_resume, a_run_for_another_source_begins_anew_where_it_has_to)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    const char *c = uri_of("sqlite", "c.db");
    pdict_store *store;
    pdict *d;

    need_sqlite();
    fill_store(a, 50);
    store = store_open(a);
    migrate_partly(store, b);
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

TEST(migrate_resume, two_runs_to_one_place_do_not_meet)
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

TEST(migrate_resume, a_copy_that_is_not_the_same_never_gets_its_name)
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
    options.verify = true;
    CHECK_OK(pdict_migrate(store, b, &options, NULL));
    pdict_store_close(store);
    check_same(a, b);
}

TEST(migrate_resume, a_failing_disk_leaves_what_the_next_run_goes_on_with)
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
