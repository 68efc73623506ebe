/* SPDX-License-Identifier: MIT */
/* The fault layer: lets the nth call fail, come late or return a wrong bit; for tests. */
#include "fault.h"

#include <string.h>

extern const pdict_backend pdict__backend_fault;

/* ---- store, snapshots, transactions ---- */

static int fault_open(const pdict_backend_args *args, void **self)
{
    struct fault *fault;
    int status;

    if ((status = pdict__fault_new(args, &fault)) != PDICT_OK)
        return status;
    status = pdict__fault_enter(fault, FAULT_CALL_open);
    if (status == PDICT_OK)
        status = args->next->open(args->next_args, &fault->below);
    if (status != PDICT_OK) {
        pdict__fault_free(fault);
        return status;
    }
    *self = fault;
    return PDICT_OK;
}

static void fault_close(void *self)
{
    struct fault *fault = self;

    fault->next->close(fault->below);
    pdict__fault_free(fault);
}

static void fault_suspend(void *self)
{
    struct fault *fault = self;

    if (fault->next->suspend)
        fault->next->suspend(fault->below);
    else
        fault->next->close(fault->below);
    pdict__fault_free(fault);
}

static int fault_reader_open(void *self, void **reader)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_reader_open);

    return status == PDICT_OK ? fault->next->reader_open(fault->below, reader) : status;
}

static void fault_reader_close(void *self, void *reader)
{
    struct fault *fault = self;

    fault->next->reader_close(fault->below, reader);
}

static int fault_reader_begin(void *self, void *reader)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_reader_begin);

    return status == PDICT_OK ? fault->next->reader_begin(fault->below, reader) : status;
}

static void fault_reader_end(void *self, void *reader)
{
    struct fault *fault = self;

    fault->next->reader_end(fault->below, reader);
}

static int fault_write_begin(void *self, int durability, int64_t timeout_ms, void **txn)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_write_begin);

    if (status != PDICT_OK)
        return status;
    return fault->next->write_begin(fault->below, durability, timeout_ms, txn);
}

/* A failed commit has changed nothing; one of unknown outcome has, here. */
static int fault_write_commit(void *self, void *txn)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_write_commit);

    if (status == PDICT_OK)
        return fault->next->write_commit(fault->below, txn);
    if (status != PDICT_UNKNOWN_OUTCOME)
        fault->next->write_abort(fault->below, txn);
    else if (fault->next->write_commit(fault->below, txn) == PDICT_OK)
        return pdict_fail(status, "fault: the commit is reported as one of unknown outcome");
    return status;
}

static void fault_write_abort(void *self, void *txn)
{
    struct fault *fault = self;

    fault->next->write_abort(fault->below, txn);
}

/* ---- maps and SYSTEM values ---- */

static int fault_map_find(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_map_find);

    return status == PDICT_OK ? fault->next->map_find(fault->below, txn, name, map) : status;
}

static int fault_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_map_next);

    return status == PDICT_OK ? fault->next->map_next(fault->below, txn, after, map, name) : status;
}

static int fault_map_create(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_map_create);

    return status == PDICT_OK ? fault->next->map_create(fault->below, txn, name, map) : status;
}

static int fault_map_drop(void *self, void *txn, uint32_t map)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_map_drop);

    return status == PDICT_OK ? fault->next->map_drop(fault->below, txn, map) : status;
}

static int fault_map_rename(void *self, void *txn, uint32_t map, pdict_slice name)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_map_rename);

    return status == PDICT_OK ? fault->next->map_rename(fault->below, txn, map, name) : status;
}

static int fault_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                            pdict_slice *value)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_system_get);

    if (status == PDICT_OK)
        status = fault->next->system_get(fault->below, txn, map, name, value);
    if (status == PDICT_OK)
        status = pdict__fault_corrupt(fault, FAULT_CALL_system_get, value);
    return status;
}

