/* SPDX-License-Identifier: MIT */
/* The loops that are timed, for the raw engine and for pdict. */
#include <stdlib.h>

#include "support/plain.h"
#include "support/side.h"

#define TURN 100 /* puts before the other one has its turn */

/* ---- the raw engine ---- */

double side_raw_load(size_t count, size_t batch)
{
    double start = plain_now_s();

    for (size_t i = 0; i < count; i++) {
        if (i % batch == 0)
            side.engine->begin();
        side.engine->put(side_key_at(i), side.value);
        if (i % batch == batch - 1 || i == count - 1)
            side.engine->commit();
    }
    return plain_now_s() - start;
}

double side_raw_gets(void)
{
    char *copy = malloc(VALUE_SIZE);
    double start = plain_now_s();

    for (size_t i = 0; i < GETS && copy; i++) {
        side.engine->get_copy(side_key_at(side.draws[i]), copy);
        /* pdict hands out memory of the caller's own, too. */
        free(copy);
        copy = malloc(VALUE_SIZE);
    }
    free(copy);
    return plain_now_s() - start;
}

double side_raw_gets_in_place(void)
{
    double start = plain_now_s();
    volatile char sum = 0;

    for (size_t i = 0; i < GETS; i++)
        sum = (char)(sum + side.engine->get_in_place(side_key_at(side.draws[i])));
    return plain_now_s() - start;
}

static double raw_puts(const char *const *which, size_t count)
{
    double start = plain_now_s();

    for (size_t i = 0; i < count; i++) {
        side.value[0]++;
        side.engine->begin();
        side.engine->put(which[i], side.value);
        side.engine->commit();
    }
    return plain_now_s() - start;
}

/* ---- pdict ---- */

double side_our_load(pdict *d, size_t count, size_t batch, unsigned flags)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_pair *pairs = malloc(batch * sizeof(*pairs));
    double start = plain_now_s();

    if (!pairs)
        plain_die("load", "out of memory");
    how.flags = flags;
    for (size_t i = 0; i < count; i += batch) {
        size_t n = count - i < batch ? count - i : batch;

        for (size_t j = 0; j < n; j++)
            pairs[j] = (pdict_pair){ pdict_bytes(side_key_at(i + j), KEY_SIZE),
                                     pdict_bytes(side.value, VALUE_SIZE) };
        plain_check(pdict_put_many(d, pairs, n, &how, NULL));
    }
    start = plain_now_s() - start;
    free(pairs);
    return start;
}

double side_our_gets(pdict *d)
{
    double start = plain_now_s();

    for (size_t i = 0; i < GETS; i++) {
        pdict_view view;

        plain_check(pdict_get(d, pdict_bytes(side_key_at(side.draws[i]), KEY_SIZE), &view));
        pdict_view_release(&view);
    }
    return plain_now_s() - start;
}

static int look(void *ctx, const pdict_view *view)
{
    char *sum = ctx;

    *sum = (char)(*sum + *(const char *)view->data);
    return PDICT_OK;
}

double side_our_gets_in_place(pdict *d)
{
    double start = plain_now_s();
    char sum = 0;

    for (size_t i = 0; i < GETS; i++)
        plain_check(
            pdict_get_with(d, pdict_bytes(side_key_at(side.draws[i]), KEY_SIZE), look, &sum));
    return plain_now_s() - start;
}

static double our_puts(pdict *d, const char *const *which, size_t count)
{
    double start = plain_now_s();

    for (size_t i = 0; i < count; i++) {
        side.value[0]++;
        plain_check(pdict_put(d, pdict_bytes(which[i], KEY_SIZE),
                              pdict_bytes(side.value, VALUE_SIZE), NULL));
    }
    return plain_now_s() - start;
}

void side_play_puts(pdict *d, const char *const *which, double *our_s, double *raw_s)
{
    *our_s = *raw_s = 0;
    for (size_t i = 0; i < PUTS; i += TURN) {
        *raw_s += raw_puts(which + i, TURN);
        *our_s += our_puts(d, which + i, TURN);
    }
}
