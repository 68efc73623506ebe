/* SPDX-License-Identifier: MIT */
/* Directories of a run: made, measured, chilled, removed. */
#include "tool/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int bench_directory_make(const struct invocation *in, char *out, size_t size)
{
    const char *parent = bench_text(in, OPT_DIR, ".");

    if ((size_t)snprintf(out, size, "%s/pdict-bench-XXXXXX", parent) >= size)
        return pdict_fail(PDICT_INVAL, "--dir: %s is too long a path", parent);
    if (!mkdtemp(out))
        return pdict_fail(PDICT_IO, "--dir: %s: %s", parent, strerror(errno));
    return PDICT_OK;
}

int bench_directory_sub(const char *parent, const char *name, char *out, size_t size)
{
    if ((size_t)snprintf(out, size, "%s/%s", parent, name) >= size)
        return pdict_fail(PDICT_INVAL, "--dir: %s is too long a path", parent);
    if (mkdir(out, 0700) != 0 && errno != EEXIST)
        return pdict_fail(PDICT_IO, "%s: %s", out, strerror(errno));
    return PDICT_OK;
}

/* Call `fn` for every file below, then `leave` for each folder; both with the folder's descriptor. */
static void walk(int folder, void (*fn)(void *ctx, int folder, const char *name), void *ctx,
                 bool is_removing)
{
    DIR *directory = folder >= 0 ? fdopendir(folder) : NULL;
    struct dirent *entry;

    if (!directory)
        return;
    while ((entry = readdir(directory))) {
        struct stat facts;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(folder, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(facts.st_mode)) {
            walk(openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fn, ctx,
                 is_removing);
            if (is_removing)
                unlinkat(folder, entry->d_name, AT_REMOVEDIR);
        } else {
            fn(ctx, folder, entry->d_name);
        }
    }
    closedir(directory);
}

static void remove_file(void *ctx, int folder, const char *name)
{
    (void)ctx;
    unlinkat(folder, name, 0);
}

static void add_bytes(void *ctx, int folder, const char *name)
{
    struct stat facts;

    if (fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0)
        *(uint64_t *)ctx += (uint64_t)facts.st_blocks * 512;
}

static void chill(void *ctx, int folder, const char *name)
{
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);

    (void)ctx;
    if (file < 0)
        return;
    fsync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
}

static int folder_of(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void bench_directory_remove(const char *path)
{
    if (!*path)
        return;
    walk(folder_of(path), remove_file, NULL, true);
    rmdir(path);
}

uint64_t bench_directory_bytes(const char *path)
{
    uint64_t bytes = 0;

    walk(folder_of(path), add_bytes, &bytes, false);
    return bytes;
}

void bench_directory_chill(const char *path)
{
    walk(folder_of(path), chill, NULL, false);
}
