/* SPDX-License-Identifier: MIT */
/* What a walk is to visit: order, prefix and bounds of a range as a scan of the backend. */
#include "map/range.h"

int pdict__bound_set(struct buf *buf, pdict_slice *bound, const void *data, size_t size)
{
    int status;

    buf->size = 0;
    if ((status = pdict__buf_reserve(buf, size + 1)) != PDICT_OK)
        return status;
    if ((status = pdict__buf_append(buf, data, size)) != PDICT_OK)
        return status;
    *bound = pdict_bytes(buf->data, size);
    return PDICT_OK;
}

static int compare(pdict_slice a, pdict_slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The first key behind all that begin with `prefix`: its last byte below 255 plus one, the rest
 * cut off. A prefix of 255s has no such key. */
static int prefix_end(pdict_slice prefix, struct buf *to, pdict_scan *scan)
{
    const uint8_t *bytes = prefix.data;
    size_t size = prefix.size;
    int status;

    while (size > 0 && bytes[size - 1] == 0xFF)
        size--;
    if (size == 0)
        return PDICT_OK;
    if ((status = pdict__bound_set(to, &scan->to, bytes, size)) == PDICT_OK)
        to->data[size - 1]++;
    return status;
}

int pdict__range_bounds(const pdict_range *range, struct bounds *bounds, pdict_scan *scan)
{
    int status = PDICT_OK;

    if (range->prefix.size > 0) {
        status =
            pdict__bound_set(&bounds->from, &scan->from, range->prefix.data, range->prefix.size);
        if (status == PDICT_OK)
            status = prefix_end(range->prefix, &bounds->to, scan);
    }
    if (status == PDICT_OK && range->from.data &&
        (!scan->from.data || compare(range->from, scan->from) > 0))
        status = pdict__bound_set(&bounds->from, &scan->from, range->from.data, range->from.size);
    if (status == PDICT_OK && range->to.data &&
        (!scan->to.data || compare(range->to, scan->to) < 0))
        status = pdict__bound_set(&bounds->to, &scan->to, range->to.data, range->to.size);
    return status;
}

static unsigned scan_flags(const pdict_range *range)
{
    bool is_bounded = range->prefix.size > 0 || range->from.data || range->to.data;
    unsigned flags = 0;

    if ((range->flags & PDICT_BY_KEY) || is_bounded)
        flags |= PDICT_SCAN_BY_KEY;
    if (range->flags & PDICT_REVERSE)
        flags |= PDICT_SCAN_REVERSE;
    if (range->flags & PDICT_KEYS_ONLY)
        flags |= PDICT_SCAN_NO_VALUES;
    return flags;
}

/* Where names are hidden, rows lie in the order of hashes, and their keys in their records. */
int pdict__range_flags(const pdict *d, const pdict_range *range, unsigned *out)
{
    *out = scan_flags(range);
    if (!pdict__settings(d->map)->descriptor.hides_names)
        return PDICT_OK;
    if (*out & PDICT_SCAN_BY_KEY)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: map '%s' hides its keys (names=hidden), so it has no order of keys, "
                          "ranges or prefixes; walk it in insertion order",
                          d->map->store->path, d->name);
    *out &= ~(unsigned)PDICT_SCAN_NO_VALUES;
    return PDICT_OK;
}
