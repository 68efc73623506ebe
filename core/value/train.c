/* SPDX-License-Identifier: MIT */
/* Making a dictionary: its size is searched on samples that it was not trained on. */
#include "value/dictionary.h"

#define SMALLEST_SIZE   4096
#define HALF_STEPS_FROM 65536

/* One of these is held out. */
#define PARTS 4

/* A larger dictionary has to gain a fiftieth over a smaller one, and any a twentieth over none. */
#define WORTH_MORE(bytes) ((bytes) - (bytes) / 50)
#define WORTH_ANY(bytes)  ((bytes) - (bytes) / 20)

/* The samples in two parts: what is trained on first, what is held out behind it. */
struct split {
    struct buf bytes;
    struct buf sizes;
    size_t n_train, train_bytes;
    size_t n_held, held_bytes;
};

static const size_t *sizes_of(const struct buf *sizes)
{
    return (const size_t *)(const void *)sizes->data;
}

static int append_part(const struct samples *samples, bool is_held, struct split *out)
{
    const size_t *sizes = sizes_of(&samples->sizes);
    const uint8_t *at = samples->bytes.data;
    int status = PDICT_OK;

    for (size_t i = 0; i < samples->count && status == PDICT_OK; at += sizes[i], i++) {
        if ((i % PARTS == PARTS - 1) != is_held)
            continue;
        status = pdict__buf_append(&out->bytes, at, sizes[i]);
        if (status == PDICT_OK)
            status = pdict__buf_append(&out->sizes, &sizes[i], sizeof(sizes[i]));
        *(is_held ? &out->n_held : &out->n_train) += 1;
        *(is_held ? &out->held_bytes : &out->train_bytes) += sizes[i];
    }
    return status;
}

static int split_samples(const struct samples *samples, struct split *out)
{
    int status = append_part(samples, false, out);

    return status == PDICT_OK ? append_part(samples, true, out) : status;
}

struct trainer {
    const struct compressor *compressor;
    struct buf scratch;
};

static int measure_in(struct trainer *trainer, void *context, const struct split *split,
                      const void *dictionary, uint64_t *total)
{
    const pdict_compressor *vtable = trainer->compressor->codec->compressor;
    const size_t *sizes = sizes_of(&split->sizes) + split->n_train;
    const uint8_t *at = split->bytes.data + split->train_bytes;
    void *self = trainer->compressor->self;

    *total = 0;
    for (size_t i = 0; i < split->n_held; at += sizes[i], i++) {
        pdict_slice value = { at, sizes[i] };
        size_t size = value.size;
        int status = pdict__buf_reserve(&trainer->scratch, value.size);

        if (status == PDICT_OK && dictionary)
            status = vtable->encode_with(self, context, dictionary, value, trainer->scratch.data,
                                         value.size - 1, &size);
        else if (status == PDICT_OK)
            status =
                vtable->encode(self, context, value, trainer->scratch.data, value.size - 1, &size);
        if (status != PDICT_OK && status != PDICT_SKIP)
            return status;
        *total += status == PDICT_OK ? size : value.size;
    }
    return PDICT_OK;
}

/* What the held-out samples take; `dictionary` may be NULL. In a context of its own, which must
 * not outlive it. */
static int measure(struct trainer *trainer, const struct split *split, const void *dictionary,
                   uint64_t *total)
{
    const pdict_compressor *vtable = trainer->compressor->codec->compressor;
    void *context;
    int status = vtable->context_new(trainer->compressor->self, &context);

    if (status != PDICT_OK)
        return status;
    status = measure_in(trainer, context, split, dictionary, total);
    vtable->context_free(trainer->compressor->self, context);
    return status;
}

static int train_on(struct trainer *trainer, const struct split *split, bool is_on_all, size_t size,
                    struct buf *out)
{
    const pdict_compressor *vtable = trainer->compressor->codec->compressor;
    size_t count = split->n_train + (is_on_all ? split->n_held : 0);
    int status = pdict__buf_reserve(out, size);

    if (status != PDICT_OK)
        return status;
    return vtable->train(trainer->compressor->self, split->bytes.data, sizes_of(&split->sizes),
                         count, out->data, size, &out->size);
}

/* PDICT_SKIP: nothing can be made in this size. */
static int try_size(struct trainer *trainer, const struct split *split, size_t size,
                    struct buf *out, uint64_t *total)
{
    const pdict_compressor *vtable = trainer->compressor->codec->compressor;
    void *opened = NULL, *self = trainer->compressor->self;
    int status = train_on(trainer, split, false, size, out);

    if (status == PDICT_OK)
        status = vtable->dictionary_open(self, (pdict_slice){ out->data, out->size }, &opened);
    if (status == PDICT_OK)
        status = measure(trainer, split, opened, total);
    if (opened)
        vtable->dictionary_close(self, opened);
    return status;
}

