/* SPDX-License-Identifier: MIT */
/* The model-based tester: one seeded stream of operations, on a map and on a model of it. */
#ifndef PDICT_TEST_MODEL_H
#define PDICT_TEST_MODEL_H

#include <pdict/pdict.h>

#include <stdio.h>

#define N_KEYS    600                 /* the keys of all streams, see bytes.c */
#define N_MAPS    2                   /* of one store, to see that they keep apart */
#define N_HELD    4                   /* views held for a while */
#define BATCH_MAX 11000               /* more than lmdb takes in one commit of a load in slices */
#define VALUE_MAX ((size_t)128 << 10) /* max_value of the maps */

/* ---- the bytes of keys and values ---- */

void bytes_init(void);
pdict_slice key_bytes(unsigned key);
/* The place of a key in byte order. */
unsigned key_rank(unsigned key);

/* A value: `size` bytes of noise, or of text that compresses, from a place in it; or a number. */
struct value {
    uint32_t at;
    uint32_t size;
    bool is_text;
    bool is_number; /* in decimal; the other members count for nothing */
    int32_t number;
};

pdict_slice value_bytes(struct value value); /* of a number: until the eighth next call */
int compare_slices(pdict_slice a, pdict_slice b);
/* A well mixed number from two others. */
uint64_t mix(uint64_t a, uint64_t b);

/* ---- operations ---- */

enum op_kind {
    OP_GET,
    OP_GET_WITH,
    OP_CONTAINS,
    OP_META,
    OP_COUNT,
    OP_STATS,
    OP_GET_MANY,
    OP_WALK,
    OP_HOLD,      /* keep a view of `key` in place `count` */
    OP_LET,       /* check the view of place `count` and release it */
    OP_PUT,       /* the first that writes */
    OP_DEL,       /* */
    OP_PUT_MANY,  /* */
    OP_DEL_MANY,  /* */
    OP_ADD,       /* value.number */
    OP_POP,       /* */
    OP_MODIFY,    /* to the value, or with `flags` to nothing */
    OP_TOUCH,     /* in way `flags` of enum touch, by time_ms */
    OP_CLEAR,     /* the last that writes */
    OP_BAD_PUT,   /* malformed in way number `count` */
    OP_BAD_CLEAR, /* without the confirmation */
    OP_CLEAR_CACHE,
    OP_SYNC,
    OP_LIST,     /* the maps of the store */
    OP_RENAME,   /* the second map, there and back */
    OP_DROP,     /* the second map, and make it anew */
    OP_SWEEP,    /* what has expired, of both maps */
    OP_LIMIT,    /* `map` to `count` entries, 0: no limit; in way `flags` of enum limit */
    OP_COMPACT,  /* the store */
    OP_BACKUP,   /* and everything in the copy is looked at */
    OP_CLOCK,    /* by time_ms, forward or back */
    OP_CLOCK_TO, /* time_ms beside the moment when `key` expires */
    OP_REOPEN,   /* all handles; read-only in between when `flags` */
    OP_TXN,      /* the next `count` operations in a transaction; aborted with `flags` */
    OP_CRASH,    /* a child does the next `count` operations and is killed after `key` of them */
    N_OPS
};

enum expiry {
    EXPIRY_NONE,
    EXPIRY_TTL, /* time_ms from now */
    EXPIRY_AT   /* the moment time_ms from now, which may have passed */
};

enum touch {
    TOUCH_TTL,
    TOUCH_UNTIL, /* the moment time_ms from now, which may have passed */
    TOUCH_PERSIST,
    TOUCH_GET
};

enum limit {
    LIMIT_FIFO,
    LIMIT_TTL,
    LIMIT_LRU, /* of the map whose reads are no uses; FIFO of the other */
    N_LIMITS
};

enum version_class {
    VERSION_CURRENT,
    VERSION_STALE
};

enum edit {
    EDIT_NONE,
    EDIT_DELETE, /* the entry that was just seen */
    EDIT_UPDATE, /* the entry that was just seen */
    EDIT_OTHER   /* some key; only along a snapshot */
};

/* What edits put. */
#define EDIT_VALUE                                                                                 \
    {                                                                                              \
        .at = 0, .size = 20                                                                        \
    }

/* A bound of a walk: the first `cut` bytes of a key, and perhaps a NUL behind it. */
struct bound {
    bool is_set;
    bool has_nul;
    uint16_t key;
    uint16_t cut;
};

