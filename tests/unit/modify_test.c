/* SPDX-License-Identifier: MIT */
/* One key, read and changed at once: add, pop, modify; exact under expiry and among threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "maps.h"

static void add(pdict *d, const char *key, int64_t delta, int64_t expected)
{
    int64_t sum = 99;

    CHECK_OK(pdict_add(d, pdict_str(key), delta, NULL, &sum));
    CHECK_INT(sum, expected);
}

/* ---- add ---- */

static void adds_up(const struct setup *setup)
{
    pdict *d = setup_open(setup, "add", "");

    add(d, "n", 5, 5);
    add(d, "n", -7, -2);
    add(d, "n", 0, -2);
    check_value(d, "n", "-2");
    put(d, "n", "41");
    CHECK_OK(pdict_add(d, pdict_str("n"), 1, NULL, NULL));
    check_value(d, "n", "42");
    CHECK_INT(count_of(d), 1);
    pdict_close(d);
}

TEST(modify, add_keeps_a_number_as_decimal_text)
{
    for_each_setup(adds_up);
}

TEST(modify, add_knows_the_limits_of_64_bits)
{
    pdict *d = setup_open(&setups[0], "limits", "");
    int64_t sum = 1;

    add(d, "n", INT64_MAX, INT64_MAX);
    CHECK_STATUS(pdict_add(d, pdict_str("n"), 1, NULL, &sum), PDICT_TOO_BIG);
    CHECK_INT(sum, 0);
    check_value(d, "n", "9223372036854775807");
    add(d, "n", INT64_MIN, -1);
    add(d, "n", -INT64_MAX, INT64_MIN);
    CHECK_STATUS(pdict_add(d, pdict_str("n"), -1, NULL, &sum), PDICT_TOO_BIG);
    add(d, "n", 1, -INT64_MAX);
    pdict_close(d);
}

TEST(modify, add_refuses_what_is_not_a_number)
{
    static const char *const bad[] = { "",
                                       "-",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "0x1",
                                       "one",
                                       "--1",
                                       "9223372036854775808",
                                       "-9223372036854775809" };
    pdict *d = setup_open(&setups[0], "bad", "");

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(d, "n", bad[i]);
        CHECK_STATUS(pdict_add(d, pdict_str("n"), 1, NULL, NULL), PDICT_INVAL);
        check_value(d, "n", bad[i]);
    }
    put(d, "n", "-0012");
    add(d, "n", 0, -12);
    pdict_close(d);
}

/* `text` is the empty text, which is no number. */
static void adds_typed(const char *codec, const char *stored, size_t size, const char *text)
{
    pdict_info info = PDICT_INFO_INIT;
    bool is_built = false;
    char more[64];
    pdict_view view;
    pdict *d;

    for (size_t cursor = 0; pdict_info_next(&cursor, &info) == PDICT_OK;)
        is_built = is_built || strcmp(info.name, codec) == 0;
    if (!is_built)
        return;
    snprintf(more, sizeof(more), "memory:?codecs=%s", codec);
    CHECK_OK(pdict_open(more, NULL, &d));
    add(d, "n", 5, 5);
    add(d, "n", 37, 42);
    CHECK_OK(pdict_get(d, pdict_str("n"), &view));
    CHECK_BYTES(view.data, view.size, stored, size);
    pdict_view_release(&view);
    put(d, "n", text);
    CHECK_STATUS(pdict_add(d, pdict_str("n"), 1, NULL, NULL), PDICT_INVAL);
    pdict_close(d);
}

TEST(modify, in_a_map_of_typed_values_a_number_is_one_of_its_integers)
{
    adds_typed("cbor", "\x18\x2A", 2, "\x60");
    adds_typed("json", "42", 2, "\"\"");
}

