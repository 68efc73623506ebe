/* SPDX-License-Identifier: MIT */
/* pdict:BACKEND: a map on any backend of this build, or of a loaded extension. */
#include "drivers/driver.h"

#include <pdict/ext/register.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BULK_FROM 50000

struct session {
    pdict *map;
    pdict_view view; /* of the last get */
    pdict_put_options how;
};

static bool pdict_knows(const char *name, unsigned *flags, enum driver_durability *strictest)
{
    const char *last = strrchr(name, '+'); /* layers stand before the backend */
    const pdict_backend *backend = pdict_backend_find(last ? last + 1 : name);

    if (!backend)
        return false;
    *flags = DRIVER_THREADS | DRIVER_ORDERED | DRIVER_TTL;
    if (backend->capabilities & PDICT_CAP_FILE)
        *flags |= DRIVER_PERSISTS;
    if (backend->capabilities & PDICT_CAP_MULTI_PROCESS)
        *flags |= DRIVER_PROCESSES;
    *strictest = backend->capabilities & PDICT_CAP_FILE ? DRIVER_FULL : DRIVER_NOTHING;
    return true;
}

static bool has_option(const pdict_option_spec *options, const char *name)
{
    for (; options->name; options++) {
        if (strcmp(options->name, name) == 0)
            return true;
    }
    return false;
}

static bool backend_has_option(const char *name, const char *option)
{
    const char *last = strrchr(name, '+');
    const pdict_backend *backend = pdict_backend_find(last ? last + 1 : name);

    return backend && backend->options && has_option(backend->options, option);
}

static bool core_has_option(const char *option)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind == PDICT_INFO_CORE)
            return has_option(info.options, option);
    }
    return false;
}

/* Add an option to the URI, unless the user gave it another value. */
static void add_option(char *uri, size_t size, const char *options, const char *name,
                       const char *value)
{
    char named[32];
    size_t used = strlen(uri);

    snprintf(named, sizeof named, "%s=", name);
    if (!strstr(options, named))
        snprintf(uri + used, size - used, "%s%s%s", uri[used - 1] == '?' ? "" : "&", named, value);
}

static int pdict_driver_open(const struct driver_args *args, void **self)
{
    char uri[1400];
    char bytes[32];
    pdict *map;
    int status;

    if ((size_t)snprintf(uri, sizeof uri, "%s:%s/map?%s", args->name, args->directory,
                         args->options) >= sizeof uri - 100)
        return pdict_fail(PDICT_INVAL, "--dir: %s is too long a path", args->directory);
    snprintf(bytes, sizeof bytes, "%zuB", args->page_cache);
    if (backend_has_option(args->name, "page_cache"))
        add_option(uri, sizeof uri, args->options, "page_cache", bytes);
    if (args->is_uncached && core_has_option("cache"))
        add_option(uri, sizeof uri, args->options, "cache", "off");
    if (args->durability != DRIVER_NOTHING)
        add_option(uri, sizeof uri, args->options, "durability",
                   driver_durability_names[args->durability]);
    status = pdict_open(uri, NULL, &map);
    *self = map;
    return status;
}

static void pdict_driver_close(void *self)
{
    pdict_close(self);
}

static int pdict_session_open(void *self, enum driver_durability durability, void **session)
{
    static const unsigned durabilities[DRIVER_DURABILITIES] = {
        [DRIVER_FULL] = PDICT_COMMIT_FULL,
        [DRIVER_CRASH] = PDICT_COMMIT_ORDERED,
        [DRIVER_UNSAFE] = PDICT_COMMIT_UNSAFE,
        [DRIVER_NOTHING] = PDICT_COMMIT_DEFAULT,
    };
    struct session *made = calloc(1, sizeof *made);

    if (!made)
        return driver_no_memory("pdict");
    made->map = self;
    made->how = (pdict_put_options)PDICT_PUT_OPTIONS_INIT;
    made->how.durability = durabilities[durability];
    *session = made;
    return PDICT_OK;
}

static void pdict_session_close(void *session)
{
    struct session *mine = session;

    pdict_view_release(&mine->view);
    free(mine);
}

static int pdict_driver_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    int status;

    pdict_view_release(&mine->view);
    status = pdict_get(mine->map, key, &mine->view);
    *value = pdict_bytes(mine->view.data, mine->view.size);
    return status;
}

static int see(void *ctx, const pdict_view *view)
{
    *(unsigned *)ctx += view->size ? *(const unsigned char *)view->data : 0;
    return PDICT_OK;
}

static int pdict_driver_visit(void *session, pdict_slice key, unsigned *seen)
{
    struct session *mine = session;

    return pdict_get_with(mine->map, key, see, seen);
}

static int pdict_driver_put(void *session, pdict_slice key, pdict_slice value)
{
    struct session *mine = session;

    return pdict_put(mine->map, key, value, &mine->how);
}

/* A bulk load need not be one transaction: in slices it takes bounded memory. */
static int pdict_driver_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    struct session *mine = session;
    pdict_put_options how = mine->how;

    if (count >= BULK_FROM)
        how.flags |= PDICT_PUT_IN_SLICES;
    return pdict_put_many(mine->map, pairs, count, &how, NULL);
}

static int pdict_driver_put_ttl(void *session, pdict_slice key, pdict_slice value, int64_t ttl_ms)
{
    struct session *mine = session;
    pdict_put_options how = mine->how;

    how.ttl_ms = ttl_ms;
    return pdict_put(mine->map, key, value, &how);
}

static int pdict_driver_del(void *session, pdict_slice key)
{
    struct session *mine = session;

    return pdict_del(mine->map, key);
}

static int walk(pdict_iter *iter, size_t limit, size_t *count)
{
    pdict_entry entry;
    int status = PDICT_OK;

    while (*count < limit && (status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        driver_look(entry.value.data, entry.value.size);
        ++*count;
    }
    return status == PDICT_END ? PDICT_OK : status;
}

static int pdict_driver_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    int status;

    *count = 0;
    range.flags = PDICT_BY_KEY;
    range.from = from;
    range.limit = limit;
    if ((status = pdict_iter_open(mine->map, &range, &iter)) != PDICT_OK)
        return status;
    status = walk(iter, limit, count);
    pdict_iter_close(iter);
    return status;
}

static int pdict_drop_cache(void *self)
{
    return pdict_clear_cache(self);
}

static const char *pdict_library(void)
{
    return "pdict " PDICT_VERSION_STRING;
}

const struct driver driver_pdict = {
    .family = "pdict",
    .summary = "a map of this library on the backend of that name; takes its options behind a ?",
    .loosest = DRIVER_UNSAFE,
    .library = pdict_library,
    .knows = pdict_knows,
    .open = pdict_driver_open,
    .close = pdict_driver_close,
    .session_open = pdict_session_open,
    .session_close = pdict_session_close,
    .get = pdict_driver_get,
    .put = pdict_driver_put,
    .put_many = pdict_driver_put_many,
    .del = pdict_driver_del,
    .scan = pdict_driver_scan,
    .visit = pdict_driver_visit,
    .put_ttl = pdict_driver_put_ttl,
    .drop_cache = pdict_drop_cache,
};
