/* SPDX-License-Identifier: MIT */
/* pdict_verify(): everything that is stored, looked at; nothing changed. */
#include <inttypes.h>
#include <stdio.h>

#include "upkeep/upkeep.h"

struct verification {
    struct store *store;
    void *reader;
    pdict_verify_options options;
    struct secret secret;
    struct progress progress;
    pdict_verify_result result;
};

/* What is being looked at. */
struct scope {
    struct verification *v;
    struct named_map map; /* number 0, name NULL: the store as a whole */
    struct judge judge;
    struct buf key; /* of a row, which itself is gone after the next call */
    uint64_t rows;  /* that can be read */
    bool has_gaps;
};

static int find(struct scope *scope, int kind, int status, pdict_slice key, const char *text)
{
    struct verification *v = scope->v;
    pdict_finding finding = {
        .kind = kind, .status = status, .map = scope->map.name, .key = key, .text = text
    };

    v->result.findings++;
    if (!v->options.finding || v->options.finding(v->options.finding_ctx, &finding) == 0)
        return PDICT_OK;
    return pdict_fail(PDICT_CANCELLED, "the caller ended the work at a finding");
}

/* A status of the machine ends the work; one of what is stored is a finding. */
static int find_status(struct scope *scope, int kind, int status, pdict_slice key)
{
    char text[512];

    /* One snapshot names the map and does not have it. */
    if (status == PDICT_NO_MAP && scope->map.name)
        status = PDICT_DAMAGED;
    if (status == PDICT_OK || !(pdict__is_damage(status) || status == PDICT_IO))
        return status;
    /* The caller's function may fail something itself. */
    memcpy(text, pdict_error_text(), strlen(pdict_error_text()) + 1);
    return find(scope, kind, status, key, text);
}

/* ---- what the engine finds ---- */

static int engine_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct scope *scope = ctx;

    /* Of the map's records something is known; of the engine's own work nothing as a rule. */
    if (scope->map.name)
        return pdict__progress_at(&scope->v->progress, scope->v->progress.done,
                                  scope->v->progress.total);
    return pdict__progress_at(&scope->v->progress, done, total);
}

static int engine_finding(void *ctx, pdict_slice key, const char *text)
{
    struct scope *scope = ctx;

    return find(scope, scope->map.name ? PDICT_FINDING_INDEX : PDICT_FINDING_ENGINE, PDICT_DAMAGED,
                key, text);
}

static int ask_engine(struct scope *scope)
{
    const struct store *store = scope->v->store;
    pdict_backend_events events = {
        .struct_size = sizeof(events),
        .ctx = scope,
        .progress = engine_progress,
        .finding = engine_finding,
    };
    int status;

    if (!store->backend->check)
        return PDICT_OK;
    status = store->backend->check(store->engine, scope->v->reader, scope->map.number, &events);
    return find_status(scope, PDICT_FINDING_ENGINE, status, (pdict_slice){ 0 });
}

/* ---- rows ---- */

static bool is_in_subset(const struct verification *v, pdict_slice key)
{
    return v->options.subsets < 2 ||
           pdict__hash64(key.data, key.size, 0) % v->options.subsets + 1 == v->options.subset;
}

/* A row that is seen by its id has to be found by its key. */
static int check_reach(struct scope *scope, uint64_t id)
{
    struct store *store = scope->v->store;
    pdict_slice key = pdict_bytes(scope->key.data, scope->key.size);
    pdict_row row;
    int status = store->backend->get(store->engine, scope->v->reader, scope->map.number, key, &row);

    if (status == PDICT_NOTFOUND)
        return find(scope, PDICT_FINDING_INDEX, PDICT_DAMAGED, key,
                    "the record is there, but its key does not lead to it");
    if (status == PDICT_OK && row.id != id)
        return find(scope, PDICT_FINDING_INDEX, PDICT_DAMAGED, key,
                    "the key leads to another record than this one");
    return find_status(scope, PDICT_FINDING_INDEX, status, key);
}

