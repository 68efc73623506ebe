/* SPDX-License-Identifier: MIT */
/* Leases between processes, and what they remember of keys. */
#include "map/map.h"

#include <stdio.h>

#include "process_fixture.h"

static const char *const schemes[] = { "sqlite", "lmdb" };

static void for_each_scheme(void (*check)(const char *uri))
{
    for (size_t i = 0; i < 2; i++) {
        char *uri = test_alloc(4096);

        if (!pdict__backend_find(schemes[i]))
            continue;
        snprintf(uri, 4096, "%s:%s", schemes[i], test_path("%s.db", schemes[i]));
        check(uri);
    }
}

static pdict *open_map(const char *uri)
{
    pdict *d;

    CHECK_OK(pdict_open(uri, NULL, &d));
    return d;
}

static int take(pdict *d, uint64_t hash, int64_t wait_ms)
{
    return pdict__lease_take(d->map->store, hash,
                             wait_ms < 0 ? INT64_MIN : pdict__steady_ms() + wait_ms);
}

static void hold_lease(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    CHECK_OK(take(d, 7, -1));
    step_done(child);
    pdict__lease_give(d->map->store, 7);
    step_done(child);
    pdict_close(d);
}

static void check_held(const char *uri)
{
    struct child child = start(hold_lease, uri);
    pdict *d = open_map(uri);

    await_step(&child);
    CHECK_STATUS(take(d, 7, -1), PDICT_BUSY);
    CHECK_STATUS(take(d, 7, 20), PDICT_BUSY);
    CHECK_OK(take(d, UINT64_C(8) << 2, -1));
    next_step(&child);
    await_step(&child);
    CHECK_OK(take(d, 7, -1));
    next_step(&child);
    finish(&child);
    pdict_close(d);
}

TEST(lease, one_process_has_it_until_it_gives_it_back)
{
    for_each_scheme(check_held);
}

static void check_death(const char *uri)
{
    struct child child = start(hold_lease, uri);
    pdict *d = open_map(uri);

    await_step(&child);
    CHECK_STATUS(take(d, 7, -1), PDICT_BUSY);
    kill_child(&child);
    CHECK_OK(take(d, 7, 10000));
    pdict_close(d);
}

TEST(lease, of_a_killed_process_is_free)
{
    for_each_scheme(check_death);
}

/* Two keys whose locks are one byte: what one thread holds is no obstacle for another of the same
 * process, so nobody can wait for himself. */
static void check_collision(const char *uri)
{
    pdict *d = open_map(uri);

    CHECK_OK(take(d, 4, -1));
    CHECK_OK(take(d, 5, -1)); /* the two lowest bits do not count */
    pdict__lease_give(d->map->store, 5);
    CHECK_OK(take(d, 4, -1));
    pdict_close(d);
}

TEST(lease, of_two_keys_with_one_byte_keeps_nobody_waiting_within_a_process)
{
    for_each_scheme(check_collision);
}

static void check_removed(const char *uri)
{
    pdict *d = open_map(uri);
    char path[4096];

    snprintf(path, sizeof(path), "%s-pdict", strchr(uri, ':') + 1);
    CHECK(unlink(path) == 0);
    CHECK_STATUS(take(d, 7, -1), PDICT_NO_STORE);
    test_write_file(path, "another", 7);
    CHECK_STATUS(take(d, 7, -1), PDICT_NO_STORE);
    pdict_close(d);
}

TEST(lease, is_refused_when_the_gate_file_was_removed_or_replaced)
{
    for_each_scheme(check_removed);
}

TEST(lease, memo_holds_the_newest_number_of_a_slot_and_forgets_on_request)
{
    static struct memo memo;

    CHECK_INT(pdict__memo_get(&memo, 5), 0);
    CHECK_INT(pdict__memo_get(&memo, 0), 0);
    pdict__memo_put(&memo, 5, 77);
    CHECK_INT(pdict__memo_get(&memo, 5), 77);
    CHECK_INT(pdict__memo_get(&memo, 5 + MEMO_SLOTS), 0);
    pdict__memo_put(&memo, 5 + MEMO_SLOTS, 0);
    CHECK_INT(pdict__memo_get(&memo, 5), 77);
    pdict__memo_put(&memo, 5 + MEMO_SLOTS, 78);
    CHECK_INT(pdict__memo_get(&memo, 5), 0);
    CHECK_INT(pdict__memo_get(&memo, 5 + MEMO_SLOTS), 78);
    pdict__memo_put(&memo, 5 + MEMO_SLOTS, 0);
    CHECK_INT(pdict__memo_get(&memo, 5 + MEMO_SLOTS), 0);
}

static void note(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    pdict__remember(d->map->store, MEMO_ABSENT_UNTIL, 7, 123);
    step_done(child);
    pdict_close(d);
}

static void check_memos(const char *uri)
{
    struct child child = start(note, uri);
    pdict *d = open_map(uri);

    await_step(&child);
    CHECK_INT(pdict__recall(d->map->store, MEMO_ABSENT_UNTIL, 7), 123);
    next_step(&child);
    finish(&child);
    pdict_close(d);
}

TEST(lease, what_is_remembered_is_known_to_all_processes)
{
    for_each_scheme(check_memos);
}
