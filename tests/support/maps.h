/* SPDX-License-Identifier: MIT */
/* Maps for tests of the public API: every promise is tried on several backends and pipelines. */
#ifndef PDICT_TEST_MAPS_H
#define PDICT_TEST_MAPS_H

#include <pdict/pdict.h>

#include "test.h"

/* One way to keep a map. */
struct setup {
    const char *backend;
    const char *codecs; /* in a URI */
    bool is_persistent;
    bool is_sealed;
};

extern const struct setup setups[];
extern const size_t n_setups;

/* Run a check for every setup, each with a store of its own; a failure names the setup. */
void for_each_setup(void (*check)(const struct setup *setup));

/* The URI of the store `name` of this test, with more options behind it: "&ttl=1s", or "". */
const char *setup_uri(const struct setup *setup, const char *name, const char *more);
/* Open it, with the key where the setup needs one; fails the test. */
pdict *setup_open(const struct setup *setup, const char *name, const char *more);
int setup_try(const struct setup *setup, const char *name, const char *more, pdict **out);

/* The clock that stands still; 1,700,000,000,000 ms at first. Maps of setup_open() run on it. */
extern _Atomic(int64_t) test_now_ms;
int64_t test_clock(void *ctx);

/* The 32-byte key of sealed setups. */
extern const pdict_slice test_key;
/* Options with that clock and, if asked, that key. */
pdict_options test_options(bool with_key);

/* Shorthands; each fails the test when the call does. */
void put(pdict *d, const char *key, const char *value);
void put_ttl(pdict *d, const char *key, const char *value, int64_t ttl_ms);
/* The value is that text; NULL: absent. */
void check_value(pdict *d, const char *key, const char *expected);
uint64_t count_of(pdict *d);

#endif
