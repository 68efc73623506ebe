/* SPDX-License-Identifier: MIT */
/* Values that are computed anew: stale ones, and those that soon expire. */
#include "compute_fixture.h"

#include "map/compute.h"

/* ---- stale values ---- */

static void ask_again_for_stale(struct source *source)
{
    struct source inner = source_of(source->d, "inner");

    CHECK_INT(compute(&inner, plain, "old"), PDICT_SOURCE_STALE);
    CHECK_INT(inner.calls, 0);
}

static void check_stale(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&stale_ok=500ms");
    struct source source = source_of(d, "new");

    put_ttl(d, "k", "old", 1000);
    test_now_ms += 1499;
    check_value(d, "k", NULL);
    source.meanwhile = ask_again_for_stale;
    CHECK_INT(compute(&source, plain, "new"), PDICT_SOURCE_COMPUTED);
    CHECK_STR(source.old, "old");
    CHECK_INT(source.calls, 1);
    check_value(d, "k", "new");
    pdict_close(d);
}

TEST(compute_stale, stale_value_is_returned_to_all_but_the_one_who_computes)
{
    for_each_setup(check_stale);
}

static void check_stale_end(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_compute_options how = { .stale_ms = 500 };
    struct source source = failing(d, PDICT_IO);

    put_ttl(d, "k", "old", 1000);
    test_now_ms += 1499;
    CHECK_INT(compute(&source, how, "old"), PDICT_SOURCE_STALE);
    CHECK_INT(source.calls, 1);
    check_fails(&source, plain, PDICT_IO);
    CHECK_STR(source.old, "");
    test_now_ms += 1;
    check_fails(&source, how, PDICT_IO);
    CHECK_STR(source.old, "");
    pdict_close(d);
}

TEST(compute_stale, stale_value_stands_in_for_a_failure_until_its_time_is_over)
{
    for_each_setup(check_stale_end);
}

TEST(compute_stale, caller_may_refuse_stale_values)
{
    pdict *d = setup_open(&setups[0], "a", "&stale_ok=1h");
    struct source source = failing(d, PDICT_IO);

    put_ttl(d, "k", "old", 10);
    test_now_ms += 10;
    CHECK_INT(compute(&source, plain, "old"), PDICT_SOURCE_STALE);
    check_fails(&source, (pdict_compute_options){ .stale_ms = -1 }, PDICT_IO);
    pdict_close(d);
}

static void check_stale_absence(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&stale_ok=1h");
    struct source source = failing(d, PDICT_NOTFOUND);

    put_ttl(d, "k", "old", 10);
    test_now_ms += 10;
    check_fails(&source, plain, PDICT_NOTFOUND);
    CHECK_STR(source.old, "old");
    check_fails(&source, plain, PDICT_NOTFOUND);
    CHECK_STR(source.old, "");
    pdict_close(d);
}

TEST(compute_stale, stale_value_goes_when_it_turns_out_that_there_is_nothing)
{
    for_each_setup(check_stale_absence);
}

static uint64_t sweep(const struct setup *setup)
{
    pdict_options options = test_options(setup->is_sealed);
    uint64_t removed;
    pdict_store *store;

    CHECK_OK(pdict_store_open(setup_uri(setup, "a", ""), &options, &store));
    CHECK_OK(pdict_expire(store, -1, &removed));
    pdict_store_close(store);
    return removed;
}

static void check_kept(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&stale_ok=500ms"), *shorter;
    struct source source = failing(d, PDICT_IO);

    shorter = setup_open(setup, "a", "&stale_ok=1ms");
    put_ttl(d, "k", "old", 1000);
    put_ttl(d, "other", "old", 900);
    test_now_ms += 1499;
    CHECK_INT(sweep(setup), 1);
    CHECK_INT(compute(&source, plain, "old"), PDICT_SOURCE_STALE);
    CHECK_INT(count_of(d), 0);
    test_now_ms += 1;
    CHECK_INT(sweep(setup), 1);
    pdict_close(shorter);
    pdict_close(d);
}

TEST(compute_stale, sweep_leaves_values_that_may_be_returned_stale)
{
    for_each_setup(check_kept);
}

/* ---- early refresh ---- */

static void note_cost(pdict *d, uint64_t cost_ms)
{
    pdict__remember(d->map->store, MEMO_COST_MS, pdict__compute_hash(d->map, pdict_str("k")),
                    cost_ms);
}

