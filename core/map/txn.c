/* SPDX-License-Identifier: MIT */
/* Transactions: begun with a snapshot and no lock, kept in memory, validated and written at the end. */
#include "base/calls.h"
#include "map/txn.h"

/* ---- beginning and joining ---- */

static void free_all(struct txn *txn)
{
    pdict_allocator allocator = txn->store->allocator;

    for (struct txn_map *part = txn->maps, *next; part; part = next) {
        next = part->next;
        pdict__txn_ranges_free(part);
        pdict__txn_rows_free(part);
        pdict__free(&allocator, part);
    }
    pdict__free(&allocator, txn);
}

static int add_map(struct txn *txn, const pdict *d, pdict **out)
{
    struct txn_map *part = pdict__calloc(&txn->store->allocator, 1, sizeof(*part));

    if (!part)
        return PDICT_NOMEM;
    part->handle = *d;
    part->settings = pdict__pipeline_settings(d->map->pipeline);
    /* What it reads is of its snapshot, and what it writes is for nobody else yet. */
    part->handle.near = part->handle.cache = NULL;
    part->handle.part = part;
    part->txn = txn;
    part->next = txn->maps;
    txn->maps = part;
    *out = &part->handle;
    return PDICT_OK;
}

static int begin(struct txn *txn, const pdict *d, pdict **out)
{
    int status = pdict__settings_check(d);

    if (status == PDICT_OK)
        status = pdict__random(&txn->seed, sizeof(txn->seed));

    if (status == PDICT_OK)
        status = add_map(txn, d, out);
    if (status == PDICT_OK && txn->is_exclusive)
        status = pdict__writer_hold(txn->store, d->timeout_ms);
    if (status != PDICT_OK)
        return status;
    if ((status = pdict__hold_begin(txn->store, &txn->hold)) == PDICT_OK)
        txn->hold.has_gate = txn->is_exclusive;
    else if (txn->is_exclusive)
        pdict__writer_let_go(txn->store);
    return status;
}

static int begin_inside(struct txn *txn, const pdict *d, pdict **out)
{
    int status = pdict__store_enter(txn->store);

    if (status != PDICT_OK)
        return status;
    status = begin(txn, d, out);
    pdict__store_leave();
    return status;
}

int pdict_begin(pdict *d, unsigned flags, pdict **out)
{
    struct txn *txn;
    int status;

    *out = NULL;
    if ((status = pdict__not_inside(d, "pdict_begin")) != PDICT_OK)
        return status;
    if (flags & ~PDICT_TXN_EXCLUSIVE)
        return pdict_fail(PDICT_INVAL, "begin: no other flag than PDICT_TXN_EXCLUSIVE is known");
    txn = pdict__calloc(&d->map->store->allocator, 1, sizeof(*txn));
    if (!txn)
        return PDICT_NOMEM;
    txn->store = d->map->store;
    txn->is_exclusive = (flags & PDICT_TXN_EXCLUSIVE) != 0;
    txn->hold.thread = pthread_self();
    if ((status = begin_inside(txn, d, out)) != PDICT_OK) {
        free_all(txn);
        *out = NULL;
    }
    return status;
}

int pdict_join(pdict *txn, pdict *d, pdict **out)
{
    struct txn_map *part = txn->part;
    int status;

    *out = NULL;
    if (!part || d->part)
        return pdict_fail(PDICT_MISUSE,
                          "pdict_join() takes a transaction and a map, in this order");
    if (d->map->store != part->txn->store)
        return pdict_fail(PDICT_INVAL,
                          "join: map '%s' lies in another store; a transaction is of one store",
                          d->name);
    for (part = part->txn->maps; part; part = part->next) {
        if (part->handle.map == d->map) {
            *out = &part->handle;
            return PDICT_OK;
        }
    }
    if ((status = pdict__settings_check(d)) != PDICT_OK)
        return status;
    return add_map(txn->part->txn, d, out);
}

/* ---- ending ---- */

