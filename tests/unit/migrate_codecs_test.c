/* SPDX-License-Identifier: MIT */
/* Migration to other codecs: the records change, and nothing else. */
#include "migrate_fixture.h"

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

TEST(migrate_codecs, other_codecs_change_records_and_nothing_else)
{
    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 700);
    check_recoded("raw", false);
    check_recoded("raw,zlib:9", false);
    check_recoded("raw,xchacha20", true);
    check_recoded("raw,zstd:3,xchacha20", true);
    check_recoded("str", false);
}

TEST(migrate_codecs, other_codecs_of_a_sealed_map_need_its_key)
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

TEST(migrate_codecs, a_damaged_record_ends_recoding_and_is_copied_as_it_is_otherwise)
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
