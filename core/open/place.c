/* SPDX-License-Identifier: MIT */
/* Which file a path means, and which backend it belongs to. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "open/open.h"

#define HEAD_SIZE 64

#define MOST_LINKS 40 /* as many as the kernel follows */

/* What errno says about a path, in the words of a status. */
static int path_error(const char *path, const char *doing)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        return pdict_fail(PDICT_PERMISSION,
                          "%s: %s was denied; check the permissions of the file "
                          "and its directory",
                          path, doing);
    case ENOTDIR:
        return pdict_fail(PDICT_NO_DIRECTORY, "%s: a part of the path is a file, not a directory",
                          path);
    case EROFS:
        return pdict_fail(PDICT_READ_ONLY, "%s: the file system is read-only; open with mode=ro",
                          path);
    case ENOSPC:
    case EDQUOT:
        return pdict_fail(PDICT_FULL, "%s: no space is left; free some and try again", path);
    default:
        return pdict_fail(PDICT_IO, "%s: %s failed: %s", path, doing, strerror(errno));
    }
}

/* Directory part and last part of a path; "." when there is no slash. */
static void split(const char *path, char *directory, const char **last)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 1;

    *last = slash ? slash + 1 : path;
    if (slash == path)
        size = 1; /* the root */
    memcpy(directory, slash ? path : ".", size);
    directory[size] = '\0';
}

/* The absolute path of a file that does not exist yet. */
static int resolve_new(const char *path, char *out)
{
    char directory[PATH_MAX], resolved[PATH_MAX];
    const char *last;
    int size;

    split(path, directory, &last);
    if (!realpath(directory, resolved)) {
        if (errno == ENOENT)
            return pdict_fail(PDICT_NO_DIRECTORY,
                              "%s: the directory '%s' does not exist; create "
                              "it first",
                              path, directory);
        return path_error(path, "looking for its directory");
    }
    size = snprintf(out, PATH_MAX, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, last);
    if (size < 0 || size >= PATH_MAX)
        return pdict_fail(PDICT_INVAL, "the path is longer than %d bytes", PATH_MAX - 1);
    return PDICT_OK;
}

static int examine(struct place *place)
{
    struct stat info;

    if (stat(place->path, &info) != 0) {
        place->exists = false;
        return errno == ENOENT ? PDICT_OK : path_error(place->path, "looking at it");
    }
    if (!S_ISREG(info.st_mode))
        return pdict_fail(PDICT_NOT_A_STORE, "%s is %s, not a store; give the path of a file",
                          place->path, S_ISDIR(info.st_mode) ? "a directory" : "a special file");
    /* A log or a lock beside one name would not be seen by who comes through another. */
    if (info.st_nlink > 1)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s has %lu names (hard links), and whoever opens it by another could "
                          "damage it; remove the others, or make a copy with `pdict backup`",
                          place->path, (unsigned long)info.st_nlink);
    place->exists = true;
    place->device = info.st_dev;
    place->inode = info.st_ino;
    return PDICT_OK;
}

/* Where a link leads whose end is not there; *is_link false: the path is none. */
static int follow(const char *path, char *out, bool *is_link)
{
    char directory[PATH_MAX], target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    const char *last;
    int size;

    *is_link = length >= 0;
    if (!*is_link)
        return PDICT_OK;
    target[length] = '\0';
    split(path, directory, &last);
    size = target[0] == '/' ? snprintf(out, PATH_MAX, "%s", target)
                            : snprintf(out, PATH_MAX, "%s/%s", directory, target);
    if (size < 0 || size >= PATH_MAX)
        return pdict_fail(PDICT_INVAL, "the path is longer than %d bytes", PATH_MAX - 1);
    return PDICT_OK;
}

/* A store that is made through a link is made where the link leads: all names of a file have to
 * come to one path. */
static int resolve_absent(const char *path, char *out)
{
    char at[PATH_MAX], next[PATH_MAX];
    bool is_link;
    int status;

    snprintf(at, sizeof(at), "%s", path);
    for (int links = 0; links < MOST_LINKS; links++) {
        if ((status = follow(at, next, &is_link)) != PDICT_OK)
            return status;
        if (!is_link)
            return resolve_new(at, out);
        memcpy(at, next, sizeof(at));
        if (realpath(at, out))
            return PDICT_OK;
        if (errno != ENOENT)
            return path_error(path, "looking for it");
    }
    errno = ELOOP;
    return path_error(path, "looking for it");
}

static int resolve(const char *path, const pdict_backend *backend, char *out)
{
    struct stat info;
    char inside[PATH_MAX];

    if (strlen(path) >= PATH_MAX)
        return pdict_fail(PDICT_INVAL, "the path is longer than %d bytes", PATH_MAX - 1);
    if (backend->file_in_directory && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        int size = snprintf(inside, sizeof(inside), "%s/%s", path, backend->file_in_directory);

        if (size < 0 || (size_t)size >= sizeof(inside))
            return pdict_fail(PDICT_INVAL, "the path is longer than %d bytes", PATH_MAX - 1);
        path = inside;
    }
    if (realpath(path, out))
        return PDICT_OK;
    if (errno != ENOENT)
        return path_error(path, "looking for it");
    return resolve_absent(path, out);
}

