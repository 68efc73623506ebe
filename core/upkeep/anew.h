/* SPDX-License-Identifier: MIT */
/* A map whose records are made anew while it is in use: what is to come of it, how far it is. */
#ifndef PDICT_UPKEEP_ANEW_H
#define PDICT_UPKEEP_ANEW_H

#include "upkeep/upkeep.h"

/*
 * 1. One commit changes the settings, and notes that the work has begun. From then on nothing is
 *    stored that was made by the old ones, since such commits are turned back (store/writer.c).
 * 2. Rows are made anew by the order of their ids, each if its version is still the same; with each
 *    commit it is noted how far the work is.
 * 3. All rows are read back; then one commit drops what only the old records needed.
 * 4. Where these were plain and the new ones are sealed, the file is rewritten.
 *
 * What is noted is a hint. What is true is said by the descriptor, the keyring and the records.
 */
#define SYSTEM_RECODE "recode"

/* ---- anew_state.c: how far it is, as a value of the SYSTEM space ---- */

struct anew_state {
    uint64_t job;     /* random: whoever finds another one has been overtaken */
    bool is_sealed;   /* 3 is done */
    bool clears;      /* 4 is to come */
    uint64_t next_id; /* rows below it are done */
    uint64_t done;    /* rows so far */
};

/* PDICT_NOTFOUND: there is nothing to go on with. */
int pdict__anew_state_read(struct store *store, void *txn, uint32_t map, struct anew_state *out);
/* NULL: remove it. */
int pdict__anew_state_write(struct store *store, void *txn, uint32_t map,
                            const struct anew_state *state);
/* PDICT_BUSY: it is somebody else's by now. */
int pdict__anew_state_check(struct store *store, void *txn, uint32_t map,
                            const struct anew_state *state);

/* ---- anew_goal.c: the settings, before and after ---- */

struct anew {
    pdict *d;
    struct codecs codecs;
    bool has_codecs;
    bool is_rekey;
    struct secret secret;
    pdict_kdf kdf;
    uint64_t bytes_per_second;
    struct progress progress;
    pdict_recode_result result;

    struct anew_state state;
    struct keyring *made; /* of a map that was plain */
    int damage;           /* status of the first record that cannot be read */
    char damage_text[512];
};

/* Change the settings, or find that it was done; `state` says where to go on. */
int pdict__anew_begin(struct anew *anew);
/* All records are new: nothing else is taken any more. */
int pdict__anew_end(struct anew *anew);
/* Does a record look as new ones do? */
bool pdict__anew_is_new(const struct anew *anew, const struct record_header *header);

/* ---- anew_walk.c: the records ---- */

/* Can every value be carried over? PDICT_INVAL. */
int pdict__anew_check(struct anew *anew, const pdict_codec *from, const pdict_codec *to);
int pdict__anew_rewrite_rows(struct anew *anew);
/* *is_done false: there are old ones yet. */
int pdict__anew_verify(struct anew *anew, bool *is_done);

#endif
