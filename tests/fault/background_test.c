/* SPDX-License-Identifier: MIT */
/* Work in the background that fails is logged, disturbs no call, and is done later. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "map/map.h"
#include "value/pipeline.h"
#include "world.h"

/* ---- what is heard of it ---- */

struct heard {
    const char *component; /* what is listened for */
    unsigned count;
    int status; /* of the last */
};

static void hear(void *ctx, int level, const char *component, int status, const char *message)
{
    struct heard *heard = ctx;

    fprintf(stderr, "log: %d %s %d %s\n", level, component, status, message);
    if (strcmp(component, heard->component) != 0)
        return;
    heard->count++;
    heard->status = status;
}

static void check_heard(struct heard *heard, unsigned count, int status)
{
    CHECK_INT(heard->count, count);
    if (count > 0)
        CHECK_STATUS(heard->status, status);
    heard->count = 0;
}

/* ---- a store that is maintained on request ---- */

#define SECOND 1000

static int64_t now_ms = 1700000000000;

static int64_t given_clock(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static pdict *open_at(const char *more, struct heard *heard)
{
    pdict_options options = PDICT_OPTIONS_INIT;
    char uri[1100];
    pdict *d;

    if (!pdict__backend_find("sqlite"))
        SKIP("this build has no sqlite backend");
    options.clock = given_clock;
    options.logger = (pdict_logger){ hear, heard, PDICT_LOG_WARN };
    snprintf(uri, sizeof(uri), "fault+sqlite:%s?durability=ordered%s", test_path("a.db"), more);
    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

static void fail_next(const char *rule)
{
    CHECK_OK(pdict__fault_set(test_path("a.db"), FAULT_FAIL, rule));
}

static void put_for(pdict *d, const char *key, int64_t ttl_ms)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.ttl_ms = ttl_ms;
    CHECK_OK(pdict_put(d, pdict_str(key), pdict_str("a value"), &how));
}

static void check_get(pdict *d, const char *key)
{
    pdict_view view;

    CHECK_OK(pdict_get(d, pdict_str(key), &view));
    CHECK_BYTES(view.data, view.size, "a value", 7);
    pdict_view_release(&view);
}

/* ---- the sweep ---- */

static uint64_t stored(pdict *d)
{
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store store = { d->map->store, 1000 };

    CHECK_OK(pdict_verify(&store, NULL, &result));
    return result.records;
}

static void check_sweep(const char *rule, unsigned count, int status)
{
    struct heard heard = { .component = "sweep" };
    pdict *d = open_at("&maintenance=manual&access=off", &heard);

    put_for(d, "stays", 0);
    put_for(d, "goes", SECOND);
    now_ms += 2 * SECOND;
    fail_next(rule);
    CHECK_OK(pdict_maintain(d, 0));
    fail_next(NULL);
    check_heard(&heard, count, status);
    CHECK_INT(stored(d), 2);
    check_get(d, "stays");
    CHECK_OK(pdict_maintain(d, 0));
    check_heard(&heard, 0, PDICT_OK);
    CHECK_INT(stored(d), 1);
    pdict_close(d);
}

TEST(background, a_sweep_that_fails_is_logged_and_done_the_next_time)
{
    check_sweep("write_begin:1:IO", 1, PDICT_IO);
}

TEST(background, a_sweep_that_finds_the_store_busy_is_done_the_next_time)
{
    check_sweep("write_begin:1:BUSY", 0, PDICT_OK);
}

/* ---- access times ---- */

/* As it is stored: by a handle that notes nothing. */
static int64_t stored_use(struct heard *heard)
{
    pdict *d = open_at("&access=off&maintenance=manual", heard);
    pdict_meta meta = PDICT_META_INIT;

    CHECK_OK(pdict_meta_get(d, pdict_str("key"), &meta));
    pdict_close(d);
    return meta.accessed_ms;
}

static void check_access(const char *rule, unsigned count, int status)
{
    struct heard heard = { .component = "access" };
    pdict *d = open_at("&maintenance=manual&access=4s", &heard);
    int64_t used_ms;

    put_for(d, "key", 0);
    used_ms = now_ms += 30 * SECOND;
    check_get(d, "key");
    fail_next(rule);
    CHECK_OK(pdict_maintain(d, 0));
    fail_next(NULL);
    check_heard(&heard, count, status);
    CHECK(stored_use(&heard) < used_ms - 4 * SECOND);
    if (count > 0) { /* what could not be written is given up, what comes later is not */
        used_ms = now_ms += 30 * SECOND;
        CHECK_OK(pdict_maintain(d, 0));
        check_get(d, "key");
    }
    CHECK_OK(pdict_maintain(d, 0));
    check_heard(&heard, 0, PDICT_OK);
    CHECK(stored_use(&heard) >= used_ms - 4 * SECOND);
    pdict_close(d);
}

TEST(background, uses_that_cannot_be_written_are_logged_and_later_ones_are_written)
{
    check_access("write_begin:1:IO", 1, PDICT_IO);
}

TEST(background, uses_are_kept_while_the_store_is_busy)
{
    check_access("write_begin:1:BUSY", 0, PDICT_OK);
}

TEST(background, uses_that_cannot_be_written_at_the_close_are_logged)
{
    struct heard heard = { .component = "access" };
    pdict *d = open_at("&maintenance=manual&access=4s", &heard);

    put_for(d, "key", 0);
    now_ms += 30 * SECOND;
    check_get(d, "key");
    fail_next("write_begin:1+:IO");
    pdict_close(d);
    check_heard(&heard, 1, PDICT_IO);
    d = open_at("&access=off", &heard);
    check_get(d, "key");
    pdict_close(d);
}

/* ---- dictionaries ---- */

#define BATCH 100

/* Of the kind that a dictionary is good for, some 150 bytes each. */
static void put_words(pdict *d, unsigned from, unsigned count)
{
    char keys[BATCH][16], values[BATCH][256];
    pdict_pair pairs[BATCH];

    for (unsigned at = from; at < from + count; at += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            snprintf(keys[i], sizeof(keys[i]), "%u", at + i);
            snprintf(values[i], sizeof(values[i]),
                     "Package: package-%u\nStatus: install ok installed\nPriority: optional\n"
                     "Section: library\nInstalled-Size: %u\nMaintainer: Maintainers\n",
                     at + i, (at + i) * 7919 % 100000);
            pairs[i] = (pdict_pair){ pdict_str(keys[i]), pdict_str(values[i]) };
        }
        CHECK_OK(pdict_put_many(d, pairs, BATCH, NULL, NULL));
    }
}

