/* SPDX-License-Identifier: MIT */
/* A commit beside a checkpoint, which SQLite before 3.51.3 may lose: here it cannot happen.
 *
 * A checkpoint first reads how long the log is. When all of it was folded in before, the next commit
 * begins it anew; if it does so right then, such a SQLite goes on with the old length and notes as
 * folded in what has not even been written. Later commits go where that note points and are lost,
 * and every check of the file says that it is well. That moment is met here each time: SQLite
 * calls xUnfetch of the database file in it, and there waits a hook.
 */
#include "map/map.h"

#include <sqlite3.h>
#include <stdio.h>

#include "process_fixture.h"

enum {
    EARLY = 30, /* commits that make the log long */
    LATE = 8    /* and those after it was begun anew, fewer */
};

/* ---- the hook ---- */

static sqlite3_vfs *real_vfs, hooked_vfs;
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods hooked_methods;

/* Called once, in the next checkpoint that finds new commits. */
static void (*meanwhile)(void *ctx);
static void *meanwhile_ctx;

static int hooked_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    void (*call)(void *ctx) = meanwhile;

    meanwhile = NULL;
    if (call)
        call(meanwhile_ctx);
    return real_methods->xUnfetch(file, offset, page);
}

static int hooked_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    int rc = real_vfs->xOpen(vfs, name, file, flags, out);

    if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB) || file->pMethods->iVersion < 3)
        return rc;
    real_methods = file->pMethods;
    hooked_methods = *real_methods;
    hooked_methods.xUnfetch = hooked_unfetch;
    file->pMethods = &hooked_methods;
    return rc;
}

static void install_hook(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    hooked_vfs = *real_vfs;
    hooked_vfs.zName = "hooked";
    hooked_vfs.xOpen = hooked_open;
    CHECK_INT(sqlite3_vfs_register(&hooked_vfs, 1), SQLITE_OK);
}

/* ---- SQLite by itself ---- */

static sqlite3 *raw_open(const char *path)
{
    sqlite3 *db;

    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db,
                           "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                           "PRAGMA wal_autocheckpoint=0; CREATE TABLE IF NOT EXISTS t(v INTEGER)",
                           NULL, NULL, NULL),
              SQLITE_OK);
    return db;
}

static void raw_insert(void *db)
{
    CHECK_INT(sqlite3_exec(db, "INSERT INTO t VALUES(1)", NULL, NULL, NULL), SQLITE_OK);
}

static void raw_checkpoint(sqlite3 *db, int mode)
{
    CHECK_INT(sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL), SQLITE_OK);
}

static int first_column(void *out, int n, char **values, char **names)
{
    (void)n;
    (void)names;
    snprintf(out, 64, "%s", values[0]);
    return 0;
}

static void raw_ask(sqlite3 *db, const char *sql, char out[64])
{
    CHECK_INT(sqlite3_exec(db, sql, first_column, out, NULL), SQLITE_OK);
}

TEST(sqlite_walreset, sqlite_alone_may_lose_commits_beside_a_checkpoint)
{
    const char *path = test_path("raw.db");
    sqlite3 *writer, *checkpointer;
    char count[64], expected[64], check[64], reason[128];

    install_hook();
    writer = raw_open(path);
    checkpointer = raw_open(path);
    for (int i = 0; i < EARLY; i++)
        raw_insert(writer);
    raw_checkpoint(writer, SQLITE_CHECKPOINT_PASSIVE);
    meanwhile = raw_insert;
    meanwhile_ctx = writer;
    raw_checkpoint(checkpointer, SQLITE_CHECKPOINT_PASSIVE);
    CHECK(meanwhile == NULL);
    for (int i = 0; i < LATE; i++)
        raw_insert(writer);
    raw_checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
    sqlite3_close(writer);
    sqlite3_close(checkpointer);

    writer = raw_open(path);
    raw_ask(writer, "SELECT count(*) FROM t", count);
    raw_ask(writer, "PRAGMA integrity_check", check);
    sqlite3_close(writer);
    snprintf(expected, sizeof(expected), "%d", EARLY + 1 + LATE);
    snprintf(reason, sizeof(reason), "SQLite %s loses nothing", sqlite3_libversion());
    if (strcmp(count, expected) == 0)
        SKIP(reason);
    CHECK_STR(check, "ok");
    fprintf(stderr, "SQLite %s: %s of %s commits are left\n", sqlite3_libversion(), count,
            expected);
}

/* ---- the same through pdict ---- */

static pdict *open_map(const char *path, const char *query)
{
    char uri[512];
    pdict *d;

    /* No thread of its own takes a turn that a timeout of 0 ms does not wait for. */
    snprintf(uri, sizeof(uri), "sqlite:%s?maintenance=manual%s", path, query);
    CHECK_OK(pdict_open(uri, NULL, &d));
    return d;
}

static int put_number(pdict *d, int number)
{
    char key[16];

    snprintf(key, sizeof(key), "%d", number);
    return pdict_put(d, pdict_str(key), pdict_str(key), NULL);
}

static int fold_in(void *ctx, struct store *store)
{
    return pdict__checkpoint(store, *(bool *)ctx);
}

static void checkpoint(pdict *d, bool wait)
{
    CHECK_OK(pdict__between_commits(d->map->store, 10000, fold_in, &wait));
}

/* What the hook would do to the commit in the middle is up to the gate. */
static void write_beside(struct child *child, const char *path)
{
    pdict *d = open_map(path, "&timeout=0ms");

    step_done(child);
    for (int i = 0; i < EARLY; i++)
        CHECK_OK(put_number(d, i));
    checkpoint(d, false);
    step_done(child);
    CHECK_STATUS(put_number(d, EARLY), PDICT_BUSY);
    step_done(child);
    for (int i = 0; i < LATE; i++)
        CHECK_OK(put_number(d, EARLY + i));
    checkpoint(d, true);
    pdict_close(d);
}

static void let_write(void *ctx)
{
    next_step(ctx);
    await_step(ctx);
}

TEST(sqlite_walreset, no_process_commits_while_another_one_checkpoints)
{
    const char *path = test_path("a.db");
    struct child child;
    pdict_view view;
    uint64_t count;
    pdict *d;

    install_hook();
    pdict_close(open_map(path, ""));
    child = start(write_beside, path);
    await_step(&child);
    /* Before the commits that its checkpoint is to find. */
    d = open_map(path, "");
    next_step(&child);
    await_step(&child);
    meanwhile = let_write;
    meanwhile_ctx = &child;
    checkpoint(d, false);
    CHECK(meanwhile == NULL);
    next_step(&child);
    finish(&child);
    pdict_close(d);

    d = open_map(path, "");
    CHECK_OK(pdict_count(d, &count));
    CHECK_INT(count, EARLY + LATE);
    CHECK_OK(pdict_get(d, pdict_str("37"), &view));
    pdict_view_release(&view);
    pdict_close(d);
}
