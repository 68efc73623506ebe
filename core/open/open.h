/* SPDX-License-Identifier: MIT */
/* From a URI to a handle: parsing, options, the registry of open stores. */
#ifndef PDICT_OPEN_OPEN_H
#define PDICT_OPEN_OPEN_H

#include "map/map.h"

/* ---- uri.c ---- */

struct uri_option {
    char *name;
    char *value;
};

struct uri {
    const pdict_allocator *allocator;
    char *scheme; /* NULL: a bare path */
    char *path;
    struct uri_option *options;
    size_t n_options;
};

/* Split and unescape. PDICT_INVAL says what is malformed and where. */
int pdict__uri_parse(const char *text, const pdict_allocator *allocator, struct uri *out);
void pdict__uri_free(struct uri *uri);

/* ---- settings.c: the options of pdict_open() itself ---- */

enum core_option {
    OPTION_MAP,
    OPTION_MODE,
    OPTION_CODECS,
    OPTION_DURABILITY,
    OPTION_COMMIT_DELAY,
    OPTION_TIMEOUT,
    OPTION_MAX_VALUE,
    OPTION_CHECKSUM,
    OPTION_MAX_ENTRIES,
    OPTION_MAX_BYTES,
    OPTION_EVICT,
    OPTION_ON_FULL,
    OPTION_NAMES,
    OPTION_KDF,
    OPTION_KEY_CACHE,
    OPTION_MAINTENANCE,
    OPTION_SWEEP,
    OPTION_STALE_OK,
    OPTION_CACHE,
    OPTION_COHERENCE,
    OPTION_ACCESS,
    OPTION_TTL,
    OPTION_IDLE
};

enum open_mode {
    MODE_RO,
    MODE_RW,
    MODE_RWC
};

extern const pdict_option_spec pdict__core_options[];

/* Sort the options of URI and struct into those of core and of the stack.
 * PDICT_UNKNOWN_OPTION names the near match. */
int pdict__settings_read(const struct uri *uri, const pdict_options *options, struct stack *stack,
                         const pdict_allocator *allocator, struct option_set *out);
/* "full", "ordered", "ordered:TIME", "unsafe". PDICT_INVAL says what is wrong. */
int pdict__settings_durability(const char *text, int *durability, int64_t *sync_within_ms);
/* PDICT_INVAL: what cache= or coherence= says is malformed. */
int pdict__settings_cache(const struct option_set *settings, struct cache_wish *out);
/* The granularity of access times; 0: off. PDICT_INVAL. */
int pdict__settings_access(const struct option_set *settings, int64_t *granularity_ms);
/* Those of a new map, with what access= says. PDICT_INVAL, PDICT_CONTRADICTION. */
int pdict__settings_lifetimes(const struct option_set *settings, struct lifetimes *out);

/* ---- place.c: which file a path means, and which backend it belongs to ---- */

struct place {
    const pdict_allocator *allocator;
    char *path; /* absolute, links resolved; for backends without files, the name */
    bool is_file;
    bool exists;
    uint64_t device, inode; /* while it exists */
};

/* PDICT_NO_DIRECTORY, PDICT_NOT_A_STORE (a directory or special file), PDICT_PERMISSION. */
int pdict__place_find(const char *path, const pdict_backend *backend,
                      const pdict_allocator *allocator, struct place *out);
/* Make the file, empty, if nobody has done so yet. */
int pdict__place_create(struct place *place, bool is_private);
void pdict__place_free(struct place *place);
/* The stack for a path without a scheme: the one it is open with, or the backend by content, or
 * the default for a new or empty file. */
int pdict__place_recognise(const char *path, const pdict_allocator *allocator, struct stack *out);

/* ---- registry.c: one engine per file and process ---- */

struct store_wish {
    struct stack *stack; /* taken over when a store is opened */
    struct place *place;
    bool is_read_only, may_create, is_private;
    int64_t timeout_ms;
    pdict_allocator allocator;
    pdict_logger logger;
    struct clock clock;
    const pdict_option_value *maintenance, *sweep; /* of the store's first opener */
};

/* The stack, with default options, of a file that this process has open; its count is 0 if none. */
int pdict__registry_stack(uint64_t device, uint64_t inode, const pdict_allocator *allocator,
                          struct stack *out);
/* Find or open; each success is undone by pdict__registry_release(). */
int pdict__registry_acquire(struct store_wish *wish, struct store **out);
void pdict__registry_release(struct store *store);

#endif