static void check_training(const char *rule, unsigned count, int status)
{
    struct heard heard = { .component = "train" };
    pdict *d;

    if (!pdict__codec_find("zstd"))
        SKIP("this build has no zstd");
    if (TEST_UNDER_VALGRIND)
        SKIP("so much to learn from takes memcheck minutes");
    d = open_at("&maintenance=manual&access=off&codecs=raw,zstd:3%2Bdict", &heard);
    put_words(d, 0, 8000);
    fail_next(rule);
    CHECK_OK(pdict_maintain(d, 0));
    fail_next(NULL);
    check_heard(&heard, count, status);
    CHECK(!pdict__has_dictionary(d->map->pipeline));
    if (count > 0) /* it is tried again when there is four times as much */
        put_words(d, 8000, 28000);
    CHECK_OK(pdict_maintain(d, 0));
    check_heard(&heard, 0, PDICT_OK);
    CHECK(pdict__has_dictionary(d->map->pipeline));
    pdict_close(d);
}

TEST(background, a_training_that_fails_is_logged_and_done_when_there_is_more)
{
    check_training("write_begin:1:IO", 1, PDICT_IO);
}

TEST(background, a_training_that_finds_the_store_busy_is_done_the_next_time)
{
    check_training("write_begin:1:BUSY", 0, PDICT_OK);
}

/* ---- after a commit of unknown outcome ---- */

TEST(background, nothing_is_written_to_a_poisoned_store)
{
    struct heard heard = { .component = "sweep" };
    pdict *d = open_at("&maintenance=manual&access=4s", &heard);
    uint64_t n_seen, n_hit;

    put_for(d, "stays", 0);
    put_for(d, "goes", SECOND);
    now_ms += 30 * SECOND;
    check_get(d, "stays");
    fail_next("write_commit:1:UNKNOWN_OUTCOME");
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), NULL), PDICT_UNKNOWN_OUTCOME);
    fail_next("write_begin:1+:IO");
    CHECK_OK(pdict_maintain(d, 0));
    pdict__fault_counts(test_path("a.db"), FAULT_FAIL, &n_seen, &n_hit);
    CHECK_INT(n_seen, 0);
    pdict_close(d);
    check_heard(&heard, 0, PDICT_OK);
}

/* ---- without a thread ---- */

static atomic_bool has_no_threads;

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *ctx)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (atomic_load(&has_no_threads))
        return EAGAIN;
    if (!real) {
        void *found = dlsym(RTLD_NEXT, "pthread_create");

        memcpy(&real, &found, sizeof(real));
    }
    return real(thread, how, run, ctx);
}

static void need_a_thread(const char *component, const char *more, void (*ask)(pdict *d),
                          bool (*is_on)(const pdict *d))
{
    struct heard heard = { .component = component };
    pdict *d = open_at(more, &heard);

    atomic_store(&has_no_threads, true);
    ask(d);
    atomic_store(&has_no_threads, false);
    check_heard(&heard, 1, PDICT_NOMEM);
    CHECK(!is_on(d));
    ask(d);
    check_heard(&heard, 0, PDICT_OK);
    CHECK(is_on(d));
    pdict_close(d);
}

static void ask_for_a_sweep(pdict *d)
{
    put_for(d, "goes", 600 * SECOND);
}

static bool is_sweeping(const pdict *d)
{
    return atomic_load(&d->map->store->sweeper.is_on);
}

TEST(background, a_sweep_without_a_thread_is_logged_and_begun_by_a_later_put)
{
    need_a_thread("sweep", "&access=off", ask_for_a_sweep, is_sweeping);
}

/* The second time for four times as much. */
static void ask_for_training(pdict *d)
{
    static unsigned number;
    unsigned count = number == 0 ? 8000 : 32000;

    put_words(d, number, count);
    number += count;
}

static bool is_training(const pdict *d)
{
    return atomic_load(&d->map->retrainer.is_on);
}

TEST(background, a_training_without_a_thread_is_logged_and_begun_by_a_later_put)
{
    if (!pdict__codec_find("zstd"))
        SKIP("this build has no zstd");
    if (TEST_UNDER_VALGRIND)
        SKIP("so much to learn from takes memcheck minutes");
    need_a_thread("train", "&access=off&codecs=raw,zstd:3%2Bdict", ask_for_training, is_training);
}
