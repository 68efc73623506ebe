/* SPDX-License-Identifier: MIT */
/* The maps of a store, and facts about them. */
#ifndef PDICT_STORE_H
#define PDICT_STORE_H

#include <pdict/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open store: the file, without any of its maps. */
typedef struct pdict_store pdict_store;

/* ---- Maps of a store ------------------------------------------------------------------------ */

/**
 * Open a store without opening a map: for listing, dropping and renaming. Needs no key.
 *
 * @param uri       As for pdict_open(), without options that concern a map.
 * @param options   Borrowed; NULL: all defaults.
 * @param[out] out  Owned; close with pdict_store_close(). NULL on failure.
 * @return As pdict_open().
 *
 * Since 0.1.
 */
PDICT_API int pdict_store_open(const char *uri, const pdict_options *options, pdict_store **out);

/** Close a store; maps of it that are open stay so. NULL is fine. Since 0.1. */
PDICT_API void pdict_store_close(pdict_store *store);

/** One map of a store. Borrowed during the callback. */
typedef struct pdict_map_info {
    const char *name;
    const char *codecs; /**< as in a URI: "raw,zstd:3,xchacha20" */
    uint64_t count;     /**< entries that have not expired */
    bool is_encrypted;
} pdict_map_info;

/** Return 0 to go on; anything else stops the listing and is returned by it. */
typedef int (*pdict_map_fn)(void *ctx, const pdict_map_info *map);

/** Call `fn` for each map, in the order of their creation, from one snapshot. Since 0.1. */
PDICT_API int pdict_store_maps(pdict_store *store, pdict_map_fn fn, void *ctx);

/**
 * Delete a map with everything in it. Handles of it, in any process, get PDICT_NO_MAP from then on.
 *
 * @return PDICT_OK; PDICT_NO_MAP; PDICT_BUSY: this process has the map open; else as pdict_put().
 *
 * Since 0.1.
 */
PDICT_API int pdict_store_drop(pdict_store *store, const char *name);

/**
 * Give a map another name. Open handles go on working.
 *
 * @return PDICT_OK; PDICT_NO_MAP; PDICT_EXISTS: the new name is taken; PDICT_INVAL: it is not a
 *         name; else as pdict_put().
 *
 * Since 0.1.
 */
PDICT_API int pdict_store_rename(pdict_store *store, const char *name, const char *new_name);

/* ---- Facts ---------------------------------------------------------------------------------- */

/** What one stage of the pipeline has done. */
typedef struct pdict_stage_stats {
    uint64_t records;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t timed;       /**< of these records; a sample, one of 32 */
    uint64_t nanoseconds; /**< that the timed ones took */
} pdict_stage_stats;

/** Facts about a map and its store. Strings belong to the handle and live as long as it. */
typedef struct pdict_stats {
    size_t struct_size;
    const char *backend;
    const char *path;
    const char *map; /**< its name when this handle was opened */
    const char *codecs;
    uint64_t count;
    uint64_t file_bytes;     /**< the whole store, all its files */
    uint64_t log_bytes;      /**< of these, the engine's log */
    uint32_t format_version; /**< of the backend's files */
    uint64_t max_value;
    bool is_encrypted;
    bool is_read_only;
    /** Only with PDICT_STATS_SIZES, else 0: */
    uint64_t logical_bytes; /**< keys and values as the user gave them */
    uint64_t stored_bytes;  /**< keys and records as they are kept */
    uint64_t damaged;       /**< records whose header is malformed, left out of logical_bytes */
    /** All handles of the map in this process, since the first of them was opened: */
    pdict_stage_stats encoded;    /**< values to records, all stages together; of these, */
    pdict_stage_stats checked;    /**< the serializer: is the value legal? */
    pdict_stage_stats compressed; /**< as large as before when it did not shrink */
    pdict_stage_stats sealed;     /**< cipher or checksum; out is the whole record */
    pdict_stage_stats decoded;    /**< records to values, all stages together; of these, */
    pdict_stage_stats opened;     /**< cipher or checksum */
    pdict_stage_stats decompressed;
    /** The map's cache in this process; all 0 when no handle uses one. Counted without locks: with
     * more than 64 threads at once a few may be missing. */
    uint64_t cache_hits;          /**< values that were there */
    uint64_t cache_absent_hits;   /**< keys known to be absent */
    uint64_t cache_misses;        /**< looks that had to ask the engine, revalidations included */
    uint64_t cache_revalidations; /**< of these: what the cache had was still right */
    uint64_t cache_evictions;
    uint64_t cache_entries;
    uint64_t cache_bytes; /**< all memory of entries and of what finds them */
    /** The limits of the map, see pdict/limits.h; 0: none. */
    uint64_t max_entries;
    uint64_t max_bytes;
    uint64_t evictions; /**< of entries that had not expired, by all processes */
    /** Snapshots of the engine in this process, of the whole store: */
    int64_t snapshot_age_ms;   /**< since the oldest one began that is open, kept ones included */
    uint64_t snapshots_reaped; /**< kept or held ones that were ended because nobody used them */
    uint64_t stale_readers;    /**< that dead processes left in the store, cleared by this one */
} pdict_stats;

#define PDICT_STATS_INIT                                                                           \
    {                                                                                              \
        .struct_size = sizeof(pdict_stats)                                                         \
    }

#define PDICT_STATS_SIZES 1u /**< walk the map to add up sizes */

/**
 * Read facts about a map.
 *
 * @param flags        0 or PDICT_STATS_SIZES.
 * @param[in,out] out  struct_size set by the caller.
 * @return PDICT_OK; PDICT_INVAL; as pdict_count().
 *
 * Cost: as a count; with PDICT_STATS_SIZES one walk over the map.
 * Since 0.1.
 */
PDICT_API int pdict_stats_get(pdict *d, unsigned flags, pdict_stats *out);

/**
 * Make every put that has returned survive power loss, whatever durability it had.
 *
 * @return PDICT_OK; PDICT_IO, PDICT_POISONED.
 *
 * Since 0.1.
 */
PDICT_API int pdict_sync(pdict *d);

enum pdict_info_kind {
    PDICT_INFO_CORE = 0, /**< one entry: the options of pdict_open() itself */
    PDICT_INFO_BACKEND = 1,
    PDICT_INFO_SERIALIZER = 2,
    PDICT_INFO_COMPRESSOR = 3,
    PDICT_INFO_CIPHER = 4
};

/** One backend or codec of this build. Everything is static. */
typedef struct pdict_info {
    size_t struct_size;
    int kind;    /**< enum pdict_info_kind */
    unsigned id; /**< codecs: as written into records */
    const char *name;
    const char *summary;
    const char *library;              /**< "SQLite 3.40.1"; "" when it needs none */
    const pdict_option_spec *options; /**< ends with a NULL name; never NULL */
} pdict_info;

#define PDICT_INFO_INIT                                                                            \
    {                                                                                              \
        .struct_size = sizeof(pdict_info)                                                          \
    }

/**
 * Walk what this build can do.
 *
 * @param[in,out] cursor  Begin with 0.
 * @param[in,out] out     struct_size set by the caller.
 * @return PDICT_OK; PDICT_END.
 *
 * Since 0.1.
 */
PDICT_API int pdict_info_next(size_t *cursor, pdict_info *out);

/** The library's version, "0.1.0"; PDICT_VERSION_STRING is the header's. Static. Since 0.1. */
PDICT_API const char *pdict_version(void);

#ifdef __cplusplus
}
#endif

#endif
