/* SPDX-License-Identifier: MIT */
/* Room to grow: the mapping is reserved large, and made larger while nobody looks at it. */
#include "lmdb.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

/* What is free when a transaction begins, beside a share of what is used. */
#define ROOM_USUAL (UINT64_C(16) << 20)
#define ROOM_LEAST (UINT64_C(1) << 20)
#define ROOM_STEP  (UINT64_C(1) << 20)

/* Between a look for address space and its use LMDB and other threads map some, perhaps where it
 * was found. */
#define SPARE_MOST (UINT64_C(256) << 20)

/* Pages that one change may make anew: a path and a split in each of three trees. */
#define PAGES_PER_CHANGE 32

int64_t pdict__lmdb_steady_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int pdict__lmdb_room_init(struct store *store)
{
    pthread_condattr_t attributes;
    int rc;

    if ((rc = pthread_condattr_init(&attributes)) != 0)
        return pdict__lmdb_fail(store, rc);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    rc = pthread_cond_init(&store->room.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (rc == 0 && (rc = pthread_mutex_init(&store->room.lock, NULL)) != 0)
        pthread_cond_destroy(&store->room.changed);
    return rc == 0 ? PDICT_OK : pdict__lmdb_fail(store, rc);
}

void pdict__lmdb_room_destroy(struct store *store)
{
    pthread_mutex_destroy(&store->room.lock);
    pthread_cond_destroy(&store->room.changed);
}

/* ---- who is inside ---- */

static void wait_until_grown(struct room *room)
{
    pthread_mutex_lock(&room->lock);
    while (atomic_load(&room->is_growing))
        pthread_cond_wait(&room->changed, &room->lock);
    pthread_mutex_unlock(&room->lock);
}

/* A user counts itself and then looks at is_growing, who grows sets is_growing and then counts the
 * users: one of them sees the other. */
void pdict__lmdb_enter(struct store *store)
{
    for (;;) {
        atomic_fetch_add(&store->room.users, 1);
        if (!atomic_load(&store->room.is_growing))
            return;
        pdict__lmdb_leave(store);
        wait_until_grown(&store->room);
    }
}

void pdict__lmdb_leave(struct store *store)
{
    struct room *room = &store->room;

    if (atomic_fetch_sub(&room->users, 1) != 1 || !atomic_load(&room->is_growing))
        return;
    pthread_mutex_lock(&room->lock);
    pthread_cond_broadcast(&room->changed);
    pthread_mutex_unlock(&room->lock);
}

static struct timespec deadline_after(int64_t timeout_ms)
{
    int64_t at_ms = pdict__lmdb_steady_ms();

    at_ms = timeout_ms < INT64_MAX - at_ms ? at_ms + timeout_ms : INT64_MAX;
    return (struct timespec){ .tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 };
}

static bool wait_for_users(struct room *room, int64_t timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms > 0 ? timeout_ms : 0);
    int rc = 0;

    while (atomic_load(&room->users) > 0 && rc == 0)
        rc = pthread_cond_timedwait(&room->changed, &room->lock, &deadline);
    return atomic_load(&room->users) == 0;
}

/* ---- the mapping ---- */

static bool can_map(uint64_t size)
{
    void *memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    munmap(memory, size);
    return true;
}

static bool can_map_soon(uint64_t size)
{
    uint64_t spare = size / 64;

    return can_map(size + (spare < SPARE_MOST ? spare : SPARE_MOST));
}

