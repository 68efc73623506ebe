/* SPDX-License-Identifier: MIT */
/* A store's file as it lies on the disk: what LMDB keeps there, read without its help. */
#ifndef PDICT_BACKENDS_LMDB_DISK_H
#define PDICT_BACKENDS_LMDB_DISK_H

#include "lmdb.h"

/* ---- file.c ---- */

enum {
    PAGE_HEAD = 16,
    NODE_HEAD = 8
};
enum page_flag {
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    PAGE_KIND = 0x7f /* all that say what a page is */
};
enum node_flag {
    NODE_OVERFLOW = 0x01,
    NODE_TREE = 0x02
};

#define NO_PAGE UINT64_MAX

/* LMDB's own structures, as they lie in the file on a 64-bit machine. */
struct disk_tree {
    uint32_t pad;
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct disk_meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct disk_tree free, main; /* free.pad: the size of a page */
    uint64_t last_page, txn_id;
};

/* A store's file, read by system calls only, so that no content can do harm. */
struct file {
    const char *path;
    int fd;
    uint64_t size;
    size_t page_size;
    struct disk_meta meta; /* the newer one */
};

enum file_kind {
    FILE_EMPTY,
    FILE_BLANK,
    FILE_STORE
};

/* One entry of a page; the pointers go into the page. */
struct node {
    uint64_t child; /* branch pages: its page */
    uint16_t flags;
    pdict_slice key;
    uint64_t data_size; /* leaf pages */
    const unsigned char *data;
};

bool pdict__lmdb_probe(const void *head, size_t size);
/* Read the metas; PDICT_NOT_A_STORE, PDICT_NEWER_FORMAT and PDICT_DAMAGED say what else it is. */
int pdict__lmdb_file_load(struct file *file);
/* PDICT_DAMAGED when the file ends before. */
int pdict__lmdb_file_bytes(const struct file *file, uint64_t at, void *out, size_t size);
int pdict__lmdb_file_page(const struct file *file, uint64_t number, unsigned char *page);
int pdict__lmdb_page_damaged(const struct file *file, uint64_t number, const char *what);
static inline uint16_t page_flags(const unsigned char *page)
{
    uint16_t flags;

    memcpy(&flags, page + 10, sizeof(flags));
    return flags & PAGE_KIND;
}
/* How many nodes a page has; false when its header cannot be true. */
bool pdict__lmdb_page_count(const struct file *file, const unsigned char *page, size_t *count);
/* Bytes from its first entry to its end. */
size_t pdict__lmdb_page_room(const struct file *file, const unsigned char *page);
/* The node, all of it inside the page; false when it is not. */
bool pdict__lmdb_page_node(const struct file *file, const unsigned char *page, size_t at,
                           struct node *node);
/* What the file is, without LMDB's help. A store was also found whole enough to be mapped. */
int pdict__lmdb_identify(const pdict_backend_args *args, bool is_full, enum file_kind *kind,
                         uint64_t *used_bytes);

/* ---- unborn.c ---- */

/* Did its making end before LMDB had both meta pages on the disk? An empty file is not meant. */
bool pdict__lmdb_is_unborn(int fd);
/* Make such a file empty; any other stays as it is. PDICT_BUSY: it is being made just now. */
int pdict__lmdb_clear_unborn(const struct store *store);

/* ---- preflight.c ---- */

/* Walk every page that can be reached, with all bounds checked. */
int pdict__lmdb_preflight(const pdict_allocator *allocator, const struct file *file);

#endif
