/* SPDX-License-Identifier: MIT */
/* Values that are computed when they are absent, as one caller sees it. */
#include <math.h>

#include "compute_fixture.h"

/* ---- absent and present ---- */

static void check_absent(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = source_of(d, "value");
    pdict_view view;

    CHECK_INT(compute(&source, plain, "value"), PDICT_SOURCE_COMPUTED);
    CHECK_STR(source.old, "");
    CHECK_INT(compute(&source, plain, "value"), PDICT_SOURCE_STORED);
    check_value(d, "k", "value");
    CHECK_INT(source.calls, 1);
    CHECK_OK(pdict_get_or_compute(d, pdict_str("k"), find, &source, NULL, &view));
    pdict_close(d);
    CHECK_BYTES(view.data, view.size, "value", 5);
    pdict_view_release(&view);
}

TEST(compute, absent_value_is_computed_put_and_then_found)
{
    for_each_setup(check_absent);
}

static void check_facts(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = source_of(d, "value");
    pdict_compute_options how = PDICT_COMPUTE_OPTIONS_INIT;
    pdict_view computed, stored;

    how.ttl_ms = 1000;
    CHECK_OK(pdict_get_or_compute(d, pdict_str("k"), find, &source, &how, &computed));
    CHECK_OK(pdict_get(d, pdict_str("k"), &stored));
    CHECK(computed.version == stored.version);
    CHECK_INT(computed.created_ms, stored.created_ms);
    CHECK_INT(computed.expires_ms, stored.expires_ms);
    CHECK_INT(stored.expires_ms, test_now_ms + 1000);
    pdict_view_release(&stored);
    pdict_close(d);
    CHECK_BYTES(computed.data, computed.size, "value", 5);
    pdict_view_release(&computed);
}

TEST(compute, computed_view_says_what_was_stored_and_outlives_the_map)
{
    for_each_setup(check_facts);
}

TEST(compute, computation_chooses_the_time_to_live_and_the_options_propose_it)
{
    pdict *d = setup_open(&setups[0], "a", "");
    struct source source = source_of(d, "value");

    source.ttl_ms = 5;
    compute(&source, (pdict_compute_options){ .ttl_ms = 1000 }, "value");
    test_now_ms += 5;
    check_value(d, "k", NULL);
    source.ttl_ms = -2;
    compute(&source, (pdict_compute_options){ .ttl_ms = 1000 }, "value");
    test_now_ms += 999;
    check_value(d, "k", "value");
    test_now_ms += 1;
    check_value(d, "k", NULL);
    source.ttl_ms = -1;
    check_fails(&source, plain, PDICT_INVAL);
    pdict_close(d);
}

static void check_map_ttl(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&ttl=1s");
    struct source source = source_of(d, "value");
    pdict_view view;

    CHECK_OK(pdict_get_or_compute(d, pdict_str("k"), find, &source, NULL, &view));
    CHECK_INT(view.expires_ms, test_now_ms + 1000);
    pdict_view_release(&view);
    test_now_ms += 1000;
    check_value(d, "k", NULL);
    source.ttl_ms = 0;
    CHECK_OK(pdict_get_or_compute(d, pdict_str("k"), find, &source, NULL, &view));
    CHECK_INT(source.calls, 2);
    CHECK_INT(view.expires_ms, 0);
    pdict_view_release(&view);
    test_now_ms += 100000;
    check_value(d, "k", "value");
    pdict_close(d);
}

TEST(compute, time_to_live_of_the_map_is_proposed_to_the_computation)
{
    for_each_setup(check_map_ttl);
}

TEST(compute, failure_is_returned_and_nothing_is_put)
{
    pdict *d = setup_open(&setups[0], "a", "");
    struct source source = failing(d, PDICT_IO);

    check_fails(&source, plain, PDICT_IO);
    source.status = 7; /* a number of the user's own */
    check_fails(&source, plain, 7);
    source.status = PDICT_END;
    check_fails(&source, plain, PDICT_INVAL);
    check_value(d, "k", NULL);
    CHECK_INT(source.calls, 3);
    pdict_close(d);
}

TEST(compute, malformed_options_are_refused)
{
    pdict *d = setup_open(&setups[0], "a", "");
    struct source source = source_of(d, "value");
    pdict_compute_options small = { .struct_size = 1 };
    pdict_view view;

    CHECK_STATUS(pdict_get_or_compute(d, pdict_str("k"), find, &source, &small, &view),
                 PDICT_INVAL);
    check_fails(&source, (pdict_compute_options){ .ttl_ms = -1 }, PDICT_INVAL);
    check_fails(&source, (pdict_compute_options){ .timeout_ms = -1 }, PDICT_INVAL);
    check_fails(&source, (pdict_compute_options){ .absent_ttl_ms = -1 }, PDICT_INVAL);
    check_fails(&source, (pdict_compute_options){ .early = -1 }, PDICT_INVAL);
    check_fails(&source, (pdict_compute_options){ .early = NAN }, PDICT_INVAL);
    check_fails(&source, (pdict_compute_options){ .durability = 9 }, PDICT_INVAL);
    CHECK_INT(source.calls, 0);
    pdict_close(d);
}

