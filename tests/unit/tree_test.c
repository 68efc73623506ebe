/* SPDX-License-Identifier: MIT */
/* The promises of value.h: building, the first failure that stays, limits, reading, paths. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <pdict/value.h>

#include "test.h"

static pdict_tree *new_tree(void)
{
    pdict_tree *tree;

    CHECK_OK(pdict_tree_new(NULL, &tree));
    return tree;
}

static pdict_value *sample(pdict_tree *tree)
{
    pdict_value *user = pdict_tree_map(tree), *address = pdict_tree_map(tree);
    pdict_value *tags = pdict_tree_array(tree);

    pdict_value_set(user, "name", pdict_tree_text(tree, "Ada"));
    pdict_value_set(user, "born", pdict_tree_int(tree, 1815));
    pdict_value_set(address, "city", pdict_tree_text(tree, "London"));
    pdict_value_set(user, "address", address);
    pdict_value_append(tags, pdict_tree_text(tree, "math"));
    pdict_value_append(tags, pdict_tree_text(tree, "engine"));
    pdict_value_set(user, "tags", tags);
    CHECK_OK(pdict_tree_status(tree));
    return user;
}

TEST(tree, path_reaches_members_and_items)
{
    pdict_tree *tree = new_tree();
    const pdict_value *user = sample(tree);

    CHECK_STR(pdict_value_text(pdict_value_at(user, "address.city")), "London");
    CHECK_STR(pdict_value_text(pdict_value_at(user, "tags.1")), "engine");
    CHECK_INT(pdict_value_int(pdict_value_at(user, "born"), 0), 1815);
    pdict_tree_free(tree);
}

TEST(tree, path_to_what_is_not_there_is_null)
{
    static const char *const paths[] = { "",        "x",       "address.x", "tags.2",
                                         "tags.01", "tags.",   "tags.0.x",  "born.x",
                                         ".name",   "tags.-1", "name.0",    "tags.9999999999" };
    pdict_tree *tree = new_tree();
    const pdict_value *user = sample(tree);

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        CHECK(pdict_value_at(user, paths[i]) == NULL);
    CHECK(pdict_value_at(NULL, "name") == NULL);
    pdict_tree_free(tree);
}

TEST(tree, readers_of_nothing_answer_their_fallback)
{
    CHECK_INT(pdict_value_type(NULL), PDICT_VALUE_NONE);
    CHECK_INT(pdict_value_int(NULL, -7), -7);
    CHECK(pdict_value_bool(NULL, true));
    CHECK(pdict_value_double(NULL, 2.5) == 2.5);
    CHECK(pdict_value_text(NULL) == NULL);
    CHECK(pdict_value_bytes(NULL).data == NULL);
    CHECK_INT(pdict_value_count(NULL), 0);
    CHECK(pdict_value_key(NULL, 0, NULL) == NULL);
    CHECK(pdict_value_get(NULL, "x") == NULL);
}

TEST(tree, integers_are_never_rounded_or_wrapped)
{
    pdict_tree *tree = new_tree();
    const pdict_value *large = pdict_tree_uint(tree, UINT64_MAX);
    const pdict_value *small = pdict_tree_uint(tree, INT64_MAX);
    const pdict_value *negative = pdict_tree_int(tree, INT64_MIN);

    CHECK_INT(pdict_value_type(large), PDICT_VALUE_UINT);
    CHECK(pdict_value_uint(large, 0) == UINT64_MAX);
    CHECK_INT(pdict_value_int(large, -1), -1);
    CHECK_INT(pdict_value_type(small), PDICT_VALUE_INT);
    CHECK_INT(pdict_value_int(small, 0), INT64_MAX);
    CHECK_INT(pdict_value_int(negative, 0), INT64_MIN);
    CHECK(pdict_value_uint(negative, 3) == 3);
    CHECK_INT(pdict_value_int(pdict_tree_double(tree, 3.0), -1), -1);
    pdict_tree_free(tree);
}

TEST(tree, setting_a_key_again_replaces_its_value)
{
    pdict_tree *tree = new_tree();
    pdict_value *map = pdict_tree_map(tree);

    pdict_value_set(map, "a", pdict_tree_int(tree, 1));
    pdict_value_set(map, "b", pdict_tree_int(tree, 2));
    pdict_value_set(map, "a", pdict_tree_int(tree, 3));
    CHECK_INT(pdict_value_count(map), 2);
    CHECK_INT(pdict_value_int(pdict_value_get(map, "a"), 0), 3);
    CHECK_STR(pdict_value_key(map, 0, NULL), "a");
    pdict_tree_free(tree);
}

TEST(tree, large_map_finds_every_key_in_the_order_they_were_set)
{
    enum {
        MANY = 20000
    };
    pdict_tree *tree = new_tree();
    pdict_value *map = pdict_tree_map(tree);
    char key[16];

    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%d", i * 7919 % MANY);
        pdict_value_set(map, key, pdict_tree_int(tree, i));
    }
    CHECK_OK(pdict_tree_status(tree));
    CHECK_INT(pdict_value_count(map), MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%d", i * 7919 % MANY);
        CHECK_INT(pdict_value_int(pdict_value_get(map, key), -1), i);
        CHECK_STR(pdict_value_key(map, (size_t)i, NULL), key);
    }
    CHECK(pdict_value_get(map, "x") == NULL);
    pdict_tree_free(tree);
}

TEST(tree, empty_keys_and_texts_and_zero_bytes_are_kept)
{
    pdict_tree *tree = new_tree();
    pdict_value *map = pdict_tree_map(tree);
    pdict_slice bytes;
    size_t size;

    pdict_value_set(map, "", pdict_tree_text(tree, ""));
    pdict_value_set_n(map, "a\0b", 3, pdict_tree_bytes(tree, "\0\1", 2));
    CHECK_STR(pdict_value_text(pdict_value_get(map, "")), "");
    CHECK_BYTES(pdict_value_key(map, 1, &size), 3, "a\0b", 3);
    CHECK_INT(size, 3);
    bytes = pdict_value_bytes(pdict_value_get_n(map, "a\0b", 3));
    CHECK_BYTES(bytes.data, bytes.size, "\0\1", 2);
    CHECK(pdict_value_get(map, "a") == NULL);
    pdict_tree_free(tree);
}

TEST(tree, first_failure_stays_and_all_after_it_is_null)
{
    pdict_tree *tree = new_tree();
    pdict_value *map = pdict_tree_map(tree);

    CHECK(pdict_tree_text(tree, "\xC3") == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_INVAL);
    CHECK(strstr(pdict_error_text(), "UTF-8") != NULL);
    CHECK(pdict_tree_int(tree, 1) == NULL);
    CHECK(pdict_value_set(map, "a", NULL) == NULL);
    CHECK(pdict_tree_alloc(tree, 8) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_INVAL);
    pdict_tree_free(tree);
}

TEST(tree, keys_are_utf8_too)
{
    pdict_tree *tree = new_tree();

    CHECK(pdict_value_set(pdict_tree_map(tree), "\xFF", pdict_tree_null(tree)) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_INVAL);
    pdict_tree_free(tree);
}

TEST(tree, value_in_two_places_is_misuse)
{
    pdict_tree *tree = new_tree();
    pdict_value *array = pdict_tree_array(tree), *item = pdict_tree_int(tree, 1);

    CHECK(pdict_value_append(array, item) == item);
    CHECK(pdict_value_append(array, item) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_MISUSE);
    CHECK_INT(pdict_value_count(array), 1);
    pdict_tree_free(tree);
}

TEST(tree, value_inside_itself_is_misuse)
{
    pdict_tree *tree = new_tree();
    pdict_value *outer = pdict_tree_array(tree), *inner = pdict_tree_array(tree);

    CHECK(pdict_value_append(outer, inner) == inner);
    CHECK(pdict_value_append(inner, outer) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_MISUSE);
    pdict_tree_free(tree);
}

TEST(tree, value_of_another_tree_is_misuse)
{
    pdict_tree *tree = new_tree(), *other = new_tree();

    CHECK(pdict_value_append(pdict_tree_array(tree), pdict_tree_int(other, 1)) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_MISUSE);
    pdict_tree_free(tree);
    pdict_tree_free(other);
}

TEST(tree, member_of_an_array_and_item_of_a_map_are_refused)
{
    pdict_tree *tree = new_tree(), *other = new_tree();

    CHECK(pdict_value_set(pdict_tree_array(tree), "a", pdict_tree_null(tree)) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_INVAL);
    CHECK(pdict_value_append(pdict_tree_map(other), pdict_tree_null(other)) == NULL);
    CHECK_STATUS(pdict_tree_status(other), PDICT_INVAL);
    pdict_tree_free(tree);
    pdict_tree_free(other);
}

/* Whether it is built from the root or from the leaves. */
static int status_of_depth(int levels, bool is_from_the_leaves)
{
    pdict_tree *tree = new_tree();
    pdict_value *at = pdict_tree_array(tree);
    int status;

    for (int i = 1; i < levels; i++) {
        pdict_value *next = pdict_tree_array(tree);

        pdict_value_append(is_from_the_leaves ? next : at, is_from_the_leaves ? at : next);
        at = next;
    }
    status = pdict_tree_status(tree);
    pdict_tree_free(tree);
    return status;
}

