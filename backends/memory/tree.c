/* SPDX-License-Identifier: MIT */
/* Weight-balanced trees; Hirai and Yamamoto, "Balancing weight-balanced trees", prove 3 and 2. */
#include "tree.h"

#include <string.h>

void *pdict__memory_allocate(struct heap *heap, size_t size)
{
    return heap->allocator.allocate(heap->allocator.ctx, size);
}

void pdict__memory_release(struct heap *heap, void *memory)
{
    heap->allocator.release(heap->allocator.ctx, memory);
}

struct item *pdict__memory_item_new(struct heap *heap, uint32_t map, const pdict_row *row)
{
    struct item *item =
        pdict__memory_allocate(heap, sizeof(*item) + row->key.size + row->value.size);

    if (item == NULL)
        return NULL;
    atomic_init(&item->refs, 1);
    item->map = map;
    item->row = *row;
    item->row.key.data = item->bytes;
    item->row.value.data = item->bytes + row->key.size;
    if (row->key.size > 0)
        memcpy(item->bytes, row->key.data, row->key.size);
    if (row->value.size > 0)
        memcpy(item->bytes + row->key.size, row->value.data, row->value.size);
    return item;
}

static struct item *item_keep(struct item *item)
{
    atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
    return item;
}

void pdict__memory_item_drop(struct heap *heap, struct item *item)
{
    if (atomic_fetch_sub_explicit(&item->refs, 1, memory_order_acq_rel) == 1)
        pdict__memory_release(heap, item);
}

static int compare_bytes(pdict_slice a, pdict_slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int difference = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return difference != 0 ? difference : (a.size > b.size) - (a.size < b.size);
}

static int compare(enum order order, const struct item *a, const struct item *b)
{
    if (order == MAPS_BY_NAME)
        return compare_bytes(a->row.key, b->row.key);
    if (a->map != b->map)
        return a->map < b->map ? -1 : 1;
    if (order == MAPS_BY_NUMBER)
        return 0;
    if (order == SYSTEM_BY_NAME || order == ROWS_BY_KEY)
        return compare_bytes(a->row.key, b->row.key);
    if ((order == ROWS_BY_EXPIRY || order == ACCESS_BY_TIME) &&
        a->row.expires_ms != b->row.expires_ms)
        return a->row.expires_ms < b->row.expires_ms ? -1 : 1;
    return (a->row.id > b->row.id) - (a->row.id < b->row.id);
}

static size_t weight_of(const struct node *node)
{
    return tree_size(node) + 1;
}

