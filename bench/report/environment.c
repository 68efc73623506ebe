/* SPDX-License-Identifier: MIT */
/* Where a run took place: machine, system, file system, libraries, build; and what speaks against it. */
#include "drivers/driver.h"
#include "report/report.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef BENCH_BUILD
#define BENCH_BUILD "unknown"
#endif

#define TMPFS_NUMBER 0x01021994 /* statfs(2) */

static void cpu_model(char *out, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(out, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *text = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || !text)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", text + 2);
        break;
    }
    if (file)
        fclose(file);
}

static bool is_virtual(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[4096];
    bool is_found = false;

    while (file && !is_found && fgets(line, sizeof line, file))
        is_found = strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor");
    if (file)
        fclose(file);
    return is_found;
}

static const char *file_system(const char *path)
{
    static const struct {
        unsigned long number;
        const char *name;
    } known[] = {
        { 0xEF53, "ext4" },     { 0x58465342, "xfs" },     { 0x9123683E, "btrfs" },
        { 0x6969, "nfs" },      { TMPFS_NUMBER, "tmpfs" }, { 0x794c7630, "overlayfs" },
        { 0x2FC12FC1, "zfs" },  { 0xF2F52010, "f2fs" },    { 0xFF534D42, "cifs" },
        { 0x65735546, "fuse" },
    };
    struct statfs facts;

    if (statfs(path, &facts) != 0)
        return "unknown";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((unsigned long)facts.f_type == known[i].number)
            return known[i].name;
    }
    return "other";
}

/* The median of a few small writes that are synced one by one. */
static double sync_ns(const char *directory)
{
    double samples[15];
    size_t count = 0;
    char path[1024];
    int file;

    snprintf(path, sizeof path, "%s/pdict-bench-sync-XXXXXX", directory);
    if ((file = mkstemp(path)) < 0)
        return 0;
    unlink(path);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        uint64_t begun_ns = bench_now_ns();

        if (pwrite(file, path, 100, (off_t)(i * 100)) == 100 && fdatasync(file) == 0)
            samples[count++] = (double)(bench_now_ns() - begun_ns);
    }
    close(file);
    return bench_median(samples, count);
}

static json_t *libraries(void)
{
    json_t *list = json_object();
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    for (size_t i = 0; drivers[i]; i++) {
        if (drivers[i]->library && drivers[i]->name)
            json_object_set_new(list, drivers[i]->name, json_string(drivers[i]->library()));
    }
    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (*info.library)
            json_object_set_new(list, info.name, json_string(info.library));
    }
    json_object_set_new(list, "pdict", json_string(pdict_version()));
    return list;
}

static double load_average(void)
{
    double load = 0;

    return getloadavg(&load, 1) == 1 ? load : 0;
}

json_t *report_environment(const struct invocation *in, uint64_t seed)
{
    const char *directory = bench_text(in, OPT_DIR, ".");
    json_t *context = json_object();
    struct utsname kernel = { 0 };
    char text[256];
    time_t now = time(NULL);
    struct tm parts;

    uname(&kernel);
    cpu_model(text, sizeof text);
    json_object_set_new(context, "cpu", json_string(text));
    json_object_set_new(context, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    json_object_set_new(context, "memory_bytes",
                        json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
    json_object_set_new(context, "virtual", json_boolean(is_virtual()));
    snprintf(text, sizeof text, "%s %s", kernel.sysname, kernel.release);
    json_object_set_new(context, "kernel", json_string(text));
    json_object_set_new(context, "file_system", json_string(file_system(directory)));
    json_object_set_new(context, "sync_ns", json_real(sync_ns(directory)));
    json_object_set_new(context, "clock_ns", json_real(bench_clock_cost_ns()));
    json_object_set_new(context, "load", json_real(load_average()));
    json_object_set_new(context, "build", json_string(BENCH_BUILD));
    json_object_set_new(context, "seed", json_integer((json_int_t)seed));
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    json_object_set_new(context, "time", json_string(text));
    json_object_set_new(context, "libraries", libraries());
    return context;
}

void report_environment_warn(const struct invocation *in, json_t *document)
{
    double load = load_average();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

#ifndef NDEBUG
    report_warn(document, "this is a build with assertions: figures are too slow; build release");
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    report_warn(document, "this is a build with sanitizers: figures mean nothing");
#endif
    if (strcmp(file_system(bench_text(in, OPT_DIR, ".")), "tmpfs") == 0)
        report_warn(document, "the stores lie in tmpfs: syncs cost nothing; choose another --dir");
    if (load > 0.5 * (double)cores)
        report_warn(document,
                    "the machine is busy (load %.1f on %ld cores): trust ratios, not times", load,
                    cores);
}
