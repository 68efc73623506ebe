/* SPDX-License-Identifier: MIT */
/* Turns that processes take: to write, with a timeout, and to open, so that none is in the middle. */
#include "lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* Bytes of the data file and of the lock file. LMDB locks others: the first one, and those with the
 * numbers of processes. */
#define WRITING_AT (INT64_C(1) << 62)
#define OPENING_AT (INT64_C(1) << 62)

#define PAUSE_LEAST_NS 50000
#define PAUSE_MOST_NS  2000000

static int set_lock(int fd, short kind, off_t at)
{
    struct flock lock = { .l_type = kind, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* An error number; EAGAIN or EACCES when the timeout has passed. */
static int wait_for_lock(int fd, off_t at, int64_t timeout_ms)
{
    struct timespec pause = { .tv_nsec = PAUSE_LEAST_NS };
    int64_t begun_ms = 0;
    int rc;

    while ((rc = set_lock(fd, F_WRLCK, at)) == EAGAIN || rc == EACCES) {
        int64_t now_ms = pdict__lmdb_steady_ms();
        if (begun_ms == 0)
            begun_ms = now_ms;
        if (now_ms - begun_ms >= timeout_ms)
            break;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < PAUSE_MOST_NS)
            pause.tv_nsec *= 2;
    }
    return rc;
}

/* ---- to write ---- */

/* LMDB waits for its own write lock without limit, so processes take turns at this byte first. */
int pdict__lmdb_turn_take(struct store *store, int64_t timeout_ms)
{
    int rc = wait_for_lock(store->fd, WRITING_AT, timeout_ms);

    if (rc == EAGAIN || rc == EACCES)
        return pdict_fail(PDICT_BUSY,
                          "lmdb: another process kept writing to %s until the timeout passed; "
                          "try again or raise timeout=",
                          store->path);
    return rc == 0 ? PDICT_OK : pdict__lmdb_fail(store, rc);
}

void pdict__lmdb_turn_end(struct store *store)
{
    set_lock(store->fd, F_UNLCK, WRITING_AT);
}

/* ---- to open ---- */

/* Whoever has LMDB's lock file alone makes its table anew, and notes in it the number of the last
 * commit when it has read the data file. If it dies or fails before that, another one that waited
 * for LMDB's lock meanwhile takes the table for one in use, with the number 0: it reads an old
 * state, and what it commits stands behind the newer meta page. So nobody may wait there. */
int pdict__lmdb_opening_begin(struct store *store, mode_t mode)
{
    int rc;

    store->opening_fd = open(store->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, mode);
    /* LMDB takes no locks where nobody can write. */
    if (store->opening_fd < 0)
        return store->is_read_only && errno == EROFS ? 0 : errno;
    rc = wait_for_lock(store->opening_fd, OPENING_AT, store->timeout_ms);
    return rc == EACCES ? EAGAIN : rc;
}

void pdict__lmdb_opening_end(struct store *store)
{
    if (store->opening_fd >= 0)
        set_lock(store->opening_fd, F_UNLCK, OPENING_AT);
}

/* After LMDB's own descriptor of the file: closing any would end the locks that LMDB has on it. */
void pdict__lmdb_opening_close(struct store *store)
{
    if (store->opening_fd >= 0)
        close(store->opening_fd);
}

/* Other programs that use LMDB do not take these turns. A commit writes its meta page before it
 * notes its number, so one may be ahead of that, but no two. */
int pdict__lmdb_opening_is_torn(struct store *store, bool *is_torn)
{
    const volatile uint64_t *words[2];
    uint64_t first, second, last;
    MDB_txn *txn;
    int rc;

    pdict__lmdb_watch(store, words);
    first = *words[0];
    second = *words[1];
    last = first > second ? first : second;
    if ((rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn)) != 0)
        return pdict__lmdb_fail(store, rc);
    *is_torn = mdb_txn_id(txn) + 1 < last;
    mdb_txn_abort(txn);
    return PDICT_OK;
}
