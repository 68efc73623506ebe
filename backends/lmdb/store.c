/* SPDX-License-Identifier: MIT */
/* A store: opened after a look at its file, its facts, its change token, its sync. */
#include "disk.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define TXN_ID_AT (PAGE_HEAD + offsetof(struct disk_meta, txn_id))
#define LAST_AT   (PAGE_HEAD + offsetof(struct disk_meta, last_page))
#define TRIES     1000

/* ---- the meta pages ---- */

static const volatile uint64_t *meta_word(const struct store *store, int meta, size_t at)
{
    return (const volatile uint64_t *)(store->metas + (size_t)meta * store->page_size + at);
}

uint64_t pdict__lmdb_last_page(const struct store *store)
{
    int newer = *meta_word(store, 1, TXN_ID_AT) > *meta_word(store, 0, TXN_ID_AT);

    return *meta_word(store, newer, LAST_AT);
}

int pdict__lmdb_watch(void *self, const volatile uint64_t *words[2])
{
    struct store *store = self;

    for (int i = 0; i < 2; i++)
        words[i] = meta_word(store, i, TXN_ID_AT);
    return PDICT_OK;
}

/* Commits write the two metas in turn, and the newer one has the higher number. */
static uint64_t last_txn(const uint64_t words[2])
{
    return words[0] > words[1] ? words[0] : words[1];
}

bool pdict__lmdb_is_next(void *self, const uint64_t before[2], const uint64_t after[2])
{
    (void)self;
    return last_txn(after) - last_txn(before) == 1;
}

/* A meta is written a moment before LMDB lets readers have it. */
bool pdict__lmdb_watch_sees(void *self, void *reader, const uint64_t token[2])
{
    const struct view *view = reader;

    (void)self;
    return mdb_txn_id(view->txn) >= last_txn(token);
}

/* Do the words lie where this file expects them? Ask LMDB, between two looks that agree. */
static int verify_metas(struct store *store)
{
    const volatile uint64_t *words[2];
    MDB_envinfo facts;

    pdict__lmdb_watch(store, words);
    for (int i = 0; i < TRIES; i++) {
        uint64_t a = *words[0], b = *words[1], last = pdict__lmdb_last_page(store);
        mdb_env_info(store->env, &facts);
        if (a != *words[0] || b != *words[1])
            continue;
        if (facts.me_last_txnid == (a > b ? a : b) && facts.me_last_pgno == last)
            return PDICT_OK;
        break;
    }
    return pdict_fail(
        PDICT_UNSUPPORTED,
        "lmdb: %s keeps its meta pages elsewhere than LMDB 0.9 does; use a build with "
        "LMDB 0.9",
        mdb_version(NULL, NULL, NULL));
}

/* ---- opening ---- */

static int store_new(const pdict_backend_args *args, struct store **out)
{
    const pdict_option_value *reserve = &args->options[OPTION_RESERVE];
    struct store *store = args->allocator.allocate(args->allocator.ctx, sizeof(*store));
    int status;

    if (store == NULL)
        return no_memory("the store");
    memset(store, 0, sizeof(*store));
    store->opening_fd = -1;
    store->allocator = args->allocator;
    store->is_read_only = (args->flags & PDICT_BACKEND_READ_ONLY) != 0;
    store->timeout_ms = args->timeout_ms;
    store->reserve = (uint64_t)reserve->number;
    store->writer = (struct view){ .store = store, .is_writer = true };
    if ((status = pdict__lmdb_room_init(store)) != PDICT_OK) {
        release(store, store);
        return status;
    }
    *out = store;
    store->path = allocate(store, strlen(args->path) + 1);
    if (store->path == NULL)
        return no_memory("a path");
    strcpy(store->path, args->path);
    return PDICT_OK;
}

void pdict__lmdb_close(void *self)
{
    struct store *store = self;

    if (store == NULL)
        return;
    pdict__lmdb_env_close(store);
    pdict__lmdb_room_destroy(store);
    release(store, store->path);
    release(store, store);
}

static int check_file(const pdict_backend_args *args, enum file_kind *kind, uint64_t *used_bytes)
{
    bool is_full = args->options[OPTION_PREFLIGHT].number != 0;
    int status;

    if (!args->options[OPTION_FORCE_NETWORK].number &&
        (status = pdict__lmdb_check_file_system(args->path)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_compact_finish(args)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_identify(args, is_full, kind, used_bytes)) != PDICT_OK)
        return status;
    if (*kind == FILE_STORE)
        return PDICT_OK;
    /* Blank is what a process leaves behind that dies while it creates a store. */
    if (!(args->flags & PDICT_BACKEND_CREATE) || args->flags & PDICT_BACKEND_READ_ONLY)
        return pdict_fail(PDICT_NOT_A_STORE,
                          "lmdb: %s is empty; open it with mode=rwc to make it a store",
                          args->path);
    return PDICT_OK;
}

