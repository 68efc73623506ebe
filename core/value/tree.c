/* SPDX-License-Identifier: MIT */
/* Building trees of typed values: all memory is the tree's, and the first failure stays in it. */
#include "value/tree.h"

/* A small record fits into the block of the tree itself. */
#define FIRST_BLOCK 1024
#define BLOCK       8192

/* What does not fit into the rest of a block and is larger gets one of its own. */
#define LARGE (BLOCK / 4)

struct block {
    struct block *next;
    size_t size; /* of bytes */
    max_align_t bytes[];
};

struct pdict_tree {
    pdict_allocator allocator;
    struct block *blocks;
    unsigned char *free; /* rest of the block in use */
    size_t left;
    size_t first_size; /* of the bytes behind this struct */
    uint32_t count;
    int status;
    const char *why;
    bool is_secret;
    max_align_t bytes[];
};

static void *fail(pdict_tree *tree, int status, const char *why)
{
    if (tree->status == PDICT_OK) {
        tree->status = status;
        tree->why = why;
    }
    return NULL;
}

static void *no_memory(pdict_tree *tree)
{
    return fail(tree, PDICT_NOMEM, "out of memory for a tree of values");
}

/* ---- memory ---- */

static size_t aligned(size_t size)
{
    size_t unit = sizeof(max_align_t);

    return (size + unit - 1) / unit * unit;
}

static void *take_block(pdict_tree *tree, size_t size)
{
    struct block *block = pdict__alloc(&tree->allocator, sizeof(*block) + size);

    if (!block)
        return no_memory(tree);
    *block = (struct block){ .next = tree->blocks, .size = size };
    tree->blocks = block;
    return block->bytes;
}

/* Aligned, not zeroed; NULL after any failure. */
static void *take(pdict_tree *tree, size_t size)
{
    void *memory;

    if (tree->status != PDICT_OK)
        return NULL;
    if (size > SIZE_MAX / 2)
        return no_memory(tree);
    size = aligned(size);
    if (size > tree->left && size > LARGE)
        return take_block(tree, size);
    if (size > tree->left) {
        tree->left = 0;
        if (!(tree->free = take_block(tree, BLOCK)))
            return NULL;
        tree->left = BLOCK;
    }
    memory = tree->free;
    tree->free += size;
    tree->left -= size;
    return memory;
}

void *pdict_tree_alloc(pdict_tree *tree, size_t size)
{
    void *memory = tree ? take(tree, size > 0 ? size : 1) : NULL;

    if (memory)
        memset(memory, 0, size);
    return memory;
}

int pdict__tree_new_secret(const pdict_allocator *allocator, bool is_secret, pdict_tree **out)
{
    pdict_tree *tree = pdict__alloc(allocator, sizeof(*tree) + FIRST_BLOCK);

    *out = tree;
    if (!tree)
        return PDICT_NOMEM;
    *tree = (pdict_tree){ .allocator = *allocator,
                          .left = FIRST_BLOCK,
                          .first_size = FIRST_BLOCK,
                          .is_secret = is_secret };
    tree->free = (unsigned char *)tree->bytes;
    return PDICT_OK;
}

int pdict_tree_new(const pdict_allocator *allocator, pdict_tree **out)
{
    pdict_allocator none = { 0 }, chosen;
    int status;

    *out = NULL;
    status = pdict__allocator_choose(allocator ? allocator : &none, &chosen);
    return status == PDICT_OK ? pdict__tree_new_secret(&chosen, false, out) : status;
}

size_t pdict__tree_bytes(const pdict_tree *tree)
{
    size_t size = sizeof(*tree) + tree->first_size;

    for (const struct block *block = tree->blocks; block; block = block->next)
        size += sizeof(*block) + block->size;
    return size;
}

void pdict_tree_free(pdict_tree *tree)
{
    pdict_allocator allocator;

    if (!tree)
        return;
    allocator = tree->allocator;
    while (tree->blocks) {
        struct block *block = tree->blocks;

        tree->blocks = block->next;
        if (tree->is_secret)
            explicit_bzero(block->bytes, block->size);
        pdict__free(&allocator, block);
    }
    if (tree->is_secret)
        explicit_bzero(tree->bytes, tree->first_size);
    pdict__free(&allocator, tree);
}

int pdict_tree_status(const pdict_tree *tree)
{
    if (!tree)
        return pdict_fail(PDICT_INVAL, "tree: NULL is no tree of values");
    return tree->status == PDICT_OK ? PDICT_OK : pdict_fail(tree->status, "tree: %s", tree->why);
}

/* ---- scalars ---- */