static uint64_t round_up(uint64_t size)
{
    return (size + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
}

uint64_t pdict__lmdb_reserve(uint64_t wanted, uint64_t least)
{
    uint64_t size = wanted;

    least = round_up(least + ROOM_LEAST);
    while (size > least && !can_map_soon(size))
        size /= 2;
    /* Where address space is scarce, the rest of the process needs most of it. */
    if (size < wanted)
        size /= 4;
    return round_up(size > least ? size : least);
}

static uint64_t map_size(const struct store *store)
{
    MDB_envinfo facts = { 0 };

    if (store->room.lost == PDICT_OK)
        mdb_env_info(store->env, &facts);
    return facts.me_mapsize;
}

static uint64_t used_bytes(const struct store *store)
{
    return (pdict__lmdb_last_page(store) + 1) * store->page_size;
}

/* Only the difference must be found: the old mapping is given back first. If the new one then fails
 * all the same, LMDB has none at all and nothing but closing is left. */
static int remap(struct store *store, uint64_t least)
{
    uint64_t now = map_size(store), size = now * 2;
    int rc;

    clear_stale_readers(store);
    if (size < least + least / 4)
        size = least + least / 4;
    if (!can_map(size - now))
        size = least;
    size = round_up(size);
    if (size <= now)
        return PDICT_OK;
    if (!can_map(size - now))
        return pdict_fail(PDICT_FULL,
                          "lmdb: %s needs %llu MiB of address space, which the process may not "
                          "have; raise its limit (ulimit -v)",
                          store->path, (unsigned long long)(size >> 20));
    if ((rc = mdb_env_set_mapsize(store->env, size)) == 0)
        return PDICT_OK;
    store->room.lost = PDICT_NOMEM;
    return pdict__lmdb_fail(store, rc);
}

int pdict__lmdb_fail_lost(const struct store *store)
{
    if (store->room.lost == PDICT_NOMEM)
        return pdict_fail(PDICT_NOMEM,
                          "lmdb: the mapping of %s was lost while it grew; close the store and "
                          "open it again",
                          store->path);
    return pdict_fail(store->room.lost,
                      "lmdb: compacting %s failed halfway; close the store, check the disk and "
                      "open it again, which brings that to its end",
                      store->path);
}

/* The caller is not counted among the users. */
static int grow(struct store *store, uint64_t least, int64_t timeout_ms)
{
    struct room *room = &store->room;
    int status = PDICT_OK;

    pthread_mutex_lock(&room->lock);
    while (atomic_load(&room->is_growing))
        pthread_cond_wait(&room->changed, &room->lock);
    atomic_store(&room->is_growing, true);
    if (room->lost != PDICT_OK)
        status = pdict__lmdb_fail_lost(store);
    else if (!wait_for_users(room, timeout_ms))
        status = pdict_fail(PDICT_BUSY,
                            "lmdb: %s must be mapped anew to grow, and a reader, an iteration or a "
                            "transaction of this process kept its snapshot until the timeout "
                            "passed; end it and try again",
                            store->path);
    else if (map_size(store) < least) {
        room->moves++;
        status = remap(store, least);
    }
    atomic_store(&room->is_growing, false);
    pthread_cond_broadcast(&room->changed);
    pthread_mutex_unlock(&room->lock);
    return status;
}

int pdict__lmdb_alone(struct store *store, int64_t timeout_ms, int (*work)(struct store *store))
{
    struct room *room = &store->room;
    int status;

    pthread_mutex_lock(&room->lock);
    while (atomic_load(&room->is_growing))
        pthread_cond_wait(&room->changed, &room->lock);
    atomic_store(&room->is_growing, true);
    if (room->lost != PDICT_OK)
        status = pdict__lmdb_fail_lost(store);
    else if (!wait_for_users(room, timeout_ms))
        status = pdict_fail(PDICT_BUSY,
                            "lmdb: %s has to be at rest, and a reader, an iteration or a "
                            "transaction of this process kept its snapshot until the timeout "
                            "passed; end it and try again",
                            store->path);
    else {
        room->moves++;
        status = work(store);
    }
    atomic_store(&room->is_growing, false);
    pthread_cond_broadcast(&room->changed);
    pthread_mutex_unlock(&room->lock);
    return status;
}

int pdict__lmdb_adopt(struct store *store)
{
    return grow(store, used_bytes(store) + ROOM_LEAST, store->timeout_ms);
}

int pdict__lmdb_make_room(struct store *store, int64_t timeout_ms)
{
    uint64_t used, usual, wanted = atomic_load(&store->room.wanted), mapped;
    int status = PDICT_OK;

    pdict__lmdb_enter(store);
    used = used_bytes(store);
    mapped = map_size(store);
    pdict__lmdb_leave(store);
    usual = ROOM_USUAL + used / 4;
    if (wanted < ROOM_LEAST)
        wanted = ROOM_LEAST;
    if (mapped < used + wanted)
        status = grow(store, used + wanted, timeout_ms);
    else if (mapped < used + usual && atomic_load(&store->room.users) == 0)
        grow(store, used + usual, 0); /* early, while it is free of charge */
    if (status == PDICT_OK)
        atomic_store(&store->room.wanted, 0);
    return status;
}

/* ---- within a transaction ---- */

/* What a transaction may take: at most every page once, and the new bytes in half-empty pages. */
static uint64_t most_claimed(const struct view *view, uint64_t used)
{
    uint64_t pages = view->claim_count * PAGES_PER_CHANGE * view->store->page_size;

    return (pages < used ? pages : used) + 4 * (view->claim_bytes + 128 * view->claim_count) +
           ROOM_LEAST;
}

/* Nothing was changed yet, and write.c's lock keeps the other processes out meanwhile. Space that
 * was used before may be enough, so only what can never fit is worth a wait or a failure. */
static int begin_again(struct view *view, uint64_t least, bool is_needed)
{
    struct store *store = view->store;
    size_t txn_id = mdb_txn_id(view->txn);
    int rc, status;

    mdb_txn_abort(view->txn);
    view->txn = NULL;
    memset(view->cursors, 0, sizeof(view->cursors));
    view->ready = 0;
    pdict__lmdb_leave(store);
    status = grow(store, least, is_needed ? view->timeout_ms : 0);
    pdict__lmdb_enter(store);
    if (store->room.lost != PDICT_OK)
        return status;
    if ((rc = mdb_txn_begin(store->env, NULL, 0, &view->txn)) != 0) {
        view->txn = NULL;
        return pdict__lmdb_fail(store, rc);
    }
    if (mdb_txn_id(view->txn) != txn_id)
        return pdict_fail(PDICT_BUSY, "lmdb: another program wrote to %s while it grew; try again",
                          store->path);
    return is_needed ? status : PDICT_OK;
}

int pdict__lmdb_claim(struct view *view, uint64_t count, uint64_t bytes)
{
    struct store *store = view->store;
    uint64_t used, most, mapped;

    view->claim_count += count;
    view->claim_bytes += bytes;
    if (view->changes > 0)
        return PDICT_OK;
    used = used_bytes(store);
    mapped = map_size(store);
    most = used + most_claimed(view, used);
    if (mapped >= most)
        return PDICT_OK;
    return begin_again(view, most, mapped < used + view->claim_bytes);
}

int pdict__lmdb_fail_map_full(struct store *store)
{
    uint64_t used = used_bytes(store);

    atomic_store(&store->room.wanted, most_claimed(&store->writer, used) + map_size(store) - used);
    return pdict_fail(PDICT_BUSY,
                      "lmdb: the transaction outgrew the mapping of %s, which the next one will "
                      "find enlarged; try again",
                      store->path);
}
