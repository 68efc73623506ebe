/* SPDX-License-Identifier: MIT */
/* What a caller holds: maps, handles, views. Joins values with the store they lie in. */
#ifndef PDICT_MAP_MAP_H
#define PDICT_MAP_MAP_H

#include <limits.h>

#include <pdict/pdict.h>

#include "map/flight.h"
#include "store/store.h"
#include "value/value.h"

/* ---- count.c: how many entries have not expired ---- */

struct counted {
    uint64_t count;
    int64_t at_ms;   /* true from then on, */
    int64_t next_ms; /* until then; INT64_MAX: nothing expires */
};

struct count_memo {
    pthread_mutex_t lock; /* innermost */
    bool is_known;
    struct token token; /* of the store, when it was counted */
    struct counted counted;
};

struct map;

void pdict__count_memo_init(struct count_memo *memo);
void pdict__count_memo_destroy(struct count_memo *memo);
/* The tokens of now are not to be compared with those of before. */
void pdict__count_memo_forget(struct count_memo *memo);
/* The engine is closed, with nobody inside, and opened again by whoever comes next; park.c. */
void pdict__maps_park(struct store *store);
int pdict__map_count(struct map *map, int64_t now_ms, uint64_t *count);

/* ---- retrain.c: dictionaries by themselves, in the background ---- */

/* How well values compress lately, beside how well they once did. */
struct drift {
    uint64_t bytes_in, bytes_out; /* all there had been at the last look */
    uint32_t best;                /* bytes out of a million bytes in; 0: not known yet */
};

/* `bytes_in` and `bytes_out` are all there have been. True: values compress so much worse than they
 * did that something else may fit them; what is best is found anew then. */
bool pdict__has_drifted(struct drift *drift, uint64_t bytes_in, uint64_t bytes_out);

struct retrainer {
    struct chore chore;
    atomic_bool is_on;
    struct drift drift; /* of the chore alone */
};

/* ---- map.c: one map of an open store, shared by all its handles ---- */

struct cache; /* cache.h */
struct entry;
struct access; /* access.h */
struct txn;    /* txn.h */

/* With what a plain map is about to be encrypted, and by which handle. */
struct map_key {
    const struct keyring *ring; /* NULL: it is not */
    struct keyring *kept;       /* the same, owned, where it has to outlive the call */
    pdict *d;
};

struct map {
    struct store *store;
    uint32_t number; /* in the engine; never reused */
    struct lifetimes lifetimes;
    _Atomic(struct settings *) settings; /* of now; NULL while it is made */
    pthread_mutex_t settings_lock;       /* held while they are replaced */
    unsigned n_seals;                    /* under settings_lock */
    struct map_key expected;             /* under settings_lock */
    struct pipeline *pipeline;
    struct count_memo counted;
    struct flights flights;
    _Atomic(struct cache *) cache;     /* NULL: no handle asked for one; made under maps_lock */
    _Atomic(uint64_t) untrained_bytes; /* that were put, see retrain.c */
    _Atomic(uint64_t) train_at;        /* so many: it is time to look again; 0: the first time */
    struct retrainer retrainer;
    struct access *access; /* NULL: no handle asked for one; made under maps_lock */
    unsigned references;   /* under store->maps_lock */
    struct map *next;      /* under store->maps_lock */
};

enum asked_limit {
    ASKED_MAX_ENTRIES = 1 << 0,
    ASKED_MAX_BYTES = 1 << 1,
    ASKED_EVICT = 1 << 2,
    ASKED_ON_FULL = 1 << 3
};

/* What the opener asked for; what was not asked for is taken from the map, or its default. */
struct map_wish {
    const char *name;
    const struct codecs *codecs;
    bool has_codecs;
    int has_checksum; /* -1: not asked */
    uint64_t max_value;
    bool has_max_value;
    int hides_names; /* -1: not asked */
    struct secret secret;
    pdict_kdf kdf; /* salt not used */
    struct limits limits;
    unsigned asked_limits; /* enum asked_limit: which of them were asked for */
    struct lifetimes lifetimes;
    bool has_ttl, has_idle;
    bool may_create;
    int64_t timeout_ms;
    unsigned *opened_slot; /* NULL, or receives the slot that the secret opened; 0: none */
    unsigned *proof;       /* NULL, or receives what pdict.proof is to be */
};

