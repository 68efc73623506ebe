/* SPDX-License-Identifier: MIT */
/* From LMDB's and the system's codes to a status and a sentence that says what to do next. */
#include "lmdb.h"

#include <errno.h>

static bool is_out_of_space(int rc)
{
    return rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
}

static int fail_system(const struct store *store, int rc)
{
    if (is_out_of_space(rc))
        return pdict_fail(PDICT_FULL,
                          "lmdb: no space is left for %s; free some space, raise the quota, or "
                          "move the store",
                          store->path);
    switch (rc) {
    case ENOMEM:
        return no_memory("LMDB");
    case EACCES:
    case EPERM:
        return pdict_fail(PDICT_PERMISSION,
                          "lmdb: access to %s or its lock file is denied; give access to both and "
                          "to their directory, or open it with mode=ro",
                          store->path);
    case EROFS:
        return pdict_fail(PDICT_READ_ONLY,
                          "lmdb: %s is on a read-only file system; open it with mode=ro",
                          store->path);
    default:
        return pdict_fail(PDICT_IO, "lmdb: %s: %s (code %d); check the disk and the system's log",
                          store->path, mdb_strerror(rc), rc);
    }
}

int pdict__lmdb_fail(struct store *store, int rc)
{
    switch (rc) {
    case MDB_MAP_FULL:
        return pdict__lmdb_fail_map_full(store);
    case MDB_PANIC:
        return pdict_fail(PDICT_IO,
                          "lmdb: a commit to %s failed midway and LMDB stopped; close the store, "
                          "check the disk and reopen it",
                          store->path);
    case MDB_MAP_RESIZED:
        return pdict_fail(PDICT_BUSY, "lmdb: %s grew while it was opened; open it again",
                          store->path);
    case MDB_READERS_FULL:
        return pdict_fail(PDICT_BUSY,
                          "lmdb: all reader slots of %s are taken; close some readers, here or in "
                          "other processes",
                          store->path);
    case MDB_VERSION_MISMATCH:
        return pdict_fail(PDICT_UNSUPPORTED,
                          "lmdb: the lock file of %s belongs to another version of LMDB; close all "
                          "its users and remove the lock file",
                          store->path);
    case MDB_BAD_VALSIZE:
        return pdict_fail(PDICT_TOO_BIG, "lmdb: an entry is over LMDB's limit of 4294967295 bytes");
    case MDB_BAD_TXN:
    case MDB_BAD_RSLOT:
        return pdict_fail(PDICT_MISUSE,
                          "lmdb: a transaction of %s was used after it failed; abort it",
                          store->path);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_DBI:
    case MDB_NOTFOUND:
        return pdict__lmdb_damaged(store, mdb_strerror(rc));
    default:
        return fail_system(store, rc);
    }
}

int pdict__lmdb_fail_file(const char *path)
{
    bool is_full = is_out_of_space(errno);

    return pdict_fail(is_full ? PDICT_FULL : PDICT_IO, "lmdb: %s: %s; %s", path, strerror(errno),
                      is_full ? "free some space and try again" : "check the disk");
}

/* Space runs out while pages are written, before the commit is recorded; every other failure may
 * have been a sync that wrote part of it. */
int pdict__lmdb_fail_commit(struct store *store, int rc)
{
    if (rc == MDB_MAP_FULL || rc == MDB_BAD_TXN || rc == ENOMEM)
        return pdict__lmdb_fail(store, rc);
    if (is_out_of_space(rc) && !store->has_failed_midway)
        return pdict__lmdb_fail(store, rc);
    return pdict_fail(PDICT_UNKNOWN_OUTCOME,
                      "lmdb: the commit to %s failed midway: %s (code %d); close the store, check "
                      "the disk, reopen it and look whether the write is there",
                      store->path, mdb_strerror(rc), rc);
}

int pdict__lmdb_damaged(const struct store *store, const char *what)
{
    return pdict_fail(PDICT_DAMAGED, "lmdb: %s is damaged (%s); keep a copy and restore a backup",
                      store->path, what);
}

int pdict__lmdb_no_map(const struct store *store, uint32_t map)
{
    return pdict_fail(PDICT_NO_MAP, "lmdb: map number %u of %s was dropped; open the map again",
                      map, store->path);
}
