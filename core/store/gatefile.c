/* SPDX-License-Identifier: MIT */
/* The gate file: made, joined, and removed by the last one out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/gatefile.h"

#define PAUSE_NS 1000000 /* between two tries while somebody makes or removes it */
#define MAKE_MS  1000    /* longer than making or removing it takes on a busy machine */
#define CHECK_MS 50      /* between two looks at where the names lead */

/* The last two bytes tell whether somebody took the file for text. */
static const char magic[8] = { 'p', 'd', 'g', 'a', 't', 'e', '\r', '\n' };

/* ---- errors ---- */

static int fail_foreign(const char *path)
{
    return pdict_fail(PDICT_NOT_A_STORE,
                      "%s is in the way: the store needs this name for its gate file, and it is "
                      "something else; move it away",
                      path);
}

/* For errno, of one step with the gate file. */
static int fail_step(const char *path, const char *doing)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        return pdict_fail(PDICT_PERMISSION,
                          "%s: %s was denied, and who writes needs it; check the permissions of "
                          "the directory and of this file, or open with mode=ro",
                          path, doing);
    case EROFS:
        return pdict_fail(PDICT_READ_ONLY, "%s: the file system is read-only; open with mode=ro",
                          path);
    case ENOSPC:
    case EDQUOT:
        return pdict_fail(PDICT_FULL, "%s: no space is left; free some and try again", path);
    case ELOOP:
    case EISDIR:
    case ENXIO:
        return fail_foreign(path);
    case EINVAL:
    case ENOLCK:
    case EOPNOTSUPP:
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: the file system cannot lock bytes of a file, so several processes "
                          "cannot share the store; keep it on a local disk",
                          path);
    default:
        return pdict_fail(PDICT_IO, "%s: %s failed: %s", path, doing, strerror(errno));
    }
}

static int fail_busy(const char *path)
{
    return pdict_fail(PDICT_BUSY,
                      "%s: somebody else kept making or removing it until the timeout passed; try "
                      "again",
                      path);
}

/* ---- the lock ---- */

/* 0, or -1 with errno: EAGAIN when others are in the way. */
static int lock(int fd, short kind)
{
    struct flock byte = { .l_type = kind, .l_whence = SEEK_SET, .l_len = 1 };
    int rc = fcntl(fd, F_OFD_SETLK, &byte);

    if (rc != 0 && errno == EACCES)
        errno = EAGAIN;
    return rc;
}

static bool is_in_use(int fd)
{
    struct flock byte = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &byte) == 0 && byte.l_type != F_UNLCK;
}

/* A lock on a file that was removed meanwhile means nothing. */
static bool is_still_there(const char *path, int fd)
{
    struct stat named, held;

    return lstat(path, &named) == 0 && fstat(fd, &held) == 0 && named.st_ino == held.st_ino &&
           named.st_dev == held.st_dev;
}

/* ---- the page ---- */

static void read_boot_id(char out[BOOT_ID_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(out, 0, BOOT_ID_SIZE);
    if (fd < 0)
        return;
    if (read(fd, out, BOOT_ID_SIZE) < 0)
        memset(out, 0, BOOT_ID_SIZE);
    close(fd);
}

static void own_head(struct gate_head *head)
{
    *head = (struct gate_head){
        .layout = GATEFILE_LAYOUT,
        .word_bits = sizeof(void *) * 8,
        .mutex_size = sizeof(pthread_mutex_t),
        .page_size = sizeof(struct gate_page),
    };
    memcpy(head->magic, magic, sizeof(magic));
    read_boot_id(head->boot_id);
}

enum content {
    CONTENT_UNREADABLE, /* errno says why */
    CONTENT_FOREIGN,
    CONTENT_UNFINISHED, /* who made it did not get to its end */
    CONTENT_PAGE        /* of this or another layout */
};

static enum content look_at(int fd, struct gate_head *head)
{
    static const struct gate_head nothing;
    struct stat info;
    ssize_t got;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return CONTENT_FOREIGN;
    memset(head, 0, sizeof(*head));
    got = pread(fd, head, sizeof(*head), 0);
    if (got < 0 || memcmp(head, &nothing, sizeof(nothing)) == 0)
        return got < 0 ? CONTENT_UNREADABLE : CONTENT_UNFINISHED;
    if (memcmp(head->magic, magic, sizeof(magic)) != 0)
        return CONTENT_FOREIGN;
    return info.st_size < (off_t)sizeof(struct gate_page) ? CONTENT_UNFINISHED : CONTENT_PAGE;
}

/* Somebody is using it now. */
static int check_head(const char *path, const struct gate_head *head)
{
    struct gate_head own;

    own_head(&own);
    if (memcmp(head->boot_id, own.boot_id, sizeof(own.boot_id)) != 0)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: another machine has the store open, and only processes of one "
                          "machine can share it; close it there first",
                          path);
    if (memcmp(head, &own, sizeof(own)) != 0)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: a process with another build of pdict has the store open, and they "
                          "cannot share it; close it there first",
                          path);
    return PDICT_OK;
}

static int mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    int rc;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    rc = pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return rc;
}

