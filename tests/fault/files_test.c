/* SPDX-License-Identifier: MIT */
/* Every file call of the library's own is denied in turn: what was wrong is told, and once it is not,
 * everything works. The engines' calls are their own, and not denied here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pdict/ext/register.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "world.h"

/* ---- the calls, in the place of libc's ---- */

enum call {
    CALL_OPEN,
    CALL_FSYNC,
    CALL_FCHMOD,
    CALL_FALLOCATE,
    CALL_MMAP,
    CALL_LOCK,
    CALL_FLOCK,
    CALL_READ,
    CALL_PREAD,
    CALL_RENAME,
    CALL_RENAME_IF_FREE,
    CALLS
};

static const char *const call_names[CALLS] = {
    [CALL_OPEN] = "open",
    [CALL_FSYNC] = "fsync",
    [CALL_FCHMOD] = "fchmod",
    [CALL_FALLOCATE] = "posix_fallocate",
    [CALL_MMAP] = "mmap",
    [CALL_LOCK] = "fcntl",
    [CALL_FLOCK] = "flock",
    [CALL_READ] = "read",
    [CALL_PREAD] = "pread",
    [CALL_RENAME] = "rename",
    [CALL_RENAME_IF_FREE] = "renameat2",
};

/* Of this thread alone, so that nobody else takes the failure, or gets it. */
static _Thread_local struct {
    enum call call;
    int error; /* 0: nothing is denied */
    unsigned at, count;
    bool is_onward;
} denied;

