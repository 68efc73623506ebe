/* SPDX-License-Identifier: MIT */
/* The gate file: one small page that all processes share which have a store open. */
#ifndef PDICT_STORE_GATEFILE_H
#define PDICT_STORE_GATEFILE_H

#include <pthread.h>

#include "store/memo.h"
#include "store/ring.h"

#define GATEFILE_ENDING "-pdict"
#define GATEFILE_LAYOUT 4

#define BOOT_ID_SIZE     40
#define RING_SECRET_SIZE 192

/* What the page says of itself. Pages with another head are not shared. */
struct gate_head {
    char magic[8];
    uint32_t layout;
    uint32_t word_bits;
    uint32_t mutex_size;
    uint32_t page_size;
    char boot_id[BOOT_ID_SIZE]; /* of the machine: a mutex does not reach beyond it */
};

struct gate_page {
    struct gate_head head;
    pthread_mutex_t mutex; /* robust: it survives the death of who holds it */
    _Atomic uint64_t is_poisoned;
    _Atomic int64_t checkpoint_wanted_ms; /* steady clock; 0: by nobody */
    uint64_t limits_word;                 /* moves when limits do; under the mutex */
    _Atomic uint64_t generation;          /* as in shared.c */
    uint8_t secret[RING_SECRET_SIZE];     /* random, of this page */
    struct ring ring;
    struct memos memos;
};

/*
 * Who has it open holds a shared lock on its first byte, that of an open file description (not of
 * the process). Whoever gets that lock alone makes the page anew, and the last one removes it.
 */
struct gatefile {
    const pdict_allocator *allocator;
    char *path;             /* NULL: none */
    struct gate_page *page; /* NULL: none */
    int fd;
    int store_fd;           /* of O_PATH: closing it drops no locks of the engine */
    const char *store_path; /* borrowed */
    const uint8_t *secret;  /* borrowed: of a page that is made; NULL: a random one */
    int64_t checked_ms;     /* steady clock: when the names were last looked at */
};

/* Of the settings of all maps: a number that no page had before, so that settings which were read
 * behind the number of an older page are not taken for those of now. */
int pdict__generation_first(_Atomic uint64_t *generation);

/*
 * Join those who have the store open; `out` is without page when a reader cannot. A reader makes
 * no gate file, it joins one that is in use. `secret`, if not NULL, becomes that of the page where
 * it is made here.
 *
 * PDICT_NOT_A_STORE: the name is taken by something else; PDICT_PERMISSION, PDICT_FULL and the like
 * (writers only); PDICT_UNSUPPORTED: the file system cannot lock, or others in another way of
 * sharing have it open; PDICT_BUSY.
 */
int pdict__gatefile_join(const char *store_path, bool is_read_only, int64_t timeout_ms,
                         const uint8_t *secret, const pdict_allocator *allocator,
                         struct gatefile *out);
/* `is_inherited`: through a fork; then the locks are the parent's and stay. */
void pdict__gatefile_part(struct gatefile *gatefile, bool is_inherited);
/* PDICT_NO_STORE: the store or its gate file was removed, replaced, or (noticed somewhat later)
 * moved away. Under the gate. */
int pdict__gatefile_check(struct gatefile *gatefile);

#endif
