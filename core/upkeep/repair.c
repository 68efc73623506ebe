/* SPDX-License-Identifier: MIT */
/* pdict_repair(): what can be read of a damaged store, into a new one. */
#include "upkeep/upkeep.h"

#define ENDING     ".repairing"
#define QUARANTINE ".damaged" /* behind the name of the map */

struct repair {
    struct store *from;
    void *snapshot;
    struct map_list maps;
    pdict_repair_options options;
    struct secret secret;
    struct target target;
    struct progress progress;
    pdict_repair_result result;
};

/* One map under repair. */
struct patient {
    struct repair *repair;
    const struct named_map *map;
    struct judge judge;
    bool is_lost; /* its settings are gone: nothing can be said of any record */
    struct batch healthy;
    struct map *ward; /* the quarantine map, made with the first damaged record */
    struct workbench *bench;
    struct batch damaged;
};

/* ---- quarantine ---- */

static int open_ward(const struct patient *patient, const char *name, struct map **out)
{
    struct store *to = patient->repair->target.store;
    struct codecs raw;
    struct map_wish wish = {
        .name = name,
        .codecs = &raw,
        .has_checksum = -1,
        .hides_names = -1,
        /* Of a record and not of a value, so a little more than any map takes. */
        .max_value = UINT32_MAX,
        .may_create = true,
        .timeout_ms = patient->healthy.timeout_ms,
    };
    int status = pdict__codecs_parse("raw", &to->allocator, &raw);

    if (status != PDICT_OK)
        return status;
    status = pdict__map_open(to, &wish, out);
    pdict__codecs_free(&raw);
    return status;
}

static bool is_taken(const struct map_list *maps, const char *name)
{
    for (size_t i = 0; i < maps->count; i++) {
        if (strcmp(maps->maps[i].name, name) == 0)
            return true;
    }
    return false;
}

/* A store that was repaired before has such maps already; owned. */
static char *ward_name(const struct patient *patient)
{
    const pdict_allocator *allocator = patient->repair->target.allocator;
    char *name = pdict__path_add(allocator, patient->map->name, QUARANTINE);

    while (name && is_taken(&patient->repair->maps, name)) {
        char *longer = pdict__path_add(allocator, name, QUARANTINE);

        pdict__free(allocator, name);
        name = longer;
    }
    return name;
}

static int make_ward(struct patient *patient)
{
    struct target *target = &patient->repair->target;
    char *name = ward_name(patient);
    char *working_name = name ? pdict__target_name(target, name) : NULL;
    int status = working_name ? pdict__target_drop(target, working_name) : PDICT_NOMEM;

    if (status == PDICT_OK)
        status = open_ward(patient, working_name, &patient->ward);
    if (status == PDICT_OK)
        status = pdict__target_note(target, name, patient->ward->number);
    if (status == PDICT_OK) {
        patient->damaged.map = patient->ward->number;
        patient->bench = pdict__bench_take(patient->ward->pipeline);
        status = patient->bench ? PDICT_OK : PDICT_NOMEM;
    }
    pdict__free(target->allocator, working_name);
    pdict__free(target->allocator, name);
    return status;
}

static int commit(struct batch *batch)
{
    pdict__batch_settle(batch);
    return pdict__batch_commit(batch);
}

/* The record becomes the value, and never expires. */
static int put_aside(struct patient *patient, const pdict_row *row)
{
    pdict_row aside = { .key = row->key, .created_ms = row->created_ms };
    struct binding binding = { .key = row->key };
    int status = patient->ward ? PDICT_OK : make_ward(patient);

    if (status == PDICT_OK)
        status = pdict__random_version(&aside.version);
    binding.version = aside.version;
    if (status == PDICT_OK)
        status = pdict__encode(patient->ward->pipeline, patient->bench, &binding, row->value,
                               &aside.value);
    if (status == PDICT_OK)
        status = pdict__batch_put(&patient->damaged, &aside);
    patient->repair->result.quarantined++;
    if (status == PDICT_OK && pdict__batch_is_full(&patient->damaged))
        status = commit(&patient->damaged);
    return status;
}

