/* SPDX-License-Identifier: MIT */
/* Registering at run time: copies of tables that were checked, found without a lock. */
#include <pdict/ext/register.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"

#define MOST 64

/* Up to `stat`: what follows is optional. */
#define BACKEND_LEAST offsetof(pdict_backend, watch)

struct backend_slot {
    const pdict_backend *source; /* as it was given */
    pdict_backend backend;
};

struct codec_slot {
    const pdict_codec *source;
    pdict_codec codec;
    pdict_serializer serializer;
    pdict_compressor compressor;
    pdict_cipher cipher;
};

/* Slots below the count are never written again, so they are read without the lock. */
static struct backend_slot backends[MOST];
static struct codec_slot codecs[MOST];
static atomic_size_t n_backends, n_codecs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What one call adds: slots are filled, and published together when all are sound. */
struct addition {
    const char *who; /* for error texts */
    size_t n_backends, n_codecs;
};

const pdict_backend *pdict__registered_backend(size_t index)
{
    return index < atomic_load_explicit(&n_backends, memory_order_acquire)
               ? &backends[index].backend
               : NULL;
}

const pdict_codec *pdict__registered_codec(size_t index)
{
    return index < atomic_load_explicit(&n_codecs, memory_order_acquire) ? &codecs[index].codec
                                                                         : NULL;
}

/* min(theirs, ours), the rest zero; the copy is a whole table of ours. */
static void copy_table(void *out, size_t size, const void *table)
{
    size_t given;

    memcpy(&given, table, sizeof(given));
    memset(out, 0, size);
    memcpy(out, table, given < size ? given : size);
    memcpy(out, &size, sizeof(size));
}

