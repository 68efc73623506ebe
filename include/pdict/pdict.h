/* SPDX-License-Identifier: MIT */
/* pdict: a dictionary that looks and acts like an in-memory map but persists. All a user needs. */
#ifndef PDICT_PDICT_H
#define PDICT_PDICT_H

/*
 * Words used below. Borrowed: valid during the call (for inputs), or until the moment named.
 * Pinned: valid until its release function is called, whatever happens meanwhile, the close of the
 * map included. Owned: yours, freed by the function named.
 *
 * Threads. A `pdict` and a `pdict_store` may be used by any number of threads at once. A
 * `pdict_iter` is used by one thread at a time. Processes: any number on one machine may open one
 * store of a backend that says so (`pdict info`).
 *
 * Time is Unix time in milliseconds. Sizes are bytes. Structs that begin with `struct_size` are
 * made with their _INIT macro (or zeroed, and struct_size set); members are only ever appended.
 *
 * Any call may return PDICT_NOMEM, and PDICT_IO or PDICT_DAMAGED when the engine meets a failing
 * disk or a damaged file; this is not repeated at each.
 */

#include <pdict/types.h>       /* slices, status codes, views */
#include <pdict/map.h>         /* open; get, put, delete one key */
#include <pdict/expiry.h>      /* when an entry expires */
#include <pdict/batch.h>       /* many keys at once; iteration */
#include <pdict/transaction.h> /* several keys and maps, all or nothing */
#include <pdict/compute.h>     /* get a value, or compute it once for all who wait */
#include <pdict/store.h>       /* the maps of a store; facts about them */
#include <pdict/limits.h>      /* how large a map may grow */
#include <pdict/secret.h>      /* passphrases and keys */
#include <pdict/upkeep.h>      /* verify, repair, back up, compact, migrate, train */
#include <pdict/recode.h>      /* other codecs and keys for a map in use */

#endif
