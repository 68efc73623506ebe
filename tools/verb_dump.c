/* SPDX-License-Identifier: MIT */
/* pdict dump: every record of a map as text, closed by a trailer that proves it is whole. */
#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dump;

/** One output format. */
struct dump_format {
    const char *name;
    void (*begin)(struct dump *dump); /**< may be NULL, as may end */
    void (*record)(struct dump *dump, const pdict_entry *entry);
    void (*end)(struct dump *dump);
};

struct dump {
    const struct invocation *in;
    pdict *d; /* borrowed */
    pdict *typed;
    const struct dump_format *format;
    pdict_stats stats;
    bool is_by_key;
    struct tool_checksum *checksum;
    uint64_t records;
    uint64_t damaged;
    struct progress progress;
};

static void jsonl_begin(struct dump *dump)
{
    json_t *header = json_pack("{s:i}", "pdict_dump", 1);

    tool_json_slice(header, "map", pdict_str(dump->stats.map));
    tool_json_slice(header, "codecs", pdict_str(dump->stats.codecs));
    tool_json_slice(header, "order", pdict_str(dump->is_by_key ? "key" : "insertion"));
    tool_json_print(header);
}

/* When it was last used; it may be gone meanwhile. */
static void jsonl_access(struct dump *dump, json_t *object, const pdict_entry *entry)
{
    pdict_meta meta = PDICT_META_INIT;

    if (pdict_meta_get(dump->d, entry->key, &meta) == PDICT_OK && meta.accessed_ms > 0)
        tool_json_int(object, "at", (uint64_t)meta.accessed_ms);
}

static void jsonl_record(struct dump *dump, const pdict_entry *entry)
{
    json_t *object = tool_json_entry(entry->key, entry->created_ms, entry->expires_ms);
    size_t size;
    char *line;

    jsonl_access(dump, object, entry);
    tool_json_slice(object, "v", entry->value);
    tool_json_value(object, dump->typed, entry->value);
    line = tool_json_line(object, &size);
    tool_checksum_add(dump->checksum, pdict_bytes(line, size));
    fwrite(line, 1, size, stdout);
    free(line);
}

static void jsonl_end(struct dump *dump)
{
    char digest[17];

    tool_checksum_text(dump->checksum, digest);
    tool_json_print(json_pack("{s:b, s:I, s:s}", "end", 1, "records", (json_int_t)dump->records,
                              "xxh3", digest));
}

static void deb822_record(struct dump *dump, const pdict_entry *entry)
{
    (void)dump;
    fwrite(entry->value.size ? entry->value.data : "", 1, entry->value.size, stdout);
    putchar('\n');
}

static void print_field(pdict_slice field)
{
    static const char bytes[] = "\t\n\r\0\\";
    static const char letters[] = "tnr0\\";
    const char *at = field.data;
    const char *found;

    for (size_t i = 0; i < field.size; i++) {
        found = memchr(bytes, at[i], sizeof bytes - 1);
        if (found)
            putchar('\\');
        putchar(found ? letters[found - bytes] : at[i]);
    }
}

static void tsv_record(struct dump *dump, const pdict_entry *entry)
{
    (void)dump;
    print_field(entry->key);
    putchar('\t');
    print_field(entry->value);
    putchar('\n');
}

static const struct dump_format formats[] = {
    { "jsonl", jsonl_begin, jsonl_record, jsonl_end },
    { "deb822", NULL, deb822_record, NULL },
    { "tsv", NULL, tsv_record, NULL },
};

static const struct dump_format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (!name || strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

/* Output that cannot be written ends the dump here, rather than after the whole map. */
static int walk(struct dump *dump, const struct selection *selection, pdict_iter *iter)
{
    bool keep_going = tool_has(dump->in, OPT_KEEP_GOING);
    pdict_entry entry;
    int status;

    while (!ferror(stdout)) {
        status = tool_select_next(selection, iter, &entry);
        if (tool_is_damage(status) && keep_going) {
            dump->damaged++;
            tool_warn(dump->in, "a record is left out: %s", pdict_error_text());
            continue;
        }
        if (status != PDICT_OK)
            return status == PDICT_END ? PDICT_OK : status;
        dump->format->record(dump, &entry);
        dump->records++;
        tool_progress_show(&dump->progress, dump->records, dump->records, dump->stats.count);
    }
    return PDICT_OK;
}

static int run(struct dump *dump, pdict *d, struct selection *selection)
{
    pdict_iter *iter = NULL;
    int status;

    selection->range.flags |= PDICT_SNAPSHOT;
    dump->is_by_key = (selection->range.flags & PDICT_BY_KEY) || selection->range.prefix.size ||
                      selection->range.from.data || selection->range.to.data;
    if ((status = pdict_iter_open(d, &selection->range, &iter)) != PDICT_OK)
        return status;
    dump->d = d;
    dump->typed = tool_typed(d);
    if (dump->format->begin)
        dump->format->begin(dump);
    if (!isatty(STDOUT_FILENO))
        tool_progress_begin(&dump->progress, dump->in, "dumping");
    status = walk(dump, selection, iter);
    tool_progress_end(&dump->progress);
    if (status == PDICT_OK && dump->format->end)
        dump->format->end(dump);
    pdict_iter_close(iter);
    return status;
}

static int finish(const struct dump *dump, int status)
{
    int code;

    if (status != PDICT_OK) {
        code = tool_fail_status(dump->in, status);
        return tool_is_damage(status) ? TOOL_DAMAGED : code;
    }
    if (dump->damaged)
        return tool_fail(dump->in, TOOL_PARTIAL,
                         "%" PRIu64 " damaged records were left out, %" PRIu64 " are in the dump",
                         dump->damaged, dump->records);
    return TOOL_OK;
}

int tool_dump(struct invocation *in)
{
    struct dump dump = { .in = in, .format = find_format(in->values[OPT_FORMAT]) };
    struct selection selection;
    pdict *d = NULL;
    int status;
    int code;

    dump.stats = (pdict_stats)PDICT_STATS_INIT;
    if (!dump.format)
        return tool_fail(in, TOOL_USAGE, "there is no format %s, dump takes jsonl, deb822 and tsv",
                         in->values[OPT_FORMAT]);
    if ((status = tool_select(in, in->n_args > 1 ? in->args[1] : NULL, &selection)) != PDICT_OK)
        return tool_fail_status(in, status);
    if ((status = tool_open(in, "ro", &d)) == PDICT_OK)
        status = pdict_stats_get(d, 0, &dump.stats);
    if (status == PDICT_OK && dump.stats.is_encrypted && isatty(STDOUT_FILENO) &&
        !tool_has(in, OPT_PLAINTEXT)) {
        pdict_close(d);
        return tool_fail(in, TOOL_USAGE,
                         "the map is encrypted and this is a terminal, redirect the dump or add "
                         "--plaintext");
    }
    dump.checksum = tool_checksum_new();
    if (status == PDICT_OK)
        status = run(&dump, d, &selection);
    code = finish(&dump, status);
    tool_checksum_free(dump.checksum);
    pdict_close(d);
    return code;
}