TEST(compute, transaction_is_misuse)
{
    pdict *d = setup_open(&setups[0], "a", ""), *txn;
    struct source source;

    CHECK_OK(pdict_begin(d, 0, &txn));
    source = source_of(txn, "value");
    check_fails(&source, plain, PDICT_MISUSE);
    pdict_abort(txn);
    pdict_close(d);
}

static void check_read_only(const struct setup *setup)
{
    struct source source;
    pdict *d;

    if (!setup->is_persistent)
        return;
    d = setup_open(setup, "a", "");
    put(d, "other", "value");
    pdict_close(d);
    d = setup_open(setup, "a", "&mode=ro");
    source = source_of(d, "value");
    check_fails(&source, (pdict_compute_options){ .absent_ttl_ms = 5 }, PDICT_READ_ONLY);
    CHECK_INT(source.calls, 0);
    pdict_close(d);
    d = setup_open(setup, "a", "");
    put(d, "k", "there");
    pdict_close(d);
    d = setup_open(setup, "a", "&mode=ro");
    source.d = d;
    CHECK_INT(compute(&source, plain, "there"), PDICT_SOURCE_STORED);
    pdict_close(d);
}

TEST(compute, read_only_handle_returns_what_is_there_and_computes_nothing)
{
    for_each_setup(check_read_only);
}

/* ---- what happens during a computation ---- */

static void ask_again(struct source *source)
{
    struct source inner = source_of(source->d, "inner");

    check_fails(&inner, plain, PDICT_MISUSE);
    CHECK_INT(inner.calls, 0);
}

TEST(compute, asking_for_the_key_that_is_being_computed_is_misuse_not_deadlock)
{
    pdict *d = setup_open(&setups[0], "a", "");
    struct source source = source_of(d, "value");

    source.meanwhile = ask_again;
    CHECK_INT(compute(&source, plain, "value"), PDICT_SOURCE_COMPUTED);
    pdict_close(d);
}

static int find_sum(void *ctx, const pdict_view *old, pdict_computed *out)
{
    struct source *source = ctx;
    struct source part = source_of(source->d, "part");
    pdict_view view;

    (void)old;
    CHECK_OK(pdict_get_or_compute(source->d, pdict_str("other"), find, &part, NULL, &view));
    pdict_view_release(&view);
    out->value = pdict_str("sum");
    return PDICT_OK;
}

static void check_nested(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = source_of(d, NULL);
    pdict_view view;

    CHECK_OK(pdict_get_or_compute(d, pdict_str("k"), find_sum, &source, NULL, &view));
    pdict_view_release(&view);
    check_value(d, "k", "sum");
    check_value(d, "other", "part");
    pdict_close(d);
}

TEST(compute, computation_may_have_other_keys_computed)
{
    for_each_setup(check_nested);
}

static void put_another(struct source *source)
{
    put(source->d, "k", "put");
}

static void check_put_meanwhile(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = source_of(d, "computed");

    source.meanwhile = put_another;
    CHECK_INT(compute(&source, plain, "put"), PDICT_SOURCE_STORED);
    check_value(d, "k", "put");
    CHECK_INT(source.calls, 1);
    pdict_close(d);
}

TEST(compute, what_is_put_meanwhile_stays_and_is_returned)
{
    for_each_setup(check_put_meanwhile);
}

/* ---- absence ---- */

static void check_absence(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = failing(d, PDICT_NOTFOUND);
    pdict_compute_options how = { .absent_ttl_ms = 1000 };

    check_fails(&source, plain, PDICT_NOTFOUND);
    check_fails(&source, plain, PDICT_NOTFOUND);
    CHECK_INT(source.calls, 2);
    check_fails(&source, how, PDICT_NOTFOUND);
    check_fails(&source, how, PDICT_NOTFOUND);
    CHECK_INT(source.calls, 3);
    CHECK_INT(count_of(d), 0);
    test_now_ms += 999;
    check_fails(&source, how, PDICT_NOTFOUND);
    CHECK_INT(source.calls, 3);
    test_now_ms += 1;
    check_fails(&source, how, PDICT_NOTFOUND);
    CHECK_INT(source.calls, 4);
    put(d, "k", "value");
    CHECK_INT(compute(&source, how, "value"), PDICT_SOURCE_STORED);
    pdict_close(d);
}

TEST(compute, absence_is_remembered_until_its_time_is_over_or_the_key_is_put)
{
    for_each_setup(check_absence);
}

TEST(compute, absence_is_that_of_one_key_of_one_map)
{
    pdict *d = setup_open(&setups[0], "a", ""), *other = setup_open(&setups[0], "a", "&map=other");
    pdict_compute_options how = { .absent_ttl_ms = 1000 };
    struct source source = failing(d, PDICT_NOTFOUND), elsewhere = source_of(other, "value");

    check_fails(&source, how, PDICT_NOTFOUND);
    CHECK_INT(compute(&elsewhere, how, "value"), PDICT_SOURCE_COMPUTED);
    pdict_close(other);
    pdict_close(d);
}
