/* SPDX-License-Identifier: MIT */
/* The LMDB backend: memory-mapped, many readers, one durable file with rows that are not copied. */
#include "disk.h"

#include <stdio.h>

/* Each row may have a page of its own, which LMDB keeps in memory until the commit. */
#define BATCH_ROWS 10000

static const pdict_option_spec options[] = {
    [OPTION_RESERVE] = { .name = "reserve",
                         .type = PDICT_OPTION_SIZE,
                         .fallback = "1TiB",
                         .min = INT64_C(1) << 20,
                         .max = INT64_C(1) << 46,
                         .help = "address space set aside for the file to grow into" },
    [OPTION_PREFLIGHT] = { .name = "preflight",
                           .type = PDICT_OPTION_FLAG,
                           .fallback = "off",
                           .help = "check every page of the file before it is mapped" },
    [OPTION_FORCE_NETWORK] = { .name = "force_network",
                               .type = PDICT_OPTION_FLAG,
                               .fallback = "off",
                               .help = "open a store on a network file system all the same" },
    { .name = NULL },
};

static const char *lmdb_library(void)
{
    static _Thread_local char name[32];
    int major, minor, patch;

    mdb_version(&major, &minor, &patch);
    snprintf(name, sizeof(name), "LMDB %d.%d.%d", major, minor, patch);
    return name;
}

const pdict_backend pdict__backend_lmdb = {
    PDICT_EXT_HEAD(pdict_backend),
    .capabilities = PDICT_CAP_FILE | PDICT_CAP_MULTI_PROCESS | PDICT_CAP_DEAR_SNAPSHOTS,
    .name = "lmdb",
    .summary = "LMDB: one memory-mapped file, reads without copies, durable without a log",
    .options = options,
    .file_in_directory = "data.mdb",
    .library = lmdb_library,
    .probe = pdict__lmdb_probe,
    .open = pdict__lmdb_open,
    .close = pdict__lmdb_close,
    .reader_open = pdict__lmdb_reader_open,
    .reader_close = pdict__lmdb_reader_close,
    .reader_begin = pdict__lmdb_reader_begin,
    .reader_end = pdict__lmdb_reader_end,
    .write_begin = pdict__lmdb_write_begin,
    .write_commit = pdict__lmdb_write_commit,
    .write_abort = pdict__lmdb_write_abort,
    .map_find = pdict__lmdb_map_find,
    .map_next = pdict__lmdb_map_next,
    .map_create = pdict__lmdb_map_create,
    .map_drop = pdict__lmdb_map_drop,
    .map_rename = pdict__lmdb_map_rename,
    .system_get = pdict__lmdb_system_get,
    .system_put = pdict__lmdb_system_put,
    .get = pdict__lmdb_get,
    .apply = pdict__lmdb_apply,
    .count = pdict__lmdb_count,
    .scan_open = pdict__lmdb_scan_open,
    .scan_next = pdict__lmdb_scan_next,
    .scan_close = pdict__lmdb_scan_close,
    .stat = pdict__lmdb_stat,
    .watch = pdict__lmdb_watch,
    .watch_sees = pdict__lmdb_watch_sees,
    .sync = pdict__lmdb_sync,
    .check = pdict__lmdb_check,
    .backup = pdict__lmdb_backup,
    .compact = pdict__lmdb_compact,
    .access_put = pdict__lmdb_access_put,
    .access_get = pdict__lmdb_access_get,
    .batch_rows = BATCH_ROWS,
    .is_next = pdict__lmdb_is_next,
    .reserve = pdict__lmdb_reserve_ids,
    .reader_rest = pdict__lmdb_reader_rest,
    .reader_resume = pdict__lmdb_reader_resume,
};
