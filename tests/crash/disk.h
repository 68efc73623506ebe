/* SPDX-License-Identifier: MIT */
/* A disk as a power loss may leave it: what was synced, and any part of what was not. */
#ifndef PDICT_CRASH_DISK_H
#define PDICT_CRASH_DISK_H

#include "io.h"

/* What becomes of unsynced changes. Each unsynced name (made, renamed, removed) is kept up to a
 * moment and lost from there on, in the order in which a journal has them. */
enum disk_policy {
    DISK_LOSE_ALL,
    DISK_KEEP_ALL,
    DISK_KEEP_BEFORE,  /* up to some moment, as if the disk did one thing after the other */
    DISK_KEEP_WRITES,  /* any whole writes, so later ones without earlier ones */
    DISK_TEAR_SECTORS, /* any 512 bytes of any write */
    DISK_TEAR_PAGES,   /* any 4 KiB of any write */
    DISK_LOSE_ONE,     /* all but one write */
    DISK_POLICIES
};

struct disk;

/* Empty. Events that were applied stay borrowed. */
struct disk *disk_new(void);
void disk_free(struct disk *disk);
/* The program did this. */
void disk_apply(struct disk *disk, const struct io_event *event);
/* Write out one state that a power loss now may leave, into an empty directory. */
void disk_write(const struct disk *disk, enum disk_policy policy, uint64_t seed,
                const char *directory);

#endif
