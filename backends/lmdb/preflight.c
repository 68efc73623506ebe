/* SPDX-License-Identifier: MIT */
/* Walks all pages of a file with bounded reads, so that LMDB meets no surprise in its mapping. */
#include "disk.h"

enum {
    DEPTH_MAX = 32,
    FREE_CHUNK = 512,
    NODE_ALIGN = 2
};

/* Of the low byte of a tree's flags; the free list's also keeps flags of the environment. */
#define TREE_KIND         0x77
#define TREE_INTEGER_KEYS 0x08

enum tree_kind {
    TREE_FREE,
    TREE_MAIN,
    TREE_TABLE
};

/* A page still to be looked at. */
struct visit {
    uint64_t page;
    uint16_t height; /* 1: a leaf */
    enum tree_kind kind;
};

struct walk_state {
    const pdict_allocator *allocator;
    const struct file *file;
    unsigned char *seen; /* a bit for each page that the file holds */
    uint64_t page_count;
    struct visit *visits;
    size_t visit_count, visit_capacity;
    unsigned char page[65536];
    bool taken[65536 / NODE_ALIGN]; /* of the page: bytes that belong to an entry */
};

static int no_memory_to_check(void)
{
    return no_memory("checking the file");
}

/* A page belongs to one place only, so that also ends every cycle. */
static int mark(struct walk_state *s, uint64_t page)
{
    if (page < 2 || page > s->file->meta.last_page)
        return pdict__lmdb_page_damaged(s->file, page, "it lies outside of the store");
    if (page >= s->page_count)
        return PDICT_OK; /* a free one that was never written; others are found when read */
    if (s->seen[page / 8] & 1u << page % 8)
        return pdict__lmdb_page_damaged(s->file, page, "two places refer to it");
    s->seen[page / 8] |= (unsigned char)(1u << page % 8);
    return PDICT_OK;
}

static int push(struct walk_state *s, uint64_t page, unsigned height, enum tree_kind kind)
{
    if (s->visit_count == s->visit_capacity) {
        size_t capacity = s->visit_capacity * 2 + 64;
        struct visit *grown =
            s->allocator->reallocate(s->allocator->ctx, s->visits, capacity * sizeof(*grown));
        if (grown == NULL)
            return no_memory_to_check();
        s->visits = grown;
        s->visit_capacity = capacity;
    }
    s->visits[s->visit_count++] =
        (struct visit){ .page = page, .height = (uint16_t)height, .kind = kind };
    return mark(s, page);
}

static int push_tree(struct walk_state *s, uint64_t from, const struct disk_tree *tree,
                     enum tree_kind kind)
{
    unsigned integer_keys = kind == TREE_FREE ? TREE_INTEGER_KEYS : 0;

    if ((tree->flags & (TREE_KIND | TREE_INTEGER_KEYS)) != integer_keys)
        return pdict__lmdb_page_damaged(s->file, from,
                                        "it has a table of a kind pdict never makes");
    if (tree->root == NO_PAGE)
        return PDICT_OK;
    if (tree->depth == 0 || tree->depth > DEPTH_MAX)
        return pdict__lmdb_page_damaged(s->file, from, "a table's depth cannot be true");
    return push(s, tree->root, tree->depth, kind);
}

/* Where the bytes of a leaf's node lie; the pages of a large one are marked. */
static int locate(struct walk_state *s, const struct visit *at, const struct node *node,
                  uint64_t *offset)
{
    unsigned char head[PAGE_HEAD];
    uint64_t first, count, needed;
    uint32_t has;
    int status;

    if (!(node->flags & NODE_OVERFLOW)) {
        size_t start = (size_t)(node->data - s->page);
        *offset = at->page * s->file->page_size + start;
        return node->data_size <= s->file->page_size - start
                   ? PDICT_OK
                   : pdict__lmdb_page_damaged(s->file, at->page, "an entry leaves it");
    }
    if ((size_t)(node->data - s->page) + sizeof(first) > s->file->page_size)
        return pdict__lmdb_page_damaged(s->file, at->page, "an entry leaves it");
    memcpy(&first, node->data, sizeof(first));
    if (first < 2 || first > s->file->meta.last_page)
        return pdict__lmdb_page_damaged(s->file, at->page, "it refers to a page that is not there");
    *offset = first * s->file->page_size;
    status = pdict__lmdb_file_bytes(s->file, *offset, head, sizeof(head));
    if (status != PDICT_OK)
        return status;
    memcpy(&has, head + 12, sizeof(has));
    needed = (PAGE_HEAD + node->data_size + s->file->page_size - 1) / s->file->page_size;
    if (memcmp(head, &first, sizeof(first)) != 0 || page_flags(head) != PAGE_OVERFLOW ||
        has < needed || first + has > s->page_count)
        return pdict__lmdb_page_damaged(s->file, first,
                                        "a large value does not fit into its pages");
    for (count = 0; count < has && status == PDICT_OK; count++)
        status = mark(s, first + count);
    *offset += PAGE_HEAD;
    return status;
}

