/* SPDX-License-Identifier: MIT */
/* Verification: sound stores have no findings, and damage is named. */
#include "upkeep_fixture.h"

static int verify(const char *uri, pdict_verify_options *options, struct findings *findings,
                  pdict_verify_result *result)
{
    pdict_store *store = store_open(uri);
    int status;

    *findings = (struct findings){ .left = 1000 };
    options->finding = note;
    options->finding_ctx = findings;
    *result = (pdict_verify_result)PDICT_VERIFY_RESULT_INIT;
    status = pdict_verify(store, options, result);
    pdict_store_close(store);
    return status;
}

static struct findings findings;
static pdict_verify_result result;

static const char *found(const char *uri, bool with_key)
{
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;

    if (with_key)
        options.key = test_key;
    CHECK_OK(verify(uri, &options, &findings, &result));
    CHECK_INT(result.findings, findings.count);
    return findings.text;
}

/* ---- sound stores ---- */

TEST(verify, a_sound_store_has_no_findings_and_all_its_records_are_seen)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_store *held;
    uint64_t records;

    need_sqlite();
    fill_store(a, 200);
    CHECK_STR(found(a, true), "");
    CHECK_INT(result.maps, 3);
    CHECK_INT(result.unproven, 0);
    records = result.records;
    CHECK(records > 500);
    CHECK_STR(found(a, false), "");
    CHECK_INT(result.records, records);
    CHECK_INT(result.unproven, records / 3);
    options.map = "packed";
    CHECK_OK(verify(a, &options, &findings, &result));
    CHECK_INT(result.records, records / 3);
    held = store_open("memory:a");
    fill_store("memory:a", 200);
    CHECK_STR(found("memory:a", true), "");
    CHECK_INT(result.records, records);
    pdict_store_close(held);
}

TEST(verify, expired_records_are_looked_at_too)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict *d;

    need_sqlite();
    d = map_open(a, "main", "raw", false);
    put_ttl(d, "soon", "to be damaged", 10);
    pdict_close(d);
    test_now_ms += 1000;
    damage(test_path("a.db"), "to be damaged", 13);
    CHECK_STR(found(a, false), "3 PDICT_CHECKSUM main soon\n");
}

TEST(verify, subsets_make_up_the_whole)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    uint64_t records = 0, all;

    need_sqlite();
    fill_store(a, 300);
    found(a, false);
    all = result.records;
    options.subsets = 4;
    for (options.subset = 1; options.subset <= 4; options.subset++) {
        CHECK_OK(verify(a, &options, &findings, &result));
        CHECK(result.records > all / 8);
        records += result.records;
    }
    CHECK_INT(records, all);
    options.subset = 5;
    CHECK_STATUS(verify(a, &options, &findings, &result), PDICT_INVAL);
    options.subset = 0;
    CHECK_STATUS(verify(a, &options, &findings, &result), PDICT_INVAL);
}

TEST(verify, a_wrong_key_is_told_for_the_map_that_was_named)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;

    need_sqlite();
    fill_store(a, 20);
    options.key = pdict_str("another key, thirty-two bytes and more");
    CHECK_OK(verify(a, &options, &findings, &result));
    CHECK(result.unproven > 0);
    options.map = "sealed";
    CHECK_STATUS(verify(a, &options, &findings, &result), PDICT_WRONG_KEY);
    options.map = "absent";
    CHECK_STATUS(verify(a, &options, &findings, &result), PDICT_NO_MAP);
}

TEST(verify, the_caller_may_end_it_at_any_time)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    struct stopper stopper = { NULL, 0 };
    int told = 0;

    need_sqlite();
    fill_store(a, 20);
    options.progress = stop;
    options.progress_ctx = &stopper;
    do {
        stopper.left = told++;
        CHECK(told < 100);
    } while (verify(a, &options, &findings, &result) == PDICT_CANCELLED);
    CHECK(told > 3);
}

TEST(verify, the_caller_may_have_enough_of_findings)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_store *store;

    need_sqlite();
    fill_store(a, 20);
    damage(test_path("a.db"), "the first words of 3,", 21);
    damage(test_path("a.db"), "the first words of 4,", 21);
    store = store_open(a);
    findings = (struct findings){ .left = 0 };
    options.finding = note;
    options.finding_ctx = &findings;
    CHECK_STATUS(pdict_verify(store, &options, NULL), PDICT_CANCELLED);
    CHECK_INT(findings.count, 1);
    pdict_store_close(store);
}

