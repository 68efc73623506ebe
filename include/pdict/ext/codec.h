/* SPDX-License-Identifier: MIT */
/* The contract of a codec: one stage of the pipeline that every value passes. */
#ifndef PDICT_EXT_CODEC_H
#define PDICT_EXT_CODEC_H

#include <pdict/ext/ext.h>
#include <pdict/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A codec is a serializer, a compressor or a cipher. Its id is written into every record, so it is
 * part of the file format: 1-127 are given by this project, 128-255 are free for applications.
 *
 * All functions may be called on any thread at any time; a `context` is used by one thread at a
 * time. Nothing allocates per call once a context is warm. Every input may be hostile unless it
 * says otherwise: sizes are checked before a byte is touched, and a function writes only within
 * the output it was given, which may be NULL when nothing fits into it. Outputs are meaningless
 * after a failure; core wipes them. `close` and the `free` functions take NULL. Every function may
 * return PDICT_NOMEM, and PDICT_UNSUPPORTED when its library cannot be made to work.
 */

enum pdict_codec_kind {
    PDICT_SERIALIZER = 1,
    PDICT_COMPRESSOR = 2,
    PDICT_CIPHER = 3
};

typedef struct pdict_codec_args {
    size_t struct_size;
    const pdict_option_value *options; /**< parallel to the codec's specs; borrowed for the open */
    pdict_allocator allocator;
} pdict_codec_args;

/**
 * What a value means. Bytes are stored as they are given; a serializer says which are legal, and
 * which tree of typed values they stand for. No text of it may hold a part of the value.
 */
typedef struct pdict_serializer {
    size_t struct_size;

    /**
     * Are these bytes a legal value of this serializer? Optional: NULL, all bytes are.
     *
     * @return PDICT_OK; PDICT_INVAL with a text that says where the first illegal byte is;
     *         PDICT_TOO_BIG: deeper, or more values, than a tree may have.
     */
    int (*check)(pdict_slice bytes);

    /**
     * Write a value as bytes that `check` takes. The same value gives the same bytes, and nothing
     * is allocated that outlasts the call. Optional, with decode: NULL, it has no typed values.
     *
     * @param out       Room for `capacity` bytes. What lies in it is not whole unless all fits.
     * @param out_size  Set on success: how many bytes it takes, which may be more than `capacity`.
     * @return PDICT_OK; PDICT_INVAL: this serializer has nothing to write the value as.
     */
    int (*encode)(const pdict_value *value, void *out, size_t capacity, size_t *out_size);

    /**
     * Read bytes, in their entirety, as a value made in `tree`.
     *
     * @param out  Set on success; of the tree, placed nowhere.
     * @return PDICT_OK; PDICT_FORMAT: not what `check` takes; else as pdict_tree_status().
     */
    int (*decode)(pdict_slice bytes, pdict_tree *tree, pdict_value **out);
} pdict_serializer;

/** Makes bytes fewer. */
typedef struct pdict_compressor {
    size_t struct_size;

    /** State shared by all threads of a map, such as the level. Does not read the input. */
    int (*open)(const pdict_codec_args *args, void **self);
    void (*close)(void *self);

    /** Working memory, reused from call to call. */
    int (*context_new)(void *self, void **context);
    void (*context_free)(void *self, void *context);

    /** The largest output that encode can need for `size` bytes; 0 if size is over its limit. */
    size_t (*bound)(void *self, size_t size);

    /**
     * Compress. What is made is never empty and knows its own end: decode refuses it when it is cut
     * short or followed by anything.
     *
     * @param out       Room for `capacity` bytes; may be less than bound().
     * @param out_size  Set on success.
     * @return PDICT_OK; PDICT_SKIP (expected): the result would not fit into `capacity`, which
     *         core sets below the input's size, so that nothing is stored that did not shrink.
     *         Also allowed whenever capacity < bound(), and for an input whose bound() is 0.
     */
    int (*encode)(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                  size_t *out_size);

    /**
     * Decompress to exactly `out_size` bytes, a size that core took from the record and capped.
     *
     * @return PDICT_OK; PDICT_FORMAT: malformed, ends early, holds more than `out_size`, or is
     *         followed by anything.
     */
    int (*decode)(void *self, void *context, pdict_slice in, void *out, size_t out_size);

    /* Dictionaries, made of values that are like those to come: all five functions or, NULL, none
     * of them. A dictionary serves all threads at once, and outlives no context that it is used
     * with. */

    /**
     * Make a dictionary of sample values, which lie one behind the other.
     *
     * @param capacity  The most bytes it is to have.
     * @param out_size  Set on success.
     * @return PDICT_OK; PDICT_SKIP (expected): nothing can be made of these samples.
     */
    int (*train)(void *self, const void *samples, const size_t *sizes, size_t count, void *out,
                 size_t capacity, size_t *out_size);

    /** Make one ready for use. `bytes` are what train made, or hostile; borrowed for the call. */
    int (*dictionary_open)(void *self, pdict_slice bytes, void **dictionary);
    void (*dictionary_close)(void *self, void *dictionary);

    /** As encode and decode, with a dictionary. */
    int (*encode_with)(void *self, void *context, const void *dictionary, pdict_slice in, void *out,
                       size_t capacity, size_t *out_size);
    int (*decode_with)(void *self, void *context, const void *dictionary, pdict_slice in, void *out,
                       size_t out_size);
} pdict_compressor;