/* A list of free pages: how many, then their numbers, falling. */
static int check_free(struct walk_state *s, uint64_t from, uint64_t offset, uint64_t size)
{
    uint64_t pages[FREE_CHUNK], count, before = UINT64_MAX;
    int status;

    if (size < sizeof(count))
        return pdict__lmdb_page_damaged(s->file, from, "a list of free pages is cut");
    if ((status = pdict__lmdb_file_bytes(s->file, offset, &count, sizeof(count))) != PDICT_OK)
        return status;
    if (count > size / sizeof(count) - 1)
        return pdict__lmdb_page_damaged(s->file, from, "a list of free pages is cut");
    for (uint64_t i = 0; i < count; i++) {
        if (i % FREE_CHUNK == 0) {
            uint64_t left = count - i < FREE_CHUNK ? count - i : FREE_CHUNK;
            status = pdict__lmdb_file_bytes(s->file, offset + (i + 1) * sizeof(count), pages,
                                            left * sizeof(count));
            if (status != PDICT_OK)
                return status;
        }
        if (pages[i % FREE_CHUNK] >= before)
            return pdict__lmdb_page_damaged(s->file, from, "a list of free pages is out of order");
        before = pages[i % FREE_CHUNK];
        if ((status = mark(s, before)) != PDICT_OK)
            return status;
    }
    return PDICT_OK;
}

static int check_leaf_node(struct walk_state *s, const struct visit *at, const struct node *node)
{
    struct disk_tree tree;
    uint64_t offset = 0;
    int status;

    if (node->flags & ~(unsigned)(NODE_OVERFLOW | NODE_TREE) || node->key.size == 0 ||
        node->key.size > KEY_MAX)
        return pdict__lmdb_page_damaged(s->file, at->page, "an entry is of no known kind");
    if ((status = locate(s, at, node, &offset)) != PDICT_OK)
        return status;
    if (at->kind == TREE_FREE)
        return check_free(s, at->page, offset, node->data_size);
    if (!(node->flags & NODE_TREE))
        return PDICT_OK;
    if (at->kind != TREE_MAIN || node->flags & NODE_OVERFLOW || node->data_size != sizeof(tree))
        return pdict__lmdb_page_damaged(s->file, at->page, "an entry is of no known kind");
    memcpy(&tree, node->data, sizeof(tree));
    return push_tree(s, at->page, &tree, TREE_TABLE);
}

static bool is_less(pdict_slice a, pdict_slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

    return order < 0 || (order == 0 && a.size < b.size);
}

/* The free list's keys are the numbers of transactions. */
static bool is_number(pdict_slice key, uint64_t *out)
{
    if (key.size != sizeof(*out))
        return false;
    memcpy(out, key.data, sizeof(*out));
    return true;
}

static bool is_in_order(enum tree_kind kind, pdict_slice a, pdict_slice b)
{
    uint64_t first = 0, second = 0;

    if (kind != TREE_FREE)
        return is_less(a, b);
    return is_number(a, &first) && is_number(b, &second) && first < second;
}

/* LMDB forgets that it has taken the pages under 0, and takes them once more. */
static bool is_key(const struct walk_state *s, const struct visit *at, const struct node *node)
{
    uint64_t number;

    return at->kind != TREE_FREE ||
           (is_number(node->key, &number) && number > 0 && number <= s->file->meta.txn_id);
}

/* Bytes of an entry, its filling up included. */
static uint64_t node_size(const struct visit *at, const struct node *node)
{
    uint64_t size = NODE_HEAD + node->key.size;

    if (at->height == 1)
        size += node->flags & NODE_OVERFLOW ? sizeof(uint64_t) : node->data_size;
    return (size + NODE_ALIGN - 1) / NODE_ALIGN * NODE_ALIGN;
}

