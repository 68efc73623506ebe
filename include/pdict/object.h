/* SPDX-License-Identifier: MIT */
/* Typed values and C structs in a map: put and get them instead of bytes. */
#ifndef PDICT_OBJECT_H
#define PDICT_OBJECT_H

#include <pdict/pdict.h>
#include <pdict/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Typed values ------------------------------------------------------------------------- */

/**
 * Write a typed value, by the serializer of the map: cbor and json take any, raw only bytes, str
 * only text.
 *
 * @param value  Borrowed, with all that is in it. NULL: the tree it should have come from has
 *               failed, and pdict_tree_status() says why.
 * @return As pdict_put(); PDICT_INVAL: NULL, or the serializer has nothing to write it as, such as
 *         bytes in JSON; PDICT_UNSUPPORTED: the serializer has no typed values.
 *
 * Since 0.1.
 */
PDICT_API int pdict_put_value(pdict *d, pdict_slice key, const pdict_value *value,
                              const pdict_put_options *how);

/**
 * Read a typed value.
 *
 * @param[out] out  Pinned; pdict_view_value() is the value, which lives as long as the view, is
 *                  never changed, and may be read by any thread. Zeroed on failure.
 * @return As pdict_get(); PDICT_FORMAT: the bytes are none of the serializer; PDICT_TOO_BIG: they
 *         have more levels or values than a tree; PDICT_UNSUPPORTED: as above.
 *
 * Cost: a value that is cached is decoded once, and shared by all that read this version of it: then
 *       as a hit of pdict_get(). Else one decode into one block of memory, or few; so it is always
 *       through a handle with cache=off or cache=sealed, and in a transaction.
 * Since 0.1.
 */
PDICT_API int pdict_get_value(pdict *d, pdict_slice key, pdict_view *out);

/** The value of a view from pdict_get_value(). Borrowed from it. */
static inline const pdict_value *pdict_view_value(const pdict_view *view)
{
    return (const pdict_value *)view->data;
}

/**
 * What the bytes of a value stand for, and the bytes of a value, by the serializer of the map: for
 * iterations, and for many at once. Both results are made in `tree` and live as long as it.
 *
 * @return As pdict_get_value() and pdict_put_value().
 *
 * Since 0.1.
 */
PDICT_API int pdict_value_decode(pdict *d, pdict_slice bytes, pdict_tree *tree, pdict_value **out);
PDICT_API int pdict_value_encode(pdict *d, const pdict_value *value, pdict_tree *tree,
                                 pdict_slice *out);

/* ---- Structs ------------------------------------------------------------------------------ */

enum pdict_field_type {
    PDICT_BOOL = 1,
    PDICT_INT8 = 2,
    PDICT_INT16 = 3,
    PDICT_INT32 = 4,
    PDICT_INT64 = 5,
    PDICT_UINT8 = 6,
    PDICT_UINT16 = 7,
    PDICT_UINT32 = 8,
    PDICT_UINT64 = 9,
    PDICT_FLOAT = 10,
    PDICT_DOUBLE = 11,
    PDICT_STRING = 12, /**< const char *, UTF-8; NULL is kept */
    PDICT_CHARS = 13,  /**< char[N], UTF-8, ended by a zero */
    PDICT_BLOB = 14,   /**< pdict_slice, any bytes; data NULL is kept */
    PDICT_STRUCT = 15  /**< a struct with a table of its own */
};

enum pdict_field_form {
    PDICT_FIELD_ONE = 0,
    PDICT_FIELD_MAYBE = 1, /**< a bool beside it says whether it is there */
    PDICT_FIELD_MANY = 2   /**< a pointer to the first, a size_t beside it says how many */
};

/** One member of a struct; a table of them ends with PDICT_FIELD_END. Made by the macros below. */
typedef struct pdict_field {
    const char *name; /**< as it is stored */
    int type;         /**< enum pdict_field_type */
    int form;         /**< enum pdict_field_form */
    size_t offset;
    size_t size;         /**< bytes of it, or of one of many */
    size_t other_offset; /**< of the bool or size_t beside it */
    const struct pdict_field *fields;
} pdict_field;

/*
 *     static const pdict_field user_fields[] = {
 *         PDICT_FIELD(struct user, name, PDICT_STRING),
 *         PDICT_FIELD(struct user, age, PDICT_INT32),
 *         PDICT_FIELD_END
 *     };
 *     static const pdict_type user_type = PDICT_TYPE(struct user, user_fields);
 */
#define PDICT_FIELD(type_, member_, kind_)                                                         \
    {                                                                                              \
#member_, kind_, PDICT_FIELD_ONE, offsetof(type_, member_), sizeof(((type_ *)0)->member_), \
            0, NULL                                                                                \
    }

/** `present` is a bool of the struct. */
#define PDICT_FIELD_OPTIONAL(type_, member_, present_, kind_)                                      \
    {                                                                                              \
#member_, kind_, PDICT_FIELD_MAYBE, offsetof(type_, member_),                              \
            sizeof(((type_ *)0)->member_), offsetof(type_, present_), NULL                         \
    }

