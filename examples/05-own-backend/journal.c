/* SPDX-License-Identifier: MIT */
/* The journal: a file of blocks, one a commit, that is read from its start when it is opened. */
#include "shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/*
 * Numbers are 64 bits in the order of the machine.
 *
 *   file    "shelf\n\0\0", 1, block...
 *   block   size of the changes, their sum, sum of these two, change...
 *   change  kind, map, key size, value size, version, created, expires, id, key, value
 *
 * Each block is synced before the next is written unless durability is `unsafe`, so only the last
 * can be torn by a crash; it is dropped then. Anything else that does not add up is damage.
 */
#define MAGIC       "shelf\n\0"
#define VERSION     1
#define FILE_HEAD   16
#define BLOCK_HEAD  24
#define CHANGE_HEAD 64

static uint64_t sum_of(const void *data, size_t size)
{
    const unsigned char *byte = data;
    uint64_t sum = 0xcbf29ce484222325; /* FNV-1a */

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ byte[i]) * 0x100000001b3;
    return sum;
}

static int io_error(const struct journal *journal, const char *doing)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return pdict_fail(PDICT_FULL, "shelf: %s: no space is left; free some", journal->path);
    if (errno == EACCES || errno == EPERM)
        return pdict_fail(PDICT_PERMISSION, "shelf: %s: %s is not permitted", journal->path, doing);
    return pdict_fail(PDICT_IO, "shelf: %s: %s failed: %s", journal->path, doing, strerror(errno));
}

static int damaged(const struct journal *journal, uint64_t at)
{
    return pdict_fail(PDICT_DAMAGED, "shelf: %s is damaged at byte %llu; restore it from a backup",
                      journal->path, (unsigned long long)at);
}

