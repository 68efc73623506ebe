/* SPDX-License-Identifier: MIT */
/* The maps of one store: apart from each other, listed, dropped, renamed. */
#include "maps.h"

#include <stdio.h>

static pdict_store *open_store(const struct setup *setup)
{
    pdict_options options = test_options(false);
    pdict_store *store;

    CHECK_OK(pdict_store_open(setup_uri(setup, "a", ""), &options, &store));
    return store;
}

static int append(void *ctx, const pdict_map_info *map)
{
    char *text = ctx;

    sprintf(text + strlen(text), "%s=%d%s ", map->name, (int)map->count,
            map->is_encrypted ? "*" : "");
    return strcmp(map->name, "stop") == 0 ? 42 : PDICT_OK;
}

static void check_list(pdict_store *store, const char *expected)
{
    char text[256] = "";

    CHECK_OK(pdict_store_maps(store, append, text));
    CHECK_STR(text, expected);
}

static void check_catalog(const struct setup *setup)
{
    pdict *a = setup_open(setup, "a", "&map=a%20'b\"");
    pdict *b = setup_open(setup, "a", "");
    pdict_store *store = open_store(setup);
    char text[256] = "";

    put(a, "k", "of a");
    put(a, "l", "x");
    put(b, "k", "of b");
    check_value(a, "k", "of a");
    check_value(b, "k", "of b");
    check_list(store, setup->is_sealed ? "a 'b\"=2* main=1* " : "a 'b\"=2 main=1 ");
    CHECK_STATUS(pdict_store_drop(store, "main"), PDICT_BUSY);
    CHECK_STATUS(pdict_store_drop(store, "none"), PDICT_NO_MAP);
    CHECK_STATUS(pdict_store_rename(store, "none", "some"), PDICT_NO_MAP);
    CHECK_STATUS(pdict_store_rename(store, "main", "a 'b\""), PDICT_EXISTS);
    CHECK_STATUS(pdict_store_rename(store, "main", ""), PDICT_INVAL);
    CHECK_OK(pdict_store_rename(store, "main", "stop"));
    put(b, "k2", "an open handle goes on");
    pdict_close(b);
    CHECK_INT(pdict_store_maps(store, append, text), 42);
    CHECK_OK(pdict_store_drop(store, "stop"));
    check_list(store, setup->is_sealed ? "a 'b\"=2* " : "a 'b\"=2 ");
    b = setup_open(setup, "a", "");
    CHECK_INT(count_of(b), 0);
    pdict_close(b);
    pdict_close(a);
    pdict_store_close(store);
    pdict_store_close(NULL);
}

TEST(catalog, maps_of_one_store_are_apart_listed_dropped_and_renamed)
{
    for_each_setup(check_catalog);
}

TEST(catalog, a_store_that_is_absent_is_not_made)
{
    pdict_options options = test_options(false);
    pdict_store *store;
    char uri[512];

    snprintf(uri, sizeof(uri), "sqlite:%s?mode=rw", test_path("none.db"));
    CHECK_STATUS(pdict_store_open(uri, &options, &store), PDICT_NO_STORE);
    CHECK(store == NULL);
    CHECK_STATUS(pdict_store_open("nosuch:x", &options, &store), PDICT_UNKNOWN_BACKEND);
}
