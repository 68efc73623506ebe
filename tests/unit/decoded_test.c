/* SPDX-License-Identifier: MIT */
/* The promises about objects in the cache: decoded once for each version, shared, freed once. */
#include <pdict/object.h>
#include <pdict/recode.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "maps.h"
#include "process_fixture.h"

/* ---- objects that are counted ---- */

struct word {
    char *text; /* malloc */
};

static atomic_int n_unpacked, n_destroyed;

static int pack_word(const void *object, pdict_tree *tree, pdict_value **out)
{
    *out = pdict_tree_text(tree, ((const struct word *)object)->text);
    return PDICT_OK;
}

static int unpack_word(const pdict_value *value, pdict_tree *tree, void *object)
{
    (void)tree;
    if (!pdict_value_text(value))
        return pdict_fail(PDICT_INVAL, "word: no text");
    ((struct word *)object)->text = strdup(pdict_value_text(value));
    n_unpacked++;
    return PDICT_OK;
}

static void destroy_word(void *object)
{
    free(((struct word *)object)->text);
    n_destroyed++;
}

static const pdict_type word_type =
    PDICT_TYPE_CUSTOM(struct word, pack_word, unpack_word, destroy_word);

/* The same by another name. */
static const pdict_type other_type = {
    sizeof(pdict_type), sizeof(struct word) + 8, NULL, NULL, pack_word, unpack_word, destroy_word,
};

static pdict *open_map(const char *options)
{
    pdict_options how = test_options(strstr(options, "xchacha20") != NULL);
    char uri[200];
    pdict *d;

    snprintf(uri, sizeof(uri), "memory:decoded?codecs=%s", options);
    CHECK_OK(pdict_open(uri, &how, &d));
    return d;
}

static void put_word(pdict *d, const char *key, const char *text)
{
    struct word word = { (char *)text };

    CHECK_OK(pdict_put_object(d, pdict_str(key), &word_type, &word, NULL));
}

static const struct word *get_word(pdict *d, const char *key, pdict_view *view)
{
    CHECK_OK(pdict_get_object(d, pdict_str(key), &word_type, view));
    return view->data;
}

static void check_word(pdict *d, const char *key, const char *text)
{
    pdict_view view;

    CHECK_STR(get_word(d, key, &view)->text, text);
    pdict_view_release(&view);
}

static pdict_stats stats_of(pdict *d)
{
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_OK(pdict_stats_get(d, 0, &stats));
    return stats;
}

/* ---- once ---- */

TEST(decoded, object_is_decoded_once_for_each_version)
{
    pdict *d = open_map("cbor,zstd:3");

    put_word(d, "k", "one");
    for (int i = 0; i < 10; i++)
        check_word(d, "k", "one");
    CHECK_INT(n_unpacked, 1);
    put_word(d, "k", "two");
    for (int i = 0; i < 10; i++)
        check_word(d, "k", "two");
    CHECK_INT(n_unpacked, 2);
    pdict_close(d);
    CHECK_INT(n_destroyed, 2);
}

TEST(decoded, views_of_one_version_share_the_object)
{
    pdict *d = open_map("json");
    pdict_view first, second, third, value, again;

    put_word(d, "k", "one");
    get_word(d, "k", &first);
    get_word(d, "k", &second);
    CHECK(first.data == second.data);
    CHECK_INT(first.version, second.version);
    CHECK_OK(pdict_get_value(d, pdict_str("k"), &value));
    CHECK_OK(pdict_get_value(d, pdict_str("k"), &again));
    CHECK(value.data == again.data);
    put_word(d, "k", "two");
    get_word(d, "k", &third);
    CHECK(third.data != first.data);
    CHECK_STR(((const struct word *)first.data)->text, "one");
    pdict_view_release(&first);
    pdict_view_release(&second);
    pdict_view_release(&third);
    pdict_view_release(&value);
    pdict_view_release(&again);
    pdict_close(d);
}

TEST(decoded, types_of_one_key_are_decoded_once_each)
{
    pdict *d = open_map("cbor");
    pdict_view view;

    put_word(d, "k", "one");
    for (int i = 0; i < 5; i++) {
        check_word(d, "k", "one");
        CHECK_OK(pdict_get_object(d, pdict_str("k"), &other_type, &view));
        CHECK_INT(view.size, sizeof(struct word) + 8);
        pdict_view_release(&view);
        CHECK_OK(pdict_get_value(d, pdict_str("k"), &view));
        CHECK_STR(pdict_value_text(pdict_view_value(&view)), "one");
        pdict_view_release(&view);
        check_value(d, "k", "\x63one");
    }
    CHECK_INT(n_unpacked, 2);
    pdict_close(d);
    CHECK_INT(n_destroyed, 2);
}

TEST(decoded, object_that_does_not_fit_its_type_is_asked_for_again_each_time)
{
    pdict *d = open_map("cbor");
    pdict_tree *tree;
    pdict_view view;

    CHECK_OK(pdict_tree_new(NULL, &tree));
    CHECK_OK(pdict_put_value(d, pdict_str("k"), pdict_tree_int(tree, 5), NULL));
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(pdict_get_object(d, pdict_str("k"), &word_type, &view), PDICT_INVAL);
        CHECK(!view.data && !view.pin);
    }
    CHECK_INT(n_destroyed, 0);
    pdict_tree_free(tree);
    pdict_close(d);
}

