/* SPDX-License-Identifier: MIT */
/* Migration: the copy is the same, or it is not there. */
#include "migrate_fixture.h"

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

static pdict *open_idle(const char *path)
{
    pdict_options options = test_options(false);
    pdict_setting settings[] = {
        { "idle", "160s" }, { "ttl", "1h" }, { "access", "8s" }, { "maintenance", "manual" }
    };
    pdict *d;

    options.settings = settings;
    options.n_settings = 4;
    CHECK_OK(pdict_open(path, &options, &d));
    return d;
}

TEST(migrate, lifetimes_and_access_times_come_along)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("lmdb", "b.lmdb");
    pdict_meta before = PDICT_META_INIT, after = PDICT_META_INIT;
    char key[32];
    pdict *d;

    need_sqlite();
    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    d = open_idle(a);
    for (int i = 0; i < 1234; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put(d, key, "value");
    }
    test_now_ms += 100000;
    check_value(d, "77", "value");
    CHECK_OK(pdict_maintain(d, 1000));
    CHECK_OK(pdict_meta_get(d, pdict_str("77"), &before));
    pdict_close(d);
    migrate(a, b, NULL);
    d = open_idle(b);
    CHECK_OK(pdict_meta_get(d, pdict_str("77"), &after));
    CHECK_INT(after.accessed_ms, before.accessed_ms);
    CHECK_INT(count_of(d), 1234);
    test_now_ms += 68000;
    CHECK_INT(count_of(d), 1);
    check_value(d, "77", "value");
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
