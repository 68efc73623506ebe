/* SPDX-License-Identifier: MIT */
/* Backends and codecs at run time: tables of the application, or of a shared object that it loads. */
#ifndef PDICT_EXT_REGISTER_H
#define PDICT_EXT_REGISTER_H

#include <pdict/ext/backend.h>
#include <pdict/ext/codec.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What is registered stays until the process ends. Members of a table beyond its struct_size read
 * as NULL, members that this library does not know are ignored. Layers cannot be registered: a
 * layer that does not know a newer call would let it through unchanged.
 */

/**
 * Add a backend; its name is the scheme of its URIs from now on.
 *
 * @param backend  Borrowed; what its members point to (texts, options, functions) must stay for
 *                 good, as it does in a `static const` table. The same table again is fine.
 * @return PDICT_OK; PDICT_UNSUPPORTED: made for another ABI, too old a struct, or a layer;
 *         PDICT_INVAL: malformed, the text says where; PDICT_CONTRADICTION: the name is taken;
 *         PDICT_TOO_BIG: there are 64 registered ones already.
 *
 * Threads: any. Since 0.1.
 */
PDICT_API int pdict_register_backend(const pdict_backend *backend);

/**
 * Add a codec; its id is 128 to 255 and is written into every record, so it must mean the same
 * codec for as long as these records live.
 *
 * @param codec  As for pdict_register_backend(), its serializer, compressor or cipher included.
 * @return As pdict_register_backend(); PDICT_CONTRADICTION: the name, or the id within its kind,
 *         is taken.
 *
 * Threads: any. Since 0.1.
 */
PDICT_API int pdict_register_codec(const pdict_codec *codec);

/** What a shared object brings. */
typedef struct pdict_extension {
    size_t struct_size;
    uint32_t abi_version;
    const char *name;                     /**< for people, such as "acme-storage" */
    const char *version;                  /**< for people, such as "1.2" */
    const pdict_backend *const *backends; /**< ends with NULL; or NULL: none */
    const pdict_codec *const *codecs;     /**< ends with NULL; or NULL: none */
} pdict_extension;

/**
 * An extension defines this, and exports nothing else:
 *
 *     const pdict_extension pdict_this_extension = {
 *         PDICT_EXT_HEAD(pdict_extension),
 *         .name = "mine",
 *         .version = "1.0",
 *         .backends = backends,
 *     };
 */
extern PDICT_API const pdict_extension pdict_this_extension;

/**
 * Load a shared object and register all it brings, or none of it. It runs with all the rights of
 * the process and is never unloaded. Nothing is ever loaded unless this is called.
 *
 * @param path  Borrowed; with a slash, since no directories are searched: "./libmine.so".
 * @return As pdict_register_codec(); PDICT_UNSUPPORTED: it cannot be loaded, or is no extension.
 *
 * Threads: any. Since 0.1.
 */
PDICT_API int pdict_load_extension(const char *path);

/** The backend of this name, built in or registered; NULL: none. Never freed. Since 0.1. */
PDICT_API const pdict_backend *pdict_backend_find(const char *name);

/** The codec of this name, built in or registered; NULL: none. Never freed. Since 0.1. */
PDICT_API const pdict_codec *pdict_codec_find(const char *name);

#ifdef __cplusplus
}
#endif

#endif