/* ---- rows ---- */

static int keep(struct patient *patient, const pdict_row *row)
{
    int status = pdict__batch_put(&patient->healthy, row);

    patient->repair->result.records++;
    if (status == PDICT_OK && pdict__batch_is_full(&patient->healthy))
        status = commit(&patient->healthy);
    return status;
}

static int treat(struct patient *patient, const pdict_row *row)
{
    bool is_proven = false;
    int status = patient->is_lost ? PDICT_DAMAGED : PDICT_OK;

    if (status == PDICT_OK)
        status = pdict__judge_row(&patient->judge, row, &is_proven);
    if (status == PDICT_OK) {
        patient->repair->result.unproven += !is_proven;
        return keep(patient, row);
    }
    return pdict__is_damage(status) ? put_aside(patient, row) : status;
}

static int treat_all(struct patient *patient)
{
    struct repair *repair = patient->repair;
    struct walk walk;
    pdict_row row;
    int status = PDICT_OK;

    pdict__walk_begin(&walk, repair->from, repair->snapshot, patient->map->number);
    while (status == PDICT_OK) {
        status = pdict__walk_next(&walk, &row);
        if (status == PDICT_OK) {
            status = treat(patient, &row);
        } else if (status == PDICT_DAMAGED || status == PDICT_IO) {
            repair->result.gaps++;
            status = PDICT_OK;
        }
        if (status == PDICT_OK)
            status = pdict__progress_step(&repair->progress);
    }
    pdict__walk_end(&walk);
    if (status == PDICT_END)
        status = commit(&patient->healthy);
    return status == PDICT_OK ? commit(&patient->damaged) : status;
}

/* ---- maps ---- */

/* Which of the two keyrings is whole is known once the map is open; without its key the first. */
static int mend_keyring(struct patient *patient, struct map_texts *texts)
{
    struct buf *ring = &texts->texts[TEXT_KEYRING], *copy = &texts->texts[TEXT_KEYRING_COPY];
    struct keyring *opened;
    int status;

    if (!patient->judge.map || !patient->judge.descriptor.cipher ||
        pdict__slice_equal(map_text(texts, TEXT_KEYRING), map_text(texts, TEXT_KEYRING_COPY)))
        return PDICT_OK;
    status = pdict__keyring_open(patient->judge.descriptor.cipher, patient->judge.descriptor.map_id,
                                 map_text(texts, TEXT_KEYRING), &patient->repair->secret,
                                 &patient->repair->from->allocator, &opened);
    if (status == PDICT_OK)
        pdict__keyring_free(opened);
    if (status != PDICT_OK) {
        struct buf damaged = *ring;

        *ring = *copy;
        *copy = damaged;
    }
    copy->size = 0;
    return pdict__buf_append(copy, ring->data, ring->size);
}

static int admit(struct patient *patient, struct map_texts *texts)
{
    struct repair *repair = patient->repair;
    uint32_t number = 0;
    int status;

    status = pdict__judge_open(repair->from, patient->map, texts, &repair->secret, &patient->judge);
    patient->is_lost = status != PDICT_OK && pdict__is_damage(status);
    if (status == PDICT_NEED_KEY || status == PDICT_WRONG_KEY || patient->is_lost)
        status = PDICT_OK;
    if (status == PDICT_OK)
        status = mend_keyring(patient, texts);
    if (status == PDICT_OK && !patient->is_lost)
        status = pdict__target_create_map(&repair->target, patient->map->name, texts, &number);
    repair->result.lost_maps += patient->is_lost;
    pdict__batch_init(&patient->healthy, repair->target.store, number,
                      repair->target.handle->timeout_ms);
    pdict__batch_init(&patient->damaged, repair->target.store, 0,
                      repair->target.handle->timeout_ms);
    return status;
}

static void discharge(struct patient *patient)
{
    pdict__batch_free(&patient->healthy);
    pdict__batch_free(&patient->damaged);
    if (patient->bench)
        pdict__bench_give(patient->ward->pipeline, patient->bench);
    if (patient->ward)
        pdict__map_release(patient->ward);
    pdict__judge_close(&patient->judge);
}

