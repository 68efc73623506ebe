/* SPDX-License-Identifier: MIT */
/* The promises of object.h: typed values and structs through maps of every serializer. */
#include <stdio.h>
#include <stdlib.h>

#include <pdict/object.h>

#include "test.h"

static pdict *d;
static pdict_tree *tree;

static void open_map(const char *codecs)
{
    char uri[128];

    snprintf(uri, sizeof(uri), "memory:objects?codecs=%s", codecs);
    CHECK_OK(pdict_open(uri, NULL, &d));
    CHECK_OK(pdict_tree_new(NULL, &tree));
}

static void close_map(void)
{
    pdict_tree_free(tree);
    pdict_close(d);
}

#define KEY pdict_str("key")

/* ---- values ---- */

TEST(values, what_was_put_is_got)
{
    pdict_value *map;
    pdict_view view;

    open_map("cbor");
    map = pdict_tree_map(tree);
    pdict_value_set(map, "name", pdict_tree_text(tree, "Ada"));
    CHECK_OK(pdict_put_value(d, KEY, map, NULL));
    CHECK_OK(pdict_get_value(d, KEY, &view));
    CHECK(pdict_value_equal(pdict_view_value(&view), map));
    CHECK(view.version != 0 && view.created_ms != 0);
    pdict_view_release(&view);
    close_map();
}

TEST(values, view_outlives_its_key_and_its_map)
{
    pdict_view view;

    open_map("json");
    CHECK_OK(pdict_put_value(d, KEY, pdict_tree_text(tree, "kept"), NULL));
    CHECK_OK(pdict_get_value(d, KEY, &view));
    CHECK_OK(pdict_del(d, KEY));
    close_map();
    CHECK_STR(pdict_value_text(pdict_view_value(&view)), "kept");
    pdict_view_release(&view);
    pdict_view_release(&view);
}

TEST(values, null_value_and_failed_tree_are_invalid)
{
    open_map("cbor");
    CHECK_STATUS(pdict_put_value(d, KEY, NULL, NULL), PDICT_INVAL);
    CHECK_STATUS(pdict_put_value(d, KEY, pdict_tree_text(tree, "\xFF"), NULL), PDICT_INVAL);
    close_map();
}

TEST(values, what_the_serializer_has_not_is_invalid_and_nothing_is_put)
{
    bool is_there;

    open_map("json");
    CHECK_STATUS(pdict_put_value(d, KEY, pdict_tree_bytes(tree, "x", 1), NULL), PDICT_INVAL);
    CHECK_OK(pdict_contains(d, KEY, &is_there));
    CHECK(!is_there);
    close_map();
}

TEST(values, raw_and_str_maps_have_bytes_and_text)
{
    pdict_view view;

    open_map("str");
    CHECK_OK(pdict_put(d, KEY, pdict_str("text"), NULL));
    CHECK_OK(pdict_get_value(d, KEY, &view));
    CHECK_STR(pdict_value_text(pdict_view_value(&view)), "text");
    pdict_view_release(&view);
    close_map();
}

TEST(values, bytes_that_are_no_cbor_are_refused_by_a_put)
{
    open_map("cbor");
    CHECK_STATUS(pdict_put(d, KEY, pdict_str("text"), NULL), PDICT_INVAL);
    close_map();
}

TEST(values, value_over_max_value_is_too_big)
{
    static char text[5000];

    open_map("cbor&max_value=4KiB");
    memset(text, 'x', sizeof(text) - 1);
    CHECK_STATUS(pdict_put_value(d, KEY, pdict_tree_text(tree, text), NULL), PDICT_TOO_BIG);
    close_map();
}

TEST(values, large_values_and_small_ones_take_turns)
{
    size_t size = 100000;
    char *text = test_alloc(size + 1);
    pdict_view view;

    open_map("cbor");
    memset(text, 'x', size);
    text[size] = '\0';
    for (int i = 0; i < 4; i++) {
        const char *value = i % 2 ? "small" : text;

        CHECK_OK(pdict_put_value(d, KEY, pdict_tree_text(tree, value), NULL));
        CHECK_OK(pdict_get_value(d, KEY, &view));
        CHECK_STR(pdict_value_text(pdict_view_value(&view)), value);
        pdict_view_release(&view);
    }
    close_map();
}

TEST(values, bytes_are_encoded_and_decoded_without_a_key)
{
    pdict_value *value, *back;
    pdict_slice bytes;

    open_map("cbor");
    value = pdict_tree_int(tree, 24);
    CHECK_OK(pdict_value_encode(d, value, tree, &bytes));
    CHECK_BYTES(bytes.data, bytes.size, "\x18\x18", 2);
    CHECK_OK(pdict_value_decode(d, bytes, tree, &back));
    CHECK(pdict_value_equal(value, back));
    CHECK_STATUS(pdict_value_decode(d, pdict_str("\xFF"), tree, &back), PDICT_FORMAT);
    CHECK(back == NULL);
    close_map();
}