/* False: part of it belongs to another entry, or lies outside of the page. */
static bool take(struct walk_state *s, const struct visit *at, const struct node *node,
                 uint64_t *total)
{
    size_t start = (size_t)((const unsigned char *)node->key.data - s->page) - NODE_HEAD;
    uint64_t size = node_size(at, node);

    if (size > s->file->page_size - start)
        return false;
    *total += size;
    for (size_t i = start / NODE_ALIGN; i < (start + size) / NODE_ALIGN; i++) {
        if (s->taken[i])
            return false;
        s->taken[i] = true;
    }
    return true;
}

/* LMDB moves the entries of a page by their sizes, so they have to fill its end without a gap. */
static int check_room(struct walk_state *s, const struct visit *at, size_t count)
{
    uint64_t total = 0;
    struct node node;

    memset(s->taken, 0, sizeof(s->taken));
    for (size_t i = 0; i < count; i++) {
        if (!pdict__lmdb_page_node(s->file, s->page, i, &node) || !take(s, at, &node, &total))
            return pdict__lmdb_page_damaged(s->file, at->page, "an entry leaves its place");
    }
    return total == pdict__lmdb_page_room(s->file, s->page)
               ? PDICT_OK
               : pdict__lmdb_page_damaged(s->file, at->page, "its entries leave a gap");
}

static int check_page(struct walk_state *s, const struct visit *at)
{
    uint16_t expected = at->height == 1 ? PAGE_LEAF : PAGE_BRANCH;
    struct node node, before = { 0 };
    size_t count;
    int status;

    if ((status = pdict__lmdb_file_page(s->file, at->page, s->page)) != PDICT_OK)
        return status;
    if (page_flags(s->page) != expected || !pdict__lmdb_page_count(s->file, s->page, &count))
        return pdict__lmdb_page_damaged(s->file, at->page, "its header cannot be true");
    if (count < (expected == PAGE_BRANCH && at->kind != TREE_FREE ? 2 : 1))
        return pdict__lmdb_page_damaged(s->file, at->page, "it has too few entries");
    status = check_room(s, at, count);
    for (size_t i = 0; i < count && status == PDICT_OK; i++, before = node) {
        pdict__lmdb_page_node(s->file, s->page, i, &node);
        if (i >= (expected == PAGE_BRANCH) && !is_key(s, at, &node))
            return pdict__lmdb_page_damaged(s->file, at->page, "a key of it cannot be true");
        if (i > (expected == PAGE_BRANCH) && !is_in_order(at->kind, before.key, node.key))
            return pdict__lmdb_page_damaged(s->file, at->page, "its keys are out of order");
        status = expected == PAGE_BRANCH ? push(s, node.child, at->height - 1u, at->kind)
                                         : check_leaf_node(s, at, &node);
    }
    return status;
}

static int check_all(struct walk_state *s)
{
    const struct disk_meta *meta = &s->file->meta;
    int status;

    if ((status = push_tree(s, 0, &meta->free, TREE_FREE)) != PDICT_OK)
        return status;
    status = push_tree(s, 0, &meta->main, TREE_MAIN);
    while (status == PDICT_OK && s->visit_count > 0) {
        struct visit at = s->visits[--s->visit_count];
        status = check_page(s, &at);
    }
    return status;
}

int pdict__lmdb_preflight(const pdict_allocator *allocator, const struct file *file)
{
    struct walk_state *s = allocator->allocate(allocator->ctx, sizeof(*s));
    uint64_t page_count = file->size / file->page_size;
    int status;

    if (s == NULL)
        return no_memory_to_check();
    if (page_count > file->meta.last_page + 1)
        page_count = file->meta.last_page + 1;
    memset(s, 0, sizeof(*s));
    s->allocator = allocator;
    s->file = file;
    s->page_count = page_count;
    if ((s->seen = allocator->allocate(allocator->ctx, page_count / 8 + 1)) == NULL) {
        status = no_memory_to_check();
    } else {
        memset(s->seen, 0, page_count / 8 + 1);
        status = check_all(s);
    }
    allocator->release(allocator->ctx, s->visits);
    allocator->release(allocator->ctx, s->seen);
    allocator->release(allocator->ctx, s);
    return status;
}
