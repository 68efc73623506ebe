/* SPDX-License-Identifier: MIT */
/* pdict limit: print the limits of a map and how full it is, or give it others. */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const evict_names[] = { "lru", "fifo", "ttl", NULL };
static const char *const on_full_names[] = { "evict", "error", NULL };

/* ---- NAME=VALUE ---- */

static bool parse_size(const char *text, uint64_t *out)
{
    static const char *const suffixes[] = { "", "KiB", "MiB", "GiB", "TiB" };
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno)
        return false;
    for (unsigned i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (strcmp(end, suffixes[i]) == 0 && number <= (uint64_t)INT64_MAX >> 10 * i) {
            *out = (uint64_t)number << 10 * i;
            return true;
        }
    }
    return false;
}

static bool parse_count(const char *text, uint64_t *out)
{
    return parse_size(text, out) && strspn(text, "0123456789") == strlen(text);
}

static bool parse_choice(const char *text, const char *const *names, unsigned *out)
{
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* The value behind NAME=; NULL: it is another name. */
static const char *value_of(const char *arg, const char *name)
{
    size_t size = strlen(name);

    return strncmp(arg, name, size) == 0 && arg[size] == '=' ? arg + size + 1 : NULL;
}

static bool take(const char *arg, pdict_limits *limits)
{
    const char *text;

    if ((text = value_of(arg, "max_entries")))
        return parse_count(text, &limits->max_entries);
    if ((text = value_of(arg, "max_bytes")))
        return parse_size(text, &limits->max_bytes);
    if ((text = value_of(arg, "evict")))
        return parse_choice(text, evict_names, &limits->evict);
    if ((text = value_of(arg, "on_full")))
        return parse_choice(text, on_full_names, &limits->on_full);
    return false;
}

static int take_all(const struct invocation *in, pdict_limits *limits)
{
    for (int i = 1; i < in->n_args; i++) {
        if (!take(in->args[i], limits))
            return tool_fail(in, TOOL_USAGE,
                             "%s is none of max_entries=N, max_bytes=SIZE, evict=lru|fifo|ttl, "
                             "on_full=evict|error",
                             in->args[i]);
    }
    return TOOL_OK;
}

/* ---- printing ---- */

static void print_json(const pdict_limits *limits)
{
    json_t *object = json_object();

    tool_json_int(object, "max_entries", limits->max_entries);
    tool_json_int(object, "max_bytes", limits->max_bytes);
    json_object_set_new(object, "evict", json_string(evict_names[limits->evict]));
    json_object_set_new(object, "on_full", json_string(on_full_names[limits->on_full]));
    tool_json_int(object, "entries", limits->entries);
    tool_json_int(object, "bytes", limits->bytes);
    tool_json_int(object, "evictions", limits->evictions);
    tool_json_print(object);
}

static void print_row(const char *name, uint64_t now, uint64_t most)
{
    char text[32];

    printf("%-10s %14s", name, tool_grouped(now, text));
    if (most > 0)
        printf(" of %14s\n", tool_grouped(most, text));
    else
        printf("    no limit\n");
}

static void print_plain(const pdict_limits *limits)
{
    char text[32];

    print_row("entries", limits->entries, limits->max_entries);
    print_row("bytes", limits->bytes, limits->max_bytes);
    if (limits->max_entries == 0 && limits->max_bytes == 0)
        return;
    printf("%-10s %14s\n", "on_full", on_full_names[limits->on_full]);
    printf("%-10s %14s\n", "evict", evict_names[limits->evict]);
    printf("%-10s %14s\n", "evictions", tool_grouped(limits->evictions, text));
}

int tool_limit(struct invocation *in)
{
    const char *map = tool_has(in, OPT_MAP) ? in->values[OPT_MAP] : "main";
    pdict_limits limits = PDICT_LIMITS_INIT;
    bool is_writing = in->n_args > 1;
    pdict_store *store = NULL;
    int status, code = TOOL_OK;

    if ((status = tool_open_store(in, is_writing ? "rw" : "ro", &store)) == PDICT_OK)
        status = pdict_limits_get(store, map, &limits);
    if (status == PDICT_OK && (code = take_all(in, &limits)) == TOOL_OK && is_writing)
        status = pdict_limits_set(store, map, &limits);
    if (status == PDICT_OK && code == TOOL_OK && is_writing)
        status = pdict_limits_get(store, map, &limits);
    pdict_store_close(store);
    if (status != PDICT_OK || code != TOOL_OK)
        return code != TOOL_OK ? code : tool_fail_status(in, status);
    if (tool_has(in, OPT_JSON))
        print_json(&limits);
    else if (!tool_has(in, OPT_QUIET))
        print_plain(&limits);
    return TOOL_OK;
}
