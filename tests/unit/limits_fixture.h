/* SPDX-License-Identifier: MIT */
/* Maps with limits, filled with entries of one size; their accounts, checked by a walk. */
#ifndef LIMITS_FIXTURE_H
#define LIMITS_FIXTURE_H

#include <stdio.h>

#include "maps.h"

static inline void put_number(pdict *d, int number)
{
    char key[16];

    snprintf(key, sizeof(key), "key %03d", number);
    put(d, key, "ten bytes!");
}

/* Those below, at once. */
static inline void put_numbers(pdict *d, int count)
{
    pdict_pair *pairs = test_alloc((size_t)count * sizeof(*pairs));

    for (int i = 0; i < count; i++) {
        char *key = test_alloc(16);

        snprintf(key, 16, "key %03d", i);
        pairs[i] = (pdict_pair){ pdict_str(key), pdict_str("ten bytes!") };
    }
    CHECK_OK(pdict_put_many(d, pairs, (size_t)count, NULL, NULL));
}

static inline void check_number(pdict *d, int number, bool is_there)
{
    char key[16];

    snprintf(key, sizeof(key), "key %03d", number);
    check_value(d, key, is_there ? "ten bytes!" : NULL);
}

static inline pdict_store *store_of(const struct setup *setup)
{
    pdict_options options = test_options(false);
    char uri[512];
    pdict_store *store;

    snprintf(uri, sizeof(uri), "%s", setup_uri(setup, "a", ""));
    *strchr(uri, '?') = '\0';
    CHECK_OK(pdict_store_open(uri, &options, &store));
    return store;
}

static inline pdict_limits limits_of(const struct setup *setup)
{
    pdict_limits limits = PDICT_LIMITS_INIT;
    pdict_store *store = store_of(setup);

    CHECK_OK(pdict_limits_get(store, "main", &limits));
    pdict_store_close(store);
    return limits;
}

static inline int print_finding(void *ctx, const pdict_finding *finding)
{
    (void)ctx;
    fprintf(stderr, "verify: %s\n", finding->text);
    return 0;
}

/* The account is what a walk finds, within the limits, and verify agrees. */
static inline void check_account(const struct setup *setup)
{
    pdict_limits limits = limits_of(setup);
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store = store_of(setup);

    options.finding = print_finding;
    if (setup->is_sealed)
        options.key = test_key;
    CHECK_OK(pdict_verify(store, &options, &result));
    CHECK_INT(result.findings, 0);
    CHECK_INT(limits.entries, result.records);
    CHECK_INT(limits.bytes, result.bytes);
    CHECK(limits.max_entries == 0 || limits.entries <= limits.max_entries);
    CHECK(limits.max_bytes == 0 || limits.bytes <= limits.max_bytes);
    pdict_store_close(store);
}

#endif
