/* SPDX-License-Identifier: MIT */
/* Leases between processes: taken by asking again and again, for the wait has to end in time. */
#include "store/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/calls.h"
#include "store/store.h"

/* Who has waited for t asks again after t / 8. */
#define WAIT_SHARE     8
#define LEAST_PAUSE_US 250
#define MOST_PAUSE_US  16000

/* Of all offsets beyond the page. */
#define OFFSET_BITS 62

void pdict__leases_init(struct leases *leases)
{
    pthread_mutex_init(&leases->lock, NULL);
    leases->fd = -1;
}

void pdict__leases_destroy(struct leases *leases)
{
    if (leases->fd >= 0)
        close(leases->fd);
    pthread_mutex_destroy(&leases->lock);
}

void pdict__leases_fork_child(struct leases *leases)
{
    if (leases->fd >= 0)
        close(leases->fd);
    pdict__leases_init(leases);
}

/* ---- the file ---- */

static int fail(const struct store *store, const char *doing)
{
    return pdict_fail(PDICT_IO, "%s: %s for a lease failed: %s", store->gatefile.path, doing,
                      strerror(errno));
}

static bool is_same_file(int a, int b)
{
    struct stat one, other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino &&
           one.st_dev == other.st_dev;
}

static int open_file(struct store *store, int *out)
{
    const struct gatefile *gatefile = &store->gatefile;
    int fd = open(gatefile->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno != ENOENT)
        return fail(store, "opening it");
    if (fd < 0 || !is_same_file(fd, gatefile->fd)) {
        if (fd >= 0)
            close(fd);
        return pdict_fail(PDICT_NO_STORE,
                          "%s was removed or replaced while the store was open; close every handle "
                          "and open it again",
                          gatefile->path);
    }
    *out = fd;
    return PDICT_OK;
}

/* A gate file that was made anew is another one, and leases of the old one mean nothing. */
static void forget_old_file(struct store *store)
{
    struct leases *leases = &store->leases;

    if (leases->fd < 0 || is_same_file(leases->fd, store->gatefile.fd))
        return;
    close(leases->fd);
    leases->fd = -1;
}

/* With leases->lock held. */
static int have_file(struct store *store)
{
    forget_old_file(store);
    return store->leases.fd < 0 ? open_file(store, &store->leases.fd) : PDICT_OK;
}

/* ---- the lock ---- */

static int set_lock(int fd, uint64_t hash, short kind)
{
    off_t offset = (off_t)(sizeof(struct gate_page) + (hash >> (64 - OFFSET_BITS)));
    struct flock byte = { .l_type = kind, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };

    return fcntl(fd, F_OFD_SETLK, &byte);
}

/* PDICT_BUSY (expected): another process has it. */
static int try_to_take(struct store *store, uint64_t hash)
{
    int status;

    if ((status = pdict__store_enter(store)) != PDICT_OK)
        return status;
    if (!store->gatefile.page) {
        pdict__store_leave();
        return PDICT_OK;
    }
    pthread_mutex_lock(&store->leases.lock);
    status = have_file(store);
    if (status == PDICT_OK && set_lock(store->leases.fd, hash, F_WRLCK) != 0)
        status = errno == EAGAIN || errno == EACCES ? PDICT_BUSY : fail(store, "locking a byte");
    pthread_mutex_unlock(&store->leases.lock);
    pdict__store_leave();
    return status;
}

static void pause_after(int64_t waited_ms)
{
    int64_t pause_us = waited_ms * 1000 / WAIT_SHARE;
    struct timespec pause;

    if (pause_us < LEAST_PAUSE_US)
        pause_us = LEAST_PAUSE_US;
    if (pause_us > MOST_PAUSE_US)
        pause_us = MOST_PAUSE_US;
    pause = (struct timespec){ .tv_nsec = pause_us * 1000 };
    nanosleep(&pause, NULL);
}

int pdict__lease_take(struct store *store, uint64_t hash, int64_t deadline_ms)
{
    int64_t began_ms = pdict__steady_ms(), now_ms;
    int status;

    while ((status = try_to_take(store, hash)) == PDICT_BUSY) {
        now_ms = pdict__steady_ms();
        if (now_ms >= deadline_ms)
            break;
        pause_after(now_ms - began_ms);
    }
    return status;
}

void pdict__lease_give(struct store *store, uint64_t hash)
{
    pdict__call_begin();
    pthread_mutex_lock(&store->leases.lock);
    if (store->leases.fd >= 0)
        set_lock(store->leases.fd, hash, F_UNLCK);
    pthread_mutex_unlock(&store->leases.lock);
    pdict__call_end();
}