static int check_row(struct scope *scope, const pdict_row *row)
{
    struct verification *v = scope->v;
    uint64_t id = row->id;
    bool is_proven;
    int status;

    if (!is_in_subset(v, row->key))
        return PDICT_OK;
    scope->key.size = 0;
    if ((status = pdict__buf_append(&scope->key, row->key.data, row->key.size)) != PDICT_OK)
        return status;
    v->result.records++;
    v->result.bytes += row->key.size + row->value.size;
    status = pdict__judge_row(&scope->judge, row, &is_proven);
    if (status == PDICT_OK && !is_proven)
        v->result.unproven++;
    if (status != PDICT_OK)
        return find_status(scope, PDICT_FINDING_RECORD, status,
                           pdict_bytes(scope->key.data, scope->key.size));
    return check_reach(scope, id);
}

/* Ids whose rows cannot be read: their keys may be. */
static int report_gap(struct scope *scope, const struct walk *walk, int status)
{
    struct store *store = scope->v->store;
    pdict_scan gap = { .flags = PDICT_SCAN_NO_VALUES,
                       .from_id = walk->gap_from,
                       .to_id = walk->gap_to };
    void *cursor;
    pdict_row row;
    int result;

    scope->has_gaps = true;
    result = find_status(scope, PDICT_FINDING_RECORD, status, (pdict_slice){ 0 });
    if (result != PDICT_OK ||
        store->backend->scan_open(store->engine, scope->v->reader, scope->map.number, &gap,
                                  &cursor) != PDICT_OK)
        return result;
    while (result == PDICT_OK && store->backend->scan_next(store->engine, cursor, &row) == PDICT_OK)
        result = find(scope, PDICT_FINDING_RECORD, status, row.key, "the record cannot be read");
    store->backend->scan_close(store->engine, cursor);
    return result;
}

static int check_rows(struct scope *scope)
{
    struct walk walk;
    pdict_row row;
    int status = PDICT_OK;

    pdict__walk_begin(&walk, scope->v->store, scope->v->reader, scope->map.number);
    while (status == PDICT_OK) {
        status = pdict__walk_next(&walk, &row);
        scope->rows += status == PDICT_OK;
        if (status == PDICT_OK)
            status = check_row(scope, &row);
        else if (status == PDICT_DAMAGED || status == PDICT_IO)
            status = report_gap(scope, &walk, status);
        if (status == PDICT_OK)
            status = pdict__progress_step(&scope->v->progress);
    }
    pdict__walk_end(&walk);
    return status == PDICT_END ? PDICT_OK : status;
}

/* ---- keys and counts ---- */

