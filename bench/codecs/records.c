/* SPDX-License-Identifier: MIT */
/* The user's records: kept in RAM, shuffled, profiled. */
#include "codecs/codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int grow(void *memory, size_t *room, size_t needed, size_t each)
{
    void **place = memory;
    size_t wanted = *room ? *room : 1024;
    void *grown;

    while (wanted < needed)
        wanted *= 2;
    if (wanted == *room)
        return PDICT_OK;
    if (!(grown = realloc(*place, wanted * each)))
        return pdict_fail(PDICT_NOMEM, "--data: out of memory after %zu records", needed);
    *place = grown;
    *room = wanted;
    return PDICT_OK;
}

/* Past the limits records are counted only. */
int records_add(struct records *records, pdict_slice key, pdict_slice value)
{
    size_t needed = records->size + key.size + value.size;
    void *bytes = records->bytes;
    void *places = records->places;
    int status;

    records->offered++;
    if (needed > RECORDS_BYTES || records->count == RECORDS_MOST)
        return PDICT_OK;
    status = grow(&bytes, &records->room, needed, 1);
    records->bytes = bytes;
    if (status == PDICT_OK)
        status = grow(&places, &records->places_room, records->count + 1, sizeof *records->places);
    records->places = places;
    if (status != PDICT_OK)
        return status;
    records->places[records->count++] =
        (struct record_place){ records->size, key.size, records->size + key.size, value.size };
    if (key.size > 0)
        memcpy(records->bytes + records->size, key.data, key.size);
    if (value.size > 0)
        memcpy(records->bytes + records->size + key.size, value.data, value.size);
    records->size = needed;
    return PDICT_OK;
}

void records_free(struct records *records)
{
    free(records->bytes);
    free(records->places);
    *records = (struct records){ 0 };
}

pdict_slice records_value(const struct records *records, size_t at)
{
    return pdict_bytes(records->bytes + records->places[at].at, records->places[at].size);
}

pdict_slice records_key(const struct records *records, size_t at)
{
    return pdict_bytes(records->bytes + records->places[at].key_at, records->places[at].key_size);
}

void records_shuffle(struct records *records, uint64_t seed)
{
    struct bench_rng rng;

    bench_rng_seed(&rng, seed, 11);
    for (size_t i = records->count; i > 1; i--) {
        size_t j = bench_rng_below(&rng, i);
        struct record_place other = records->places[i - 1];

        records->places[i - 1] = records->places[j];
        records->places[j] = other;
    }
}

/* ---- What they are like ---- */

static bool is_text(pdict_slice value)
{
    const unsigned char *bytes = value.data;

    for (size_t i = 0; i < value.size; i++) {
        if (bytes[i] < 32 && bytes[i] != '\n' && bytes[i] != '\t' && bytes[i] != '\r')
            return false;
    }
    return value.size > 0;
}

static bool is_packed(pdict_slice value)
{
    static const struct {
        unsigned char bytes[4];
        size_t size;
    } magics[] = {
        { { 0x1f, 0x8b }, 2 },             /* gzip */
        { { 0x28, 0xb5, 0x2f, 0xfd }, 4 }, /* zstd */
        { { 0x89, 'P', 'N', 'G' }, 4 },
        { { 0xff, 0xd8, 0xff }, 3 }, /* JPEG */
        { { 'P', 'K', 3, 4 }, 4 },
        { { 0xfd, '7', 'z', 'X' }, 4 },
    };

    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        if (value.size > magics[i].size && memcmp(value.data, magics[i].bytes, magics[i].size) == 0)
            return true;
    }
    return false;
}

static double entropy_of(const struct records *records)
{
    static double counts[256];
    double total = 0;
    double bits = 0;

    memset(counts, 0, sizeof counts);
    for (size_t i = 0; i < records->count; i++) {
        pdict_slice value = records_value(records, i);

        for (size_t j = 0; j < value.size; j++)
            counts[((const unsigned char *)value.data)[j]]++;
        total += (double)value.size;
    }
    for (int i = 0; i < 256; i++)
        bits -= counts[i] > 0 ? counts[i] / total * log2(counts[i] / total) : 0;
    return bits;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorted fingerprints: equal neighbours are equal values, but for one pair in 2^50. */
static double share_of_twins(const struct records *records, double *prints)
{
    size_t twins = 0;

    for (size_t i = 0; i < records->count; i++) {
        pdict_slice value = records_value(records, i);
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (size_t j = 0; j < value.size; j++)
            hash = (hash ^ ((const unsigned char *)value.data)[j]) * UINT64_C(1099511628211);
        prints[i] = (double)(bench_mix(hash) >> 12);
    }
    qsort(prints, records->count, sizeof *prints, by_number);
    for (size_t i = 1; i < records->count; i++)
        twins += prints[i] <= prints[i - 1];
    return (double)twins / (double)records->count;
}

void records_profile(const struct records *records, struct profile *out)
{
    double *numbers = malloc((records->count + 1) * sizeof *numbers);
    double sum = 0;

    *out = (struct profile){ .count = records->count };
    if (!numbers || records->count == 0) {
        free(numbers);
        return;
    }
    out->twins = share_of_twins(records, numbers);
    for (size_t i = 0; i < records->count; i++) {
        pdict_slice value = records_value(records, i);

        numbers[i] = (double)value.size;
        sum += numbers[i];
        out->text += is_text(value);
        out->packed += is_packed(value);
    }
    qsort(numbers, records->count, sizeof *numbers, by_number);
    out->least = numbers[0];
    out->median = numbers[records->count / 2];
    out->p90 = numbers[records->count * 9 / 10];
    out->most = numbers[records->count - 1];
    out->mean = sum / (double)records->count;
    out->text /= (double)records->count;
    out->packed /= (double)records->count;
    out->entropy = entropy_of(records);
    free(numbers);
}

void profile_print(FILE *out, const struct profile *profile)
{
    fprintf(out,
            "%zu records, %.0f to %.0f bytes, median %.0f, mean %.0f; %.0f %% text, %.0f %% "
            "compressed already, %.0f %% repeated, %.1f bits a byte\n",
            profile->count, profile->least, profile->most, profile->median, profile->mean,
            100 * profile->text, 100 * profile->packed, 100 * profile->twins, profile->entropy);
}