static void check_early(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_compute_options how = { .ttl_ms = 1000, .early = 1 };
    struct source source = source_of(d, "new");

    put_ttl(d, "k", "old", 1000);
    CHECK_INT(compute(&source, how, "old"), PDICT_SOURCE_STORED); /* its cost is not known */
    note_cost(d, 1);
    CHECK_INT(compute(&source, how, "old"), PDICT_SOURCE_STORED); /* e^-1000 */
    how.early = 0;
    note_cost(d, UINT64_C(1) << 62);
    CHECK_INT(compute(&source, how, "old"), PDICT_SOURCE_STORED);
    how.early = 1;
    CHECK_INT(compute(&source, how, "new"), PDICT_SOURCE_COMPUTED);
    CHECK_STR(source.old, "old");
    CHECK_INT(source.calls, 1);
    put(d, "k", "stays");
    note_cost(d, UINT64_C(1) << 62);
    CHECK_INT(compute(&source, how, "stays"), PDICT_SOURCE_STORED);
    pdict_close(d);
}

TEST(compute_stale, value_that_soon_expires_is_refreshed_early_when_that_is_asked_for)
{
    for_each_setup(check_early);
}

static void check_early_failure(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_compute_options how = { .early = 1e9 };
    struct source source = failing(d, PDICT_IO);

    put_ttl(d, "k", "old", 1000);
    note_cost(d, UINT64_C(1) << 50);
    CHECK_INT(compute(&source, how, "old"), PDICT_SOURCE_STORED);
    CHECK_INT(source.calls, 1);
    source.status = PDICT_NOTFOUND;
    check_fails(&source, how, PDICT_NOTFOUND);
    check_value(d, "k", NULL);
    pdict_close(d);
}

TEST(compute_stale, failed_refresh_leaves_the_value_and_found_absence_deletes_it)
{
    for_each_setup(check_early_failure);
}

static void put_another(struct source *source)
{
    put(source->d, "k", "put");
}

static void delete_once(struct source *source)
{
    if (source->calls == 1)
        CHECK_OK(pdict_del(source->d, pdict_str("k")));
}

static void expire_it(struct source *source)
{
    (void)source;
    test_now_ms += 1000;
}

static void check_refresh_races(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_compute_options how = { .early = 1e9 };
    struct source source = source_of(d, "new");

    put_ttl(d, "k", "old", 1000);
    note_cost(d, UINT64_C(1) << 50);
    source.meanwhile = delete_once;
    CHECK_INT(compute(&source, how, "new"), PDICT_SOURCE_COMPUTED);
    CHECK_INT(source.calls, 2);
    CHECK_STR(source.old, "");

    put_ttl(d, "k", "old", 1000);
    note_cost(d, UINT64_C(1) << 50);
    source = source_of(d, "newer");
    source.meanwhile = expire_it;
    CHECK_INT(compute(&source, how, "newer"), PDICT_SOURCE_COMPUTED);
    CHECK_INT(source.calls, 1);
    check_value(d, "k", "newer");

    put_ttl(d, "k", "old", 1000);
    note_cost(d, UINT64_C(1) << 50);
    source = source_of(d, "newest");
    source.meanwhile = put_another;
    CHECK_INT(compute(&source, how, "put"), PDICT_SOURCE_STORED);
    pdict_close(d);
}

TEST(compute_stale, refreshed_entry_may_be_deleted_expire_or_be_put_meanwhile)
{
    for_each_setup(check_refresh_races);
}

/* -ln(u) to nine digits: the least cost that makes a refresh due with a billion milliseconds left
 * is a billion / -ln(u). */
TEST(compute_stale, refresh_is_due_as_likely_as_the_logarithm_says)
{
    static const struct {
        uint64_t random;
        double minus_ln;
    } cases[] = {
        { UINT64_C(1) << 63, 0.69314718 },     { UINT64_C(1) << 62, 1.38629436 },
        { UINT64_C(0x5E2D58D8B3BCE000), 1.0 }, { UINT64_C(0xE7A4F5CC1B3D0000), 0.0999741 },
        { UINT64_C(1), 44.3614195558365 },     { 0, 44.3614195558365 }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double minus_ln = cases[i].minus_ln;
        int64_t left_ms = (int64_t)(minus_ln * 1e12);

        CHECK(pdict__refresh_is_due((int64_t)((double)left_ms * 0.99), 1000000000, 1000,
                                    cases[i].random));
        CHECK(!pdict__refresh_is_due((int64_t)((double)left_ms * 1.01), 1000000000, 1000,
                                     cases[i].random));
    }
    CHECK(pdict__refresh_is_due(0, 1, 1, UINT64_MAX));
    CHECK(!pdict__refresh_is_due(1, 1000000, 1, UINT64_MAX));
}

/* A billion left, a cost of 100 ms: with u uniform, P(due at x left) = e^(-x / cost). */
TEST(compute_stale, chance_of_a_refresh_grows_towards_the_expiry)
{
    uint64_t random = 1;
    int due[3] = { 0 };

    for (int i = 0; i < 100000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        for (int at = 0; at < 3; at++)
            due[at] += pdict__refresh_is_due(100 * at, 100, 1, random);
    }
    CHECK_INT(due[0], 100000);
    CHECK(due[1] > 35500 && due[1] < 38000); /* 36788 */
    CHECK(due[2] > 12700 && due[2] < 14400); /* 13534 */
}