/* The SYSTEM values of a map, copied out of a snapshot; empty: there is none. */
struct stored_map {
    uint32_t number;
    struct limits limits;
    struct lifetimes lifetimes;
    uint64_t generation; /* of the store, before they were read; 0: not known */
    struct buf descriptor, codecs, keyring, keyring_copy;
};

void pdict__stored_init(struct stored_map *stored, const pdict_allocator *allocator);
void pdict__stored_free(struct stored_map *stored);
/* Of the map whose number is set, from a snapshot of its own. PDICT_NO_MAP: it is gone. */
int pdict__stored_load(struct store *store, struct stored_map *stored);
/* The same of the map of a name. PDICT_NO_MAP. */
int pdict__stored_find(struct store *store, const char *name, struct stored_map *out);
/* Append a SYSTEM value of a map, nothing where there is none. */
int pdict__stored_value(struct store *store, void *txn, uint32_t number, const char *name,
                        struct buf *out);
/* Make a map as wished, unless another was faster. */
int pdict__map_create(struct store *store, const struct map_wish *wish);
/* The keyring, or its copy, by the master key of one that was open. */
int pdict__stored_reopen(const struct stored_map *stored, const struct keyring *opened,
                         struct keyring **out);
/* For the pipeline of a map. */
struct pipeline_config pdict__map_pipeline_config(struct map *map, const struct settings *settings);

/* Find or make a map, believe its secret and refuse contradictions. Statuses as pdict_open(). */
int pdict__map_open(struct store *store, const struct map_wish *wish, struct map **out);
/* The same for a map that was found already; its name serves error texts only. */
int pdict__map_open_stored(struct store *store, const struct map_wish *wish,
                           const struct stored_map *stored, struct map **out);
void pdict__map_release(struct map *map);

/* How a handle wants to read. */
struct cache_wish {
    size_t budget; /* 0: not through the cache */
    bool is_sealed;
    unsigned coherence; /* enum coherence_mode */
    int64_t bound_ms;
};

/* Join the cache of the map, or make it; NULL where the store has no change token.
 * PDICT_CONTRADICTION: another handle wants another kind. */
int pdict__map_cache(struct map *map, const struct cache_wish *wish, struct cache **out);
/* Join the notes of what is used in the map, or make them. Handles may differ: the finest
 * granularity of any counts. */
int pdict__map_access(struct map *map, int64_t granularity_ms, struct access **out);
/* A name that a map can have: 1-200 bytes of UTF-8 without control characters. */
int pdict__map_name_check(const char *name);

/* Names of values in the SYSTEM space of a map. */
#define SYSTEM_DESCRIPTOR   "descriptor"
#define SYSTEM_CODECS       "codecs"
#define SYSTEM_KEYRING      "keyring"
#define SYSTEM_KEYRING_COPY "keyring.copy"
#define SYSTEM_DICTIONARIES "dictionaries"

/* ---- settings.c: what a map says about itself, while others may change it ---- */

/* Never change but for their number: others take their place, and they stay until the map closes. */
struct settings {
    _Atomic uint64_t number; /* generation of the store, before they were read */
    uint64_t hash;           /* of the texts */
    struct descriptor descriptor;
    struct codecs codecs; /* of the map as a whole, with those for new writes */
    char *codecs_text;
    unsigned seal; /* SEAL_NONE, SEAL_LOCKED, or a number for each time that a secret was proven */
    struct settings *before;
};

#define SEAL_NONE   0        /* not encrypted */
#define SEAL_LOCKED UINT_MAX /* encrypted since, and nobody here has the key */

static inline struct settings *pdict__settings(const struct map *map)
{
    return atomic_load_explicit(&map->settings, memory_order_acquire);
}

/* What is stored, read and believed by this ring, which is NULL exactly when it is not encrypted. */
int pdict__settings_new(struct map *map, const struct stored_map *stored,
                        const struct keyring *ring, struct settings **out);
