/* SPDX-License-Identifier: MIT */
/* The change ring: what is told arrives whole, and whatever was not told is a gap. */
#include "store/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static struct token at(uint64_t n)
{
    return (struct token){ { n, ~n } };
}

struct heard {
    size_t count;
    uint64_t sum, last;
};

static void hear(void *ctx, uint64_t hash)
{
    struct heard *heard = ctx;

    heard->count++;
    heard->sum += hash;
    heard->last = hash;
}

static struct heard heard;
static struct ring_wait waited;

static int walk(const struct ring *ring, uint64_t from, uint64_t to)
{
    heard = (struct heard){ 0 };
    return pdict__ring_walk(ring, at(from), at(to), &waited, hear, &heard);
}

static struct ring *new_ring(void)
{
    struct ring *ring = test_alloc(sizeof(*ring));

    memset(ring, 0, sizeof(*ring));
    waited = (struct ring_wait){ 0 };
    return ring;
}

/* Commit `n`, which moves one key with the hash `n`. */
static void tell(struct ring *ring, uint64_t n)
{
    pdict__ring_publish(ring, at(n - 1), at(n), &n, 1);
}

/* Commit `n`, which moves `count` keys with the hashes from `n * 100000` on. */
static void tell_many(struct ring *ring, uint64_t n, size_t count)
{
    uint64_t *hashes = malloc(count * sizeof(*hashes));

    for (size_t i = 0; i < count; i++)
        hashes[i] = n * 100000 + i;
    pdict__ring_publish(ring, at(n - 1), at(n), hashes, count);
    free(hashes);
}

TEST(ring, every_key_of_every_commit_between_two_tokens_is_named)
{
    struct ring *ring = new_ring();

    tell(ring, 1);
    tell(ring, 2);
    tell_many(ring, 3, 500);
    pdict__ring_publish(ring, at(3), at(4), NULL, 0);
    tell(ring, 5);
    CHECK_OK(walk(ring, 0, 5));
    CHECK_INT(heard.count, 503);
    CHECK_INT(heard.sum, 1 + 2 + (500 * 300000 + 499 * 500 / 2) + 5);
    CHECK_OK(walk(ring, 1, 2));
    CHECK_INT(heard.count, 1);
    CHECK_INT(heard.last, 2);
    CHECK_OK(walk(ring, 3, 4));
    CHECK_INT(heard.count, 0);
}

TEST(ring, commit_that_was_not_told_is_a_gap)
{
    struct ring *ring = new_ring();

    tell(ring, 1);
    tell(ring, 3);
    CHECK_STATUS(walk(ring, 0, 3), PDICT_CONFLICT);
    CHECK_STATUS(walk(ring, 0, 2), PDICT_CONFLICT);
    CHECK_STATUS(walk(ring, 3, 4), PDICT_CONFLICT);
    CHECK_OK(walk(ring, 2, 3));
    CHECK_STATUS(walk(NULL, 2, 3), PDICT_CONFLICT);
}

TEST(ring, token_that_did_not_move_tells_nothing)
{
    struct ring *ring = new_ring();
    uint64_t hash = 7;

    tell(ring, 1);
    pdict__ring_publish(ring, at(1), at(1), &hash, 1);
    tell(ring, 2);
    CHECK_OK(walk(ring, 0, 2));
    CHECK_INT(heard.count, 2);
}

TEST(ring, commit_of_very_many_keys_moves_all_of_them)
{
    struct ring *ring = new_ring();

    tell_many(ring, 1, RING_MOST);
    tell_many(ring, 2, RING_MOST + 1);
    pdict__ring_publish(ring, at(2), at(3), NULL, RING_ALL);
    tell(ring, 4);
    CHECK_OK(walk(ring, 0, 1));
    CHECK_INT(heard.count, RING_MOST);
    CHECK_STATUS(walk(ring, 1, 2), PDICT_CONFLICT);
    CHECK_STATUS(walk(ring, 2, 3), PDICT_CONFLICT);
    CHECK_OK(walk(ring, 3, 4));
}

TEST(ring, who_was_lapped_meets_a_gap)
{
    struct ring *ring = new_ring();

    for (uint64_t n = 1; n <= RING_ENTRIES + 1; n++)
        tell(ring, n);
    CHECK_STATUS(walk(ring, 0, RING_ENTRIES + 1), PDICT_CONFLICT);
    CHECK_OK(walk(ring, 1, RING_ENTRIES + 1));
    CHECK_INT(heard.count, RING_ENTRIES);
}

TEST(ring, hashes_that_were_overwritten_are_a_gap)
{
    struct ring *ring = new_ring();
    uint64_t laps = RING_HASHES / RING_MOST;

    for (uint64_t n = 1; n <= laps; n++)
        tell_many(ring, n, RING_MOST);
    CHECK_OK(walk(ring, 0, laps));
    CHECK_INT(heard.count, RING_HASHES);
    tell_many(ring, laps + 1, 2);
    CHECK_STATUS(walk(ring, 0, laps), PDICT_CONFLICT);
    CHECK_OK(walk(ring, 1, laps + 1));
}

