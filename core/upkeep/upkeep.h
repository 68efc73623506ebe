/* SPDX-License-Identifier: MIT */
/* Care for whole stores: verify, repair, backup, compact, migrate. Opens what it makes by pdict.h. */
#ifndef PDICT_UPKEEP_UPKEEP_H
#define PDICT_UPKEEP_UPKEEP_H

#include "map/map.h"

/* ---- progress.c: how far the work is, and whether to go on ---- */

struct progress {
    pdict_progress_fn fn; /* NULL: nobody asked */
    void *ctx;
    const char *phase;
    uint64_t done;
    uint64_t total; /* 0: not known */
};

/* Each returns PDICT_OK, or PDICT_CANCELLED when the caller said so. */
int pdict__progress_begin(struct progress *progress, const char *phase, uint64_t total);
int pdict__progress_at(struct progress *progress, uint64_t done, uint64_t total);
/* One record more; the caller hears of it now and then. */
int pdict__progress_step(struct progress *progress);
int pdict__progress_end(struct progress *progress);

/* Take over an options or result struct of any known size: PDICT_INVAL when it has none. */
int pdict__struct_take(void *out, size_t out_size, const void *in, const char *name);
/* Fill the caller's result as far as it reaches. */
void pdict__struct_give(void *out, const void *result, size_t size);

/* The secret of an options struct. PDICT_CONTRADICTION: both were given. */
int pdict__secret_take(pdict_slice passphrase, pdict_slice key, struct secret *out);

/* ---- file.c: files that appear only when they are whole ---- */

/* `name` with `ending` behind it, or with it taken off; owned. */
char *pdict__path_add(const pdict_allocator *allocator, const char *path, const char *ending);
char *pdict__path_cut(const pdict_allocator *allocator, const char *path, const char *ending);
/* PDICT_EXISTS, with a text, when something has this name. */
int pdict__path_is_free(const char *path);
/* The name of a job: that of the file it is about, and this. */
#define JOB_ENDING "-job"
/* Make the file `path`, which nobody may have, or take over what a dead process left of it; held
 * until closed. PDICT_BUSY: a living one holds it. */
int pdict__job_begin(const char *path, int *fd);
void pdict__job_end(const char *path, int *fd);
/* Make an empty file, in the place of one that is there, with the permissions of `like`.
 * PDICT_PERMISSION: a link is there, which whoever may write to the directory can put there. */
int pdict__file_make(const char *path, const char *like);
/* Of the file and of those beside it whose names begin with its own and a minus, as far as it can
 * be set. */
void pdict__file_set_mode(const char *path, unsigned mode);
/* Sync a file that nobody has open and give it its name, unless that is taken: PDICT_EXISTS. */
int pdict__file_publish(const char *path, const char *final_path);
/* Remove the files beside it whose names go on with '-', all but the job; or it and them. */
void pdict__file_clear(const char *path);
void pdict__file_remove(const char *path);

/* ---- maps.c: the maps of a store and what they say about themselves ---- */

struct named_map {
    uint32_t number;
    char *name;
};

struct map_list {
    const pdict_allocator *allocator;
    struct named_map *maps; /* in the order of their creation */
    size_t count;
};

/* All maps of a snapshot, or the one named: PDICT_NO_MAP, with a text, when it is not there. */
int pdict__map_list_add(struct map_list *list, uint32_t number, pdict_slice name);
int pdict__map_list_read(struct store *store, void *txn, const char *only, struct map_list *out);
void pdict__map_list_free(struct map_list *list);

enum map_text {
    TEXT_DESCRIPTOR,
    TEXT_CODECS,
    TEXT_KEYRING,
    TEXT_KEYRING_COPY,
    TEXT_DICTIONARIES,
    TEXT_LIMITS,
    TEXT_LIFETIMES,
    TEXT_RECODE, /* how far a recode is, see anew.h */
    MAP_TEXTS
};

/* The SYSTEM values of a map; empty: there is none. */
struct map_texts {
    struct buf texts[MAP_TEXTS];
};

static inline pdict_slice map_text(const struct map_texts *texts, enum map_text text)
{
    return pdict_bytes(texts->texts[text].data, texts->texts[text].size);
}

void pdict__map_texts_init(struct map_texts *texts, const pdict_allocator *allocator);
void pdict__map_texts_free(struct map_texts *texts);
int pdict__map_texts_read(struct store *store, void *txn, uint32_t map, struct map_texts *out);
int pdict__map_texts_write(struct store *store, void *txn, uint32_t map,
                           const struct map_texts *texts);
bool pdict__map_texts_equal(const struct map_texts *a, const struct map_texts *b);

/* Open a map of which this is known. A secret is given to it only if it is encrypted. */
int pdict__map_open_known(struct store *store, const struct named_map *map,
                          const struct map_texts *texts, const struct secret *secret,
                          struct map **out);

/* ---- target.c: a new store, made under a name of its own until it is whole ---- */

struct target {
    pdict_store *handle;
    struct store *store;
    const pdict_allocator *allocator;
    const char *ending; /* of names until then: ".migrating" */
    char *path;         /* what it will be called; NULL: the store has no files, its maps are */
    char *working_path; /* what it is called */
    char *job_path;
    int job_fd;
    struct map_list made; /* what was made in it, by the names they will have */
};

/*
 * Open the store that `uri` is to become, or what an earlier run left of it. A store without files
 * has to be open in this process; then it is the maps that get the ending. PDICT_EXISTS: the name
 * is taken; PDICT_BUSY: somebody is at it; else as pdict_store_open().
 */