enum open_again {
    AGAIN_NOT,
    AGAIN_COMPACTED, /* when a compaction has been brought to its end */
    AGAIN_TORN       /* when nobody uses what a dead process has left of the lock file */
};

static int examine_opened(const pdict_backend_args *args, struct store *store,
                          enum open_again *again)
{
    bool is_torn = false;
    int status;

    /* From here on our lock keeps compactions away; one that was there before has died, or ended. */
    if (pdict__lmdb_compact_is_left(args)) {
        *again = AGAIN_COMPACTED;
        return PDICT_BUSY;
    }
    if ((status = verify_metas(store)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_opening_is_torn(store, &is_torn)) == PDICT_OK && is_torn) {
        *again = AGAIN_TORN;
        return PDICT_BUSY;
    }
    return status;
}

static int open_once(const pdict_backend_args *args, struct store **out, enum open_again *again)
{
    struct store *store = NULL;
    enum file_kind kind;
    uint64_t used_bytes;
    int status;

    *again = AGAIN_NOT;
    if ((status = check_file(args, &kind, &used_bytes)) != PDICT_OK)
        return status;
    if ((status = store_new(args, &store)) != PDICT_OK)
        goto done;
    if ((status = pdict__lmdb_env_open(store, used_bytes)) != PDICT_OK)
        goto done;
    if ((status = examine_opened(args, store, again)) != PDICT_OK)
        goto done;
    if (kind != FILE_STORE && (status = pdict__lmdb_env_create(store)) != PDICT_OK)
        goto done;
    if ((status = pdict__lmdb_env_tables(store)) != PDICT_OK)
        goto done;
    *out = store;
    store = NULL;
done:
    pdict__lmdb_close(store);
    return status;
}

static int fail_again(const pdict_backend_args *args, enum open_again again)
{
    if (again == AGAIN_COMPACTED)
        return pdict_fail(PDICT_BUSY,
                          "lmdb: %s was left in the middle of being compacted, and others open it "
                          "all the time; try again",
                          args->path);
    return pdict_fail(PDICT_BUSY,
                      "lmdb: a process died while it opened %s, and another program goes on with "
                      "what that left of the lock file; end that program and try again",
                      args->path);
}

int pdict__lmdb_open(const pdict_backend_args *args, void **self)
{
    int64_t deadline_ms = pdict__lmdb_steady_ms() + args->timeout_ms;
    const struct timespec pause = { .tv_nsec = 1000000 };
    struct store *store = NULL;
    enum open_again again;
    int status;

    for (;;) {
        status = open_once(args, &store, &again);
        if (again == AGAIN_NOT && status == PDICT_BUSY && pdict__lmdb_compact_is_left(args))
            again = AGAIN_COMPACTED;
        /* Others who have just opened it look as we do, and close it again in a moment. */
        if (again == AGAIN_NOT || pdict__lmdb_steady_ms() >= deadline_ms)
            break;
        nanosleep(&pause, NULL);
    }
    if (again != AGAIN_NOT)
        return fail_again(args, again);
    if (status == PDICT_OK)
        *self = store;
    return status;
}

/* ---- facts ---- */

static uint64_t size_of(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 ? (uint64_t)facts.st_size : 0;
}

int pdict__lmdb_stat(void *self, pdict_backend_stat *stat)
{
    struct store *store = self;
    MDB_envinfo facts = { 0 };

    pdict__lmdb_enter(store);
    if (store->room.lost == PDICT_OK)
        mdb_env_info(store->env, &facts);
    pdict__lmdb_leave(store);
    stat->format_version = FORMAT_VERSION;
    stat->file_bytes = size_of(store->path) + size_of(store->lock_path);
    snprintf(stat->detail, sizeof(stat->detail),
             "pages of %zu bytes, %zu in use, %zu MiB of address space, %u of %u reader slots",
             store->page_size, facts.me_last_pgno + 1, facts.me_mapsize >> 20, facts.me_numreaders,
             facts.me_maxreaders);
    stat->stale_readers = atomic_load(&store->stale_readers);
    return PDICT_OK;
}

int pdict__lmdb_sync(void *self)
{
    struct store *store = self;
    int rc = store->is_read_only ? 0 : mdb_env_sync(store->env, 1);

    return rc == 0 ? PDICT_OK : pdict__lmdb_fail_commit(store, rc);
}