/* ---- damage ---- */

TEST(verify, a_damaged_record_is_named_with_map_key_and_status)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict *d;

    need_sqlite();
    fill_store(a, 50);
    d = map_open(a, "packed", NULL, false);
    put(d, "in packed", "short");
    pdict_close(d);
    damage(test_path("a.db"), "other words of 5,", 17);
    damage(test_path("a.db"), "short", 5);
    CHECK_STR(found(a, true),
              "3 PDICT_CHECKSUM main key 39595\n3 PDICT_CHECKSUM packed in packed\n");
}

/* Change the file with the sqlite3 shell, past the triggers that would keep it right. */
static void alter(const char *sql)
{
    char command[1024];

    if (system("command -v sqlite3 >/dev/null 2>&1") != 0)
        SKIP("the sqlite3 shell is not installed");
    snprintf(command, sizeof(command),
             "sqlite3 '%s' \".dbconfig enable_trigger off\" \"%s\" >/dev/null", test_path("a.db"),
             sql);
    CHECK_INT(system(command), 0);
}

static void check_altered(const char *sql, const char *expected)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict *d;

    unlink(test_path("a.db"));
    d = map_open(a, "main", "raw", false);
    put(d, "a", "1");
    put(d, "b", "2");
    put(d, "c", "3");
    pdict_close(d);
    alter(sql);
    CHECK_STR(found(a, false), expected);
}

TEST(verify, keys_and_records_that_do_not_belong_together_are_found)
{
    need_sqlite();
    check_altered("DELETE FROM kvk_1 WHERE id = 2",
                  "4 PDICT_DAMAGED main b\n5 PDICT_DAMAGED main \n");
    check_altered("UPDATE kvk_1 SET id = 9 WHERE id = 2",
                  "4 PDICT_DAMAGED main b\n5 PDICT_DAMAGED main \n4 PDICT_DAMAGED main b\n");
    check_altered("UPDATE kvk_1 SET id = 3 WHERE id = 2",
                  "4 PDICT_DAMAGED main b\n4 PDICT_DAMAGED main b\n");
    check_altered("UPDATE kv_1 SET key = x'64' WHERE id = 2",
                  "3 PDICT_CHECKSUM main d\n4 PDICT_DAMAGED main b\n");
    check_altered("UPDATE kv_1 SET expires_ms = 9000000000000 WHERE id = 1",
                  "3 PDICT_CHECKSUM main a\n");
    check_altered("UPDATE kv_1 SET version = version + 1 WHERE id = 1",
                  "3 PDICT_CHECKSUM main a\n");
}

TEST(verify, clearing_a_map_that_lists_an_entry_it_cannot_find_is_refused_as_damage)
{
    pdict *d;

    need_sqlite();
    check_altered("DELETE FROM kvk_1", "4 PDICT_DAMAGED main a\n4 PDICT_DAMAGED main b\n"
                                       "4 PDICT_DAMAGED main c\n5 PDICT_DAMAGED main \n");
    d = map_open(uri_of("sqlite", "a.db"), "main", "raw", false);
    CHECK_STATUS(pdict_clear(d, PDICT_CLEAR_EVERYTHING), PDICT_DAMAGED);
    pdict_close(d);
}

TEST(verify, a_wrong_count_is_found)
{
    need_sqlite();
    check_altered("UPDATE pdict_map SET live = live + 1, last_id = 9", "5 PDICT_DAMAGED main \n");
    check_altered("DELETE FROM kv_1 WHERE id = 1; DELETE FROM kvk_1 WHERE id = 1",
                  "5 PDICT_DAMAGED main \n");
}

TEST(verify, lost_settings_and_a_keyring_that_differs_from_its_copy_are_found)
{
    const char *a = uri_of("sqlite", "a.db");

    need_sqlite();
    fill_store(a, 10);
    alter("UPDATE pdict_system SET value = x'00' WHERE map = 1 AND name = 'descriptor'");
    CHECK(strstr(found(a, true), "2 PDICT_DAMAGED main \n") == findings.text);
    CHECK_INT(findings.count, 1);
    alter("UPDATE pdict_system SET value = value || x'00' WHERE name = 'keyring.copy'");
    CHECK_STR(strchr(found(a, true), '\n'), "\n2 PDICT_DAMAGED sealed \n");
}