/* Powers of two and, where these are far apart, what is half way between them. */
static size_t next(size_t size)
{
    bool is_power = (size & (size - 1)) == 0;

    return !is_power ? size / 3 * 4 : size < HALF_STEPS_FROM ? size * 2 : size / 2 * 3;
}

static int search_size(struct trainer *trainer, const struct split *split, size_t most_size,
                       struct trained *out, size_t *best_size)
{
    uint64_t best, total = 0;
    int status = measure(trainer, split, NULL, &out->without);

    best = WORTH_ANY(out->without);
    *best_size = 0;
    /* More than half of the samples would be learnt by heart. */
    if (most_size > split->train_bytes / 2)
        most_size = split->train_bytes / 2;
    for (size_t size = SMALLEST_SIZE; status == PDICT_OK && size <= most_size; size = next(size)) {
        status = try_size(trainer, split, size, &out->bytes, &total);
        if (status == PDICT_OK && total < best) {
            best = WORTH_MORE(total);
            out->with = total;
            *best_size = size;
        }
        if (status == PDICT_SKIP)
            status = PDICT_OK;
    }
    return status;
}

static int train(struct trainer *trainer, const struct split *split, size_t most_size,
                 struct trained *out)
{
    size_t size;
    int status = search_size(trainer, split, most_size, out, &size);

    out->held_out = split->held_bytes;
    out->bytes.size = 0;
    if (status != PDICT_OK || size == 0)
        return status;
    status = train_on(trainer, split, true, size, &out->bytes);
    if (status == PDICT_SKIP)
        out->bytes.size = 0;
    return status == PDICT_SKIP ? PDICT_OK : status;
}

int pdict__train(struct pipeline *pipeline, const struct samples *samples, size_t most_size,
                 struct trained *out)
{
    const pdict_allocator *allocator = pipeline->allocator;
    struct compressor *writer = pdict__generation_of(pipeline)->writer;
    const pdict_cipher *wiper = pdict__wiper(pipeline);
    void (*wipe)(void *, size_t) = wiper ? wiper->wipe : NULL;
    struct trainer trainer = { .compressor = writer,
                               .scratch = { .allocator = allocator, .wipe = wipe } };
    struct split split = { .bytes = { .allocator = allocator, .wipe = wipe },
                           .sizes.allocator = allocator };
    int status;

    if (!writer || !writer->codec->compressor->train)
        return pdict_fail(
            PDICT_UNSUPPORTED,
            "the map has no compressor that has dictionaries; `pdict info` says which "
            "do, and `pdict recode --codecs` changes it");
    status = split_samples(samples, &split);
    if (status == PDICT_OK)
        status = train(&trainer, &split, most_size, out);
    pdict__buf_free(&split.bytes);
    pdict__buf_free(&split.sizes);
    pdict__buf_free(&trainer.scratch);
    return status;
}

void pdict__train_free(struct samples *samples, struct trained *trained)
{
    pdict__buf_free(&samples->bytes);
    pdict__buf_free(&samples->sizes);
    pdict__buf_free(&trained->bytes);
}

/* ---- adding it to those that are stored ---- */

int pdict__dictionaries_add(const struct pipeline *pipeline, pdict_slice stored, pdict_slice bytes,
                            struct buf *out, uint16_t *number)
{
    const struct compressor *writer = pdict__generation_of(pipeline)->writer;
    struct dictionary *list = NULL, **end = &list;
    uint64_t hash = pdict__hash64(bytes.data, bytes.size, 0);
    unsigned count = 0;
    int status = pdict__dictionaries_decode(pipeline, stored, &list);

    *number = 1;
    for (; status == PDICT_OK && *end; end = &(*end)->next, count++) {
        *number = (uint16_t)((*end)->number + 1);
        if ((*end)->hash == hash && (*end)->size == bytes.size)
            *number = 0;
        if (*number == 0)
            break;
    }
    if (status == PDICT_OK && *number != 0 && count == DICTIONARIES_MOST)
        status = pdict_fail(PDICT_TOO_BIG,
                            "the map has %d dictionaries, which is the most; `pdict migrate "
                            "--codecs` makes its records anew, without them",
                            DICTIONARIES_MOST);
    if (status == PDICT_OK && *number != 0) {
        status = pdict__dictionary_new(pipeline, writer->codec->id, bytes, end);
        if (status == PDICT_OK)
            (*end)->number = *number;
        if (status == PDICT_OK)
            status = pdict__dictionaries_encode(pipeline, list, out);
    }
    pdict__dictionaries_free(pipeline, list);
    return status;
}