/* ---- its life ---- */

TEST(decoded, object_outlives_its_key_the_cache_and_the_map_as_long_as_a_view)
{
    pdict *d = open_map("cbor");
    pdict_view views[3];

    put_word(d, "k", "one");
    for (int i = 0; i < 3; i++)
        get_word(d, "k", &views[i]);
    CHECK_OK(pdict_del(d, pdict_str("k")));
    CHECK_OK(pdict_clear_cache(d));
    pdict_view_release(&views[0]);
    CHECK_OK(pdict_clear_cache(d));
    CHECK_STR(((const struct word *)views[1].data)->text, "one");
    pdict_close(d);
    CHECK_STR(((const struct word *)views[1].data)->text, "one");
    pdict_view_release(&views[1]);
    CHECK_INT(n_destroyed, 0);
    pdict_view_release(&views[2]);
    CHECK_INT(n_destroyed, 1);
    CHECK_INT(n_unpacked, 1);
}

TEST(decoded, expired_object_is_absent)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    struct word word = { (char *)"one" };
    pdict *d = open_map("cbor");
    pdict_view view;

    how.ttl_ms = 1000;
    CHECK_OK(pdict_put_object(d, pdict_str("k"), &word_type, &word, &how));
    check_word(d, "k", "one");
    check_word(d, "k", "one");
    CHECK_INT(n_unpacked, 1);
    test_now_ms += 1000;
    CHECK_STATUS(pdict_get_object(d, pdict_str("k"), &word_type, &view), PDICT_NOTFOUND);
    pdict_close(d);
}

TEST(decoded, maps_that_let_entries_go_unused_keep_theirs)
{
    pdict *d = open_map("cbor&idle=1h");
    pdict_view view;

    put_word(d, "k", "one");
    for (int i = 0; i < 4; i++) {
        check_word(d, "k", "one");
        test_now_ms += 600000;
    }
    test_now_ms += 3600000;
    CHECK_STATUS(pdict_get_object(d, pdict_str("k"), &word_type, &view), PDICT_NOTFOUND);
    pdict_close(d);
    CHECK_INT(n_destroyed, n_unpacked);
}

/* ---- the budget ---- */

TEST(decoded, objects_count_against_the_budget_and_go_with_their_entries)
{
    enum {
        BUDGET = 1 << 20
    };
    pdict *d = open_map("cbor&cache=1MiB");
    char key[16];

    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put_word(d, key, key);
        check_word(d, key, key);
        CHECK(stats_of(d).cache_bytes <= BUDGET);
    }
    /* Each takes a kilobyte at least. */
    CHECK(n_destroyed > 3000 - BUDGET / 1024 - 300);
    CHECK(stats_of(d).cache_entries < 1200);
    pdict_close(d);
    CHECK_INT(n_destroyed, 3000);
}

TEST(decoded, what_objects_took_is_given_back)
{
    pdict *d = open_map("cbor");
    uint64_t empty = 0, full;
    char key[16];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            snprintf(key, sizeof(key), "%d", i);
            put_word(d, key, key);
        }
        full = stats_of(d).cache_bytes;
        for (int i = 0; i < 200; i++) {
            snprintf(key, sizeof(key), "%d", i);
            check_word(d, key, key);
        }
        CHECK(stats_of(d).cache_bytes > full + 200 * 1024);
        CHECK_OK(pdict_clear_cache(d));
        CHECK_INT(stats_of(d).cache_entries, 0);
        if (round > 0)
            CHECK_INT(stats_of(d).cache_bytes, empty);
        empty = stats_of(d).cache_bytes;
    }
    pdict_close(d);
}

TEST(decoded, object_too_large_for_the_cache_is_the_views_own)
{
    /* An eighth of the budget: the first has room for its bytes alone, the second not even so. */
    static const size_t sizes[] = { (128 << 10) - 500, 140 << 10 };
    pdict *d = open_map("cbor&cache=1MiB");

    for (int i = 0; i < 6; i++) {
        size_t size = sizes[i / 3];
        char *text = test_alloc(size + 1);

        memset(text, 'x', size);
        text[size] = '\0';
        if (i % 3 == 0)
            put_word(d, "k", text);
        check_word(d, "k", text);
        CHECK_INT(n_unpacked, i + 1);
        CHECK_INT(n_destroyed, i + 1);
    }
    pdict_close(d);
}

TEST(decoded, sealed_cache_holds_no_object)
{
    pdict *d = open_map("cbor,xchacha20&cache=sealed");

    put_word(d, "k", "one");
    check_word(d, "k", "one");
    check_word(d, "k", "one");
    CHECK_INT(n_unpacked, 2);
    CHECK_INT(n_destroyed, 2);
    pdict_close(d);
}