static pdict_value *make(pdict_tree *tree, int type)
{
    pdict_value *value;

    if (!tree)
        return NULL;
    if (tree->count == PDICT_VALUE_COUNT)
        return fail(tree, PDICT_TOO_BIG, "a tree has at most 1048576 values");
    if (!(value = take(tree, sizeof(*value))))
        return NULL;
    memset(value, 0, sizeof(*value));
    value->type = (uint8_t)type;
    value->height = 1;
    value->owner.tree = tree;
    tree->count++;
    return value;
}

pdict_value *pdict_tree_null(pdict_tree *tree)
{
    return make(tree, PDICT_VALUE_NULL);
}

pdict_value *pdict_tree_bool(pdict_tree *tree, bool truth)
{
    pdict_value *value = make(tree, PDICT_VALUE_BOOL);

    if (value)
        value->as.truth = truth;
    return value;
}

pdict_value *pdict_tree_int(pdict_tree *tree, int64_t integer)
{
    pdict_value *value = make(tree, PDICT_VALUE_INT);

    if (value)
        value->as.integer = integer;
    return value;
}

pdict_value *pdict_tree_uint(pdict_tree *tree, uint64_t large)
{
    pdict_value *value;

    if (large <= INT64_MAX)
        return pdict_tree_int(tree, (int64_t)large);
    value = make(tree, PDICT_VALUE_UINT);
    if (value)
        value->as.large = large;
    return value;
}

pdict_value *pdict_tree_double(pdict_tree *tree, double real)
{
    pdict_value *value = make(tree, PDICT_VALUE_DOUBLE);

    if (value)
        value->as.real = real;
    return value;
}

/* A copy with a zero behind it. */
static char *copy(pdict_tree *tree, const void *data, size_t size)
{
    char *bytes = size < SIZE_MAX ? take(tree, size + 1) : no_memory(tree);

    if (bytes) {
        pdict__copy(bytes, data, size);
        bytes[size] = '\0';
    }
    return bytes;
}

static pdict_value *make_bytes(pdict_tree *tree, int type, const void *data, size_t size)
{
    pdict_value *value = make(tree, type);
    char *bytes = value ? copy(tree, data, size) : NULL;

    if (!bytes)
        return NULL;
    value->as.bytes = (pdict_slice){ bytes, size };
    return value;
}

pdict_value *pdict_tree_bytes(pdict_tree *tree, const void *data, size_t size)
{
    return make_bytes(tree, PDICT_VALUE_BYTES, data, size);
}

pdict_value *pdict_tree_text_n(pdict_tree *tree, const char *text, size_t size)
{
    if (tree && !pdict_is_utf8((pdict_slice){ text, size }, NULL))
        return fail(tree, PDICT_INVAL, "a text is not UTF-8; make it so, or use bytes");
    return make_bytes(tree, PDICT_VALUE_TEXT, text, size);
}

pdict_value *pdict_tree_text(pdict_tree *tree, const char *text)
{
    if (tree && !text)
        return fail(tree, PDICT_INVAL, "a text is NULL; use pdict_tree_null()");
    return pdict_tree_text_n(tree, text, text ? strlen(text) : 0);
}

/* ---- arrays and maps ---- */

static pdict_value *make_many(pdict_tree *tree, int type)
{
    pdict_value *value = make(tree, type);

    if (value)
        value->as.many.tree = tree;
    return value;
}

pdict_value *pdict_tree_array(pdict_tree *tree)
{
    return make_many(tree, PDICT_VALUE_ARRAY);
}

pdict_value *pdict_tree_map(pdict_tree *tree)
{
    return make_many(tree, PDICT_VALUE_MAP);
}

/* Where a key belongs in the index of its map: its place there, or the free one for it. */
static uint32_t *index_slot(const pdict_value *map, const char *key, size_t key_size)
{
    size_t room = pdict__tree_index_room(map->as.many.capacity);
    uint64_t seed = (uint64_t)(uintptr_t)map; /* random enough against keys that all collide */
    size_t at = (size_t)pdict__hash64(key, key_size, seed) % room;

    for (;; at = (at + 1) % room) {
        uint32_t *slot = &map->as.many.index[at];
        const struct member *member = *slot ? &map->as.many.members[*slot - 1] : NULL;

        if (!member || (member->key_size == key_size && memcmp(member->key, key, key_size) == 0))
            return slot;
    }
}

size_t pdict__tree_find(const pdict_value *map, const char *key, size_t key_size)
{
    const struct member *members = map->as.many.members;
    uint32_t count = map->as.many.count;

    if (map->as.many.index) {
        uint32_t place = *index_slot(map, key, key_size);

        return place ? place - 1 : count;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].key_size == key_size && memcmp(members[i].key, key, key_size) == 0)
            return i;
    }
    return count;
}