/** `member` points to the first, `count` is a size_t of the struct. */
#define PDICT_FIELD_ARRAY(type_, member_, count_, kind_)                                           \
    {                                                                                              \
#member_, kind_, PDICT_FIELD_MANY, offsetof(type_, member_),                               \
            sizeof(*((type_ *)0)->member_), offsetof(type_, count_), NULL                          \
    }

/** A struct inside, with a table of its own; and a pointer to many of them. */
#define PDICT_FIELD_STRUCT(type_, member_, fields_)                                                \
    {                                                                                              \
#member_, PDICT_STRUCT, PDICT_FIELD_ONE, offsetof(type_, member_),                         \
            sizeof(((type_ *)0)->member_), 0, fields_                                              \
    }
#define PDICT_FIELD_STRUCTS(type_, member_, count_, fields_)                                       \
    {                                                                                              \
#member_, PDICT_STRUCT, PDICT_FIELD_MANY, offsetof(type_, member_),                        \
            sizeof(*((type_ *)0)->member_), offsetof(type_, count_), fields_                       \
    }

#define PDICT_FIELD_END                                                                            \
    {                                                                                              \
        NULL, 0, 0, 0, 0, 0, NULL                                                                  \
    }

/**
 * How objects of one kind become values and come back: by a table of fields, or by functions of
 * your own. It and what it leads to must stay, unchanged, until the maps are closed that it was used
 * with and the views released, as those that are `static const` do: two types are one if they are
 * made of the same pointers and sizes, and share the objects in the cache.
 *
 * With a table an object is stored as a map of its fields by name, so that records say themselves
 * what is in them, whatever the struct has become since. Reading begins with `defaults`: a member
 * that the record does not have, because it was added to the struct later, keeps what it has
 * there. What the record has and the struct does not is passed over; writing the struct back
 * drops it. Integers may be widened or narrowed as long as each value fits.
 */
typedef struct pdict_type {
    size_t struct_size;
    size_t object_size;        /**< sizeof the struct */
    const pdict_field *fields; /**< NULL: by the functions */
    const void *defaults;      /**< an object to begin with; NULL: all zero */

    /** Make a value of an object, in `tree`. Return PDICT_OK, or a status by pdict_fail(). */
    int (*pack)(const void *object, pdict_tree *tree, pdict_value **out);
    /** Fill an object, which is zero or `defaults`. What it points to may be memory of the tree,
     *  parts of the value included, or its own, which destroy frees. Not called twice. */
    int (*unpack)(const pdict_value *value, pdict_tree *tree, void *object);
    /** When nothing shows an object that was unpacked any more: it has left the cache, at the close
     *  of the map at the latest, and no view is left. On any thread; it must not call into the
     *  library. Optional. */
    void (*destroy)(void *object);
} pdict_type;

#define PDICT_TYPE(type_, fields_)                                                                 \
    {                                                                                              \
        sizeof(pdict_type), sizeof(type_), fields_, NULL, NULL, NULL, NULL                         \
    }
#define PDICT_TYPE_DEFAULTS(type_, fields_, defaults_)                                             \
    {                                                                                              \
        sizeof(pdict_type), sizeof(type_), fields_, defaults_, NULL, NULL, NULL                    \
    }
#define PDICT_TYPE_CUSTOM(type_, pack_, unpack_, destroy_)                                         \
    {                                                                                              \
        sizeof(pdict_type), sizeof(type_), NULL, NULL, pack_, unpack_, destroy_                    \
    }

/**
 * Write an object.
 *
 * @param type    Borrowed.
 * @param object  Borrowed, with what it points to.
 * @return As pdict_put_value(); PDICT_INVAL: the type is malformed, or a field holds what cannot be
 *         stored, such as text that is not UTF-8 (the text names the field); or what `pack`
 *         returned.
 *
 * Since 0.1.
 */
PDICT_API int pdict_put_object(pdict *d, pdict_slice key, const pdict_type *type,
                               const void *object, const pdict_put_options *how);

/**
 * Read an object.
 *
 * @param type      For as long as the view.
 * @param[out] out  Pinned; `data` is the object, of `size` bytes. It and what it points to live as
 *                  long as the view, are never changed, and may be shared with other views and
 *                  threads: copy it to change it. Zeroed on failure.
 * @return As pdict_get_value(); PDICT_INVAL: the value does not fit the type (the text names the
 *         field), or the type is malformed; or what `unpack` returned.
 *
 * Cost: as pdict_get_value(); one object for each type.
 * Since 0.1.
 */
PDICT_API int pdict_get_object(pdict *d, pdict_slice key, const pdict_type *type, pdict_view *out);

/** Make a value of an object, and fill an object from a value, without a map; as above. The object
 *  lives as long as the tree, and its destroy function is the caller's to call. Since 0.1. */
PDICT_API int pdict_object_pack(const pdict_type *type, const void *object, pdict_tree *tree,
                                pdict_value **out);
PDICT_API int pdict_object_unpack(const pdict_type *type, const pdict_value *value,
                                  pdict_tree *tree, void *object);

#ifdef __cplusplus
}
#endif

#endif