int pdict__target_open(struct store *from, const char *uri, const char *ending,
                       struct target *target);
/* Its owner's alone, whoever may read the source. Before anything is written to it. */
void pdict__target_make_private(const struct target *target);
/* The name a map has in the target until it is whole; owned. */
char *pdict__target_name(const struct target *target, const char *name);
/* A map of this name is part of the target. */
int pdict__target_note(struct target *target, const char *name, uint32_t map);
/* Drop a map, by the name it has now; absent is fine. */
int pdict__target_drop(struct target *target, const char *name);
/* Make a map, empty even if it is there. PDICT_EXISTS, with a text: its final name is taken. */
int pdict__target_create_map(struct target *target, const char *name, const struct map_texts *texts,
                             uint32_t *map);
/* Give everything its final name, durably. The target is closed whatever comes of it. */
int pdict__target_publish(struct target *target);
/* Close; of a store with files, what there is so far is kept for the next run if `keep`. */
void pdict__target_close(struct target *target, bool keep);

/* ---- batch.c: changes with their bytes, gathered and made at once ---- */

/* Of bytes and changes together; one entry more than that is always taken. */
#define BATCH_BYTES ((size_t)12 << 20)

struct batch {
    struct store *store;
    uint32_t map;
    int64_t timeout_ms;
    struct buf bytes;   /* key and value of each change, one behind the other */
    struct buf changes; /* of pdict_change */
    size_t count;
    size_t most; /* changes that can be made at once */
};

void pdict__batch_init(struct batch *batch, struct store *store, uint32_t map, int64_t timeout_ms);
void pdict__batch_free(struct batch *batch);
int pdict__batch_put(struct batch *batch, const pdict_row *row);
int pdict__batch_del(struct batch *batch, pdict_slice key);
static inline bool pdict__batch_is_full(const struct batch *batch)
{
    return batch->count >= batch->most || batch->bytes.size + batch->changes.size >= BATCH_BYTES;
}
static inline pdict_change *pdict__batch_changes(const struct batch *batch)
{
    return (pdict_change *)(void *)batch->changes.data;
}
/* Point the changes at their bytes; nothing may be added any more. */
void pdict__batch_settle(struct batch *batch);
/* Make the settled changes, expiry aside, and begin anew. */
int pdict__batch_commit(struct batch *batch);

/* ---- recode.c: records through another pipeline, on several threads ---- */

struct recoder {
    struct map *from;
    struct map *to;
};

struct recoded; /* the new records of one batch */

/* Replace the records of a settled batch; they live until the result is freed. */
int pdict__recode_batch(const struct recoder *recoder, struct batch *batch, struct recoded **out);
void pdict__recoded_free(struct recoded *recoded);

/* ---- texts.c: what a map with other codecs says about itself ---- */

/* The SYSTEM values of a map like `from`, but with these codecs. The data keys stay where the
 * cipher does; a new cipher makes new ones, for `secret`. */
int pdict__texts_for_codecs(const struct map *from, const struct map_texts *from_texts,
                            const struct codecs *codecs, const struct secret *secret,
                            struct map_texts *out);

/* ---- copy.c: the rows of a map, into one that may hold some of them already ---- */

struct map_copy {
    struct store *from;
    void *snapshot;
    uint32_t from_map;
    struct store *to;
    uint32_t to_map;
    bool is_new;                   /* to_map is known to be empty */
    const struct recoder *recoder; /* NULL: records stay as they are */
    int64_t now_ms;                /* what has expired by then is left out */
    int64_t timeout_ms;
    struct progress *progress;
    pdict_migrate_result *result;
};

int pdict__copy_rows(const struct map_copy *copy);
/* Once the rows are copied: their access times, where both backends keep such. */
int pdict__copy_access(const struct map_copy *copy);
/* Walk both maps: PDICT_DAMAGED at the first entry that is not the same. */
int pdict__compare_rows(const struct map_copy *copy);

/* ---- walk.c: all rows that can be read, around those that cannot ---- */

struct walk {
    struct store *store;
    void *txn;
    uint32_t map;
    void *cursor;
    uint64_t next_id; /* nothing below it is still to come */
    uint64_t steps;
    uint64_t gap_from, gap_to;
};

void pdict__walk_begin(struct walk *walk, struct store *store, void *txn, uint32_t map);
/* PDICT_OK; PDICT_END; PDICT_DAMAGED or PDICT_IO, with the engine's text: there is no reading the
 * ids gap_from <= id < gap_to, and the next call goes on behind them. */
int pdict__walk_next(struct walk *walk, pdict_row *row);
void pdict__walk_end(struct walk *walk);

/* ---- judge.c: is a record what was once put? ---- */

/* A map as far as it can be believed. */
struct judge {
    struct map *map;     /* NULL: it cannot be opened; then... */
    bool has_descriptor; /* ...the shape of records may still be judged by this: */
    struct descriptor descriptor;
    struct workbench *bench; /* with `map` */
};

/* The status says what is wrong with the map, and the judge does what it can. Only PDICT_NOMEM and
 * the like end the work. PDICT_NEED_KEY: no secret was given. */
int pdict__judge_open(struct store *store, const struct named_map *map,
                      const struct map_texts *texts, const struct secret *secret,
                      struct judge *judge);
void pdict__judge_close(struct judge *judge);
/* PDICT_OK; else as pdict_get(). `is_proven` false: only its shape was looked at. */
int pdict__judge_row(struct judge *judge, const pdict_row *row, bool *is_proven);
/* Whether a status speaks of what is stored rather than of the machine. */
bool pdict__is_damage(int status);

#endif