TEST(values, absent_key_zeroes_the_view)
{
    pdict_view view = { .size = 7 };

    open_map("cbor");
    CHECK_STATUS(pdict_get_value(d, KEY, &view), PDICT_NOTFOUND);
    CHECK(view.data == NULL && view.size == 0);
    close_map();
}

/* ---- structs ---- */

struct place {
    char city[12];
    double lat;
};

static const pdict_field place_fields[] = {
    PDICT_FIELD(struct place, city, PDICT_CHARS),
    PDICT_FIELD(struct place, lat, PDICT_DOUBLE),
    PDICT_FIELD_END,
};

struct user {
    const char *name;
    int8_t small;
    uint64_t large;
    bool is_active;
    float ratio;
    pdict_slice photo;
    struct place home;
    bool has_age;
    int32_t age;
    const int16_t *scores;
    size_t n_scores;
    const struct place *trips;
    size_t n_trips;
    const char *const *tags;
    size_t n_tags;
};

static const pdict_field user_fields[] = {
    PDICT_FIELD(struct user, name, PDICT_STRING),
    PDICT_FIELD(struct user, small, PDICT_INT8),
    PDICT_FIELD(struct user, large, PDICT_UINT64),
    PDICT_FIELD(struct user, is_active, PDICT_BOOL),
    PDICT_FIELD(struct user, ratio, PDICT_FLOAT),
    PDICT_FIELD(struct user, photo, PDICT_BLOB),
    PDICT_FIELD_STRUCT(struct user, home, place_fields),
    PDICT_FIELD_OPTIONAL(struct user, age, has_age, PDICT_INT32),
    PDICT_FIELD_ARRAY(struct user, scores, n_scores, PDICT_INT16),
    PDICT_FIELD_STRUCTS(struct user, trips, n_trips, place_fields),
    PDICT_FIELD_ARRAY(struct user, tags, n_tags, PDICT_STRING),
    PDICT_FIELD_END,
};

static const pdict_type user_type = PDICT_TYPE(struct user, user_fields);

static const int16_t scores[] = { -1, 2, 300 };
static const struct place trips[] = { { "Paris", 48.85 }, { "Turin", 45.07 } };
static const char *const tags[] = { "a", NULL, "c" };

static const struct user ada = {
    .name = "Ada",
    .small = -128,
    .large = UINT64_MAX,
    .is_active = true,
    .ratio = 0.1f,
    .photo = { "\0\1\2", 3 },
    .home = { "London", 51.5 },
    .has_age = true,
    .age = 36,
    .scores = scores,
    .n_scores = 3,
    .trips = trips,
    .n_trips = 2,
    .tags = tags,
    .n_tags = 3,
};

TEST(objects, struct_comes_back_with_all_that_is_in_it)
{
    const struct user *back;
    pdict_view view;

    open_map("cbor,zstd:3");
    CHECK_OK(pdict_put_object(d, KEY, &user_type, &ada, NULL));
    CHECK_OK(pdict_get_object(d, KEY, &user_type, &view));
    CHECK_INT(view.size, sizeof(struct user));
    back = view.data;
    CHECK_STR(back->name, "Ada");
    CHECK_INT(back->small, -128);
    CHECK(back->large == UINT64_MAX && back->is_active && back->ratio == 0.1f);
    CHECK_BYTES(back->photo.data, back->photo.size, "\0\1\2", 3);
    CHECK_STR(back->home.city, "London");
    CHECK(back->home.lat == 51.5 && back->has_age && back->age == 36);
    CHECK_INT(back->n_scores, 3);
    CHECK_INT(back->scores[2], 300);
    CHECK_INT(back->n_trips, 2);
    CHECK_STR(back->trips[1].city, "Turin");
    CHECK_STR(back->tags[2], "c");
    CHECK(back->tags[1] == NULL);
    pdict_view_release(&view);
    close_map();
}

TEST(objects, record_says_itself_what_is_in_it)
{
    pdict_view view;

    open_map("cbor");
    CHECK_OK(pdict_put_object(d, KEY, &user_type, &ada, NULL));
    CHECK_OK(pdict_get_value(d, KEY, &view));
    CHECK_STR(pdict_value_text(pdict_value_at(pdict_view_value(&view), "trips.0.city")), "Paris");
    CHECK_INT(pdict_value_int(pdict_value_at(pdict_view_value(&view), "age"), 0), 36);
    pdict_view_release(&view);
    close_map();
}