TEST(tree, sixty_four_levels_are_the_most)
{
    CHECK_STATUS(status_of_depth(64, false), PDICT_OK);
    CHECK_STATUS(status_of_depth(65, false), PDICT_TOO_BIG);
    CHECK_STATUS(status_of_depth(64, true), PDICT_OK);
    CHECK_STATUS(status_of_depth(65, true), PDICT_TOO_BIG);
}

TEST(tree, a_million_values_are_the_most)
{
    pdict_tree *tree = new_tree();
    pdict_value *array = pdict_tree_array(tree);

    for (unsigned i = 1; i < PDICT_VALUE_COUNT; i++)
        pdict_value_append(array, pdict_tree_int(tree, i));
    CHECK_OK(pdict_tree_status(tree));
    CHECK(pdict_tree_null(tree) == NULL);
    CHECK_STATUS(pdict_tree_status(tree), PDICT_TOO_BIG);
    pdict_tree_free(tree);
}

TEST(tree, equal_looks_at_types_and_contents_and_not_at_the_order_of_members)
{
    pdict_tree *tree = new_tree();
    pdict_value *a = pdict_tree_map(tree), *b = pdict_tree_map(tree);

    pdict_value_set(a, "x", pdict_tree_double(tree, NAN));
    pdict_value_set(a, "y", pdict_tree_bytes(tree, "z", 1));
    pdict_value_set(b, "y", pdict_tree_bytes(tree, "z", 1));
    pdict_value_set(b, "x", pdict_tree_double(tree, -NAN));
    CHECK(pdict_value_equal(a, b));
    CHECK(!pdict_value_equal(pdict_tree_int(tree, 1), pdict_tree_double(tree, 1)));
    CHECK(!pdict_value_equal(pdict_tree_text(tree, "z"), pdict_tree_bytes(tree, "z", 1)));
    CHECK(!pdict_value_equal(pdict_tree_double(tree, 0.0), pdict_tree_double(tree, -0.0)));
    pdict_value_set(b, "w", pdict_tree_null(tree));
    CHECK(!pdict_value_equal(a, b));
    pdict_tree_free(tree);
}

