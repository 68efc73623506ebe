/* SPDX-License-Identifier: MIT */
/* LMDB's environment: opened with every setting explicit, its tables made or found. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Slots for snapshots, of all processes together; 64 bytes each in the lock file. */
#define READERS_MAX 2048

/* Other tools open a directory, and then these are the names of the files in it. */
#define DATA_NAME "/data.mdb"
#define LOCK_NAME "/lock.mdb"

static const char *const table_names[TABLE_COUNT] = {
    [ROWS] = "rows", [ORDER] = "order", [EXPIRY] = "expiry", [SYSTEM] = "system"
};

/* The length of the directory's name when the path is that of a file which other tools open by its
 * directory, otherwise 0. */
static size_t directory_size(const char *path)
{
    size_t size = strlen(path), tail = strlen(DATA_NAME);

    return size > tail && strcmp(path + size - tail, DATA_NAME) == 0 ? size - tail : 0;
}

static int name_files(struct store *store, char *directory)
{
    size_t kept = directory_size(store->path);
    const char *suffix = kept > 0 ? LOCK_NAME : "-lock";
    size_t size = kept > 0 ? kept : strlen(store->path);

    store->lock_path = allocate(store, size + strlen(suffix) + 1);
    if (store->lock_path == NULL)
        return no_memory("a path");
    memcpy(store->lock_path, store->path, size);
    memcpy(store->lock_path + size, suffix, strlen(suffix) + 1);
    memcpy(directory, store->path, kept);
    directory[kept] = '\0';
    return PDICT_OK;
}

/* Permissions of the data file were looked at before. */
static int fail_open(struct store *store, int rc)
{
    if (store->is_read_only && (rc == EACCES || rc == EPERM))
        return pdict_fail(
            PDICT_UNSUPPORTED,
            "lmdb: reading %s means to note that in %s, which cannot be written; give "
            "write access to the lock file, or copy the store",
            store->path, store->lock_path);
    return pdict__lmdb_fail(store, rc);
}

static int open_in_turn(struct store *store, const char *path, unsigned flags, mode_t mode)
{
    int rc = pdict__lmdb_opening_begin(store, mode);

    if (rc == EAGAIN)
        return pdict_fail(PDICT_BUSY,
                          "lmdb: other processes kept opening %s until the timeout passed; try "
                          "again or raise timeout=",
                          store->path);
    if (rc == 0)
        rc = mdb_env_open(store->env, path, flags, mode);
    if (rc != 0)
        return fail_open(store, rc);
    pdict__lmdb_opening_end(store);
    return PDICT_OK;
}

static int open_env(struct store *store, const char *directory, uint64_t used_bytes)
{
    unsigned flags = MDB_NOTLS | (store->is_read_only ? MDB_RDONLY : 0) |
                     (directory[0] == '\0' ? MDB_NOSUBDIR : 0);
    struct stat facts;
    int rc, status;

    if (stat(store->path, &facts) != 0)
        return pdict__lmdb_fail(store, errno);
    if ((rc = mdb_env_create(&store->env)) != 0)
        return pdict__lmdb_fail(store, rc);
    if ((rc = mdb_env_set_maxdbs(store->env, TABLE_COUNT)) != 0 ||
        (rc = mdb_env_set_maxreaders(store->env, READERS_MAX)) != 0 ||
        (rc = mdb_env_set_mapsize(store->env, pdict__lmdb_reserve(store->reserve, used_bytes))) !=
            0)
        return pdict__lmdb_fail(store, rc);
    /* Whoever may use the data may use the lock. */
    status = open_in_turn(store, directory[0] == '\0' ? store->path : directory, flags,
                          facts.st_mode & 0666);
    if (status != PDICT_OK)
        return status;
    if (mdb_env_get_maxkeysize(store->env) < KEY_MAX)
        return pdict_fail(
            PDICT_UNSUPPORTED,
            "lmdb: this build of LMDB takes keys of %d bytes only, %d are needed; use "
            "another build",
            mdb_env_get_maxkeysize(store->env), KEY_MAX);
    return PDICT_OK;
}

/* What is mapped are the metas as LMDB itself sees them, by its own descriptor: opening and closing
 * the file once more would be harmless for LMDB, but not for the next engine. */
static int map_metas(struct store *store)
{
    MDB_stat facts;
    void *metas;
    int rc;

    if ((rc = mdb_env_get_fd(store->env, &store->fd)) != 0 ||
        (rc = mdb_env_stat(store->env, &facts)) != 0)
        return pdict__lmdb_fail(store, rc);
    store->page_size = facts.ms_psize;
    metas = mmap(NULL, 2 * store->page_size, PROT_READ, MAP_SHARED, store->fd, 0);
    if (metas == MAP_FAILED)
        return pdict__lmdb_fail(store, errno);
    store->metas = metas;
    store->metas_size = 2 * store->page_size;
    return PDICT_OK;
}

