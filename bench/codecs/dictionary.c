/* SPDX-License-Identifier: MIT */
/* Dictionaries for compressors: made of some records, their size searched on others. */
#include "codecs/codec.h"

#include <stdlib.h>
#include <string.h>

/* Of what is learnt from, at most, and one record of so many is for the search alone. */
#define SAMPLE_BYTES ((size_t)8 << 20)
#define PARTS        4

#define LEAST_SIZE ((size_t)4 << 10)
#define MOST_SIZE  ((size_t)128 << 10)

/* A larger dictionary has to gain a fiftieth over a smaller one, as in a map. */
#define WORTH_MORE(bytes) ((bytes) - (bytes) / 50)

/* A search; all but the first four members are owned. */
struct search {
    const struct records *records;
    size_t count;
    const pdict_compressor *compressor;
    void *self;
    void *context;
    unsigned char *samples; /* of the records that are learnt from, one behind the other */
    size_t *sizes;
    size_t n_samples;
    unsigned char *packed;
    unsigned char *bytes; /* of a dictionary */
};

static bool is_held(size_t at)
{
    return at % PARTS == PARTS - 1;
}

static int prepare(struct search *search)
{
    size_t used = 0, most = 0;

    for (size_t i = 0; i < search->count; i++) {
        size_t size = search->records->places[i].size;

        used += size;
        most = size > most ? size : most;
    }
    search->samples = malloc(used + 1);
    search->sizes = malloc((search->count + 1) * sizeof *search->sizes);
    search->packed = malloc(most + 1);
    search->bytes = malloc(MOST_SIZE);
    if (!search->samples || !search->sizes || !search->packed || !search->bytes)
        return pdict_fail(PDICT_NOMEM, "--codecs: out of memory");
    return search->compressor->context_new(search->self, &search->context);
}

static void gather(struct search *search)
{
    size_t used = 0;

    for (size_t i = 0; i < search->count && used < SAMPLE_BYTES; i++) {
        pdict_slice value = records_value(search->records, i);

        if (is_held(i))
            continue;
        memcpy(search->samples + used, value.data, value.size);
        search->sizes[search->n_samples++] = value.size;
        used += value.size;
    }
}

/* What the records that nothing was made of take. */
static int weigh(const struct search *search, const void *dictionary, uint64_t *total)
{
    const pdict_compressor *compressor = search->compressor;

    *total = 0;
    for (size_t i = PARTS - 1; i < search->count; i += PARTS) {
        pdict_slice value = records_value(search->records, i);
        size_t most = value.size > 0 ? value.size - 1 : 0, size = value.size;
        int status = dictionary ? compressor->encode_with(search->self, search->context, dictionary,
                                                          value, search->packed, most, &size)
                                : compressor->encode(search->self, search->context, value,
                                                     search->packed, most, &size);

        if (status != PDICT_OK && status != PDICT_SKIP)
            return status;
        *total += status == PDICT_OK ? size : value.size;
    }
    return PDICT_OK;
}

static int make(const struct search *search, size_t capacity, void **dictionary, size_t *size)
{
    int status = search->compressor->train(search->self, search->samples, search->sizes,
                                           search->n_samples, search->bytes, capacity, size);

    *dictionary = NULL;
    if (status == PDICT_OK)
        status = search->compressor->dictionary_open(search->self,
                                                     pdict_bytes(search->bytes, *size), dictionary);
    return status == PDICT_SKIP ? PDICT_OK : status;
}

static int try_sizes(struct search *search, void **out, uint64_t *out_size)
{
    uint64_t best, total;
    int status = weigh(search, NULL, &best);

    for (size_t capacity = LEAST_SIZE; status == PDICT_OK && capacity <= MOST_SIZE; capacity *= 2) {
        void *dictionary;
        size_t size = 0;

        if ((status = make(search, capacity, &dictionary, &size)) != PDICT_OK || !dictionary)
            continue;
        status = weigh(search, dictionary, &total);
        if (status == PDICT_OK && total < WORTH_MORE(best)) {
            void *worse = *out;

            best = total;
            *out = dictionary;
            *out_size = size;
            dictionary = worse;
        }
        if (dictionary)
            search->compressor->dictionary_close(search->self, dictionary);
    }
    return status;
}

int dictionary_make(const struct records *records, size_t count, const pdict_compressor *compressor,
                    void *self, void **out, uint64_t *out_size)
{
    struct search search = {
        .records = records, .count = count, .compressor = compressor, .self = self
    };
    int status;

    *out = NULL;
    *out_size = 0;
    if ((status = prepare(&search)) == PDICT_OK) {
        gather(&search);
        status = try_sizes(&search, out, out_size);
    }
    if (search.context)
        compressor->context_free(self, search.context);
    free(search.samples);
    free(search.sizes);
    free(search.packed);
    free(search.bytes);
    return status;
}