static void add_and_expire(const struct setup *setup)
{
    pdict *d = setup_open(setup, "expiry", "");
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_view view;
    int64_t sum;

    how.ttl_ms = 1000;
    CHECK_OK(pdict_add(d, pdict_str("n"), 1, &how, &sum));
    test_now_ms += 999;
    CHECK_OK(pdict_add(d, pdict_str("n"), 1, &how, &sum));
    CHECK_INT(sum, 2);
    CHECK_OK(pdict_get(d, pdict_str("n"), &view));
    CHECK_INT(view.expires_ms, test_now_ms + 1);
    pdict_view_release(&view);
    test_now_ms += 1;
    CHECK_OK(pdict_add(d, pdict_str("n"), 1, &how, &sum));
    CHECK_INT(sum, 1);
    how.ttl_ms = 0;
    how.expires_ms = 1;
    CHECK_OK(pdict_add(d, pdict_str("other"), 3, &how, &sum));
    CHECK_INT(sum, 3);
    check_value(d, "other", NULL);
    pdict_close(d);
}

TEST(modify, add_keeps_the_expiry_and_begins_anew_when_it_has_passed)
{
    for_each_setup(add_and_expire);
}

TEST(modify, conditions_are_refused_where_the_call_has_its_own)
{
    pdict *d = setup_open(&setups[0], "flags", "");
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.flags = PDICT_PUT_IF_PRESENT;
    CHECK_STATUS(pdict_add(d, pdict_str("n"), 1, &how, NULL), PDICT_INVAL);
    CHECK_STATUS(pdict_modify(d, pdict_str("n"), NULL, NULL, &how), PDICT_INVAL);
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(modify, a_read_only_handle_adds_and_pops_nothing)
{
    pdict *d = setup_open(&setups[2], "ro", ""), *reader;
    pdict_view view;

    put(d, "n", "1");
    reader = setup_open(&setups[2], "ro", "&mode=ro");
    CHECK_STATUS(pdict_add(reader, pdict_str("n"), 1, NULL, NULL), PDICT_READ_ONLY);
    CHECK_STATUS(pdict_pop(reader, pdict_str("n"), &view), PDICT_READ_ONLY);
    CHECK(view.data == NULL);
    check_value(d, "n", "1");
    pdict_close(reader);
    pdict_close(d);
}

/* ---- pop ---- */

static void pops(const struct setup *setup)
{
    pdict *d = setup_open(setup, "pop", "");
    pdict_view view;

    put(d, "a", "1");
    CHECK_OK(pdict_pop(d, pdict_str("a"), &view));
    CHECK_BYTES(view.data, view.size, "1", 1);
    pdict_view_release(&view);
    CHECK_STATUS(pdict_pop(d, pdict_str("a"), &view), PDICT_NOTFOUND);
    CHECK(view.data == NULL);
    put_ttl(d, "a", "2", 10);
    test_now_ms += 10;
    CHECK_STATUS(pdict_pop(d, pdict_str("a"), &view), PDICT_NOTFOUND);
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(modify, pop_returns_the_value_and_deletes_the_key)
{
    for_each_setup(pops);
}

/* ---- modify ---- */

struct step {
    const char *seen; /* what fn is to find; NULL: nothing */
    const char *put;  /* NULL: delete */
    int status;
    int n_calls;
};

static int take_step(void *ctx, const pdict_view *old, pdict_slice *value)
{
    struct step *step = ctx;

    step->n_calls++;
    CHECK((old != NULL) == (step->seen != NULL));
    if (old)
        CHECK_BYTES(old->data, old->size, step->seen, strlen(step->seen));
    *value = pdict_str(step->put);
    return step->status;
}

static void modifies(const struct setup *setup)
{
    struct step steps[] = { { NULL, "1", 0, 0 },
                            { "1", "2", 0, 0 },
                            { "2", "3", 7, 0 },
                            { "2", NULL, 0, 0 },
                            { NULL, NULL, 0, 0 } };
    pdict *d = setup_open(setup, "modify", "");

    for (size_t i = 0; i < 5; i++) {
        CHECK_STATUS(pdict_modify(d, pdict_str("k"), take_step, &steps[i], NULL), steps[i].status);
        CHECK_INT(steps[i].n_calls, 1);
    }
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(modify, modify_puts_changes_and_deletes_as_the_function_says)
{
    for_each_setup(modifies);
}

static int interrupt(void *ctx, const pdict_view *old, pdict_slice *value)
{
    static char text[8];
    pdict *d = ctx;

    (void)old;
    if (text[0] == '\0')
        put(d, "k", "another");
    snprintf(text, sizeof(text), "%zu", old ? old->size : 0);
    *value = pdict_str(text);
    return PDICT_OK;
}

TEST(modify, modify_is_asked_again_when_somebody_came_in_between)
{
    pdict *d = setup_open(&setups[0], "again", "");

    put(d, "k", "one");
    CHECK_OK(pdict_modify(d, pdict_str("k"), interrupt, d, NULL));
    check_value(d, "k", "7");
    pdict_close(d);
}

TEST(modify, modify_keeps_the_expiry_of_an_entry_and_gives_one_to_a_new_one)
{
    struct step first = { NULL, "1", 0, 0 }, second = { "1", "2", 0, 0 },
                third = { NULL, "3", 0, 0 };
    pdict *d = setup_open(&setups[0], "expiry", "");
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.ttl_ms = 100;
    CHECK_OK(pdict_modify(d, pdict_str("k"), take_step, &first, &how));
    test_now_ms += 99;
    CHECK_OK(pdict_modify(d, pdict_str("k"), take_step, &second, &how));
    test_now_ms += 1;
    CHECK_OK(pdict_modify(d, pdict_str("k"), take_step, &third, &how));
    check_value(d, "k", "3");
    pdict_close(d);
}

/* ---- many threads ---- */

#define N_THREADS 6
#define N_EACH    (TEST_IS_SLOW ? 30 : 150)

static pdict *shared;
static int n_popped;

static int plus_one(void *ctx, const pdict_view *old, pdict_slice *value)
{
    char *text = ctx;
    char number[16] = "0";

    if (old)
        memcpy(number, old->data, old->size);
    snprintf(text, 16, "%d", atoi(number) + 1);
    *value = pdict_str(text);
    return PDICT_OK;
}

static void *change_together(void *unused)
{
    char text[16];

    (void)unused;
    for (int i = 0; i < N_EACH; i++) {
        char key[32];
        pdict_view view;
        int status;

        CHECK_OK(pdict_add(shared, pdict_str("added"), 1, NULL, NULL));
        CHECK_OK(pdict_modify(shared, pdict_str("modified"), plus_one, text, NULL));
        snprintf(key, sizeof(key), "once-%d", i);
        status = pdict_pop(shared, pdict_str(key), &view);
        if (status == PDICT_OK)
            __atomic_add_fetch(&n_popped, 1, __ATOMIC_RELAXED);
        else
            CHECK_STATUS(status, PDICT_NOTFOUND);
        pdict_view_release(&view);
    }
    return NULL;
}

static void nothing_is_lost(const struct setup *setup)
{
    pthread_t threads[N_THREADS];
    char expected[16];

    shared = setup_open(setup, "threads", "&durability=unsafe");
    n_popped = 0;
    for (int i = 0; i < N_EACH; i++) {
        char key[32];

        snprintf(key, sizeof(key), "once-%d", i);
        put(shared, key, "v");
    }
    for (int i = 0; i < N_THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, change_together, NULL), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    snprintf(expected, sizeof(expected), "%d", N_THREADS * N_EACH);
    check_value(shared, "added", expected);
    check_value(shared, "modified", expected);
    CHECK_INT(n_popped, N_EACH);
    pdict_close(shared);
}

TEST(modify, among_threads_no_addition_is_lost_and_one_gets_what_is_popped)
{
    for_each_setup(nothing_is_lost);
}