static int fault_system_put(void *self, void *txn, uint32_t map, pdict_slice name,
                            pdict_slice value)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_system_put);

    if (status != PDICT_OK)
        return status;
    return fault->next->system_put(fault->below, txn, map, name, value);
}

/* ---- rows ---- */

static int fault_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_get);

    if (status == PDICT_OK)
        status = fault->next->get(fault->below, txn, map, key, row);
    if (status == PDICT_OK)
        status = pdict__fault_corrupt(fault, FAULT_CALL_get, &row->value);
    return status;
}

/* Half of the changes are made before it fails: the caller has to abort. */
static int fault_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                       int64_t now_ms)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_apply);
    size_t made = status == PDICT_OK ? count : (count + 1) / 2;
    int result = fault->next->apply(fault->below, txn, map, changes, made, now_ms);

    return status == PDICT_OK ? result : status;
}

static int fault_reserve(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_reserve);

    if (status != PDICT_OK)
        return status;
    if (!fault->next->reserve)
        return PDICT_UNSUPPORTED;
    return fault->next->reserve(fault->below, txn, map, changes, count);
}

static int fault_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_count);

    return status == PDICT_OK ? fault->next->count(fault->below, txn, map, now_ms, count) : status;
}

static int fault_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                           void **cursor)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_scan_open);

    if (status != PDICT_OK)
        return status;
    return fault->next->scan_open(fault->below, txn, map, scan, cursor);
}

static int fault_scan_next(void *self, void *cursor, pdict_row *row)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_scan_next);

    if (status == PDICT_OK)
        status = fault->next->scan_next(fault->below, cursor, row);
    if (status == PDICT_OK)
        status = pdict__fault_corrupt(fault, FAULT_CALL_scan_next, &row->value);
    return status;
}

static void fault_scan_close(void *self, void *cursor)
{
    struct fault *fault = self;

    fault->next->scan_close(fault->below, cursor);
}

static int fault_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                            size_t count)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_access_put);

    if (status != PDICT_OK || !fault->next->access_put)
        return status;
    return fault->next->access_put(fault->below, txn, map, items, count);
}

static int fault_access_get(void *self, void *txn, uint32_t map, uint64_t id, int64_t *accessed_ms)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_access_get);

    if (status != PDICT_OK)
        return status;
    if (!fault->next->access_get)
        return PDICT_NOTFOUND;
    return fault->next->access_get(fault->below, txn, map, id, accessed_ms);
}

/* ---- facts and upkeep ---- */

static int fault_stat(void *self, pdict_backend_stat *stat)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_stat);

    return status == PDICT_OK ? fault->next->stat(fault->below, stat) : status;
}

static int fault_watch(void *self, const volatile uint64_t *words[2])
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_watch);

    if (status != PDICT_OK)
        return status;
    return fault->next->watch ? fault->next->watch(fault->below, words) : PDICT_UNSUPPORTED;
}

static bool fault_is_next(void *self, const uint64_t before[2], const uint64_t after[2])
{
    struct fault *fault = self;

    return fault->next->is_next && fault->next->is_next(fault->below, before, after);
}

static bool fault_is_same(void *self, const uint64_t before[2], const uint64_t after[2])
{
    struct fault *fault = self;

    return fault->next->is_same && fault->next->is_same(fault->below, before, after);
}

static bool fault_watch_sees(void *self, void *reader, const uint64_t token[2])
{
    struct fault *fault = self;

    return !fault->next->watch_sees || fault->next->watch_sees(fault->below, reader, token);
}

static void fault_reader_rest(void *self, void *reader)
{
    struct fault *fault = self;

    if (fault->next->reader_rest)
        fault->next->reader_rest(fault->below, reader);
}

static bool fault_reader_resume(void *self, void *reader)
{
    struct fault *fault = self;

    return !fault->next->reader_resume || fault->next->reader_resume(fault->below, reader);
}

static uint64_t fault_log_bytes(void *self)
{
    struct fault *fault = self;

    return fault->next->log_bytes ? fault->next->log_bytes(fault->below) : 0;
}

