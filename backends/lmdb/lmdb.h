/* SPDX-License-Identifier: MIT */
/* The store of the LMDB backend, its layout, and what its files call from one another. */
#ifndef PDICT_BACKENDS_LMDB_LMDB_H
#define PDICT_BACKENDS_LMDB_LMDB_H

#include <pdict/ext/backend.h>

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/*
 * The file. One LMDB environment holds all maps in four sub-databases; beside them the main
 * database has the record "pdict", a be32: the version of this layout. All numbers are big-endian.
 *
 *   rows     group, part of the key -> row, or the number of the group that continues the key
 *   order    be32 map, be64 id -> the key of the row's record in rows
 *   expiry   be32 map, be64 expires_ms with its sign bit flipped, be64 id -> nothing
 *            be32 map + 2^31, 0, be64 id -> be64 accessed_ms
 *            be32 map + 2^31, 1, be64 accessed_ms with its sign bit flipped, be64 id -> nothing
 *   system   group, part of the name -> value
 *
 * A group is a be32 below 2^31, such as the number of a map, or a be64 above 2^63; see keys.c.
 *
 *   row      be64 version, created_ms, expires_ms, id; in groups above 2^63: be32 size, key; value
 *
 * Why maps share sub-databases: a sub-database of its own costs a handle in every process, handles
 * are limited when the environment is opened, and one cannot be opened while readers begin
 * snapshots. With the map's number in front of each key the number of maps has no limit.
 */
#define FORMAT_VERSION 1
#define FORMAT_KEY     "pdict"

enum table {
    ROWS,
    ORDER,
    EXPIRY,
    SYSTEM,
    TABLE_COUNT
};

/* The groups of `system` besides those of the maps, 0 being the store. */
#define MAP_MAX       UINT32_C(0x7ffffff0)
#define GROUP_COUNTER UINT32_C(0x7ffffffc) /* "" -> be32, the last map number given */
#define GROUP_TALLIES UINT32_C(0x7ffffffd) /* be32 map -> struct tally, as be64 */
#define GROUP_NUMBERS UINT32_C(0x7ffffffe) /* be32 map -> name */
#define GROUP_NAMES   UINT32_C(0x7fffffff) /* name -> be32 map */
#define GROUP_ACCESS  UINT32_C(0x80000000) /* of `expiry`: added to the number of a map */
#define GROUP_LONG    (UINT64_C(1) << 63)  /* the first that continues keys */

enum {
    KEY_MAX = 511, /* of LMDB, as it is usually built; looked at when the store is opened */
    ROW_HEAD = 32,
    TALLY_SIZE = 16,
    TALLY_OPEN_SIZE = 24 /* while ids are open */
};

/* The places of the options in the table of specs. */
enum option {
    OPTION_RESERVE,
    OPTION_PREFLIGHT,
    OPTION_FORCE_NETWORK
};

/* A key of `rows` or `system`. */
struct record_key {
    size_t size;
    unsigned char bytes[KEY_MAX];
};

/* A reader or the write transaction: what a `txn` points to. */
struct view {
    struct store *store;
    MDB_txn *txn; /* a reader keeps it, reset, between snapshots */
    MDB_cursor *cursors[TABLE_COUNT];
    unsigned ready;  /* bit n: cursors[n] belongs to this snapshot */
    bool is_resting; /* between reader_rest and what follows: not counted in the room */
    unsigned moves;  /* room.moves, when it began to rest */
    bool is_writer;
    /* Writer only. */
    uint64_t changes;     /* goes up with every change, so that cursors know that pages moved */
    uint64_t claim_count; /* what apply() was asked to write so far */
    uint64_t claim_bytes;
    int64_t timeout_ms;
    pthread_t thread; /* LMDB's write lock belongs to a thread */
};