int pdict__lmdb_env_open(struct store *store, uint64_t used_bytes)
{
    char *directory = allocate(store, strlen(store->path) + 1);
    int status;

    if (directory == NULL)
        return no_memory("a path");
    status = name_files(store, directory);
    if (status == PDICT_OK && used_bytes == 0)
        status = pdict__lmdb_clear_unborn(store);
    if (status == PDICT_OK)
        status = open_env(store, directory, used_bytes);
    release(store, directory);
    if (status != PDICT_OK)
        return status;
    if ((status = map_metas(store)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_check_namespace(store)) == PDICT_OK)
        clear_stale_readers(store);
    return status;
}

void pdict__lmdb_env_close(struct store *store)
{
    if (store->metas != NULL)
        munmap(store->metas, store->metas_size);
    if (store->env != NULL)
        mdb_env_close(store->env);
    pdict__lmdb_opening_close(store);
    release(store, store->lock_path);
}

/* ---- the tables ---- */

static int open_tables(struct store *store, MDB_txn *txn, unsigned flags)
{
    int rc = 0;

    for (int i = 0; i < TABLE_COUNT && rc == 0; i++)
        rc = mdb_dbi_open(txn, table_names[i], flags, &store->tables[i]);
    return rc;
}

static int put_format(MDB_txn *txn)
{
    unsigned char version[4];
    MDB_val key = { strlen(FORMAT_KEY), (void *)FORMAT_KEY }, value = { sizeof(version), version };
    MDB_dbi main;
    int rc;

    put_be32(version, FORMAT_VERSION);
    if ((rc = mdb_dbi_open(txn, NULL, 0, &main)) != 0)
        return rc;
    return mdb_put(txn, main, &key, &value, MDB_NOOVERWRITE);
}

static int sync_directory(struct store *store)
{
    char *slash = strrchr(store->lock_path, '/');
    int fd, rc = 0;

    *slash = '\0';
    fd = open(slash == store->lock_path ? "/" : store->lock_path,
              O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (fd < 0)
        return pdict__lmdb_fail(store, errno);
    /* Some file systems have no such thing as syncing a directory. */
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = errno;
    close(fd);
    return rc == 0 ? PDICT_OK : pdict__lmdb_fail(store, rc);
}

int pdict__lmdb_env_create(struct store *store)
{
    MDB_txn *txn;
    int rc;

    /* LMDB itself does not sync its first meta pages before it writes others: see unborn.c. */
    if ((rc = mdb_env_sync(store->env, 1)) != 0 ||
        (rc = mdb_txn_begin(store->env, NULL, 0, &txn)) != 0)
        return pdict__lmdb_fail(store, rc);
    rc = put_format(txn);
    if (rc == MDB_KEYEXIST) {
        mdb_txn_abort(txn); /* another process was faster */
        return PDICT_OK;
    }
    if (rc == 0)
        rc = open_tables(store, txn, MDB_CREATE);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return pdict__lmdb_fail(store, rc);
    }
    if ((rc = mdb_txn_commit(txn)) != 0)
        return pdict__lmdb_fail_commit(store, rc);
    /* LMDB synced what it wrote with the commit, but not the names. */
    return sync_directory(store);
}

/* A commit can be read from the file a moment before LMDB shows it to new snapshots. */
static bool is_behind(const struct store *store, MDB_txn *txn)
{
    const volatile uint64_t *words[2];

    pdict__lmdb_watch((void *)store, words);
    return mdb_txn_id(txn) < *words[0] || mdb_txn_id(txn) < *words[1];
}

static int try_tables(struct store *store, bool *is_early)
{
    MDB_txn *txn;
    int rc;

    if ((rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn)) != 0)
        return pdict__lmdb_fail(store, rc);
    if ((rc = open_tables(store, txn, 0)) != 0) {
        *is_early = rc == MDB_NOTFOUND && is_behind(store, txn);
        mdb_txn_abort(txn);
        return pdict__lmdb_fail(store, rc);
    }
    return (rc = mdb_txn_commit(txn)) == 0 ? PDICT_OK : pdict__lmdb_fail(store, rc);
}

int pdict__lmdb_env_tables(struct store *store)
{
    int64_t deadline_ms = pdict__lmdb_steady_ms() + store->timeout_ms;
    const struct timespec pause = { .tv_nsec = 1000000 };
    bool is_early = false;
    int status;

    while ((status = try_tables(store, &is_early)) != PDICT_OK && is_early &&
           pdict__lmdb_steady_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    return status;
}
