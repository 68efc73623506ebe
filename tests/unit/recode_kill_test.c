/* SPDX-License-Identifier: MIT */
/* Recode and rekey killed at random moments, beside a process that reads and writes: nothing is
 * lost, and the next call goes on. RECODE_ENTRIES says how many entries there are. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recode_fixture.h"

#define CHUNK 1000
#define OWN   50 /* keys of the process that writes */

static unsigned entries(void)
{
    const char *text = getenv("RECODE_ENTRIES");

    return text ? (unsigned)strtoul(text, NULL, 10) : TEST_IS_SLOW ? 2000 : 20000;
}

/* More where more was asked for. */
static unsigned kills(void)
{
    return getenv("RECODE_ENTRIES") ? 20 : 8;
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static pdict_slice text_of(char *text, size_t size, const char *format, unsigned i)
{
    return pdict_bytes(text, (size_t)snprintf(text, size, format, i, i * 7919u));
}

static pdict_slice entry_key(unsigned i, char *text)
{
    return text_of(text, 16, "k%u", i);
}

static pdict_slice entry_value_of(unsigned i, char *text)
{
    return text_of(text, 128, "plaintext %u, some words, some words and some more words, %u", i);
}

static void fill_all(pdict *d)
{
    pdict_pair pairs[CHUNK];
    char(*texts)[2][128] = test_alloc(sizeof(*texts) * CHUNK);

    for (unsigned from = 0; from < entries(); from += CHUNK) {
        for (unsigned i = 0; i < CHUNK; i++)
            pairs[i] = (pdict_pair){ entry_key(from + i, texts[i][0]),
                                     entry_value_of(from + i, texts[i][1]) };
        CHECK_OK(pdict_put_many(d, pairs, CHUNK, NULL, NULL));
    }
}

static bool is_entry(pdict *d, unsigned i)
{
    char key[16], value[128];
    pdict_slice expected = entry_value_of(i, value);
    pdict_view view;
    bool is_same = pdict_get(d, entry_key(i, key), &view) == PDICT_OK &&
                   view.size == expected.size && memcmp(view.data, expected.data, view.size) == 0;

    pdict_view_release(&view);
    return is_same;
}

static void check_all(pdict *d)
{
    for (unsigned i = 0; i < entries(); i++)
        CHECK(is_entry(d, i));
}

/* ---- the process beside ---- */

static bool is_own(pdict *d, unsigned i, unsigned round)
{
    char key[16], value[32];
    pdict_view view;
    bool is_same;

    snprintf(key, sizeof(key), "own%u", i);
    snprintf(value, sizeof(value), "%u", round);
    is_same = pdict_get(d, pdict_str(key), &view) == PDICT_OK && view.size == strlen(value) &&
              memcmp(view.data, value, view.size) == 0;
    pdict_view_release(&view);
    return is_same;
}

static bool put_own(pdict *d, unsigned i, unsigned round)
{
    char key[16], value[32];

    snprintf(key, sizeof(key), "own%u", i);
    snprintf(value, sizeof(value), "%u", round);
    return pdict_put(d, pdict_str(key), pdict_str(value), NULL) == PDICT_OK;
}

/* Whatever its codecs are by now. */
static pdict *open_as_it_is(void)
{
    pdict_options options = test_options(true);
    char uri[1100];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s&durability=ordered", recode_uri("sqlite", NULL));
    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

/* Until nobody holds the other end of the pipe. Exit code 0: all was as it had written it. */
static _Noreturn void read_and_write(int pipe_fd)
{
    pdict *d = open_as_it_is();
    struct timespec pause = { .tv_nsec = 2000000 };
    unsigned round = 0, at = 0;
    char byte;

    /* The pipe does not block. */
    while (read(pipe_fd, &byte, 1) != 0) {
        round++;
        for (unsigned i = 0; i < OWN; i++) {
            if (!put_own(d, i, round) || !is_own(d, i, round) || !is_entry(d, at % entries())) {
                fprintf(stderr, "round %u, key %u, entry %u: %s\n", round, i, at % entries(),
                        pdict_error_text());
                _exit(1);
            }
            at += 997;
        }
        nanosleep(&pause, NULL);
    }
    for (unsigned i = 0; i < OWN; i++) {
        if (!is_own(d, i, round))
            _exit(2);
    }
    pdict_close(d);
    fprintf(stderr, "%u rounds of writing and reading\n", round);
    _exit(0);
}

/* ---- the process that is killed ---- */

static const char *const stations[] = { "raw,zstd:3,xchacha20", NULL, "raw,xchacha20",
                                        "raw,zlib,xchacha20", NULL };

#define STATIONS (sizeof(stations) / sizeof(stations[0]))

/* NULL: a new data key. */
static int go_to(pdict *d, const char *station)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;

    options.codecs = station;
    return station ? pdict_recode(d, &options, NULL) : pdict_rekey(d, NULL, NULL);
}

static _Noreturn void go_in_child(const char *station)
{
    pdict *d = recode_open("sqlite", NULL, true);
    int status = go_to(d, station);

    if (status != PDICT_OK)
        fprintf(stderr, "%s: %s\n", station ? station : "rekey", pdict_error_text());
    pdict_close(d);
    _exit(status != PDICT_OK);
}

/* Whether it came to its end before it was killed. */
static bool run_for(const char *station, int64_t us)
{
    struct timespec wait = { us / 1000000, us % 1000000 * 1000 };
    int status;
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) == 0)
        go_in_child(station);
    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

