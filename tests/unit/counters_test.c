/* SPDX-License-Identifier: MIT */
/* The promises of the pipeline's counters: everything is counted, whichever bench did it. */
#include <pthread.h>
#include <stdio.h>

#include <pdict/pdict.h>

#include "test.h"

static const char text[] = "some text that some text can make of some text of some text";

static pdict *open_map(const char *codecs)
{
    char uri[128];
    pdict *d;

    snprintf(uri, sizeof(uri), "memory:counters?cache=off&codecs=%s", codecs);
    CHECK_OK(pdict_open(uri, NULL, &d));
    return d;
}

static void put_and_get(pdict *d, int count)
{
    char key[16];
    pdict_view view;

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_str(text), NULL));
        CHECK_OK(pdict_get(d, pdict_str(key), &view));
        pdict_view_release(&view);
    }
}

static pdict_stats stats_of(pdict *d)
{
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_OK(pdict_stats_get(d, 0, &stats));
    return stats;
}

TEST(counters, each_stage_counts_records_and_bytes)
{
    pdict *d = open_map("str,zlib");
    size_t size = sizeof(text) - 1;
    pdict_stats stats;

    put_and_get(d, 64);
    stats = stats_of(d);
    CHECK_INT(stats.encoded.records, 64);
    CHECK_INT(stats.checked.records, 64);
    CHECK_INT(stats.compressed.records, 64);
    CHECK_INT(stats.sealed.records, 64);
    CHECK_INT(stats.encoded.bytes_in, 64 * size);
    CHECK(stats.compressed.bytes_out < stats.compressed.bytes_in);
    CHECK_INT(stats.encoded.bytes_out, stats.sealed.bytes_out);
    CHECK_INT(stats.decoded.bytes_in, stats.encoded.bytes_out);
    CHECK_INT(stats.decompressed.bytes_in, stats.compressed.bytes_out);
    CHECK_INT(stats.decoded.bytes_out, 64 * size);
    CHECK(stats.encoded.timed > 0 && stats.encoded.timed <= 64);
    CHECK(stats.encoded.nanoseconds >= stats.compressed.nanoseconds);
    pdict_close(d);
}

TEST(counters, stages_that_a_map_lacks_stay_at_zero)
{
    pdict *d = open_map("raw");
    pdict_stats stats;

    put_and_get(d, 3);
    stats = stats_of(d);
    CHECK_INT(stats.encoded.records, 3);
    CHECK_INT(stats.compressed.records, 0);
    CHECK_INT(stats.decompressed.records, 0);
    pdict_close(d);
}

TEST(counters, what_was_counted_survives_the_memory_it_was_counted_in)
{
    pdict *d = open_map("raw,zlib");

    put_and_get(d, 5);
    CHECK_OK(pdict_clear_cache(d));
    put_and_get(d, 5);
    CHECK_INT(stats_of(d).encoded.records, 10);
    pdict_close(d);
}

TEST(counters, refused_values_are_not_counted)
{
    pdict *d = open_map("str");

    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_bytes("\xFF", 1), NULL), PDICT_INVAL);
    CHECK_INT(stats_of(d).encoded.records, 0);
    CHECK_INT(stats_of(d).checked.records, 0);
    pdict_close(d);
}

static void *work(void *ctx)
{
    put_and_get(ctx, 1000);
    return NULL;
}

TEST(counters, threads_lose_none_of_each_other)
{
    pdict *d = open_map("raw,zlib");
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, work, d) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(stats_of(d).encoded.records <= 4000);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_INT(stats_of(d).encoded.records, 4000);
    pdict_close(d);
}
