/* SPDX-License-Identifier: MIT */
/* The least that a hash table can cost: open addressing, at most half full, and nothing else. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stdbool.h>
#include <stddef.h>

struct bare_slot;

/** No locks, no pins, no expiry, no eviction, no deletion. Any number of threads may read. */
struct bare {
    struct bare_slot *slots; /* owned */
    size_t mask;
};

/** Room for `count` keys; false: out of memory. */
bool bare_make(struct bare *bare, size_t count);
void bare_free(struct bare *bare);
/** Copy a key that is not there yet, and its value; false: out of memory. */
bool bare_put(struct bare *bare, const char *key, size_t key_size, const void *value,
              size_t value_size);
/** The value of a key that is there. Borrowed. */
const unsigned char *bare_get(const struct bare *bare, const char *key, size_t key_size);

#endif