/* How far the file may grow inside its mapping, and who may be looking at the mapping now. */
struct room {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    _Atomic unsigned users; /* snapshots and transactions of this process */
    _Atomic bool is_growing;
    unsigned moves; /* goes up when what lies in the mapping may move; read inside */
    int lost; /* a status: a failed remapping left no mapping, or a failed compaction half a file */
    _Atomic uint64_t wanted; /* bytes that the next transaction must find free */
};

struct store {
    pdict_allocator allocator;
    char *path;
    char *lock_path;
    bool is_read_only;
    int64_t timeout_ms;
    uint64_t reserve; /* bytes of address space asked for */
    MDB_env *env;
    MDB_dbi tables[TABLE_COUNT];
    int fd;         /* LMDB's of the data file; never closed here */
    int opening_fd; /* of the lock file, or -1 */
    size_t page_size;
    unsigned char *metas; /* both meta pages, mapped for watch() and for growing */
    size_t metas_size;
    struct room room;
    struct view writer;
    unsigned sync_flags;            /* of the environment, as last set */
    uint64_t check_at;              /* when this page is in use, look for dead readers again, */
    int64_t check_at_ms;            /* or at this time of the steady clock */
    _Atomic uint64_t stale_readers; /* cleared so far */
    bool has_written;               /* since it was opened */
    bool makes_anew;                /* compacting: also where that gains nothing */
    bool has_failed_midway;         /* a commit did; LMDB refuses everything from then on */
};

/* What dead processes hold in the table of readers keeps pages from being used again. */
static inline void clear_stale_readers(struct store *store)
{
    int dead = 0;

    mdb_reader_check(store->env, &dead);
    atomic_fetch_add(&store->stale_readers, (uint64_t)dead);
}

/* ---- numbers ---- */

static inline void put_be32(void *out, uint32_t number)
{
    unsigned char *bytes = out;

    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(number >> (24 - 8 * i));
}

static inline void put_be64(void *out, uint64_t number)
{
    put_be32(out, (uint32_t)(number >> 32));
    put_be32((unsigned char *)out + 4, (uint32_t)number);
}

