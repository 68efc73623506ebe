/* SPDX-License-Identifier: MIT */
/* What a walk is to visit, from the range that the caller named. */
#ifndef PDICT_MAP_RANGE_H
#define PDICT_MAP_RANGE_H

#include "map/map.h"

/** Bounds of a scan that are its own. */
struct bounds {
    struct buf from, to; /* behind scan->from and scan->to */
};

/** Copy a bound; an empty one must not look like none. */
int pdict__bound_set(struct buf *buf, pdict_slice *bound, const void *data, size_t size);
/** PDICT_SCAN_ flags of the order that is asked for, as far as `d` has one. */
int pdict__range_flags(const pdict *d, const pdict_range *range, unsigned *out);
/** Prefix and bounds, whichever is narrower. */
int pdict__range_bounds(const pdict_range *range, struct bounds *bounds, pdict_scan *scan);

#endif
