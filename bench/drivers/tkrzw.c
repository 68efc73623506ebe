/* SPDX-License-Identifier: MIT */
/* peer:tkrzw: Tkrzw's hash database through its C interface. */
#include "drivers/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <tkrzw_langc.h>

struct session {
    TkrzwDBM *db;
    char *value; /* of the last get */
    bool is_synced;
};

static int failed(void)
{
    TkrzwStatus status = tkrzw_get_last_status();

    return pdict_fail(PDICT_IO, "peer:tkrzw: %s %s", tkrzw_status_code_name(status.code),
                      status.message);
}

static int tkrzw_open(const struct driver_args *args, void **self)
{
    char params[128];
    char path[1024];
    TkrzwDBM *db;
    int status;

    if ((status = driver_path(path, sizeof path, args->directory, "store.tkh")) != PDICT_OK)
        return status;
    snprintf(params, sizeof params, "dbm=HashDBM,num_buckets=%llu",
             (unsigned long long)args->keys * 2 + 1000);
    if (!(db = tkrzw_dbm_open(path, true, params)))
        return failed();
    *self = db;
    return PDICT_OK;
}

static void tkrzw_close(void *self)
{
    tkrzw_dbm_close(self);
}

static int tkrzw_session_open(void *self, enum driver_durability durability, void **session)
{
    struct session *made = calloc(1, sizeof *made);

    if (!made)
        return driver_no_memory("peer:tkrzw");
    made->db = self;
    made->is_synced = durability == DRIVER_FULL;
    *session = made;
    return PDICT_OK;
}

static void tkrzw_session_close(void *session)
{
    struct session *mine = session;

    free(mine->value);
    free(mine);
}

static int tkrzw_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    int32_t size;

    free(mine->value);
    mine->value = tkrzw_dbm_get(mine->db, key.data, (int32_t)key.size, &size);
    if (!mine->value)
        return tkrzw_get_last_status_code() == TKRZW_STATUS_NOT_FOUND_ERROR ? PDICT_NOTFOUND
                                                                            : failed();
    *value = pdict_bytes(mine->value, (size_t)size);
    return PDICT_OK;
}

static int commit(struct session *session)
{
    if (session->is_synced && !tkrzw_dbm_synchronize(session->db, true, NULL, NULL, ""))
        return failed();
    return PDICT_OK;
}

static int set(struct session *session, pdict_slice key, pdict_slice value)
{
    if (!tkrzw_dbm_set(session->db, key.data, (int32_t)key.size, value.data, (int32_t)value.size,
                       true))
        return failed();
    return PDICT_OK;
}

static int tkrzw_put(void *session, pdict_slice key, pdict_slice value)
{
    int status = set(session, key, value);

    return status == PDICT_OK ? commit(session) : status;
}

static int tkrzw_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = set(session, pairs[i].key, pairs[i].value);
    return status == PDICT_OK ? commit(session) : status;
}

static int tkrzw_del(void *session, pdict_slice key)
{
    struct session *mine = session;

    if (!tkrzw_dbm_remove(mine->db, key.data, (int32_t)key.size) &&
        tkrzw_get_last_status_code() != TKRZW_STATUS_NOT_FOUND_ERROR)
        return failed();
    return commit(mine);
}

static int tkrzw_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    TkrzwDBMIter *iter = tkrzw_dbm_make_iterator(mine->db);
    int32_t size;
    char *value;

    (void)from;
    *count = 0;
    tkrzw_dbm_iter_first(iter);
    while (*count < limit && (value = tkrzw_dbm_iter_get_value(iter, &size))) {
        driver_look(value, size);
        free(value);
        ++*count;
        tkrzw_dbm_iter_next(iter);
    }
    tkrzw_dbm_iter_free(iter);
    return PDICT_OK;
}

static const char *tkrzw_library(void)
{
    return "Tkrzw " BENCH_TKRZW;
}

const struct driver driver_tkrzw = {
    .family = "peer",
    .name = "tkrzw",
    .summary = "Tkrzw, a hash table in a memory-mapped file; not ordered",
    .flags = DRIVER_THREADS | DRIVER_PERSISTS,
    .strictest = DRIVER_FULL,
    .loosest = DRIVER_UNSAFE,
    .library = tkrzw_library,
    .open = tkrzw_open,
    .close = tkrzw_close,
    .session_open = tkrzw_session_open,
    .session_close = tkrzw_session_close,
    .get = tkrzw_get,
    .put = tkrzw_put,
    .put_many = tkrzw_put_many,
    .del = tkrzw_del,
    .scan = tkrzw_scan,
};
