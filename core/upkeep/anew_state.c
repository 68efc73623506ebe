/* SPDX-License-Identifier: MIT */
/* How far a map is on the way to new records, as it is stored. */
#include <inttypes.h>

#include "upkeep/anew.h"
#include "value/scan.h"

#define CHECK_SIZE 8

static const char head[] = "pdict-recode 1\n";

static int print(const struct anew_state *state, struct buf *out)
{
    int status = pdict__buf_printf(
        out, "%sjob=%" PRIu64 "\nphase=%s\nclears=%d\nnext_id=%" PRIu64 "\ndone=%" PRIu64 "\n",
        head, state->job, state->is_sealed ? "rewrite" : "records", state->clears, state->next_id,
        state->done);

    if (status != PDICT_OK)
        return status;
    return pdict__buf_printf(out, "check=%016" PRIx64 "\n", pdict__hash64(out->data, out->size, 0));
}

static bool scan_field(struct scan *scan, const char *name, uint64_t max, uint64_t *out)
{
    return scan_literal(scan, name) && scan_number(scan, max, out) && scan_literal(scan, "\n");
}

static bool scan_state(struct scan *scan, struct anew_state *out)
{
    uint64_t clears;

    if (!scan_literal(scan, head) || !scan_field(scan, "job=", UINT64_MAX, &out->job) ||
        !scan_literal(scan, "phase="))
        return false;
    out->is_sealed = scan_literal(scan, "rewrite\n");
    if ((!out->is_sealed && !scan_literal(scan, "records\n")) ||
        !scan_field(scan, "clears=", 1, &clears) ||
        !scan_field(scan, "next_id=", UINT64_MAX, &out->next_id) ||
        !scan_field(scan, "done=", UINT64_MAX, &out->done))
        return false;
    out->clears = clears != 0;
    return true;
}

static bool scan_check(struct scan *scan, pdict_slice text)
{
    size_t size = text.size - scan->left;
    uint8_t stored[CHECK_SIZE];
    uint64_t number = 0;

    if (!scan_literal(scan, "check=") || !scan_hex(scan, stored, CHECK_SIZE) ||
        !scan_literal(scan, "\n") || scan->left > 0)
        return false;
    for (size_t i = 0; i < CHECK_SIZE; i++)
        number = number << 8 | stored[i];
    return number == pdict__hash64(text.data, size, 0);
}

/* What cannot be read is begun anew, and takes nothing for granted. */
int pdict__anew_state_read(struct store *store, void *txn, uint32_t map, struct anew_state *out)
{
    struct scan scan;
    pdict_slice text;
    int status =
        store->backend->system_get(store->engine, txn, map, pdict_str(SYSTEM_RECODE), &text);

    *out = (struct anew_state){ 0 };
    if (status != PDICT_OK)
        return status;
    scan = scan_begin(text);
    if (!scan_state(&scan, out) || !scan_check(&scan, text))
        *out = (struct anew_state){ .clears = true };
    return PDICT_OK;
}

int pdict__anew_state_write(struct store *store, void *txn, uint32_t map,
                            const struct anew_state *state)
{
    struct buf text = { .allocator = &store->allocator };
    int status = state ? print(state, &text) : PDICT_OK;

    if (status == PDICT_OK)
        status = store->backend->system_put(store->engine, txn, map, pdict_str(SYSTEM_RECODE),
                                            (pdict_slice){ text.data, text.size });
    pdict__buf_free(&text);
    return status;
}

int pdict__anew_state_check(struct store *store, void *txn, uint32_t map,
                            const struct anew_state *state)
{
    struct anew_state stored;
    int status = pdict__anew_state_read(store, txn, map, &stored);

    if (status == PDICT_OK && stored.job == state->job)
        return PDICT_OK;
    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    return pdict_fail(PDICT_BUSY,
                      "%s: another call has taken over the work on this map, or finished it; let "
                      "it, or call again",
                      store->path);
}
