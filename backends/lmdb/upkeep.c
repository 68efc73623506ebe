/* SPDX-License-Identifier: MIT */
/* Care for the file as a whole: checking it, and copying it while it is in use. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20)

/* Between two looks at the metas a writer may have committed twice. */
#define TRIES 1000

/* ---- checking ---- */

/* The metas take turns, so they tell of two commits in a row, each on the page of its number. LMDB
 * believes the larger number, and would show an old state for the present one. */
static bool are_in_turn(struct store *store)
{
    const volatile uint64_t *words[2];
    uint64_t a, b;

    pdict__lmdb_watch(store, words);
    for (int tries = 0; tries < TRIES; tries++) {
        a = *words[0];
        b = *words[1];
        if (a % 2 == 0 && b % 2 == 1 && (a == b + 1 || b == a + 1))
            return true;
        /* A commit between the two looks. */
        if (a == *words[0] && b == *words[1])
            return false;
    }
    return true;
}

/* Names lead to numbers, and numbers to names. */
static int check_names(struct view *view, const pdict_backend_events *events)
{
    static const pdict_slice no_key = { NULL, 0 };
    uint32_t map = 0, found;
    pdict_slice name;
    int status;

    while ((status = pdict__lmdb_map_next(view->store, view, map, &map, &name)) == PDICT_OK) {
        status = pdict__lmdb_map_find(view->store, view, name, &found);
        if (status == PDICT_NO_MAP || (status == PDICT_OK && found != map))
            status = pdict_backend_finding(events, no_key, "a map is not found by its name");
        if (status != PDICT_OK)
            return status;
    }
    return status == PDICT_END ? PDICT_OK : status;
}

/* While the snapshot is held no page of it, nor of a newer one, is used again. */
static int check_file(struct view *view, const pdict_backend_events *events)
{
    static const pdict_slice no_key = { NULL, 0 };
    struct store *store = view->store;
    struct file file = { .path = store->path, .fd = store->fd };
    int status = pdict_backend_progress(events, 0, 0);

    if (status == PDICT_OK && !are_in_turn(store))
        status =
            pdict_backend_finding(events, no_key, "the two meta pages do not follow each other");
    if (status != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_file_load(&file)) == PDICT_OK)
        status = pdict__lmdb_preflight(&store->allocator, &file);
    if (status == PDICT_OK)
        return check_names(view, events);
    if (status == PDICT_DAMAGED)
        return pdict_backend_finding(events, no_key, pdict_error_text());
    return status;
}

/* What the index of expiry has to hold for a row. */
static bool is_in_expiry(struct view *view, uint32_t map, const pdict_row *row, int *status)
{
    unsigned char bytes[20];
    MDB_val key = { sizeof(bytes), bytes }, value;

    put_be32(bytes, map);
    put_be64(bytes + 4, sortable(row->expires_ms));
    put_be64(bytes + 12, row->id);
    *status = pdict__lmdb_seek(view, EXPIRY, &key, &value, MDB_SET);
    if (*status == PDICT_NOTFOUND) {
        *status = PDICT_OK;
        return false;
    }
    return true;
}

static int check_rows(struct view *view, uint32_t map, void *cursor,
                      const pdict_backend_events *events, uint64_t *expected)
{
    pdict_row row;
    int status;

    while ((status = pdict__lmdb_scan_next(view->store, cursor, &row)) == PDICT_OK) {
        if (row.expires_ms == 0)
            continue;
        ++*expected;
        if (!is_in_expiry(view, map, &row, &status))
            status =
                pdict_backend_finding(events, row.key, "its expiry is not in the index of those");
        if (status == PDICT_OK && *expected % 4096 == 0)
            status = pdict_backend_progress(events, 0, 0);
        if (status != PDICT_OK)
            return status;
    }
    return status;
}

