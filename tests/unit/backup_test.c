/* SPDX-License-Identifier: MIT */
/* Backups: consistent, while others write, and whole before they have their name. */
#include "upkeep_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* On each backend with files; they share the names. */
static void on_each(void (*check)(const char *a, const char *b))
{
    static const char *const backends[] = { "sqlite", "lmdb" };

    for (size_t i = 0; i < 2; i++) {
        if (!has_backend(backends[i]))
            continue;
        unlink(test_path("a.db"));
        unlink(test_path("b.db"));
        check(uri_of(backends[i], "a.db"), uri_of(backends[i], "b.db"));
    }
}

static void check_copy(const char *a, const char *b)
{
    pdict_store *store;
    struct stat before, after;

    fill_store(a, 300);
    CHECK_INT(chmod(test_path("a.db"), 0640), 0);
    store = store_open(a);
    CHECK_OK(pdict_backup(store, test_path("b.db"), NULL));
    pdict_store_close(store);
    CHECK_STR(map_text(a, "main", false), map_text(b, "main", false));
    CHECK_STR(map_text(a, "packed", false), map_text(b, "packed", false));
    CHECK_STR(map_text(a, "sealed", true), map_text(b, "sealed", true));
    CHECK_INT(stat(test_path("a.db"), &before), 0);
    CHECK_INT(stat(test_path("b.db"), &after), 0);
    CHECK_INT(after.st_mode & 0777, before.st_mode & 0777);
    CHECK(!exists(test_path("b.db.partial")));
    CHECK(!exists(test_path("b.db.partial-job")));
}

TEST(backup, the_copy_is_the_store_with_all_its_maps)
{
    on_each(check_copy);
}

TEST(backup, a_read_only_store_can_be_backed_up)
{
    pdict_options options = test_options(false);
    pdict_store *store;

    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 20);
    CHECK_OK(pdict_store_open(test_path("a.db?mode=ro"), &options, &store));
    CHECK_OK(pdict_backup(store, test_path("b.db"), NULL));
    pdict_store_close(store);
    CHECK_STR(map_text(uri_of("sqlite", "a.db"), "main", false),
              map_text(uri_of("sqlite", "b.db"), "main", false));
}

/* Two entries that are always equal, moved on together as fast as can be. */
struct writer {
    pdict *d;
    atomic_bool is_over;
    atomic_int commits;
};

static void *write_pairs(void *ctx)
{
    struct writer *writer = ctx;

    for (int i = 0; !atomic_load(&writer->is_over); i++) {
        char text[64];
        pdict_pair pairs[2];

        snprintf(text, sizeof(text), "%d", i);
        pairs[0] = (pdict_pair){ pdict_str("left"), pdict_str(text) };
        pairs[1] = (pdict_pair){ pdict_str("right"), pdict_str(text) };
        CHECK_OK(pdict_put_many(writer->d, pairs, 2, NULL, NULL));
        atomic_fetch_add(&writer->commits, 1);
    }
    return NULL;
}

static int wait_for_commits(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct writer *writer = ctx;
    int seen = atomic_load(&writer->commits);

    (void)phase;
    CHECK(done <= total || total == 0);
    while (atomic_load(&writer->commits) < seen + 3)
        ;
    return 0;
}

static void check_instant(const char *a, const char *b)
{
    pdict_backup_options options = PDICT_BACKUP_OPTIONS_INIT;
    struct writer writer = { .is_over = false };
    pdict_view left, right;
    pthread_t thread;
    pdict_store *store;
    char *large = test_alloc(3 << 20);
    pdict *d;

    memset(large, 'x', 3 << 20);
    writer.d = map_open(a, "main", "raw", false);
    put(writer.d, "left", "first");
    CHECK_OK(pdict_put(writer.d, pdict_str("large"), pdict_bytes(large, 3 << 20), NULL));
    put(writer.d, "right", "first");
    store = store_open(a);
    CHECK_INT(pthread_create(&thread, NULL, write_pairs, &writer), 0);
    options.progress = wait_for_commits;
    options.progress_ctx = &writer;
    CHECK_OK(pdict_backup(store, test_path("b.db"), &options));
    atomic_store(&writer.is_over, true);
    pthread_join(thread, NULL);
    pdict_store_close(store);
    pdict_close(writer.d);
    d = map_open(b, "main", NULL, false);
    CHECK_OK(pdict_get(d, pdict_str("left"), &left));
    CHECK_OK(pdict_get(d, pdict_str("right"), &right));
    CHECK_BYTES(left.data, left.size, right.data, right.size);
    pdict_view_release(&left);
    pdict_view_release(&right);
    pdict_close(d);
}

TEST(backup, one_instant_is_copied_while_a_writer_goes_on)
{
    on_each(check_instant);
}

TEST(backup, a_name_that_is_taken_is_left_alone)
{
    pdict_store *store;
    char *bytes;
    size_t size;

    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 5);
    store = store_open(uri_of("sqlite", "a.db"));
    test_write_file(test_path("other"), "text", 4);
    CHECK_STATUS(pdict_backup(store, test_path("other"), NULL), PDICT_EXISTS);
    CHECK_STATUS(pdict_backup(store, test_path("a.db"), NULL), PDICT_EXISTS);
    CHECK_STATUS(pdict_backup(store, test_path("no/such"), NULL), PDICT_NO_DIRECTORY);
    pdict_store_close(store);
    bytes = test_file(test_path("other"), &size);
    CHECK_BYTES(bytes, size, "text", 4);
}

TEST(backup, cancelled_it_leaves_nothing)
{
    pdict_backup_options options = PDICT_BACKUP_OPTIONS_INIT;
    struct stopper stopper = { NULL, 1 };
    pdict_store *store;

    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 5);
    store = store_open(uri_of("sqlite", "a.db"));
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_backup(store, test_path("b.db"), &options), PDICT_CANCELLED);
    pdict_store_close(store);
    CHECK(!exists(test_path("b.db")));
    CHECK(!exists(test_path("b.db.partial")));
    CHECK(!exists(test_path("b.db.partial-job")));
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void check_full(const char *a, const char *b)
{
    pdict_store *store;

    (void)b;
    fill_store(a, 300);
    store = store_open(a);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(40000);
    CHECK_STATUS(pdict_backup(store, test_path("b.db"), NULL), PDICT_FULL);
    limit_file_size(RLIM_INFINITY);
    CHECK(strstr(pdict_error_text(), "b.db.partial") != NULL);
    CHECK(strstr(pdict_error_text(), "a.db") == NULL);
    CHECK(!exists(test_path("b.db.partial")));
    CHECK_OK(pdict_backup(store, test_path("b.db"), NULL));
    pdict_store_close(store);
}

TEST(backup, a_full_disk_is_that_of_the_copy)
{
    on_each(check_full);
}

TEST(backup, what_a_dead_process_left_is_in_nobodys_way)
{
    pdict_store *store;

    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 5);
    test_write_file(test_path("b.db.partial"), "half", 4);
    test_write_file(test_path("b.db.partial-job"), "", 0);
    store = store_open(uri_of("sqlite", "a.db"));
    CHECK_OK(pdict_backup(store, test_path("b.db"), NULL));
    pdict_store_close(store);
    CHECK_STR(map_text(uri_of("sqlite", "a.db"), "main", false),
              map_text(uri_of("sqlite", "b.db"), "main", false));
}

TEST(backup, a_store_without_a_file_says_what_to_do_instead)
{
    pdict_store *store = store_open("memory:a");

    CHECK_STATUS(pdict_backup(store, test_path("b.db"), NULL), PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), "migrate") != NULL);
    pdict_store_close(store);
}
