/* SPDX-License-Identifier: MIT */
/* pdict_migrate(): maps into a new store, by whatever backend, as one snapshot has them. */
#include "upkeep/upkeep.h"

#define ENDING ".migrating"

/* One map on its way. */
struct part {
    const struct named_map *map;
    struct map_texts texts; /* as the copy has them */
    struct recoder recoder; /* maps NULL: records stay as they are */
    struct map_copy copy;
};

struct migration {
    const pdict_store *source;
    pdict_migrate_options options;
    struct secret secret;
    struct codecs codecs; /* of the options, when has_codecs */
    bool has_codecs;
    void *snapshot;
    struct map_list maps;
    struct part *parts; /* parallel to maps */
    struct target target;
    struct progress progress;
    pdict_migrate_result result;
    int64_t now_ms;
    bool is_refuted; /* the copy is not what it should be: nobody may go on with it */
};

/* ---- what the maps are to be ---- */

/* Do the map's own codecs do what was asked for? */
static int agree(const struct migration *m, const struct map_texts *texts, bool *out)
{
    const pdict_allocator *allocator = &m->source->store->allocator;
    pdict_slice text = map_text(texts, TEXT_CODECS);
    struct codecs codecs;
    char *copy;
    int status;

    if (!(copy = pdict__strdup(allocator, text.data, text.size)))
        return PDICT_NOMEM;
    status = pdict__codecs_parse(copy, allocator, &codecs);
    pdict__free(allocator, copy);
    if (status != PDICT_OK)
        return status;
    *out = pdict__codecs_agree(&m->codecs, &codecs);
    pdict__codecs_free(&codecs);
    return PDICT_OK;
}

static int plan_recoding(struct migration *m, struct part *part)
{
    struct map_texts texts;
    int status;

    status = pdict__map_open_known(m->source->store, part->map, &part->texts, &m->secret,
                                   &part->recoder.from);
    if (status != PDICT_OK)
        return status;
    pdict__map_texts_init(&texts, &m->source->store->allocator);
    status =
        pdict__texts_for_codecs(part->recoder.from, &part->texts, &m->codecs, &m->secret, &texts);
    if (status == PDICT_OK) {
        struct map_texts old = part->texts;

        part->texts = texts;
        texts = old;
    }
    pdict__map_texts_free(&texts);
    return status;
}

static int plan_part(struct migration *m, struct part *part, const struct named_map *map)
{
    struct store *from = m->source->store;
    bool is_as_asked = true;
    uint64_t count;
    int status;

    part->map = map;
    part->copy = (struct map_copy){
        .from = from,
        .snapshot = m->snapshot,
        .from_map = map->number,
        .to = m->target.store,
        .is_new = true,
        .now_ms = m->now_ms,
        .timeout_ms = m->target.handle->timeout_ms,
        .progress = &m->progress,
        .result = &m->result,
    };
    pdict__map_texts_init(&part->texts, &from->allocator);
    status = pdict__map_texts_read(from, m->snapshot, map->number, &part->texts);
    if (status == PDICT_OK && m->has_codecs)
        status = agree(m, &part->texts, &is_as_asked);
    if (status == PDICT_OK && !is_as_asked)
        status = plan_recoding(m, part);
    if (status == PDICT_OK)
        status = from->backend->count(from->engine, m->snapshot, map->number, m->now_ms, &count);
    if (status == PDICT_OK)
        m->progress.total += count;
    return status;
}

static int plan(struct migration *m)
{
    const pdict_allocator *allocator = &m->source->store->allocator;
    int status;

    status = pdict__map_list_read(m->source->store, m->snapshot, m->options.map, &m->maps);
    if (status != PDICT_OK)
        return status;
    /* Also for no maps: a store can be empty. */
    m->parts = pdict__calloc(allocator, m->maps.count + 1, sizeof(*m->parts));
    if (!m->parts)
        return PDICT_NOMEM;
    for (size_t i = 0; status == PDICT_OK && i < m->maps.count; i++)
        status = plan_part(m, &m->parts[i], &m->maps.maps[i]);
    m->result.maps = m->maps.count;
    return status;
}

static void forget_plan(struct migration *m)
{
    const pdict_allocator *allocator = &m->source->store->allocator;

    for (size_t i = 0; m->parts && i < m->maps.count; i++) {
        struct part *part = &m->parts[i];

        if (part->recoder.from)
            pdict__map_release(part->recoder.from);
        if (part->map)
            pdict__map_texts_free(&part->texts);
    }
    pdict__free(allocator, m->parts);
    pdict__map_list_free(&m->maps);
}

/* ---- what an earlier run left ---- */

static int is_usable(const struct migration *m, const struct part *part,
                     const struct named_map *there, bool *out)
{
    struct store *to = m->target.store;
    struct map_texts texts;
    void *reader;
    int status;

    if ((status = pdict__read_begin(to, &reader)) != PDICT_OK)
        return status;
    pdict__map_texts_init(&texts, &to->allocator);
    status = pdict__map_texts_read(to, reader, there->number, &texts);
    *out = status == PDICT_OK && strcmp(there->name, part->map->name) == 0 &&
           pdict__map_texts_equal(&texts, &part->texts);
    pdict__map_texts_free(&texts);
    pdict__read_end(to, reader);
    return status;
}

