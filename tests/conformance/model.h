/* SPDX-License-Identifier: MIT */
/* What a store should hold, kept as plainly as possible: arrays that are searched from the front. */
#ifndef PDICT_CONFORMANCE_MODEL_H
#define PDICT_CONFORMANCE_MODEL_H

#include "conformance.h"

enum {
    MODEL_MAPS = 4,
    MODEL_KEYS = 120,
    MODEL_NAMES = 3
};

/* Slices in a model live as long as the case, so a model is copied by assignment. */
struct model_map {
    uint32_t number; /* 0: there is no map in this place */
    unsigned name;
    size_t count;
    pdict_row rows[MODEL_KEYS]; /* in insertion order */
    pdict_slice system[MODEL_NAMES];
};

struct model {
    struct model_map maps[MODEL_MAPS];
    pdict_slice system[MODEL_NAMES];
};

/* NULL when there is no such row; expired rows are found. */
pdict_row *model_find(struct model_map *map, pdict_slice key);

/* Make a change and return its status. An inserted row takes over the id in `change`. */
int model_change(struct model_map *map, const pdict_change *change, int64_t now_ms);
uint64_t model_count(const struct model_map *map, int64_t now_ms);
struct rows model_scan(const struct model_map *map, const pdict_scan *scan);

#endif
