/* SPDX-License-Identifier: MIT */
/* The records of a map that are made anew: tried, rewritten a few at a time, read back. */
#include <time.h>

#include "base/calls.h"
#include "upkeep/anew.h"
#include "value/pipeline.h"

/* A step is read from one snapshot, and written by one commit that is to take some milliseconds. */
#define STEP_ROWS_FIRST 64
#define STEP_ROWS_MOST  4096
#define STEP_BYTES      ((size_t)4 << 20)
#define STEP_SHORT_MS   5
#define STEP_LONG_MS    10

/* Between two questions to the caller while the rate is kept. */
#define PAUSE_MS 50

/* ---- a step of a walk by id ---- */

struct step {
    struct anew *anew;
    struct batch batch;
    struct workbench *bench;
    struct buf records; /* new ones, one behind the other */
    size_t most;        /* rows */
    size_t looked_at;
    uint64_t before_bytes, after_bytes; /* of the records that are made */
    uint64_t next_id;
    bool is_last;
};

static int step_init(struct step *step, struct anew *anew, uint64_t next_id)
{
    struct store *store = anew->d->map->store;

    *step = (struct step){ .anew = anew,
                           .records.allocator = &store->allocator,
                           .most = STEP_ROWS_FIRST,
                           .next_id = next_id };
    pdict__batch_init(&step->batch, store, anew->d->map->number, anew->d->timeout_ms);
    step->bench = pdict__bench_take(anew->d->map->pipeline);
    if (!step->bench)
        return PDICT_NOMEM;
    /* Between its steps a walk is not inside a call. */
    pdict__call_end();
    return PDICT_OK;
}

static void step_free(struct step *step)
{
    if (step->bench) {
        pdict__call_begin();
        pdict__bench_give(step->anew->d->map->pipeline, step->bench);
    }
    pdict__batch_free(&step->batch);
    pdict__buf_free(&step->records);
}

static int read_rows(struct step *step, void *cursor)
{
    struct store *store = step->batch.store;
    pdict_row row;
    int status = PDICT_OK;

    while (step->batch.count < step->most && step->batch.bytes.size < STEP_BYTES) {
        if ((status = store->backend->scan_next(store->engine, cursor, &row)) != PDICT_OK)
            break;
        if ((status = pdict__batch_put(&step->batch, &row)) != PDICT_OK)
            break;
        step->next_id = row.id + 1;
    }
    step->is_last = status == PDICT_END;
    return step->is_last ? PDICT_OK : status;
}

/* Copies of the next rows; their versions are in the changes. */
static int step_read(struct step *step)
{
    struct store *store = step->batch.store;
    pdict_scan scan = { .from_id = step->next_id };
    struct generation_ref settings;
    void *reader, *cursor;
    int status;

    step->batch.count = step->batch.bytes.size = step->batch.changes.size = 0;
    if ((status = pdict__begin_with(step->anew->d, &settings, &reader)) != PDICT_OK)
        return status;
    pdict__bench_keep_to(step->bench, settings);
    status = store->backend->scan_open(store->engine, reader, step->batch.map, &scan, &cursor);
    if (status == PDICT_OK) {
        status = read_rows(step, cursor);
        store->backend->scan_close(store->engine, cursor);
    }
    pdict__end(step->anew->d, reader);
    step->looked_at = step->batch.count;
    if (status == PDICT_OK)
        pdict__batch_settle(&step->batch);
    return status;
}

/* The first one decides what the call returns; the others are done nevertheless. */
static int note_damage(struct anew *anew, int status)
{
    if (!pdict__is_damage(status))
        return status;
    if (anew->damage == PDICT_OK)
        memcpy(anew->damage_text, pdict_error_text(), strlen(pdict_error_text()) + 1);
    if (anew->damage == PDICT_OK)
        anew->damage = status;
    return PDICT_OK;
}

static int decode(const struct step *step, const pdict_row *row, pdict_slice *value)
{
    struct binding binding = { row->key, row->version, row->expires_ms };

    return pdict__decode(step->anew->d->map->pipeline, step->bench, &binding, row->value, NULL,
                         value);
}

static int walk_rows(struct step *step, int (*row_fn)(struct step *step, const pdict_row *row))
{
    const pdict_change *changes = pdict__batch_changes(&step->batch);
    int status = PDICT_OK;

    pdict__call_begin();
    for (size_t i = 0; status == PDICT_OK && i < step->batch.count; i++)
        status = row_fn(step, &changes[i].row);
    pdict__call_end();
    return status;
}

