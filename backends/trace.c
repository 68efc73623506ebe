/* SPDX-License-Identifier: MIT */
/* The trace layer: one log line for each call of the backend below; sizes, never keys or values. */
#include <inttypes.h>
#include <stdio.h>

#include <pdict/ext/backend.h>

struct trace {
    const pdict_backend *next;
    void *below;
    pdict_allocator allocator;
    pdict_logger logger;
};

extern const pdict_backend pdict__backend_trace;

/* Write one line and pass the status on. */
static PDICT_PRINTF(3, 4) int say(const struct trace *trace, int status, const char *format, ...)
{
    char message[256];
    va_list args;

    if (!trace->logger.fn || trace->logger.level < PDICT_LOG_DEBUG)
        return status;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    trace->logger.fn(trace->logger.ctx, PDICT_LOG_DEBUG, "trace", status, message);
    return status;
}

/* ---- store, snapshots, transactions ---- */

static int trace_open(const pdict_backend_args *args, void **self)
{
    struct trace *trace = args->allocator.allocate(args->allocator.ctx, sizeof(*trace));
    int status;

    if (!trace)
        return pdict_fail(PDICT_NOMEM, "trace: no memory to open the store");
    *trace =
        (struct trace){ .next = args->next, .allocator = args->allocator, .logger = args->logger };
    status = args->next->open(args->next_args, &trace->below);
    say(trace, status, "open %s, flags %u", args->next->name, args->flags);
    if (status != PDICT_OK) {
        args->allocator.release(args->allocator.ctx, trace);
        return status;
    }
    *self = trace;
    return PDICT_OK;
}

static void trace_close(void *self)
{
    struct trace *trace = self;
    pdict_allocator allocator = trace->allocator;

    trace->next->close(trace->below);
    say(trace, PDICT_OK, "close");
    allocator.release(allocator.ctx, trace);
}

static void trace_suspend(void *self)
{
    struct trace *trace = self;
    pdict_allocator allocator = trace->allocator;

    if (trace->next->suspend)
        trace->next->suspend(trace->below);
    else
        trace->next->close(trace->below);
    say(trace, PDICT_OK, "suspend");
    allocator.release(allocator.ctx, trace);
}

static int trace_reader_open(void *self, void **reader)
{
    struct trace *trace = self;

    return say(trace, trace->next->reader_open(trace->below, reader), "reader_open");
}

static void trace_reader_close(void *self, void *reader)
{
    struct trace *trace = self;

    trace->next->reader_close(trace->below, reader);
    say(trace, PDICT_OK, "reader_close");
}

static int trace_reader_begin(void *self, void *reader)
{
    struct trace *trace = self;

    return say(trace, trace->next->reader_begin(trace->below, reader), "reader_begin");
}

static void trace_reader_end(void *self, void *reader)
{
    struct trace *trace = self;

    trace->next->reader_end(trace->below, reader);
    say(trace, PDICT_OK, "reader_end");
}

static int trace_write_begin(void *self, int durability, int64_t timeout_ms, void **txn)
{
    struct trace *trace = self;
    int status = trace->next->write_begin(trace->below, durability, timeout_ms, txn);

    return say(trace, status, "write_begin durability %d, timeout %" PRId64 " ms", durability,
               timeout_ms);
}

static int trace_write_commit(void *self, void *txn)
{
    struct trace *trace = self;

    return say(trace, trace->next->write_commit(trace->below, txn), "write_commit");
}

static void trace_write_abort(void *self, void *txn)
{
    struct trace *trace = self;

    trace->next->write_abort(trace->below, txn);
    say(trace, PDICT_OK, "write_abort");
}

/* ---- maps and SYSTEM values ---- */

static int trace_map_find(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct trace *trace = self;
    int status = trace->next->map_find(trace->below, txn, name, map);

    return say(trace, status, "map_find map %" PRIu32, status == PDICT_OK ? *map : 0);
}

static int trace_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name)
{
    struct trace *trace = self;
    int status = trace->next->map_next(trace->below, txn, after, map, name);

    return say(trace, status, "map_next after %" PRIu32 ", map %" PRIu32, after,
               status == PDICT_OK ? *map : 0);
}

static int trace_map_create(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct trace *trace = self;
    int status = trace->next->map_create(trace->below, txn, name, map);

    return say(trace, status, "map_create map %" PRIu32, status == PDICT_OK ? *map : 0);
}

static int trace_map_drop(void *self, void *txn, uint32_t map)
{
    struct trace *trace = self;
    int status = trace->next->map_drop(trace->below, txn, map);

    return say(trace, status, "map_drop map %" PRIu32, map);
}

