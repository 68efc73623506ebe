/* SPDX-License-Identifier: MIT */
/* Every allocation fails once, or all from it on: nothing is lost, leaked or half done. */
#include "world.h"

#include <stdio.h>

/* Run a step with the nth allocation failing; true while there is an nth one. */
static bool try_step(struct world *w, const struct step *step, unsigned n, bool is_onward,
                     int *status)
{
    bool is_hit;

    atomic_store(&w->memory.n_calls, 0);
    atomic_store(&w->memory.n_failed, 0);
    w->memory.is_onward = is_onward;
    w->memory.fail_at = n;
    *status = step->run(w);
    w->memory.fail_at = 0;
    is_hit = atomic_load(&w->memory.n_failed) > 0;
    if (*status != PDICT_OK || !is_hit)
        CHECK_STATUS(*status, is_hit ? PDICT_NOMEM : PDICT_OK);
    return is_hit;
}

/* A failure that the library can do without is a success like any other. */
static void try_setup(const struct setup *setup, bool is_onward)
{
    if (!setup_is_built(setup))
        return;
    for (size_t i = 0; i < n_steps; i++) {
        const char *before, *after, *text;
        bool is_hit = true;
        struct world w;

        if (!step_suits(&steps[i], setup))
            continue;
        after = step_result(setup, &steps[i]);
        fprintf(stderr, "%s, %s\n", setup->backend, steps[i].name);
        world_make(&w, setup);
        before = world_text(&w);
        for (unsigned n = 1; is_hit; n++) {
            int status;

            /* Else what the last round left behind would save the next one its allocations. */
            CHECK_OK(pdict_clear_cache(w.d));
            is_hit = try_step(&w, &steps[i], n, is_onward, &status);
            text = world_text(&w);
            if (status == PDICT_OK || (steps[i].is_more_than_a_commit && strcmp(text, before) != 0))
                CHECK_STR(text, after);
            else
                CHECK_STR(text, before);
            world_check_works(&w);
            if (strcmp(text, before) != 0)
                world_renew(&w);
        }
        world_close(&w);
    }
}

TEST(memory, one_allocation_that_fails_is_reported_and_changes_nothing)
{
    for (size_t i = 0; i < n_setups; i++)
        try_setup(&setups[i], false);
}

TEST(memory, allocations_that_fail_from_one_on_are_reported_and_change_nothing)
{
    for (size_t i = 0; i < n_setups; i++)
        try_setup(&setups[i], true);
}

/* Open a store with the nth allocation failing until none does. */
static void open_until_no_fault(struct world *w, bool is_onward)
{
    unsigned long n_failed = 1;

    for (unsigned n = 1; n_failed > 0; n++) {
        int status;

        atomic_store(&w->memory.n_calls, 0);
        atomic_store(&w->memory.n_failed, 0);
        w->memory.is_onward = is_onward;
        w->memory.fail_at = n;
        status = world_open_map(w, "", &w->d);
        w->memory.fail_at = 0;
        n_failed = atomic_load(&w->memory.n_failed);
        if (status != PDICT_OK || n_failed == 0)
            CHECK_STATUS(status, n_failed > 0 ? PDICT_NOMEM : PDICT_OK);
        CHECK((w->d != NULL) == (status == PDICT_OK));
        pdict_close(w->d);
        CHECK_INT(atomic_load(&w->memory.n_live), 0);
    }
}

TEST(memory, an_open_that_runs_out_of_it_leaves_the_store_as_it_was)
{
    for (size_t i = 2; i < n_setups; i++) {
        const char *before;
        struct world w;

        if (!setup_is_built(&setups[i]))
            continue;
        world_make(&w, &setups[i]);
        before = world_text(&w);
        world_close(&w);
        open_until_no_fault(&w, false);
        open_until_no_fault(&w, true);
        world_open(&w);
        CHECK_STR(world_text(&w), before);
        world_close(&w);
    }
}

TEST(memory, a_first_open_that_runs_out_of_it_can_be_repeated)
{
    for (size_t i = 0; i < n_setups; i++) {
        struct world w;

        if (!setup_is_built(&setups[i]))
            continue;
        world_make(&w, &setups[i]);
        world_close(&w);
        snprintf(w.path, sizeof(w.path), "%s",
                 setups[i].is_persistent ? test_path("new%zu.db", i) : "new");
        open_until_no_fault(&w, false);
        world_open(&w);
        world_check_works(&w);
        world_close(&w);
    }
}
