/* SPDX-License-Identifier: MIT */
/* Trees of typed values in memory, shared by building (tree.c) and reading (tree_read.c). */
#ifndef PDICT_VALUE_TREE_H
#define PDICT_VALUE_TREE_H

#include <pdict/value.h>

#include "base/base.h"

/* A map with more members finds them through an index. */
#define INDEX_FROM 16

struct member {
    const char *key; /* NULL in an array */
    size_t key_size;
    pdict_value *value;
};

/* Invariants: no value is its own ancestor, and height <= PDICT_VALUE_DEPTH everywhere, so that
 * recursion over values is bounded. */
struct pdict_value {
    uint8_t type;   /* enum pdict_value_type */
    uint8_t height; /* levels from here down, itself included */
    bool is_placed; /* it is an item or a member */
    union {
        pdict_value *above; /* what it is placed in */
        pdict_tree *tree;   /* until then */
    } owner;
    union {
        bool truth;
        int64_t integer;
        uint64_t large;
        double real;
        pdict_slice bytes; /* text has a zero behind it */
        struct {
            pdict_tree *tree;
            struct member *members;
            uint32_t count, capacity;
            uint32_t *index; /* places of members + 1, by hash; NULL: none yet */
        } many;
    } as;
};

/* Room of an index of a container with this capacity: a power of two, at most half full. */
static inline size_t pdict__tree_index_room(uint32_t capacity)
{
    return (size_t)capacity * 2;
}

/* The place of a key, or `count`. */
size_t pdict__tree_find(const pdict_value *map, const char *key, size_t key_size);

/* The memory that a tree has taken. */
size_t pdict__tree_bytes(const pdict_tree *tree);

/* A tree whose memory is overwritten before it is given back. */
int pdict__tree_new_secret(const pdict_allocator *allocator, bool is_secret, pdict_tree **out);

#endif
