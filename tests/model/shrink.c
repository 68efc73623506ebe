/* SPDX-License-Identifier: MIT */
/* From a long list of operations that fails to a short one: leave out parts while it still does. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* Attempts in all: a failure that is slow to reach is better printed long than never. */
#define ATTEMPTS_MAX 3000

struct shrinking {
    const struct setup *setup;
    struct op *ops;
    size_t count;
    struct op *trial;
    struct report *report;
    char text[sizeof(((struct report *)0)->text)];
    unsigned attempts;
};

/* Whether the trial fails, in whatever way; if so, it is the list from now on. */
static bool attempt(struct shrinking *s, size_t count)
{
    if (s->attempts++ >= ATTEMPTS_MAX)
        return false;
    run_apart(s->setup, s->trial, count, s->report);
    if (!s->report->is_failed)
        return false;
    /* What stands behind the failing operation was not done. */
    s->count = s->report->at + 1 < count ? s->report->at + 1 : count;
    memcpy(s->ops, s->trial, s->count * sizeof(*s->ops));
    memcpy(s->text, s->report->text, sizeof(s->text));
    return true;
}

static bool without(struct shrinking *s, size_t from, size_t size)
{
    size_t behind = from + size < s->count ? s->count - from - size : 0;

    memcpy(s->trial, s->ops, from * sizeof(*s->ops));
    memcpy(s->trial + from, s->ops + from + size, behind * sizeof(*s->ops));
    return attempt(s, from + behind);
}

/* From the end: what comes last is mostly what the failure needs, and early parts are many. */
static void leave_out(struct shrinking *s, size_t size)
{
    size_t at = s->count;

    while (at > 0) {
        at = at > size ? at - size : 0;
        without(s, at, size);
        if (at > s->count)
            at = s->count;
    }
}

static bool replace(struct shrinking *s, size_t at, const struct op *op)
{
    if (at >= s->count || memcmp(&s->ops[at], op, sizeof(*op)) == 0)
        return false;
    memcpy(s->trial, s->ops, s->count * sizeof(*s->ops));
    s->trial[at] = *op;
    return attempt(s, s->count);
}

static bool has_batch(const struct op *op)
{
    return op->kind == OP_PUT_MANY || op->kind == OP_DEL_MANY || op->kind == OP_GET_MANY;
}

static void shorten_batch(struct shrinking *s, size_t at)
{
    struct op op = s->ops[at];
    bool goes_on = has_batch(&op);

    while (goes_on && op.count > 0) {
        op.count /= 2;
        goes_on = replace(s, at, &op);
    }
    op = s->ops[at];
    goes_on = has_batch(&op);
    while (goes_on && op.count > 0) {
        op.count--;
        goes_on = replace(s, at, &op);
    }
}

/* One operation with less in it. */
static void simplify(struct shrinking *s, size_t at)
{
    struct op op;

    shorten_batch(s, at);
    op = s->ops[at];
    op.value.size = op.value.size > 8 ? 8 : 0;
    replace(s, at, &op);
    op = s->ops[at];
    op.condition = 0;
    replace(s, at, &op);
    op = s->ops[at];
    op.expiry = EXPIRY_NONE;
    replace(s, at, &op);
    op = s->ops[at];
    op.map = 0;
    replace(s, at, &op);
}

size_t shrink(const struct setup *setup, struct op *ops, size_t count, struct report *report)
{
    struct shrinking s = { .setup = setup, .ops = ops, .count = count, .report = report };
    size_t before;

    s.trial = calloc(count, sizeof(*s.trial));
    if (!s.trial)
        abort();
    memcpy(s.text, report->text, sizeof(s.text));
    for (size_t size = count / 2; size > 0; size /= 2)
        leave_out(&s, size);
    for (size_t i = 0; i < s.count; i++)
        simplify(&s, i);
    do {
        before = s.count;
        leave_out(&s, 1);
    } while (s.count < before);
    memcpy(report->text, s.text, sizeof(s.text));
    free(s.trial);
    return s.count;
}
