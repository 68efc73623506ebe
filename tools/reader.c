/* SPDX-License-Identifier: MIT */
/* Lines of a file that is read twice, with their numbers and a limit on their length. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_SIZE = 256 * 1024
};

/* A file without a name, gone when it is closed: what it holds may be secret. */
static int open_spool(int *out)
{
    const char *directory = getenv("TMPDIR");
    char path[4096];

    directory = directory && *directory ? directory : "/var/tmp";
    if (snprintf(path, sizeof path, "%s/pdict-load-XXXXXX", directory) >= (int)sizeof path)
        return pdict_fail(PDICT_INVAL, "TMPDIR is too long");
    *out = mkstemp(path);
    if (*out < 0)
        return pdict_fail(PDICT_IO,
                          "standard input cannot be kept in %s: %s, name another by TMPDIR",
                          directory, strerror(errno));
    unlink(path);
    return PDICT_OK;
}

static int write_all(int fd, const char *bytes, size_t size)
{
    ssize_t put;

    for (size_t done = 0; done < size; done += (size_t)put) {
        put = write(fd, bytes + done, size - done);
        if (put < 0 && errno == EINTR)
            put = 0;
        if (put < 0)
            return pdict_fail(errno == ENOSPC ? PDICT_FULL : PDICT_IO,
                              "standard input cannot be kept in TMPDIR until it is checked: %s, "
                              "give a file instead",
                              strerror(errno));
    }
    return PDICT_OK;
}

static int spool(int from, int *out)
{
    char *block = tool_alloc(NULL, READ_SIZE);
    ssize_t got;
    int status = open_spool(out);

    while (status == PDICT_OK && (got = read(from, block, READ_SIZE)) != 0) {
        if (tool_interrupted())
            status = pdict_fail(PDICT_CANCELLED, "interrupted, nothing was stored");
        else if (got > 0)
            status = write_all(*out, block, (size_t)got);
        else if (errno != EINTR)
            status = pdict_fail(PDICT_IO, "standard input cannot be read: %s", strerror(errno));
    }
    free(block);
    return status;
}

static int open_path(const char *path, int *out)
{
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    int status = PDICT_OK;

    *out = fd;
    if (fd < 0 || fstat(fd, &facts) != 0)
        return pdict_fail(PDICT_IO, "%s cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return pdict_fail(PDICT_INVAL, "%s is a directory, --format dir loads those", path);
    /* A redirected file that stands at its start is read where it lies. */
    if (S_ISREG(facts.st_mode) && lseek(fd, 0, SEEK_CUR) == 0)
        return PDICT_OK;
    *out = -1;
    status = spool(fd, out);
    if (!is_input)
        close(fd);
    return status;
}

int reader_open(struct reader *reader, const char *path)
{
    struct stat facts;
    int status;

    memset(reader, 0, sizeof *reader);
    reader->fd = -1;
    reader->name = strcmp(path, "-") == 0 ? "standard input" : path;
    if ((status = open_path(path, &reader->fd)) != PDICT_OK)
        return status;
    if (fstat(reader->fd, &facts) == 0)
        reader->size = (uint64_t)facts.st_size;
    return reader_rewind(reader);
}

int reader_rewind(struct reader *reader)
{
    if (lseek(reader->fd, 0, SEEK_SET) != 0)
        return pdict_fail(PDICT_IO, "%s cannot be read again: %s", reader->name, strerror(errno));
    reader->buf.size = 0;
    reader->start = 0;
    reader->line = 0;
    reader->taken = 0;
    return PDICT_OK;
}

/* Adds a block behind what is buffered; *is_end when there is none. */
static int fill(struct reader *reader, bool *is_end)
{
    struct tool_buf *buf = &reader->buf;
    ssize_t got;

    if (reader->start > 0) {
        memmove(buf->data, buf->data + reader->start, buf->size - reader->start);
        buf->size -= reader->start;
        reader->start = 0;
    }
    tool_buf_reserve(buf, READ_SIZE);
    do {
        got = read(reader->fd, buf->data + buf->size, READ_SIZE);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return pdict_fail(PDICT_IO, "%s cannot be read: %s", reader->name, strerror(errno));
    buf->size += (size_t)got;
    *is_end = got == 0;
    return PDICT_OK;
}

/* The next line with its newline, which only the last may lack; borrowed until the next call. */
int reader_line(struct reader *reader, pdict_slice *out)
{
    size_t searched = 0;
    const unsigned char *from = NULL;
    const unsigned char *newline = NULL;
    bool is_end = false;
    size_t left;
    int status;

    for (;;) {
        from = reader->buf.data ? reader->buf.data + reader->start : NULL;
        left = reader->buf.size - reader->start;
        newline = left > searched ? memchr(from + searched, '\n', left - searched) : NULL;
        if (newline || is_end)
            break;
        if (left > READER_LINE_MAX)
            return pdict_fail(PDICT_TOO_BIG, "%s: the line behind line %llu is over 1 GiB",
                              reader->name, (unsigned long long)reader->line);
        searched = left;
        if ((status = fill(reader, &is_end)) != PDICT_OK)
            return status;
    }
    if (!newline && left == 0)
        return PDICT_END;
    *out = pdict_bytes(from, newline ? (size_t)(newline - from) + 1 : left);
    reader->start += out->size;
    reader->taken += out->size;
    reader->line++;
    return PDICT_OK;
}

void reader_close(struct reader *reader)
{
    if (reader->fd > STDIN_FILENO)
        close(reader->fd);
    free(reader->buf.data);
}
