/* SPDX-License-Identifier: MIT */
/* Dictionaries by themselves: in the background, again when values change, never in a put. */
#include <pdict/pdict.h>
#include <stdio.h>

#include "map/map.h"
#include "test.h"

/* ---- drift ---- */

#define MIB ((uint64_t)1 << 20)

/* One MiB more, of which so many percent are left. */
static bool look(struct drift *drift, uint64_t percent)
{
    static uint64_t in, out;

    if (drift->bytes_in == 0)
        in = out = 0;
    in += MIB;
    out += MIB * percent / 100;
    return pdict__has_drifted(drift, in, out);
}

TEST(retrain, values_have_drifted_when_they_take_a_tenth_more_than_at_best)
{
    struct drift drift = { 0 };

    CHECK(!look(&drift, 50));
    CHECK(!look(&drift, 54));
    CHECK(!look(&drift, 40)); /* the best from now on */
    CHECK(!look(&drift, 43));
    CHECK(look(&drift, 45));
}

TEST(retrain, what_is_best_is_found_anew_after_a_drift)
{
    struct drift drift = { 0 };

    CHECK(!look(&drift, 20));
    CHECK(look(&drift, 60));
    CHECK(!look(&drift, 70));
    CHECK(!look(&drift, 75));
    CHECK(look(&drift, 80));
}

TEST(retrain, so_little_that_it_says_nothing_is_looked_at_together_with_more)
{
    struct drift drift = { 0 };

    CHECK(!pdict__has_drifted(&drift, MIB, MIB / 4));
    CHECK(!pdict__has_drifted(&drift, MIB + 1000, MIB / 4 + 1000));
    CHECK_INT(drift.bytes_in, MIB);
    CHECK(!pdict__has_drifted(&drift, 2 * MIB, MIB / 2));
    CHECK(pdict__has_drifted(&drift, 3 * MIB, MIB));
}

/* ---- a map ---- */

static pdict *open_at(const char *more)
{
    char uri[512];
    pdict *d;

    if (!pdict__codec_find("zstd") || !pdict__backend_find("sqlite"))
        SKIP("zstd or sqlite is not in this build");
    snprintf(uri, sizeof(uri), "sqlite:%s?codecs=raw,zstd:3%%2Bdict&durability=unsafe%s",
             test_path("a.db"), more);
    CHECK_OK(pdict_open(uri, NULL, &d));
    return d;
}

/* Records of a kind: two kinds have no words in common. */
static size_t record_of(unsigned kind, unsigned i, char *out, size_t size)
{
    static const char *const shapes[] = {
        "Package: package-%u\nStatus: install ok installed\nPriority: optional\nSection: "
        "library\nInstalled-Size: %u\nMaintainer: Maintainers\nArchitecture: amd64\n",
        "<client id='%u'><street>Lange Zeile</street><postcode>%u</postcode><orders/><balance "
        "currency='EUR'>0.00</balance><comment>keiner</comment></client>",
    };

    return (size_t)snprintf(out, size, shapes[kind], i, i * 7919 % 100000);
}

/* At least so many bytes of them; returns the number of the next. */
static unsigned put_kind(pdict *d, unsigned kind, unsigned from, size_t bytes)
{
    char keys[64][16], values[64][512];
    pdict_pair pairs[64];
    size_t sum = 0;

    while (sum < bytes) {
        for (unsigned n = 0; n < 64; n++, from++) {
            size_t size = record_of(kind, from, values[n], sizeof(values[n]));

            snprintf(keys[n], sizeof(keys[n]), "%u", from);
            pairs[n] = (pdict_pair){ pdict_str(keys[n]), pdict_bytes(values[n], size) };
            sum += size;
        }
        CHECK_OK(pdict_put_many(d, pairs, 64, NULL, NULL));
    }
    return from;
}