static inline uint32_t get_be32(const void *in)
{
    const unsigned char *bytes = in;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline uint64_t get_be64(const void *in)
{
    return (uint64_t)get_be32(in) << 32 | get_be32((const unsigned char *)in + 4);
}

/* So that the order of the bytes is the order of the numbers. */
static inline uint64_t sortable(int64_t number)
{
    return (uint64_t)number ^ UINT64_C(1) << 63;
}

/* ---- error.c ---- */

/* A status and its text for a code of LMDB or of the system. */
int pdict__lmdb_fail(struct store *store, int rc);
/* The same for mdb_txn_commit: a failed sync leaves the outcome open. */
int pdict__lmdb_fail_commit(struct store *store, int rc);
/* The same for a file beside the store, by errno. */
int pdict__lmdb_fail_file(const char *path);
int pdict__lmdb_damaged(const struct store *store, const char *what);
int pdict__lmdb_no_map(const struct store *store, uint32_t map);

static inline int no_memory(const char *what)
{
    return pdict_fail(PDICT_NOMEM, "lmdb: no memory for %s; free some and try again", what);
}

static inline void *allocate(const struct store *store, size_t size)
{
    return store->allocator.allocate(store->allocator.ctx, size);
}

static inline void release(const struct store *store, void *memory)
{
    store->allocator.release(store->allocator.ctx, memory);
}

/* ---- place.c ---- */

/* PDICT_UNSUPPORTED on a file system where a mapping is not shared with the other users. */
int pdict__lmdb_check_file_system(const char *path);
/* PDICT_UNSUPPORTED while processes of another PID namespace have the store open. */
int pdict__lmdb_check_namespace(const struct store *store);
/* Keep every other opener of the file out, through this descriptor of it. PDICT_BUSY: there is one;
 * who comes meanwhile gets that too. */
int pdict__lmdb_lock_out(int fd, const char *path);
void pdict__lmdb_let_in(int fd);

/* ---- turns.c ---- */

/* Keep the other processes from writing. PDICT_BUSY: the timeout passed. */
int pdict__lmdb_turn_take(struct store *store, int64_t timeout_ms);
void pdict__lmdb_turn_end(struct store *store);
/* Around mdb_env_open(), and closed after mdb_env_close(), also when it failed: one process at a
 * time. `mode` is that of the lock file if it has to be made. An error number; EAGAIN: the timeout
 * passed. */
int pdict__lmdb_opening_begin(struct store *store, mode_t mode);
void pdict__lmdb_opening_end(struct store *store);
void pdict__lmdb_opening_close(struct store *store);
/* Did a process die while it opened, and leave the wrong number of the last commit? Then nothing
 * may be read or written before everybody has closed the store. */
int pdict__lmdb_opening_is_torn(struct store *store, bool *is_torn);

/* ---- env.c ---- */

int pdict__lmdb_env_open(struct store *store, uint64_t used_bytes);
void pdict__lmdb_env_close(struct store *store);
/* Make the sub-databases and the record that says whose they are, unless they are there. */
int pdict__lmdb_env_create(struct store *store);
/* Find the sub-databases. */
int pdict__lmdb_env_tables(struct store *store);

/* ---- room.c ---- */

int pdict__lmdb_room_init(struct store *store);
void pdict__lmdb_room_destroy(struct store *store);
/* Between enter and leave the mapping stays where it is. */
void pdict__lmdb_enter(struct store *store);
void pdict__lmdb_leave(struct store *store);
/* As much of `wanted` bytes of address space as the system gives, but no less than `least`. */
uint64_t pdict__lmdb_reserve(uint64_t wanted, uint64_t least);
/* After MDB_MAP_RESIZED: another process wrote beyond our mapping. */
int pdict__lmdb_adopt(struct store *store);
/* Before a transaction: room for a usual one, or for what failed for lack of it. */
int pdict__lmdb_make_room(struct store *store, int64_t timeout_ms);
/* What every call answers once room.lost is set. */
int pdict__lmdb_fail_lost(const struct store *store);
/* Run `work` while nobody in this process has a snapshot or transaction. PDICT_BUSY: somebody kept
 * one until the timeout passed. */
int pdict__lmdb_alone(struct store *store, int64_t timeout_ms, int (*work)(struct store *store));
/* In a transaction, before `count` changes of `bytes`: if they may not fit and nothing was changed
 * yet, begin it again in a larger mapping. */
int pdict__lmdb_claim(struct view *view, uint64_t count, uint64_t bytes);
/* After MDB_MAP_FULL. */
int pdict__lmdb_fail_map_full(struct store *store);

int64_t pdict__lmdb_steady_ms(void);

/* ---- store.c ---- */

int pdict__lmdb_open(const pdict_backend_args *args, void **self);
void pdict__lmdb_close(void *self);
int pdict__lmdb_stat(void *self, pdict_backend_stat *stat);
int pdict__lmdb_watch(void *self, const volatile uint64_t *words[2]);
bool pdict__lmdb_is_next(void *self, const uint64_t before[2], const uint64_t after[2]);
bool pdict__lmdb_watch_sees(void *self, void *reader, const uint64_t token[2]);
int pdict__lmdb_sync(void *self);
/* The last page in use, as of the newer meta page. */
uint64_t pdict__lmdb_last_page(const struct store *store);

/* ---- read.c ---- */

int pdict__lmdb_reader_open(void *self, void **reader);
void pdict__lmdb_reader_close(void *self, void *reader);
int pdict__lmdb_reader_begin(void *self, void *reader);
void pdict__lmdb_reader_end(void *self, void *reader);
void pdict__lmdb_reader_rest(void *self, void *reader);
bool pdict__lmdb_reader_resume(void *self, void *reader);
int pdict__lmdb_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row);
int pdict__lmdb_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count);
/* The view's own cursor on a table. */
int pdict__lmdb_cursor(struct view *view, enum table table, MDB_cursor **cursor);
/* Position the view's cursor of a table; PDICT_NOTFOUND (expected). */
int pdict__lmdb_seek(struct view *view, enum table table, MDB_val *key, MDB_val *value,
                     MDB_cursor_op op);