/* Keys must come in their order, each once; scope->key is the one before. */
static int check_keys(struct scope *scope, void *cursor, uint64_t *keys)
{
    const struct store *store = scope->v->store;
    pdict_row row;
    int status;

    while ((status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        pdict_slice before = pdict_bytes(scope->key.data, scope->key.size);

        if (*keys > 0 && pdict__slice_compare(before, row.key) >= 0)
            status = find(scope, PDICT_FINDING_INDEX, PDICT_DAMAGED, row.key,
                          "the keys are out of order here");
        ++*keys;
        scope->key.size = 0;
        if (status == PDICT_OK)
            status = pdict__buf_append(&scope->key, row.key.data, row.key.size);
        if (status == PDICT_OK)
            status = pdict__progress_step(&scope->v->progress);
        if (status != PDICT_OK)
            return status;
    }
    return status;
}

static int check_order(struct scope *scope, uint64_t *keys)
{
    const struct store *store = scope->v->store;
    pdict_scan by_key = { .flags = PDICT_SCAN_BY_KEY | PDICT_SCAN_NO_VALUES };
    void *cursor;
    int status;

    *keys = 0;
    status = store->backend->scan_open(store->engine, scope->v->reader, scope->map.number, &by_key,
                                       &cursor);
    if (status == PDICT_OK) {
        status = check_keys(scope, cursor, keys);
        store->backend->scan_close(store->engine, cursor);
    }
    scope->has_gaps = scope->has_gaps || status != PDICT_END;
    return status == PDICT_END
               ? PDICT_OK
               : find_status(scope, PDICT_FINDING_INDEX, status, (pdict_slice){ 0 });
}

static int check_counts(struct scope *scope, uint64_t keys)
{
    const struct store *store = scope->v->store;
    uint64_t count;
    char text[128];
    int status;

    /* At the beginning of time nothing has expired. */
    status = store->backend->count(store->engine, scope->v->reader, scope->map.number, INT64_MIN,
                                   &count);
    if (status != PDICT_OK)
        return find_status(scope, PDICT_FINDING_COUNT, status, (pdict_slice){ 0 });
    if (scope->rows == keys && scope->rows == count)
        return PDICT_OK;
    /* With rows that cannot be read the numbers have to differ. */
    if (scope->has_gaps)
        return PDICT_OK;
    snprintf(text, sizeof(text),
             "the map has %" PRIu64 " records, %" PRIu64 " keys and a count of %" PRIu64,
             scope->rows, keys, count);
    return find(scope, PDICT_FINDING_COUNT, PDICT_DAMAGED, (pdict_slice){ 0 }, text);
}

/* What is kept for the limits of a map. */
static int check_usage(struct scope *scope)
{
    struct store *store = scope->v->store;
    struct usage counted = { 0 }, usage = { 0 };
    struct limits limits;
    char text[160];
    int status = pdict__limits_read(store, scope->v->reader, scope->map.number, &limits);

    if (status == PDICT_OK && (!pdict__has_limits(&limits) || scope->has_gaps))
        return PDICT_OK;
    if (status == PDICT_OK)
        status = pdict__usage_read(store, scope->v->reader, scope->map.number, &usage);
    if (status == PDICT_OK)
        status = pdict__usage_count(store, scope->v->reader, scope->map.number, &counted);
    if (status != PDICT_OK)
        return find_status(scope, PDICT_FINDING_COUNT, status, (pdict_slice){ 0 });
    if (usage.entries == counted.entries && usage.bytes == counted.bytes)
        return PDICT_OK;
    snprintf(text, sizeof(text),
             "for its limits the map counts %" PRIu64 " entries of %" PRIu64
             " bytes, and has %" PRIu64 " of %" PRIu64,
             usage.entries, usage.bytes, counted.entries, counted.bytes);
    return find(scope, PDICT_FINDING_COUNT, PDICT_DAMAGED, (pdict_slice){ 0 }, text);
}

/* ---- maps ---- */

static int check_texts(struct scope *scope, const struct map_texts *texts)
{
    if (pdict__slice_equal(map_text(texts, TEXT_KEYRING), map_text(texts, TEXT_KEYRING_COPY)))
        return PDICT_OK;
    return find(scope, PDICT_FINDING_MAP, PDICT_DAMAGED, (pdict_slice){ 0 },
                "the keyring and its copy are not the same, so one of them is damaged");
}

static int open_judge(struct scope *scope, const struct map_texts *texts)
{
    struct verification *v = scope->v;
    int status = pdict__judge_open(v->store, &scope->map, texts, &v->secret, &scope->judge);

    /* One secret for a store of several maps: it need not be that of each. */
    if (status == PDICT_NEED_KEY || (status == PDICT_WRONG_KEY && !v->options.map))
        return PDICT_OK;
    return find_status(scope, PDICT_FINDING_MAP, status, (pdict_slice){ 0 });
}

static int check_inside(struct scope *scope, const struct map_texts *texts)
{
    uint64_t keys;
    int status;

    if ((status = check_texts(scope, texts)) != PDICT_OK)
        return status;
    if ((status = open_judge(scope, texts)) != PDICT_OK)
        return status;
    if ((status = check_rows(scope)) != PDICT_OK)
        return status;
    if ((status = check_order(scope, &keys)) != PDICT_OK)
        return status;
    if ((status = check_counts(scope, keys)) != PDICT_OK)
        return status;
    if ((status = check_usage(scope)) != PDICT_OK)
        return status;
    return ask_engine(scope);
}

static int check_map(struct verification *v, const struct named_map *map)
{
    struct scope scope = { .v = v, .map = *map, .key.allocator = &v->store->allocator };
    struct map_texts texts;
    int status;

    v->result.maps++;
    pdict__map_texts_init(&texts, &v->store->allocator);
    status = pdict__map_texts_read(v->store, v->reader, map->number, &texts);
    if (status == PDICT_OK)
        status = check_inside(&scope, &texts);
    else
        status = find_status(&scope, PDICT_FINDING_MAP, status, (pdict_slice){ 0 });
    pdict__judge_close(&scope.judge);
    pdict__map_texts_free(&texts);
    pdict__buf_free(&scope.key);
    return status;
}

/* Each record is met twice, by its id and by its key. What cannot be counted is found later. */
static uint64_t expected_steps(const struct verification *v, const struct map_list *maps)
{
    const struct store *store = v->store;
    uint64_t total = 0, count;

    for (size_t i = 0; i < maps->count; i++) {
        if (store->backend->count(store->engine, v->reader, maps->maps[i].number, INT64_MIN,
                                  &count) == PDICT_OK)
            total += 2 * count;
    }
    return total;
}

static int check_maps(struct verification *v, struct scope *whole)
{
    struct map_list maps;
    int status = pdict__map_list_read(v->store, v->reader, v->options.map, &maps);

    if (status != PDICT_OK)
        return find_status(whole, PDICT_FINDING_ENGINE, status, (pdict_slice){ 0 });
    status = pdict__progress_begin(&v->progress, "records", expected_steps(v, &maps));
    for (size_t i = 0; status == PDICT_OK && i < maps.count; i++)
        status = check_map(v, &maps.maps[i]);
    pdict__map_list_free(&maps);
    return status == PDICT_OK ? pdict__progress_end(&v->progress) : status;
}

static int check_store(struct verification *v)
{
    struct scope whole = { .v = v };
    int status;

    if ((status = pdict__progress_begin(&v->progress, "engine", 0)) != PDICT_OK)
        return status;
    if ((status = ask_engine(&whole)) != PDICT_OK)
        return status;
    return check_maps(v, &whole);
}

static int read_options(struct verification *v, const pdict_verify_options *options)
{
    int status;

    v->options = (pdict_verify_options)PDICT_VERIFY_OPTIONS_INIT;
    status = pdict__struct_take(&v->options, sizeof(v->options), options, "pdict_verify_options");
    if (status != PDICT_OK)
        return status;
    if (v->options.subset > v->options.subsets ||
        (v->options.subset == 0 && v->options.subsets > 0))
        return pdict_fail(PDICT_INVAL, "verify: subset %u of %u does not exist; they count from 1",
                          v->options.subset, v->options.subsets);
    v->progress.fn = v->options.progress;
    v->progress.ctx = v->options.progress_ctx;
    return pdict__secret_take(v->options.passphrase, v->options.key, &v->secret);
}

int pdict_verify(pdict_store *store, const pdict_verify_options *options,
                 pdict_verify_result *result)
{
    struct verification v = { .store = store->store };
    int status;

    if ((status = read_options(&v, options)) != PDICT_OK)
        return status;
    if ((status = pdict__read_begin(v.store, &v.reader)) != PDICT_OK)
        return status;
    status = check_store(&v);
    pdict__read_end(v.store, v.reader);
    if (status == PDICT_OK)
        pdict__struct_give(result, &v.result, sizeof(v.result));
    return status;
}
