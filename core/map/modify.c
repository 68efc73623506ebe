/* SPDX-License-Identifier: MIT */
/* One key, read and changed at once: add, pop, modify. */
#include <inttypes.h>
#include <stdio.h>

#include "base/calls.h"
#include "map/cached.h"

static int fail_flags(const char *call)
{
    return pdict_fail(PDICT_INVAL, "%s: flags must be 0; the call has its own condition", call);
}

/* ---- adding ---- */

#define DECIMAL_SIZE 24

struct addition {
    const pdict *d;
    struct put_plan plan; /* of a new entry */
    struct workbench *bench;
    int64_t delta, sum;
    bool is_typed; /* the serializer of the map has integers */
    pdict_change change;
    pdict_slice bytes; /* of the sum: in the bench, or in `text` */
    char text[DECIMAL_SIZE];
    struct commit *commit;
};

static bool read_decimal(pdict_slice text, int64_t *out)
{
    const char *digits = text.data;
    bool is_negative = text.size > 0 && digits[0] == '-';
    int64_t number = 0;

    if (text.size <= is_negative)
        return false;
    for (size_t i = is_negative; i < text.size; i++) {
        int digit = digits[i] - '0';

        /* Towards the sign, since the lowest number has no opposite. */
        if (digit < 0 || digit > 9 ||
            (is_negative ? number < (INT64_MIN + digit) / 10 : number > (INT64_MAX - digit) / 10))
            return false;
        number = number * 10 + (is_negative ? -digit : digit);
    }
    *out = number;
    return true;
}

static int add_up(struct addition *a, int64_t number)
{
    if (a->delta > 0 ? number > INT64_MAX - a->delta : number < INT64_MIN - a->delta)
        return pdict_fail(PDICT_TOO_BIG, "add: the sum does not fit into 64 bits");
    a->sum = number + a->delta;
    return PDICT_OK;
}

static int read_typed(const struct addition *a, pdict_slice bytes, int64_t *out, bool *is_number)
{
    pdict_value *value;
    pdict_tree *tree;
    int status = pdict__tree_for(a->d->map->pipeline, &tree);

    if (status != PDICT_OK)
        return status;
    status = pdict__deserialize(pdict__bench_settings(a->bench).generation, bytes, tree, &value);
    *is_number = status == PDICT_OK && pdict_value_type(value) == PDICT_VALUE_INT;
    if (*is_number)
        *out = pdict_value_int(value, 0);
    pdict_tree_free(tree);
    return status;
}

static int read_number(const struct addition *a, pdict_slice value, int64_t *out)
{
    bool is_number;
    int status = PDICT_OK;

    if (a->is_typed)
        status = read_typed(a, value, out, &is_number);
    else
        is_number = read_decimal(value, out);
    if (status != PDICT_OK || is_number)
        return status;
    return pdict_fail(PDICT_INVAL, "add: the value is not an integer of 64 bits; put one first");
}

/* `row` NULL: absent. */
static int add_to_row(struct addition *a, const pdict_row *row)
{
    struct binding binding;
    int64_t number = 0;
    pdict_slice value;
    int status;

    if (!row)
        return add_up(a, 0);
    binding = (struct binding){ row->key, row->version, row->expires_ms };
    status = pdict__decode(a->d->map->pipeline, a->bench, &binding, row->value, NULL, &value);
    if (status != PDICT_OK)
        return status;
    status = read_number(a, value, &number);
    return status == PDICT_OK ? add_up(a, number) : status;
}

static int serialize_int(const struct addition *a, int64_t number, pdict_slice *out)
{
    const pdict_value *value;
    pdict_tree *tree;
    int status = pdict__tree_for(a->d->map->pipeline, &tree);

    if (status != PDICT_OK)
        return status;
    value = pdict_tree_int(tree, number);
    status = value ? pdict__serialize(a->d->map->pipeline, a->bench, value, out)
                   : pdict_tree_status(tree);
    pdict_tree_free(tree);
    return status;
}

/* Some serializers know integers, for the others a number is text. */
static int find_kind(struct addition *a)
{
    pdict_slice bytes;
    int status = serialize_int(a, a->delta, &bytes);

    a->is_typed = status == PDICT_OK;
    return status == PDICT_INVAL || status == PDICT_UNSUPPORTED ? PDICT_OK : status;
}

static int serialize_sum(struct addition *a)
{
    if (a->is_typed)
        return serialize_int(a, a->sum, &a->bytes);
    a->bytes = pdict_bytes(a->text, (size_t)snprintf(a->text, DECIMAL_SIZE, "%" PRId64, a->sum));
    return PDICT_OK;
}