/* What a commit of one map consists of. */
struct part_commit {
    struct commit commit;
    const struct txn_map *part;
    struct txn_row **rows;
    pdict_change *changes;
};

struct txn_commit {
    struct txn *txn;
    const pdict *strictest; /* of the maps that are written, by durability */
    struct part_commit *parts;
    size_t n_parts;
};

static int validate(void *ctx, struct store *store, void *write_txn)
{
    const struct txn_commit *commit = ctx;

    (void)store;
    return pdict__txn_validate(commit->txn, write_txn);
}

static pdict_change deletion(const struct txn_row *row)
{
    return (pdict_change){ .kind = PDICT_CHANGE_DEL, .row.key = row->key };
}

static pdict_change insertion(const struct txn_row *row, const struct txn_state *state)
{
    return (pdict_change){ .kind = PDICT_CHANGE_PUT,
                           .row = { .key = row->key,
                                    .value = { row->record, row->record_size },
                                    .version = state->version,
                                    .created_ms = state->created_ms,
                                    .expires_ms = state->expires_ms },
                           .accessed_ms = row->accessed_ms };
}

/* A row that went and came again has lost its place, so it goes and comes again in the store. One
 * that had expired, was put and went, goes for good: it does not come back with the clock. */
static size_t add_changes(const struct txn_row *row, pdict_change *changes)
{
    bool is_buried = row->base.is_there && !row->is_dropped && !row->now.is_there;
    size_t n = 0;

    if (row->is_dropped)
        changes[n++] = deletion(row);
    if (row->now.is_there)
        changes[n++] = insertion(row, &row->now);
    if (is_buried) {
        changes[n++] = insertion(row, &(struct txn_state){ .version = row->base.version });
        changes[n++] = deletion(row);
    }
    return n;
}

static int fill_part(const struct txn_map *part, struct part_commit *out)
{
    const pdict_allocator *allocator = &part->txn->store->allocator;
    int status;

    out->part = part;
    out->commit.map = part->handle.map->number;
    if (part->n_written == 0)
        return PDICT_OK;
    if ((status = pdict__txn_written_rows(part, &out->rows)) != PDICT_OK)
        return status;
    out->changes = pdict__calloc(allocator, 2 * part->n_written, sizeof(*out->changes));
    if (!out->changes)
        return PDICT_NOMEM;
    out->commit.changes = out->changes;
    for (size_t i = 0; i < part->n_written; i++)
        out->commit.count += add_changes(out->rows[i], out->changes + out->commit.count);
    return PDICT_OK;
}

static bool is_committed(const struct txn_map *part)
{
    return part->n_written > 0 || part->must_hold;
}

static int fill_commit(struct txn_commit *commit)
{
    int status = PDICT_OK;

    for (const struct txn_map *part = commit->txn->maps; part && status == PDICT_OK;
         part = part->next) {
        struct part_commit *out = &commit->parts[commit->n_parts];

        if (!is_committed(part))
            continue;
        if (commit->n_parts++ > 0)
            out[-1].commit.also = &out->commit;
        if (!commit->strictest || part->handle.durability < commit->strictest->durability)
            commit->strictest = &part->handle;
        status = fill_part(part, out);
    }
    return status;
}

static size_t count_committed(const struct txn *txn, size_t *n_maps)
{
    size_t n = 0;

    *n_maps = 0;
    for (const struct txn_map *part = txn->maps; part; part = part->next) {
        n += is_committed(part);
        ++*n_maps;
    }
    return n;
}

static void use_puts(const struct txn_commit *commit)
{
    for (size_t i = 0; i < commit->n_parts; i++) {
        const struct part_commit *part = &commit->parts[i];

        pdict__use_puts(&part->part->handle, part->changes, part->commit.count);
    }
}