/* How long one takes undisturbed, so that most moments are within. */
static int64_t measure(void)
{
    int64_t began = now_us();
    int status;
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) == 0)
        go_in_child("raw,xchacha20");
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return now_us() - began;
}

static void kill_and_go_on(int64_t whole_us, unsigned *n_killed, unsigned *n_done)
{
    size_t station = 0;
    unsigned seed = (unsigned)now_us();

    fprintf(stderr, "seed %u, %lld ms undisturbed\n", seed, (long long)(whole_us / 1000));
    *n_killed = *n_done = 0;
    while (*n_killed < kills()) {
        double part = (double)rand_r(&seed) / RAND_MAX;
        int64_t us = (int64_t)(part * part * 0.8 * (double)whole_us);

        if (run_for(stations[station % STATIONS], us)) {
            ++*n_done;
            station++;
        } else {
            ++*n_killed;
        }
        /* After some kills one is let to its end. */
        if (*n_killed % 7 == 6 && run_for(stations[station % STATIONS], whole_us * 50)) {
            ++*n_done;
            station++;
            ++*n_killed;
        }
    }
}

TEST(recode_kill, nothing_is_lost_beside_readers_and_writers)
{
    unsigned n_killed, n_done;
    int ends[2], status;
    int64_t whole_us;
    pid_t beside;
    pdict *d;

    if (TEST_UNDER_TSAN)
        SKIP("ThreadSanitizer takes a lock that a killed process held for one never taken");
    need_codecs();
    CHECK_INT(pipe(ends), 0);
    fprintf(stderr, "%s\n", recode_uri("sqlite", NULL));
    fflush(NULL);
    /* Filled by a child, so that this process has nothing open when it forks. */
    if ((beside = fork()) == 0) {
        d = recode_open("sqlite", "raw,xchacha20&durability=ordered", true);
        fill_all(d);
        pdict_close(d);
        _exit(0);
    }
    CHECK_INT(waitpid(beside, &status, 0), beside);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    whole_us = measure();
    if ((beside = fork()) == 0) {
        close(ends[1]);
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        read_and_write(ends[0]);
    }
    kill_and_go_on(whole_us, &n_killed, &n_done);
    close(ends[1]);
    CHECK_INT(waitpid(beside, &status, 0), beside);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    fprintf(stderr, "%u kills, %u came to their end\n", n_killed, n_done);
    d = recode_open("sqlite", NULL, true);
    CHECK_OK(go_to(d, NULL));
    CHECK_OK(go_to(d, "raw,zstd:3,xchacha20"));
    CHECK_INT(pdict__keyring_epochs(pdict__pipeline_ring(d->map->pipeline)), 1);
    CHECK_INT(count_of(d), entries() + OWN);
    check_all(d);
    pdict_close(d);
}
