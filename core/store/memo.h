/* SPDX-License-Identifier: MIT */
/* Numbers under hashes, remembered while there is room: any of them may be forgotten. */
#ifndef PDICT_STORE_MEMO_H
#define PDICT_STORE_MEMO_H

#include <stdatomic.h>

#include "base/base.h"

#define MEMO_SLOTS 4096

/* All zero: empty. Written and read by any thread of any process without a lock. A slot whose two
 * words do not belong together, as between two writes of it, is empty. */
struct memo {
    struct {
        _Atomic uint64_t check; /* hash ^ number */
        _Atomic uint64_t number;
    } slots[MEMO_SLOTS];
};

enum memo_kind {
    MEMO_ABSENT_UNTIL, /* Unix time: what was computed was that there is nothing */
    MEMO_COST_MS,      /* of the last computation */
    MEMO_KINDS
};

/* What all who have a store open remember of its keys, by hashes of map and key. */
struct memos {
    struct memo of[MEMO_KINDS];
    _Atomic int64_t stale_ok_ms; /* expired rows are kept for so long */
};

/* The number; 0: none. */
uint64_t pdict__memo_get(const struct memo *memo, uint64_t hash);
/* 0 forgets. */
void pdict__memo_put(struct memo *memo, uint64_t hash, uint64_t number);

#endif