TEST(ring, writer_that_died_midway_is_a_gap_and_the_next_one_goes_on)
{
    struct ring *ring = new_ring();

    tell(ring, 1);
    /* Commit 2 died in the middle of its entry. */
    ring->entries[1].number = 0;
    ring->entries[1].after[0] = 2;
    ring->used += 100;
    tell_many(ring, 3, 3);
    CHECK_STATUS(walk(ring, 1, 3), PDICT_CONFLICT);
    CHECK_OK(walk(ring, 2, 3));
    CHECK_INT(heard.count, 3);
    CHECK_INT(heard.last, 300002);
}

TEST(ring, what_may_be_about_to_be_told_is_no_gap)
{
    struct ring *ring = new_ring();

    pdict__ring_turn_begin(ring);
    tell(ring, 1);
    CHECK_STATUS(walk(ring, 0, 2), PDICT_BUSY);
    CHECK_STATUS(walk(ring, 0, 2), PDICT_BUSY);
    tell(ring, 2);
    CHECK_OK(walk(ring, 0, 2));
    CHECK_INT(heard.count, 2);
    pdict__ring_turn_end(ring);
    CHECK_STATUS(walk(ring, 0, 3), PDICT_CONFLICT);
}

TEST(ring, what_was_not_told_by_an_earlier_turn_is_a_gap)
{
    struct ring *ring = new_ring();

    tell(ring, 1);
    pdict__ring_turn_begin(ring);
    tell(ring, 3);
    CHECK_STATUS(walk(ring, 0, 3), PDICT_CONFLICT);
    CHECK_OK(walk(ring, 2, 3));
}

TEST(ring, who_has_died_at_the_gate_is_not_waited_for)
{
    struct ring *ring = new_ring();
    uint64_t turn;

    pdict__ring_turn_begin(ring);
    CHECK_STATUS(walk(ring, 0, 1), PDICT_BUSY);
    /* A second passes. */
    waited.since_ns -= 1000000000;
    CHECK_STATUS(walk(ring, 0, 1), PDICT_CONFLICT);
    /* The next one has a turn of its own. */
    turn = atomic_load(&ring->turn);
    pdict__ring_turn_begin(ring);
    CHECK(atomic_load(&ring->turn) % 2 == 1 && atomic_load(&ring->turn) != turn);
    CHECK_STATUS(walk(ring, 0, 1), PDICT_BUSY);
    pdict__ring_turn_end(ring);
    CHECK_STATUS(walk(ring, 0, 1), PDICT_CONFLICT);
}

/* ---- torn entries ---- */

#define COMMITS (TEST_IS_SLOW ? 8000 : 400000)
#define STRETCH (TEST_IS_SLOW ? 2000 : 20000)

struct race {
    struct ring ring;
    _Atomic uint64_t followed; /* until this commit */
};

/* Every other stretch waits for the reader, so that it is not lapped all the time. */
static void pace(const struct race *race, uint64_t n)
{
    bool waits = n / STRETCH % 2 == 0 && n % 1000 == 0;

    while (waits && atomic_load(&race->followed) + 1000 < n)
        sched_yield();
}

/* Commit `n` moves 1 to 9 keys whose hashes all tell its number. */
static void *commit_all(void *arg)
{
    struct race *race = arg;
    uint64_t hashes[9];

    for (uint64_t n = 1; n <= COMMITS; n++) {
        for (int i = 0; i < 9; i++)
            hashes[i] = n;
        pdict__ring_publish(&race->ring, at(n - 1), at(n), hashes, 1 + n % 9);
        pace(race, n);
    }
    return NULL;
}

struct expected {
    uint64_t from, to, count;
    bool is_wrong;
};

static void expect(void *ctx, uint64_t hash)
{
    struct expected *expected = ctx;

    expected->is_wrong |= hash <= expected->from || hash > expected->to;
    expected->count++;
}

static uint64_t keys_until(uint64_t n)
{
    return n + n / 9 * 36 + (n % 9) * (n % 9 + 1) / 2;
}

static void follow(struct race *race)
{
    uint64_t from = 0, to, walked = 0;

    while (from < COMMITS) {
        struct ring_wait none = { 0 };
        struct expected expected;

        if ((to = atomic_load(&race->ring.told)) == from) {
            sched_yield();
            continue;
        }
        expected = (struct expected){ .from = from, .to = to };
        if (pdict__ring_walk(&race->ring, at(from), at(to), &none, expect, &expected) == PDICT_OK) {
            CHECK(!expected.is_wrong);
            CHECK_INT(expected.count, keys_until(to) - keys_until(from));
            walked++;
        }
        from = to;
        atomic_store(&race->followed, from);
    }
    CHECK(walked > 0);
}

TEST(ring, what_is_read_while_it_is_overwritten_is_whole_or_a_gap)
{
    struct race *race = test_alloc(sizeof(*race));
    pthread_t writer;

    memset(race, 0, sizeof(*race));
    CHECK_INT(pthread_create(&writer, NULL, commit_all, race), 0);
    follow(race);
    pthread_join(writer, NULL);
}

TEST(ring, processes_share_one)
{
    struct race *race =
        mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child;
    int how;

    if (TEST_UNDER_TSAN)
        SKIP("fork is not supported under the thread sanitizer");
    CHECK(race != MAP_FAILED);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        commit_all(race);
        _exit(0);
    }
    follow(race);
    CHECK(waitpid(child, &how, 0) == child);
    CHECK_INT(how, 0);
    munmap(race, sizeof(*race));
}
