/* SPDX-License-Identifier: MIT */
/* Files that appear only when they are whole: jobs, syncing, renaming, removing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "upkeep/upkeep.h"

static int file_error(const char *path, const char *doing)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        return pdict_fail(PDICT_PERMISSION, "%s: %s was denied; check the permissions", path,
                          doing);
    case ENOENT:
    case ENOTDIR:
        return pdict_fail(PDICT_NO_DIRECTORY, "%s: its directory does not exist; create it first",
                          path);
    case ELOOP:
        return pdict_fail(PDICT_PERMISSION,
                          "%s: it is a link, and what is written there would go elsewhere; remove "
                          "it, or work in a directory that others cannot write to",
                          path);
    case EROFS:
        return pdict_fail(PDICT_READ_ONLY, "%s: the file system is read-only", path);
    case ENOSPC:
    case EDQUOT:
        return pdict_fail(PDICT_FULL, "%s: no space is left; free some and try again", path);
    default:
        return pdict_fail(PDICT_IO, "%s: %s failed: %s", path, doing, strerror(errno));
    }
}

/* ---- names ---- */

char *pdict__path_add(const pdict_allocator *allocator, const char *path, const char *ending)
{
    size_t size = strlen(path) + strlen(ending) + 1;
    char *out = pdict__alloc(allocator, size);

    if (out)
        snprintf(out, size, "%s%s", path, ending);
    return out;
}

char *pdict__path_cut(const pdict_allocator *allocator, const char *path, const char *ending)
{
    return pdict__strdup(allocator, path, strlen(path) - strlen(ending));
}

int pdict__path_is_free(const char *path)
{
    struct stat info;

    if (lstat(path, &info) == 0)
        return pdict_fail(PDICT_EXISTS, "%s exists; give a name that is free, or move it away",
                          path);
    return errno == ENOENT ? PDICT_OK : file_error(path, "looking at it");
}

/* ---- jobs ---- */

/* A job that ended removes its file, and then a lock on the removed one means nothing. */
static bool is_still_there(const char *path, int fd)
{
    struct stat named, held;

    return stat(path, &named) == 0 && fstat(fd, &held) == 0 && named.st_ino == held.st_ino;
}

int pdict__job_begin(const char *path, int *fd)
{
    int opened = open(path, O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
    int status, result;

    if (opened < 0)
        return file_error(path, "creating it");
    result = flock(opened, LOCK_EX | LOCK_NB);
    if (result == 0 && is_still_there(path, opened)) {
        *fd = opened;
        return PDICT_OK;
    }
    status = result == 0 || errno == EWOULDBLOCK
                 ? pdict_fail(PDICT_BUSY,
                              "%s: somebody is at work on it; wait until that has ended", path)
                 : file_error(path, "locking it");
    close(opened);
    return status;
}

void pdict__job_end(const char *path, int *fd)
{
    if (*fd < 0)
        return;
    /* Only the holder removes a job, so what is there now is ours. */
    if (is_still_there(path, *fd))
        unlink(path);
    close(*fd);
    *fd = -1;
}

/* ---- whole files ---- */

static void directory_of(const char *path, char *out)
{
    const char *slash = strrchr(path, '/');

    snprintf(out, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

int pdict__file_make(const char *path, const char *like)
{
    int fd = open(path, O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600), result = 0;
    struct stat info;

    if (fd < 0)
        return file_error(path, "creating it");
    if (stat(like, &info) == 0)
        result = fchmod(fd, info.st_mode & 0777);
    close(fd);
    return result == 0 ? PDICT_OK : file_error(path, "setting its permissions");
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC), result;

    if (fd < 0)
        return file_error(path, "opening it");
    result = fsync(fd);
    close(fd);
    /* Some file systems have no such thing as syncing a directory. */
    return result == 0 || errno == EINVAL ? PDICT_OK : file_error(path, "syncing it");
}

/* Not every file system can refuse to replace; then a name that appeared just now is lost. */
static int rename_if_free(const char *path, const char *final_path)
{
    int status;

    if (renameat2(AT_FDCWD, path, AT_FDCWD, final_path, RENAME_NOREPLACE) == 0)
        return PDICT_OK;
    if (errno != EINVAL && errno != ENOSYS && errno != EEXIST)
        return file_error(final_path, "renaming to it");
    if ((status = pdict__path_is_free(final_path)) != PDICT_OK)
        return status;
    return rename(path, final_path) == 0 ? PDICT_OK : file_error(final_path, "renaming to it");
}

int pdict__file_publish(const char *path, const char *final_path)
{
    char directory[PATH_MAX];
    int status;

    if ((status = sync_path(path, O_RDONLY)) != PDICT_OK)
        return status;
    if ((status = rename_if_free(path, final_path)) != PDICT_OK)
        return status;
    directory_of(final_path, directory);
    return sync_path(directory, O_RDONLY | O_DIRECTORY);
}

/* Jobs end by themselves. */
static bool belongs_to(const char *name, const char *file, size_t size)
{
    return strncmp(name, file, size) == 0 && name[size] == '-' &&
           strcmp(name + size, JOB_ENDING) != 0;
}

/* By name: closing a descriptor of such a file would end the engine's locks on it. */
static void set_mode(int directory, const char *name, unsigned mode)
{
    struct stat info;

    if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
        (void)!fchmodat(directory, name, mode, 0);
}

void pdict__file_set_mode(const char *path, unsigned mode)
{
    const char *name = strrchr(path, '/') + 1;
    char directory[PATH_MAX];
    struct dirent *entry;
    DIR *entries;

    directory_of(path, directory);
    if (!(entries = opendir(directory)))
        return;
    set_mode(dirfd(entries), name, mode);
    while ((entry = readdir(entries))) {
        if (belongs_to(entry->d_name, name, strlen(name)))
            set_mode(dirfd(entries), entry->d_name, mode);
    }
    closedir(entries);
}

void pdict__file_clear(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    char directory[PATH_MAX];
    struct dirent *entry;
    DIR *entries;

    directory_of(path, directory);
    if (!(entries = opendir(directory)))
        return;
    while ((entry = readdir(entries))) {
        if (belongs_to(entry->d_name, name, strlen(name)))
            unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
}

void pdict__file_remove(const char *path)
{
    unlink(path);
    pdict__file_clear(path);
}
