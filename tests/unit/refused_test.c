/* SPDX-License-Identifier: MIT */
/* Upkeep that is asked for in the wrong way is refused and does nothing; asked to be slow, it is. */
#include <pdict/value.h>

#include "upkeep_fixture.h"

static pdict *open_new(const char *codecs)
{
    pdict *d;

    need_sqlite();
    d = map_open(uri_of("sqlite", "a.db"), "main", codecs, strstr(codecs, "xchacha20") != NULL);
    fill(d, 100);
    return d;
}

/* ---- options ---- */

TEST(refused, options_of_no_size_are_those_of_a_caller_who_forgot_it)
{
    pdict_recode_options recode = { 0 };
    pdict_train_options train = { 0 };
    pdict_verify_options verify = { 0 };
    pdict_migrate_options migrate = { 0 };
    pdict *d = open_new("raw");
    pdict_store *store = store_open(uri_of("sqlite", "a.db"));

    CHECK_STATUS(pdict_recode(d, &recode, NULL), PDICT_INVAL);
    CHECK_STATUS(pdict_train(d, &train, NULL), PDICT_INVAL);
    CHECK_STATUS(pdict_verify(store, &verify, NULL), PDICT_INVAL);
    CHECK_STATUS(pdict_migrate(store, uri_of("sqlite", "b.db"), &migrate, NULL), PDICT_INVAL);
    CHECK(!exists(test_path("b.db")));
    pdict_store_close(store);
    pdict_close(d);
}

TEST(refused, a_result_of_no_size_is_left_as_it_is)
{
    pdict_verify_result result;
    char before[sizeof(result)];
    pdict *d = open_new("raw");
    pdict_store *store = store_open(uri_of("sqlite", "a.db"));

    memset(&result, 0x55, sizeof(result));
    result.struct_size = 0;
    memcpy(before, &result, sizeof(before));
    CHECK_OK(pdict_verify(store, NULL, &result));
    CHECK_BYTES(&result, sizeof(result), before, sizeof(before));
    pdict_store_close(store);
    pdict_close(d);
}

TEST(refused, a_rekey_changes_no_codecs)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_meta before = PDICT_META_INIT, after = PDICT_META_INIT;
    pdict *d = open_new("raw,xchacha20");

    CHECK_OK(pdict_meta_get(d, pdict_str("key 0"), &before));
    options.codecs = "raw,zlib:6,xchacha20";
    CHECK_STATUS(pdict_rekey(d, &options, NULL), PDICT_INVAL);
    CHECK_OK(pdict_meta_get(d, pdict_str("key 0"), &after));
    CHECK_INT(after.stored_size, before.stored_size);
    pdict_close(d);
}

TEST(refused, a_dictionary_has_a_size_that_serves)
{
    pdict_train_options options = PDICT_TRAIN_OPTIONS_INIT;
    pdict *d = open_new("raw");

    options.most_bytes = 4095;
    CHECK_STATUS(pdict_train(d, &options, NULL), PDICT_INVAL);
    options.most_bytes = 256 * 1024 + 1;
    CHECK_STATUS(pdict_train(d, &options, NULL), PDICT_INVAL);
    pdict_close(d);
}

TEST(refused, a_read_only_handle_trains_nothing)
{
    pdict_options options = test_options(false);
    pdict *d = open_new("raw"), *reader;
    char uri[600];

    snprintf(uri, sizeof(uri), "%s?mode=ro", uri_of("sqlite", "a.db"));
    CHECK_OK(pdict_open(uri, &options, &reader));
    CHECK_STATUS(pdict_train(reader, NULL, NULL), PDICT_READ_ONLY);
    pdict_close(reader);
    pdict_close(d);
}

TEST(refused, a_backup_needs_the_name_of_a_file)
{
    pdict *d = open_new("raw");
    pdict_store *store = store_open(uri_of("sqlite", "a.db"));

    CHECK_STATUS(pdict_backup(store, test_path("%s", ""), NULL), PDICT_INVAL);
    pdict_store_close(store);
    pdict_close(d);
}

/* ---- at a rate ---- */

/* The first batch is done, and the caller has waited for it long enough. */
static int cancel_in_the_pause(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    uint64_t *before = ctx;

    (void)total;
    if (strcmp(phase, "recode") != 0 || done == 0)
        return 0;
    if (*before == done)
        return 1;
    *before = done;
    return 0;
}

TEST(refused, a_slow_recode_is_cancelled_while_it_waits_and_goes_on_from_there)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    uint64_t before = 0;
    pdict *d = open_new("raw");

    options.codecs = "raw,zlib:6";
    options.bytes_per_second = 1;
    options.progress = cancel_in_the_pause;
    options.progress_ctx = &before;
    CHECK_STATUS(pdict_recode(d, &options, &result), PDICT_CANCELLED);
    CHECK(before > 0);
    options.bytes_per_second = 0;
    options.progress = NULL;
    CHECK_OK(pdict_recode(d, &options, &result));
    CHECK(result.is_resumed);
    pdict_close(d);
}

/* ---- trees of values ---- */

TEST(refused, a_tree_and_a_text_that_are_not_there)
{
    pdict_tree *tree;

    CHECK_STATUS(pdict_tree_status(NULL), PDICT_INVAL);
    CHECK_OK(pdict_tree_new(NULL, &tree));
    CHECK(pdict_tree_text(tree, NULL) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_INVAL);
    pdict_tree_free(tree);
}