static int write_sum(struct addition *a)
{
    pdict_row *row = &a->change.row;
    struct binding binding = { row->key, 0, row->expires_ms };
    int status;

    if ((status = serialize_sum(a)) != PDICT_OK)
        return status;
    if ((status = pdict__random_version(&row->version)) != PDICT_OK)
        return status;
    binding.version = row->version;
    return pdict__encode_named(a->d->map->pipeline, a->bench, &binding,
                               pdict__name_of(a->d, row->key), a->bytes, &row->value);
}

/* Read, add up and make the record, by whatever may read: a transaction, or the commit itself. */
static int make_change(struct addition *a, void *reader)
{
    pdict_row row;
    int status = pdict__row_get(a->d, reader, a->change.row.key, &row);
    bool is_there = status == PDICT_OK;

    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    row.key = a->change.row.key;
    if ((status = add_to_row(a, is_there ? &row : NULL)) != PDICT_OK)
        return status;
    a->change.kind = is_there ? PDICT_CHANGE_PUT : a->plan.kind;
    a->change.row.expires_ms = is_there ? row.expires_ms : a->plan.expires_ms;
    a->change.row.created_ms = a->plan.created_ms;
    return a->change.kind == PDICT_CHANGE_PUT ? write_sum(a) : PDICT_OK;
}

/* The transaction may be made again, and what was to be cached with it. */
static int add_inside(void *ctx, struct store *store, void *txn)
{
    struct addition *a = ctx;
    int status = make_change(a, txn);

    (void)store;
    pdict__cache_discard(a->d, a->commit->prepared);
    a->commit->prepared =
        status == PDICT_OK ? pdict__cache_prepare(a->d, &a->change, a->bytes) : NULL;
    return status;
}

static int add_in_transaction(struct addition *a)
{
    struct generation_ref sealed;
    void *reader;
    int status;

    if ((status = pdict__begin(a->d, &reader)) != PDICT_OK)
        return status;
    status = make_change(a, reader);
    pdict__end(a->d, reader);
    sealed = pdict__bench_settings(a->bench);
    return status == PDICT_OK ? pdict__change(a->d, &a->change, 1, &sealed, 0, NULL) : status;
}

static int try_to_add(struct addition *a)
{
    struct commit commit = { .map = a->d->map->number,
                             .changes = &a->change,
                             .count = 1,
                             .generation = pdict__bench_settings(a->bench).number,
                             .prepare = add_inside,
                             .ctx = a };
    int status;

    a->commit = &commit;
    status = pdict__commit_for(a->d, &commit, a->plan.durability);
    pdict__cache_discard(a->d, commit.prepared);
    return status;
}

static int commit_addition(struct addition *a)
{
    int status = a->d->part ? add_in_transaction(a) : try_to_add(a);

    while (status == COMMIT_STALE && (status = pdict__settings_check(a->d)) == PDICT_OK) {
        pdict__bench_renew(a->d->map->pipeline, a->bench);
        status = try_to_add(a);
    }
    if (status != PDICT_OK)
        return status;
    if (!a->d->part)
        pdict__use_puts(a->d, &a->change, 1);
    return pdict__put_result(&a->plan, a->plan.kind, a->change.status);
}

int pdict_add(pdict *d, pdict_slice key, int64_t delta, const pdict_put_options *how,
              int64_t *result)
{
    struct addition a = { .d = d, .delta = delta, .change.row.key = key };
    struct hidden_key room;
    int status;

    if (result)
        *result = 0;
    if ((status = pdict__put_plan(d, how, &a.plan)) != PDICT_OK)
        return status;
    if (a.plan.condition != PDICT_IF_ANY)
        return fail_flags("add");
    if ((status = pdict__settings_check(d)) != PDICT_OK)
        return status;
    if ((status = pdict__hide(d, &a.change.row.key, &room)) != PDICT_OK)
        return status;
    a.bench = pdict__bench_for(d);
    if (!a.bench)
        return PDICT_NOMEM;
    status = find_kind(&a);
    if (status == PDICT_OK)
        status = commit_addition(&a);
    pdict__bench_give(d->map->pipeline, a.bench);
    if (status == PDICT_OK && result)
        *result = a.sum;
    return status;
}

/* ---- trying until nobody comes in between ---- */