static int write_out(struct txn_commit *commit)
{
    struct commit *first = &commit->parts[0].commit;
    int status;

    if ((status = fill_commit(commit)) != PDICT_OK)
        return status;
    pdict__hold_end(commit->txn->store, &commit->txn->hold);
    first->generation = pdict__txn_oldest(commit->txn);
    first->prepare = validate;
    first->ctx = commit;
    first->is_held = commit->txn->is_exclusive;
    status = pdict__commit_for(commit->strictest, first, 0);
    commit->txn->telling = first->telling;
    if (status == PDICT_OK)
        use_puts(commit);
    return status;
}

static int try_to_commit(struct txn *txn, size_t n_maps)
{
    const pdict_allocator *allocator = &txn->store->allocator;
    struct txn_commit commit = { .txn = txn };
    int status;

    commit.parts = pdict__calloc(allocator, n_maps, sizeof(*commit.parts));
    status = commit.parts ? write_out(&commit) : PDICT_NOMEM;
    for (size_t i = 0; i < commit.n_parts; i++) {
        pdict__free(allocator, commit.parts[i].rows);
        pdict__free(allocator, commit.parts[i].changes);
    }
    pdict__free(allocator, commit.parts);
    return status;
}

static int commit_writes(struct txn *txn, size_t n_maps)
{
    int status = try_to_commit(txn, n_maps);

    while (status == COMMIT_STALE && (status = pdict__txn_reseal(txn)) == PDICT_OK)
        status = try_to_commit(txn, n_maps);
    return status;
}

static int check_end(const struct txn *txn)
{
    if (txn->n_iters > 0)
        return pdict_fail(PDICT_MISUSE,
                          "commit: %u iterators of the transaction are open; close them first",
                          txn->n_iters);
    if (txn->is_exclusive && !pthread_equal(txn->hold.thread, pthread_self()))
        return pdict_fail(PDICT_MISUSE,
                          "commit: an exclusive transaction is ended by the thread that began it");
    return PDICT_OK;
}

/* Inside. */
static void end_txn(struct txn *txn)
{
    bool has_gate = txn->hold.has_gate;

    pdict__hold_end(txn->store, &txn->hold);
    /* In the child of a fork from inside a call the gate is the parent's. */
    if (has_gate && pdict__store_check(txn->store) == PDICT_OK)
        pdict__writer_let_go(txn->store);
    free_all(txn);
}

static int commit(struct txn *txn)
{
    size_t n_maps;
    int status = pdict__store_enter(txn->store);

    if (status != PDICT_OK)
        return status;
    if (txn->is_doomed || pdict__hold_is_lost(&txn->hold))
        status = PDICT_CONFLICT;
    else if (count_committed(txn, &n_maps) > 0)
        status = commit_writes(txn, n_maps);
    pdict__store_leave();
    return status;
}

int pdict_commit(pdict *d)
{
    struct txn *txn = d->part ? d->part->txn : NULL;
    struct telling telling;
    struct store *store;
    int status;

    if (!txn)
        return pdict_fail(PDICT_MISUSE, "pdict_commit() takes a transaction");
    if ((status = check_end(txn)) != PDICT_OK)
        return status;
    pdict__call_begin();
    status = commit(txn);
    store = txn->store;
    telling = txn->telling;
    end_txn(txn);
    pdict__call_end();
    pdict__tell(store, &telling, status);
    return status;
}

void pdict_abort(pdict *d)
{
    if (!d || !d->part)
        return;
    pdict__call_begin();
    end_txn(d->part->txn);
    pdict__call_end();
}

/* ---- running ---- */

static int run_once(pdict *d, pdict_txn_fn fn, void *ctx)
{
    pdict *txn;
    int status = pdict_begin(d, 0, &txn);

    if (status != PDICT_OK)
        return status;
    pdict__callback_begin();
    status = fn(ctx, txn);
    pdict__callback_end();
    if (status == PDICT_OK)
        return pdict_commit(txn);
    pdict_abort(txn);
    return status;
}

int pdict_run(pdict *d, pdict_txn_fn fn, void *ctx, unsigned retries)
{
    int status = run_once(d, fn, ctx);

    for (; status == PDICT_CONFLICT && retries > 0; retries--)
        status = run_once(d, fn, ctx);
    return status;
}
