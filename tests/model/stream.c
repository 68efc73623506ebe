/* SPDX-License-Identifier: MIT */
/* Seeded streams of operations: the same seed gives the same stream everywhere. */
#include "model.h"

#include <string.h>

/* Operations of one kind of weather: growing, busy, shrinking. */
#define PHASE 1500

struct stream {
    uint64_t seed, drawn;
    unsigned phase;
    unsigned key_from, key_count; /* most keys come from here */
};

static uint64_t draw(struct stream *s, uint64_t below)
{
    return mix(s->seed, ++s->drawn) % below;
}

static bool one_in(struct stream *s, unsigned n)
{
    return draw(s, n) == 0;
}

static uint16_t draw_key(struct stream *s)
{
    if (one_in(s, 8))
        return (uint16_t)draw(s, N_KEYS);
    return (uint16_t)((s->key_from + draw(s, s->key_count)) % N_KEYS);
}

static uint32_t draw_size(struct stream *s)
{
    uint64_t kind = draw(s, 400);

    if (kind == 0)
        return (uint32_t)draw(s, VALUE_MAX + 1);
    if (kind < 12)
        return (uint32_t)draw(s, 9000);
    return (uint32_t)draw(s, kind < 40 ? 2 : 120);
}

static struct value draw_value(struct stream *s)
{
    return (struct value){ .at = (uint32_t)draw(s, 65536),
                           .size = draw_size(s),
                           .is_text = one_in(s, 2) };
}

unsigned batch_key(const struct op *op, unsigned at)
{
    /* Mostly a run of neighbours, with strangers and repetitions between. */
    uint64_t number = mix(op->seed, at);

    if (number % 4 == 0)
        return (unsigned)(number / 4 % N_KEYS);
    return (op->key + (op->seed % 2 ? at : number / 4 % (op->count + 1u))) % N_KEYS;
}

struct value batch_value(const struct op *op, unsigned at)
{
    uint64_t number = mix(op->seed ^ 0x5EEDu, at);

    return (struct value){ .at = (uint32_t)(number % 65536),
                           .size =
                               op->value.size > 0 ? (uint32_t)(number / 65536 % op->value.size) : 0,
                           .is_text = op->value.is_text };
}

bool op_writes(const struct op *op)
{
    return op->kind >= OP_PUT && op->kind <= OP_CLEAR;
}

/* Along a snapshot outside, what is written meanwhile does not come; inside it may. */
bool op_fits_inside(const struct op *op)
{
    return (op->kind < OP_CLEAR && op->kind != OP_STATS && op->kind != OP_TOUCH &&
            op->edit != EDIT_OTHER) ||
           op->kind == OP_BAD_PUT;
}

/* ---- the parts of an operation ---- */

static void draw_expiry(struct stream *s, struct op *op)
{
    static const int64_t spans_ms[] = { 1, 2, 50, 1000, 30000, 600000 };
    uint64_t kind = draw(s, 40);

    if (kind < 26)
        return;
    op->expiry = kind < 35 ? EXPIRY_TTL : EXPIRY_AT;
    op->time_ms = 1 + (int64_t)draw(s, (uint64_t)spans_ms[draw(s, 6)]);
    if (op->expiry == EXPIRY_AT && one_in(s, 4))
        op->time_ms = 1 - op->time_ms;
    else if (one_in(s, 30))
        op->time_ms = INT64_MAX;
    /* A put that is to delete may not look at its value. */
    op->value.size %= (uint32_t)VALUE_MAX;
}

static void draw_condition(struct stream *s, struct op *op)
{
    static const uint8_t conditions[] = { PDICT_PUT_IF_ABSENT, PDICT_PUT_IF_PRESENT,
                                          PDICT_PUT_IF_VERSION };

    if (one_in(s, 3))
        op->condition = conditions[draw(s, 3)];
    op->version = (uint8_t)draw(s, 2);
}