/* Statuses of a conditional write that lost against another. */
static bool is_lost(int status)
{
    return status == PDICT_CONFLICT || status == PDICT_NOTFOUND || status == PDICT_EXISTS;
}

/* Each loss is somebody's success, so this ends only where others never do. */
static int check_time(const pdict *d, int64_t deadline_ms)
{
    if (pdict__steady_ms() < deadline_ms)
        return PDICT_OK;
    return pdict_fail(PDICT_BUSY,
                      "%s: the entry kept changing until the timeout passed; try again or raise "
                      "timeout=",
                      d->map->store->path);
}

static int del_version(const pdict *d, pdict_slice key, uint64_t version, unsigned durability)
{
    pdict_change change = { .kind = PDICT_CHANGE_DEL,
                            .condition = PDICT_IF_VERSION,
                            .if_version = version,
                            .row.key = key };
    struct hidden_key room;
    int status;

    if ((status = pdict__hide(d, &change.row.key, &room)) != PDICT_OK)
        return status;
    status = pdict__change(d, &change, 1, NULL, durability,
                           pdict__cache_prepare(d, &change, change.row.value));
    return status == PDICT_OK ? change.status : status;
}

/* Decoded before it is deleted: what cannot be read stays. */
int pdict_pop(pdict *d, pdict_slice key, pdict_view *out)
{
    int64_t deadline_ms = pdict__time_add(pdict__steady_ms(), d->timeout_ms);
    int status;

    for (;;) {
        if ((status = pdict_get(d, key, out)) != PDICT_OK)
            return status;
        if ((status = del_version(d, key, out->version, 0)) == PDICT_OK)
            return PDICT_OK;
        pdict_view_release(out);
        if (!is_lost(status) || (status = check_time(d, deadline_ms)) != PDICT_OK)
            return status;
    }
}

static int put_over(pdict *d, pdict_slice key, pdict_slice value, const pdict_view *old,
                    const pdict_put_options *how)
{
    pdict_put_options full = PDICT_PUT_OPTIONS_INIT;

    if (how)
        memcpy(&full, how, how->struct_size < sizeof(full) ? how->struct_size : sizeof(full));
    full.struct_size = sizeof(full);
    full.flags = old ? PDICT_PUT_IF_VERSION : PDICT_PUT_IF_ABSENT;
    if (old) {
        full.if_version = old->version;
        full.ttl_ms = 0;
        full.expires_ms = old->expires_ms != 0 ? old->expires_ms : PDICT_NEVER;
    }
    return pdict_put(d, key, value, &full);
}

struct modification {
    pdict *d;
    pdict_slice key;
    pdict_modify_fn fn;
    void *ctx;
    const pdict_put_options *how;
    unsigned durability;
};

/* `old` NULL: the key is absent. */
static int modify_once(const struct modification *m, const pdict_view *old, bool *is_tried)
{
    pdict_slice value = { NULL, 0 };
    int status;

    pdict__callback_begin();
    status = m->fn(m->ctx, old, &value);
    pdict__callback_end();
    *is_tried = status == PDICT_OK;
    if (status != PDICT_OK)
        return status;
    if (value.data)
        return put_over(m->d, m->key, value, old, m->how);
    return old ? del_version(m->d, m->key, old->version, m->durability) : PDICT_OK;
}

/* False: it has been tried, and somebody else has been faster. */
static bool try_to_modify(const struct modification *m, int *status)
{
    bool is_tried;
    pdict_view view;

    *status = pdict_get(m->d, m->key, &view);
    if (*status != PDICT_OK && *status != PDICT_NOTFOUND)
        return true;
    *status = modify_once(m, *status == PDICT_OK ? &view : NULL, &is_tried);
    pdict_view_release(&view);
    return !is_tried || !is_lost(*status);
}

int pdict_modify(pdict *d, pdict_slice key, pdict_modify_fn fn, void *ctx,
                 const pdict_put_options *how)
{
    int64_t deadline_ms = pdict__time_add(pdict__steady_ms(), d->timeout_ms);
    struct modification m = { .d = d, .key = key, .fn = fn, .ctx = ctx, .how = how };
    struct put_plan plan;
    int status;

    if ((status = pdict__put_plan(d, how, &plan)) != PDICT_OK)
        return status;
    if (plan.condition != PDICT_IF_ANY)
        return fail_flags("modify");
    m.durability = plan.durability;
    while (!try_to_modify(&m, &status)) {
        if ((status = check_time(d, deadline_ms)) != PDICT_OK)
            return status;
    }
    return status;
}
