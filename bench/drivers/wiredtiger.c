/* SPDX-License-Identifier: MIT */
/* peer:wiredtiger: WiredTiger, a row store with a log. */
#include "drivers/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <wiredtiger.h>

struct session {
    WT_SESSION *session;
    WT_CURSOR *cursor;
    const char *commit; /* configuration of commit_transaction */
    struct driver_copy copy;
};

static int failed(int code)
{
    return pdict_fail(PDICT_IO, "peer:wiredtiger: %s", wiredtiger_strerror(code));
}

static WT_ITEM item(pdict_slice slice)
{
    return (WT_ITEM){ .data = slice.data, .size = slice.size };
}

static void tiger_close(void *self)
{
    WT_CONNECTION *connection = self;

    connection->close(connection, NULL);
}

static int create_table(WT_CONNECTION *connection)
{
    WT_SESSION *session;
    int code = connection->open_session(connection, NULL, NULL, &session);

    if (code == 0)
        code = session->create(session, "table:kv", "key_format=u,value_format=u");
    if (code == 0)
        code = session->close(session, NULL);
    return code;
}

static int tiger_open(const struct driver_args *args, void **self)
{
    WT_CONNECTION *connection;
    char config[256];
    int code;

    snprintf(config, sizeof config,
             "create,cache_size=%zu,session_max=300,log=(enabled=true),"
             "transaction_sync=(enabled=false,method=fsync)",
             args->page_cache);
    if ((code = wiredtiger_open(args->directory, NULL, config, &connection)))
        return failed(code);
    if ((code = create_table(connection))) {
        tiger_close(connection);
        return failed(code);
    }
    *self = connection;
    return PDICT_OK;
}

static void tiger_session_close(void *session)
{
    struct session *mine = session;

    if (mine->session)
        mine->session->close(mine->session, NULL);
    free(mine->copy.data);
    free(mine);
}

static int tiger_session_open(void *self, enum driver_durability durability, void **session)
{
    WT_CONNECTION *connection = self;
    struct session *made = calloc(1, sizeof *made);
    int code;

    if (!made)
        return driver_no_memory("peer:wiredtiger");
    made->commit = durability == DRIVER_FULL ? "sync=on" : NULL;
    code = connection->open_session(connection, NULL, NULL, &made->session);
    if (code == 0)
        code =
            made->session->open_cursor(made->session, "table:kv", NULL, "overwrite", &made->cursor);
    if (code) {
        tiger_session_close(made);
        return failed(code);
    }
    *session = made;
    return PDICT_OK;
}

static int tiger_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    WT_ITEM k = item(key);
    WT_ITEM found;
    int code;
    int status;

    mine->cursor->set_key(mine->cursor, &k);
    if ((code = mine->cursor->search(mine->cursor)))
        return code == WT_NOTFOUND ? PDICT_NOTFOUND : failed(code);
    if ((code = mine->cursor->get_value(mine->cursor, &found)))
        return failed(code);
    status = driver_copy(&mine->copy, found.data, found.size, value);
    mine->cursor->reset(mine->cursor);
    return status;
}

static int tiger_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    struct session *mine = session;
    int code = mine->session->begin_transaction(mine->session, NULL);

    for (size_t i = 0; i < count && code == 0; i++) {
        WT_ITEM k = item(pairs[i].key);
        WT_ITEM v = item(pairs[i].value);

        mine->cursor->set_key(mine->cursor, &k);
        mine->cursor->set_value(mine->cursor, &v);
        code = mine->cursor->insert(mine->cursor);
    }
    if (code) {
        mine->session->rollback_transaction(mine->session, NULL);
        return failed(code);
    }
    code = mine->session->commit_transaction(mine->session, mine->commit);
    return code ? failed(code) : PDICT_OK;
}

static int tiger_put(void *session, pdict_slice key, pdict_slice value)
{
    pdict_pair pair = { key, value };

    return tiger_put_many(session, &pair, 1);
}

static int tiger_del(void *session, pdict_slice key)
{
    struct session *mine = session;
    WT_ITEM k = item(key);
    int code = mine->session->begin_transaction(mine->session, NULL);

    if (code)
        return failed(code);
    mine->cursor->set_key(mine->cursor, &k);
    code = mine->cursor->remove(mine->cursor);
    if (code && code != WT_NOTFOUND) {
        mine->session->rollback_transaction(mine->session, NULL);
        return failed(code);
    }
    code = mine->session->commit_transaction(mine->session, mine->commit);
    return code ? failed(code) : PDICT_OK;
}

static int position(WT_CURSOR *cursor, pdict_slice from)
{
    WT_ITEM k = item(from);
    int exact;
    int code;

    if (!from.data) {
        cursor->reset(cursor);
        return cursor->next(cursor);
    }
    cursor->set_key(cursor, &k);
    code = cursor->search_near(cursor, &exact);
    return code == 0 && exact < 0 ? cursor->next(cursor) : code;
}

static int tiger_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    WT_ITEM value;
    int code = position(mine->cursor, from);

    *count = 0;
    while (code == 0 && *count < limit) {
        if ((code = mine->cursor->get_value(mine->cursor, &value)) == 0) {
            driver_look(value.data, value.size);
            ++*count;
            code = mine->cursor->next(mine->cursor);
        }
    }
    mine->cursor->reset(mine->cursor);
    return code == 0 || code == WT_NOTFOUND ? PDICT_OK : failed(code);
}

static const char *tiger_library(void)
{
    static char text[32];
    int major, minor, patch;

    wiredtiger_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "WiredTiger %d.%d.%d", major, minor, patch);
    return text;
}

const struct driver driver_wiredtiger = {
    .family = "peer",
    .name = "wiredtiger",
    .summary = "WiredTiger, row store with a log",
    .flags = DRIVER_THREADS | DRIVER_ORDERED | DRIVER_PERSISTS,
    .strictest = DRIVER_FULL,
    .loosest = DRIVER_CRASH,
    .library = tiger_library,
    .open = tiger_open,
    .close = tiger_close,
    .session_open = tiger_session_open,
    .session_close = tiger_session_close,
    .get = tiger_get,
    .put = tiger_put,
    .put_many = tiger_put_many,
    .del = tiger_del,
    .scan = tiger_scan,
};
