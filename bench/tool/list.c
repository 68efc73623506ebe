/* SPDX-License-Identifier: MIT */
/* pdict-bench list: what this build can measure. */
#include "drivers/driver.h"
#include "report/report.h"
#include "workloads/run.h"

static json_t *item(const char *name, const char *summary, const char *library)
{
    return json_pack("{s:s,s:s,s:s}", "name", name, "summary", summary, "library", library);
}

static json_t *targets(void)
{
    json_t *list = json_array();
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;
    char name[80];

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind != PDICT_INFO_BACKEND)
            continue;
        snprintf(name, sizeof name, "pdict:%.64s", info.name);
        json_array_append_new(list, item(name, info.summary, info.library));
    }
    for (size_t i = 0; drivers[i]; i++) {
        if (!drivers[i]->name)
            continue;
        snprintf(name, sizeof name, "%s:%s", drivers[i]->family, drivers[i]->name);
        json_array_append_new(list, item(name, drivers[i]->summary,
                                         drivers[i]->library ? drivers[i]->library() : ""));
    }
    return list;
}

static json_t *codecs(void)
{
    json_t *list = json_array();
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind == PDICT_INFO_COMPRESSOR || info.kind == PDICT_INFO_CIPHER)
            json_array_append_new(list, item(info.name, info.summary, info.library));
    }
    return list;
}

static json_t *workloads(const struct workload *all)
{
    json_t *list = json_array();

    for (; all->name; all++)
        json_array_append_new(list, item(all->name, all->summary, ""));
    return list;
}

static void print(const char *title, const json_t *list)
{
    const json_t *entry;
    size_t i;

    printf("%s:\n", title);
    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
    {
        const char *library = report_string(entry, "library");

        printf("  %-16s %s%s%s%s\n", report_string(entry, "name"), report_string(entry, "summary"),
               *library ? " (" : "", library, *library ? ")" : "");
    }
}

int bench_list(struct invocation *in)
{
    json_t *all = json_object();
    int status = PDICT_OK;

    json_object_set_new(all, "targets", targets());
    json_object_set_new(all, "codecs", codecs());
    json_object_set_new(all, "kv", workloads(kv_workloads));
    json_object_set_new(all, "ycsb", workloads(ycsb_workloads));
    if (bench_has(in, OPT_JSON)) {
        if (json_dump_file(all, in->values[OPT_JSON], JSON_INDENT(2)) != 0)
            status = pdict_fail(PDICT_IO, "%s: cannot be written", in->values[OPT_JSON]);
    } else {
        print("Targets", json_object_get(all, "targets"));
        print("\nCodecs and ciphers", json_object_get(all, "codecs"));
        print("\nWorkloads of kv", json_object_get(all, "kv"));
        print("\nWorkloads of ycsb", json_object_get(all, "ycsb"));
    }
    json_decref(all);
    return status;
}
