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

/* A key that was used, maybe more than once. */
struct note {
    int64_t at_ms;
    pdict_slice key;
};

/* To note is to append; an index is made, of what is not in it yet, only when somebody asks. */
struct notes {
    struct buf log; /* one note behind the other: its time, the size of its key, its key */
    size_t count;
    size_t *index;  /* a note's place in the log + 1, by the hash of its key; 0: free */
    size_t n_slots; /* of the index: 0 or a power of two */
    size_t indexed; /* the log up to here */
};

/* What is used without an entry that could say when it was noted. */
struct recent_use {
    uint64_t hash;
    int64_t at_ms;
};

#define RECENT_USES 256

/* One thread puts notes in without a lock, which would keep its next cache misses waiting; who has
 * the lock of the shard takes them out. */
#define RING_NOTES    256
#define RING_KEY_MOST 48

struct note_ring {
    _Atomic size_t n_put, n_taken; /* ever */
    struct {
        int64_t at_ms;
        uint64_t key_size;
        uint8_t key[RING_KEY_MOST];
    } notes[RING_NOTES];
};

struct access_shard {
    _Alignas(64) pthread_mutex_t lock; /* innermost */
    struct notes notes;
    _Atomic(struct note_ring *) ring; /* of the thread whose hazards have the shard's number */
    struct recent_use recent[RECENT_USES];
};

/* The note at a place, and the place behind it. */
static inline size_t pdict__note_read(const struct notes *notes, size_t at, struct note *out)
{
    uint64_t key_size;

    memcpy(&out->at_ms, notes->log.data + at, sizeof(out->at_ms));
    memcpy(&key_size, notes->log.data + at + sizeof(out->at_ms), sizeof(key_size));
    at += sizeof(out->at_ms) + sizeof(key_size);
    out->key = (pdict_slice){ notes->log.data + at, key_size };
    return at + key_size;
}

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

/* A key whose entry was created then. */
struct use {
    pdict_slice key;
    int64_t created_ms;
};

/* Note that keys are being used, and answer for how many of them, from the first on, there was
 * memory to do so. */
size_t pdict__access_note(struct access *access, const struct use *uses, size_t count);
/* When that was last; 0: it is not noted. */
int64_t pdict__access_noted(struct access *access, pdict_slice key);
/* What was noted is written, unless others keep writing, and forgotten. NULL is fine. */
void pdict__access_free(struct access *access);

/* ---- notes.c; with the lock of the shard, but for one ---- */

/* False: no memory. */
bool pdict__note_append(struct notes *notes, pdict_slice key, int64_t now_ms);
/* By the one thread that is going to use the ring. In vain where there is no memory: then every
 * note takes the lock. */
void pdict__note_ring_new(struct access_shard *shard);
/* By that thread, without the lock. False: there is no ring, or it is full. */
bool pdict__note_put(struct access_shard *shard, pdict_slice key, int64_t now_ms);
/* What is in the ring goes into the log, as far as there is memory. */
void pdict__notes_drain(struct access_shard *shard);
/* When a key was last noted; 0: it is not in the log. */
int64_t pdict__notes_search(struct notes *notes, const uint8_t *secret, pdict_slice key);
void pdict__notes_free(struct notes *notes);

/* ---- access_flush.c ---- */

/* One transaction, if there is anything to write. PDICT_BUSY: it is tried again the next time. */
int pdict__access_flush(struct access *access, int64_t timeout_ms, bool *has_more);
void pdict__access_flush_free(struct access_flush *flush);

#endif
