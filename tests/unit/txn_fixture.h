/* SPDX-License-Identifier: MIT */
/* Transactions for their tests. */
#ifndef PDICT_TXN_FIXTURE_H
#define PDICT_TXN_FIXTURE_H

#include "maps.h"

static inline pdict *begin(pdict *d)
{
    pdict *txn;

    CHECK_OK(pdict_begin(d, 0, &txn));
    return txn;
}

/* The keys of a walk, each followed by a blank. */
static inline const char *walk(pdict *d, unsigned flags, const char *from, const char *to)
{
    static char text[4][256];
    static int turn;
    pdict_range range = PDICT_RANGE_INIT;
    pdict_entry entry;
    pdict_iter *iter;
    char *out = text[turn = (turn + 1) % 4];

    range.flags = flags;
    range.from = pdict_str(from);
    range.to = pdict_str(to);
    out[0] = '\0';
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    while (pdict_iter_next(iter, &entry) == PDICT_OK) {
        strncat(out, entry.key.data, entry.key.size);
        strcat(out, "=");
        strncat(out, entry.value.data ? entry.value.data : "", entry.value.size);
        strcat(out, " ");
    }
    pdict_iter_close(iter);
    return out;
}

#endif
