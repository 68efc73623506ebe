/* SPDX-License-Identifier: MIT */
/* Maps for tests of the public API. */
#include "maps.h"

#include <stdio.h>
#include <stdlib.h>

const struct setup setups[] = {
    { "memory", "raw", false, false },
    { "memory", "raw,zstd:3,xchacha20", false, true },
    { "sqlite", "raw", true, false },
    { "sqlite", "raw,zlib:6", true, false },
    { "sqlite", "raw,zstd:3,xchacha20", true, true },
    { "lmdb", "raw", true, false },
    { "lmdb", "raw,zstd:3,xchacha20", true, true },
};
const size_t n_setups = sizeof(setups) / sizeof(setups[0]);

_Atomic(int64_t) test_now_ms = 1700000000000;

static const char key_bytes[] = "0123456789abcdef0123456789abcdef";
const pdict_slice test_key = { key_bytes, 32 };

int64_t test_clock(void *ctx)
{
    (void)ctx;
    return test_now_ms;
}

pdict_options test_options(bool with_key)
{
    pdict_options options = PDICT_OPTIONS_INIT;

    options.clock = test_clock;
    if (with_key)
        options.key = test_key;
    return options;
}

static bool is_built(const char *backend)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind == PDICT_INFO_BACKEND && strcmp(info.name, backend) == 0)
            return true;
    }
    return false;
}

/* Under valgrind everything takes 30 times as long: there each engine comes once, and the longest
 * pipeline with one of them. */
static bool is_left_out(const struct setup *setup)
{
    return TEST_UNDER_VALGRIND && setup->is_sealed != (strcmp(setup->backend, "sqlite") == 0);
}

void for_each_setup(void (*check)(const struct setup *setup))
{
    for (size_t i = 0; i < n_setups; i++) {
        if (!is_built(setups[i].backend) || is_left_out(&setups[i]))
            continue;
        fprintf(stderr, "setup %s with %s\n", setups[i].backend, setups[i].codecs);
        check(&setups[i]);
    }
}

const char *setup_uri(const struct setup *setup, const char *name, const char *more)
{
    static char uri[2][1024];
    static int turn;
    char *out = uri[turn++ % 2];

    if (setup->is_persistent)
        snprintf(out, sizeof(uri[0]), "%s:%s?codecs=%s%s", setup->backend,
                 test_path("%s-%zu.db", name, (size_t)(setup - setups)), setup->codecs, more);
    else
        snprintf(out, sizeof(uri[0]), "%s:%s-%zu?codecs=%s%s", setup->backend, name,
                 (size_t)(setup - setups), setup->codecs, more);
    return out;
}

int setup_try(const struct setup *setup, const char *name, const char *more, pdict **out)
{
    pdict_options options = test_options(setup->is_sealed);

    return pdict_open(setup_uri(setup, name, more), &options, out);
}

pdict *setup_open(const struct setup *setup, const char *name, const char *more)
{
    pdict *d;

    CHECK_OK(setup_try(setup, name, more, &d));
    return d;
}

void put(pdict *d, const char *key, const char *value)
{
    CHECK_OK(pdict_put(d, pdict_str(key), pdict_str(value), NULL));
}

void put_ttl(pdict *d, const char *key, const char *value, int64_t ttl_ms)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.ttl_ms = ttl_ms;
    CHECK_OK(pdict_put(d, pdict_str(key), pdict_str(value), &how));
}

void check_value(pdict *d, const char *key, const char *expected)
{
    pdict_view view;
    int status = pdict_get(d, pdict_str(key), &view);

    CHECK_STATUS(status, expected ? PDICT_OK : PDICT_NOTFOUND);
    if (expected)
        CHECK_BYTES(view.data, view.size, expected, strlen(expected));
    pdict_view_release(&view);
}

uint64_t count_of(pdict *d)
{
    uint64_t count;

    CHECK_OK(pdict_count(d, &count));
    return count;
}

/* The usual life of a map. */
static void live_once(const struct setup *setup)
{
    pdict *d = setup_open(setup, "warm-up", "");
    pdict_entry entry;
    pdict_iter *iter;

    put_ttl(d, "a", "value", 1000);
    put(d, "k", "value");
    put(d, "k", "another value");
    check_value(d, "k", "another value");
    CHECK_OK(pdict_clear_cache(d));
    check_value(d, "k", "another value");
    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    while (pdict_iter_next(iter, &entry) == PDICT_OK)
        CHECK_INT(entry.key.size, 1);
    pdict_iter_close(iter);
    CHECK_OK(pdict_del(d, pdict_str("k")));
    CHECK_INT(count_of(d), 1);
    pdict_close(d);
}

WARM_UP()
{
    for_each_setup(live_once);
}
