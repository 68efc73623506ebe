/* SPDX-License-Identifier: MIT */
/* pdict init: make a map, and its store when that is new. */
#include "tool.h"

/* Whatever else the probe found is for the real opening to tell, or to repair: an empty file. */
static int check_absent(const struct invocation *in)
{
    const char *map = tool_has(in, OPT_MAP) ? in->values[OPT_MAP] : "main";

    if (tool_probe(in) != PDICT_OK || tool_has(in, OPT_IF_MISSING))
        return PDICT_OK;
    return pdict_fail(PDICT_INVAL, "%s has a map %s already, give another --map or --if-missing",
                      in->args[0], map);
}

static void report(const struct invocation *in, const pdict_stats *stats)
{
    json_t *object;

    if (tool_has(in, OPT_JSON)) {
        object = json_object();
        tool_json_slice(object, "backend", pdict_str(stats->backend));
        tool_json_slice(object, "path", pdict_str(stats->path));
        tool_json_slice(object, "map", pdict_str(stats->map));
        tool_json_slice(object, "codecs", pdict_str(stats->codecs));
        json_object_set_new(object, "encrypted", json_boolean(stats->is_encrypted));
        tool_json_print(object);
    } else if (!tool_has(in, OPT_QUIET)) {
        printf("%s: map %s, %s, %s%s\n", stats->path, stats->map, stats->backend, stats->codecs,
               stats->is_encrypted ? ", encrypted" : "");
    }
}

int tool_init(struct invocation *in)
{
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d = NULL;
    int status;

    if ((status = check_absent(in)) != PDICT_OK)
        goto done;
    if ((status = tool_open(in, "rwc", &d)) != PDICT_OK)
        goto done;
    if ((status = pdict_stats_get(d, 0, &stats)) != PDICT_OK)
        goto done;
    report(in, &stats);
done:
    pdict_close(d);
    return tool_fail_status(in, status);
}
