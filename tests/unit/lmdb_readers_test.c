/* SPDX-License-Identifier: MIT */
/* Readers that died: their slots are given back in time, on a clock that the test moves. */
#include "lmdb_fixture.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#define SIZE 65536

static time_t ahead_s;

/* In the place of libc's, for the backend and everybody else in this program. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);

    if (rc == 0 && clock == CLOCK_MONOTONIC)
        now->tv_sec += ahead_s;
    return rc;
}

static void die_while_reading(const char *path)
{
    snapshot(open_store(path));
    raise(SIGKILL);
}

/* How much the file grows while one value is written again and again. */
static uint64_t growth_of(void *self, uint32_t map, unsigned count)
{
    pdict_backend_stat before = { .struct_size = sizeof(before) }, after = before;

    CHECK_OK(LMDB->stat(self, &before));
    for (uint32_t i = 0; i < count; i++)
        put(self, map, text("key"), filled(SIZE, 'v', i));
    CHECK_OK(LMDB->stat(self, &after));
    return after.file_bytes - before.file_bytes;
}

TEST(lmdb_readers, a_reader_that_died_pins_pages_until_half_a_minute_has_passed)
{
    const char *path = test_path("store");
    void *self = open_store(path);
    uint32_t map = make_map(self, "m");

    growth_of(self, map, 10);
    CHECK(growth_of(self, map, 20) <= 2 * SIZE);
    CHECK(WIFSIGNALED(in_child(die_while_reading, path)));
    CHECK(growth_of(self, map, 20) >= 15 * SIZE);
    ahead_s += 31;
    CHECK(growth_of(self, map, 100) <= 2 * SIZE);
    LMDB->close(self);
}

TEST(lmdb_readers, a_reader_that_lives_is_left_alone_whatever_the_time)
{
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "m");
    pdict_slice value = filled(SIZE, 'v', 7);
    void *reader;
    pdict_row row;

    put(self, map, text("key"), value);
    reader = snapshot(self);
    ahead_s += 31;
    CHECK(growth_of(self, map, 20) >= 15 * SIZE);
    CHECK_OK(LMDB->get(self, reader, map, text("key"), &row));
    CHECK_BYTES(row.value.data, row.value.size, value.data, value.size);
    end_snapshot(self, reader);
    LMDB->close(self);
}
