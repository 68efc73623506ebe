/* SPDX-License-Identifier: MIT */
/* One operation of a history: chosen, done, and written down with when and what came of it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "record.h"

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static size_t key_of(const struct worker *worker, unsigned key, char out[32])
{
    return (size_t)snprintf(out, 32, "%u/%u", atomic_load(&worker->board->round), key);
}

/* The number, repeated, so that a value made of two others is seen. */
static size_t value_of(uint32_t id, uint32_t out[16])
{
    size_t count = 1 + id % 16;

    for (size_t i = 0; i < count; i++)
        out[i] = id;
    return count * sizeof(out[0]);
}

static uint32_t id_of(const pdict_view *view)
{
    uint32_t value[16], expected[16], id;

    memcpy(&id, view->data, sizeof(id));
    if (view->size > sizeof(value) || value_of(id, expected) != view->size ||
        memcmp(view->data, expected, view->size) != 0)
        give_up("a value that nobody put was read", PDICT_DAMAGED);
    return id;
}

static int do_get(struct worker *worker, struct event *event, pdict_slice key)
{
    pdict_view view;
    int status = pdict_get(worker->d, key, &view);

    if (status == PDICT_OK) {
        event->id = id_of(&view);
        worker->seen_ids[event->key] = event->id;
        worker->seen_versions[event->key] = view.version;
        pdict_view_release(&view);
    }
    return status;
}

static int do_put(struct worker *worker, struct event *event, pdict_slice key)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    uint32_t value[16];
    size_t size = value_of(event->id, value);

    how.expires_ms = event->expires_ms;
    if (event->kind == PUT_IF_ABSENT)
        how.flags = PDICT_PUT_IF_ABSENT;
    if (event->kind == PUT_IF_SAME) {
        how.flags = PDICT_PUT_IF_VERSION;
        how.if_version = worker->seen_versions[event->key];
    }
    return pdict_put(worker->d, key, pdict_bytes(value, size), &how);
}

static int do_pop(struct worker *worker, struct event *event, pdict_slice key)
{
    pdict_view view;
    int status = pdict_pop(worker->d, key, &view);

    if (status == PDICT_OK)
        event->id = id_of(&view);
    pdict_view_release(&view);
    return status;
}

struct modification {
    struct event *event;
    pdict_slice key;
    uint32_t value[16];
};

static int replace(void *ctx, const pdict_view *old, pdict_slice *value)
{
    struct modification *m = ctx;

    m->event->if_id = old ? id_of(old) : 0;
    *value = pdict_bytes(m->value, value_of(m->event->id, m->value));
    return PDICT_OK;
}

/* The same by a transaction. */
static int replace_inside(void *ctx, pdict *txn)
{
    struct modification *m = ctx;
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_slice value;
    pdict_view view;
    int status = pdict_get(txn, m->key, &view);

    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    how.expires_ms = status == PDICT_OK ? view.expires_ms : m->event->expires_ms;
    replace(m, status == PDICT_OK ? &view : NULL, &value);
    pdict_view_release(&view);
    return pdict_put(txn, m->key, value, &how);
}

static int do_modify(struct worker *worker, struct event *event, pdict_slice key)
{
    struct modification m = { .event = event, .key = key };
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    if (event->id % 2)
        return pdict_run(worker->d, replace_inside, &m, 1000000);
    how.expires_ms = event->expires_ms;
    return pdict_modify(worker->d, key, replace, &m, &how);
}

/* Some of those who put if absent compute what is absent: a get, then, if somebody else was faster.
 * A time to live would begin at a moment that is not known. */
static bool computes(const struct event *event)
{
    return event->kind == PUT_IF_ABSENT && event->id % 2;
}

struct computation {
    uint32_t id, value[16];
};

static int compute(void *ctx, const pdict_view *old, pdict_computed *out)
{
    struct computation *c = ctx;

    (void)old;
    out->value = pdict_bytes(c->value, value_of(c->id, c->value));
    return PDICT_OK;
}

static int do_compute(struct worker *worker, struct event *event, pdict_slice key)
{
    struct computation c = { .id = event->id };
    pdict_compute_options how = PDICT_COMPUTE_OPTIONS_INIT;
    unsigned source;
    pdict_view view;
    int status;

    how.source_out = &source;
    status = pdict_get_or_compute(worker->d, key, compute, &c, &how, &view);
    if (status == PDICT_OK && source != PDICT_SOURCE_COMPUTED) {
        event->kind = GET;
        event->id = id_of(&view);
    }
    pdict_view_release(&view);
    return status;
}

static int do_event(struct worker *worker, struct event *event, pdict_slice key)
{
    switch (event->kind) {
    case GET:
        return do_get(worker, event, key);
    case DEL:
        return pdict_del(worker->d, key);
    case POP:
        return do_pop(worker, event, key);
    case MODIFY:
        return do_modify(worker, event, key);
    default:
        return computes(event) ? do_compute(worker, event, key) : do_put(worker, event, key);
    }
}

static uint8_t outcome_of(int status)
{
    switch (status) {
    case PDICT_OK:
        return DONE;
    case PDICT_NOTFOUND:
        return ABSENT;
    case PDICT_EXISTS:
        return PRESENT;
    case PDICT_CONFLICT:
        return OTHER;
    default:
        give_up("an operation failed", status);
        return UNKNOWN;
    }
}

static bool puts_value(const struct event *event)
{
    return event->kind != GET && event->kind != DEL && event->kind != POP;
}

static void plan_event(struct worker *worker, struct event *event)
{
    struct board *board = worker->board;
    uint64_t dice = next_random(&worker->random);

    memset(event, 0, sizeof(*event));
    event->thread = (uint8_t)worker->number;
    event->key = (uint8_t)(dice % board->plan.keys);
    dice >>= 8;
    event->kind = (uint8_t)(dice % 16 < 7 ? GET : PUT + dice / 16 % 6);
    dice >>= 8;
    if (event->kind == PUT_IF_SAME && worker->seen_ids[event->key] == 0)
        event->kind = PUT;
    if (event->kind == PUT_IF_SAME)
        event->if_id = worker->seen_ids[event->key];
    if (puts_value(event))
        event->id = atomic_fetch_add(&board->next_id, 1) + 1;
    /* A deadline that a few ticks of the clock reach. */
    if (puts_value(event) && !computes(event) && dice % 4 == 0)
        event->expires_ms = board_clock(board) + 1 + (int64_t)(dice >> 2) % 4;
    dice >>= 8;
    if (dice % 8 == 0)
        atomic_fetch_add(&board->clock_ms, 1);
}

/* It changes nothing that anybody reads, so it is part of no history. */
static void fold(struct worker *worker)
{
    int status;

    if (!worker->store || next_random(&worker->random) % 100 >= worker->board->plan.fold_percent)
        return;
    status = pdict_compact(worker->store, NULL, NULL);
    if (status != PDICT_OK && status != PDICT_BUSY)
        give_up("folding failed", status);
}

void operate(struct worker *worker, struct log *log)
{
    struct event *event = &log->events[atomic_load(&log->begun)];
    char text[32];
    pdict_slice key;
    int status;

    fold(worker);
    plan_event(worker, event);
    key = pdict_bytes(text, key_of(worker, event->key, text));
    event->returned_ns = INT64_MAX;
    event->clock_returned = INT64_MAX;
    event->clock_called = board_clock(worker->board);
    event->called_ns = now_ns();
    atomic_fetch_add(&log->begun, 1);
    status = do_event(worker, event, key);
    event->returned_ns = now_ns();
    event->clock_returned = board_clock(worker->board);
    atomic_store(&event->outcome, outcome_of(status));
}
