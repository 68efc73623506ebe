/* SPDX-License-Identifier: MIT */
/* Leases: for each hash one process at a time, until it gives the lease back or dies. */
#ifndef PDICT_STORE_LEASE_H
#define PDICT_STORE_LEASE_H

#include <pthread.h>

#include "base/base.h"

struct store;

/*
 * A lease is a lock on one byte far behind the end of the gate file, of an open file description
 * that serves for nothing else: the kernel drops it when its process dies. Two hashes with one byte
 * share a lease; so do all threads of a process, which agree by other means.
 */
struct leases {
    pthread_mutex_t lock; /* around each use of the file; innermost */
    int fd;               /* -1: not opened yet */
};

void pdict__leases_init(struct leases *leases);
void pdict__leases_destroy(struct leases *leases);
/* Wait for a lease until the deadline (steady clock; INT64_MIN: not at all). Where there is no gate
 * file it is had at once. PDICT_BUSY (expected): another process has it. */
int pdict__lease_take(struct store *store, uint64_t hash, int64_t deadline_ms);
void pdict__lease_give(struct store *store, uint64_t hash);
/* In the child of a fork: what the parent holds is not the child's, and does not outlive the
 * parent by the child's copy of the descriptor. */
void pdict__leases_fork_child(struct leases *leases);

#endif