void pdict__settings_free(const struct map *map, struct settings *settings); /* and all before */
/* Read them again if they are not those of the store; inside. PDICT_NEED_KEY: not for this handle. */
int pdict__settings_refresh(const pdict *d);
/* The same for a pipeline (struct map as ctx), whatever the handle. */
int pdict__settings_renew(void *ctx);
/* The same, having proven a secret: `ring` is open. */
int pdict__settings_adopt(struct map *map, const struct keyring *ring);
/* Until the handle expects NULL again: should the map turn out to be encrypted by this keyring, the
 * handle has proven that it may use it, whichever thread finds out first. */
void pdict__settings_expect(pdict *d, const struct keyring *ring);
/* The same once it is encrypted, but nobody could read it: `ring`, which is taken, is expected until
 * somebody does, or the handle closes. */
void pdict__settings_keep(pdict *d, struct keyring *ring);

/* ---- handles (open/open.c makes and closes them) ---- */

struct pdict {
    struct cache *near;  /* the cache, where a hit needs no more than a look; else NULL */
    struct cache *cache; /* of the map; NULL: this handle reads around it */
    struct map *map;
    struct access *access; /* of the map; NULL: what is used through this handle is not noted */
    struct txn_map *part;  /* of a transaction (txn.h); else NULL */
    char *name;            /* of the map, when it was opened */
    bool is_read_only;
    int durability;
    int64_t sync_within_ms; /* of ordered commits */
    int64_t timeout_ms;
    unsigned opened_slot;     /* 0: not encrypted */
    atomic_uint proof;        /* as settings->seal, if this handle may read what was sealed so */
    struct listener listener; /* fn NULL: none */
    int64_t delay_us;         /* commit_delay */
    int64_t stale_ok_ms;
};

struct pdict_store {
    struct store *store;
    int64_t timeout_ms;
};

/* ---- txn_calls.c: what the calls below do on a transaction ---- */

/* PDICT_CONFLICT (expected): the snapshot is lost. */
int pdict__txn_begin_read(const pdict *d, void **reader);
void pdict__txn_end_read(const pdict *d);
int pdict__txn_row_get(const pdict *d, pdict_slice key, pdict_row *row);
int pdict__txn_change(const pdict *d, pdict_change *changes, size_t count,
                      const struct generation_ref *sealed);
int pdict__txn_count(const pdict *d, uint64_t *out);
/* The access time that the transaction restores with what it puts under the key; 0: none. */
int64_t pdict__txn_restored(const pdict *d, pdict_slice key);
/* The settings when its snapshot began. */
struct generation_ref pdict__txn_settings(const pdict *d);
/* PDICT_MISUSE, naming the call, when the handle is a transaction. */
int pdict__not_inside(const pdict *d, const char *call);

static inline bool pdict__settings_hold(const pdict *d)
{
    struct settings *settings = pdict__settings(d->map);
    uint64_t number = atomic_load_explicit(&settings->number, memory_order_acquire);

    return pdict__generation_holds(d->map->store, number) &&
           (settings->seal == SEAL_NONE ||
            settings->seal == atomic_load_explicit(&d->proof, memory_order_relaxed));
}

/* Are the settings those of the store, and may the handle use the map? Asked by each call before it
 * begins to read, and before it commits. PDICT_NEED_KEY. */
static inline int pdict__settings_check(const pdict *d)
{
    int status = pdict__store_enter(d->map->store);

    if (status != PDICT_OK)
        return status;
    if (!pdict__settings_hold(d))
        status = pdict__settings_refresh(d);
    pdict__store_leave();
    return status;
}

/* Begin a read on the handle's store; a transaction has begun its own. `settings` were in force at
 * a moment before it, so a row that it finds is of these or of later ones. */
