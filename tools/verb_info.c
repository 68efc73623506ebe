/* SPDX-License-Identifier: MIT */
/* pdict info and pdict version: what this build can do, and what it is built of. */
#include "tool.h"

#include <string.h>

static const char *kind_name(int kind)
{
    static const char *const names[] = { "core", "backend", "serializer", "compressor", "cipher" };

    return kind >= 0 && kind <= PDICT_INFO_CIPHER ? names[kind] : "other";
}

static const char *heading(int kind)
{
    static const char *const names[] = { "core", "backends", "serializers", "compressors",
                                         "ciphers" };

    return kind >= 0 && kind <= PDICT_INFO_CIPHER ? names[kind] : "others";
}

static const char *type_name(int type)
{
    static const char *const names[] = { "", "flag", "int", "size", "duration", "choice", "text" };

    return type >= PDICT_OPTION_FLAG && type <= PDICT_OPTION_TEXT ? names[type] : "other";
}

static bool has_bounds(const pdict_option_spec *spec)
{
    return spec->type == PDICT_OPTION_INT || spec->type == PDICT_OPTION_SIZE ||
           spec->type == PDICT_OPTION_DURATION;
}

static json_t *option_json(const pdict_option_spec *spec)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "name", spec->name, "type", type_name(spec->type),
                  "default", spec->fallback, "choices", spec->choices, "help", spec->help);

    if (has_bounds(spec)) {
        json_object_set_new(object, "min", json_integer(spec->min));
        json_object_set_new(object, "max", json_integer(spec->max));
    }
    return object;
}

static json_t *info_json(const pdict_info *info)
{
    json_t *options = json_array();

    for (const pdict_option_spec *spec = info->options; spec->name; spec++)
        json_array_append_new(options, option_json(spec));
    return json_pack("{s:s, s:s, s:i, s:s*, s:s*, s:o}", "name", info->name, "kind",
                     kind_name(info->kind), "id", (int)info->id, "summary", info->summary,
                     "library", info->library, "options", options);
}

static void print_plain(const pdict_info *info)
{
    char left[64];

    printf("%s", info->kind == PDICT_INFO_CORE ? "options of every store" : info->name);
    if (info->summary && *info->summary && info->kind != PDICT_INFO_CORE)
        printf(": %s", info->summary);
    if (info->library && *info->library)
        printf(" (%s)", info->library);
    putchar('\n');
    for (const pdict_option_spec *spec = info->options; spec->name; spec++) {
        snprintf(left, sizeof left, "%s=%s", spec->name,
                 spec->choices ? spec->choices : type_name(spec->type));
        printf("    %-34s %s%s%s%s\n", left, spec->help ? spec->help : "",
               spec->fallback ? " [" : "", spec->fallback ? spec->fallback : "",
               spec->fallback ? "]" : "");
    }
}

static void add_json(json_t *groups, const pdict_info *info)
{
    const char *name = info->kind == PDICT_INFO_CORE      ? "core"
                       : info->kind == PDICT_INFO_BACKEND ? "backends"
                                                          : "codecs";
    json_t *group = json_object_get(groups, name);

    if (!group) {
        group = json_array();
        json_object_set_new(groups, name, group);
    }
    json_array_append_new(group, info_json(info));
}

int tool_info(struct invocation *in)
{
    const char *wanted = in->n_args ? in->args[0] : NULL;
    json_t *groups = json_pack("{s:s}", "version", pdict_version());
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;
    int last_kind = -1;
    bool found = false;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (wanted && strcmp(wanted, info.name) != 0)
            continue;
        found = true;
        add_json(groups, &info);
        if (tool_has(in, OPT_JSON))
            continue;
        if (!wanted && info.kind != last_kind)
            printf("%s%s\n", last_kind < 0 ? "" : "\n", heading(info.kind));
        last_kind = info.kind;
        print_plain(&info);
    }
    if (found && tool_has(in, OPT_JSON))
        tool_json_print(json_incref(groups));
    json_decref(groups);
    if (!found && wanted)
        return tool_fail(in, TOOL_UNSUPPORTED,
                         "this build has no backend or codec %s, `pdict info` lists them", wanted);
    return TOOL_OK;
}

int tool_version(struct invocation *in)
{
    pdict_info info = PDICT_INFO_INIT;
    json_t *libraries = json_object();
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.library && *info.library)
            json_object_set_new(libraries, info.name, json_string(info.library));
    }
    if (tool_has(in, OPT_JSON)) {
        tool_json_print(json_pack("{s:s, s:s, s:o}", "pdict", PDICT_VERSION_STRING, "library",
                                  pdict_version(), "libraries", libraries));
        return TOOL_OK;
    }
    json_decref(libraries);
    printf("pdict %s\n", pdict_version());
    return TOOL_OK;
}
