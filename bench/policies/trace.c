/* SPDX-License-Identifier: MIT */
/* Traces: read from a file, or made. */
#include "policies/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int trace_add(struct trace *trace, uint32_t id)
{
    if (trace->count == trace->room) {
        size_t room = trace->room ? trace->room * 2 : 1024;
        uint32_t *grown = realloc(trace->ids, room * sizeof *grown);

        if (!grown)
            return pdict_fail(PDICT_NOMEM, "trace: out of memory");
        trace->ids = grown;
        trace->room = room;
    }
    trace->ids[trace->count++] = id;
    return PDICT_OK;
}

void trace_free(struct trace *trace)
{
    free(trace->ids);
    *trace = (struct trace){ 0 };
}

int trace_make(uint64_t keys, size_t count, uint64_t seed, bool has_scans, struct trace *out)
{
    struct bench_draw draw;
    struct bench_rng rng;
    uint32_t at = 0;
    int status = PDICT_OK;

    *out = (struct trace){ .n_ids = (uint32_t)keys };
    snprintf(out->name, sizeof out->name, has_scans ? "zipf with scans" : "zipf");
    bench_draw_init(&draw, BENCH_ZIPF, keys, seed);
    bench_rng_seed(&rng, seed, 31);
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        /* Walks come in one piece, as a report or a backup does. */
        if (has_scans && i / 2000 % 5 == 4)
            status = trace_add(out, at = (uint32_t)((at + 1) % keys));
        else
            status = trace_add(out, (uint32_t)bench_draw_next(&draw, &rng));
    }
    return status;
}

/* ---- Files: keys become ids in the order of their first coming ---- */

struct names {
    char **keys;
    uint32_t *ids;
    size_t room; /* a power of two */
    uint32_t count;
};

static uint64_t hash_of(const char *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return bench_mix(hash);
}

static size_t place_of(const struct names *names, const char *key)
{
    size_t at = hash_of(key) & (names->room - 1);

    while (names->keys[at] && strcmp(names->keys[at], key) != 0)
        at = (at + 1) & (names->room - 1);
    return at;
}

static int names_grow(struct names *names)
{
    struct names grown = { .room = names->room ? names->room * 2 : 4096, .count = names->count };

    grown.keys = calloc(grown.room, sizeof *grown.keys);
    grown.ids = calloc(grown.room, sizeof *grown.ids);
    if (!grown.keys || !grown.ids) {
        free(grown.keys);
        free(grown.ids);
        return pdict_fail(PDICT_NOMEM, "trace: out of memory");
    }
    for (size_t i = 0; i < names->room; i++) {
        if (names->keys[i]) {
            size_t at = place_of(&grown, names->keys[i]);

            grown.keys[at] = names->keys[i];
            grown.ids[at] = names->ids[i];
        }
    }
    free(names->keys);
    free(names->ids);
    *names = grown;
    return PDICT_OK;
}

static int id_of(struct names *names, const char *key, uint32_t *id)
{
    size_t at;
    int status;

    if (names->count * 2 >= names->room && (status = names_grow(names)) != PDICT_OK)
        return status;
    at = place_of(names, key);
    if (!names->keys[at]) {
        if (!(names->keys[at] = strdup(key)))
            return pdict_fail(PDICT_NOMEM, "trace: out of memory");
        names->ids[at] = names->count++;
    }
    *id = names->ids[at];
    return PDICT_OK;
}

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->room; i++)
        free(names->keys[i]);
    free(names->keys);
    free(names->ids);
}

static int add_line(struct trace *trace, struct names *names, const char *line)
{
    json_t *object = *line == '{' ? json_loads(line, 0, NULL) : NULL;
    const char *key = object ? json_string_value(json_object_get(object, "key")) : line;
    uint32_t id = 0;
    int status;

    if (!key)
        status =
            pdict_fail(PDICT_INVAL, "%s: line %zu has no \"key\"", trace->name, trace->count + 1);
    else if ((status = id_of(names, key, &id)) == PDICT_OK)
        status = trace_add(trace, id);
    json_decref(object);
    return status;
}

int trace_read(const char *path, struct trace *out)
{
    const char *last = strrchr(path, '/');
    struct names names = { 0 };
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int status = PDICT_OK;

    *out = (struct trace){ 0 };
    if (!file)
        return pdict_fail(PDICT_INVAL, "%s: %s", path, strerror(errno));
    snprintf(out->name, sizeof out->name, "%.63s", last ? last + 1 : path);
    while (status == PDICT_OK && (size = getline(&line, &room, file)) > 0) {
        if (line[size - 1] == '\n')
            line[size - 1] = '\0';
        if (*line)
            status = add_line(out, &names, line);
    }
    out->n_ids = names.count;
    if (status == PDICT_OK && out->count < 10)
        status = pdict_fail(PDICT_INVAL, "%s: a trace has ten accesses at least", path);
    names_free(&names);
    free(line);
    fclose(file);
    return status;
}
