/* SPDX-License-Identifier: MIT */
/* The SQLite backend: many maps in one file, for any number of threads and processes. */
#include "sqlite.h"

#define MAGIC "SQLite format 3" /* 16 bytes with the zero at its end */

static const pdict_option_spec options[] = {
    [OPTION_PAGE_CACHE] = { .name = "page_cache",
                            .type = PDICT_OPTION_SIZE,
                            .fallback = "64MiB",
                            .min = 64 << 10,
                            .max = (int64_t)1 << 40,
                            .help = "memory for pages, at most, of each connection" },
    /* 0x7fff0000 is the most that SQLite maps unless it was built otherwise. */
    [OPTION_MMAP] = { .name = "mmap",
                      .type = PDICT_OPTION_SIZE,
                      .fallback = "0B",
                      .min = 0,
                      .max = 0x7fff0000,
                      .help = "bytes of the file to map; only for trusted local files" },
    [OPTION_SECURE_DELETE] = { .name = "secure_delete",
                               .type = PDICT_OPTION_FLAG,
                               .fallback = "off",
                               .help = "overwrite what is deleted with zeros" },
    { .name = NULL },
};

static const char *library(void)
{
    static _Thread_local char text[32];

    sqlite3_snprintf(sizeof(text), text, "SQLite %s", sqlite3_libversion());
    return text;
}

static bool probe(const void *head, size_t size)
{
    return size >= sizeof(MAGIC) && memcmp(head, MAGIC, sizeof(MAGIC)) == 0;
}

const pdict_backend pdict__backend_sqlite = {
    PDICT_EXT_HEAD(pdict_backend),
    .capabilities =
        PDICT_CAP_FILE | PDICT_CAP_MULTI_PROCESS | PDICT_CAP_SHRINKS | PDICT_CAP_DEAR_SNAPSHOTS,
    .name = "sqlite",
    .summary = "one SQLite file, readable with the sqlite3 shell",
    .options = options,
    .library = library,
    .probe = probe,
    .open = pdict__sqlite_open,
    .close = pdict__sqlite_close,
    .reader_open = pdict__sqlite_reader_open,
    .reader_close = pdict__sqlite_reader_close,
    .reader_begin = pdict__sqlite_reader_begin,
    .reader_end = pdict__sqlite_reader_end,
    .write_begin = pdict__sqlite_write_begin,
    .write_commit = pdict__sqlite_write_commit,
    .write_abort = pdict__sqlite_write_abort,
    .map_find = pdict__sqlite_map_find,
    .map_next = pdict__sqlite_map_next,
    .map_create = pdict__sqlite_map_create,
    .map_drop = pdict__sqlite_map_drop,
    .map_rename = pdict__sqlite_map_rename,
    .system_get = pdict__sqlite_system_get,
    .system_put = pdict__sqlite_system_put,
    .get = pdict__sqlite_get,
    .apply = pdict__sqlite_apply,
    .count = pdict__sqlite_count,
    .scan_open = pdict__sqlite_scan_open,
    .scan_next = pdict__sqlite_scan_next,
    .scan_close = pdict__sqlite_scan_close,
    .stat = pdict__sqlite_stat,
    .watch = pdict__sqlite_watch,
    .log_bytes = pdict__sqlite_log_bytes,
    .checkpoint = pdict__sqlite_checkpoint,
    .sync = pdict__sqlite_sync,
    .check = pdict__sqlite_check,
    .backup = pdict__sqlite_backup,
    .compact = pdict__sqlite_compact,
    .trim = pdict__sqlite_trim,
    .is_next = pdict__sqlite_is_next,
    .is_same = pdict__sqlite_is_same,
    .access_put = pdict__sqlite_access_put,
    .access_get = pdict__sqlite_access_get,
    .suspend = pdict__sqlite_suspend,
};
