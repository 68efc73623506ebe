/* SPDX-License-Identifier: MIT */
/* Recode and rekey killed at random moments, beside a process that reads and writes: nothing is
 * lost, and the next call goes on. RECODE_ENTRIES says how many entries there are. */
#include <fcntl.h>

#include "kill_fixture.h"

#define OWN 50 /* keys of the process that writes */

/* Where the killed process goes, one after the other, round and round; NULL: a new data key. */
struct tour {
    const char *backend;
    const char *stations[4];
    size_t n_stations;
};

static const struct tour *tour;

static pdict *open_map(void)
{
    return recode_open(tour->backend, NULL, true);
}

/* ---- the process beside ---- */

static pdict_slice own_key(unsigned i, char *text)
{
    return text_of(text, 24, "own%u", i);
}

static pdict_slice own_value(unsigned round, char *text)
{
    return text_of(text, 32, "round %u", round);
}

static bool is_own(pdict *d, unsigned i, unsigned round)
{
    char key[24], value[32];
    pdict_slice expected = own_value(round, value);
    pdict_view view;
    bool is_same = pdict_get(d, own_key(i, key), &view) == PDICT_OK && view.size == expected.size &&
                   memcmp(view.data, expected.data, view.size) == 0;

    pdict_view_release(&view);
    return is_same;
}

static bool put_own(pdict *d, unsigned i, unsigned round)
{
    char key[24], value[32];

    return pdict_put(d, own_key(i, key), own_value(round, value), NULL) == PDICT_OK;
}

static bool read_and_write_once(pdict *d, unsigned round, unsigned *at)
{
    for (unsigned i = 0; i < OWN; i++, *at += 997) {
        if (!put_own(d, i, round) || !is_own(d, i, round) || !is_entry(d, *at % entries())) {
            fprintf(stderr, "round %u, key %u, entry %u: %s\n", round, i, *at % entries(),
                    pdict_error_text());
            return false;
        }
    }
    return true;
}

/* Whatever its codecs are by now. */
static pdict *open_as_it_is(void)
{
    pdict_options options = test_options(true);
    char uri[1100];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s&durability=ordered", recode_uri(tour->backend, NULL));
    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

/* Until nobody holds the other end of the pipe. Exit code 0: all was as it had written it. */
static void read_and_write(const void *ctx)
{
    const int *pipe_fd = ctx;
    struct timespec pause = { .tv_nsec = 2000000 };
    unsigned round = 0, at = 0;
    char byte;
    pdict *d = open_as_it_is();

    close(pipe_fd[1]);
    fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
    while (read(pipe_fd[0], &byte, 1) != 0) {
        if (!read_and_write_once(d, ++round, &at))
            _exit(1);
        nanosleep(&pause, NULL);
    }
    for (unsigned i = 0; i < OWN; i++) {
        if (!is_own(d, i, round))
            _exit(2);
    }
    pdict_close(d);
    fprintf(stderr, "%u rounds of writing and reading\n", round);
}

/* ---- the process that is killed ---- */

static int go_to(pdict *d, const char *station)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;

    options.codecs = station;
    return station ? pdict_recode(d, &options, NULL) : pdict_rekey(d, NULL, NULL);
}

static void go_alone(const void *ctx)
{
    const char *station = ctx;
    pdict *d = open_map();
    int status = go_to(d, station);

    if (status != PDICT_OK)
        fprintf(stderr, "%s: %s\n", station ? station : "rekey", pdict_error_text());
    pdict_close(d);
    if (status != PDICT_OK)
        _exit(1);
}

static void fill_map(const void *ctx)
{
    pdict *d = recode_open(ctx, "raw,xchacha20&durability=ordered", true);

    fill_all(d);
    pdict_close(d);
}

/* After some kills one is let to its end; one that was faster than thought says how long it takes. */
static void kill_and_go_on(int64_t whole_us)
{
    unsigned seed = (unsigned)now_us(), n_killed = 0, n_done = 0;

    fprintf(stderr, "seed %u, %lld ms undisturbed\n", seed, (long long)(whole_us / 1000));
    while (n_killed < kills()) {
        const char *station = tour->stations[n_done % tour->n_stations];
        int64_t us = moment_of(whole_us, &seed);

        if (work_for(go_alone, station, us)) {
            whole_us = us;
            n_done++;
        } else if (++n_killed % 7 == 6) {
            finish_work(go_alone, station);
            n_done++;
        }
    }
    fprintf(stderr, "%u kills, %u came to their end\n", n_killed, n_done);
}

static int64_t time_of(const char *station)
{
    int64_t began = now_us();

    finish_work(go_alone, station);
    return now_us() - began;
}

static void check_end(void)
{
    pdict *d = open_map();

    CHECK_OK(go_to(d, NULL));
    CHECK_OK(go_to(d, "raw,zstd:3,xchacha20"));
    CHECK_INT(pdict__keyring_epochs(pdict__pipeline_ring(d->map->pipeline)), 1);
    CHECK_INT(count_of(d), entries() + OWN);
    check_all(d);
    pdict_close(d);
}

/* This process has nothing open when it forks. */
static void run(const struct tour *which)
{
    int64_t began = now_us();
    int ends[2], status;
    pid_t beside;

    if (TEST_UNDER_TSAN)
        SKIP("ThreadSanitizer takes a lock that a killed process held for one never taken");
    need_codecs();
    if (!pdict__backend_find(which->backend))
        SKIP("the backend is not in this build");
    tour = which;
    fprintf(stderr, "%s, %u entries\n", recode_uri(tour->backend, NULL), entries());
    CHECK_INT(pipe(ends), 0);
    finish_work(fill_map, tour->backend);
    beside = start_work(read_and_write, ends);
    close(ends[0]);
    kill_and_go_on(time_of(tour->stations[0]));
    close(ends[1]);
    CHECK_INT(waitpid(beside, &status, 0), beside);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    check_end();
    fprintf(stderr, "%lld s\n", (long long)(now_us() - began) / 1000000);
}

#define RECODE                                                                                     \
    {                                                                                              \
        "raw,zstd:3,xchacha20", "raw,xchacha20", "raw,zlib,xchacha20"                              \
    }

TEST(recode_kill, recode_loses_nothing_beside_readers_and_writers_sqlite)
{
    run(&(struct tour){ "sqlite", RECODE, 3 });
}

TEST(recode_kill, recode_loses_nothing_beside_readers_and_writers_lmdb)
{
    run(&(struct tour){ "lmdb", RECODE, 3 });
}

TEST(recode_kill, rekey_loses_nothing_beside_readers_and_writers_sqlite)
{
    run(&(struct tour){ "sqlite", { NULL }, 1 });
}

TEST(recode_kill, rekey_loses_nothing_beside_readers_and_writers_lmdb)
{
    run(&(struct tour){ "lmdb", { NULL }, 1 });
}
