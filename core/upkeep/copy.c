/* SPDX-License-Identifier: MIT */
/* The rows of a map, in their order, into one that may hold some of them already. */
#include "upkeep/upkeep.h"

/* Rows between two times that pages read are given back: so many small ones fill a batch. */
#define TRIM_STEPS 65536

/* Walks what the target has already. No snapshot of it is held while a batch is committed: an
 * engine may have to move its mapping then. */
struct there {
    void *reader;
    void *cursor;
    pdict_row row; /* the next of them; borrowed from the cursor */
    uint64_t next_id;
    bool is_over;
};

struct job {
    const struct map_copy *copy;
    void *cursor; /* on the source */
    struct there there;
    struct batch batch;
};

static void trim(const struct store *store, void *reader)
{
    if (store->backend->trim)
        store->backend->trim(store->engine, reader);
}

/* ---- the source ---- */

static int open_source(const struct map_copy *copy, void **cursor)
{
    pdict_scan everything = { .flags = 0 };

    return copy->from->backend->scan_open(copy->from->engine, copy->snapshot, copy->from_map,
                                          &everything, cursor);
}

/* The next row that has not expired, in `row`; PDICT_END. */
static int next_source(const struct map_copy *copy, void *cursor, pdict_row *row, uint64_t *expired)
{
    int status;

    while ((status = copy->from->backend->scan_next(copy->from->engine, cursor, row)) == PDICT_OK &&
           pdict__expired(row->expires_ms, copy->now_ms))
        (*expired)++;
    return status;
}

/* ---- the target ---- */

static void leave_target(struct job *job)
{
    struct store *to = job->copy->to;

    if (job->there.cursor)
        to->backend->scan_close(to->engine, job->there.cursor);
    if (job->there.reader)
        pdict__read_end(to, job->there.reader);
    job->there.cursor = job->there.reader = NULL;
}

static int open_target(struct job *job)
{
    struct store *to = job->copy->to;
    pdict_scan rest = { .flags = PDICT_SCAN_NO_VALUES, .from_id = job->there.next_id };
    int status;

    if ((status = pdict__read_begin(to, &job->there.reader)) != PDICT_OK) {
        job->there.reader = NULL;
        return status;
    }
    status = to->backend->scan_open(to->engine, job->there.reader, job->copy->to_map, &rest,
                                    &job->there.cursor);
    if (status != PDICT_OK)
        job->there.cursor = NULL;
    return status;
}

/* Step to the next row of the target. */
static int next_there(struct job *job)
{
    struct store *to = job->copy->to;
    int status;

    status = to->backend->scan_next(to->engine, job->there.cursor, &job->there.row);
    if (status == PDICT_OK)
        job->there.next_id = job->there.row.id;
    if (status != PDICT_END)
        return status;
    job->there.is_over = true;
    leave_target(job);
    return PDICT_OK;
}

/* ---- committing ---- */

static int commit_batch(struct job *job)
{
    const struct map_copy *copy = job->copy;
    struct recoded *recoded = NULL;
    int status = PDICT_OK;

    pdict__batch_settle(&job->batch);
    if (copy->recoder && job->batch.count > 0)
        status = pdict__recode_batch(copy->recoder, &job->batch, &recoded);
    if (status == PDICT_OK)
        status = pdict__batch_commit(&job->batch);
    pdict__recoded_free(recoded);
    return status;
}

/* The source's cursor holds no row any more when this returns. */
static int commit_if_full(struct job *job)
{
    int status;

    if (!pdict__batch_is_full(&job->batch))
        return PDICT_OK;
    leave_target(job);
    if ((status = commit_batch(job)) != PDICT_OK)
        return status;
    trim(job->copy->from, job->copy->snapshot);
    if (job->there.is_over)
        return PDICT_OK;
    if ((status = open_target(job)) != PDICT_OK)
        return status;
    return next_there(job);
}

/* ---- merging ---- */

/*
 * What is there was copied in the order of the source, which since then has lost some rows, changed
 * some in their places and gained others at its end. So the rows of both are met in the same order:
 * one that is not the next of the source is gone from there, or has moved to the end.
 */
static int merge(struct job *job, const pdict_row *row)
{
    struct there *there = &job->there;
    int status;

    while (!there->is_over) {
        bool is_same = pdict__slice_equal(there->row.key, row->key) &&
                       there->row.created_ms == row->created_ms;
        bool is_current = is_same && there->row.version == row->version &&
                          there->row.expires_ms == row->expires_ms;

        if (is_current) {
            job->copy->result->kept++;
            return next_there(job);
        }
        if (is_same) {
            job->copy->result->copied++;
            status = pdict__batch_put(&job->batch, row);
            return status == PDICT_OK ? next_there(job) : status;
        }
        job->copy->result->removed++;
        if ((status = pdict__batch_del(&job->batch, there->row.key)) != PDICT_OK)
            return status;
        if ((status = next_there(job)) != PDICT_OK)
            return status;
    }
    job->copy->result->copied++;
    return pdict__batch_put(&job->batch, row);
}

static int remove_rest(struct job *job)
{
    int status = PDICT_OK;

    while (status == PDICT_OK && !job->there.is_over) {
        job->copy->result->removed++;
        if ((status = pdict__batch_del(&job->batch, job->there.row.key)) == PDICT_OK)
            status = next_there(job);
        if (status == PDICT_OK)
            status = commit_if_full(job);
    }
    return status;
}

