/* SPDX-License-Identifier: MIT */
/* From SQLite's result codes to a status and a sentence that says what to do next. */
#include "sqlite.h"

#include <errno.h>

/* SQLite keeps the system's error only of some calls, so `errno` is cleared before each and read
 * first; it is 0 when the engine gave up for a reason of its own. */
static int system_error(const struct conn *conn)
{
    return errno != 0 ? errno : sqlite3_system_errno(conn->db);
}

static bool is_out_of_space(int system_errno)
{
    return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
}

static int fail_full(const char *path)
{
    return pdict_fail(PDICT_FULL,
                      "sqlite: no space is left for %s; free some space, raise the quota, or move "
                      "the store",
                      path);
}

static int fail_io(const struct conn *conn, int rc, int system_errno)
{
    if (is_out_of_space(system_errno) || rc == SQLITE_IOERR_SHMSIZE)
        return fail_full(conn->store->files[FILE_MAIN]);
    return pdict_fail(PDICT_IO, "sqlite: %s: %s (code %d, %s); check the disk and the system's log",
                      conn->store->files[FILE_MAIN], sqlite3_errstr(rc), rc,
                      system_errno != 0 ? strerror(system_errno) : "no system error");
}

static int fail_open(const struct conn *conn, int system_errno)
{
    const char *path = conn->store->files[FILE_MAIN];

    if (system_errno == EACCES || system_errno == EPERM || system_errno == EROFS)
        return pdict_fail(PDICT_PERMISSION,
                          "sqlite: %s or a file beside it cannot be opened: %s; give access to the "
                          "file and its directory, or open it with mode=ro",
                          path, strerror(system_errno));
    return pdict_fail(PDICT_IO, "sqlite: %s or a file beside it cannot be opened: %s", path,
                      system_errno != 0 ? strerror(system_errno) : sqlite3_errmsg(conn->db));
}

static int fail_cannot_write(const struct conn *conn, int rc)
{
    const char *path = conn->store->files[FILE_MAIN];

    if (rc == SQLITE_READONLY_RECOVERY || rc == SQLITE_READONLY_CANTINIT ||
        rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_READONLY_CANTLOCK)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "sqlite: %s was left in the middle of a write, and to read it means to "
                          "repair that first; open it once with mode=rw",
                          path);
    return pdict_fail(PDICT_READ_ONLY, "sqlite: %s cannot be written; open it with mode=ro", path);
}

int pdict__sqlite_fail(const struct conn *conn, int rc)
{
    const char *path = conn->store->files[FILE_MAIN];
    int system_errno = system_error(conn);

    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return no_memory("SQLite");
    case SQLITE_FULL:
        return fail_full(path);
    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_NOMEM ? no_memory("SQLite") : fail_io(conn, rc, system_errno);
    case SQLITE_CANTOPEN:
        return fail_open(conn, system_errno);
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return fail_open(conn, EACCES);
    case SQLITE_READONLY:
        return fail_cannot_write(conn, rc);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return pdict_fail(PDICT_BUSY,
                          "sqlite: another process kept %s locked until the timeout passed; try "
                          "again or raise timeout=",
                          path);
    case SQLITE_TOOBIG:
        return pdict_fail(PDICT_TOO_BIG, "sqlite: an entry is over SQLite's limit of %d bytes",
                          sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, -1));
    case SQLITE_MISUSE:
        return pdict_fail(PDICT_MISUSE, "sqlite: SQLite was used out of turn on %s", path);
    default:
        return pdict_fail(PDICT_DAMAGED,
                          "sqlite: %s is damaged (%s); keep a copy, then restore a backup or save "
                          "what is readable with the sqlite3 shell's .recover",
                          path, sqlite3_errmsg(conn->db));
    }
}

static bool map_is_gone(struct conn *conn, uint32_t map)
{
    bool exists;

    return pdict__sqlite_map_exists(conn, map, &exists) == PDICT_OK && !exists;
}

int pdict__sqlite_fail_in_map(struct conn *conn, uint32_t map, int rc)
{
    const char *path = conn->store->files[FILE_MAIN];

    /* "No such table" has no code of its own. */
    if (rc != SQLITE_ERROR || map == 0)
        return pdict__sqlite_fail(conn, rc);
    if (!map_is_gone(conn, map))
        return pdict_fail(PDICT_DAMAGED,
                          "sqlite: %s is damaged (map number %u lacks a table); keep a copy and "
                          "restore a backup",
                          path, map);
    pdict__sqlite_forget_map(conn, map);
    return pdict_fail(PDICT_NO_MAP, "sqlite: map number %u of %s was dropped; open the map again",
                      map, path);
}

int pdict__sqlite_fail_commit(const struct conn *conn, int rc)
{
    int system_errno = system_error(conn);

    if ((rc & 0xff) != SQLITE_IOERR || rc == SQLITE_IOERR_NOMEM ||
        (rc != SQLITE_IOERR_FSYNC && is_out_of_space(system_errno)))
        return pdict__sqlite_fail(conn, rc);
    return pdict_fail(PDICT_UNKNOWN_OUTCOME,
                      "sqlite: the commit to %s failed midway: %s (code %d, %s); close the store, "
                      "check the disk, reopen it and look whether the write is there",
                      conn->store->files[FILE_MAIN], sqlite3_errstr(rc), rc,
                      system_errno != 0 ? strerror(system_errno) : "no system error");
}
