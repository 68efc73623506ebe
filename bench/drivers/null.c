/* SPDX-License-Identifier: MIT */
/* raw:null: does nothing, and so shows what the harness itself costs. */
#include "drivers/driver.h"

static const char bytes[1] = { 'x' };
static char nothing;

static int null_open(const struct driver_args *args, void **self)
{
    (void)args;
    *self = &nothing;
    return PDICT_OK;
}

static void null_close(void *self)
{
    (void)self;
}

static int null_session_open(void *self, enum driver_durability durability, void **session)
{
    (void)durability;
    *session = self;
    return PDICT_OK;
}

static void null_session_close(void *session)
{
    (void)session;
}

static int null_get(void *session, pdict_slice key, pdict_slice *value)
{
    (void)session;
    (void)key;
    *value = pdict_bytes(bytes, sizeof bytes);
    return PDICT_OK;
}

static int null_put(void *session, pdict_slice key, pdict_slice value)
{
    (void)session;
    (void)key;
    (void)value;
    return PDICT_OK;
}

static int null_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    (void)session;
    (void)pairs;
    (void)count;
    return PDICT_OK;
}

static int null_del(void *session, pdict_slice key)
{
    (void)session;
    (void)key;
    return PDICT_OK;
}

static int null_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    (void)session;
    (void)from;
    *count = limit;
    return PDICT_OK;
}

const struct driver driver_null = {
    .family = "raw",
    .name = "null",
    .summary = "does nothing: what the harness itself costs",
    .flags = DRIVER_THREADS | DRIVER_ORDERED | DRIVER_PERSISTS,
    .strictest = DRIVER_NOTHING,
    .loosest = DRIVER_NOTHING,
    .open = null_open,
    .close = null_close,
    .session_open = null_session_open,
    .session_close = null_session_close,
    .get = null_get,
    .put = null_put,
    .put_many = null_put_many,
    .del = null_del,
    .scan = null_scan,
};
