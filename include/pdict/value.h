/* SPDX-License-Identifier: MIT */
/* Typed values: one tree of them is what every serializer writes and reads. */
#ifndef PDICT_VALUE_H
#define PDICT_VALUE_H

#include <pdict/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A value lives in a tree, with all that is in it, until pdict_tree_free() frees everything at
 * once. Building needs no check at each line: the first failure is kept in the tree, what comes
 * after it does nothing, and pdict_tree_status() or the put says what it was.
 *
 *     pdict_tree_new(NULL, &tree);
 *     user = pdict_tree_map(tree);
 *     pdict_value_set(user, "name", pdict_tree_text(tree, "Ada"));
 *     pdict_value_set(user, "born", pdict_tree_int(tree, 1815));
 *     status = pdict_put_value(d, pdict_str("ada"), user, NULL);
 *     pdict_tree_free(tree);
 *
 * Rules. Text is UTF-8, U+0000 allowed. An integer is what it is, whatever it was made from: one
 * that int64_t can hold is a PDICT_VALUE_INT, a larger one a PDICT_VALUE_UINT; it is never rounded
 * or turned into a double. Keys of a map are text and come once. Every double is a value,
 * infinities and NaN included, though not every serializer has them; NaN is one value. A value is
 * in one place only. A tree is at most PDICT_VALUE_DEPTH levels deep and has at most
 * PDICT_VALUE_COUNT values.
 *
 * Threads: a tree is built by one thread; a value that is no longer changed may be read by any
 * number of them.
 */

enum pdict_value_type {
    PDICT_VALUE_NONE = 0, /**< there is no value: what readers say of NULL */
    PDICT_VALUE_NULL = 1,
    PDICT_VALUE_BOOL = 2,
    PDICT_VALUE_INT = 3,
    PDICT_VALUE_UINT = 4, /**< over INT64_MAX */
    PDICT_VALUE_DOUBLE = 5,
    PDICT_VALUE_TEXT = 6,
    PDICT_VALUE_BYTES = 7,
    PDICT_VALUE_ARRAY = 8,
    PDICT_VALUE_MAP = 9
};

/** Arrays and maps inside each other; a scalar is at depth 1. */
#define PDICT_VALUE_DEPTH 64

/** Values in one tree, each about 100 bytes of memory beside its text. */
#define PDICT_VALUE_COUNT (1u << 20)

typedef struct pdict_tree pdict_tree;
typedef struct pdict_value pdict_value;

/* ---- Building ----------------------------------------------------------------------------- */

/**
 * Begin a tree.
 *
 * @param allocator  Copied; NULL: malloc.
 * @param[out] out   Owned; free with pdict_tree_free(). NULL on failure.
 * @return PDICT_OK; PDICT_INVAL: the allocator lacks a function; PDICT_NOMEM.
 *
 * Cost: one allocation, which holds small trees entirely. Since 0.1.
 */
PDICT_API int pdict_tree_new(const pdict_allocator *allocator, pdict_tree **out);

/** Free a tree with all its values. NULL is fine. Since 0.1. */
PDICT_API void pdict_tree_free(pdict_tree *tree);

/**
 * The first failure in this tree, with its text set again.
 *
 * @return PDICT_OK; PDICT_NOMEM; PDICT_INVAL: text that is not UTF-8, or a member for what is no
 *         map, an item for what is no array; PDICT_MISUSE: a value was put into a second place, or
 *         into another tree; PDICT_TOO_BIG: too deep, or too many values.
 *
 * Since 0.1.
 */
PDICT_API int pdict_tree_status(const pdict_tree *tree);

/**
 * Make a value. What is pointed to is copied, size 0 being empty. NULL after any failure in the
 * tree, which all functions here take as input. Since 0.1.
 */
