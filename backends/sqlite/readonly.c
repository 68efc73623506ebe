/* SPDX-License-Identifier: MIT */
/* Reading without writing anything: beside live writers, or a file that nobody has open. */
#include "sqlite.h"

#include <errno.h>
#include <time.h>

/* A write within the same tick of the kernel's coarse clock (at most 10 ms) leaves the times of
 * a file as they are, so a file as young as that is not yet compared by them. */
#define TICK_MS      20
#define FREEZE_TRIES 50

/* '%', '?' and '#' would end the path. */
char *pdict__sqlite_uri(const char *path, const char *query)
{
    sqlite3_str *out = sqlite3_str_new(NULL);

    sqlite3_str_appendall(out, "file:");
    for (size_t plain; *path != '\0'; path += plain) {
        plain = strcspn(path, "%?#");
        sqlite3_str_append(out, path, (int)plain);
        if (path[plain] != '\0')
            sqlite3_str_appendf(out, "%%%02X", (unsigned char)path[plain++]);
    }
    sqlite3_str_appendf(out, "?%s", query);
    return sqlite3_str_finish(out);
}

static int stat_file(const struct store *store, enum file file, struct stat *out, bool *exists)
{
    *exists = stat(store->files[file], out) == 0;
    if (*exists || errno == ENOENT)
        return PDICT_OK;
    return pdict_fail(errno == EACCES ? PDICT_PERMISSION : PDICT_IO, "sqlite: %s: %s",
                      store->files[file], strerror(errno));
}

int pdict__sqlite_file_size(const struct store *store, enum file file, uint64_t *size, bool *exists)
{
    struct stat facts;
    int status = stat_file(store, file, &facts, exists);

    *size = status == PDICT_OK && *exists ? (uint64_t)facts.st_size : 0;
    return status;
}

static int fail_needs_write(const struct store *store, enum file file)
{
    return pdict_fail(PDICT_UNSUPPORTED,
                      "sqlite: %s holds commits or repairs that only a writer can bring into the "
                      "store; open the store once with mode=rw where it can be written",
                      store->files[file]);
}

int pdict__sqlite_choose_access(const struct store *store, enum access *access)
{
    uint64_t log_size, journal_size, ignored;
    bool has_log, has_index, has_journal;
    int status;

    if ((status = pdict__sqlite_file_size(store, FILE_JOURNAL, &journal_size, &has_journal)) !=
        PDICT_OK)
        return status;
    if ((status = pdict__sqlite_file_size(store, FILE_WAL, &log_size, &has_log)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_file_size(store, FILE_SHM, &ignored, &has_index)) != PDICT_OK)
        return status;
    if (journal_size > 0)
        return fail_needs_write(store, FILE_JOURNAL);
    if (has_log && has_index)
        *access = ACCESS_READ_ONLY;
    else if (log_size == 0)
        *access = ACCESS_READ_FROZEN;
    else
        return fail_needs_write(store, FILE_WAL);
    return PDICT_OK;
}

/* A time in the future is that of a clock set back since; a write would not repeat it. */
static bool is_young(const struct stat *facts)
{
    struct timespec now;
    int64_t age_ms;

    clock_gettime(CLOCK_REALTIME, &now);
    age_ms = ((int64_t)now.tv_sec - facts->st_ctim.tv_sec) * 1000 +
             (now.tv_nsec - facts->st_ctim.tv_nsec) / 1000000;
    return age_ms >= 0 && age_ms < TICK_MS;
}

static int fail_in_motion(const struct store *store)
{
    return pdict_fail(PDICT_BUSY,
                      "sqlite: somebody is writing to %s while it is read without locks; try again",
                      store->files[FILE_MAIN]);
}

int pdict__sqlite_freeze(struct conn *conn)
{
    const struct store *store = conn->store;
    bool exists;
    int status;

    for (int tries = 0; tries < FREEZE_TRIES; tries++) {
        if ((status = stat_file(store, FILE_MAIN, &conn->frozen_stat, &exists)) != PDICT_OK)
            return status;
        if (!exists)
            return pdict_fail(PDICT_IO, "sqlite: %s has been removed", store->files[FILE_MAIN]);
        if (!is_young(&conn->frozen_stat))
            return PDICT_OK;
        sqlite3_sleep(TICK_MS);
    }
    return fail_in_motion(store);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int pdict__sqlite_check_frozen(const struct conn *conn)
{
    const struct stat *was = &conn->frozen_stat;
    struct stat is;
    bool exists;
    int status;

    if ((status = stat_file(conn->store, FILE_MAIN, &is, &exists)) != PDICT_OK)
        return status;
    if (exists && is.st_ino == was->st_ino && is.st_size == was->st_size &&
        same_time(is.st_mtim, was->st_mtim) && same_time(is.st_ctim, was->st_ctim))
        return PDICT_OK;
    return fail_in_motion(conn->store);
}

int pdict__sqlite_refresh(struct conn *conn)
{
    enum access access;
    int status;

    if (conn->access != ACCESS_READ_FROZEN)
        return PDICT_OK;
    if ((status = pdict__sqlite_choose_access(conn->store, &access)) != PDICT_OK)
        return status;
    if (access == ACCESS_READ_FROZEN && pdict__sqlite_check_frozen(conn) == PDICT_OK)
        return PDICT_OK;
    if ((status = pdict__sqlite_conn_reopen(conn, access)) != PDICT_OK) {
        /* No file looks like this, so the next snapshot tries again. */
        conn->access = ACCESS_READ_FROZEN;
        memset(&conn->frozen_stat, 0, sizeof(conn->frozen_stat));
    }
    return status;
}