static int merge_all(struct job *job)
{
    const struct map_copy *copy = job->copy;
    pdict_row row;
    int status;

    while ((status = next_source(copy, job->cursor, &row, &copy->result->expired)) == PDICT_OK) {
        copy->result->records++;
        if ((status = merge(job, &row)) != PDICT_OK)
            return status;
        if ((status = commit_if_full(job)) != PDICT_OK)
            return status;
        if ((status = pdict__progress_step(copy->progress)) != PDICT_OK)
            return status;
    }
    if (status == PDICT_END)
        status = remove_rest(job);
    leave_target(job);
    return status == PDICT_OK ? commit_batch(job) : status;
}

int pdict__copy_rows(const struct map_copy *copy)
{
    struct job job = { .copy = copy, .there.is_over = copy->is_new };
    int status = open_source(copy, &job.cursor);

    if (status != PDICT_OK)
        return status;
    pdict__batch_init(&job.batch, copy->to, copy->to_map, copy->timeout_ms);
    if (!copy->is_new && (status = open_target(&job)) == PDICT_OK)
        status = next_there(&job);
    if (status == PDICT_OK)
        status = merge_all(&job);
    leave_target(&job);
    copy->from->backend->scan_close(copy->from->engine, job.cursor);
    pdict__batch_free(&job.batch);
    return status;
}

/* ---- comparing ---- */

struct comparison {
    const struct map_copy *copy;
    void *cursor, *reader, *there; /* on the source; on the target */
    struct workbench *from, *to;   /* with a recoder */
};

static int different(const struct map_copy *copy, const char *what)
{
    return pdict_fail(PDICT_DAMAGED,
                      "%s: %s, so the copy was given up; check the disk and the memory of the "
                      "machine, then run this again",
                      copy->to->path, what);
}

static int compare_values(const struct comparison *c, const pdict_row *a, const pdict_row *b)
{
    const struct recoder *recoder = c->copy->recoder;
    struct binding binding = { a->key, a->version, a->expires_ms };
    pdict_slice from, to;
    int status;

    if (!recoder)
        return pdict__slice_equal(a->value, b->value)
                   ? PDICT_OK
                   : different(c->copy, "a record reads back different");
    status = pdict__decode(recoder->from->pipeline, c->from, &binding, a->value, NULL, &from);
    if (status == PDICT_OK)
        status = pdict__decode(recoder->to->pipeline, c->to, &binding, b->value, NULL, &to);
    if (status != PDICT_OK)
        return status;
    return pdict__slice_equal(from, to) ? PDICT_OK
                                        : different(c->copy, "a value reads back different");
}

static int compare_next(const struct comparison *c)
{
    const struct map_copy *copy = c->copy;
    uint64_t ignored = 0;
    pdict_row a, b;
    int from, to;

    from = next_source(copy, c->cursor, &a, &ignored);
    if (from != PDICT_OK && from != PDICT_END)
        return from;
    to = copy->to->backend->scan_next(copy->to->engine, c->there, &b);
    if (to != PDICT_OK && to != PDICT_END)
        return to;
    if (from != to)
        return different(copy, "it has not as many entries as the source");
    if (from == PDICT_END)
        return PDICT_END;
    if (!pdict__slice_equal(a.key, b.key) || a.version != b.version ||
        a.created_ms != b.created_ms || a.expires_ms != b.expires_ms)
        return different(copy, "an entry is not the one of the source");
    return compare_values(c, &a, &b);
}

static int compare_all(const struct comparison *c)
{
    const struct map_copy *copy = c->copy;
    int status;

    while ((status = compare_next(c)) == PDICT_OK) {
        if ((status = pdict__progress_step(copy->progress)) != PDICT_OK)
            return status;
        if (copy->progress->done % TRIM_STEPS == 0)
            trim(copy->from, copy->snapshot);
        if (copy->progress->done % TRIM_STEPS == 0)
            trim(copy->to, c->reader);
    }
    return status == PDICT_END ? PDICT_OK : status;
}

static int open_comparison(struct comparison *c)
{
    const struct map_copy *copy = c->copy;
    pdict_scan everything = { .flags = 0 };
    int status;

    if ((status = open_source(copy, &c->cursor)) != PDICT_OK)
        return status;
    if ((status = pdict__read_begin(copy->to, &c->reader)) != PDICT_OK)
        return status;
    status = copy->to->backend->scan_open(copy->to->engine, c->reader, copy->to_map, &everything,
                                          &c->there);
    if (status != PDICT_OK || !copy->recoder)
        return status;
    c->from = pdict__bench_take(copy->recoder->from->pipeline);
    c->to = pdict__bench_take(copy->recoder->to->pipeline);
    return c->from && c->to ? PDICT_OK : PDICT_NOMEM;
}

static void close_comparison(struct comparison *c)
{
    const struct map_copy *copy = c->copy;

    if (c->from)
        pdict__bench_give(copy->recoder->from->pipeline, c->from);
    if (c->to)
        pdict__bench_give(copy->recoder->to->pipeline, c->to);
    if (c->there)
        copy->to->backend->scan_close(copy->to->engine, c->there);
    if (c->reader)
        pdict__read_end(copy->to, c->reader);
    if (c->cursor)
        copy->from->backend->scan_close(copy->from->engine, c->cursor);
}

int pdict__compare_rows(const struct map_copy *copy)
{
    struct comparison c = { .copy = copy };
    int status = open_comparison(&c);

    if (status == PDICT_OK)
        status = compare_all(&c);
    close_comparison(&c);
    return status;
}