int pdict__place_find(const char *path, const pdict_backend *backend,
                      const pdict_allocator *allocator, struct place *out)
{
    struct place place = { .allocator = allocator,
                           .is_file = (backend->capabilities & PDICT_CAP_FILE) != 0 };
    char resolved[PATH_MAX];
    int status;

    if (place.is_file) {
        if (!*path)
            return pdict_fail(PDICT_INVAL, "%s: the path is empty", backend->name);
        if ((status = resolve(path, backend, resolved)) != PDICT_OK)
            return status;
        path = resolved;
    }
    place.path = pdict__strdup(allocator, path, strlen(path));
    if (!place.path)
        return PDICT_NOMEM;
    if (place.is_file && (status = examine(&place)) != PDICT_OK) {
        pdict__place_free(&place);
        return status;
    }
    *out = place;
    return PDICT_OK;
}

void pdict__place_free(struct place *place)
{
    pdict__free(place->allocator, place->path);
    place->path = NULL;
}

/* A new name is durable only once its directory is. */
static int sync_directory(const char *path)
{
    char directory[PATH_MAX];
    const char *last;
    int fd, result;

    split(path, directory, &last);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return path_error(path, "opening its directory");
    result = fsync(fd);
    close(fd);
    /* Some file systems have no such thing as syncing a directory. */
    return result == 0 || errno == EINVAL ? PDICT_OK : path_error(path, "syncing its directory");
}

int pdict__place_create(struct place *place, bool is_private)
{
    int fd = open(place->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, is_private ? 0600 : 0666);
    int status;

    if (fd >= 0) {
        /* Nobody can have locks on a file that is new, so closing it drops none. */
        close(fd);
        if ((status = sync_directory(place->path)) != PDICT_OK)
            return status;
    } else if (errno != EEXIST) {
        return path_error(place->path, "creating it");
    }
    return examine(place);
}

/* ---- recognising ---- */

/* New files go to the first backend of the build that keeps files. */
static const pdict_backend *default_backend(void)
{
    const pdict_backend *backend;

    for (size_t i = 0; (backend = pdict__backend_at(i)); i++) {
        if (backend->capabilities & PDICT_CAP_FILE)
            return backend;
    }
    return NULL;
}

static const pdict_backend *probe(const char *head, size_t size)
{
    const pdict_backend *backend;

    for (size_t i = 0; (backend = pdict__backend_at(i)); i++) {
        if (backend->probe && backend->probe(head, size))
            return backend;
    }
    return NULL;
}

static const pdict_backend *owner_of_directory(const char *path)
{
    const pdict_backend *backend;
    char inside[PATH_MAX];

    for (size_t i = 0; (backend = pdict__backend_at(i)); i++) {
        int size;

        if (!backend->file_in_directory)
            continue;
        size = snprintf(inside, sizeof(inside), "%s/%s", path, backend->file_in_directory);
        if (size > 0 && (size_t)size < sizeof(inside) && access(inside, F_OK) == 0)
            return backend;
    }
    return NULL;
}

/* The file is not open in this process, so closing it here drops nobody's locks. */
static int read_head(const char *path, char *head, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return path_error(path, "opening it");
    got = read(fd, head, HEAD_SIZE);
    close(fd);
    if (got < 0)
        return path_error(path, "reading it");
    *size = (size_t)got;
    return PDICT_OK;
}

static int recognise_file(const char *path, const pdict_backend **out)
{
    char head[HEAD_SIZE];
    size_t size = 0;
    int status;

    if ((status = read_head(path, head, &size)) != PDICT_OK)
        return status;
    *out = size == 0 ? default_backend() : probe(head, size);
    if (*out)
        return PDICT_OK;
    return pdict_fail(PDICT_NOT_A_STORE,
                      "%s is not a pdict store: its first bytes are those of no backend in this "
                      "build; nothing was changed",
                      path);
}

static int recognise(const char *path, const struct stat *info, const pdict_backend **out)
{
    if (S_ISREG(info->st_mode))
        return recognise_file(path, out);
    if (S_ISDIR(info->st_mode) && (*out = owner_of_directory(path)))
        return PDICT_OK;
    return pdict_fail(PDICT_NOT_A_STORE, "%s is %s, not a store; give the path of a file", path,
                      S_ISDIR(info->st_mode) ? "a directory" : "a special file");
}

int pdict__place_recognise(const char *path, const pdict_allocator *allocator, struct stack *out)
{
    const pdict_backend *backend = NULL;
    struct stat info;
    int status;

    if (stat(path, &info) != 0) {
        backend = default_backend();
        /* What is wrong with the path is said by pdict__place_find(). */
        status = backend ? PDICT_OK
                         : pdict_fail(PDICT_UNKNOWN_BACKEND, "this build has no backend for files");
    } else {
        status = pdict__registry_stack(info.st_dev, info.st_ino, allocator, out);
        if (status != PDICT_OK || out->count > 0)
            return status;
        status = recognise(path, &info, &backend);
    }
    return status == PDICT_OK ? pdict__stack_parse(backend->name, allocator, out) : status;
}