static int walk(struct step *step, int (*row_fn)(struct step *step, const pdict_row *row))
{
    struct anew *anew = step->anew;
    uint64_t done = 0;
    int status = PDICT_OK;

    step->most = STEP_ROWS_MOST;
    while (status == PDICT_OK && !step->is_last) {
        if ((status = step_read(step)) != PDICT_OK)
            return status;
        status = walk_rows(step, row_fn);
        done += step->batch.count;
        if (status == PDICT_OK)
            status = pdict__progress_at(&anew->progress, done, anew->progress.total);
    }
    return status;
}

static int walk_all(struct anew *anew, int (*row_fn)(struct step *step, const pdict_row *row))
{
    struct step step;
    int status = step_init(&step, anew, 1);

    if (status == PDICT_OK)
        status = walk(&step, row_fn);
    step_free(&step);
    return status;
}

static int begin_phase(struct anew *anew, const char *phase)
{
    uint64_t total;
    int status = pdict_count(anew->d, &total);

    return status == PDICT_OK ? pdict__progress_begin(&anew->progress, phase, total) : status;
}

/* ---- trying ---- */

struct trial {
    struct step step;
    const pdict_serializer *from, *to;
};

static int try_row(struct step *step, const pdict_row *row)
{
    struct trial *trial = (struct trial *)step;
    struct pipeline *pipeline = step->anew->d->map->pipeline;
    pdict_slice value, turned;
    int status = decode(step, row, &value);

    if (status != PDICT_OK)
        return status;
    status = pdict__turn(pipeline, step->bench, trial->from, trial->to, value, &turned);
    if (status == PDICT_OK && turned.size > pipeline->max_value)
        return pdict__value_too_big(pipeline, turned.size);
    return status == PDICT_FORMAT || status == PDICT_UNSUPPORTED
               ? pdict_fail(PDICT_INVAL, "recode: a value cannot be carried over: %s",
                            pdict_error_text())
               : status;
}

int pdict__anew_check(struct anew *anew, const pdict_codec *from, const pdict_codec *to)
{
    struct trial trial = { .from = from->serializer, .to = to->serializer };
    int status = begin_phase(anew, "check");

    if (status == PDICT_OK)
        status = step_init(&trial.step, anew, 1);
    if (status == PDICT_OK)
        status = walk(&trial.step, try_row);
    if (trial.step.anew)
        step_free(&trial.step);
    return status;
}

/* ---- rewriting ---- */

/* Is it left as it is? Any record may be of another level or dictionary, but not of another key. */
static bool is_left(const struct anew *anew, const pdict_row *row)
{
    struct record_header header;

    return anew->is_rekey && pdict__record_header_read(row->value, &header) == PDICT_OK &&
           pdict__anew_is_new(anew, &header);
}

static int make_new(struct step *step, pdict_row *row)
{
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_slice value, record;
    int status = decode(step, row, &value);

    if (status == PDICT_OK)
        status = pdict__encode_named(step->anew->d->map->pipeline, step->bench, &binding,
                                     pdict__bench_name(step->bench), value, &record);
    if (status != PDICT_OK)
        return status;
    step->before_bytes += row->value.size;
    step->after_bytes += record.size;
    row->value.size = record.size;
    return pdict__buf_append(&step->records, record.data, record.size);
}

static void point(struct step *step, size_t count)
{
    pdict_change *changes = pdict__batch_changes(&step->batch);
    const uint8_t *at = step->records.data;

    for (size_t i = 0; i < count; i++) {
        changes[i].row.value.data = at;
        at += changes[i].row.value.size;
    }
    step->batch.count = count;
}

/* Only the changes that are to be made stay in the batch. */
static int make_records(struct step *step)
{
    pdict_change *changes = pdict__batch_changes(&step->batch);
    size_t count = 0;

    step->records.size = 0;
    step->before_bytes = step->after_bytes = 0;
    for (size_t i = 0; i < step->batch.count; i++) {
        pdict_change change = changes[i];
        int status;

        if (is_left(step->anew, &change.row))
            continue;
        change.condition = PDICT_IF_VERSION;
        change.if_version = change.row.version;
        status = make_new(step, &change.row);
        if (status == PDICT_OK)
            changes[count++] = change;
        else if ((status = note_damage(step->anew, status)) != PDICT_OK)
            return status;
    }
    point(step, count);
    return PDICT_OK;
}

/* At the beginning of time nothing has expired: a dead row is made anew like any other. */
static int write_inside(void *ctx, struct store *store, void *txn)
{
    struct step *step = ctx;
    struct anew_state state = step->anew->state;
    struct batch *batch = &step->batch;
    int status = pdict__anew_state_check(store, txn, batch->map, &state);

    state.next_id = step->next_id;
    state.done += step->looked_at;
    if (status == PDICT_OK && batch->count > 0)
        status = pdict__rows_apply(store, txn, batch->map, pdict__batch_changes(batch),
                                   batch->count, INT64_MIN);
    return status == PDICT_OK ? pdict__anew_state_write(store, txn, batch->map, &state) : status;
}

