/* SPDX-License-Identifier: MIT */
/* The file calls of this process, seen on their way to the system: counted, failed, recorded. */
#ifndef PDICT_CRASH_IO_H
#define PDICT_CRASH_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The program defines open(), pwrite(), fsync() and their kin itself, so that the engines' shared
 * libraries call these. Only files in one directory are looked at; all others pass untouched.
 */

enum io_call {
    IO_OPEN,
    IO_READ,
    IO_WRITE,
    IO_SYNC,
    IO_SYNC_DIRECTORY,
    IO_TRUNCATE,
    IO_RENAME,
    IO_UNLINK,
    IO_MEMORY, /* malloc() and its kin: no file call, but refused in the same way (memory.c) */
    IO_CALLS
};

#define IO_ALL     ((1u << IO_MEMORY) - 1)     /* mask: every file call */
#define IO_CHANGES (IO_ALL & ~(1u << IO_READ)) /* mask: every file call but reads */

enum io_action {
    IO_PASS,
    IO_FAIL,      /* with `error`, nothing done */
    IO_SHORT,     /* a read or write of half the bytes; other calls pass */
    IO_KILL,      /* the process dies before the call */
    IO_KILL_HALF, /* after half of the bytes of a write; before other calls */
    IO_STOP       /* the process stops before the call, until it is killed */
};

struct io_plan {
    enum io_action action;
    unsigned calls; /* mask of 1 << enum io_call */
    uint64_t at;    /* the call of those, counted from 1; 0: never */
    bool is_onward; /* and all later ones */
    int error;      /* an errno */
};

/* Whose files are looked at; a real path, kept as it is. */
void io_watch(const char *directory);
/* Begin to count anew. A plan of zeros only counts. */
void io_arm(const struct io_plan *plan);
/* Nothing happens any more; the counts stay. */
void io_disarm(void);
uint64_t io_count(void); /* calls since io_arm() */
uint64_t io_hits(void);  /* of these, met by the plan */

/* Count a call; true, with errno set, when the plan lets it fail. */
bool io_refuses(enum io_call call);

/* Blocks of memory in use, whoever took them; 0 where a sanitizer has memory in its hands. */
long memory_blocks(void);

/* ---- the record ---- */

enum io_event_kind {
    IO_CREATED = 1, /* payload: the name */
    IO_WRITTEN,     /* payload: the bytes */
    IO_CUT,         /* to `offset` bytes */
    IO_SYNCED,
    IO_RENAMED,  /* payload: both names, each with its NUL */
    IO_UNLINKED, /* payload: the name */
    IO_DIRECTORY_SYNCED,
    IO_MARK /* io_mark(); `offset` is its number */
};

struct io_event {
    uint32_t kind;
    uint32_t file;   /* numbered from 1, never again for another file */
    uint64_t offset; /* bytes */
    uint64_t size;   /* of the payload, which follows, filled up to a multiple of 8 */
    bool is_synced;  /* written through a descriptor with O_DSYNC or O_SYNC */
};

/* Events of a process, readable by the one that forked it. */
struct io_log;

struct io_log *io_log_new(size_t size);
void io_log_free(struct io_log *log);
void io_log_clear(struct io_log *log);
/* Record from now on, in this process; the watched directory is empty. NULL: no more. */
void io_record(struct io_log *log);
/* Remember a moment of the caller's own. */
void io_mark(uint64_t number);
/* The next event, or NULL at the end; begin with 0. Borrowed from the log. */
const struct io_event *io_log_next(const struct io_log *log, size_t *cursor);

static inline const void *io_payload(const struct io_event *event)
{
    return event + 1;
}

#endif
