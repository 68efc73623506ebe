/* SPDX-License-Identifier: MIT */
/* Every call of the backend fails once, in every call of the API: nothing is lost or half done. */
#include "world.h"

#include <stdio.h>

static const int statuses[] = { PDICT_IO, PDICT_FULL, PDICT_NOMEM, PDICT_BUSY };

/* Run a step with the nth call, or all from it on, failing; true while there is an nth call. */
static bool try_step(struct world *w, const struct step *step, int failure, unsigned n,
                     bool is_onward, const char *before, const char *after)
{
    uint64_t n_seen, n_hit;
    const char *text;
    char rule[64];
    int status;

    snprintf(rule, sizeof(rule), "any:%u%s:%s", n, is_onward ? "+" : "",
             pdict_status_name(failure) + strlen("PDICT_"));
    CHECK_OK(pdict__fault_set(w->path, FAULT_FAIL, rule));
    status = step->run(w);
    pdict__fault_counts(w->path, FAULT_FAIL, &n_seen, &n_hit);
    CHECK_OK(pdict__fault_set(w->path, FAULT_FAIL, NULL));
    CHECK_STATUS(status, n_hit > 0 ? failure : PDICT_OK);
    CHECK(n_hit == 0 || pdict_error_text()[0] != '\0');
    text = world_text(w);
    if (n_hit == 0 || (step->is_more_than_a_commit && strcmp(text, before) != 0))
        CHECK_STR(text, after);
    else
        CHECK_STR(text, before);
    world_check_works(w);
    return n_hit > 0;
}

static void try_setup(const struct setup *setup, bool is_onward)
{
    if (!setup_is_built(setup))
        return;
    for (size_t i = 0; i < n_steps; i++) {
        const char *after = step_result(setup, &steps[i]), *before;

        for (size_t j = 0; j < sizeof(statuses) / sizeof(statuses[0]); j++) {
            struct world w;
            unsigned n = 1;

            fprintf(stderr, "%s, %s, %s\n", setup->backend, steps[i].name,
                    pdict_status_name(statuses[j]));
            world_make(&w, setup);
            before = world_text(&w);
            for (; try_step(&w, &steps[i], statuses[j], n, is_onward, before, after); n++) {
                if (steps[i].is_more_than_a_commit)
                    world_renew(&w);
            }
            CHECK(n > 1);
            world_close(&w);
        }
    }
}

TEST(calls, one_that_fails_in_memory_is_reported_and_changes_nothing)
{
    try_setup(&setups[0], false);
}

TEST(calls, one_that_fails_in_a_file_is_reported_and_changes_nothing)
{
    try_setup(&setups[2], false);
}

TEST(calls, those_that_fail_in_a_sealed_file_are_reported_and_change_nothing)
{
    try_setup(&setups[3], true);
}

TEST(calls, one_that_fails_in_a_mapped_file_is_reported_and_changes_nothing)
{
    try_setup(&setups[4], false);
}

/* ---- opening ---- */

static int open_failing(struct world *w, const char *rule, const char *more)
{
    char text[128];
    int status;

    snprintf(text, sizeof(text), "&fail=%s%s", rule, more);
    status = world_open_map(w, text, &w->d);
    CHECK((w->d != NULL) == (status == PDICT_OK));
    return status;
}

/* Open with the nth call failing until none does; each time the store is as it was. */
static void open_until_no_fault(struct world *w, const char *before)
{
    uint64_t n_seen, n_hit = 1;
    char rule[32];

    for (unsigned n = 1; n_hit > 0; n++) {
        snprintf(rule, sizeof(rule), "any:%u:IO", n);
        if (open_failing(w, rule, "") == PDICT_OK) {
            pdict__fault_counts(w->path, FAULT_FAIL, &n_seen, &n_hit);
            CHECK_INT(n_hit, 0);
            pdict_close(w->d);
        }
        CHECK_INT(atomic_load(&w->memory.n_live), 0);
        if (before) {
            world_open(w);
            CHECK_STR(world_text(w), before);
            world_close(w);
        }
    }
}

TEST(calls, an_open_that_fails_leaves_an_existing_store_as_it_was)
{
    for (size_t i = 2; i < n_setups; i++) {
        const char *before;
        struct world w;

        if (!setup_is_built(&setups[i]))
            continue;
        world_make(&w, &setups[i]);
        before = world_text(&w);
        world_close(&w);
        open_until_no_fault(&w, before);
    }
}

TEST(calls, a_first_open_that_fails_can_be_repeated)
{
    for (size_t i = 0; i < n_setups; i++) {
        struct world w;

        if (!setup_is_built(&setups[i]))
            continue;
        world_make(&w, &setups[i]);
        world_close(&w);
        snprintf(w.path, sizeof(w.path), "%s",
                 setups[i].is_persistent ? test_path("new%zu.db", i) : "new");
        open_until_no_fault(&w, NULL);
        world_open(&w);
        world_check_works(&w);
        world_close(&w);
    }
}

/* ---- commits of unknown outcome ---- */

static void check_poisoned(struct world *w)
{
    pdict_view view;

    CHECK_STATUS(pdict_put(w->d, pdict_str("k"), pdict_str("v"), NULL), PDICT_POISONED);
    CHECK_STATUS(pdict_del(w->d, pdict_str("k")), PDICT_POISONED);
    CHECK_STATUS(pdict_clear(w->d, PDICT_CLEAR_EVERYTHING), PDICT_POISONED);
    CHECK_STATUS(pdict_store_drop(w->store, "spare"), PDICT_POISONED);
    CHECK_STATUS(pdict_get(w->d, pdict_str("absent"), &view), PDICT_NOTFOUND);
}