static bool is_same_name(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static int name_taken(const char *who, const char *name)
{
    return pdict_fail(PDICT_CONTRADICTION,
                      "%s: there is a '%s' already in this process; give it another name", who,
                      name);
}

static int too_many(const char *who)
{
    return pdict_fail(PDICT_TOO_BIG, "%s: %d of its kind are registered already, which is the most",
                      who, MOST);
}

/* ---- backends ---- */

static int check_new_backend(const struct addition *addition, const pdict_backend *backend)
{
    bool is_taken = pdict__backend_find(backend->name) != NULL;

    for (size_t i = 0; i < addition->n_backends; i++)
        is_taken = is_taken || is_same_name(backends[i].backend.name, backend->name);
    if (is_taken)
        return name_taken(addition->who, backend->name);
    return addition->n_backends == MOST ? too_many(addition->who) : PDICT_OK;
}

static int add_backend(struct addition *addition, const pdict_backend *source)
{
    pdict_backend backend;
    int status;

    for (size_t i = 0; i < addition->n_backends; i++) {
        if (backends[i].source == source)
            return PDICT_OK;
    }
    status = pdict__table_check_head(addition->who, source, BACKEND_LEAST);
    if (status != PDICT_OK)
        return status;
    copy_table(&backend, sizeof(backend), source);
    if ((status = pdict__backend_check(addition->who, &backend)) != PDICT_OK)
        return status;
    if ((status = check_new_backend(addition, &backend)) != PDICT_OK)
        return status;
    backends[addition->n_backends++] = (struct backend_slot){ source, backend };
    return PDICT_OK;
}

/* ---- codecs ---- */

static bool clashes(const pdict_codec *a, const pdict_codec *b)
{
    return is_same_name(a->name, b->name) || (a->kind == b->kind && a->id == b->id);
}

static int check_new_codec(const struct addition *addition, const pdict_codec *codec)
{
    const pdict_codec *other = pdict__codec_find(codec->name);

    if (!other)
        other = pdict__codec_by_id(codec->kind, codec->id);
    for (size_t i = 0; i < addition->n_codecs && !other; i++) {
        if (clashes(&codecs[i].codec, codec))
            other = &codecs[i].codec;
    }
    if (other && is_same_name(other->name, codec->name))
        return name_taken(addition->who, codec->name);
    if (other)
        return pdict_fail(PDICT_CONTRADICTION,
                          "%s: codec %s has id %u, which is that of %s; give it another id",
                          addition->who, codec->name, codec->id, other->name);
    return addition->n_codecs == MOST ? too_many(addition->who) : PDICT_OK;
}

/* Copy the one table that the codec brings into the slot. */
static int copy_inner(const char *who, struct codec_slot *slot)
{
    pdict_codec *codec = &slot->codec;
    int status = pdict__codec_check(who, codec);

    if (status != PDICT_OK)
        return status;
    if (codec->serializer) {
        copy_table(&slot->serializer, sizeof(slot->serializer), codec->serializer);
        return PDICT_OK;
    }
    if (codec->compressor) {
        copy_table(&slot->compressor, sizeof(slot->compressor), codec->compressor);
        return pdict__compressor_check(who, codec->name, &slot->compressor);
    }
    copy_table(&slot->cipher, sizeof(slot->cipher), codec->cipher);
    return pdict__cipher_check(who, codec->name, &slot->cipher);
}

/* The codec points to the copies beside it, which stay where they are. */
static void settle(struct codec_slot *slot, const struct codec_slot *from)
{
    *slot = *from;
    if (slot->codec.serializer)
        slot->codec.serializer = &slot->serializer;
    if (slot->codec.compressor)
        slot->codec.compressor = &slot->compressor;
    if (slot->codec.cipher)
        slot->codec.cipher = &slot->cipher;
}

static int add_codec(struct addition *addition, const pdict_codec *source)
{
    struct codec_slot slot = { .source = source };
    int status;

    for (size_t i = 0; i < addition->n_codecs; i++) {
        if (codecs[i].source == source)
            return PDICT_OK;
    }
    status = pdict__table_check_head(addition->who, source, sizeof(pdict_codec));
    if (status != PDICT_OK)
        return status;
    copy_table(&slot.codec, sizeof(slot.codec), source);
    if ((status = copy_inner(addition->who, &slot)) != PDICT_OK)
        return status;
    if ((status = check_new_codec(addition, &slot.codec)) != PDICT_OK)
        return status;
    settle(&codecs[addition->n_codecs++], &slot);
    return PDICT_OK;
}

/* ---- all or nothing ---- */

static int add_all(struct addition *addition, const pdict_backend *const *new_backends,
                   const pdict_codec *const *new_codecs)
{
    int status = PDICT_OK;

    for (; status == PDICT_OK && new_backends && *new_backends; new_backends++)
        status = add_backend(addition, *new_backends);
    for (; status == PDICT_OK && new_codecs && *new_codecs; new_codecs++)
        status = add_codec(addition, *new_codecs);
    return status;
}

static int register_all(const char *who, const pdict_backend *const *new_backends,
                        const pdict_codec *const *new_codecs)
{
    struct addition addition = { .who = who };
    int status;

    pthread_mutex_lock(&lock);
    addition.n_backends = atomic_load(&n_backends);
    addition.n_codecs = atomic_load(&n_codecs);
    status = add_all(&addition, new_backends, new_codecs);
    if (status == PDICT_OK) {
        atomic_store_explicit(&n_backends, addition.n_backends, memory_order_release);
        atomic_store_explicit(&n_codecs, addition.n_codecs, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

int pdict_register_backend(const pdict_backend *backend)
{
    const pdict_backend *const tables[] = { backend, NULL };

    if (!backend)
        return pdict_fail(PDICT_INVAL, "register_backend: NULL is no backend");
    return register_all("register_backend", tables, NULL);
}

int pdict_register_codec(const pdict_codec *codec)
{
    const pdict_codec *const tables[] = { codec, NULL };

    if (!codec)
        return pdict_fail(PDICT_INVAL, "register_codec: NULL is no codec");
    return register_all("register_codec", NULL, tables);
}

int pdict_load_extension(const char *path)
{
    const pdict_extension *given;
    pdict_extension extension;
    void *library;
    int status;

    if (!path || !strchr(path, '/'))
        return pdict_fail(PDICT_INVAL,
                          "load_extension: '%s' has no slash, and no directories are searched; "
                          "write ./%s",
                          path ? path : "", path ? path : "");
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return pdict_fail(PDICT_UNSUPPORTED, "load_extension: %s", dlerror());
    given = dlsym(library, "pdict_this_extension");
    if (!given)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s is no extension of pdict: it does not export pdict_this_extension",
                          path);
    status = pdict__table_check_head(path, given, sizeof(*given));
    if (status != PDICT_OK)
        return status;
    copy_table(&extension, sizeof(extension), given);
    return register_all(path, extension.backends, extension.codecs);
}
