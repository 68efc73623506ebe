/* SPDX-License-Identifier: MIT */
/* What the tests of migration share: a run of it, and stores compared. */
#ifndef PDICT_MIGRATE_FIXTURE_H
#define PDICT_MIGRATE_FIXTURE_H

#include "upkeep_fixture.h"

static inline void migrate(const char *from, const char *to, const char *codecs)
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

static inline void check_same(const char *a, const char *b)
{
    CHECK_STR(map_text(a, "main", false), map_text(b, "main", false));
    CHECK_STR(map_text(a, "packed", false), map_text(b, "packed", false));
    CHECK_STR(map_text(a, "sealed", true), map_text(b, "sealed", true));
}

/* The names of maps, in their order; a star is for an encrypted one. */
static inline int name_order(void *ctx, const pdict_map_info *info)
{
    char *names = ctx;

    strcat(names, info->name);
    strcat(names, info->is_encrypted ? "* " : " ");
    return 0;
}

#endif