PDICT_API pdict_value *pdict_tree_null(pdict_tree *tree);
PDICT_API pdict_value *pdict_tree_bool(pdict_tree *tree, bool value);
PDICT_API pdict_value *pdict_tree_int(pdict_tree *tree, int64_t value);
PDICT_API pdict_value *pdict_tree_uint(pdict_tree *tree, uint64_t value);
PDICT_API pdict_value *pdict_tree_double(pdict_tree *tree, double value);
PDICT_API pdict_value *pdict_tree_text(pdict_tree *tree, const char *text);
PDICT_API pdict_value *pdict_tree_text_n(pdict_tree *tree, const char *text, size_t size);
PDICT_API pdict_value *pdict_tree_bytes(pdict_tree *tree, const void *data, size_t size);
PDICT_API pdict_value *pdict_tree_array(pdict_tree *tree);
PDICT_API pdict_value *pdict_tree_map(pdict_tree *tree);

/** Put an item at the end of an array; the result is the item, or NULL. Since 0.1. */
PDICT_API pdict_value *pdict_value_append(pdict_value *array, pdict_value *item);

/** Set a member of a map, replacing what the key had; the result is the item, or NULL. Since 0.1. */
PDICT_API pdict_value *pdict_value_set(pdict_value *map, const char *key, pdict_value *item);
PDICT_API pdict_value *pdict_value_set_n(pdict_value *map, const char *key, size_t key_size,
                                         pdict_value *item);

/**
 * Memory that lives as long as the tree, aligned for anything and zeroed; for what is made out of
 * its values.
 *
 * @return NULL when there is none, or after another failure in the tree.
 *
 * Since 0.1.
 */
PDICT_API void *pdict_tree_alloc(pdict_tree *tree, size_t size);

/* ---- Reading ------------------------------------------------------------------------------ */

/* All of these take NULL for a value that is not there. What they answer is borrowed from the
 * tree. */

/** enum pdict_value_type. Since 0.1. */
PDICT_API int pdict_value_type(const pdict_value *value);

/** A scalar, or `fallback` when the value is another one or does not fit. Since 0.1. */
PDICT_API bool pdict_value_bool(const pdict_value *value, bool fallback);
PDICT_API int64_t pdict_value_int(const pdict_value *value, int64_t fallback);
PDICT_API uint64_t pdict_value_uint(const pdict_value *value, uint64_t fallback);
/** Of integers, the nearest double. */
PDICT_API double pdict_value_double(const pdict_value *value, double fallback);

/** Text with a zero behind it; NULL when the value is no text. Since 0.1. */
PDICT_API const char *pdict_value_text(const pdict_value *value);

/** Text or bytes; data NULL when the value is neither. Since 0.1. */
PDICT_API pdict_slice pdict_value_bytes(const pdict_value *value);

/** How many items or members; 0 when it is no array and no map. Since 0.1. */
PDICT_API size_t pdict_value_count(const pdict_value *value);

/** An item of an array, or the value of a member of a map; NULL behind the last. Since 0.1. */
PDICT_API const pdict_value *pdict_value_item(const pdict_value *value, size_t index);

/**
 * The key of a member of a map, with a zero behind it; NULL behind the last. Members come in the
 * order in which they were set, or stood in the bytes.
 *
 * @param[out] size  NULL, or receives its bytes without the zero.
 *
 * Since 0.1.
 */
PDICT_API const char *pdict_value_key(const pdict_value *value, size_t index, size_t *size);

/** The value of a key; NULL when there is none. Since 0.1. */
PDICT_API const pdict_value *pdict_value_get(const pdict_value *map, const char *key);
PDICT_API const pdict_value *pdict_value_get_n(const pdict_value *map, const char *key,
                                               size_t key_size);

/**
 * Walk a path of keys and array indexes: "address.city", "tags.0". A key that has a dot in it is
 * reached with pdict_value_get().
 *
 * @return NULL when any part is not there.
 *
 * Since 0.1.
 */
PDICT_API const pdict_value *pdict_value_at(const pdict_value *value, const char *path);

/** The same types and contents; the order of a map's members does not matter. Since 0.1. */
PDICT_API bool pdict_value_equal(const pdict_value *a, const pdict_value *b);

/**
 * Is this UTF-8, as table 3-7 of the Unicode Standard has it?
 *
 * @param[out] bad_offset  NULL, or receives where the first bytes lie that are no character.
 *
 * Since 0.1.
 */
PDICT_API bool pdict_is_utf8(pdict_slice bytes, size_t *bad_offset);

#ifdef __cplusplus
}
#endif

#endif