/* ---- memory ---- */

static long live, calls, fail_at;

static void *allocate(void *ctx, size_t size)
{
    (void)ctx;
    if (++calls == fail_at)
        return NULL;
    live++;
    return malloc(size);
}

static void *reallocate(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    (void)memory;
    (void)size;
    return NULL;
}

static void release(void *ctx, void *memory)
{
    (void)ctx;
    live -= memory != NULL;
    free(memory);
}

static int build_large(const pdict_allocator *allocator)
{
    pdict_tree *tree;
    pdict_value *map;
    char key[16];
    int status = pdict_tree_new(allocator, &tree);

    if (status != PDICT_OK)
        return status;
    map = pdict_tree_map(tree);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        pdict_value_set(map, key, pdict_tree_text(tree, "some text"));
    }
    status = pdict_tree_status(tree);
    pdict_tree_free(tree);
    return status;
}

TEST(tree, each_failing_allocation_is_told_and_nothing_leaks)
{
    pdict_allocator allocator = { allocate, reallocate, release, NULL };
    int status = PDICT_NOMEM;

    for (fail_at = 1; status != PDICT_OK; fail_at++) {
        calls = 0;
        status = build_large(&allocator);
        CHECK(status == PDICT_OK || status == PDICT_NOMEM);
        CHECK_INT(live, 0);
    }
    CHECK(fail_at > 10);
}

TEST(tree, small_record_takes_one_allocation)
{
    pdict_allocator allocator = { allocate, reallocate, release, NULL };
    pdict_tree *tree;

    fail_at = calls = 0;
    CHECK_OK(pdict_tree_new(&allocator, &tree));
    pdict_value_set(pdict_tree_map(tree), "name", pdict_tree_text(tree, "Ada"));
    CHECK_OK(pdict_tree_status(tree));
    CHECK_INT(calls, 1);
    pdict_tree_free(tree);
}