static int count_entries(struct view *view, uint32_t map, uint64_t *count)
{
    unsigned char from[4];
    MDB_val key = { sizeof(from), from }, value;
    int status;

    put_be32(from, map);
    status = pdict__lmdb_seek(view, EXPIRY, &key, &value, MDB_SET_RANGE);
    for (*count = 0; status == PDICT_OK && key.mv_size >= 4 && get_be32(key.mv_data) == map;
         ++*count)
        status = pdict__lmdb_seek(view, EXPIRY, &key, &value, MDB_NEXT);
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

/* Rows and their order are compared by core, which sees both; the index of expiry it never sees. */
static int check_expiry(struct view *view, uint32_t map, const pdict_backend_events *events)
{
    static const pdict_slice no_key = { NULL, 0 };
    pdict_scan scan = { .flags = PDICT_SCAN_NO_VALUES };
    uint64_t expected = 0, count;
    void *cursor;
    int status;

    if ((status = pdict__lmdb_scan_open(view->store, view, map, &scan, &cursor)) != PDICT_OK)
        return status;
    status = check_rows(view, map, cursor, events, &expected);
    pdict__lmdb_scan_close(view->store, cursor);
    /* A row that cannot be read is found by core too, with more words. */
    if (status != PDICT_END)
        return status == PDICT_DAMAGED ? PDICT_OK : status;
    if ((status = count_entries(view, map, &count)) != PDICT_OK)
        return status;
    if (count <= expected)
        return PDICT_OK;
    return pdict_backend_finding(events, no_key, "the index of expiry has entries of no record");
}

int pdict__lmdb_check(void *self, void *txn, uint32_t map, const pdict_backend_events *events)
{
    (void)self;
    return map == 0 ? check_file(txn, events) : check_expiry(txn, map, events);
}

/* ---- backup ---- */

/* A copy on its way: the pages of one snapshot, and the meta page that speaks of it. */
struct copy {
    struct store *store;
    const pdict_backend_events *events;
    const char *path;
    int fd;
    uint64_t txn_id, size;
    unsigned char meta[65536];
    unsigned char chunk[CHUNK];
};

static int read_some(const struct copy *copy, uint64_t at, void *out, size_t size, size_t *got)
{
    ssize_t count;

    for (*got = 0; *got < size; *got += (size_t)count) {
        count = pread(copy->store->fd, (char *)out + *got, size - *got, (off_t)(at + *got));
        if (count < 0 && errno == EINTR)
            count = 0;
        else if (count < 0)
            return pdict__lmdb_fail(copy->store, errno);
        else if (count == 0)
            break;
    }
    return PDICT_OK;
}

static int write_all(const struct copy *copy, uint64_t at, const void *bytes, size_t size)
{
    ssize_t count;

    for (size_t done = 0; done < size; done += (size_t)count) {
        count = pwrite(copy->fd, (const char *)bytes + done, size - done, (off_t)(at + done));
        if (count < 0 && errno == EINTR)
            count = 0;
        else if (count < 0)
            return pdict__lmdb_fail_file(copy->path);
    }
    return PDICT_OK;
}

/* The meta page of the snapshot, unless commits have overwritten it meanwhile. */
static int find_meta(struct copy *copy, bool *is_found)
{
    size_t page_size = copy->store->page_size, got;
    struct disk_meta meta;
    int status;

    status = read_some(copy, (copy->txn_id & 1) * page_size, copy->meta, page_size, &got);
    memcpy(&meta, copy->meta + PAGE_HEAD, sizeof(meta));
    *is_found = status == PDICT_OK && got == page_size && meta.txn_id == copy->txn_id;
    copy->size = (meta.last_page + 1) * page_size;
    return status;
}

/* A page that was never written lies in a hole, or beyond the end. */
static int copy_pages(struct copy *copy)
{
    uint64_t at = 2 * copy->store->page_size;
    size_t got = CHUNK;
    int status = PDICT_OK;

    while (status == PDICT_OK && at < copy->size && got == CHUNK) {
        uint64_t left = copy->size - at;

        status = read_some(copy, at, copy->chunk, left < CHUNK ? (size_t)left : CHUNK, &got);
        if (status == PDICT_OK)
            status = write_all(copy, at, copy->chunk, got);
        at += got;
        if (status == PDICT_OK)
            status = pdict_backend_progress(copy->events, at, copy->size);
    }
    return status;
}

/* Both metas speak of the same pages; one has to be the older. */
static int write_metas(struct copy *copy)
{
    size_t page_size = copy->store->page_size;
    struct disk_meta meta;
    int status = PDICT_OK;

    memcpy(&meta, copy->meta + PAGE_HEAD, sizeof(meta));
    for (uint64_t page = 0; page < 2 && status == PDICT_OK; page++) {
        meta.txn_id = page == (copy->txn_id & 1) ? copy->txn_id : copy->txn_id - 1;
        memcpy(copy->meta, &page, sizeof(page));
        memcpy(copy->meta + PAGE_HEAD, &meta, sizeof(meta));
        status = write_all(copy, page * page_size, copy->meta, page_size);
    }
    if (status == PDICT_OK && ftruncate(copy->fd, (off_t)copy->size) != 0)
        status = pdict__lmdb_fail_file(copy->path);
    return status;
}

static int copy_snapshot(struct copy *copy, struct view *view)
{
    bool is_found = false;
    int status = PDICT_OK;

    for (int tries = 0; tries < TRIES && status == PDICT_OK && !is_found; tries++) {
        if (tries > 0) {
            pdict__lmdb_reader_end(copy->store, view);
            if ((status = pdict__lmdb_reader_begin(copy->store, view)) != PDICT_OK)
                return status;
        }
        copy->txn_id = mdb_txn_id(view->txn);
        status = find_meta(copy, &is_found);
    }
    if (status == PDICT_OK && !is_found)
        status =
            pdict_fail(PDICT_BUSY, "lmdb: %s is written to faster than it can be read; try again",
                       copy->store->path);
    if (status == PDICT_OK)
        status = copy_pages(copy);
    if (status == PDICT_OK)
        status = write_metas(copy);
    pdict__lmdb_reader_end(copy->store, view);
    return status;
}

static int copy_store(struct store *store, struct copy *copy)
{
    void *view;
    int status = pdict__lmdb_reader_open(store, &view);

    if (status != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_reader_begin(store, view)) == PDICT_OK)
        status = copy_snapshot(copy, view);
    pdict__lmdb_reader_close(store, view);
    return status;
}

int pdict__lmdb_backup(void *self, const char *path, const pdict_backend_events *events)
{
    struct store *store = self;
    struct copy *copy = allocate(store, sizeof(*copy));
    int status;

    if (copy == NULL)
        return no_memory("a copy");
    copy->store = store;
    copy->events = events;
    copy->path = path;
    if ((copy->fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
        status = pdict__lmdb_fail_file(path);
    else
        status = copy_store(store, copy);
    if (copy->fd >= 0)
        close(copy->fd);
    release(store, copy);
    return status;
}
