/* SPDX-License-Identifier: MIT */
/* Files that a crash left before LMDB had written both of its meta pages: they hold nothing. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define META_MOST 32768 /* bytes; LMDB takes the system's page size, up to this */
#define SECTOR    512   /* bytes; what a power loss leaves ends between two */

static size_t meta_size(void)
{
    long size = sysconf(_SC_PAGESIZE);

    return size > 0 && size < META_MOST ? (size_t)size : META_MOST;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool is_first_meta(const unsigned char *page)
{
    struct disk_meta meta;

    memcpy(&meta, page + PAGE_HEAD, sizeof(meta));
    return pdict__lmdb_probe(page, PAGE_HEAD + sizeof(meta)) && meta.txn_id == 0 &&
           meta.free.root == NO_PAGE && meta.main.root == NO_PAGE;
}

/* An empty file is as it should be. The metas are synced before anything else is written (env.c), so a file without one of them has
 * no third page, and of the two that it may have each is as LMDB first writes it or not there. */
bool pdict__lmdb_is_unborn(int fd)
{
    unsigned char pages[2 * META_MOST] = { 0 };
    size_t size = meta_size();
    struct stat facts;
    bool is_first, is_second;

    if (fstat(fd, &facts) != 0 || facts.st_size == 0 || facts.st_size % SECTOR != 0 ||
        facts.st_size > (off_t)(2 * size) || pread(fd, pages, 2 * size, 0) != facts.st_size)
        return false;
    is_first = is_first_meta(pages);
    is_second = is_first_meta(pages + size);
    return (is_first || is_zero(pages, size)) && (is_second || is_zero(pages + size, size)) &&
           !(is_first && is_second);
}

/* LMDB holds a lock on the first byte of the lock file from before it looks at the data. */
static bool is_being_opened(const struct store *store)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    int fd = open(store->lock_path, O_RDWR | O_CLOEXEC);
    bool is_locked;

    if (fd < 0)
        return errno != ENOENT;
    is_locked = fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(fd);
    return is_locked;
}

static int clear_alone(const struct store *store, int fd)
{
    if (is_being_opened(store))
        return pdict_fail(PDICT_BUSY, "lmdb: %s is being made by another process; try again",
                          store->path);
    /* Whoever had it alone before may have made a store of it. */
    if (pdict__lmdb_is_unborn(fd) && ftruncate(fd, 0) != 0)
        return pdict__lmdb_fail_file(store->path);
    return PDICT_OK;
}

static int try_to_clear(const struct store *store, bool *is_busy)
{
    int fd = open(store->path, O_RDWR | O_CLOEXEC), status = PDICT_OK;

    if (fd < 0)
        return pdict__lmdb_fail_file(store->path);
    if (pdict__lmdb_is_unborn(fd) && (status = pdict__lmdb_lock_out(fd, store->path)) == PDICT_OK)
        status = clear_alone(store, fd);
    *is_busy = status == PDICT_BUSY;
    /* The store is not open yet in this process, so this drops nobody's locks but our own. */
    close(fd);
    return status;
}

/* Who is at it already makes the store, or clears it: both take a moment only. */
int pdict__lmdb_clear_unborn(const struct store *store)
{
    int64_t deadline_ms = pdict__lmdb_steady_ms() + store->timeout_ms;
    const struct timespec pause = { .tv_nsec = 1000000 };
    bool is_busy = false;
    int status;

    while ((status = try_to_clear(store, &is_busy)) != PDICT_OK && is_busy &&
           pdict__lmdb_steady_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    return status;
}
