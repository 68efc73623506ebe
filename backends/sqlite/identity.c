/* SPDX-License-Identifier: MIT */
/* Whose file is it? Answered before anything is written, from the header of the file. */
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define HEADER_SIZE 100               /* "The Database Header" of SQLite's file format */
#define MAGIC       "SQLite format 3" /* 16 bytes with the zero at its end */

/* "The Rollback Journal" of the same document: 8 bytes, two numbers, and how many pages the file had
 * before the transaction. */
#define JOURNAL_MAGIC  "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
#define JOURNAL_PAGES  16
#define JOURNAL_HEADER 20

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

/* Log or journal hold what the file may lack for the moment; the engine knows what to do then. */
static int has_companion(const struct store *store, bool *has)
{
    uint64_t log_size, journal_size;
    bool exists;
    int status;

    if ((status = pdict__sqlite_file_size(store, FILE_WAL, &log_size, &exists)) != PDICT_OK)
        return status;
    status = pdict__sqlite_file_size(store, FILE_JOURNAL, &journal_size, &exists);
    *has = log_size > 0 || journal_size > 0;
    return status;
}

static int fail_cut(const char *path, uint64_t size, uint64_t wanted)
{
    return pdict_fail(PDICT_DAMAGED,
                      "sqlite: %s is damaged (cut to %llu of %llu bytes); restore a backup", path,
                      (unsigned long long)size, (unsigned long long)wanted);
}

/* Others may be at work meanwhile. What they write has companions until it is whole, so the size
 * is asked for after these; and it was cut only if the header still says the same after that. */
static int check_size(const struct store *store, sqlite3 *db, uint8_t header[HEADER_SIZE])
{
    const char *path = store->files[FILE_MAIN];
    uint8_t before[HEADER_SIZE];
    uint64_t wanted, size;
    bool has, exists;
    int status;

    do {
        memcpy(before, header, HEADER_SIZE);
        wanted = big_endian32(header + 28) * header_page_size(header);
        if ((status = has_companion(store, &has)) != PDICT_OK || has)
            return status;
        if ((status = pdict__sqlite_file_size(store, FILE_MAIN, &size, &exists)) != PDICT_OK)
            return status;
        if (size >= wanted)
            return PDICT_OK;
        if ((status = read_header(path, db, header)) != PDICT_OK)
            return status;
    } while (memcmp(before, header, HEADER_SIZE) != 0);
    return fail_cut(path, size, wanted);
}

/* A power loss while the store was made: the journal says that the file was empty before, and the
 * engine will make it so again. No connection has locks on a journal that closing could drop. */
static bool is_half_made(const struct store *store)
{
    uint8_t header[JOURNAL_HEADER] = { 0 };
    int fd = open(store->files[FILE_JOURNAL], O_RDONLY | O_CLOEXEC);
    bool is_read;

    if (fd < 0)
        return false;
    is_read = pread(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header);
    close(fd);
    return is_read && memcmp(header, JOURNAL_MAGIC, sizeof(JOURNAL_MAGIC) - 1) == 0 &&
           big_endian32(header + JOURNAL_PAGES) == 0;
}

static bool is_database(const uint8_t header[HEADER_SIZE])
{
    return memcmp(header, MAGIC, sizeof(MAGIC)) == 0;
}

/* Another process may be making the store, or undoing what was half made, while this one looks:
 * what has no journal and is not empty is foreign only if its first bytes stay the same. */
static int judge_stranger(const struct store *store, sqlite3 *db, uint8_t header[HEADER_SIZE],
                          bool *is_new)
{
    const char *path = store->files[FILE_MAIN];
    uint8_t before[HEADER_SIZE];
    uint64_t size;
    bool exists;
    int status;

    do {
        memcpy(before, header, HEADER_SIZE);
        if ((*is_new = is_half_made(store)))
            return PDICT_OK;
        if ((status = pdict__sqlite_file_size(store, FILE_MAIN, &size, &exists)) != PDICT_OK)
            return status;
        if ((*is_new = size == 0))
            return PDICT_OK;
        if ((status = read_header(path, db, header)) != PDICT_OK || is_database(header))
            return status;
    } while (memcmp(before, header, HEADER_SIZE) != 0);
    return PDICT_OK;
}

static int judge(const struct store *store, sqlite3 *db)
{
    const char *path = store->files[FILE_MAIN];
    uint8_t header[HEADER_SIZE];
    bool is_new = false;
    int status;

    status = read_header(path, db, header);
    if (status == PDICT_OK && !is_database(header) && store->may_create)
        status = judge_stranger(store, db, header, &is_new);
    if (status != PDICT_OK || is_new)
        return status;
    if (!is_database(header))
        return pdict_fail(PDICT_NOT_A_STORE,
                          "sqlite: %s is no SQLite database; it is left as it is, choose another "
                          "path",
                          path);
    if (big_endian32(header + 68) != APPLICATION_ID)
        return fail_foreign(path);
    if ((status = check_version(path, (int32_t)big_endian32(header + 60))) != PDICT_OK)
        return status;
    return check_size(store, db, header);
}

int pdict__sqlite_identify(struct store *store)
{
    const char *path = store->files[FILE_MAIN];
    char *uri = pdict__sqlite_uri(path, "immutable=1");
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    sqlite3 *db = NULL;
    int rc, status;

    if (uri == NULL)
        return no_memory("a path");
    rc = sqlite3_open_v2(uri, &db, flags, NULL);
    status = rc == SQLITE_OK ? judge(store, db) : fail_open(path, db);
    sqlite3_close(db);
    sqlite3_free(uri);
    return status;
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
