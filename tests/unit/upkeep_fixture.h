/* SPDX-License-Identifier: MIT */
/* What the tests of upkeep share: stores of several maps, and maps as text to compare. */
#ifndef PDICT_UPKEEP_FIXTURE_H
#define PDICT_UPKEEP_FIXTURE_H

#include "maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A map, with the test's clock and, where it is sealed, its key. */
static inline pdict *map_open(const char *uri, const char *map, const char *codecs, bool is_sealed)
{
    pdict_options options = test_options(is_sealed);
    pdict_setting settings[] = { { "map", map }, { "durability", "unsafe" }, { "codecs", codecs } };
    pdict *d;

    options.settings = settings;
    options.n_settings = codecs ? 3 : 2;
    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

static inline pdict_store *store_open(const char *uri)
{
    pdict_options options = test_options(false);
    pdict_store *store;

    CHECK_OK(pdict_store_open(uri, &options, &store));
    return store;
}

static inline void put_at(pdict *d, int number, int64_t expires_ms, const char *words)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    char key[32], value[256];

    how.expires_ms = expires_ms;
    snprintf(key, sizeof(key), "key %d", number * 7919 % 1000003);
    snprintf(value, sizeof(value), "%s of %d, and again %s of %d", words, number, words, number);
    CHECK_OK(pdict_put(d, pdict_str(key), pdict_str(value), &how));
}

/* Entries with and without expiry, some replaced, some deleted; time passes between them. */
static inline void fill(pdict *d, int count)
{
    for (int i = 0; i < count; i++) {
        put_at(d, i, i % 3 == 0 ? test_now_ms + 1000000 + i : 0, "the first words");
        test_now_ms += i % 10 == 0;
    }
    for (int i = 0; i < count; i += 5)
        put_at(d, i, 0, "other words");
    for (int i = 1; i < count; i += 11) {
        char key[32];

        snprintf(key, sizeof(key), "key %d", i * 7919 % 1000003);
        CHECK_OK(pdict_del(d, pdict_str(key)));
    }
    put(d, "", "of the empty key");
    CHECK_OK(pdict_put(d, pdict_bytes("a\0b", 3), pdict_bytes("", 0), NULL));
}

/* A store of three maps: plain, compressed and sealed. */
static inline void fill_store(const char *uri, int count)
{
    pdict *d = map_open(uri, "main", "raw", false);

    fill(d, count);
    pdict_close(d);
    d = map_open(uri, "packed", "raw,zstd:3", false);
    fill(d, count);
    pdict_close(d);
    d = map_open(uri, "sealed", "raw,zlib,xchacha20", true);
    fill(d, count);
    pdict_close(d);
}

/* All that is to be seen of a map, in its order; valid until the end of the test. */
static inline const char *map_text(const char *uri, const char *map, bool is_sealed)
{
    pdict *d = map_open(uri, map, NULL, is_sealed);
    size_t size = 0, capacity = (size_t)1 << 24;
    char *text = malloc(capacity), *out;
    pdict_entry entry;
    pdict_iter *iter;

    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    text[0] = '\0';
    while (pdict_iter_next(iter, &entry) == PDICT_OK) {
        size += (size_t)snprintf(text + size, capacity - size, "%.*s|%llx|%lld|%lld|%.*s\n",
                                 (int)entry.key.size, (const char *)entry.key.data,
                                 (unsigned long long)entry.version, (long long)entry.created_ms,
                                 (long long)entry.expires_ms, (int)entry.value.size,
                                 (const char *)entry.value.data);
    }
    size +=
        (size_t)snprintf(text + size, capacity - size, "%llu\n", (unsigned long long)count_of(d));
    pdict_iter_close(iter);
    pdict_close(d);
    out = test_alloc(size + 1);
    memcpy(out, text, size + 1);
    free(text);
    return out;
}

/* Flip one bit of the first place where these bytes stand in the file; nobody has it open. */
static inline void damage(const char *path, const void *bytes, size_t size)
{
    size_t file_size;
    char *file = test_file(path, &file_size), *at = memmem(file, file_size, bytes, size);

    CHECK(at != NULL);
    *at ^= 1;
    test_write_file(path, file, file_size);
}

static inline bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static inline bool has_backend(const char *name)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind == PDICT_INFO_BACKEND && strcmp(info.name, name) == 0)
            return true;
    }
    return false;
}

static inline void need_sqlite(void)
{
    if (!has_backend("sqlite"))
        SKIP("this build has no sqlite backend");
}

/* The URI of a file of this test. */
static inline const char *uri_of(const char *backend, const char *name)
{
    char *uri = test_alloc(512);

    snprintf(uri, 512, "%s:%s", backend, test_path("%s", name));
    return uri;
}

/* What was found, as lines "kind status map key". */
struct findings {
    char text[8192];
    int count;
    int left; /* how many until the caller has enough */
};

static inline int note(void *ctx, const pdict_finding *finding)
{
    struct findings *findings = ctx;
    size_t size = strlen(findings->text);

    CHECK(*finding->text != '\0');
    snprintf(findings->text + size, sizeof(findings->text) - size, "%d %s %s %.*s\n", finding->kind,
             pdict_status_name(finding->status), finding->map ? finding->map : "-",
             (int)finding->key.size, (const char *)finding->key.data);
    findings->count++;
    return findings->left-- <= 0;
}

/* A progress function that ends the call at the nth time. */
struct stopper {
    const char *phase; /* NULL: any */
    int left;
};

static inline int stop(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct stopper *stopper = ctx;

    CHECK(total == 0 || done <= total);
    if (stopper->phase && strcmp(stopper->phase, phase) != 0)
        return 0;
    return stopper->left-- <= 0;
}

#endif
