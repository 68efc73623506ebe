/* SPDX-License-Identifier: MIT */
/* Records from the files below a directory: the key is the path within it. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dir {
    FTS *walk;
    char *root;      /* without slashes at its end; owned */
    uint64_t passed; /* bytes of the files before this one */
};

/* By name, so that two loads of one directory insert in one order. */
static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int start(struct source *source)
{
    struct dir *dir = source->state;
    char *roots[2] = { dir->root, NULL };

    dir->passed = 0;
    source->position = 0;
    dir->walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!dir->walk)
        return pdict_fail(PDICT_IO, "%s cannot be read: %s", source->path, strerror(errno));
    return PDICT_OK;
}

static int dir_open(struct source *source)
{
    struct dir *dir = tool_alloc(NULL, sizeof *dir);
    size_t size = strlen(source->path);
    struct stat facts;

    memset(dir, 0, sizeof *dir);
    source->state = dir;
    source->reader.name = source->path;
    if (stat(source->path, &facts) != 0)
        return pdict_fail(PDICT_IO, "%s cannot be opened: %s", source->path, strerror(errno));
    if (!S_ISDIR(facts.st_mode))
        return pdict_fail(PDICT_INVAL, "%s is not a directory, which --format dir takes",
                          source->path);
    while (size > 1 && source->path[size - 1] == '/')
        size--;
    /* With a slash, a path that is itself a link to a directory is walked. */
    dir->root = tool_alloc(NULL, size + 2);
    memcpy(dir->root, source->path, size);
    strcpy(dir->root + size, "/");
    return start(source);
}

static int read_content(struct source *source, const char *path, off_t size)
{
    struct tool_buf *value = &source->value;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 0;

    value->size = 0;
    tool_buf_reserve(value, (size_t)size + 1);
    while (fd >= 0) {
        tool_buf_reserve(value, 65536);
        got = read(fd, value->data + value->size, 65536);
        if (got <= 0)
            break;
        value->size += (size_t)got;
    }
    if (got < 0)
        pdict_fail(PDICT_INVAL, "%s cannot be read: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return got < 0 ? PDICT_INVAL : PDICT_OK;
}

static int take_file(struct source *source, const FTSENT *file, struct record *out)
{
    struct dir *dir = source->state;
    const char *key = file->fts_path + strlen(dir->root);
    off_t size = file->fts_statp->st_size;
    int status;

    snprintf(source->place, sizeof source->place, "%s", key);
    if (size > (off_t)READER_LINE_MAX)
        return pdict_fail(PDICT_INVAL, "%s is over 1 GiB", file->fts_path);
    if ((status = read_content(source, file->fts_path, size)) != PDICT_OK)
        return status;
    dir->passed += source->value.size;
    source->position = dir->passed;
    source->key.size = 0;
    tool_buf_add(&source->key, key, strlen(key));
    *out = (struct record){ .key = tool_buf_slice(&source->key),
                            .value = tool_buf_slice(&source->value) };
    return PDICT_OK;
}

/* Links, sockets and devices are not content, and are passed over. */
static int dir_next(struct source *source, struct record *out)
{
    struct dir *dir = source->state;
    const FTSENT *file;

    while ((errno = 0, file = fts_read(dir->walk))) {
        if (file->fts_info == FTS_F)
            return take_file(source, file, out);
        if (file->fts_info == FTS_DNR || file->fts_info == FTS_ERR || file->fts_info == FTS_NS)
            return pdict_fail(PDICT_INVAL, "%s cannot be read: %s", file->fts_path,
                              strerror(file->fts_errno));
    }
    if (errno)
        return pdict_fail(PDICT_IO, "%s cannot be read: %s", source->path, strerror(errno));
    source->size = dir->passed;
    return PDICT_END;
}

static int dir_rewind(struct source *source)
{
    struct dir *dir = source->state;

    fts_close(dir->walk);
    return start(source);
}

static void dir_close(struct source *source)
{
    struct dir *dir = source->state;

    if (dir->walk)
        fts_close(dir->walk);
    free(dir->root);
    free(dir);
}

const struct source_ops source_dir = {
    .name = "dir",
    .open = dir_open,
    .next = dir_next,
    .rewind = dir_rewind,
    .close = dir_close,
};
