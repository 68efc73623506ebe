/* SPDX-License-Identifier: MIT */
/* When entries were last used: noted in RAM, written in the background and at the close. */
#ifndef PDICT_MAP_ACCESS_H
#define PDICT_MAP_ACCESS_H

#include "map/map.h"

/*
 * A use is noted with its key, and written to the backend's access table by id. What is stored lags
 * behind by the granularity at most, which is shared out in four steps: a hit may find its entry
 * noted already up to one step ago; a use within one step of the creation or of the time that is
 * stored is not written; what is noted waits up to one step for the flush; and the last step is for
 * the flush itself.
 */
#define ACCESS_STEPS 4

#define ACCESS_SHARDS 8

/* A key that was used. Free: at_ms is 0. */
struct note {
    uint64_t hash;
    int64_t at_ms;
    size_t key_at, key_size; /* in `keys` */
};

struct notes {
    struct note *slots;
    size_t n_slots, count; /* n_slots is 0 or a power of two */
    struct buf keys;
};

struct access_shard {
    _Alignas(64) pthread_mutex_t lock; /* innermost */
    struct notes notes;
};

struct due; /* access_flush.c */

/* What is being written. First the keys are looked up, in their order, and then their rows are
 * written in that of ids: so each page of a tree is met once, not once for each of its rows. */
struct access_flush {
    struct notes taken[ACCESS_SHARDS];
    struct due *due; /* what was taken, by key */
    size_t n_due, n_known;
    pdict_access *items; /* of the keys that are known; by id once they all are */
    size_t n_items, n_written;
};

struct access {
    struct access_shard shards[ACCESS_SHARDS];
    struct map *map;
    _Atomic int64_t step_ms;
    struct chore chore;
    atomic_bool is_on; /* the chore */
    void *memory;      /* as the allocator gave it */

    /* Of whoever flushes: the chore or, once that is gone, the close. */
    struct access_flush flush;
};

/* What an entry's `visited` says beside the tick in which its use was noted. */
#define VISITED_NOT   0
#define VISITED_TICKS 253
#define VISITED_USED  254 /* used, but not noted */
#define VISITED_ONCE  255 /* spared by the eviction once more, used or not */

/* Note that a key, whose entry was created then, is being used. False: there was no memory to. */
bool pdict__access_note(struct access *access, pdict_slice key, int64_t created_ms);
/* When that was last; 0: it is not noted. */
int64_t pdict__access_noted(struct access *access, pdict_slice key);
/* What was noted is written, unless others keep writing, and forgotten. NULL is fine. */
void pdict__access_free(struct access *access);

/* ---- access_flush.c ---- */

/* One transaction, if there is anything to write. PDICT_BUSY: it is tried again the next time. */
int pdict__access_flush(struct access *access, int64_t timeout_ms, bool *has_more);
void pdict__access_flush_free(struct access_flush *flush);
void pdict__notes_free(struct notes *notes);

#endif