static bool index_build(pdict_tree *tree, pdict_value *map)
{
    size_t size = pdict__tree_index_room(map->as.many.capacity) * sizeof(uint32_t);

    if (!(map->as.many.index = take(tree, size)))
        return false;
    memset(map->as.many.index, 0, size);
    for (uint32_t i = 0; i < map->as.many.count; i++) {
        const struct member *member = &map->as.many.members[i];

        *index_slot(map, member->key, member->key_size) = i + 1;
    }
    return true;
}

/* The old members stay in the tree's memory: at most as much again as the new ones take. */
static bool grow(pdict_value *many)
{
    pdict_tree *tree = many->as.many.tree;
    uint32_t capacity = many->as.many.capacity ? many->as.many.capacity * 2 : 4;
    struct member *members = take(tree, capacity * sizeof(*members));

    if (!members)
        return false;
    pdict__copy(members, many->as.many.members, many->as.many.count * sizeof(*members));
    many->as.many.members = members;
    many->as.many.capacity = capacity;
    if (many->type == PDICT_VALUE_MAP && capacity > INDEX_FROM)
        return index_build(tree, many);
    return true;
}

/* Could `item` be placed in `many`? Raises the heights above it. */
static bool place(pdict_value *many, pdict_value *item)
{
    pdict_tree *tree = many->as.many.tree;
    unsigned height = item->height;

    if (item->is_placed) {
        fail(tree, PDICT_MISUSE, "a value can be in one place only; make another");
        return false;
    }
    for (pdict_value *at = many; at; at = at->is_placed ? at->owner.above : NULL) {
        if (at == item || ++height > PDICT_VALUE_DEPTH) {
            fail(tree, at == item ? PDICT_MISUSE : PDICT_TOO_BIG,
                 at == item ? "a value cannot hold itself" : "a tree has at most 64 levels");
            return false;
        }
        if (at->height < height)
            at->height = (uint8_t)height;
    }
    item->is_placed = true;
    item->owner.above = many;
    return true;
}

static pdict_tree *tree_of(const pdict_value *many)
{
    bool is_many = many && (many->type == PDICT_VALUE_ARRAY || many->type == PDICT_VALUE_MAP);

    return is_many ? many->as.many.tree : NULL;
}

/* Is `many` of this type, and may it take `item`? */
static bool may_take(const pdict_value *many, int type, const pdict_value *item)
{
    pdict_tree *tree = tree_of(many);

    if (!tree || tree->status != PDICT_OK)
        return false;
    if (many->type != type)
        fail(tree, PDICT_INVAL, "members belong to maps, items to arrays");
    else if (!item)
        fail(tree, PDICT_INVAL, "NULL is no value; use pdict_tree_null()");
    else if (!item->is_placed && item->owner.tree != tree)
        fail(tree, PDICT_MISUSE, "a value belongs to another tree");
    return tree->status == PDICT_OK;
}

pdict_value *pdict_value_append(pdict_value *array, pdict_value *item)
{
    if (!may_take(array, PDICT_VALUE_ARRAY, item))
        return NULL;
    if (array->as.many.count == array->as.many.capacity && !grow(array))
        return NULL;
    if (!place(array, item))
        return NULL;
    array->as.many.members[array->as.many.count++] = (struct member){ .value = item };
    return item;
}

static bool add_member(pdict_value *map, const char *key, size_t key_size, pdict_value *item)
{
    struct member member = { .key_size = key_size, .value = item };

    if (!pdict_is_utf8((pdict_slice){ key, key_size }, NULL)) {
        fail(map->as.many.tree, PDICT_INVAL, "a key is not UTF-8; keys of maps are text");
        return false;
    }
    if (!(member.key = copy(map->as.many.tree, key, key_size)))
        return false;
    if (map->as.many.count == map->as.many.capacity && !grow(map))
        return false;
    map->as.many.members[map->as.many.count++] = member;
    if (map->as.many.index)
        *index_slot(map, member.key, key_size) = map->as.many.count;
    return true;
}

pdict_value *pdict_value_set_n(pdict_value *map, const char *key, size_t key_size,
                               pdict_value *item)
{
    size_t at;

    if (!may_take(map, PDICT_VALUE_MAP, item) || !place(map, item))
        return NULL;
    at = pdict__tree_find(map, key, key_size);
    if (at < map->as.many.count)
        map->as.many.members[at].value = item;
    else if (!add_member(map, key, key_size, item))
        return NULL;
    return item;
}

pdict_value *pdict_value_set(pdict_value *map, const char *key, pdict_value *item)
{
    return pdict_value_set_n(map, key, strlen(key), item);
}
