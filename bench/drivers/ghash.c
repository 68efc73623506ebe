/* SPDX-License-Identifier: MIT */
/* raw:ghash: GLib's GHashTable: RAM only, one thread, no safety; what a plain hash table costs. */
#include "drivers/driver.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct held {
    size_t size;
    unsigned char bytes[];
};

static int ghash_open(const struct driver_args *args, void **self)
{
    (void)args;
    *self = g_hash_table_new_full(g_str_hash, g_str_equal, free, free);
    return PDICT_OK;
}

static void ghash_close(void *self)
{
    g_hash_table_destroy(self);
}

static int ghash_session_open(void *self, enum driver_durability durability, void **session)
{
    (void)durability;
    *session = self;
    return PDICT_OK;
}

static void ghash_session_close(void *session)
{
    (void)session;
}

static int ghash_get(void *session, pdict_slice key, pdict_slice *value)
{
    const struct held *held = g_hash_table_lookup(session, key.data);

    if (!held)
        return PDICT_NOTFOUND;
    *value = pdict_bytes(held->bytes, held->size);
    return PDICT_OK;
}

static int ghash_put(void *session, pdict_slice key, pdict_slice value)
{
    struct held *held = malloc(sizeof *held + value.size);
    char *name = malloc(key.size + 1);

    if (!held || !name) {
        free(held);
        free(name);
        return driver_no_memory("raw:ghash");
    }
    memcpy(name, key.data, key.size);
    name[key.size] = '\0';
    held->size = value.size;
    if (value.size > 0)
        memcpy(held->bytes, value.data, value.size);
    g_hash_table_replace(session, name, held);
    return PDICT_OK;
}

static int ghash_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = ghash_put(session, pairs[i].key, pairs[i].value);
    return status;
}

static int ghash_del(void *session, pdict_slice key)
{
    return g_hash_table_remove(session, key.data) ? PDICT_OK : PDICT_NOTFOUND;
}

static int ghash_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    GHashTableIter iter;
    gpointer value;

    (void)from;
    *count = 0;
    g_hash_table_iter_init(&iter, session);
    while (*count < limit && g_hash_table_iter_next(&iter, NULL, &value)) {
        driver_look(((struct held *)value)->bytes, 1);
        ++*count;
    }
    return PDICT_OK;
}

static const char *ghash_library(void)
{
    static char text[32];

    snprintf(text, sizeof text, "GLib %u.%u.%u", glib_major_version, glib_minor_version,
             glib_micro_version);
    return text;
}

const struct driver driver_ghash = {
    .family = "raw",
    .name = "ghash",
    .summary = "GLib's hash table: in RAM, one thread, nothing persists",
    .strictest = DRIVER_NOTHING,
    .loosest = DRIVER_NOTHING,
    .library = ghash_library,
    .open = ghash_open,
    .close = ghash_close,
    .session_open = ghash_session_open,
    .session_close = ghash_session_close,
    .get = ghash_get,
    .put = ghash_put,
    .put_many = ghash_put_many,
    .del = ghash_del,
    .scan = ghash_scan,
};