static int map_page(struct gatefile *gatefile, int protection)
{
    void *page = mmap(NULL, sizeof(struct gate_page), protection, MAP_SHARED, gatefile->fd, 0);

    if (page == MAP_FAILED)
        return fail_step(gatefile->path, "mapping it");
    gatefile->page = page;
    return PDICT_OK;
}

/* Who may use the store may use its gate, and nobody else. */
static void copy_access(int fd, const struct stat *store)
{
    if (geteuid() == 0 || store->st_gid != getegid())
        (void)!fchown(fd, geteuid() == 0 ? store->st_uid : (uid_t)-1, store->st_gid);
    (void)!fchmod(fd, store->st_mode & 0666);
}

/* Even, not 0, and far from the end. */
int pdict__generation_first(_Atomic uint64_t *generation)
{
    uint64_t number;
    int status = pdict__random(&number, sizeof(number));

    if (status == PDICT_OK)
        atomic_store(generation, (number >> 2 | 1) << 1);
    return status;
}

/* With the lock alone, in an empty file. The head comes last: without it the page is unfinished. */
static int make_page(struct gatefile *gatefile, const struct stat *store)
{
    int status;

    copy_access(gatefile->fd, store);
    /* All of it now: a page that is missing later would be a SIGBUS. */
    if ((errno = posix_fallocate(gatefile->fd, 0, sizeof(struct gate_page))) != 0)
        return fail_step(gatefile->path, "making it");
    if ((status = map_page(gatefile, PROT_READ | PROT_WRITE)) != PDICT_OK)
        return status;
    if ((errno = mutex_init(&gatefile->page->mutex)) != 0)
        return fail_step(gatefile->path, "making a mutex");
    status = pdict__generation_first(&gatefile->page->generation);
    if (status == PDICT_OK && gatefile->secret)
        memcpy(gatefile->page->secret, gatefile->secret, sizeof(gatefile->page->secret));
    else if (status == PDICT_OK)
        status = pdict__random(gatefile->page->secret, sizeof(gatefile->page->secret));
    if (status == PDICT_OK)
        own_head(&gatefile->page->head);
    return status;
}

static void unmap_page(struct gatefile *gatefile)
{
    if (gatefile->page)
        munmap(gatefile->page, sizeof(*gatefile->page));
    gatefile->page = NULL;
}

/* ---- joining ---- */

static void forget_file(struct gatefile *gatefile)
{
    unmap_page(gatefile);
    if (gatefile->fd >= 0)
        close(gatefile->fd);
    gatefile->fd = -1;
}

/* With the lock alone: nobody uses what is there. PDICT_END (expected): begin again. */
static int renew(struct gatefile *gatefile, const struct stat *store)
{
    struct gate_head head;
    struct stat info;
    int status = PDICT_END;

    switch (look_at(gatefile->fd, &head)) {
    case CONTENT_UNREADABLE:
        return fail_step(gatefile->path, "reading it");
    case CONTENT_FOREIGN:
        return fail_foreign(gatefile->path);
    case CONTENT_UNFINISHED:
        if (fstat(gatefile->fd, &info) == 0 && info.st_size == 0)
            status = make_page(gatefile, store);
        break;
    case CONTENT_PAGE:
        break;
    }
    if (status != PDICT_OK)
        unlink(gatefile->path);
    else if (lock(gatefile->fd, F_RDLCK) != 0)
        status = fail_step(gatefile->path, "locking it");
    return status;
}

/* With the lock shared, among others or after some that died just now. */
static int join(struct gatefile *gatefile, int protection)
{
    struct gate_head head;
    int status;

    switch (look_at(gatefile->fd, &head)) {
    case CONTENT_UNREADABLE:
        return fail_step(gatefile->path, "reading it");
    case CONTENT_FOREIGN:
        return fail_foreign(gatefile->path);
    case CONTENT_UNFINISHED:
        return PDICT_END;
    case CONTENT_PAGE:
        break;
    }
    if ((status = check_head(gatefile->path, &head)) != PDICT_OK)
        return status;
    return map_page(gatefile, protection);
}

static int lock_and_look(struct gatefile *gatefile, const struct stat *store)
{
    bool is_alone = lock(gatefile->fd, F_WRLCK) == 0;

    if (!is_alone && (errno != EAGAIN || lock(gatefile->fd, F_RDLCK) != 0))
        return errno == EAGAIN ? PDICT_END : fail_step(gatefile->path, "locking it");
    if (!is_still_there(gatefile->path, gatefile->fd))
        return PDICT_END;
    return is_alone ? renew(gatefile, store) : join(gatefile, PROT_READ | PROT_WRITE);
}

/* PDICT_END (expected): somebody makes or removes it just now. */
static int try_to_write(struct gatefile *gatefile, const struct stat *store)
{
    int status;

    gatefile->fd =
        open(gatefile->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, store->st_mode & 0666);
    if (gatefile->fd < 0)
        return fail_step(gatefile->path, "opening it");
    if ((status = lock_and_look(gatefile, store)) != PDICT_OK)
        forget_file(gatefile);
    return status;
}

