/* SPDX-License-Identifier: MIT */
/* Whose file is it? Answered before anything is written, from the header of the file. */
#include "sqlite.h"

#include <errno.h>

#define HEADER_SIZE 100               /* "The Database Header" of SQLite's file format */
#define MAGIC       "SQLite format 3" /* 16 bytes with the zero at its end */

static uint32_t big_endian32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t header_page_size(const uint8_t *header)
{
    uint32_t stored = (uint32_t)header[16] << 8 | header[17];

    return stored == 1 ? 65536 : stored;
}

static int fail_open(const char *path, sqlite3 *db)
{
    int system_errno = db != NULL ? sqlite3_system_errno(db) : ENOMEM;

    if (system_errno == ENOMEM)
        return no_memory("a connection");
    return pdict_fail(system_errno == EACCES || system_errno == EPERM ? PDICT_PERMISSION : PDICT_IO,
                      "sqlite: %s cannot be opened: %s; give access to it or choose another path",
                      path, strerror(system_errno));
}

/* Through SQLite's own descriptor: one of our own would drop, when closed, the locks that another
 * connection of this process may hold on the file. */
static int read_header(const char *path, sqlite3 *db, uint8_t header[HEADER_SIZE])
{
    sqlite3_file *file = NULL;
    int rc;

    memset(header, 0, HEADER_SIZE);
    rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc == SQLITE_OK)
        rc = file->pMethods->xRead(file, header, HEADER_SIZE, 0);
    if (rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ)
        return PDICT_OK;
    return pdict_fail(PDICT_IO, "sqlite: the first bytes of %s cannot be read (code %d)", path, rc);
}

static int check_version(const char *path, int64_t version)
{
    if (version > FORMAT_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "sqlite: %s is of format %lld and this build reads up to %d; use a newer "
                          "pdict",
                          path, (long long)version, FORMAT_VERSION);
    if (version < 1)
        return pdict_fail(PDICT_DAMAGED,
                          "sqlite: %s is damaged (format %lld does not exist); restore a backup",
                          path, (long long)version);
    return PDICT_OK;
}

static int fail_foreign(const char *path)
{
    return pdict_fail(PDICT_NOT_A_STORE,
                      "sqlite: %s is an SQLite database of something else; it is left as it is, "
                      "choose another path",
                      path);
}

/* A log may hold the pages that the file lacks, so only without one is a short file damaged. */
static int check_size(struct store *store, const uint8_t *header, uint64_t size)
{
    uint64_t pages = big_endian32(header + 28), log_size;
    bool exists;
    int status;

    status = pdict__sqlite_file_size(store, FILE_WAL, &log_size, &exists);
    if (status != PDICT_OK || log_size > 0 || size >= pages * header_page_size(header))
        return status;
    return pdict_fail(PDICT_DAMAGED,
                      "sqlite: %s is damaged (cut to %llu of %llu bytes); restore a backup",
                      store->files[FILE_MAIN], (unsigned long long)size,
                      (unsigned long long)(pages * header_page_size(header)));
}

static int judge(struct store *store, const uint8_t *header, uint64_t size)
{
    const char *path = store->files[FILE_MAIN];
    int status;

    if (memcmp(header, MAGIC, sizeof(MAGIC)) != 0)
        return pdict_fail(PDICT_NOT_A_STORE,
                          "sqlite: %s is no SQLite database; it is left as it is, choose another "
                          "path",
                          path);
    if (big_endian32(header + 68) != APPLICATION_ID)
        return fail_foreign(path);
    if ((status = check_version(path, (int32_t)big_endian32(header + 60))) != PDICT_OK)
        return status;
    return check_size(store, header, size);
}

int pdict__sqlite_identify(struct store *store, uint64_t size)
{
    const char *path = store->files[FILE_MAIN];
    uint8_t header[HEADER_SIZE];
    char *uri = pdict__sqlite_uri(path, "immutable=1");
    sqlite3 *db = NULL;
    int status;

    if (uri == NULL)
        return no_memory("a path");
    if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        status = fail_open(path, db);
    else
        status = read_header(path, db, header);
    sqlite3_close(db);
    sqlite3_free(uri);
    return status == PDICT_OK ? judge(store, header, size) : status;
}

int pdict__sqlite_identify_open(struct conn *conn)
{
    const char *path = conn->store->files[FILE_MAIN];
    int64_t application_id, version;
    int status;

    if ((status = pdict__sqlite_pragma_get(conn, "application_id", &application_id)) != PDICT_OK)
        return status;
    if (application_id != APPLICATION_ID)
        return fail_foreign(path);
    if ((status = pdict__sqlite_pragma_get(conn, "user_version", &version)) != PDICT_OK)
        return status;
    return check_version(path, version);
}