static void adapt(struct step *step, int64_t took_ms)
{
    if (took_ms < STEP_SHORT_MS && step->most < STEP_ROWS_MOST)
        step->most *= 2;
    else if (took_ms > STEP_LONG_MS && step->most > 1)
        step->most /= 2;
}

static int step_commit(struct step *step)
{
    struct commit commit = { .generation = pdict__bench_settings(step->bench).number,
                             .work = write_inside,
                             .keeps_rows = true,
                             .ctx = step };

    return pdict__commit_for(step->anew->d, &commit, PDICT_COMMIT_ORDERED);
}

static void count_step(struct step *step)
{
    const pdict_change *changes = pdict__batch_changes(&step->batch);
    struct anew *anew = step->anew;

    anew->state.next_id = step->next_id;
    anew->state.done += step->looked_at;
    anew->result.records += step->looked_at;
    anew->result.before_bytes += step->before_bytes;
    anew->result.after_bytes += step->after_bytes;
    for (size_t i = 0; i < step->batch.count; i++)
        anew->result.rewritten += changes[i].status == PDICT_OK;
}

static int read_and_write(struct step *step)
{
    int64_t began_ms;
    int status;

    if ((status = step_read(step)) != PDICT_OK)
        return status;
    if ((status = make_records(step)) != PDICT_OK)
        return status;
    began_ms = pdict__steady_ms();
    if ((status = step_commit(step)) != PDICT_OK)
        return status;
    adapt(step, pdict__steady_ms() - began_ms);
    count_step(step);
    return PDICT_OK;
}

/* Settings that have moved meanwhile make the step be done again. */
static int step_once(struct step *step)
{
    int status;

    pdict__call_begin();
    status = read_and_write(step);
    pdict__call_end();
    if (status != PDICT_OK)
        return status;
    return pdict__progress_at(&step->anew->progress, step->anew->state.done,
                              step->anew->progress.total);
}

/* Let others have the disk until this call has read no more than it may. */
static int keep_rate(struct anew *anew, int64_t began_ms)
{
    uint64_t rate = anew->bytes_per_second;
    uint64_t due_ms = rate ? anew->result.before_bytes / rate * 1000 +
                                 anew->result.before_bytes % rate * 1000 / rate
                           : 0;
    int status = PDICT_OK;

    while (status == PDICT_OK && (uint64_t)(pdict__steady_ms() - began_ms) < due_ms) {
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
        status = pdict__progress_at(&anew->progress, anew->state.done, anew->progress.total);
    }
    return status;
}

static int rewrite(struct step *step)
{
    int64_t began_ms = pdict__steady_ms();
    int status;

    do {
        uint64_t from_id = step->next_id;

        if ((status = step_once(step)) == COMMIT_STALE) {
            step->next_id = from_id;
            step->is_last = false;
            status = PDICT_OK;
        } else if (status == PDICT_OK) {
            status = keep_rate(step->anew, began_ms);
        }
    } while (status == PDICT_OK && !step->is_last);
    return status;
}

int pdict__anew_rewrite_rows(struct anew *anew)
{
    struct step step;
    int status = begin_phase(anew, "recode");

    if (status != PDICT_OK)
        return status;
    if ((status = step_init(&step, anew, anew->state.next_id)) == PDICT_OK)
        status = rewrite(&step);
    step_free(&step);
    return status;
}

/* ---- reading back ---- */

static int verify_row(struct step *step, const pdict_row *row)
{
    struct anew *anew = step->anew;
    struct record_header header;
    pdict_slice value;
    int status = note_damage(anew, decode(step, row, &value));

    if (status == PDICT_OK && anew->damage == PDICT_OK &&
        (status = pdict__record_header_read(row->value, &header)) == PDICT_OK &&
        !pdict__anew_is_new(anew, &header))
        anew->state.next_id = 1;
    return status;
}

int pdict__anew_verify(struct anew *anew, bool *is_done)
{
    uint64_t next_id = anew->state.next_id;
    int status;

    *is_done = false;
    anew->damage = PDICT_OK;
    anew->state.next_id = UINT64_MAX;
    if ((status = begin_phase(anew, "verify")) == PDICT_OK)
        status = walk_all(anew, verify_row);
    *is_done = anew->state.next_id == UINT64_MAX;
    if (*is_done)
        anew->state.next_id = next_id;
    return status;
}
