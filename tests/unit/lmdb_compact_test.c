/* SPDX-License-Identifier: MIT */
/* Compacting an LMDB store when file calls fail on the way. */
#include "lmdb_fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

enum {
    ROWS = 200,
    STEP = 1 << 20
};

/* In place of the C library's, for the library too. */
static unsigned sync_fails_at; /* of those to come, from 1; 0: none */
static bool unlink_fails;

int fsync(int file)
{
    if (sync_fails_at > 0 && --sync_fails_at == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, file);
}

int unlink(const char *path)
{
    if (unlink_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_unlink, path);
}

static int put_status(void *self, uint32_t map, const char *value)
{
    void *txn = NULL;
    int status = LMDB->write_begin(self, PDICT_ORDERED, 0, &txn);

    if (status != PDICT_OK)
        return status;
    put_in(self, txn, map, text("key"), text(value));
    commit(self, txn);
    return PDICT_OK;
}

/* A store with much to give back. */
static void *open_full(const char *path, uint32_t *map)
{
    void *self = open_store(path), *txn;

    *map = make_map(self, "m");
    for (int pass = 0; pass < 2; pass++) {
        txn = begin(self);
        for (uint32_t i = 0; i < ROWS; i++) {
            pdict_change change = put_change(filled(12, 'k', i), filled(5000, 'v', i));

            change.kind = pass == 0 ? PDICT_CHANGE_PUT : PDICT_CHANGE_DEL;
            CHECK_OK(LMDB->apply(self, txn, *map, &change, 1, NOW));
        }
        commit(self, txn);
    }
    CHECK_OK(put_status(self, *map, "before"));
    return self;
}

static void check_after(const char *path, uint32_t map, const char *value)
{
    void *self = open_store(path);

    check_value(self, map, text("key"), text(value));
    CHECK(access(test_path("store-compact"), F_OK) != 0);
    LMDB->close(self);
}

/* Either nothing has happened, or everything is refused until the store is opened again. */
static bool compact_with_failing_sync(const char *path, unsigned number)
{
    uint32_t map = 0;
    void *self = open_full(path, &map), *reader = NULL;
    bool is_hit, is_stopped;
    uint64_t left;
    int status;

    sync_fails_at = number;
    status = LMDB->compact(self, STEP, 0, &left);
    is_hit = sync_fails_at == 0;
    sync_fails_at = 0;
    CHECK_STATUS(status, is_hit ? PDICT_IO : PDICT_OK);
    CHECK_OK(LMDB->reader_open(self, &reader));
    is_stopped = LMDB->reader_begin(self, reader) != PDICT_OK;
    if (is_stopped)
        CHECK(strstr(pdict_error_text(), "open it again") != NULL);
    else
        LMDB->reader_end(self, reader);
    LMDB->reader_close(self, reader);
    CHECK_STATUS(put_status(self, map, "after"), is_stopped ? PDICT_IO : PDICT_OK);
    LMDB->close(self);
    check_after(path, map, is_stopped ? "before" : "after");
    return is_hit;
}

TEST(lmdb_compact, a_sync_that_fails_loses_nothing)
{
    const char *path = test_path("store");
    unsigned number = 0;

    do
        unlink(path);
    while (compact_with_failing_sync(path, ++number));
    CHECK(number > 3);
}

TEST(lmdb_compact, a_copy_that_cannot_be_removed_is_outdated_by_the_next_commit)
{
    const char *path = test_path("store");
    uint32_t map = 0;
    void *self = open_full(path, &map);
    uint64_t left;

    unlink_fails = true;
    CHECK_STATUS(LMDB->compact(self, STEP, 0, &left), PDICT_IO);
    unlink_fails = false;
    check_value(self, map, text("key"), text("before"));
    CHECK_OK(put_status(self, map, "after"));
    LMDB->close(self);
    check_after(path, map, "after");
}
