/* SPDX-License-Identifier: MIT */
/* The goals, one line each. A goal stands here from the day that its feature can be measured. */
#include "goals/goal.h"

const struct goal goals[] = {
    /* P1, P2: cached gets, one thread and two. */
    { "P3", "uncached get, SQLite: time over raw autocommit gets", false, 0.7, goal_get, "sqlite" },
    { "P4", "uncached get, LMDB: time over raw renew + get + reset", false, 1.15, goal_visit,
      "lmdb" },
    { "P5", "single synced put, SQLite: speed over raw", true, 0.95, goal_put, "sqlite full" },
    { "P5", "single synced put, LMDB: speed over raw", true, 0.95, goal_put, "lmdb full" },
    { "P5", "single put, SQLite, ordered: speed over raw", true, 0.9, goal_put, "sqlite ordered" },
    { "P5", "single put, LMDB, ordered: speed over raw", true, 0.9, goal_put, "lmdb ordered" },
    { "P6", "synced puts, SQLite, 16 threads: speed over raw, 16 a commit", true, 0.9, goal_threads,
      "sqlite 16 grouped" },
    { "P6", "synced puts, LMDB, 16 threads: speed over raw, 16 a commit", true, 0.9, goal_threads,
      "lmdb 16 grouped" },
    { "P6", "synced puts, SQLite, 16 threads: speed over raw, 16 threads", true, 4, goal_threads,
      "sqlite 16 16" },
    { "P6", "synced puts, LMDB, 16 threads: speed over raw, 16 threads", true, 4, goal_threads,
      "lmdb 16 16" },
    { "P6", "synced puts, LMDB, 64 threads: speed over raw, one thread", true, 7, goal_threads,
      "lmdb 64 1" },
    { "P7", "bulk load, SQLite: speed over raw batches of 1,000", true, 8, goal_load, "sqlite" },
    { "P7", "bulk load, LMDB: speed over raw batches of 1,000", true, 7.5, goal_load, "lmdb" },
    { "P7", "bulk load, SQLite: anonymous memory, MiB", false, 100, goal_load_memory, "sqlite" },
    { "P7", "bulk load, LMDB: anonymous memory, MiB", false, 100, goal_load_memory, "lmdb" },
    { "P8", "zstd:3, encode: time over libzstd called directly", false, 1.05, goal_codec,
      "zstd encode" },
    { "P8", "zstd:3, decode: time over libzstd called directly", false, 1.05, goal_codec,
      "zstd decode" },
    { "P8", "xchacha20, seal: time over libsodium called directly", false, 1.05, goal_codec,
      "xchacha20 encode" },
    { "P8", "xchacha20, open: time over libsodium called directly", false, 1.05, goal_codec,
      "xchacha20 decode" },
    /* P9: trained dictionaries. P10: memory of a cached entry. P11: hit ratio of the cache.
     * P12: coherence with another process. */
    { "P13", "get, SQLite, tenfold keys: growth over that of raw", false, 1.05, goal_growth,
      "sqlite" },
    { "P13", "get, LMDB, tenfold keys: growth over that of raw", false, 1.05, goal_growth, "lmdb" },
    { "P14", "open of a warm map, SQLite: ms beyond raw", false, 1, goal_open, "sqlite" },
    { "P14", "open of a warm map, LMDB: ms beyond raw", false, 1, goal_open, "lmdb" },
    { NULL, NULL, false, 0, NULL, NULL },
};
