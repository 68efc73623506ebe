/* SPDX-License-Identifier: MIT */
/* Repair: what is sound comes over, what is damaged is set aside, and the source stays as it is. */
#include "upkeep_fixture.h"

static pdict_repair_result repair(const char *from, const char *to, bool with_key)
{
    pdict_repair_options options = PDICT_REPAIR_OPTIONS_INIT;
    pdict_repair_result result = PDICT_REPAIR_RESULT_INIT;
    pdict_store *store = store_open(from);

    if (with_key)
        options.key = test_key;
    CHECK_OK(pdict_repair(store, to, &options, &result));
    pdict_store_close(store);
    CHECK(!exists(test_path("b.db.repairing")));
    return result;
}

static uint64_t findings_of(const char *uri)
{
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store = store_open(uri);

    options.key = test_key;
    CHECK_OK(pdict_verify(store, &options, &result));
    pdict_store_close(store);
    return result.findings;
}

TEST(repair, a_sound_store_comes_over_whole)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_repair_result result;

    need_sqlite();
    fill_store(a, 200);
    result = repair(a, b, true);
    CHECK_INT(result.maps, 3);
    CHECK_INT(result.quarantined + result.gaps + result.lost_maps + result.unproven, 0);
    CHECK_STR(map_text(a, "main", false), map_text(b, "main", false));
    CHECK_STR(map_text(a, "packed", false), map_text(b, "packed", false));
    CHECK_STR(map_text(a, "sealed", true), map_text(b, "sealed", true));
}

TEST(repair, without_the_key_sealed_records_come_over_unproven)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_repair_result result;

    need_sqlite();
    fill_store(a, 30);
    result = repair(a, b, false);
    CHECK_INT(result.unproven, result.records / 3);
    CHECK_STR(map_text(a, "sealed", true), map_text(b, "sealed", true));
}

TEST(repair, a_damaged_record_is_set_aside_as_it_is)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_repair_result result;
    pdict_view view;
    char *before, *after;
    size_t size, size_after;
    pdict *d;

    need_sqlite();
    fill_store(a, 50);
    damage(test_path("a.db"), "other words of 5,", 17);
    before = test_file(test_path("a.db"), &size);
    result = repair(a, b, true);
    CHECK_INT(result.quarantined, 1);
    after = test_file(test_path("a.db"), &size_after);
    CHECK_BYTES(after, size_after, before, size);
    d = map_open(b, "main", NULL, false);
    check_value(d, "key 39595", NULL);
    check_value(d, "", "of the empty key");
    pdict_close(d);
    d = map_open(b, "main.damaged", NULL, false);
    CHECK_INT(count_of(d), 1);
    CHECK_OK(pdict_get(d, pdict_str("key 39595"), &view));
    CHECK(memmem(view.data, view.size, "ther words of 5,", 16) != NULL);
    pdict_view_release(&view);
    pdict_close(d);
    CHECK_INT(findings_of(b), 0);
}

TEST(repair, a_page_that_cannot_be_read_costs_its_own_records_only)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_repair_result result;
    char *bytes, *at;
    size_t size;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    fill(d, 2000);
    pdict_close(d);
    bytes = test_file(test_path("a.db"), &size);
    at = memmem(bytes, size, "first words of 1000,", 20);
    CHECK(at != NULL || (at = memmem(bytes, size, "first words of 1001,", 20)) != NULL);
    /* The kind of the page: no such one exists. */
    bytes[(size_t)(at - bytes) / 4096 * 4096] = 1;
    test_write_file(test_path("a.db"), bytes, size);
    result = repair(a, b, false);
    CHECK_INT(result.gaps, 1);
    CHECK_INT(result.quarantined, 0);
    CHECK(result.records > 1750 && result.records < 1820);
    CHECK_INT(findings_of(b), 0);
}

TEST(repair, of_a_map_without_settings_all_records_are_set_aside)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_repair_result result;
    pdict_store *store;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    fill(d, 20);
    pdict_close(d);
    damage(test_path("a.db"), "pdict-map 1", 11);
    result = repair(a, b, false);
    CHECK_INT(result.lost_maps, 1);
    CHECK_INT(result.records, 0);
    d = map_open(b, "main.damaged", NULL, false);
    CHECK_INT(count_of(d), result.quarantined);
    pdict_close(d);
    /* A second repair has nothing to do, and does not mistake what the first set aside. */
    store = store_open(b);
    CHECK_OK(pdict_repair(store, uri_of("sqlite", "c.db"), NULL, &result));
    pdict_store_close(store);
}

TEST(repair, a_damaged_keyring_is_mended_from_its_copy)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    const char *before;
    pdict *d;

    need_sqlite();
    d = map_open(a, "sealed", "raw,xchacha20", true);
    fill(d, 20);
    pdict_close(d);
    before = map_text(a, "sealed", true);
    damage(test_path("a.db"), "pdict-keyring 1", 15);
    CHECK(findings_of(a) > 0);
    repair(a, b, true);
    CHECK_INT(findings_of(b), 0);
    CHECK_STR(map_text(b, "sealed", true), before);
}

TEST(repair, a_name_that_is_taken_is_left_alone_and_a_cancelled_one_leaves_nothing)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict_repair_options options = PDICT_REPAIR_OPTIONS_INIT;
    struct stopper stopper = { NULL, 1 };
    pdict_store *store;

    need_sqlite();
    fill_store(a, 5);
    store = store_open(a);
    CHECK_STATUS(pdict_repair(store, a, NULL, NULL), PDICT_EXISTS);
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_repair(store, b, &options, NULL), PDICT_CANCELLED);
    CHECK(!exists(test_path("b.db")));
    CHECK(!exists(test_path("b.db.repairing")));
    CHECK(!exists(test_path("b.db.repairing-job")));
    pdict_store_close(store);
}

TEST(repair, what_is_set_aside_goes_beside_a_map_that_has_the_name_for_it)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    pdict *d;

    need_sqlite();
    fill_store(a, 50);
    damage(test_path("a.db"), "other words of 5,", 17);
    d = map_open(a, "main.damaged", "raw", false);
    put(d, "mine", "stays");
    pdict_close(d);
    CHECK_INT(repair(a, b, true).quarantined, 1);
    d = map_open(b, "main.damaged", NULL, false);
    CHECK_INT(count_of(d), 1);
    check_value(d, "mine", "stays");
    pdict_close(d);
    d = map_open(b, "main.damaged.damaged", NULL, false);
    CHECK_INT(count_of(d), 1);
    pdict_close(d);
}

#define MIB ((size_t)1 << 20)

TEST(repair, a_map_of_more_than_a_batch_comes_over_whole)
{
    const char *a = uri_of("sqlite", "a.db"), *b = uri_of("sqlite", "b.db");
    char *value = test_alloc(MIB), key[16];
    pdict_view view;
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    for (int i = 0; i < 20; i++) { /* a batch has 12 MiB */
        memset(value, 'a' + i, MIB);
        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, MIB), NULL));
    }
    pdict_close(d);
    CHECK_INT(repair(a, b, false).records, 20);
    d = map_open(b, "main", NULL, false);
    for (int i = 0; i < 20; i++) {
        memset(value, 'a' + i, MIB);
        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_get(d, pdict_str(key), &view));
        CHECK_BYTES(view.data, view.size, value, MIB);
        pdict_view_release(&view);
    }
    pdict_close(d);
}
