/* SPDX-License-Identifier: MIT */
/* pdict ls and pdict count: the keys of a map, none of its values. */
#include "tool.h"

#include <inttypes.h>
#include <unistd.h>

/* How `ls` prints. */
struct listing {
    const struct invocation *in;
    pdict *d;
    bool is_long;
    bool is_json;
    bool is_escaped;
};

static void print_json(const pdict_entry *entry, const pdict_meta *meta)
{
    json_t *object = tool_json_entry(entry->key, entry->created_ms, entry->expires_ms);

    if (meta) {
        tool_json_int(object, "at", (uint64_t)meta->accessed_ms);
        tool_json_int(object, "size", meta->value_size);
        tool_json_int(object, "stored", meta->stored_size);
    }
    tool_json_print(object);
}

static void print_plain(const struct listing *listing, const pdict_entry *entry,
                        const pdict_meta *meta)
{
    char created[32];
    char accessed[32];
    char expires[32];

    if (meta)
        printf("%12" PRIu64 " %12" PRIu64 "  %-19s  %-19s  %-19s  ", meta->value_size,
               meta->stored_size, tool_time_text(entry->created_ms, created),
               tool_time_text(meta->accessed_ms, accessed),
               tool_time_text(entry->expires_ms, expires));
    if (listing->is_escaped)
        tool_print_key(stdout, entry->key);
    else
        fwrite(entry->key.size ? entry->key.data : "", 1, entry->key.size, stdout);
    putchar(tool_has(listing->in, OPT_NULL) ? '\0' : '\n');
}

/* An entry that is deleted between the step and the look at its facts is left out. */
static int print_entry(const struct listing *listing, const pdict_entry *entry, bool *printed)
{
    pdict_meta meta = PDICT_META_INIT;
    int status;

    *printed = false;
    if (listing->is_long && (status = pdict_meta_get(listing->d, entry->key, &meta)) != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    if (listing->is_json)
        print_json(entry, listing->is_long ? &meta : NULL);
    else
        print_plain(listing, entry, listing->is_long ? &meta : NULL);
    *printed = true;
    return PDICT_OK;
}

static int list(const struct listing *listing, const struct selection *selection, uint64_t limit)
{
    pdict_iter *iter = NULL;
    pdict_entry entry;
    uint64_t count = 0;
    bool printed;
    int status = pdict_iter_open(listing->d, &selection->range, &iter);

    if (listing->is_long && !listing->is_json && isatty(STDOUT_FILENO))
        printf("%12s %12s  %-19s  %-19s  %-19s  %s\n", "SIZE", "STORED", "CREATED", "ACCESSED",
               "EXPIRES", "KEY");
    while (status == PDICT_OK && count < limit) {
        if ((status = tool_select_next(selection, iter, &entry)) != PDICT_OK)
            break;
        status = print_entry(listing, &entry, &printed);
        count += printed;
    }
    pdict_iter_close(iter);
    return status == PDICT_END ? PDICT_OK : status;
}

int tool_ls(struct invocation *in)
{
    struct listing listing = {
        .in = in,
        .is_long = tool_has(in, OPT_LONG),
        .is_json = tool_has(in, OPT_JSON),
        .is_escaped = isatty(STDOUT_FILENO) && !tool_has(in, OPT_NULL),
    };
    struct selection selection;
    uint64_t limit = UINT64_MAX;
    int status;

    if ((status = tool_number(in, OPT_LIMIT, &limit)) != PDICT_OK)
        return tool_fail_status(in, status);
    if ((status = tool_select(in, in->n_args > 1 ? in->args[1] : NULL, &selection)) != PDICT_OK)
        return tool_fail_status(in, status);
    selection.range.flags |= PDICT_KEYS_ONLY;
    if ((status = tool_open(in, "ro", &listing.d)) == PDICT_OK)
        status = list(&listing, &selection, limit);
    pdict_close(listing.d);
    return tool_fail_status(in, status);
}

static int count_selected(pdict *d, const struct selection *selection, uint64_t *out)
{
    pdict_iter *iter = NULL;
    pdict_entry entry;
    int status = pdict_iter_open(d, &selection->range, &iter);

    while (status == PDICT_OK) {
        if ((status = tool_select_next(selection, iter, &entry)) == PDICT_OK)
            ++*out;
    }
    pdict_iter_close(iter);
    return status == PDICT_END ? PDICT_OK : status;
}

int tool_count(struct invocation *in)
{
    struct selection selection;
    uint64_t count = 0;
    pdict *d = NULL;
    bool is_whole;
    int status;

    if ((status = tool_select(in, in->n_args > 1 ? in->args[1] : NULL, &selection)) != PDICT_OK)
        goto done;
    if ((status = tool_open(in, "ro", &d)) != PDICT_OK)
        goto done;
    is_whole = in->n_args == 1 && !tool_has(in, OPT_PREFIX) && !tool_has(in, OPT_FROM) &&
               !tool_has(in, OPT_TO);
    selection.range.flags |= PDICT_KEYS_ONLY;
    status = is_whole ? pdict_count(d, &count) : count_selected(d, &selection, &count);
    if (status != PDICT_OK)
        goto done;
    if (tool_has(in, OPT_JSON))
        tool_json_print(json_pack("{s:I}", "count", (json_int_t)count));
    else
        printf("%" PRIu64 "\n", count);
done:
    pdict_close(d);
    return tool_fail_status(in, status);
}