static int read_at(const struct journal *journal, void *out, size_t size, uint64_t at)
{
    unsigned char *to = out;

    while (size > 0) {
        ssize_t got = pread(journal->fd, to, size, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? io_error(journal, "reading it") : damaged(journal, at);
        to += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return PDICT_OK;
}

static int write_at(const struct journal *journal, const void *data, size_t size, uint64_t at)
{
    const unsigned char *from = data;

    while (size > 0) {
        ssize_t put = pwrite(journal->fd, from, size, (off_t)at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return io_error(journal, "writing it");
        from += put;
        at += (uint64_t)put;
        size -= (size_t)put;
    }
    return PDICT_OK;
}

/* ---- reading ---- */

/* One change at the start of `data`; returns its size, 0 when it is malformed. */
static size_t parse_change(const unsigned char *data, size_t size, struct op *op)
{
    uint64_t head[8];

    if (size < CHANGE_HEAD)
        return 0;
    memcpy(head, data, CHANGE_HEAD);
    size -= CHANGE_HEAD;
    if (head[0] < OP_MAP_SET || head[0] > OP_ROW_DEL || head[1] > UINT32_MAX)
        return 0;
    if (head[2] > size || head[3] > size - head[2])
        return 0;
    *op = (struct op){ .kind = head[0], .map = (uint32_t)head[1] };
    op->row = (pdict_row){ .key = { data + CHANGE_HEAD, head[2] },
                           .value = { data + CHANGE_HEAD + head[2], head[3] },
                           .version = head[4],
                           .created_ms = (int64_t)head[5],
                           .expires_ms = (int64_t)head[6],
                           .id = head[7] };
    return CHANGE_HEAD + head[2] + head[3];
}

static int replay_block(const struct journal *journal, const unsigned char *data, size_t size,
                        replay_fn replay, void *ctx)
{
    while (size > 0) {
        struct op op;
        size_t step = parse_change(data, size, &op);
        int status = step > 0 ? replay(ctx, &op) : damaged(journal, journal->end);

        if (status != PDICT_OK)
            return status;
        data += step;
        size -= step;
    }
    return PDICT_OK;
}

/* Read the block at the end; *is_torn: it is the unfinished last one, and nothing was done. */
static int read_block(struct journal *journal, uint64_t file_size, unsigned char *data,
                      const uint64_t *head, replay_fn replay, void *ctx, bool *is_torn)
{
    uint64_t at = journal->end + BLOCK_HEAD;
    int status = read_at(journal, data, head[0], at);

    if (status != PDICT_OK)
        return status;
    if (sum_of(data, head[0]) != head[1]) {
        *is_torn = at + head[0] == file_size;
        return *is_torn ? PDICT_OK : damaged(journal, journal->end);
    }
    status = replay_block(journal, data, head[0], replay, ctx);
    journal->end = at + head[0];
    return status;
}

static int read_next(struct journal *journal, const pdict_allocator *allocator, uint64_t file_size,
                     replay_fn replay, void *ctx, bool *is_torn)
{
    uint64_t left = file_size - journal->end, head[3];
    unsigned char *data;
    int status;

    *is_torn = left < BLOCK_HEAD;
    if (*is_torn)
        return PDICT_OK;
    if ((status = read_at(journal, head, BLOCK_HEAD, journal->end)) != PDICT_OK)
        return status;
    *is_torn = head[0] == 0 && head[1] == 0 && head[2] == 0;
    if (!*is_torn && head[2] != sum_of(head, 16))
        return damaged(journal, journal->end);
    *is_torn = *is_torn || head[0] > left - BLOCK_HEAD;
    if (*is_torn)
        return PDICT_OK;
    data = allocator->allocate(allocator->ctx, head[0] + 1);
    if (!data)
        return pdict_fail(PDICT_NOMEM, "shelf: no memory to read %s", journal->path);
    status = read_block(journal, file_size, data, head, replay, ctx, is_torn);
    allocator->release(allocator->ctx, data);
    return status;
}

static int read_all(struct journal *journal, const pdict_allocator *allocator, uint64_t file_size,
                    replay_fn replay, void *ctx)
{
    bool is_torn = false;
    int status = PDICT_OK;

    while (status == PDICT_OK && !is_torn && journal->end < file_size)
        status = read_next(journal, allocator, file_size, replay, ctx, &is_torn);
    if (status == PDICT_OK && is_torn && !journal->is_read_only &&
        ftruncate(journal->fd, (off_t)journal->end) != 0)
        return io_error(journal, "cutting off an unfinished commit");
    return status;
}

/* ---- opening ---- */

static int write_file_head(struct journal *journal)
{
    uint64_t version = VERSION;
    unsigned char head[FILE_HEAD];
    int status;

    memcpy(head, MAGIC, 8);
    memcpy(head + 8, &version, 8);
    if ((status = write_at(journal, head, FILE_HEAD, 0)) != PDICT_OK)
        return status;
    return fsync(journal->fd) == 0 ? PDICT_OK : io_error(journal, "syncing it");
}

static int read_file_head(const struct journal *journal, uint64_t file_size)
{
    unsigned char head[FILE_HEAD] = { 0 };
    uint64_t version;
    int status = read_at(journal, head, file_size < FILE_HEAD ? file_size : FILE_HEAD, 0);

    if (status != PDICT_OK)
        return status;
    if (file_size < FILE_HEAD || memcmp(head, MAGIC, 8) != 0)
        return pdict_fail(PDICT_NOT_A_STORE, "shelf: %s is no shelf store; nothing was changed",
                          journal->path);
    memcpy(&version, head + 8, 8);
    if (version != VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT, "shelf: %s has format %llu, this backend reads %d",
                          journal->path, (unsigned long long)version, VERSION);
    return PDICT_OK;
}

static bool is_readable(const struct journal *journal)
{
    int saved = errno, fd = open(journal->path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    errno = saved;
    return fd >= 0;
}

static int open_file(struct journal *journal)
{
    journal->fd = open(journal->path, (journal->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (journal->fd >= 0) {
        if (flock(journal->fd, (journal->is_read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
            return PDICT_OK;
        return pdict_fail(PDICT_BUSY, "shelf: %s is open in another process; close it there",
                          journal->path);
    }
    if (!journal->is_read_only && (errno == EROFS || is_readable(journal)))
        return pdict_fail(PDICT_READ_ONLY, "shelf: %s cannot be written; open it with mode=ro",
                          journal->path);
    return io_error(journal, "opening it");
}

int journal_open(struct journal *journal, const pdict_backend_args *args, replay_fn replay,
                 void *ctx)
{
    unsigned flags = args->flags;
    uint64_t file_size;
    int status;

    journal->is_read_only = (flags & PDICT_BACKEND_READ_ONLY) != 0;
    if ((status = open_file(journal)) != PDICT_OK)
        return status;
    file_size = (uint64_t)lseek(journal->fd, 0, SEEK_END);
    journal->end = FILE_HEAD;
    if (file_size == 0 && (flags & PDICT_BACKEND_CREATE) && !journal->is_read_only)
        return write_file_head(journal);
    if ((status = read_file_head(journal, file_size)) != PDICT_OK)
        return status;
    return read_all(journal, &args->allocator, file_size, replay, ctx);
}

void journal_close(struct journal *journal)
{
    if (journal->fd >= 0)
        close(journal->fd);
    journal->fd = -1;
}

/* ---- writing ---- */

static int reserve(const pdict_allocator *allocator, struct bytes *block, size_t more)
{
    size_t capacity = (block->size + more) * 2;
    unsigned char *grown;

    if (block->size + more <= block->capacity)
        return PDICT_OK;
    grown = allocator->reallocate(allocator->ctx, block->data, capacity);
    if (!grown)
        return pdict_fail(PDICT_NOMEM, "shelf: no memory for a change; free some and try again");
    block->data = grown;
    block->capacity = capacity;
    return PDICT_OK;
}

static void append(struct bytes *block, const void *data, size_t size)
{
    if (size > 0)
        memcpy(block->data + block->size, data, size);
    block->size += size;
}

int journal_add(const pdict_allocator *allocator, struct bytes *block, const struct op *op)
{
    const pdict_row *row = &op->row;
    uint64_t head[8] = { op->kind,
                         op->map,
                         row->key.size,
                         row->value.size,
                         row->version,
                         (uint64_t)row->created_ms,
                         (uint64_t)row->expires_ms,
                         row->id };
    size_t more = BLOCK_HEAD + CHANGE_HEAD + row->key.size + row->value.size;

    if (reserve(allocator, block, more) != PDICT_OK)
        return PDICT_NOMEM;
    if (block->size == 0)
        block->size = BLOCK_HEAD; /* filled in by journal_write() */
    append(block, head, CHANGE_HEAD);
    append(block, row->key.data, row->key.size);
    append(block, row->value.data, row->value.size);
    return PDICT_OK;
}

int journal_write(struct journal *journal, struct bytes *block, bool is_synced)
{
    uint64_t head[3] = { block->size - BLOCK_HEAD };
    int status;

    head[1] = sum_of(block->data + BLOCK_HEAD, head[0]);
    head[2] = sum_of(head, 16);
    memcpy(block->data, head, BLOCK_HEAD);
    status = write_at(journal, block->data, block->size, journal->end);
    if (status != PDICT_OK)
        /* Unless this fails too, in which case the next open drops the torn block. */
        return ftruncate(journal->fd, (off_t)journal->end) == 0 ? status : PDICT_UNKNOWN_OUTCOME;
    journal->end += block->size;
    if (is_synced && fdatasync(journal->fd) != 0)
        return pdict_fail(PDICT_UNKNOWN_OUTCOME, "shelf: %s: syncing a commit failed: %s",
                          journal->path, strerror(errno));
    return PDICT_OK;
}

int journal_sync(struct journal *journal)
{
    return fdatasync(journal->fd) == 0 ? PDICT_OK : io_error(journal, "syncing it");
}