struct node *pdict__memory_tree_keep(struct node *node)
{
    if (node != NULL)
        atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

void pdict__memory_tree_drop(struct heap *heap, struct node *node)
{
    if (node == NULL || atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
        return;
    pdict__memory_tree_drop(heap, node->child[0]);
    pdict__memory_tree_drop(heap, node->child[1]);
    pdict__memory_item_drop(heap, node->item);
    pdict__memory_release(heap, node);
}

/*
 * One edit takes at most three nodes a level, one on the path and two to rotate, and a child has at
 * most 3/4 of its parent's weight.
 */
int pdict__memory_reserve(struct heap *heap, const struct state *state, size_t edits)
{
    size_t weight = edits + 1, levels = 1;

    for (int order = 0; order < ORDERS; order++)
        weight += tree_size(state->root[order]);
    for (; weight > 1; weight = weight * 3 / 4)
        levels++;
    while (heap->spares < edits * 3 * levels) {
        struct node *node = pdict__memory_allocate(heap, sizeof(*node));
        if (node == NULL)
            return pdict_fail(PDICT_NOMEM, "memory: no memory for a change, it was not made; "
                                           "free some and try again");
        node->child[0] = heap->spare;
        heap->spare = node;
        heap->spares++;
    }
    return PDICT_OK;
}

void pdict__memory_unreserve(struct heap *heap)
{
    struct node *node;

    while ((node = heap->spare) != NULL) {
        heap->spare = node->child[0];
        pdict__memory_release(heap, node);
    }
    heap->spares = 0;
}

/* Takes over one reference of each argument. */
static struct node *node_new(struct heap *heap, struct item *item, struct node *left,
                             struct node *right)
{
    struct node *node = heap->spare;

    heap->spare = node->child[0];
    heap->spares--;
    atomic_init(&node->refs, 1);
    node->size = tree_size(left) + 1 + tree_size(right);
    node->child[0] = left;
    node->child[1] = right;
    node->item = item;
    return node;
}

/* Make the node at `at` the writer's own. */
static struct node *own(struct heap *heap, struct node **at)
{
    struct node *shared = *at;

    if (atomic_load_explicit(&shared->refs, memory_order_acquire) == 1)
        return shared;
    *at = node_new(heap, item_keep(shared->item), pdict__memory_tree_keep(shared->child[0]),
                   pdict__memory_tree_keep(shared->child[1]));
    pdict__memory_tree_drop(heap, shared);
    return *at;
}

/* Lift the child on `side` over its own parent at `at`. */
static void rotate(struct heap *heap, struct node **at, int side)
{
    struct node *parent = *at;
    struct node *child = own(heap, &parent->child[side]);

    parent->child[side] = child->child[!side];
    child->child[!side] = parent;
    child->size = parent->size;
    parent->size = tree_size(parent->child[0]) + 1 + tree_size(parent->child[1]);
    *at = child;
}

static void balance(struct heap *heap, struct node **at)
{
    struct node *node = *at, *child;
    size_t left = weight_of(node->child[0]), right = weight_of(node->child[1]);
    int heavy = right > left;

    node->size = left + right - 1;
    if (left <= 3 * right && right <= 3 * left)
        return;
    child = own(heap, &node->child[heavy]);
    if (weight_of(child->child[!heavy]) >= 2 * weight_of(child->child[heavy]))
        rotate(heap, &node->child[heavy], !heavy);
    rotate(heap, at, heavy);
}

static void insert(struct heap *heap, enum order order, struct node **at, struct item *item)
{
    struct node *node;
    int side;

    if (*at == NULL) {
        *at = node_new(heap, item_keep(item), NULL, NULL);
        return;
    }
    node = own(heap, at);
    side = compare(order, item, node->item);
    if (side == 0) {
        pdict__memory_item_drop(heap, node->item);
        node->item = item_keep(item);
        return;
    }
    insert(heap, order, &node->child[side > 0], item);
    balance(heap, at);
}

struct item *pdict__memory_at(const struct node *node, size_t rank)
{
    while (rank != tree_size(node->child[0])) {
        bool is_right = rank > tree_size(node->child[0]);
        if (is_right)
            rank -= tree_size(node->child[0]) + 1;
        node = node->child[is_right];
    }
    return node->item;
}

static void erase(struct heap *heap, enum order order, struct node **at, const struct item *item)
{
    struct node *node = own(heap, at);
    int side = compare(order, item, node->item);

    if (side != 0) {
        erase(heap, order, &node->child[side > 0], item);
        balance(heap, at);
        return;
    }
    pdict__memory_item_drop(heap, node->item);
    if (node->child[0] == NULL || node->child[1] == NULL) {
        *at = node->child[node->child[0] == NULL];
        pdict__memory_release(heap, node);
        return;
    }
    node->item = item_keep(pdict__memory_at(node->child[1], 0));
    erase(heap, order, &node->child[1], node->item);
    balance(heap, at);
}

struct item *pdict__memory_find(const struct state *state, enum order order,
                                const struct item *item)
{
    const struct node *node = state->root[order];

    while (node != NULL) {
        int side = compare(order, item, node->item);
        if (side == 0)
            return node->item;
        node = node->child[side > 0];
    }
    return NULL;
}

size_t pdict__memory_rank(const struct state *state, enum order order, const struct item *item)
{
    const struct node *node = state->root[order];
    size_t rank = 0;

    while (node != NULL) {
        bool is_right = compare(order, item, node->item) > 0;
        if (is_right)
            rank += tree_size(node->child[0]) + 1;
        node = node->child[is_right];
    }
    return rank;
}

void pdict__memory_add(struct heap *heap, struct state *state, enum order order, struct item *item)
{
    insert(heap, order, &state->root[order], item);
}

void pdict__memory_take_out(struct heap *heap, struct state *state, enum order order,
                            const struct item *item)
{
    erase(heap, order, &state->root[order], item);
}

void pdict__memory_state_drop(struct heap *heap, struct state *state)
{
    if (atomic_fetch_sub_explicit(&state->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int order = 0; order < ORDERS; order++)
        pdict__memory_tree_drop(heap, state->root[order]);
    pdict__memory_release(heap, state);
}

struct state *pdict__memory_state_copy(struct heap *heap, const struct state *from)
{
    struct state *state = pdict__memory_allocate(heap, sizeof(*state));

    if (state == NULL)
        return NULL;
    atomic_init(&state->refs, 1);
    for (int order = 0; order < ORDERS; order++)
        state->root[order] = from != NULL ? pdict__memory_tree_keep(from->root[order]) : NULL;
    return state;
}