int pdict__lmdb_decode(const struct store *store, const MDB_val *record, const MDB_val *value,
                       pdict_row *row);

/*
 * How many rows a map has, without a write for each insert: ids are dense, so the rows are those
 * that the catalogue counted when `last_id` was the highest id, and one for each id given since.
 * Where ids were reserved it is written with every change.
 */
struct tally {
    uint64_t last_id; /* the highest id ever given */
    uint64_t rows;    /* expired ones included */
    uint64_t open;    /* ids that were reserved, and for which no row came yet: the order may name a
                         row that is not there, or has another id */
};

/* `stored` is what the catalogue says, `now` what follows from it. PDICT_NO_MAP. */
int pdict__lmdb_tally(struct view *view, uint32_t map, struct tally *stored, struct tally *now);

/* ---- upkeep.c ---- */

int pdict__lmdb_check(void *self, void *txn, uint32_t map, const pdict_backend_events *events);
int pdict__lmdb_backup(void *self, const char *path, const pdict_backend_events *events);

/* ---- compact.c ---- */

int pdict__lmdb_compact(void *self, uint64_t step_bytes, int64_t timeout_ms, uint64_t *left_bytes);
/* Has somebody died over a compaction? True also when there is no memory to look. */
bool pdict__lmdb_compact_is_left(const pdict_backend_args *args);
/* Before a store is opened: bring to its end what a process died over. */
int pdict__lmdb_compact_finish(const pdict_backend_args *args);

/* ---- keys.c ---- */

/* The record of the part of `rest` that fits into one; `rest` is left with what follows. False:
 * the record names the group in which it goes on. */
bool pdict__lmdb_record_key(struct record_key *out, uint64_t group, pdict_slice *rest);
/* A key that sorts before every record of the group. */
void pdict__lmdb_group_start(struct record_key *out, uint64_t group);
bool pdict__lmdb_in_group(const MDB_val *record, uint64_t group);
/* The group that a record of KEY_MAX bytes names. */
int pdict__lmdb_next_group(const struct store *store, const MDB_val *record, const MDB_val *value,
                           uint64_t *group);
/* Find a key; the view's cursor stands on it then. `key_out` is a copy of its record's key,
 * `record` and `value` are borrowed from the page. PDICT_NOTFOUND (expected). */
int pdict__lmdb_find(struct view *view, enum table table, uint64_t group, pdict_slice key,
                     struct record_key *key_out, MDB_val *record, MDB_val *value);
/* The key of the record that is to hold `key`; groups on the way to it are made. */
int pdict__lmdb_reach(struct view *view, enum table table, uint64_t group, pdict_slice key,
                      struct record_key *out);
/* Remove a key that is there, and the groups that are empty then. */
int pdict__lmdb_remove(struct view *view, enum table table, uint64_t group, pdict_slice key);
/* Remove all keys of a group. */
int pdict__lmdb_clear(struct view *view, enum table table, uint64_t group);

/* ---- walk.c ---- */

/* Walks the keys of a group of `rows` in their order. */
struct walk {
    struct view *view;
    MDB_cursor *cursor;
    bool is_reverse;
    /* The groups entered, the first being the map, and the parts of the key that led into them. */
    uint64_t *groups;
    unsigned char *path;
    size_t depth;
    size_t capacity;
};

/* To be closed also when opening failed. */
int pdict__lmdb_walk_open(struct walk *walk, struct view *view, uint32_t map, bool is_reverse);
void pdict__lmdb_walk_close(struct walk *walk);
/* The first key >= `bound`; in reverse the last key < `bound`. data NULL: from the very end.
 * PDICT_END (expected). */