static void draw_batch(struct stream *s, struct op *op)
{
    static const uint16_t counts[] = { 4, 20, 70, 300, 400 };

    op->count = (uint16_t)draw(s, counts[one_in(s, 5) ? draw(s, 5) : draw(s, 2)]);
    op->seed = (uint32_t)draw(s, UINT32_MAX);
    op->value.size = one_in(s, 40) ? 3000 : 1 + (uint32_t)draw(s, 80);
    if (op->kind == OP_PUT_MANY && op->condition == PDICT_PUT_IF_VERSION)
        op->condition = 0;
    if (op->kind == OP_PUT_MANY && op->flags && op->seed % 64 == 0)
        op->count = BATCH_MAX;
}

static struct bound draw_bound(struct stream *s, unsigned chance)
{
    struct bound bound = { .is_set = one_in(s, chance), .has_nul = one_in(s, 6) };

    bound.key = draw_key(s);
    bound.cut = (uint16_t)(one_in(s, 3) ? draw(s, 5) : UINT16_MAX);
    return bound;
}

static void draw_walk(struct stream *s, struct op *op)
{
    op->flags = (uint16_t)draw(s, 16);
    op->prefix = draw_bound(s, 3);
    op->prefix.has_nul = false;
    op->prefix.cut = (uint16_t)draw(s, one_in(s, 4) ? 600 : 4);
    op->from = draw_bound(s, 3);
    op->to = draw_bound(s, 3);
    op->count = (uint16_t)(one_in(s, 6) ? 1 + draw(s, 40) : UINT16_MAX);
    if (one_in(s, 5)) {
        op->edit = (uint8_t)(EDIT_DELETE + draw(s, op->flags & PDICT_SNAPSHOT ? 3 : 2));
        op->seed = 1 + (uint32_t)draw(s, 40);
    }
}

static void draw_clock(struct stream *s, struct op *op)
{
    op->kind = one_in(s, 3) ? OP_CLOCK_TO : OP_CLOCK;
    if (op->kind == OP_CLOCK_TO)
        op->time_ms = (int64_t)draw(s, 3) - 1;
    else
        op->time_ms = (int64_t)draw(s, one_in(s, 3) ? 200000 : 1000) * (one_in(s, 3) ? -1 : 1);
}

static void draw_rare(struct stream *s, struct op *op)
{
    static const uint8_t kinds[] = { OP_BAD_PUT, OP_BAD_CLEAR, OP_CLEAR_CACHE, OP_SYNC,
                                     OP_LIST,    OP_RENAME,    OP_REOPEN,      OP_REOPEN,
                                     OP_BAD_PUT, OP_COMPACT,   OP_BACKUP,      OP_LIMIT,
                                     OP_LIMIT,   OP_LIMIT };

    op->kind = one_in(s, 40) ? (one_in(s, 2) ? OP_DROP : OP_CLEAR) : kinds[draw(s, 14)];
    op->count = (uint16_t)draw(s, 6);
    op->flags = (uint16_t)one_in(s, 4);
    if (op->kind == OP_LIMIT) {
        op->flags = (uint16_t)draw(s, N_LIMITS);
        op->count = (uint16_t)(one_in(s, 2) ? 0 : 1 + draw(s, N_KEYS));
    }
}

/* ---- one operation ---- */

/* Numbers lie under a few keys, so that they meet. */
static void draw_modification(struct stream *s, struct op *op)
{
    static const uint8_t kinds[] = { OP_ADD, OP_POP, OP_MODIFY, OP_ADD };

    op->kind = kinds[draw(s, 4)];
    op->flags = (uint16_t)one_in(s, 4);
    op->condition = 0;
    if (op->kind != OP_ADD && one_in(s, 2))
        return;
    op->key = (uint16_t)(N_KEYS - 1 - draw(s, 12));
    op->value.is_number = true;
    op->value.number = (int32_t)draw(s, 2000) - 1000;
}

static void draw_touch(struct stream *s, struct op *op)
{
    op->kind = OP_TOUCH;
    op->condition = 0;
    op->expiry = EXPIRY_NONE;
    op->flags = (uint16_t)draw(s, TOUCH_GET + 1);
    op->time_ms = 1 + (int64_t)draw(s, one_in(s, 2) ? 1000 : 600000);
    if (op->flags == TOUCH_UNTIL && one_in(s, 4))
        op->time_ms = 1 - op->time_ms;
    else if (one_in(s, 30))
        op->time_ms = INT64_MAX;
}

