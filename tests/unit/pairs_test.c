/* SPDX-License-Identifier: MIT */
/* Every serializer with every compressor, plain and sealed, on every backend: what goes in comes out. */
#include <pdict/ext/register.h>
#include <stdio.h>
#include <stdlib.h>

#include "maps.h"

#define MOST_CODECS 16

/* Names of the codecs of one kind in this build, and "" for none of them where `may_lack`. */
struct names {
    const char *at[MOST_CODECS];
    size_t count;
};

static struct names names_of(int kind, bool may_lack)
{
    struct names names = { .count = 0 };
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    if (may_lack)
        names.at[names.count++] = "";
    while (pdict_info_next(&cursor, &info) == PDICT_OK && names.count < MOST_CODECS) {
        if (info.kind == kind)
            names.at[names.count++] = info.name;
    }
    return names;
}

struct pair {
    const char *serializer, *compressor, *cipher;
};

static const char *codecs_of(const struct pair *pair)
{
    static char text[128];

    snprintf(text, sizeof(text), "%s%s%s%s%s", pair->serializer, *pair->compressor ? "," : "",
             pair->compressor, *pair->cipher ? "," : "", pair->cipher);
    return text;
}

/* ---- values ---- */

static const size_t sizes[] = { 0, 1, 31, 200, 5000, 70000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* Words that shrink, or letters that hardly do. */
static char *text_of(size_t size, bool is_noise)
{
    char *text = test_alloc(size + 1);
    uint64_t state = size;

    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        text[i] = is_noise ? (char)(' ' + (state >> 40) % 95) : "some words of text "[i % 19];
    }
    text[size] = '\0';
    return text;
}

/* Bytes that this serializer takes: a text as it writes it, or as it is where it writes none. */
static pdict_slice value_for(const char *serializer, size_t size, bool is_noise)
{
    const pdict_serializer *vtable = pdict_codec_find(serializer)->serializer;
    size_t capacity = 6 * size + 32, made = 0;
    char *text = text_of(size, is_noise), *bytes;
    pdict_tree *tree;
    int status;

    if (!vtable->encode)
        return pdict_bytes(text, size);
    bytes = test_alloc(capacity);
    CHECK_OK(pdict_tree_new(NULL, &tree));
    status = vtable->encode(pdict_tree_text_n(tree, text, size), bytes, capacity, &made);
    pdict_tree_free(tree);
    if (status == PDICT_INVAL)
        return pdict_bytes(text, size);
    CHECK_OK(status);
    CHECK(made <= capacity);
    return pdict_bytes(bytes, made);
}

/* ---- one pair ---- */

static pdict *open_pair(const char *backend, const struct pair *pair)
{
    pdict_options options = test_options(*pair->cipher != '\0');
    char uri[1024];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s:%s?map=%s&codecs=%s&cache=off&durability=unsafe", backend,
             test_path("a.store"), codecs_of(pair), codecs_of(pair));
    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

static pdict_slice key_of(size_t i, bool is_noise)
{
    static char key[32];

    return pdict_bytes(key, (size_t)snprintf(key, sizeof(key), "%s %zu", is_noise ? "n" : "w", i));
}

static void put_values(pdict *d, const struct pair *pair)
{
    for (size_t i = 0; i < 2 * SIZES; i++) {
        pdict_slice value = value_for(pair->serializer, sizes[i / 2], i % 2);
        pdict_slice other = value_for(pair->serializer, sizes[SIZES - 1 - i / 2], i % 2);

        CHECK_OK(pdict_put(d, key_of(i, i % 2), other, NULL));
        CHECK_OK(pdict_put(d, key_of(i, i % 2), value, NULL));
    }
    CHECK_OK(pdict_put(d, pdict_str("gone"), value_for(pair->serializer, 10, false), NULL));
    CHECK_OK(pdict_del(d, pdict_str("gone")));
}

static void check_values(pdict *d, const struct pair *pair)
{
    pdict_view view;

    for (size_t i = 0; i < 2 * SIZES; i++) {
        pdict_slice value = value_for(pair->serializer, sizes[i / 2], i % 2);

        CHECK_OK(pdict_get(d, key_of(i, i % 2), &view));
        CHECK_BYTES(view.data, view.size, value.data, value.size);
        pdict_view_release(&view);
    }
    CHECK_STATUS(pdict_get(d, pdict_str("gone"), &view), PDICT_NOTFOUND);
    CHECK_INT(count_of(d), 2 * SIZES);
}

/* The words shrink by far more than records have of their own. */
static void check_shrinks(pdict *d, const struct pair *pair)
{
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_OK(pdict_stats_get(d, PDICT_STATS_SIZES, &stats));
    CHECK(*pair->compressor ? stats.stored_bytes < stats.logical_bytes
                            : stats.stored_bytes > stats.logical_bytes);
}

static void verify_store(const char *backend, uint64_t maps)
{
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_options clocked = test_options(false);
    pdict_store *store;
    char uri[1024];

    snprintf(uri, sizeof(uri), "%s:%s", backend, test_path("a.store"));
    options.key = test_key;
    CHECK_OK(pdict_store_open(uri, &clocked, &store));
    CHECK_OK(pdict_verify(store, &options, &result));
    CHECK_INT(result.maps, maps);
    CHECK_INT(result.records, maps * 2 * SIZES);
    CHECK_INT(result.findings, 0);
    CHECK_INT(result.unproven, 0);
    pdict_store_close(store);
}

/* ---- all of them ---- */

typedef void (*pair_fn)(pdict *d, const struct pair *pair);

/* What a codec makes of a value does not depend on the engine: where all is slow all pairs come in
 * memory, and of the others every fifth, which meets each codec. */
static size_t step_of(const char *backend)
{
    return TEST_IS_SLOW && strcmp(backend, "memory") != 0 ? 5 : 1;
}

/* Returns how many there were. */
static size_t for_each_pair(const char *backend, pair_fn fn)
{
    struct names serializers = names_of(PDICT_INFO_SERIALIZER, false);
    struct names compressors = names_of(PDICT_INFO_COMPRESSOR, true);
    struct names ciphers = names_of(PDICT_INFO_CIPHER, true);
    size_t count = serializers.count * compressors.count * ciphers.count, done = 0;

    for (size_t i = 0; i < count; i += step_of(backend), done++) {
        struct pair pair = {
            serializers.at[i % serializers.count],
            compressors.at[i / serializers.count % compressors.count],
            ciphers.at[i / serializers.count / compressors.count],
        };
        pdict *d = open_pair(backend, &pair);

        fprintf(stderr, "%s with %s\n", backend, codecs_of(&pair));
        fn(d, &pair);
        pdict_close(d);
    }
    return done;
}

static void every_pair(const char *backend)
{
    static const struct pair plain = { "raw", "", "" };
    pdict *held;
    size_t maps;

    if (!pdict_backend_find(backend))
        SKIP("this build lacks the backend");
    held = open_pair(backend, &plain);
    maps = for_each_pair(backend, put_values);
    if (strcmp(backend, "memory") != 0) {
        pdict_close(held); /* what is read below comes from the files */
        held = NULL;
    }
    for_each_pair(backend, check_values);
    for_each_pair(backend, check_shrinks);
    verify_store(backend, maps);
    pdict_close(held);
}

TEST(pairs, every_pair_of_codecs_gives_its_values_back_in_memory)
{
    every_pair("memory");
}

TEST(pairs, every_pair_of_codecs_gives_its_values_back_from_sqlite)
{
    every_pair("sqlite");
}

TEST(pairs, every_pair_of_codecs_gives_its_values_back_from_lmdb)
{
    every_pair("lmdb");
}