static inline int pdict__begin_with(const pdict *d, struct generation_ref *settings, void **reader)
{
    int status;

    if (d->part) {
        *settings = pdict__txn_settings(d);
        return pdict__txn_begin_read(d, reader);
    }
    if ((status = pdict__store_enter(d->map->store)) != PDICT_OK)
        return status;
    if (!pdict__settings_hold(d))
        status = pdict__settings_refresh(d);
    if (status == PDICT_OK) {
        *settings = pdict__pipeline_settings(d->map->pipeline);
        status = pdict__read_begin_inside(d->map->store, reader);
    }
    if (status != PDICT_OK)
        pdict__store_leave();
    return status;
}

/* The same for who decodes nothing. */
static inline int pdict__begin(const pdict *d, void **reader)
{
    struct generation_ref settings;

    return pdict__begin_with(d, &settings, reader);
}

/* What a call reads by: that of a transaction, by the settings of its snapshot. */
const struct generation *pdict__generation_for(const pdict *d);
/* A bench for a call: that of a transaction keeps to the settings of its snapshot. */
struct workbench *pdict__bench_for(const pdict *d);
/* A bench for rows of a snapshot: see pdict__begin_with(). */
struct workbench *pdict__bench_of(const pdict *d, struct generation_ref settings);

static inline void pdict__end(const pdict *d, void *reader)
{
    if (d->part)
        pdict__txn_end_read(d);
    else
        pdict__read_end(d->map->store, reader);
}

/*
 * Where names are hidden, everything behind the public calls knows a key by its keyed hash: caches,
 * transactions, the change ring and the engine. Each call that takes a key exchanges it first, and
 * `room` must live as long as the key does. So what is to be written has a key of this kind, and
 * pdict__name_of() finds what it stands for.
 */
static inline int pdict__hide(const pdict *d, pdict_slice *key, struct hidden_key *room)
{
    int status;

    if (!pdict__settings(d->map)->descriptor.hides_names)
        return PDICT_OK;
    status = pdict__hidden_key(d->map->pipeline, *key, room);
    *key = pdict_bytes(room->bytes, sizeof(room->bytes));
    return status;
}

static inline pdict_slice pdict__name_of(const pdict *d, pdict_slice key)
{
    return pdict__settings(d->map)->descriptor.hides_names
               ? ((const struct hidden_key *)key.data)->name
               : key;
}

static inline int64_t pdict__handle_now(const pdict *d)
{
    return pdict__now(&d->map->store->clock);
}

/* ---- ops.c ---- */

/* The row of a key, and from when on it is absent, expired or unused; 0: never. Borrowed from the
 * reader. */
int pdict__row_read(const struct map *map, void *reader, pdict_slice key, pdict_row *row,
                    int64_t *until_ms);
/* The row of a key that is there; borrowed from the reader. */
int pdict__row_get(const pdict *d, void *reader, pdict_slice key, pdict_row *row);
/* Commit with the handle's settings; durability 0: the handle's. */
int pdict__commit_for(const pdict *d, struct commit *commit, unsigned durability);
/* Commit, and be done with the batch that this thread may have led; see pdict__writer_commit(). */
int pdict__commit(struct store *store, struct commit *commit);
/* Tell who listens of removals, with no lock held; the error text of `status` stays. */
void pdict__tell(struct store *store, struct telling *telling, int status);
/* Commit changes with the handle's settings; durability 0: the handle's. `sealed`: the settings by
 * which the records were made; NULL: there are none. `prepared` is for the cache, see
 * pdict__cache_prepare(), and taken over; NULL: nothing. */
int pdict__change(const pdict *d, pdict_change *changes, size_t count,
                  const struct generation_ref *sealed, unsigned durability, struct entry *prepared);
/* A get around the cache; `out` is zeroed. */
int pdict__get_uncached(const pdict *d, pdict_slice key, pdict_view *out);

/* A put as the backend sees it, apart from key and record. */
struct put_plan {
    uint8_t kind; /* PDICT_CHANGE_DEL when it would expire at once */
    uint8_t condition;
    uint64_t if_version;
    int64_t expires_ms;
    int64_t created_ms;  /* 0: now */
    int64_t accessed_ms; /* 0: now */
    unsigned durability;
    bool is_in_slices;
    uint64_t *version_out;         /* NULL: not wanted */
    const pdict_pair_times *times; /* NULL: all entries have those above */
};