int pdict__lmdb_walk_seek(struct walk *walk, pdict_slice bound, MDB_val *record, MDB_val *value);
int pdict__lmdb_walk_next(struct walk *walk, MDB_val *record, MDB_val *value);

/* ---- scan.c ---- */

int pdict__lmdb_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                          void **cursor);
int pdict__lmdb_scan_next(void *self, void *cursor, pdict_row *row);
void pdict__lmdb_scan_close(void *self, void *cursor);

/* ---- access.c ---- */

int pdict__lmdb_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                           size_t count);
int pdict__lmdb_access_get(void *self, void *txn, uint32_t map, uint64_t id, int64_t *accessed_ms);
/* Forget the access time of a row that goes. */
int pdict__lmdb_access_drop(struct view *view, uint32_t map, uint64_t id);
/* Where the row is in the order of access times. */
void pdict__lmdb_access_key(struct record_key *out, uint32_t map, int64_t accessed_ms, uint64_t id);

/* ---- write.c ---- */

int pdict__lmdb_write_begin(void *self, int durability, int64_t timeout_ms, void **txn);
int pdict__lmdb_write_commit(void *self, void *txn);
void pdict__lmdb_write_abort(void *self, void *txn);
int pdict__lmdb_put(struct view *view, enum table table, const struct record_key *key,
                    pdict_slice value);
/* Room for a value in the file, to be filled at once. */
int pdict__lmdb_put_room(struct view *view, enum table table, const struct record_key *key,
                         size_t size, unsigned char **room);
/* Delete where the view's cursor of the table stands. */
int pdict__lmdb_del_here(struct view *view, enum table table);
/* Find a record and delete it; absent is damage. */
int pdict__lmdb_del(struct view *view, enum table table, const struct record_key *key);

/* ---- apply.c ---- */

/* The work of one apply(). */
struct work {
    struct view *view;
    uint32_t map;
    int64_t now_ms;
    struct tally tally;
    /* bulk.c: bit n is set when the row with id first_id + n still lacks its entry in `order`. */
    unsigned char *pending;
    uint64_t first_id;
    uint64_t pending_count;
};

int pdict__lmdb_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                      int64_t now_ms);
/* Make one change; an insert takes `new_id`. */
int pdict__lmdb_change(struct work *work, pdict_change *change, uint64_t new_id);
void pdict__lmdb_order_key(struct record_key *out, uint32_t map, uint64_t id);
void pdict__lmdb_expiry_key(struct record_key *out, uint32_t map, int64_t expires_ms, uint64_t id);

/* ---- bulk.c ---- */

/* The same as change after change, in an order that the trees like. */
int pdict__lmdb_apply_bulk(struct work *work, pdict_change *changes, size_t count);
int pdict__lmdb_reserve_ids(void *self, void *txn, uint32_t map, pdict_change *changes,
                            size_t count);
/* Does the order name this key's row from the moment when its id is reserved? */
bool pdict__lmdb_is_in_order(pdict_slice key);

/* ---- maps.c ---- */

int pdict__lmdb_map_find(void *self, void *txn, pdict_slice name, uint32_t *map);
int pdict__lmdb_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name);
int pdict__lmdb_map_create(void *self, void *txn, pdict_slice name, uint32_t *map);
int pdict__lmdb_map_drop(void *self, void *txn, uint32_t map);
int pdict__lmdb_map_rename(void *self, void *txn, uint32_t map, pdict_slice name);
int pdict__lmdb_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                           pdict_slice *value);
int pdict__lmdb_system_put(void *self, void *txn, uint32_t map, pdict_slice name,
                           pdict_slice value);
/* The stored tally of a map, or PDICT_NO_MAP. */
int pdict__lmdb_catalogue(struct view *view, uint32_t map, struct tally *tally);
int pdict__lmdb_write_tally(struct view *view, uint32_t map, const struct tally *tally);

#endif