static void check_kind(pdict *d, unsigned kind, unsigned i)
{
    char key[16], expected[512];
    size_t size = record_of(kind, i, expected, sizeof(expected));
    pdict_view view;

    snprintf(key, sizeof(key), "%u", i);
    CHECK_OK(pdict_get(d, pdict_str(key), &view));
    CHECK_BYTES(view.data, view.size, expected, size);
    pdict_view_release(&view);
}

static uint64_t stored_size(pdict *d, unsigned i)
{
    pdict_meta meta = PDICT_META_INIT;
    char key[16];

    snprintf(key, sizeof(key), "%u", i);
    CHECK_OK(pdict_meta_get(d, pdict_str(key), &meta));
    return meta.stored_size;
}

/* The number of the dictionary in the record; 0: none. */
static unsigned dictionary_of(pdict *d, unsigned i)
{
    struct record_header header;
    char key[16];
    void *reader;
    pdict_row row;

    snprintf(key, sizeof(key), "%u", i);
    CHECK_OK(pdict__begin(d, &reader));
    CHECK_OK(pdict__row_get(d, reader, pdict_str(key), &row));
    CHECK_OK(pdict__record_header_read(row.value, &header));
    pdict__end(d, reader);
    return header.dictionary;
}

TEST(retrain, a_map_trains_by_itself_but_in_no_put)
{
    pdict *d = open_at("&maintenance=manual");
    unsigned next = put_kind(d, 0, 0, MIB);

    put_kind(d, 0, next, 1000);
    CHECK_INT(dictionary_of(d, next), 0);
    CHECK_OK(pdict_maintain(d, 1000));
    put_kind(d, 0, next, 1000);
    CHECK_INT(dictionary_of(d, next), 1);
    CHECK(stored_size(d, next) * 10 < stored_size(d, 0) * 7);
    check_kind(d, 0, 0);
    check_kind(d, 0, next);
    pdict_close(d);
}

TEST(retrain, maintenance_trains_only_when_it_is_time)
{
    pdict *d = open_at("&maintenance=manual");
    unsigned next = put_kind(d, 0, 0, MIB / 4);

    CHECK_OK(pdict_maintain(d, 1000));
    put_kind(d, 0, next, 1000);
    CHECK_INT(dictionary_of(d, next), 0);
    pdict_close(d);
}

TEST(retrain, values_of_another_kind_get_another_dictionary_and_the_old_one_stays)
{
    unsigned first, second, third;
    pdict *d;

    if (TEST_IS_SLOW)
        SKIP("half a minute of the compressor's code, in one thread, twice");
    d = open_at("&maintenance=manual");
    first = put_kind(d, 0, 0, MIB);
    CHECK_OK(pdict_maintain(d, 1000));
    second = put_kind(d, 0, first, MIB + MIB / 4);
    CHECK_OK(pdict_maintain(d, 1000)); /* what is best is known from here */
    third = put_kind(d, 1, second, 2 * MIB);
    CHECK(dictionary_of(d, third - 1) < 2);
    CHECK_OK(pdict_maintain(d, 1000));
    put_kind(d, 1, third, 1000);
    CHECK_INT(dictionary_of(d, third), 2);
    CHECK(stored_size(d, third) * 10 < stored_size(d, third - 1) * 7);
    pdict_close(d);
    d = open_at("");
    check_kind(d, 0, first);
    check_kind(d, 1, third - 1);
    check_kind(d, 1, third);
    CHECK_INT(dictionary_of(d, first), 1);
    pdict_close(d);
}

TEST(retrain, in_the_background_while_others_put)
{
    unsigned from = 0, last = 0;
    pdict *d;

    if (TEST_UNDER_VALGRIND)
        SKIP("half a minute of the compressor's code, which one test has already");
    d = open_at("");
    for (int i = 0; i < 200 && last == 0; i++) {
        unsigned next = put_kind(d, 0, from, MIB / 16);

        last = dictionary_of(d, next - 1);
        from = next;
    }
    CHECK_INT(last, 1);
    check_kind(d, 0, 0);
    check_kind(d, 0, from - 1);
    pdict_close(d);
}