static void draw_write(struct stream *s, struct op *op)
{
    static const unsigned delete_in_100[] = { 15, 35, 65 };

    op->kind = draw(s, 100) < delete_in_100[s->phase] ? OP_DEL : OP_PUT;
    if (one_in(s, 8))
        op->kind = op->kind == OP_DEL ? OP_DEL_MANY : OP_PUT_MANY;
    op->value = draw_value(s);
    if (op->kind == OP_PUT && one_in(s, 300))
        op->value.size = (uint32_t)VALUE_MAX + 1;
    else
        draw_expiry(s, op);
    draw_condition(s, op);
    op->flags = (uint16_t)draw(s, 2);
    if (one_in(s, 12) && op->value.size <= VALUE_MAX)
        draw_modification(s, op);
    if (op->kind == OP_PUT_MANY || op->kind == OP_DEL_MANY)
        draw_batch(s, op);
    else if (one_in(s, 15))
        draw_touch(s, op);
}

static void draw_read(struct stream *s, struct op *op)
{
    static const uint8_t kinds[] = { OP_GET,  OP_GET,      OP_GET_WITH, OP_CONTAINS,
                                     OP_META, OP_GET_MANY, OP_COUNT,    OP_HOLD };

    op->kind = kinds[draw(s, 8)];
    if (op->kind == OP_GET_MANY)
        draw_batch(s, op);
    if (op->kind == OP_HOLD) {
        op->kind = (uint8_t)(one_in(s, 2) ? OP_HOLD : OP_LET);
        op->count = (uint16_t)draw(s, N_HELD);
    }
}

static void draw_op(struct stream *s, struct op *op)
{
    uint64_t kind = draw(s, 1000);

    memset(op, 0, sizeof(*op));
    op->key = draw_key(s);
    op->map = (uint8_t)one_in(s, 5);
    if (kind < 480) {
        draw_write(s, op);
    } else if (kind < 880) {
        draw_read(s, op);
    } else if (kind < 925) {
        op->kind = OP_WALK;
        draw_walk(s, op);
    } else if (kind < 930) {
        op->kind = OP_STATS;
    } else if (kind < 972) {
        draw_clock(s, op);
    } else if (kind < 980) {
        op->kind = OP_SWEEP;
    } else if (kind < 990) {
        draw_rare(s, op);
    } else if (kind < 997) {
        op->kind = OP_TXN;
        op->count = (uint16_t)(1 + draw(s, 40));
        op->flags = (uint16_t)one_in(s, 4);
    } else {
        op->kind = OP_CRASH;
        op->count = (uint16_t)(1 + draw(s, 20));
        op->key = (uint16_t)draw(s, op->count + 1u);
    }
}

static void change_phase(struct stream *s)
{
    s->phase = (unsigned)draw(s, 3);
    s->key_from = (unsigned)draw(s, N_KEYS);
    s->key_count = 1 + (unsigned)draw(s, one_in(s, 2) ? 30 : N_KEYS);
}

void stream_fill(uint64_t seed, struct op *ops, size_t count)
{
    struct stream s = { .seed = mix(seed, 0) };
    unsigned writes_due = 0; /* what the child of a crash does */
    unsigned inside_due = 0; /* what is done in a transaction */

    for (size_t i = 0; i < count; i++) {
        if (i % PHASE == 0)
            change_phase(&s);
        draw_op(&s, &ops[i]);
        while (writes_due > 0 && !op_writes(&ops[i]))
            draw_op(&s, &ops[i]);
        while (inside_due > 0 && !op_fits_inside(&ops[i]))
            draw_op(&s, &ops[i]);
        inside_due = ops[i].kind == OP_TXN ? ops[i].count : inside_due - (inside_due > 0);
        writes_due = ops[i].kind == OP_CRASH ? ops[i].count : writes_due - (writes_due > 0);
    }
}
