/* SPDX-License-Identifier: MIT */
/* The drivers of this build, and targets by name. */
#include "drivers/driver.h"
#include "tool/tool.h"

#include <stdlib.h>
#include <string.h>

const char *const driver_durability_names[DRIVER_DURABILITIES] = {
    [DRIVER_FULL] = "full",
    [DRIVER_CRASH] = "ordered",
    [DRIVER_UNSAFE] = "unsafe",
    [DRIVER_NOTHING] = "none",
};

const struct driver *const drivers[] = {
    &driver_null,
    &driver_sqlite,
#ifdef BENCH_LMDB
    &driver_lmdb,
#endif
#ifdef BENCH_GLIB
    &driver_ghash,
#endif
    &driver_files,
    &driver_pdict,
#ifdef BENCH_ROCKSDB
    &driver_rocksdb,
#endif
#ifdef BENCH_LEVELDB
    &driver_leveldb,
#endif
#ifdef BENCH_WIREDTIGER
    &driver_wiredtiger,
#endif
#ifdef BENCH_TKRZW
    &driver_tkrzw,
#endif
    NULL,
};

static const char *const families[] = { "raw:", "pdict:", "peer:" };

static bool begins_with_family(const char *text)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (strncmp(text, families[i], strlen(families[i])) == 0)
            return true;
    }
    return false;
}

/* Every target that can be named, for the near match. */
static size_t known_targets(char names[][64], size_t most)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;
    size_t count = 0;

    for (size_t i = 0; drivers[i]; i++) {
        if (drivers[i]->name && count < most)
            snprintf(names[count++], 64, "%s:%s", drivers[i]->family, drivers[i]->name);
    }
    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind == PDICT_INFO_BACKEND && count < most)
            snprintf(names[count++], 64, "pdict:%.50s", info.name);
    }
    return count;
}

static int unknown_target(const char *text)
{
    char names[64][64];
    const char *pointers[64];
    size_t count = known_targets(names, 64);
    const char *nearest;

    for (size_t i = 0; i < count; i++)
        pointers[i] = names[i];
    nearest = cli_nearest(text, pointers, count);
    if (nearest)
        return pdict_fail(PDICT_INVAL, "there is no target %s, did you mean %s?", text, nearest);
    return pdict_fail(PDICT_INVAL, "there is no target %s; `pdict-bench list` names them", text);
}

int target_parse(const char *text, struct target *out)
{
    size_t name_size = strcspn(text, "?");
    const char *colon = strchr(text, ':');

    if (strlen(text) >= sizeof out->label)
        return pdict_fail(PDICT_INVAL, "--target: %s is too long", text);
    *out = (struct target){ .options = "" };
    snprintf(out->label, sizeof out->label, "%s", text);
    if (!colon || colon >= text + name_size ||
        (size_t)(text + name_size - colon) > sizeof out->name)
        return unknown_target(text);
    snprintf(out->name, sizeof out->name, "%.*s", (int)(text + name_size - colon - 1), colon + 1);
    if (text[name_size] == '?')
        out->options = out->label + name_size + 1;
    for (size_t i = 0; drivers[i]; i++) {
        const struct driver *driver = drivers[i];

        if (strncmp(driver->family, text, strlen(driver->family)) != 0 ||
            text[strlen(driver->family)] != ':' ||
            (driver->name && strcmp(driver->name, out->name) != 0))
            continue;
        out->flags = driver->flags;
        out->strictest = driver->strictest;
        if (driver->knows && !driver->knows(out->name, &out->flags, &out->strictest))
            continue;
        if (*out->options && !driver->knows)
            return pdict_fail(PDICT_INVAL, "%s: only pdict: targets take options", text);
        out->driver = driver;
        return PDICT_OK;
    }
    return unknown_target(text);
}

/* The end of the target that begins at `text`. A comma behind a '?' belongs to the options, unless
 * a family follows. */
static const char *target_end(const char *text)
{
    const char *options = strchr(text, '?');

    while ((text = strchr(text, ',')) && options && options < text && !begins_with_family(text + 1))
        text++;
    return text;
}

int target_list(const char *text, struct target *out, size_t most, size_t *count)
{
    char one[128];

    *count = 0;
    for (;;) {
        const char *end = target_end(text);
        size_t size = end ? (size_t)(end - text) : strlen(text);
        int status;

        if (*count == most)
            return pdict_fail(PDICT_INVAL, "--target: at most %zu targets in one run", most);
        if (size >= sizeof one)
            return pdict_fail(PDICT_INVAL, "--target: %s is too long", text);
        memcpy(one, text, size);
        one[size] = '\0';
        if ((status = target_parse(one, &out[*count])) != PDICT_OK)
            return status;
        /* The options point into the label of the struct they are in. */
        if (*out[*count].options)
            out[*count].options = strchr(out[*count].label, '?') + 1;
        ++*count;
        if (!end)
            return PDICT_OK;
        text = end + 1;
    }
}

enum driver_durability target_durability(const struct target *target, enum driver_durability wanted)
{
    if (wanted < target->strictest)
        return target->strictest;
    return wanted < target->driver->loosest ? wanted : target->driver->loosest;
}

int driver_no_memory(const char *what)
{
    return pdict_fail(PDICT_NOMEM, "%s: out of memory; use fewer or smaller records", what);
}

int driver_copy(struct driver_copy *copy, const void *data, size_t size, pdict_slice *value)
{
    if (size > copy->capacity) {
        void *grown = realloc(copy->data, size * 2);

        if (!grown)
            return driver_no_memory("a value");
        copy->data = grown;
        copy->capacity = size * 2;
    }
    if (size > 0)
        memcpy(copy->data, data, size);
    *value = pdict_bytes(copy->data, size);
    return PDICT_OK;
}

int driver_path(char *out, size_t size, const char *directory, const char *name)
{
    if ((size_t)snprintf(out, size, "%s/%s", directory, name) >= size)
        return pdict_fail(PDICT_INVAL, "--dir: %s is too long a path", directory);
    return PDICT_OK;
}