static int trace_map_rename(void *self, void *txn, uint32_t map, pdict_slice name)
{
    struct trace *trace = self;
    int status = trace->next->map_rename(trace->below, txn, map, name);

    return say(trace, status, "map_rename map %" PRIu32, map);
}

static int trace_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                            pdict_slice *value)
{
    struct trace *trace = self;
    int status = trace->next->system_get(trace->below, txn, map, name, value);

    return say(trace, status, "system_get map %" PRIu32 ", value %zu bytes", map,
               status == PDICT_OK ? value->size : 0);
}

static int trace_system_put(void *self, void *txn, uint32_t map, pdict_slice name,
                            pdict_slice value)
{
    struct trace *trace = self;
    int status = trace->next->system_put(trace->below, txn, map, name, value);

    return say(trace, status, "system_put map %" PRIu32 ", value %zu bytes", map, value.size);
}

/* ---- rows ---- */

static int trace_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row)
{
    struct trace *trace = self;
    int status = trace->next->get(trace->below, txn, map, key, row);

    return say(trace, status, "get map %" PRIu32 ", key %zu bytes, value %zu bytes", map, key.size,
               status == PDICT_OK ? row->value.size : 0);
}

static int trace_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                       int64_t now_ms)
{
    struct trace *trace = self;
    int status = trace->next->apply(trace->below, txn, map, changes, count, now_ms);
    size_t key_bytes = 0, value_bytes = 0;

    for (size_t i = 0; i < count; i++) {
        key_bytes += changes[i].row.key.size;
        value_bytes += changes[i].row.value.size;
    }
    return say(trace, status,
               "apply map %" PRIu32 ", %zu changes, keys %zu bytes, values %zu bytes", map, count,
               key_bytes, value_bytes);
}

static int trace_reserve(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count)
{
    struct trace *trace = self;
    int status = trace->next->reserve ? trace->next->reserve(trace->below, txn, map, changes, count)
                                      : PDICT_UNSUPPORTED;

    return say(trace, status, "reserve map %" PRIu32 ", %zu changes", map, count);
}

static int trace_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count)
{
    struct trace *trace = self;
    int status = trace->next->count(trace->below, txn, map, now_ms, count);

    return say(trace, status, "count map %" PRIu32 ", %" PRIu64 " rows", map,
               status == PDICT_OK ? *count : 0);
}

static int trace_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                           void **cursor)
{
    struct trace *trace = self;
    int status = trace->next->scan_open(trace->below, txn, map, scan, cursor);

    return say(trace, status, "scan_open map %" PRIu32 ", flags %u", map, scan->flags);
}

static int trace_scan_next(void *self, void *cursor, pdict_row *row)
{
    struct trace *trace = self;
    int status = trace->next->scan_next(trace->below, cursor, row);
    bool is_row = status == PDICT_OK;

    return say(trace, status, "scan_next key %zu bytes, value %zu bytes",
               is_row ? row->key.size : 0, is_row ? row->value.size : 0);
}

static void trace_scan_close(void *self, void *cursor)
{
    struct trace *trace = self;

    trace->next->scan_close(trace->below, cursor);
    say(trace, PDICT_OK, "scan_close");
}

/* Where the backend below keeps no access times there is no row that has one. */
static int trace_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                            size_t count)
{
    struct trace *trace = self;
    int status = PDICT_OK;

    if (trace->next->access_put)
        status = trace->next->access_put(trace->below, txn, map, items, count);
    return say(trace, status, "access_put map %" PRIu32 ", %zu times", map, count);
}

static int trace_access_get(void *self, void *txn, uint32_t map, uint64_t id, int64_t *accessed_ms)
{
    struct trace *trace = self;
    int status = PDICT_NOTFOUND;

    if (trace->next->access_get)
        status = trace->next->access_get(trace->below, txn, map, id, accessed_ms);
    return say(trace, status, "access_get map %" PRIu32, map);
}

/* ---- facts and upkeep ---- */

static int trace_stat(void *self, pdict_backend_stat *stat)
{
    struct trace *trace = self;

    return say(trace, trace->next->stat(trace->below, stat), "stat");
}

static int trace_watch(void *self, const volatile uint64_t *words[2])
{
    struct trace *trace = self;
    int status = trace->next->watch ? trace->next->watch(trace->below, words) : PDICT_UNSUPPORTED;

    return say(trace, status, "watch");
}

/* Part of no work of its own: no line. */
static bool trace_is_next(void *self, const uint64_t before[2], const uint64_t after[2])
{
    struct trace *trace = self;

    return trace->next->is_next && trace->next->is_next(trace->below, before, after);
}

