/* SPDX-License-Identifier: MIT */
/* The change token at an address that stays readable, whatever the engine does with its mapping. */
#ifndef PDICT_STORE_WINDOW_H
#define PDICT_STORE_WINDOW_H

#include "base/base.h"

/*
 * Readers of a cache look at the token without being inside a call, so nobody can tell when the
 * last of them has looked. What they look at are the same pages of shared memory that the engine
 * has mapped, mapped once more by us: they are replaced in one step, never taken away.
 */
struct window {
    unsigned char *pages; /* one for each word; NULL: not made */
    size_t page_size;
};

/* Show the pages where these words lie; `shown` is where. False: the system cannot, or they are no
 * shared memory; nothing has changed then. */
bool pdict__window_show(struct window *window, const volatile uint64_t *const words[2],
                        const volatile uint64_t *shown[2]);
/* Show zeros instead. */
void pdict__window_blank(struct window *window);
/* Once nobody looks any more. */
void pdict__window_close(struct window *window);

#endif