/** How expensive it is to turn a password into a key. */
typedef struct pdict_kdf {
    uint64_t operations;
    uint64_t memory_bytes;
    uint8_t salt[16];
} pdict_kdf;

/** Authenticated encryption with associated data, and the small primitives a key ring needs. */
typedef struct pdict_cipher {
    size_t struct_size;
    size_t key_size;   /**< bytes, at most 64 */
    size_t nonce_size; /**< bytes, at most 32; large enough that random nonces never meet */
    size_t tag_size;   /**< bytes, at most 32 */

    /** Called before anything else here, once or more, by any thread. */
    int (*ready)(void);

    /**
     * Encrypt and authenticate.
     *
     * @param out  Room for plain.size + tag_size bytes, all written; may not overlap the inputs
     *             except that plain may lie at out.
     * @return PDICT_OK; PDICT_TOO_BIG.
     */
    int (*seal)(const void *key, const void *nonce, pdict_slice aad, pdict_slice plain, void *out);

    /**
     * Check and decrypt.
     *
     * @param out  Room for sealed.size - tag_size bytes; sealed may lie at out.
     * @return PDICT_OK; PDICT_AUTH, for whatever reason, also when sealed.size < tag_size.
     */
    int (*open)(const void *key, const void *nonce, pdict_slice aad, pdict_slice sealed, void *out);

    /**
     * Password-based key derivation, memory-hard. The caller has capped the parameters.
     *
     * @param out_size  16 to 64 bytes.
     * @return PDICT_OK; PDICT_INVAL, PDICT_TOO_BIG: parameters or sizes outside what it can do.
     */
    int (*derive)(const pdict_kdf *kdf, pdict_slice password, void *out, size_t out_size);

    /** Keyed hash of 16 to 64 bytes; key.size 0 gives the plain hash, else 16 to 64 bytes.
     *  PDICT_INVAL: a size out of range. */
    int (*hash)(pdict_slice key, pdict_slice data, void *out, size_t out_size);

    void (*random)(void *out, size_t size);                   /**< unpredictable bytes */
    bool (*equal)(const void *a, const void *b, size_t size); /**< in constant time */
    void (*wipe)(void *memory, size_t size);                  /**< never optimised away */
    void *(*secret_alloc)(size_t size); /**< guarded, locked, out of core dumps, alone on its pages,
                                         which core lets the system wipe in children; aligned if size is
                                         a multiple of the alignment; NULL: no memory */
    void (*secret_free)(void *secret);  /**< wipes; NULL is fine */
} pdict_cipher;

/** A codec. One const static table; exactly one of the last three members is not NULL. */
typedef struct pdict_codec {
    size_t struct_size;
    uint32_t abi_version;
    uint8_t kind; /**< enum pdict_codec_kind */
    uint8_t id;   /**< never 0; unique within its kind */
    const char *name;
    const char *summary; /**< one line */
    /** NULL: none. In text, `name:VALUE` sets the first option, `name:KEY=VALUE` any. */
    const pdict_option_spec *options;
    const char *(*library)(void); /**< the library's name and version, static; optional */

    const pdict_serializer *serializer;
    const pdict_compressor *compressor;
    const pdict_cipher *cipher;
} pdict_codec;

#ifdef __cplusplus
}
#endif

#endif