static bool trace_is_same(void *self, const uint64_t before[2], const uint64_t after[2])
{
    struct trace *trace = self;

    return trace->next->is_same && trace->next->is_same(trace->below, before, after);
}

static bool trace_watch_sees(void *self, void *reader, const uint64_t token[2])
{
    struct trace *trace = self;

    return !trace->next->watch_sees || trace->next->watch_sees(trace->below, reader, token);
}

/* Around each read of a snapshot that is kept: no lines. */
static void trace_reader_rest(void *self, void *reader)
{
    struct trace *trace = self;

    if (trace->next->reader_rest)
        trace->next->reader_rest(trace->below, reader);
}

static bool trace_reader_resume(void *self, void *reader)
{
    struct trace *trace = self;

    return !trace->next->reader_resume || trace->next->reader_resume(trace->below, reader);
}

/* Asked after every commit, and never of interest by itself: no line. */
static uint64_t trace_log_bytes(void *self)
{
    struct trace *trace = self;

    return trace->next->log_bytes ? trace->next->log_bytes(trace->below) : 0;
}

static int trace_checkpoint(void *self, bool wait)
{
    struct trace *trace = self;
    int status = trace->next->checkpoint ? trace->next->checkpoint(trace->below, wait) : PDICT_OK;

    return say(trace, status, "checkpoint, %s", wait ? "waiting" : "not waiting");
}

static int trace_sync(void *self)
{
    struct trace *trace = self;

    return say(trace, trace->next->sync ? trace->next->sync(trace->below) : PDICT_OK, "sync");
}

static int trace_check(void *self, void *txn, uint32_t map, const pdict_backend_events *events)
{
    struct trace *trace = self;
    int status = trace->next->check ? trace->next->check(trace->below, txn, map, events) : PDICT_OK;

    return say(trace, status, "check map %" PRIu32, map);
}

static int trace_backup(void *self, const char *path, const pdict_backend_events *events)
{
    struct trace *trace = self;
    int status =
        trace->next->backup
            ? trace->next->backup(trace->below, path, events)
            : pdict_fail(PDICT_UNSUPPORTED, "trace: %s has no file to back up", trace->next->name);

    return say(trace, status, "backup");
}

static int trace_compact(void *self, uint64_t step_bytes, int64_t timeout_ms, uint64_t *left_bytes)
{
    struct trace *trace = self;
    int status = PDICT_OK;

    *left_bytes = 0;
    if (trace->next->compact)
        status = trace->next->compact(trace->below, step_bytes, timeout_ms, left_bytes);
    return say(trace, status, "compact step %" PRIu64 " bytes, left %" PRIu64 " bytes", step_bytes,
               *left_bytes);
}

/* Asked every few rows of a long walk: no line, as for log_bytes. */
static void trace_trim(void *self, void *reader)
{
    struct trace *trace = self;

    if (trace->next->trim)
        trace->next->trim(trace->below, reader);
}

const pdict_backend pdict__backend_trace = {
    PDICT_EXT_HEAD(pdict_backend),
    .capabilities = PDICT_CAP_LAYER,
    .name = "trace",
    .summary = "layer that logs each call of the backend below",
    .open = trace_open,
    .close = trace_close,
    .reader_open = trace_reader_open,
    .reader_close = trace_reader_close,
    .reader_begin = trace_reader_begin,
    .reader_end = trace_reader_end,
    .write_begin = trace_write_begin,
    .write_commit = trace_write_commit,
    .write_abort = trace_write_abort,
    .map_find = trace_map_find,
    .map_next = trace_map_next,
    .map_create = trace_map_create,
    .map_drop = trace_map_drop,
    .map_rename = trace_map_rename,
    .system_get = trace_system_get,
    .system_put = trace_system_put,
    .get = trace_get,
    .apply = trace_apply,
    .count = trace_count,
    .scan_open = trace_scan_open,
    .scan_next = trace_scan_next,
    .scan_close = trace_scan_close,
    .stat = trace_stat,
    .watch = trace_watch,
    .watch_sees = trace_watch_sees,
    .suspend = trace_suspend,
    .reader_rest = trace_reader_rest,
    .reader_resume = trace_reader_resume,
    .log_bytes = trace_log_bytes,
    .checkpoint = trace_checkpoint,
    .sync = trace_sync,
    .check = trace_check,
    .backup = trace_backup,
    .compact = trace_compact,
    .trim = trace_trim,
    .is_next = trace_is_next,
    .is_same = trace_is_same,
    .reserve = trace_reserve,
    .access_put = trace_access_put,
    .access_get = trace_access_get,
};
