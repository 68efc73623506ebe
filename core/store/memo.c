/* SPDX-License-Identifier: MIT */
/* A table of numbers in which the newer one takes the place of the older one. */
#include "store/memo.h"

uint64_t pdict__memo_get(const struct memo *memo, uint64_t hash)
{
    size_t at = hash % MEMO_SLOTS;
    uint64_t number = atomic_load_explicit(&memo->slots[at].number, memory_order_relaxed);
    uint64_t check = atomic_load_explicit(&memo->slots[at].check, memory_order_relaxed);

    return (check ^ number) == hash ? number : 0;
}

void pdict__memo_put(struct memo *memo, uint64_t hash, uint64_t number)
{
    size_t at = hash % MEMO_SLOTS;

    if (number == 0 && pdict__memo_get(memo, hash) == 0)
        return;
    atomic_store_explicit(&memo->slots[at].number, number, memory_order_relaxed);
    atomic_store_explicit(&memo->slots[at].check, hash ^ number, memory_order_relaxed);
}