TEST(decoded, without_a_cache_each_view_has_its_own)
{
    pdict *d = open_map("cbor&cache=off");

    put_word(d, "k", "one");
    check_word(d, "k", "one");
    check_word(d, "k", "one");
    CHECK_INT(n_destroyed, 2);
    pdict_close(d);
}

/* ---- beside others ---- */

#define KEYS   8
#define ROUNDS (TEST_IS_SLOW ? 300 : 3000)

static atomic_bool is_over;

/* The text is "KEY ROUND"; rounds only grow. */
static void *read_words(void *ctx)
{
    pdict *d = ctx;
    int last[KEYS] = { 0 };

    while (!is_over) {
        for (int i = 0; i < KEYS; i++) {
            char key[16];
            pdict_view view;
            int number, round;

            snprintf(key, sizeof(key), "%d", i);
            CHECK_INT(sscanf(get_word(d, key, &view)->text, "%d %d", &number, &round), 2);
            CHECK_INT(number, i);
            CHECK(round >= last[i]);
            last[i] = round;
            pdict_view_release(&view);
        }
    }
    return NULL;
}

static void write_words(pdict *d)
{
    char key[16], text[32];

    for (int round = 0; round < ROUNDS; round++) {
        int i = round * 7 % KEYS;

        snprintf(key, sizeof(key), "%d", i);
        snprintf(text, sizeof(text), "%d %d", i, round);
        put_word(d, key, text);
        if (round % 64 == 0)
            CHECK_OK(pdict_clear_cache(d));
    }
}

TEST(decoded, threads_share_objects_while_others_write)
{
    pdict *d = open_map("cbor&cache=1MiB");
    pthread_t threads[3];
    char key[16], text[32];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "%d", i);
        snprintf(text, sizeof(text), "%d 0", i);
        put_word(d, key, text);
    }
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, read_words, d) == 0);
    write_words(d);
    is_over = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    pdict_close(d);
    CHECK_INT(n_destroyed, n_unpacked);
}

/* ---- another serializer, by another process ---- */

static const char *store_uri(const char *path)
{
    char *uri = test_alloc(300);

    snprintf(uri, 300, "sqlite:%s", path);
    return uri;
}

static void recode_to_json(struct child *child, const char *path)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict *d;

    step_done(child);
    CHECK_OK(pdict_open(store_uri(path), NULL, &d));
    options.codecs = "json";
    CHECK_OK(pdict_recode(d, &options, NULL));
    pdict_close(d);
    step_done(child);
}

/* A map of cbor, which the child gives json in its next step. */
static pdict *open_beside(struct child *child)
{
    const char *path = test_path("a.db");
    char uri[300];
    pdict *d;

    *child = start(recode_to_json, path);
    await_step(child);
    snprintf(uri, sizeof(uri), "%s?codecs=cbor", store_uri(path));
    CHECK_OK(pdict_open(uri, NULL, &d));
    put_word(d, "value", "one");
    return d;
}

static void close_beside(pdict *d, struct child *child)
{
    next_step(child);
    finish(child);
    pdict_close(d);
}

TEST(decoded, cached_value_is_not_taken_for_one_of_another_serializer)
{
    struct child child;
    pdict *d = open_beside(&child);

    put_word(d, "object", "one");
    check_value(d, "value", "\x63one");
    check_word(d, "object", "one");
    next_step(&child);
    await_step(&child);
    check_word(d, "object", "one");
    check_value(d, "value", "\"one\"");
    check_value(d, "object", "\"one\"");
    close_beside(d, &child);
}

TEST(decoded, first_read_after_a_recode_elsewhere_is_of_the_new_serializer)
{
    struct child child;
    pdict *d = open_beside(&child);

    check_value(d, "value", "\x63one");
    next_step(&child);
    await_step(&child);
    check_value(d, "value", "\"one\"");
    close_beside(d, &child);
}

/* ---- reading in place ---- */

static int count_bytes(void *ctx, const pdict_view *view)
{
    CHECK(view->pin == NULL);
    *(size_t *)ctx += view->size;
    return 7;
}

static void check_get_with(const char *options, uint64_t hits)
{
    pdict *d = open_map(options);
    size_t bytes = 0;

    put(d, "k", "value");
    CHECK_OK(pdict_clear_cache(d));
    for (int i = 0; i < 3; i++)
        CHECK_INT(pdict_get_with(d, pdict_str("k"), count_bytes, &bytes), 7);
    CHECK_INT(bytes, 15);
    CHECK_INT(stats_of(d).cache_hits, hits);
    check_value(d, "k", "value");
    CHECK_INT(pdict_get_with(d, pdict_str("k"), count_bytes, &bytes), 7);
    CHECK_INT(pdict_get_with(d, pdict_str("none"), count_bytes, &bytes), PDICT_NOTFOUND);
    CHECK_INT(bytes, 20);
    pdict_close(d);
}

TEST(decoded, get_with_is_shown_what_is_cached)
{
    /* Plain values are read where they lie, and not cached for it. */
    check_get_with("raw", 0);
    check_get_with("raw,zlib", 2);
    check_get_with("raw,xchacha20", 2);
    check_get_with("raw,xchacha20&cache=sealed", 0);
}