TEST(objects, absent_optional_and_null_pointers_stay_so)
{
    static const struct user nobody;
    const struct user *back;
    pdict_view view;

    open_map("cbor");
    CHECK_OK(pdict_put_object(d, KEY, &user_type, &nobody, NULL));
    CHECK_OK(pdict_get_object(d, KEY, &user_type, &view));
    back = view.data;
    CHECK(back->name == NULL && back->photo.data == NULL && !back->has_age);
    CHECK(back->scores == NULL && back->n_scores == 0);
    pdict_view_release(&view);
    CHECK_OK(pdict_get_value(d, KEY, &view));
    CHECK(pdict_value_get(pdict_view_value(&view), "age") == NULL);
    pdict_view_release(&view);
    close_map();
}

struct old_user {
    int32_t age;
    int32_t gone;
};

static const pdict_field old_fields[] = {
    PDICT_FIELD(struct old_user, age, PDICT_INT32),
    PDICT_FIELD(struct old_user, gone, PDICT_INT32),
    PDICT_FIELD_END,
};

static const pdict_type old_type = PDICT_TYPE(struct old_user, old_fields);

struct new_user {
    int64_t age;
    int32_t level;
    const char *language;
};

static const pdict_field new_fields[] = {
    PDICT_FIELD(struct new_user, age, PDICT_INT64),
    PDICT_FIELD(struct new_user, level, PDICT_INT32),
    PDICT_FIELD(struct new_user, language, PDICT_STRING),
    PDICT_FIELD_END,
};

static const struct new_user new_defaults = { .level = 1, .language = "en" };
static const pdict_type new_type = PDICT_TYPE_DEFAULTS(struct new_user, new_fields, &new_defaults);

TEST(objects, newer_struct_reads_old_records_with_its_defaults)
{
    static const struct old_user old = { 36, 7 };
    const struct new_user *back;
    pdict_view view;

    open_map("cbor");
    CHECK_OK(pdict_put_object(d, KEY, &old_type, &old, NULL));
    CHECK_OK(pdict_get_object(d, KEY, &new_type, &view));
    back = view.data;
    CHECK_INT(back->age, 36);
    CHECK_INT(back->level, 1);
    CHECK_STR(back->language, "en");
    pdict_view_release(&view);
    close_map();
}

static int refused(const char *name, pdict_value *value)
{
    pdict_value *map = pdict_tree_map(tree);
    pdict_view view;
    int status;

    pdict_value_set(map, name, value);
    CHECK_OK(pdict_put_value(d, KEY, map, NULL));
    status = pdict_get_object(d, KEY, &user_type, &view);
    CHECK(view.data == NULL && view.pin == NULL);
    CHECK(strstr(pdict_error_text(), name) != NULL);
    return status;
}

TEST(objects, value_that_does_not_fit_its_field_is_invalid_and_named)
{
    open_map("cbor");
    CHECK_STATUS(refused("small", pdict_tree_int(tree, 128)), PDICT_INVAL);
    CHECK_STATUS(refused("small", pdict_tree_int(tree, -129)), PDICT_INVAL);
    CHECK_STATUS(refused("small", pdict_tree_text(tree, "1")), PDICT_INVAL);
    CHECK_STATUS(refused("large", pdict_tree_int(tree, -1)), PDICT_INVAL);
    CHECK_STATUS(refused("large", pdict_tree_double(tree, 1)), PDICT_INVAL);
    CHECK_STATUS(refused("is_active", pdict_tree_int(tree, 1)), PDICT_INVAL);
    CHECK_STATUS(refused("ratio", pdict_tree_double(tree, 1e300)), PDICT_INVAL);
    CHECK_STATUS(refused("name", pdict_tree_int(tree, 1)), PDICT_INVAL);
    CHECK_STATUS(refused("name", pdict_tree_text_n(tree, "a\0b", 3)), PDICT_INVAL);
    CHECK_STATUS(refused("photo", pdict_tree_text(tree, "x")), PDICT_INVAL);
    CHECK_STATUS(refused("home", pdict_tree_int(tree, 1)), PDICT_INVAL);
    CHECK_STATUS(refused("scores", pdict_tree_int(tree, 1)), PDICT_INVAL);
    close_map();
}

TEST(objects, text_longer_than_its_array_is_refused_and_not_cut)
{
    static const pdict_type place_type = PDICT_TYPE(struct place, place_fields);
    pdict_value *map;
    pdict_view view;

    open_map("cbor");
    map = pdict_tree_map(tree);
    pdict_value_set(map, "city", pdict_tree_text(tree, "123456789012"));
    CHECK_OK(pdict_put_value(d, KEY, map, NULL));
    CHECK_STATUS(pdict_get_object(d, KEY, &place_type, &view), PDICT_INVAL);
    pdict_value_set(map, "city", pdict_tree_text(tree, "12345678901"));
    CHECK_OK(pdict_put_value(d, KEY, map, NULL));
    CHECK_OK(pdict_get_object(d, KEY, &place_type, &view));
    CHECK_STR(((const struct place *)view.data)->city, "12345678901");
    pdict_view_release(&view);
    close_map();
}

