/* SPDX-License-Identifier: MIT */
/* Walks the keys of a map in their order, in and out of the groups that continue long ones. */
#include "lmdb.h"

/* The parts that lead into the group at `depth`: one of 507 bytes, then parts of 503. */
static size_t path_size(size_t depth)
{
    return depth == 0 ? 0 : depth * (KEY_MAX - 8) + 4;
}

static int grow_path(struct walk *w)
{
    size_t capacity = w->capacity * 2 + 4;
    const pdict_allocator *a = &w->view->store->allocator;
    uint64_t *groups = a->reallocate(a->ctx, w->groups, capacity * sizeof(*groups));
    unsigned char *path;

    if (groups == NULL)
        return no_memory("a cursor");
    w->groups = groups;
    path = a->reallocate(a->ctx, w->path, path_size(capacity));
    if (path == NULL)
        return no_memory("a cursor");
    w->path = path;
    w->capacity = capacity;
    return PDICT_OK;
}

int pdict__lmdb_walk_open(struct walk *walk, struct view *view, uint32_t map, bool is_reverse)
{
    int rc, status;

    *walk = (struct walk){ .view = view, .is_reverse = is_reverse };
    if ((status = grow_path(walk)) != PDICT_OK)
        return status;
    walk->groups[0] = map;
    rc = mdb_cursor_open(view->txn, view->store->tables[ROWS], &walk->cursor);
    if (rc == 0)
        return PDICT_OK;
    walk->cursor = NULL;
    return pdict__lmdb_fail(view->store, rc);
}

void pdict__lmdb_walk_close(struct walk *walk)
{
    if (walk->cursor != NULL)
        mdb_cursor_close(walk->cursor);
    release(walk->view->store, walk->groups);
    release(walk->view->store, walk->path);
}

static uint64_t group_of(const struct walk *w)
{
    return w->groups[w->depth];
}

/* The cursor stands on the record of a part; go on in the group it names. */
static int push(struct walk *w, const MDB_val *record, const MDB_val *value)
{
    size_t part = path_size(w->depth + 1) - path_size(w->depth);
    uint64_t next;
    int status;

    if ((status = pdict__lmdb_next_group(w->view->store, record, value, &next)) != PDICT_OK)
        return status;
    if (w->depth + 1 == w->capacity && (status = grow_path(w)) != PDICT_OK)
        return status;
    memcpy(w->path + path_size(w->depth), (char *)record->mv_data + KEY_MAX - part, part);
    w->groups[++w->depth] = next;
    return PDICT_OK;
}

static int step(struct walk *w, MDB_val *record, MDB_val *value)
{
    return mdb_cursor_get(w->cursor, record, value, w->is_reverse ? MDB_PREV : MDB_NEXT);
}

/* Step back from a position that may lie behind the last record of all. */
static int step_back(struct walk *w, int rc, MDB_val *record, MDB_val *value)
{
    return mdb_cursor_get(w->cursor, record, value, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
}

/* To the record of the group that the walk enters first. */
static int seek_edge(struct walk *w, MDB_val *record, MDB_val *value)
{
    struct record_key at;
    int rc;

    pdict__lmdb_group_start(&at, group_of(w) + w->is_reverse);
    *record = (MDB_val){ at.size, at.bytes };
    rc = mdb_cursor_get(w->cursor, record, value, MDB_SET_RANGE);
    if (w->is_reverse && (rc == 0 || rc == MDB_NOTFOUND))
        rc = step_back(w, rc, record, value);
    return rc;
}

/* Back to the record that led into the group, and one further. */
static int pop(struct walk *w, MDB_val *record, MDB_val *value)
{
    struct record_key at;
    pdict_slice part;
    int rc;

    w->depth--;
    part.data = w->path + path_size(w->depth);
    part.size = path_size(w->depth + 1) - path_size(w->depth);
    pdict__lmdb_record_key(&at, group_of(w), &part);
    *record = (MDB_val){ at.size, at.bytes };
    rc = mdb_cursor_get(w->cursor, record, value, MDB_SET_KEY);
    return rc == 0 ? step(w, record, value) : MDB_CORRUPTED;
}

/* From wherever the cursor came to stand, in and out of groups to the row that is meant. */
static int settle(struct walk *w, int rc, MDB_val *record, MDB_val *value)
{
    int status;

    for (;;) {
        if (rc != 0 && rc != MDB_NOTFOUND)
            return pdict__lmdb_fail(w->view->store, rc);
        if (rc == MDB_NOTFOUND || !pdict__lmdb_in_group(record, group_of(w))) {
            if (w->depth == 0)
                return PDICT_END;
            rc = pop(w, record, value);
        } else if (record->mv_size == KEY_MAX) {
            if ((status = push(w, record, value)) != PDICT_OK)
                return status;
            rc = seek_edge(w, record, value);
        } else {
            return PDICT_OK;
        }
    }
}

/* To the first record >= the bound's, in the group where the bound's key ends or is missed. */
static int seek_bound(struct walk *w, pdict_slice bound, MDB_val *record, MDB_val *value, int *rc)
{
    struct record_key at;
    bool is_last;
    int status;

    for (;;) {
        is_last = pdict__lmdb_record_key(&at, group_of(w), &bound);
        *record = (MDB_val){ at.size, at.bytes };
        *rc = mdb_cursor_get(w->cursor, record, value, MDB_SET_RANGE);
        if (is_last || *rc != 0 || record->mv_size != at.size ||
            memcmp(record->mv_data, at.bytes, at.size) != 0)
            return PDICT_OK;
        if ((status = push(w, record, value)) != PDICT_OK)
            return status;
    }
}

int pdict__lmdb_walk_seek(struct walk *walk, pdict_slice bound, MDB_val *record, MDB_val *value)
{
    int rc, status;

    walk->depth = 0;
    if (bound.data == NULL)
        return settle(walk, seek_edge(walk, record, value), record, value);
    if ((status = seek_bound(walk, bound, record, value, &rc)) != PDICT_OK)
        return status;
    if (walk->is_reverse && (rc == 0 || rc == MDB_NOTFOUND))
        rc = step_back(walk, rc, record, value);
    return settle(walk, rc, record, value);
}

int pdict__lmdb_walk_next(struct walk *walk, MDB_val *record, MDB_val *value)
{
    return settle(walk, step(walk, record, value), record, value);
}
