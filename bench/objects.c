/* SPDX-License-Identifier: MIT */
/* An object out of the cache, beside one that is decoded at each read. */
#include <stdint.h>
#include <stdio.h>

#include <pdict/object.h>

#include "support/plain.h"

#define USERS  2000
#define ROUNDS 25

struct place {
    char city[16];
    double lat, lon;
};

struct user {
    const char *name;
    const char *mail;
    int32_t born;
    int64_t seen_ms;
    struct place home;
    const int32_t *scores;
    size_t n_scores;
};

static const pdict_field place_fields[] = {
    PDICT_FIELD(struct place, city, PDICT_CHARS),
    PDICT_FIELD(struct place, lat, PDICT_DOUBLE),
    PDICT_FIELD(struct place, lon, PDICT_DOUBLE),
    PDICT_FIELD_END,
};

static const pdict_field user_fields[] = {
    PDICT_FIELD(struct user, name, PDICT_STRING),
    PDICT_FIELD(struct user, mail, PDICT_STRING),
    PDICT_FIELD(struct user, born, PDICT_INT32),
    PDICT_FIELD(struct user, seen_ms, PDICT_INT64),
    PDICT_FIELD_STRUCT(struct user, home, place_fields),
    PDICT_FIELD_ARRAY(struct user, scores, n_scores, PDICT_INT32),
    PDICT_FIELD_END,
};

static const pdict_type user_type = PDICT_TYPE(struct user, user_fields);

static void put_users(pdict *d)
{
    static const int32_t scores[] = { 3, 1, 4, 1, 5, 9, 2, 6 };
    char name[32], mail[48];

    for (uint32_t i = 0; i < USERS; i++) {
        struct user user = { name,
                             mail,
                             (int32_t)(1900 + i % 100),
                             1700000000000 + i,
                             { "London", 51.5, -0.1 },
                             scores,
                             i % 8 + 1 };

        snprintf(name, sizeof(name), "user number %u", i);
        snprintf(mail, sizeof(mail), "user-%u@example.org", i);
        plain_check(pdict_put_object(d, pdict_bytes(&i, sizeof(i)), &user_type, &user, NULL));
    }
}

/* ---- three ways to read; each answers the sum of a field, or of bytes ---- */

static uint64_t read_bytes(pdict *d, pdict_slice key)
{
    pdict_view view;
    uint64_t sum;

    plain_check(pdict_get(d, key, &view));
    sum = view.size;
    pdict_view_release(&view);
    return sum;
}

static uint64_t read_shared(pdict *d, pdict_slice key)
{
    pdict_view view;
    uint64_t sum;

    plain_check(pdict_get_object(d, key, &user_type, &view));
    sum = (uint64_t)((const struct user *)view.data)->born;
    pdict_view_release(&view);
    return sum;
}

static uint64_t read_decoding(pdict *d, pdict_slice key)
{
    struct user user = { 0 };
    pdict_value *value;
    pdict_tree *tree;
    pdict_view view;

    plain_check(pdict_get(d, key, &view));
    plain_check(pdict_tree_new(NULL, &tree));
    plain_check(pdict_value_decode(d, pdict_bytes(view.data, view.size), tree, &value));
    plain_check(pdict_object_unpack(&user_type, value, tree, &user));
    pdict_tree_free(tree);
    pdict_view_release(&view);
    return (uint64_t)user.born;
}

static const struct {
    const char *name;
    uint64_t (*read)(pdict *d, pdict_slice key);
} ways[] = {
    { "pdict_get, the bytes", read_bytes },
    { "pdict_get_object, shared", read_shared },
    { "pdict_get, then decoded", read_decoding },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static double time_round(pdict *d, size_t way)
{
    double began = plain_now_s();
    uint64_t sum = 0;

    for (uint32_t i = 0; i < USERS; i++)
        sum += ways[way].read(d, pdict_bytes(&i, sizeof(i)));
    if (sum == 0)
        plain_die("read", "nothing came");
    return (plain_now_s() - began) * 1e9 / USERS;
}

static void measure(const char *codecs)
{
    double best[WAYS] = { 0 };
    char uri[128];
    pdict *d;

    snprintf(uri, sizeof(uri), "memory:%s?codecs=%s", codecs, codecs);
    plain_check(pdict_open(uri, NULL, &d));
    put_users(d);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t way = 0; way < WAYS; way++) {
            double ns = time_round(d, way);

            if (best[way] == 0 || ns < best[way])
                best[way] = ns;
        }
    }
    for (size_t way = 0; way < WAYS; way++)
        printf("%-6s %-26s %8.0f ns  %6.3f of the last\n", codecs, ways[way].name, best[way],
               best[way] / best[WAYS - 1]);
    pdict_close(d);
}

int main(void)
{
    printf("%d structs of six fields, all cached; best of %d rounds\n", USERS, ROUNDS);
    measure("cbor");
    measure("json");
    return 0;
}