/* Maps are kept in the order of their creation, so from the first that does not fit on all go. */
static int take_over(struct migration *m, const struct map_list *there)
{
    bool fits = true;
    int status = PDICT_OK;

    for (size_t i = 0; status == PDICT_OK && i < there->count; i++) {
        struct part *part = &m->parts[i];

        fits = fits && i < m->maps.count;
        if (fits)
            status = is_usable(m, part, &there->maps[i], &fits);
        if (status == PDICT_OK && !fits)
            status = pdict__target_drop(&m->target, there->maps[i].name);
        if (status == PDICT_OK && fits) {
            part->copy.to_map = there->maps[i].number;
            part->copy.is_new = false;
        }
    }
    return status;
}

static int resume(struct migration *m)
{
    struct store *to = m->target.store;
    struct map_list there;
    void *reader;
    int status;

    /* A store without files is the caller's, with maps of its own. */
    if (!m->target.path)
        return PDICT_OK;
    if ((status = pdict__read_begin(to, &reader)) != PDICT_OK)
        return status;
    status = pdict__map_list_read(to, reader, NULL, &there);
    pdict__read_end(to, reader);
    if (status == PDICT_OK)
        status = take_over(m, &there);
    pdict__map_list_free(&there);
    return status;
}

/* ---- copying ---- */

static int copy_part(struct migration *m, struct part *part)
{
    struct named_map there = *part->map;
    int status = PDICT_OK;

    if (part->copy.is_new)
        status =
            pdict__target_create_map(&m->target, part->map->name, &part->texts, &part->copy.to_map);
    if (status == PDICT_OK && part->recoder.from) {
        there.number = part->copy.to_map;
        status = pdict__map_open_known(m->target.store, &there, &part->texts, &m->secret,
                                       &part->recoder.to);
        part->copy.recoder = &part->recoder;
    }
    if (status == PDICT_OK)
        status = pdict__copy_rows(&part->copy);
    return status == PDICT_OK ? pdict__copy_access(&part->copy) : status;
}

static int copy_all(struct migration *m)
{
    int status = pdict__progress_begin(&m->progress, "copy", m->progress.total);

    for (size_t i = 0; status == PDICT_OK && i < m->maps.count; i++)
        status = copy_part(m, &m->parts[i]);
    return status == PDICT_OK ? pdict__progress_end(&m->progress) : status;
}

static int compare_all(struct migration *m)
{
    int status = pdict__progress_begin(&m->progress, "compare", m->progress.total);

    for (size_t i = 0; status == PDICT_OK && i < m->maps.count; i++)
        status = pdict__compare_rows(&m->parts[i].copy);
    m->is_refuted = pdict__is_damage(status);
    return status == PDICT_OK ? pdict__progress_end(&m->progress) : status;
}

/* Handles on maps of the target would keep it open. */
static void release_new_maps(struct migration *m)
{
    for (size_t i = 0; m->parts && i < m->maps.count; i++) {
        if (m->parts[i].recoder.to)
            pdict__map_release(m->parts[i].recoder.to);
        m->parts[i].recoder.to = NULL;
    }
}

static int fill_target(struct migration *m)
{
    int status = pdict__read_begin(m->source->store, &m->snapshot);

    if (status != PDICT_OK)
        return status;
    if ((status = plan(m)) == PDICT_OK)
        status = resume(m);
    if (status == PDICT_OK)
        status = copy_all(m);
    if (status == PDICT_OK && m->options.verify)
        status = compare_all(m);
    release_new_maps(m);
    forget_plan(m);
    pdict__read_end(m->source->store, m->snapshot);
    return status;
}

static int read_options(struct migration *m, const pdict_migrate_options *options)
{
    const pdict_allocator *allocator = &m->source->store->allocator;
    int status;

    m->options = (pdict_migrate_options)PDICT_MIGRATE_OPTIONS_INIT;
    status = pdict__struct_take(&m->options, sizeof(m->options), options, "pdict_migrate_options");
    if (status == PDICT_OK)
        status = pdict__secret_take(m->options.passphrase, m->options.key, &m->secret);
    if (status != PDICT_OK || !m->options.codecs)
        return status;
    status = pdict__codecs_parse(m->options.codecs, allocator, &m->codecs);
    m->has_codecs = status == PDICT_OK;
    return status;
}

int pdict_migrate(pdict_store *source, const char *to, const pdict_migrate_options *options,
                  pdict_migrate_result *result)
{
    struct migration m = { .source = source, .now_ms = pdict__now(&source->store->clock) };
    int status;

    if ((status = read_options(&m, options)) != PDICT_OK)
        return status;
    m.progress.fn = m.options.progress;
    m.progress.ctx = m.options.progress_ctx;
    status = pdict__target_open(source->store, to, ENDING, &m.target);
    if (status == PDICT_OK) {
        if (m.has_codecs && m.codecs.cipher.codec)
            pdict__target_make_private(&m.target);
        if ((status = fill_target(&m)) == PDICT_OK)
            status = pdict__target_publish(&m.target);
        else
            pdict__target_close(&m.target, !m.is_refuted);
    }
    if (m.has_codecs)
        pdict__codecs_free(&m.codecs);
    if (status == PDICT_OK)
        pdict__struct_give(result, &m.result, sizeof(m.result));
    return status;
}
