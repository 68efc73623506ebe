/* SPDX-License-Identifier: MIT */
/* pdict stat: facts about one map and the store around it, or about an entry. */
#include "tool.h"

#include <stdlib.h>

static void add_stage(json_t *object, const char *name, const pdict_stage_stats *stage)
{
    json_t *numbers = json_object();

    tool_json_int(numbers, "records", stage->records);
    tool_json_int(numbers, "bytes_in", stage->bytes_in);
    tool_json_int(numbers, "bytes_out", stage->bytes_out);
    tool_json_int(numbers, "timed", stage->timed);
    tool_json_int(numbers, "nanoseconds", stage->nanoseconds);
    json_object_set_new(object, name, numbers);
}

static json_t *stages_json(const pdict_stats *stats)
{
    json_t *object = json_object();

    add_stage(object, "encoded", &stats->encoded);
    add_stage(object, "checked", &stats->checked);
    add_stage(object, "compressed", &stats->compressed);
    add_stage(object, "sealed", &stats->sealed);
    add_stage(object, "decoded", &stats->decoded);
    add_stage(object, "opened", &stats->opened);
    add_stage(object, "decompressed", &stats->decompressed);
    return object;
}

static void print_json(const pdict_stats *stats)
{
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        { "count", stats->count },
        { "logical_bytes", stats->logical_bytes },
        { "stored_bytes", stats->stored_bytes },
        { "file_bytes", stats->file_bytes },
        { "log_bytes", stats->log_bytes },
        { "format_version", stats->format_version },
        { "max_value", stats->max_value },
        { "damaged", stats->damaged },
        { "snapshot_age_ms", (uint64_t)stats->snapshot_age_ms },
        { "snapshots_reaped", stats->snapshots_reaped },
        { "stale_readers", stats->stale_readers },
    };
    json_t *object = json_object();

    tool_json_slice(object, "backend", pdict_str(stats->backend));
    tool_json_slice(object, "path", pdict_str(stats->path));
    tool_json_slice(object, "map", pdict_str(stats->map));
    tool_json_slice(object, "codecs", pdict_str(stats->codecs));
    json_object_set_new(object, "encrypted", json_boolean(stats->is_encrypted));
    json_object_set_new(object, "read_only", json_boolean(stats->is_read_only));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        tool_json_int(object, numbers[i].name, numbers[i].number);
    json_object_set_new(object, "pipeline", stages_json(stats));
    tool_json_print(object);
}

static void print_bytes(const char *name, uint64_t bytes, const char *note)
{
    char exact[32];
    char rounded[32];

    printf("%-14s %14s  %10s  %s\n", name, tool_grouped(bytes, exact),
           tool_size_text(bytes, rounded), note);
}

static void print_plain(const pdict_stats *stats)
{
    char note[64];
    char text[32];

    printf("%-14s %s:%s\n", "store", stats->backend, stats->path);
    printf("%-14s %s\n", "map", stats->map);
    printf("%-14s %s%s\n", "codecs", stats->codecs, stats->is_encrypted ? " (encrypted)" : "");
    printf("%-14s %u\n", "format version", (unsigned)stats->format_version);
    printf("%-14s %14s\n", "count", tool_grouped(stats->count, text));
    print_bytes("logical bytes", stats->logical_bytes, "keys and values as given");
    snprintf(note, sizeof note, "as kept: %.2fx",
             stats->stored_bytes ? (double)stats->logical_bytes / (double)stats->stored_bytes : 1);
    print_bytes("stored bytes", stats->stored_bytes, note);
    print_bytes("file bytes", stats->file_bytes, "the whole store");
    print_bytes("max value", stats->max_value, "");
    if (stats->damaged)
        printf("%-14s %14s  records have a malformed header\n", "damaged",
               tool_grouped(stats->damaged, text));
}

static void print_entry_json(pdict_slice key, const pdict_meta *meta)
{
    json_t *object = tool_json_entry(key, meta->created_ms, meta->expires_ms);

    tool_json_int(object, "at", (uint64_t)meta->accessed_ms);
    tool_json_int(object, "size", meta->value_size);
    tool_json_int(object, "stored", meta->stored_size);
    tool_json_int(object, "version", meta->version);
    tool_json_print(object);
}

static void print_entry(const pdict_meta *meta)
{
    char text[32];

    printf("%-14s %s\n", "created", tool_time_text(meta->created_ms, text));
    printf("%-14s %s\n", "accessed", tool_time_text(meta->accessed_ms, text));
    printf("%-14s %s\n", "expires", tool_time_text(meta->expires_ms, text));
    print_bytes("size", meta->value_size, "of the value");
    print_bytes("stored bytes", meta->stored_size, "of its record");
}

static int stat_entry(struct invocation *in)
{
    pdict_meta meta = PDICT_META_INIT;
    struct tool_buf key = { 0 };
    pdict *d = NULL;
    int status;

    if ((status = tool_key(in, in->args[1], &key)) != PDICT_OK)
        goto done;
    if ((status = tool_open(in, "ro", &d)) != PDICT_OK)
        goto done;
    if ((status = pdict_meta_get(d, tool_buf_slice(&key), &meta)) != PDICT_OK)
        goto done;
    if (tool_has(in, OPT_JSON))
        print_entry_json(tool_buf_slice(&key), &meta);
    else
        print_entry(&meta);
done:
    pdict_close(d);
    free(key.data);
    return status == PDICT_NOTFOUND ? TOOL_FALSE : tool_fail_status(in, status);
}

static int stat_map(struct invocation *in)
{
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d = NULL;
    int status;

    if ((status = tool_open(in, "ro", &d)) != PDICT_OK)
        goto done;
    if ((status = pdict_stats_get(d, PDICT_STATS_SIZES, &stats)) != PDICT_OK)
        goto done;
    if (tool_has(in, OPT_JSON))
        print_json(&stats);
    else
        print_plain(&stats);
done:
    pdict_close(d);
    return tool_fail_status(in, status);
}

int tool_stat(struct invocation *in)
{
    return in->n_args > 1 ? stat_entry(in) : stat_map(in);
}
