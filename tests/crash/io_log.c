/* SPDX-License-Identifier: MIT */
/* The record of what file calls have done, in memory that the process's parent can read. */
#include "io_parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MOST_FILES 512
#define NAME_SIZE  128

struct io_log {
    _Atomic size_t used;
    size_t size;
    _Alignas(8) unsigned char bytes[];
};

static struct io_log *recorded; /* NULL: nothing is */
/* By number; "": it has none any more. No memory is asked for here, since that may fail. */
static char names[MOST_FILES][NAME_SIZE];
static uint32_t n_files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct io_log *io_log_new(size_t size)
{
    struct io_log *log = mmap(NULL, sizeof(*log) + size, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (log == MAP_FAILED)
        abort();
    log->size = size;
    return log;
}

void io_log_free(struct io_log *log)
{
    munmap(log, sizeof(*log) + log->size);
}

void io_log_clear(struct io_log *log)
{
    atomic_store(&log->used, 0);
}

void io_record(struct io_log *log)
{
    recorded = log;
}

void io_lock(void)
{
    pthread_mutex_lock(&lock);
}

void io_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* ---- files by number ---- */

uint32_t io_number_of(const char *name)
{
    for (uint32_t i = 1; i <= n_files; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return 0;
}

void io_set_name(uint32_t file, const char *name)
{
    if (snprintf(names[file], NAME_SIZE, "%s", name) >= NAME_SIZE)
        abort();
}

uint32_t io_new_number(const char *name)
{
    uint32_t file = recorded ? n_files + 1 : 1;

    while (file <= n_files && names[file][0])
        file++;
    if (file == MOST_FILES)
        abort();
    io_set_name(file, name);
    if (n_files < file)
        n_files = file;
    return file;
}

void io_forget_name(uint32_t file)
{
    if (file != 0)
        names[file][0] = '\0';
}

/* ---- events ---- */

static size_t padded(size_t size)
{
    return (size + 7) / 8 * 8;
}

void io_note(struct io_event event, const struct iovec *parts, int n_parts)
{
    size_t at;

    if (!recorded)
        return;
    for (int i = 0; i < n_parts; i++)
        event.size += parts[i].iov_len;
    at = atomic_load(&recorded->used);
    if (recorded->size - at < sizeof(event) + padded(event.size))
        abort();
    memcpy(recorded->bytes + at, &event, sizeof(event));
    for (size_t to = at + sizeof(event); n_parts > 0; parts++, n_parts--) {
        memcpy(recorded->bytes + to, parts->iov_base, parts->iov_len);
        to += parts->iov_len;
    }
    atomic_store(&recorded->used, at + sizeof(event) + padded(event.size));
}

void io_note_name(uint32_t kind, uint32_t file, const char *name)
{
    const struct iovec part = { (void *)name, strlen(name) + 1 };

    io_note((struct io_event){ .kind = kind, .file = file }, &part, 1);
}

void io_mark(uint64_t number)
{
    io_lock();
    io_note((struct io_event){ .kind = IO_MARK, .offset = number }, NULL, 0);
    io_unlock();
}

const struct io_event *io_log_next(const struct io_log *log, size_t *cursor)
{
    const struct io_event *event = (const void *)(log->bytes + *cursor);

    if (*cursor >= atomic_load(&log->used))
        return NULL;
    *cursor += sizeof(*event) + padded(event->size);
    return event;
}
