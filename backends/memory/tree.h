/* SPDX-License-Identifier: MIT */
/* The trees of the memory backend: ordered sets that copy what they change and share the rest. */
#ifndef PDICT_BACKENDS_MEMORY_TREE_H
#define PDICT_BACKENDS_MEMORY_TREE_H

#include <pdict/ext/backend.h>

#include <stdatomic.h>

enum order {
    MAPS_BY_NAME,
    MAPS_BY_NUMBER,
    SYSTEM_BY_NAME, /* map, name */
    ROWS_BY_KEY,    /* map, key */
    ROWS_BY_ID,     /* map, id */
    ROWS_BY_EXPIRY, /* map, expires_ms, id; only rows that expire */
    ACCESS_BY_ID,   /* map, id; expires_ms of these items is the access time */
    ACCESS_BY_TIME, /* map, expires_ms, id */
    ORDERS
};

/* What nodes point to, never changed once it is in a tree. Maps and SYSTEM values use key as name. */
struct item {
    atomic_size_t refs;
    uint32_t map;
    pdict_row row;
    unsigned char bytes[];
};

/* A node with one reference, reached through nodes with one reference, belongs to the writer. */
struct node {
    atomic_size_t refs;
    size_t size; /* nodes from here down */
    struct node *child[2];
    struct item *item;
};

/*
 * What the store holds at one instant: a root per order. A change copies the nodes on its way down
 * and shares the others with older states, so a snapshot is a reference to a state, a commit swaps
 * the current state and an abort drops the new one.
 */
struct state {
    atomic_size_t refs;
    struct node *root[ORDERS];
};

static inline size_t tree_size(const struct node *root)
{
    return root != NULL ? root->size : 0;
}

/* Any thread drops nodes and items; the spare ones are the writer's. */
struct heap {
    pdict_allocator allocator;
    struct node *spare; /* linked by child[0] */
    size_t spares;
};

void *pdict__memory_allocate(struct heap *heap, size_t size);
void pdict__memory_release(struct heap *heap, void *memory);

/* A copy of `row` with its bytes, holding one reference; NULL without memory. */
struct item *pdict__memory_item_new(struct heap *heap, uint32_t map, const pdict_row *row);
void pdict__memory_item_drop(struct heap *heap, struct item *item);

struct node *pdict__memory_tree_keep(struct node *root);
void pdict__memory_tree_drop(struct heap *heap, struct node *root);

/* Equal to `from`, or empty where that is NULL, with one reference; NULL without memory. */
struct state *pdict__memory_state_copy(struct heap *heap, const struct state *from);
void pdict__memory_state_drop(struct heap *heap, struct state *state);

/* Set nodes aside so that `edits` calls of the next two functions cannot fail. */
int pdict__memory_reserve(struct heap *heap, const struct state *state, size_t edits);
void pdict__memory_unreserve(struct heap *heap);

/* Insert, or replace what compares equal. Takes a reference of its own. */
void pdict__memory_add(struct heap *heap, struct state *state, enum order order, struct item *item);

/* Erase what is there. `item` may be the tree's own: it is not looked at once it is dropped. */
void pdict__memory_take_out(struct heap *heap, struct state *state, enum order order,
                            const struct item *item);

/* Borrowed from the state; NULL when absent. `item` needs only what the order compares. */
struct item *pdict__memory_find(const struct state *state, enum order order,
                                const struct item *item);

/* How many items come before `item`, which need not be there itself? And the item at a rank. */
size_t pdict__memory_rank(const struct state *state, enum order order, const struct item *item);
struct item *pdict__memory_at(const struct node *root, size_t rank);

#endif