/* A reader cannot make the page anew, so it joins only those who did. */
static int try_to_read(struct gatefile *gatefile)
{
    int status = PDICT_END;

    gatefile->fd = open(gatefile->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (gatefile->fd < 0)
        return fail_step(gatefile->path, "opening it");
    if (is_in_use(gatefile->fd) && lock(gatefile->fd, F_RDLCK) == 0 &&
        is_still_there(gatefile->path, gatefile->fd))
        status = join(gatefile, PROT_READ);
    if (status != PDICT_OK)
        forget_file(gatefile);
    return status;
}

static int join_as_writer(struct gatefile *gatefile, const struct stat *store, int64_t timeout_ms)
{
    int64_t wait_ms = timeout_ms > MAKE_MS ? timeout_ms : MAKE_MS;
    int64_t deadline_ms = pdict__time_add(pdict__steady_ms(), wait_ms);
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    int status;

    while ((status = try_to_write(gatefile, store)) == PDICT_END &&
           pdict__steady_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    return status == PDICT_END ? fail_busy(gatefile->path) : status;
}

static int name_it(struct gatefile *gatefile)
{
    size_t size = strlen(gatefile->store_path) + sizeof(GATEFILE_ENDING);

    gatefile->path = pdict__alloc(gatefile->allocator, size);
    if (!gatefile->path)
        return PDICT_NOMEM;
    snprintf(gatefile->path, size, "%s%s", gatefile->store_path, GATEFILE_ENDING);
    return PDICT_OK;
}

/* The store may not be opened in any way that closing would drop locks. */
static int hold_store(struct gatefile *gatefile)
{
    gatefile->store_fd = open(gatefile->store_path, O_PATH | O_CLOEXEC);
    if (gatefile->store_fd < 0)
        return fail_step(gatefile->store_path, "looking at it");
    gatefile->checked_ms = pdict__steady_ms();
    return PDICT_OK;
}

/* ---- parting ---- */

/* Two who leave at once must not both think of the other as staying: who lets go and asks again
 * last is alone. A reader may not ask, and leaves the file to the next writer. */
static bool is_last(int fd)
{
    if (lock(fd, F_WRLCK) == 0)
        return true;
    if (errno != EAGAIN)
        return false;
    lock(fd, F_UNLCK);
    return lock(fd, F_WRLCK) == 0;
}

void pdict__gatefile_part(struct gatefile *gatefile, bool is_inherited)
{
    if (gatefile->page && !is_inherited && is_last(gatefile->fd) &&
        is_still_there(gatefile->path, gatefile->fd))
        unlink(gatefile->path);
    forget_file(gatefile);
    if (gatefile->store_fd >= 0)
        close(gatefile->store_fd);
    gatefile->store_fd = -1;
    if (gatefile->path)
        pdict__free(gatefile->allocator, gatefile->path);
    gatefile->path = NULL;
}

int pdict__gatefile_join(const char *store_path, bool is_read_only, int64_t timeout_ms,
                         const uint8_t *secret, const pdict_allocator *allocator,
                         struct gatefile *out)
{
    struct gatefile gatefile = {
        .allocator = allocator, .fd = -1, .store_fd = -1, .store_path = store_path, .secret = secret
    };
    struct stat store;
    int status = name_it(&gatefile);

    if (status == PDICT_OK && !is_read_only)
        status = hold_store(&gatefile);
    if (status == PDICT_OK && stat(store_path, &store) != 0)
        status = fail_step(store_path, "looking at it");
    if (status == PDICT_OK)
        status =
            is_read_only ? try_to_read(&gatefile) : join_as_writer(&gatefile, &store, timeout_ms);
    if (status != PDICT_OK && !is_read_only) {
        pdict__gatefile_part(&gatefile, false);
        return status;
    }
    *out = gatefile;
    return PDICT_OK;
}

/* ---- checking ---- */

static int fail_gone(const struct gatefile *gatefile, const char *path)
{
    return pdict_fail(PDICT_NO_STORE,
                      "%s was removed or replaced while %s was open, so a write could be lost or "
                      "meet a second writer; close every handle and open it again",
                      path, gatefile->store_path);
}

/* Not fstat(): Linux makes the next write to a file dearer once somebody has seen its times. */
static bool has_name(int fd)
{
    struct statx now;

    return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &now) == 0 &&
           now.stx_nlink > 0;
}

/* Removing and replacing is seen at once, for no path has to be walked; moving now and then. */
int pdict__gatefile_check(struct gatefile *gatefile)
{
    int64_t now_ms = pdict__steady_ms();
    bool is_due = now_ms - gatefile->checked_ms >= CHECK_MS;

    if (!has_name(gatefile->store_fd) ||
        (is_due && !is_still_there(gatefile->store_path, gatefile->store_fd)))
        return fail_gone(gatefile, gatefile->store_path);
    if (!has_name(gatefile->fd) || (is_due && !is_still_there(gatefile->path, gatefile->fd)))
        return fail_gone(gatefile, gatefile->path);
    if (is_due)
        gatefile->checked_ms = now_ms;
    return PDICT_OK;
}
