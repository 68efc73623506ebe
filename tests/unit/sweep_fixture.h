/* SPDX-License-Identifier: MIT */
/* Stores for tests of the sweep, on each backend. */
#ifndef PDICT_TESTS_SWEEP_FIXTURE_H
#define PDICT_TESTS_SWEEP_FIXTURE_H

#include <stdio.h>

#include "maps.h"
#include "process_fixture.h"

static inline const char *uri_of(const char *backend, const char *more)
{
    char *uri = test_alloc(512);

    snprintf(uri, 512, "%s:%s%s", backend, test_path("a.%s", backend), more);
    return uri;
}

static inline pdict *open_on(const char *uri)
{
    pdict_options options = test_options(false);
    pdict *d;

    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

static inline pdict_store *store_on(const char *uri)
{
    pdict_options options = test_options(false);
    pdict_store *store;

    CHECK_OK(pdict_store_open(uri, &options, &store));
    return store;
}

/* Rows that are stored, expired ones included. */
static inline uint64_t stored(const char *uri)
{
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store = store_on(uri);

    CHECK_OK(pdict_verify(store, NULL, &result));
    CHECK_INT(result.findings, 0);
    pdict_store_close(store);
    return result.records;
}

static inline void for_each_backend(void (*check)(const char *backend))
{
    static const char *const backends[] = { "memory", "sqlite", "lmdb" };
    pdict_info info = PDICT_INFO_INIT;

    for (size_t i = 0; i < 3; i++) {
        for (size_t cursor = 0; pdict_info_next(&cursor, &info) == PDICT_OK;) {
            if (info.kind == PDICT_INFO_BACKEND && strcmp(info.name, backends[i]) == 0)
                check(backends[i]);
        }
    }
}

#endif
