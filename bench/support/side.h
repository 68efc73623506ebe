/* SPDX-License-Identifier: MIT */
/* Both sides of a benchmark beside a raw engine: their data, their stores, and the timed loops. */
#ifndef PDICT_BENCH_SIDE_H
#define PDICT_BENCH_SIDE_H

#include "beside.h"

#define ROUNDS 5
#define BULK   100000
#define GETS   200000
#define PUTS   2000

extern struct side {
    const struct raw_engine *engine;
    const char *directory;
    size_t n_keys;
    char *keys;      /* n_keys, in load order, then PUTS new ones */
    uint32_t *draws; /* GETS places of keys */
    char value[VALUE_SIZE];
} side;

/* side.c */
void side_make_data(void);
void side_free_data(void);
void side_draw(void);
const char *side_key_at(size_t i);
long side_rss_anon_kib(void);
const char *side_path_of(const char *name); /* the last two that were asked for stay */
void side_remove_store(const char *name);
void side_remove_all(void);
pdict *side_open_ours(const char *name, bool is_synced);

/* loops.c: each returns seconds. */
double side_raw_load(size_t count, size_t batch);
double side_raw_gets(void);
double side_raw_gets_in_place(void);
double side_our_load(pdict *d, size_t count, size_t batch, unsigned flags);
double side_our_gets(pdict *d);
double side_our_gets_in_place(pdict *d);
/* Both put the same keys, each its turn in slices. */
void side_play_puts(pdict *d, const char *const *which, double *our_s, double *raw_s);

/* growth.c: gets, puts and openings at 10,000 keys, 100,000 and so on. */
void side_compare_growth(void);

#endif