TEST(calls, a_commit_of_unknown_outcome_poisons_the_store_until_it_is_reopened)
{
    for (size_t i = 0; i < n_steps; i++) {
        const char *before, *after, *now;
        struct world w;

        if (!steps[i].is_write)
            continue;
        fprintf(stderr, "%s\n", steps[i].name);
        after = step_result(&setups[2], &steps[i]);
        world_make(&w, &setups[2]);
        before = world_text(&w);
        CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, "write_commit:1:UNKNOWN_OUTCOME"));
        CHECK_STATUS(steps[i].run(&w), PDICT_UNKNOWN_OUTCOME);
        CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, NULL));
        check_poisoned(&w);
        world_close(&w);
        world_open(&w);
        now = world_text(&w);
        CHECK(strcmp(now, before) == 0 || strcmp(now, after) == 0);
        world_check_works(&w);
        world_close(&w);
    }
}

TEST(calls, a_compaction_of_unknown_outcome_poisons_the_store_until_it_is_reopened)
{
    const char *before;
    struct world w;

    world_make(&w, &setups[2]);
    before = world_text(&w);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, "compact:1:UNKNOWN_OUTCOME"));
    CHECK_STATUS(pdict_compact(w.store, NULL, NULL), PDICT_UNKNOWN_OUTCOME);
    check_poisoned(&w);
    world_close(&w);
    world_open(&w);
    CHECK_STR(world_text(&w), before);
    world_check_works(&w);
    world_close(&w);
}

/* As LMDB after a commit that failed at its very end; this one was to change the map's settings. */
TEST(calls, a_poisoned_store_that_cannot_be_read_refuses_writes_as_poisoned)
{
    pdict_pair pair = { pdict_str("k"), pdict_str("v") };
    struct world w;

    world_make(&w, &setups[2]);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, "write_commit:1:UNKNOWN_OUTCOME"));
    CHECK_STATUS(pdict_recode(w.d, NULL, NULL), PDICT_UNKNOWN_OUTCOME);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, "any:1+:IO"));
    CHECK_STATUS(pdict_put(w.d, pair.key, pair.value, NULL), PDICT_POISONED);
    CHECK_STATUS(pdict_put_many(w.d, &pair, 1, NULL, NULL), PDICT_POISONED);
    CHECK_STATUS(pdict_del(w.d, pair.key), PDICT_POISONED);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, NULL));
    world_close(&w);
    world_open(&w);
    world_check_works(&w);
    world_close(&w);
}

TEST(calls, a_failed_sync_poisons_the_store_until_it_is_reopened)
{
    const char *before;
    struct world w;

    world_make(&w, &setups[2]);
    before = world_text(&w);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, "sync:1:IO"));
    CHECK_STATUS(pdict_sync(w.d), PDICT_IO);
    check_poisoned(&w);
    CHECK_STATUS(pdict_sync(w.d), PDICT_POISONED);
    world_close(&w);
    world_open(&w);
    CHECK_STR(world_text(&w), before);
    CHECK_OK(pdict_sync(w.d));
    world_check_works(&w);
    world_close(&w);
}

/* ---- wrong bits ---- */

static bool is_refusal(int status)
{
    return status == PDICT_CHECKSUM || status == PDICT_FORMAT || status == PDICT_AUTH ||
           status == PDICT_DOWNGRADE || status == PDICT_UNKNOWN_CODEC || status == PDICT_TOO_BIG ||
           status == PDICT_NEWER_FORMAT;
}

/* Every bit of the record, and each a few times, since the rule counts round and round. */
TEST(calls, a_wrong_bit_in_a_record_never_becomes_another_value)
{
    for (size_t i = 0; i < n_setups; i++) {
        struct world w;

        if (!setup_is_built(&setups[i]))
            continue;
        world_make(&w, &setups[i]);
        for (unsigned bit = 0; bit < 8 * 160; bit++) {
            pdict_view view;
            char rule[32];
            int status;

            snprintf(rule, sizeof(rule), "get:1:%u", bit);
            CHECK_OK(pdict__fault_set(w.path, FAULT_CORRUPT, rule));
            status = pdict_get(w.d, pdict_str("key07"), &view);
            if (status == PDICT_OK) {
                CHECK_BYTES(view.data, view.size, world_value, strlen(world_value));
            } else if (!is_refusal(status)) {
                CHECK_OK(status);
            }
            pdict_view_release(&view);
        }
        world_close(&w);
    }
}

static bool is_open_refusal(int status)
{
    return status == PDICT_DAMAGED || status == PDICT_NEWER_FORMAT ||
           status == PDICT_UNKNOWN_CODEC || status == PDICT_WRONG_KEY || status == PDICT_AUTH ||
           status == PDICT_NEED_KEY || status == PDICT_NOT_ENCRYPTED ||
           status == PDICT_CONTRADICTION || status == PDICT_UNSUPPORTED || status == PDICT_TOO_BIG;
}

TEST(calls, a_wrong_bit_in_the_settings_of_a_map_never_opens_another_map)
{
    for (size_t i = 0; i < 2; i++) {
        const char *before;
        struct world w;

        world_make(&w, &setups[i]);
        before = world_text(&w);
        for (unsigned bit = 0; bit < 4 * 2048; bit++) {
            char rule[32];
            pdict *d;
            int status;

            snprintf(rule, sizeof(rule), "system_get:%u:%u", bit % 4 + 1, bit / 4);
            CHECK_OK(pdict__fault_set(w.path, FAULT_CORRUPT, rule));
            status = world_open_map(&w, "&map=spare", &d);
            if (status != PDICT_OK && !is_open_refusal(status))
                CHECK_OK(status);
            pdict_close(d);
        }
        CHECK_OK(pdict__fault_set(w.path, FAULT_CORRUPT, NULL));
        CHECK_STR(world_text(&w), before);
        world_close(&w);
    }
}