struct op {
    uint8_t kind;
    uint8_t map;
    uint8_t condition; /* enum pdict_put_flags */
    uint8_t version;   /* enum version_class */
    uint8_t expiry;
    uint8_t edit;
    uint16_t key;
    uint16_t count;
    uint16_t flags; /* enum pdict_range_flags; bit 0 of OP_PUT asks for
                         version_out, of OP_PUT_MANY for slices */
    uint32_t seed;  /* the keys and values of a batch follow from it */
    int64_t time_ms;
    struct value value;
    struct bound prefix, from, to;
};

bool op_writes(const struct op *op);
/* May it be done in a transaction? */
bool op_fits_inside(const struct op *op);
/* The keys and values of a batch. */
unsigned batch_key(const struct op *op, unsigned at);
struct value batch_value(const struct op *op, unsigned at);
/* The bytes of a bound, in `room`, which holds any key and a NUL; data NULL when not set. */
pdict_slice bound_bytes(const struct bound *bound, char *room);
#define BOUND_ROOM 4096

/* Fill `ops` with the stream of a seed. */
void stream_fill(uint64_t seed, struct op *ops, size_t count);

/* ---- the model ---- */

/* A row stays until something replaces it: an expired one returns when the clock goes back. */
struct row {
    bool is_there;
    uint64_t place;       /* in insertion order */
    uint64_t version;     /* 0: not seen yet */
    uint64_t old_version; /* the one before, if seen */
    int64_t created_ms;
    int64_t expires_ms;
    int64_t accessed_ms; /* as far as it was noted; 0: never */
    struct value value;
};

struct model_map {
    struct row rows[N_KEYS];
    uint64_t last_place;
    unsigned max_entries; /* 0: no limit */
    enum limit limit;
};

struct model {
    struct model_map maps[N_MAPS];
    int64_t now_ms;
    bool is_renamed; /* the second map */
    bool is_inside;  /* a transaction: nothing is evicted before its end */
};

#define MODEL_START_MS 1700000000000

/* The map in which only puts are uses: when reads are noted depends on the time of day. */
#define MODEL_LRU_MAP 0

void model_init(struct model *model);
/* The row of a key that is present now; NULL: absent or expired. */
struct row *model_find(struct model *model, unsigned map, unsigned key);
uint64_t model_count(const struct model *model, unsigned map);
/* Rows that are stored, expired ones included. */
uint64_t model_stored(const struct model *model, unsigned map);
/* Do what an operation that writes does; `statuses` has room for a batch. */
int model_write(struct model *model, const struct op *op, int *statuses);
/* Let go what is above the limit of a map. */
void model_evict(struct model *model, unsigned map);
/* Remove what has expired from all maps; returns how many that are. */
uint64_t model_sweep(struct model *model);
/* A row is put in a map whose limit asks for when. */
void model_use(const struct model *model, unsigned map, struct row *row);
/* What an OP_LIMIT says. */
enum limit model_limit_of(const struct op *op);
/* Give a map the limit of an operation. */
void model_limit(struct model *model, const struct op *op);
/* What a touch makes of the moment of expiry. */
int64_t model_touched(const struct model *model, const struct op *op);
/* What a put of this operation says; false: it deletes. */
bool model_expiry(const struct model *model, const struct op *op, int64_t *expires_ms);
/* The keys that a walk meets, in its order. */
size_t model_walk(const struct model *model, const struct op *op, uint16_t *keys);
const char *model_map_name(const struct model *model, unsigned map);

/* ---- running ---- */

struct setup {
    const char *backend; /* "sqlite:", or with layers before it */
    const char *codecs;
    bool is_persistent;
    bool is_sealed;
};

/* What a run found; in memory that a child shares. */
struct report {
    size_t at; /* the operation */
    uint64_t passed, skipped;
    bool is_failed;
    char text[400];
};

/* Run operations on a store of their own; the report says how it went. */
void run_stream(const struct setup *setup, const struct op *ops, size_t count,
                struct report *report);

/* The same in a child, so that a crash of the library is a failure like others. */
void run_apart(const struct setup *setup, const struct op *ops, size_t count,
               struct report *report);

/* Reduce operations that fail to few that still do; returns how many are left. */
size_t shrink(const struct setup *setup, struct op *ops, size_t count, struct report *report);
extern const char print_prelude[], print_prelude_more[];
void print_test(FILE *out, const struct setup *setup, const struct op *ops, size_t count);

#endif
