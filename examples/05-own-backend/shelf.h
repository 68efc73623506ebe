/* SPDX-License-Identifier: MIT */
/* What the files of the shelf backend share: rows in memory, and the journal they come from. */
#ifndef SHELF_H
#define SHELF_H

#include <pdict/ext/register.h>
#include <stdatomic.h>
#include <string.h>

/* ---- image.c: all maps of a store at one instant; never changed once it is committed ---- */

/* A row, or a SYSTEM value under its name; immutable, shared by the images that hold it. */
struct record {
    atomic_uint references;
    pdict_row row;
    unsigned char bytes[]; /* key, value */
};

enum order {
    BY_KEY,
    BY_ID,
    BY_EXPIRY, /* only rows that expire; by time, then id */
    ORDERS
};

struct table {
    struct record **at; /* sorted */
    size_t count, capacity;
};

struct map {
    uint32_t number;
    struct record *name;
    struct table system;
    struct table rows[ORDERS];
};

struct image {
    atomic_uint references;
    struct map *maps; /* the first is number 0, the store itself */
    size_t n_maps;
};

enum op_kind {
    OP_MAP_SET = 1, /* make or rename: row.key is the name */
    OP_MAP_DROP,
    OP_SYSTEM_PUT,
    OP_SYSTEM_DEL,
    OP_ROW_PUT,
    OP_ROW_DEL
};

/* One change, as it is made in an image and written into the journal. */
struct op {
    uint64_t kind;
    uint32_t map;
    pdict_row row;
};

/* `from` NULL: the image of a new store. NULL: no memory. */
struct image *image_copy(const pdict_allocator *allocator, const struct image *from);
void image_drop(const pdict_allocator *allocator, struct image *image);
struct map *image_map(const struct image *image, uint32_t number);
struct map *image_map_named(const struct image *image, pdict_slice name);
/* The place of the first record that is not below `probe`. */
size_t table_place(const struct table *table, enum order order, const pdict_row *probe);
struct record *table_find(const struct table *table, pdict_slice key);
/* PDICT_NOMEM: nothing was done. */
int image_change(const pdict_allocator *allocator, struct image *image, const struct op *op);

/* ---- journal.c: the file, one block for each commit ---- */

struct bytes {
    unsigned char *data;
    size_t size, capacity;
};

struct journal {
    const char *path;
    int fd;
    bool is_read_only;
    _Atomic uint64_t end; /* of the last whole block; read by stat on any thread */
};

/* Called for each change in the file, in order. */
typedef int (*replay_fn)(void *ctx, const struct op *op);

int journal_open(struct journal *journal, const pdict_backend_args *args, replay_fn replay,
                 void *ctx);
void journal_close(struct journal *journal);
/* Put a change behind those of a block that is not written yet. */
int journal_add(const pdict_allocator *allocator, struct bytes *block, const struct op *op);
/* PDICT_FULL, PDICT_IO: nothing is in the file; PDICT_UNKNOWN_OUTCOME: the sync failed. */
int journal_write(struct journal *journal, struct bytes *block, bool is_synced);
int journal_sync(struct journal *journal);

#endif