static int repair_map(struct repair *repair, const struct named_map *map)
{
    struct patient patient = { .repair = repair, .map = map };
    struct map_texts texts;
    int status;

    repair->result.maps++;
    pdict__map_texts_init(&texts, &repair->from->allocator);
    status = pdict__map_texts_read(repair->from, repair->snapshot, map->number, &texts);
    if (status == PDICT_DAMAGED || status == PDICT_IO)
        status = PDICT_OK;
    if (status == PDICT_OK && (status = admit(&patient, &texts)) == PDICT_OK)
        status = treat_all(&patient);
    discharge(&patient);
    pdict__map_texts_free(&texts);
    return status;
}

/* An earlier run may have left its maps; a repair always begins anew. */
static int empty_target(struct repair *repair)
{
    struct target *target = &repair->target;
    struct map_list list;
    void *reader;
    int status;

    if (!target->path)
        return PDICT_OK;
    if ((status = pdict__read_begin(target->store, &reader)) != PDICT_OK)
        return status;
    status = pdict__map_list_read(target->store, reader, NULL, &list);
    pdict__read_end(target->store, reader);
    for (size_t i = 0; status == PDICT_OK && i < list.count; i++)
        status = pdict__target_drop(target, list.maps[i].name);
    pdict__map_list_free(&list);
    return status;
}

static uint64_t expected_steps(const struct repair *repair, const struct map_list *maps)
{
    const struct store *from = repair->from;
    uint64_t total = 0, count;

    for (size_t i = 0; i < maps->count; i++) {
        if (from->backend->count(from->engine, repair->snapshot, maps->maps[i].number, INT64_MIN,
                                 &count) == PDICT_OK)
            total += count;
    }
    return total;
}

static int repair_maps(struct repair *repair)
{
    struct map_list *maps = &repair->maps;
    int status;

    status = pdict__map_list_read(repair->from, repair->snapshot, NULL, maps);
    if (status != PDICT_OK)
        return status;
    status = pdict__progress_begin(&repair->progress, "copy", expected_steps(repair, maps));
    for (size_t i = 0; status == PDICT_OK && i < maps->count; i++)
        status = repair_map(repair, &maps->maps[i]);
    pdict__map_list_free(maps);
    return status == PDICT_OK ? pdict__progress_end(&repair->progress) : status;
}

static int fill_target(struct repair *repair)
{
    int status = empty_target(repair);

    if (status == PDICT_OK)
        status = pdict__read_begin(repair->from, &repair->snapshot);
    if (status != PDICT_OK)
        return status;
    status = repair_maps(repair);
    pdict__read_end(repair->from, repair->snapshot);
    return status;
}

static int read_options(struct repair *repair, const pdict_repair_options *options)
{
    int status;

    repair->options = (pdict_repair_options)PDICT_REPAIR_OPTIONS_INIT;
    status = pdict__struct_take(&repair->options, sizeof(repair->options), options,
                                "pdict_repair_options");
    repair->progress.fn = repair->options.progress;
    repair->progress.ctx = repair->options.progress_ctx;
    if (status != PDICT_OK)
        return status;
    return pdict__secret_take(repair->options.passphrase, repair->options.key, &repair->secret);
}

int pdict_repair(pdict_store *source, const char *to, const pdict_repair_options *options,
                 pdict_repair_result *result)
{
    struct repair repair = { .from = source->store };
    int status;

    if ((status = read_options(&repair, options)) != PDICT_OK)
        return status;
    if ((status = pdict__target_open(source->store, to, ENDING, &repair.target)) != PDICT_OK)
        return status;
    if ((status = fill_target(&repair)) == PDICT_OK)
        status = pdict__target_publish(&repair.target);
    else
        pdict__target_close(&repair.target, false);
    if (status == PDICT_OK)
        pdict__struct_give(result, &repair.result, sizeof(repair.result));
    return status;
}
