/* SPDX-License-Identifier: MIT */
/* pdict maps: list, drop and rename the maps of a store. */
#include "tool.h"

static int print_map(void *ctx, const pdict_map_info *map)
{
    const struct invocation *in = ctx;
    char count[32];

    if (tool_has(in, OPT_JSON)) {
        json_t *object = json_object();

        tool_json_slice(object, "map", pdict_str(map->name));
        tool_json_int(object, "count", map->count);
        json_object_set_new(object, "codecs", json_string(map->codecs));
        json_object_set_new(object, "encrypted", json_boolean(map->is_encrypted));
        tool_json_print(object);
        return PDICT_OK;
    }
    printf("%14s  %-28s %-9s ", tool_grouped(map->count, count), map->codecs,
           map->is_encrypted ? "encrypted" : "");
    tool_print_key(stdout, pdict_str(map->name));
    putchar('\n');
    return PDICT_OK;
}

static int run(struct invocation *in, pdict_store *store)
{
    if (tool_has(in, OPT_DROP))
        return pdict_store_drop(store, in->values[OPT_DROP]);
    if (tool_has(in, OPT_RENAME))
        return pdict_store_rename(store, in->values[OPT_RENAME], in->values[OPT_TO]);
    return pdict_store_maps(store, print_map, in);
}

int tool_maps(struct invocation *in)
{
    bool is_writing = tool_has(in, OPT_DROP) || tool_has(in, OPT_RENAME);
    pdict_store *store = NULL;
    int status;

    if (tool_has(in, OPT_DROP) && tool_has(in, OPT_RENAME))
        return tool_fail(in, TOOL_USAGE, "--drop and --rename are given, keep one");
    if (tool_has(in, OPT_RENAME) != tool_has(in, OPT_TO))
        return tool_fail(in, TOOL_USAGE, "--rename NAME and --to NEW go together");
    if (tool_has(in, OPT_DROP) && !tool_has(in, OPT_FORCE))
        return tool_fail(in, TOOL_USAGE,
                         "--drop deletes the map %s with everything in it, add --force if so",
                         in->values[OPT_DROP]);
    if ((status = tool_open_store(in, is_writing ? "rw" : "ro", &store)) == PDICT_OK)
        status = run(in, store);
    pdict_store_close(store);
    if (status == PDICT_EXISTS)
        return tool_fail(in, TOOL_FALSE, "there is a map %s already, choose another name",
                         in->values[OPT_TO]);
    return tool_fail_status(in, status);
}