int pdict__put_plan(const pdict *d, const pdict_put_options *how, struct put_plan *out);
/* Kind, expiry and creation of a plan for entries with these times. */
int pdict__plan_times(const pdict *d, const pdict_pair_times *times, struct put_plan *plan);
/* What a put answers for the kind and status of its change. */
int pdict__put_result(const struct put_plan *plan, int kind, int status);

/* ---- limits.c ---- */

/* Does the opener ask for other limits than the map has? PDICT_CONTRADICTION. */
int pdict__limits_agree(const struct map *map, const struct map_wish *wish,
                        const struct limits *limits);
/* Limits that a new map is to have. PDICT_UNSUPPORTED. */
int pdict__limits_begin(struct store *store, void *txn, uint32_t map, const struct limits *limits);

/* ---- access.c: when entries were last used ---- */

/* A key is being used, whose entry was created then. */
void pdict__use(const pdict *d, pdict_slice key, int64_t created_ms);
/* What changes of the handle's map have put was used. */
void pdict__use_puts(const pdict *d, const pdict_change *changes, size_t count);
/* When the row of a key was last used, or created, as far as this process knows. */
int pdict__last_used(const pdict *d, void *reader, pdict_slice key, const pdict_row *row,
                     int64_t *accessed_ms);
/* ---- reseal.c: records that were made by settings of yesterday ---- */

/* Make the records of the puts anew by the settings of now, in `records`; *sealed says by which they
 * are made, before and after. */
int pdict__reseal(const pdict *d, pdict_change *changes, size_t count,
                  struct generation_ref *sealed, struct buf *records);

/* ---- slices.c: many changes in several commits ---- */

struct slices {
    uint32_t map;
    int durability;
    int64_t sync_within_ms;
    int64_t timeout_ms;
    pdict_change *changes;
    size_t count;
    /* Commit some of them: copies, from which what it says of each is taken over. */
    int (*commit)(void *ctx, pdict_change *changes, size_t count);
    void *ctx;
};

/* In one commit where the engine takes that many at once, or cannot give places in the insertion
 * order ahead; else in several, and after a failure any of the changes may have been made. */
int pdict__commit_slices(struct store *store, const struct slices *slices);

/* ---- train.c ---- */

/* Train on the newest rows; result->number 0: nothing gains enough. */
int pdict__train_newest(pdict *d, pdict_train_result *result);

/* ---- retrain.c (struct retrainer above) ---- */

/* After `bytes` were put outside of any transaction: where the map asks for it and it is time, the
 * background looks whether to train. What goes wrong is logged and tried again later. */
void pdict__train_if_due(pdict *d, size_t bytes);

/* ---- sweep.c: expired rows go ---- */

bool pdict__jump_guard_allows(struct jump_guard *guard, int64_t wall_ms, int64_t boot_ms);

/* What one step of a sweep did. */
struct swept {
    uint64_t removed;
    bool has_more;
    int64_t next_ms; /* when the next row expires, as far as known; INT64_MAX: none does */
};

/* What a row of a step takes, once another step is known; how many rows the next may remove then. */
unsigned pdict__row_us(unsigned row_us, uint64_t removed, int64_t took_us);
unsigned pdict__step_rows(unsigned row_us);
/* One transaction of some ten milliseconds at most. PDICT_BUSY: others kept writing. */
int pdict__sweep_step(struct store *store, int64_t timeout_ms, struct swept *swept);
/* Give back a bit of the space that rows left behind, where that is cheap; *has_more: go on. */
int pdict__shrink_step(struct store *store, int64_t timeout_ms, bool *has_more);
/* Sweep from now on in the background, or in pdict_maintain(); nothing if it is on, or not asked
 * for. Called for each put of an entry that expires. */
void pdict__sweeper_start(struct store *store);

/* ---- view.c ---- */

/* What a view holds on to begins with this. */
struct pin {
    void (*release)(struct pin *pin);
};

/* Decode a row into a block of the view's own. */
int pdict__view_fill(const pdict *d, struct workbench *bench, const pdict_row *row,
                     pdict_view *out);

#endif