TEST(objects, value_that_is_no_map_is_invalid)
{
    pdict_view view;

    open_map("cbor");
    CHECK_OK(pdict_put_value(d, KEY, pdict_tree_int(tree, 1), NULL));
    CHECK_STATUS(pdict_get_object(d, KEY, &user_type, &view), PDICT_INVAL);
    close_map();
}

TEST(objects, text_that_is_not_utf8_is_refused_by_name)
{
    struct user user = ada;

    open_map("cbor");
    user.name = "\xFF";
    CHECK_STATUS(pdict_put_object(d, KEY, &user_type, &user, NULL), PDICT_INVAL);
    CHECK(strstr(pdict_error_text(), "'name'") != NULL);
    user = ada;
    memset(user.home.city, 'x', sizeof(user.home.city));
    CHECK_STATUS(pdict_put_object(d, KEY, &user_type, &user, NULL), PDICT_INVAL);
    CHECK(strstr(pdict_error_text(), "'city'") != NULL);
    close_map();
}

TEST(objects, malformed_type_is_invalid)
{
    static const pdict_field wrong_size[] = { PDICT_FIELD(struct user, age, PDICT_INT64),
                                              PDICT_FIELD_END };
    static const pdict_field no_table[] = { PDICT_FIELD(struct user, home, PDICT_STRUCT),
                                            PDICT_FIELD_END };
    const pdict_type types[] = {
        PDICT_TYPE(struct user, wrong_size),
        PDICT_TYPE(struct user, no_table),
        PDICT_TYPE(struct user, NULL),
        { 0 },
    };
    pdict_view view;

    open_map("cbor");
    CHECK_OK(pdict_put_object(d, pdict_str("sound"), &user_type, &ada, NULL));
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        CHECK_STATUS(pdict_put_object(d, KEY, &types[i], &ada, NULL), PDICT_INVAL);
        CHECK_STATUS(pdict_get_object(d, pdict_str("sound"), &types[i], &view), PDICT_INVAL);
    }
    CHECK_STATUS(pdict_get_object(d, KEY, NULL, &view), PDICT_INVAL);
    close_map();
}

static pdict_field endless[] = { PDICT_FIELD_STRUCT(struct place, city, NULL), PDICT_FIELD_END };

TEST(objects, table_that_holds_itself_ends_in_too_big)
{
    static const pdict_type type = PDICT_TYPE(struct place, endless);

    open_map("cbor");
    endless[0].fields = endless;
    CHECK_STATUS(pdict_put_object(d, KEY, &type, &trips[0], NULL), PDICT_TOO_BIG);
    close_map();
}

/* ---- functions of one's own ---- */

struct shout {
    char *text; /* malloc */
};

static int destroyed;

static int pack_shout(const void *object, pdict_tree *into, pdict_value **out)
{
    const struct shout *shout = object;

    *out = pdict_tree_text(into, shout->text);
    return PDICT_OK;
}

static int unpack_shout(const pdict_value *value, pdict_tree *from, void *object)
{
    struct shout *shout = object;

    (void)from;
    if (!pdict_value_text(value))
        return pdict_fail(PDICT_INVAL, "shout: no text");
    shout->text = strdup(pdict_value_text(value));
    return PDICT_OK;
}

static void destroy_shout(void *object)
{
    free(((struct shout *)object)->text);
    destroyed++;
}

static const pdict_type shout_type =
    PDICT_TYPE_CUSTOM(struct shout, pack_shout, unpack_shout, destroy_shout);

TEST(objects, own_functions_pack_unpack_and_destroy_once)
{
    char text[] = "hey";
    const struct shout shout = { text };
    const struct shout *back;
    pdict_view view;

    open_map("json");
    CHECK_OK(pdict_put_object(d, KEY, &shout_type, &shout, NULL));
    CHECK_OK(pdict_get_object(d, KEY, &shout_type, &view));
    back = view.data;
    CHECK_STR(back->text, "hey");
    CHECK_OK(pdict_clear_cache(d));
    CHECK_INT(destroyed, 0);
    pdict_view_release(&view);
    CHECK_OK(pdict_clear_cache(d));
    CHECK_INT(destroyed, 1);
    pdict_view_release(&view);
    CHECK_OK(pdict_clear_cache(d));
    CHECK_INT(destroyed, 1);
    CHECK_OK(pdict_put_value(d, KEY, pdict_tree_int(tree, 1), NULL));
    CHECK_STATUS(pdict_get_object(d, KEY, &shout_type, &view), PDICT_INVAL);
    CHECK_INT(destroyed, 1);
    close_map();
}