static int fault_checkpoint(void *self, bool wait)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_checkpoint);

    if (status != PDICT_OK || !fault->next->checkpoint)
        return status;
    return fault->next->checkpoint(fault->below, wait);
}

static int fault_sync(void *self)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_sync);

    if (status != PDICT_OK || !fault->next->sync)
        return status;
    return fault->next->sync(fault->below);
}

static int fault_check(void *self, void *txn, uint32_t map, const pdict_backend_events *events)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_check);

    if (status != PDICT_OK || !fault->next->check)
        return status;
    return fault->next->check(fault->below, txn, map, events);
}

static int fault_backup(void *self, const char *path, const pdict_backend_events *events)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_backup);

    if (status != PDICT_OK)
        return status;
    if (!fault->next->backup)
        return pdict_fail(PDICT_UNSUPPORTED, "fault: %s has no file to back up", fault->next->name);
    return fault->next->backup(fault->below, path, events);
}

static int fault_compact(void *self, uint64_t step_bytes, int64_t timeout_ms, uint64_t *left_bytes)
{
    struct fault *fault = self;
    int status = pdict__fault_enter(fault, FAULT_CALL_compact);

    if (status != PDICT_OK)
        return status;
    *left_bytes = 0;
    if (!fault->next->compact)
        return PDICT_OK;
    return fault->next->compact(fault->below, step_bytes, timeout_ms, left_bytes);
}

static void fault_trim(void *self, void *reader)
{
    struct fault *fault = self;

    if (fault->next->trim)
        fault->next->trim(fault->below, reader);
}

static const pdict_option_spec options[] = {
    [FAULT_FAIL] = { .name = "fail",
                     .type = PDICT_OPTION_TEXT,
                     .help = "fail the nth call, or all from it on: CALL[:N[+]][:STATUS]" },
    [FAULT_CORRUPT] = { .name = "corrupt",
                        .type = PDICT_OPTION_TEXT,
                        .help = "flip a bit of the nth value returned: CALL[:N[+]][:BIT]" },
    [FAULT_DELAY] = { .name = "delay",
                      .type = PDICT_OPTION_TEXT,
                      .help = "let the nth call come late: CALL[:N[+]][:MILLISECONDS]" },
    { .name = NULL },
};

const pdict_backend pdict__backend_fault = {
    PDICT_EXT_HEAD(pdict_backend),
    .capabilities = PDICT_CAP_LAYER,
    .name = "fault",
    .summary = "layer for tests: makes calls of the backend below fail",
    .options = options,
    .open = fault_open,
    .close = fault_close,
    .reader_open = fault_reader_open,
    .reader_close = fault_reader_close,
    .reader_begin = fault_reader_begin,
    .reader_end = fault_reader_end,
    .write_begin = fault_write_begin,
    .write_commit = fault_write_commit,
    .write_abort = fault_write_abort,
    .map_find = fault_map_find,
    .map_next = fault_map_next,
    .map_create = fault_map_create,
    .map_drop = fault_map_drop,
    .map_rename = fault_map_rename,
    .system_get = fault_system_get,
    .system_put = fault_system_put,
    .get = fault_get,
    .apply = fault_apply,
    .count = fault_count,
    .scan_open = fault_scan_open,
    .scan_next = fault_scan_next,
    .scan_close = fault_scan_close,
    .stat = fault_stat,
    .watch = fault_watch,
    .watch_sees = fault_watch_sees,
    .suspend = fault_suspend,
    .reader_rest = fault_reader_rest,
    .reader_resume = fault_reader_resume,
    .log_bytes = fault_log_bytes,
    .checkpoint = fault_checkpoint,
    .sync = fault_sync,
    .check = fault_check,
    .backup = fault_backup,
    .compact = fault_compact,
    .trim = fault_trim,
    .is_next = fault_is_next,
    .is_same = fault_is_same,
    .reserve = fault_reserve,
    .access_put = fault_access_put,
    .access_get = fault_access_get,
};
