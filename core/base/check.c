/* SPDX-License-Identifier: MIT */
/* Is a table that somebody wants to register sound? Each refusal says what is wrong. */
#include "base/base.h"

#define NAME_MOST  31
#define SPECS_MOST 64

/* Larger than any table will be: a struct_size beyond it was never set. */
#define TABLE_MOST 4096

struct member {
    const char *name;
    size_t offset;
};

/* clang-format off */
#define MEMBER(type, member) { .name = #member, .offset = offsetof(type, member) }
/* clang-format on */

typedef void (*function)(void);

/* Function pointers are all of one size here, and equal when NULL. */
static int check_members(const char *who, const char *name, const void *table,
                         const struct member *members)
{
    static const function none = NULL;

    for (; members->name; members++) {
        if (memcmp((const char *)table + members->offset, &none, sizeof(none)) == 0)
            return pdict_fail(PDICT_INVAL, "%s: %s lacks %s, which is required", who, name,
                              members->name);
    }
    return PDICT_OK;
}

int pdict__table_check_head(const char *who, const void *table, size_t least)
{
    struct {
        size_t struct_size;
        uint32_t abi_version;
    } head;

    memcpy(&head, table, sizeof(head));
    if (head.abi_version != PDICT_EXT_ABI)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: made for version %u of the extension ABI, this library has %u; "
                          "build it with the headers of this library",
                          who, head.abi_version, PDICT_EXT_ABI);
    if (head.struct_size < least)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: a table of %zu bytes lacks required members, %zu are the least; "
                          "build it with the headers of this library",
                          who, head.struct_size, least);
    if (head.struct_size > TABLE_MOST || head.struct_size % sizeof(void *) != 0)
        return pdict_fail(PDICT_INVAL, "%s: struct_size %zu is the size of no table", who,
                          head.struct_size);
    return PDICT_OK;
}

static int check_name(const char *who, const char *name, const char *summary)
{
    size_t size = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;

    if (size == 0 || name[size] || size > NAME_MOST)
        return pdict_fail(PDICT_INVAL,
                          "%s: '%s' is no name; use 1 to %d lower case letters and digits", who,
                          name ? name : "", NAME_MOST);
    if (!summary || !*summary)
        return pdict_fail(PDICT_INVAL, "%s: %s has no summary", who, name);
    return PDICT_OK;
}

static int check_options(const char *who, const char *name, const pdict_option_spec *specs)
{
    for (size_t i = 0; specs && specs[i].name; i++) {
        bool is_sound = i < SPECS_MOST && pdict__option_is_sound(&specs[i]);

        for (size_t j = 0; j < i && is_sound; j++)
            is_sound = strcmp(specs[i].name, specs[j].name) != 0;
        if (!is_sound)
            return pdict_fail(PDICT_INVAL,
                              "%s: option '%s' of %s is malformed: name, type, limits, help or "
                              "default, or given twice",
                              who, specs[i].name, name);
    }
    return PDICT_OK;
}

/* ---- backends ---- */

static const struct member backend_members[] = {
    MEMBER(pdict_backend, open),         MEMBER(pdict_backend, close),
    MEMBER(pdict_backend, reader_open),  MEMBER(pdict_backend, reader_close),
    MEMBER(pdict_backend, reader_begin), MEMBER(pdict_backend, reader_end),
    MEMBER(pdict_backend, write_begin),  MEMBER(pdict_backend, write_commit),
    MEMBER(pdict_backend, write_abort),  MEMBER(pdict_backend, map_find),
    MEMBER(pdict_backend, map_next),     MEMBER(pdict_backend, map_create),
    MEMBER(pdict_backend, map_drop),     MEMBER(pdict_backend, map_rename),
    MEMBER(pdict_backend, system_get),   MEMBER(pdict_backend, system_put),
    MEMBER(pdict_backend, get),          MEMBER(pdict_backend, apply),
    MEMBER(pdict_backend, count),        MEMBER(pdict_backend, scan_open),
    MEMBER(pdict_backend, scan_next),    MEMBER(pdict_backend, scan_close),
    MEMBER(pdict_backend, stat),         { NULL, 0 },
};

