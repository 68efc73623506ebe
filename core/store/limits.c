/* SPDX-License-Identifier: MIT */
/* Limits of maps and their account, as they are stored, and as they are known. */
#include "store/store.h"

/* ---- as they are stored ---- */

#define LIMITS_VERSION 1
#define LIMITS_SIZE    24
#define USAGE_SIZE     24

static int decode_limits(const struct store *store, pdict_slice text, struct limits *out)
{
    const uint8_t *in = text.data;

    if (text.size > 0 && in[0] > LIMITS_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "%s: a map has limits that this build does not know; use a newer pdict",
                          store->path);
    if (text.size != LIMITS_SIZE || in[0] != LIMITS_VERSION || in[1] > PDICT_EVICT_TTL ||
        in[2] > PDICT_ON_FULL_ERROR)
        return pdict_fail(PDICT_DAMAGED,
                          "%s: the limits of a map are malformed; set them anew with `pdict limit`",
                          store->path);
    *out = (struct limits){ .max_entries = pdict__get64(in + 8),
                            .max_bytes = pdict__get64(in + 16),
                            .evict = in[1],
                            .on_full = in[2] };
    return PDICT_OK;
}

int pdict__limits_read(struct store *store, void *txn, uint32_t map, struct limits *out)
{
    pdict_slice value;
    int status =
        store->backend->system_get(store->engine, txn, map, pdict_str(SYSTEM_LIMITS), &value);

    *out = (struct limits){ 0 };
    if (status == PDICT_NOTFOUND)
        return PDICT_OK;
    return status == PDICT_OK ? decode_limits(store, value, out) : status;
}

static int put_system(struct store *store, void *txn, uint32_t map, const char *name,
                      pdict_slice value)
{
    return store->backend->system_put(store->engine, txn, map, pdict_str(name), value);
}

int pdict__limits_write(struct store *store, void *txn, uint32_t map, const struct limits *limits)
{
    uint8_t bytes[LIMITS_SIZE] = { LIMITS_VERSION, (uint8_t)limits->evict,
                                   (uint8_t)limits->on_full };
    int status;

    pdict__put64(bytes + 8, limits->max_entries);
    pdict__put64(bytes + 16, limits->max_bytes);
    /* Whoever has the gate next looks again, whether this is committed or not. */
    pdict__shared_limits_moved(store);
    if (pdict__has_limits(limits))
        return put_system(store, txn, map, SYSTEM_LIMITS, pdict_bytes(bytes, sizeof(bytes)));
    status = put_system(store, txn, map, SYSTEM_LIMITS, (pdict_slice){ 0 });
    return status == PDICT_OK ? put_system(store, txn, map, SYSTEM_USAGE, (pdict_slice){ 0 })
                              : status;
}

int pdict__usage_write(struct store *store, void *txn, uint32_t map, const struct usage *usage)
{
    uint8_t bytes[USAGE_SIZE];

    pdict__put64(bytes, usage->entries);
    pdict__put64(bytes + 8, usage->bytes);
    pdict__put64(bytes + 16, usage->evictions);
    return put_system(store, txn, map, SYSTEM_USAGE, pdict_bytes(bytes, sizeof(bytes)));
}

int pdict__usage_count(struct store *store, void *txn, uint32_t map, struct usage *out)
{
    pdict_scan everything = { .flags = 0 };
    pdict_row row;
    void *cursor;
    int status = store->backend->scan_open(store->engine, txn, map, &everything, &cursor);

    out->entries = out->bytes = 0;
    if (status != PDICT_OK)
        return status;
    while ((status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        out->entries++;
        out->bytes += row.key.size + row.value.size;
    }
    store->backend->scan_close(store->engine, cursor);
    return status == PDICT_END ? PDICT_OK : status;
}

int pdict__usage_read(struct store *store, void *txn, uint32_t map, struct usage *out)
{
    pdict_slice value;
    int status =
        store->backend->system_get(store->engine, txn, map, pdict_str(SYSTEM_USAGE), &value);
    const uint8_t *in = value.data;

    *out = (struct usage){ 0 };
    if (status == PDICT_NOTFOUND || (status == PDICT_OK && value.size != USAGE_SIZE))
        return pdict__usage_count(store, txn, map, out);
    if (status == PDICT_OK)
        *out = (struct usage){ pdict__get64(in), pdict__get64(in + 8), pdict__get64(in + 16) };
    return status;
}

/* ---- as they are known ---- */

/* Under the gate, so the word stands still. */
int pdict__limits_find(struct store *store, void *txn, uint32_t map, const struct limits **out)
{
    struct limits_memo *memo = &store->limits;
    uint64_t word = pdict__shared_limits_word(store);
    size_t at = map % LIMITS_KNOWN;
    int status = PDICT_OK;

    if (memo->word != word)
        *memo = (struct limits_memo){ .word = word };
    if (memo->known[at].map != map) {
        status = pdict__limits_read(store, txn, map, &memo->known[at].limits);
        memo->known[at].map = status == PDICT_OK ? map : 0;
    }
    *out = pdict__has_limits(&memo->known[at].limits) ? &memo->known[at].limits : NULL;
    return status;
}