static bool is_denied(enum call call)
{
    if (denied.error == 0 || call != denied.call)
        return false;
    denied.count++;
    if (denied.count != denied.at && !(denied.is_onward && denied.count > denied.at))
        return false;
    errno = denied.error;
    return true;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (flags & O_CREAT)
        mode = va_arg(args, mode_t);
    va_end(args);
    return is_denied(CALL_OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fsync(int fd)
{
    return is_denied(CALL_FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fchmod(int fd, mode_t mode)
{
    return is_denied(CALL_FCHMOD) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    if (is_denied(CALL_FALLOCATE))
        return errno;
    return ftruncate(fd, offset + size) == 0 ? 0 : errno;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (flags & MAP_SHARED && is_denied(CALL_MMAP))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset); // NOLINT
}

int fcntl(int fd, int command, ...)
{
    va_list args;
    void *arg;

    va_start(args, command);
    arg = va_arg(args, void *);
    va_end(args);
    if (command == F_OFD_SETLK && is_denied(CALL_LOCK))
        return -1;
    return (int)syscall(SYS_fcntl, fd, command, arg);
}

int flock(int fd, int operation)
{
    return is_denied(CALL_FLOCK) ? -1 : (int)syscall(SYS_flock, fd, operation);
}

ssize_t read(int fd, void *bytes, size_t size)
{
    return is_denied(CALL_READ) ? -1 : syscall(SYS_read, fd, bytes, size);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
    return is_denied(CALL_PREAD) ? -1 : syscall(SYS_pread64, fd, bytes, size, offset);
}

int rename(const char *path, const char *to)
{
    return is_denied(CALL_RENAME) ? -1 : (int)syscall(SYS_rename, path, to);
}

int renameat2(int at, const char *path, int to_at, const char *to, unsigned flags)
{
    return is_denied(CALL_RENAME_IF_FREE) ? -1
                                          : (int)syscall(SYS_renameat2, at, path, to_at, to, flags);
}

/* ---- what is done meanwhile ---- */

struct place {
    const char *backend;
    unsigned number; /* of the attempt */
    pdict *d;        /* of a store that is open all the time */
    pdict_store *store;
};

static const char *path_of(const struct place *place, const char *name)
{
    return test_path("%s%u.%s", name, place->number, place->backend);
}

static int open_and_close(const char *uri)
{
    pdict *d;
    int status = pdict_open(uri, NULL, &d);

    CHECK((d != NULL) == (status == PDICT_OK));
    pdict_close(d);
    return status;
}

static int make(struct place *place)
{
    char uri[1100];

    snprintf(uri, sizeof(uri), "%s:%s?sweep=manual", place->backend, path_of(place, "made"));
    return open_and_close(uri);
}

/* By its content. */
static int recognise(struct place *place)
{
    char uri[1100];

    snprintf(uri, sizeof(uri), "%s?sweep=manual", test_path("there.%s", place->backend));
    return open_and_close(uri);
}

static int read_only(struct place *place)
{
    char uri[1100];

    snprintf(uri, sizeof(uri), "%s:%s?mode=ro", place->backend,
             test_path("there.%s", place->backend));
    return open_and_close(uri);
}

static int backup(struct place *place)
{
    return pdict_backup(place->store, path_of(place, "copy"), NULL);
}

static int migrate(struct place *place)
{
    char uri[1100];

    snprintf(uri, sizeof(uri), "%s:%s", place->backend, path_of(place, "moved"));
    return pdict_migrate(place->store, uri, NULL, NULL);
}

static int compute(void *ctx, const pdict_view *old, pdict_computed *out)
{
    (void)ctx;
    (void)old;
    out->value = pdict_str("computed");
    return PDICT_OK;
}

static int compute_one(struct place *place)
{
    pdict_view view;
    int status =
        pdict_get_or_compute(place->d, pdict_str(path_of(place, "")), compute, NULL, NULL, &view);

    pdict_view_release(&view);
    return status;
}

static const struct action {
    const char *name;
    int (*run)(struct place *place);
    bool is_named_last;
} actions[] = {
    { "make", make, false },           { "recognise", recognise, false },
    { "read-only", read_only, false }, { "backup", backup, true },
    { "migrate", migrate, true },      { "compute", compute_one, false },
};

/* ---- one denied call after the other ---- */

/* What a user is told of each. */
static int told(enum call call, int error)
{
    switch (error) {
    case EACCES:
        return PDICT_PERMISSION;
    case EROFS:
        return PDICT_READ_ONLY;
    case ENOSPC:
        return PDICT_FULL;
    case EAGAIN:
        return call == CALL_FLOCK ? PDICT_BUSY : PDICT_IO;
    default:
        return PDICT_IO;
    }
}

static bool is_told(const struct place *place, const struct action *action, int error, int status)
{
    const char *text = pdict_error_text();

    if (strncmp(text, "lmdb: ", 6) == 0)
        return strstr(text, test_path("%s", "")) != NULL; /* the engine's own words */
    if (error == EINVAL && status == PDICT_UNSUPPORTED)
        return true; /* a file system that cannot do such a thing */
    if (status == PDICT_IO && (action->run == compute_one || denied.call == CALL_LOCK))
        return strstr(text, path_of(place, "")) || strstr(text, place->backend);
    return status == told(denied.call, error);
}

/* True while there is an nth call. */
static bool deny(struct place *place, const struct action *action, enum call call, int error,
                 unsigned n)
{
    int status, again;
    bool is_hit;

    place->number++;
    denied.call = call;
    denied.at = n;
    denied.count = 0;
    denied.error = error;
    status = action->run(place);
    denied.error = 0;
    is_hit = denied.count >= n;
    if (status != PDICT_OK && (!is_hit || !is_told(place, action, error, status)))
        FAIL("%s, %s, call %u of %s: %s: %s", place->backend, action->name, n, call_names[call],
             strerror(error), pdict_error_text());
    /* What failed can be done again by the same name; what was done has that name, and so has what
     * was done but for the last sync of its directory. */
    place->number += status == PDICT_OK;
    again = action->run(place);
    if (again != PDICT_OK)
        CHECK(status != PDICT_OK && again == PDICT_EXISTS && action->is_named_last);
    return is_hit;
}

static void begin(struct place *place, const char *backend)
{
    char uri[1100];

    *place = (struct place){ .backend = backend };
    snprintf(uri, sizeof(uri), "%s:%s?sweep=manual", backend, test_path("there.%s", backend));
    CHECK_OK(open_and_close(uri));
    snprintf(uri, sizeof(uri), "%s:%s?sweep=manual", backend, test_path("open.%s", backend));
    CHECK_OK(pdict_open(uri, NULL, &place->d));
    CHECK_OK(pdict_put(place->d, pdict_str("key"), pdict_str("value"), NULL));
    CHECK_OK(pdict_store_open(uri, NULL, &place->store));
}

static void deny_all(const char *backend)
{
    static const int errors[] = { EACCES, EROFS, ENOSPC, EIO, EINVAL, EAGAIN };
    const size_t n_errors = TEST_UNDER_VALGRIND ? 1 : sizeof(errors) / sizeof(errors[0]);
    struct place place;
    unsigned n_denied = 0;

    if (!pdict_backend_find(backend))
        return;
    begin(&place, backend);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        for (enum call call = 0; call < CALLS; call++) {
            for (size_t k = 0; k < n_errors; k++) {
                unsigned n = 1;

                while (deny(&place, &actions[i], call, errors[k], n))
                    n++;
                n_denied += n - 1;
            }
        }
    }
    CHECK(n_denied > 20 * n_errors);
    pdict_store_close(place.store);
    pdict_close(place.d);
}

TEST(files, a_call_that_is_denied_is_told_by_what_was_wrong_on_sqlite)
{
    deny_all("sqlite");
}

TEST(files, a_call_that_is_denied_is_told_by_what_was_wrong_on_lmdb)
{
    deny_all("lmdb");
}