int pdict__backend_check(const char *who, const pdict_backend *backend)
{
    int status = check_name(who, backend->name, backend->summary);

    if (status == PDICT_OK)
        status = check_members(who, backend->name, backend, backend_members);
    if (status == PDICT_OK)
        status = check_options(who, backend->name, backend->options);
    if (status != PDICT_OK)
        return status;
    if (backend->capabilities & PDICT_CAP_LAYER)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: %s is a layer; only layers of the library itself are used", who,
                          backend->name);
    if (!backend->log_bytes != !backend->checkpoint)
        return pdict_fail(PDICT_INVAL,
                          "%s: %s has one of log_bytes and checkpoint; give both or "
                          "none",
                          who, backend->name);
    if (!backend->access_put != !backend->access_get)
        return pdict_fail(PDICT_INVAL,
                          "%s: %s has one of access_put and access_get; give both or none", who,
                          backend->name);
    return PDICT_OK;
}

/* ---- codecs ---- */

static int check_kind(const char *who, const pdict_codec *codec)
{
    int given = !!codec->serializer + !!codec->compressor + !!codec->cipher;
    const void *own = codec->kind == PDICT_SERIALIZER   ? (const void *)codec->serializer
                      : codec->kind == PDICT_COMPRESSOR ? (const void *)codec->compressor
                      : codec->kind == PDICT_CIPHER     ? (const void *)codec->cipher
                                                        : NULL;
    size_t size = 0;

    if (given != 1 || !own)
        return pdict_fail(PDICT_INVAL,
                          "%s: codec %s has kind %u; set exactly the table of its kind", who,
                          codec->name, codec->kind);
    memcpy(&size, own, sizeof(size));
    if (size < sizeof(size) || size > TABLE_MOST || size % sizeof(void *) != 0)
        return pdict_fail(PDICT_INVAL, "%s: the table of codec %s has no struct_size", who,
                          codec->name);
    return PDICT_OK;
}

int pdict__codec_check(const char *who, const pdict_codec *codec)
{
    int status = check_name(who, codec->name, codec->summary);

    if (status == PDICT_OK)
        status = check_options(who, codec->name, codec->options);
    if (status != PDICT_OK)
        return status;
    if (strcmp(codec->name, "none") == 0)
        return pdict_fail(PDICT_INVAL, "%s: 'none' means no codec; give it another name", who);
    if (codec->id < 128)
        return pdict_fail(PDICT_INVAL,
                          "%s: codec %s has id %u; 128 to 255 are free for applications", who,
                          codec->name, codec->id);
    return check_kind(who, codec);
}

static const struct member compressor_members[] = {
    MEMBER(pdict_compressor, open),        MEMBER(pdict_compressor, close),
    MEMBER(pdict_compressor, context_new), MEMBER(pdict_compressor, context_free),
    MEMBER(pdict_compressor, bound),       MEMBER(pdict_compressor, encode),
    MEMBER(pdict_compressor, decode),      { NULL, 0 },
};

int pdict__compressor_check(const char *who, const char *name, const pdict_compressor *compressor)
{
    int given = !!compressor->train + !!compressor->dictionary_open +
                !!compressor->dictionary_close + !!compressor->encode_with +
                !!compressor->decode_with;

    if (given != 0 && given != 5)
        return pdict_fail(PDICT_INVAL,
                          "%s: compressor %s has some of the functions for dictionaries; give all "
                          "five or none",
                          who, name);
    return check_members(who, name, compressor, compressor_members);
}

static const struct member cipher_members[] = {
    MEMBER(pdict_cipher, ready),
    MEMBER(pdict_cipher, seal),
    MEMBER(pdict_cipher, open),
    MEMBER(pdict_cipher, derive),
    MEMBER(pdict_cipher, hash),
    MEMBER(pdict_cipher, random),
    MEMBER(pdict_cipher, equal),
    MEMBER(pdict_cipher, wipe),
    MEMBER(pdict_cipher, secret_alloc),
    MEMBER(pdict_cipher, secret_free),
    { NULL, 0 },
};

int pdict__cipher_check(const char *who, const char *name, const pdict_cipher *cipher)
{
    int status = check_members(who, name, cipher, cipher_members);

    if (status != PDICT_OK)
        return status;
    if (cipher->key_size < 1 || cipher->key_size > 64 || cipher->nonce_size < 1 ||
        cipher->nonce_size > 32 || cipher->tag_size < 1 || cipher->tag_size > 32)
        return pdict_fail(PDICT_INVAL,
                          "%s: cipher %s: key, nonce and tag are at most 64, 32 and 32 bytes", who,
                          name);
    return PDICT_OK;
}
