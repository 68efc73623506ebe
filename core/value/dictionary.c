/* SPDX-License-Identifier: MIT */
/* The trained dictionaries of a map: read from where they are stored, kept open, told by number. */
#include "base/calls.h"
#include "value/dictionary.h"

#define LABEL_SIZE 16
#define HASH_SIZE  8

/* Before the bytes of each: number, compressor, nothing, size, hash. */
#define ENTRY_HEAD_SIZE 16

static const char label[LABEL_SIZE] = "pdict/dict/1";

static int damaged(const char *what)
{
    return pdict_fail(
        PDICT_DAMAGED,
        "the dictionaries of the map are damaged: %s; restore the store from a backup", what);
}

/* ---- what is stored ---- */

static int append_entry(struct buf *out, const struct dictionary *dictionary)
{
    uint8_t head[ENTRY_HEAD_SIZE] = { 0 };
    int status;

    pdict__put16(head, dictionary->number);
    head[2] = dictionary->compressor_id;
    pdict__put32(head + 4, (uint32_t)dictionary->size);
    pdict__put64(head + 8, dictionary->hash);
    status = pdict__buf_append(out, head, sizeof(head));
    return status == PDICT_OK ? pdict__buf_append(out, dictionary->bytes, dictionary->size)
                              : status;
}

/* The bytes that a sealed list is bound to. */
static void bind(const struct pipeline *pipeline, uint8_t *out)
{
    memcpy(out, label, LABEL_SIZE);
    memcpy(out + LABEL_SIZE, pipeline->map_id, MAP_ID_SIZE);
}

/* Label, nonce, sealed entries. */
static int seal_entries(const struct pipeline *pipeline, const struct keyring *ring,
                        pdict_slice entries, struct buf *out)
{
    const pdict_cipher *cipher = pdict__keyring_cipher(ring);
    uint8_t bound[LABEL_SIZE + MAP_ID_SIZE], *nonce;
    void *key = pdict__secret_alloc(cipher, cipher->key_size);
    size_t at = out->size;
    int status;

    if (!key)
        return pdict__nomem(cipher->key_size);
    status = pdict__keyring_dictionary_key(ring, key);
    if (status == PDICT_OK)
        status = pdict__buf_reserve(out, at + cipher->nonce_size + entries.size + cipher->tag_size);
    if (status == PDICT_OK) {
        nonce = out->data + at;
        cipher->random(nonce, cipher->nonce_size);
        bind(pipeline, bound);
        status = cipher->seal(key, nonce, (pdict_slice){ bound, sizeof(bound) }, entries,
                              nonce + cipher->nonce_size);
        out->size = at + cipher->nonce_size + entries.size + cipher->tag_size;
    }
    pdict__secret_free(cipher, key);
    return status;
}

static int open_entries(const struct pipeline *pipeline, pdict_slice stored, struct buf *out)
{
    const struct generation *generation = pdict__generation_of(pipeline);
    const pdict_cipher *cipher = generation->cipher;
    const uint8_t *nonce = stored.data;
    uint8_t bound[LABEL_SIZE + MAP_ID_SIZE];
    pdict_slice sealed = { nonce + cipher->nonce_size, stored.size - cipher->nonce_size };
    void *key;
    int status;

    if (stored.size < cipher->nonce_size + cipher->tag_size)
        return damaged("they end early");
    if (!(key = pdict__secret_alloc(cipher, cipher->key_size)))
        return pdict__nomem(cipher->key_size);
    status = pdict__keyring_dictionary_key(generation->ring, key);
    if (status == PDICT_OK)
        status = pdict__buf_reserve(out, sealed.size);
    if (status == PDICT_OK) {
        bind(pipeline, bound);
        status = cipher->open(key, nonce, (pdict_slice){ bound, sizeof(bound) }, sealed, out->data);
        out->size = sealed.size - cipher->tag_size;
    }
    pdict__secret_free(cipher, key);
    return status == PDICT_AUTH ? damaged("they were changed without the key of the map") : status;
}

/* The ring that new dictionaries are sealed by; NULL: they are plain. */
static const struct keyring *sealing_ring(const struct pipeline *pipeline)
{
    const struct generation *generation = pdict__generation_of(pipeline);

    return generation->cipher ? generation->ring : NULL;
}

static int encode_by(const struct pipeline *pipeline, const struct keyring *ring,
                     const struct dictionary *list, struct buf *out)
{
    struct buf entries = { .allocator = pipeline->allocator };
    uint8_t check[HASH_SIZE];
    int status = pdict__buf_append(out, label, LABEL_SIZE);

    for (; list && status == PDICT_OK; list = list->next)
        status = append_entry(&entries, list);
    if (status == PDICT_OK && ring)
        status = seal_entries(pipeline, ring, (pdict_slice){ entries.data, entries.size }, out);
    else if (status == PDICT_OK)
        status = pdict__buf_append(out, entries.data, entries.size);
    if (status == PDICT_OK && !ring) {
        pdict__put64(check, pdict__hash64(out->data, out->size, 0));
        status = pdict__buf_append(out, check, sizeof(check));
    }
    pdict__pipeline_erase(pipeline, entries.data, entries.size);
    pdict__buf_free(&entries);
    return status;
}

int pdict__dictionaries_encode(const struct pipeline *pipeline, const struct dictionary *list,
                               struct buf *out)
{
    return encode_by(pipeline, sealing_ring(pipeline), list, out);
}

static int check_entries(pdict_slice stored, struct buf *out)
{
    const uint8_t *data = stored.data;
    size_t size = stored.size - HASH_SIZE;

    if (stored.size < LABEL_SIZE + HASH_SIZE)
        return damaged("they end early");
    if (pdict__get64(data + size) != pdict__hash64(data, size, 0))
        return damaged("they do not match their checksum");
    return pdict__buf_append(out, data + LABEL_SIZE, size - LABEL_SIZE);
}

/* ---- the list in memory ---- */

void pdict__dictionaries_free(const struct pipeline *pipeline, struct dictionary *list)
{
    while (list) {
        struct dictionary *next = list->next;
        void *opened = atomic_load_explicit(&list->opened, memory_order_acquire);

        if (opened)
            list->compressor->codec->compressor->dictionary_close(list->compressor->self, opened);
        pdict__pipeline_erase(pipeline, list->bytes, list->size);
        pdict__free(pipeline->allocator, list);
        list = next;
    }
}

int pdict__dictionary_new(const struct pipeline *pipeline, uint8_t compressor_id, pdict_slice bytes,
                          struct dictionary **out)
{
    struct dictionary *made = pdict__calloc(pipeline->allocator, 1, sizeof(*made) + bytes.size);

    *out = made;
    if (!made)
        return PDICT_NOMEM;
    made->compressor_id = compressor_id;
    made->size = bytes.size;
    made->bytes = (uint8_t *)(made + 1);
    memcpy(made->bytes, bytes.data, bytes.size);
    made->hash = pdict__hash64(bytes.data, bytes.size, 0);
    return PDICT_OK;
}

/* One entry off the front of `left`. */
static int scan_entry(const struct pipeline *pipeline, pdict_slice *left, uint16_t last,
                      struct dictionary **out)
{
    const uint8_t *at = left->data;
    size_t size;
    int status;

    *out = NULL;
    if (left->size < ENTRY_HEAD_SIZE)
        return damaged("an entry ends early");
    size = pdict__get32(at + 4);
    if (size == 0 || size > DICTIONARY_MOST_SIZE || size > left->size - ENTRY_HEAD_SIZE)
        return damaged("an entry has no size that can be");
    if (pdict__get16(at) <= last || at[2] == 0 || at[3] != 0)
        return damaged("an entry has no number that can be");
    status =
        pdict__dictionary_new(pipeline, at[2], (pdict_slice){ at + ENTRY_HEAD_SIZE, size }, out);
    if (status != PDICT_OK)
        return status;
    (*out)->number = pdict__get16(at);
    if ((*out)->hash != pdict__get64(at + 8))
        return damaged("an entry does not match its hash");
    *left = (pdict_slice){ at + ENTRY_HEAD_SIZE + size, left->size - ENTRY_HEAD_SIZE - size };
    return PDICT_OK;
}

static int scan_entries(const struct pipeline *pipeline, pdict_slice entries,
                        struct dictionary **out)
{
    struct dictionary **end = out;
    unsigned count = 0;
    uint16_t last = 0;

    *out = NULL;
    while (entries.size > 0) {
        int status = ++count > DICTIONARIES_MOST ? damaged("there are too many")
                                                 : scan_entry(pipeline, &entries, last, end);

        if (status != PDICT_OK) {
            pdict__dictionaries_free(pipeline, *out);
            *out = NULL;
            return status;
        }
        last = (*end)->number;
        end = &(*end)->next;
    }
    return PDICT_OK;
}

static pdict_slice behind_label(pdict_slice stored)
{
    return (pdict_slice){ (const uint8_t *)stored.data + LABEL_SIZE, stored.size - LABEL_SIZE };
}

int pdict__dictionaries_decode(const struct pipeline *pipeline, pdict_slice stored,
                               struct dictionary **out)
{
    struct buf entries = { .allocator = pipeline->allocator };
    int status;

    *out = NULL;
    if (stored.size == 0)
        return PDICT_OK;
    if (stored.size < LABEL_SIZE || memcmp(stored.data, label, LABEL_SIZE) != 0)
        return damaged("they are of no known form");
    if (pdict__generation_of(pipeline)->cipher)
        status = open_entries(pipeline, behind_label(stored), &entries);
    else
        status = check_entries(stored, &entries);
    if (status == PDICT_OK)
        status = scan_entries(pipeline, (pdict_slice){ entries.data, entries.size }, out);
    pdict__pipeline_erase(pipeline, entries.data, entries.size);
    pdict__buf_free(&entries);
    return status;
}

int pdict__dictionaries_reseal(const struct pipeline *pipeline, pdict_slice stored,
                               const struct keyring *ring, struct buf *out)
{
    struct dictionary *list;
    int status = pdict__dictionaries_decode(pipeline, stored, &list);

    if (status == PDICT_OK && list)
        status = encode_by(pipeline, ring, list, out);
    pdict__dictionaries_free(pipeline, list);
    return status;
}

/* ---- those of a pipeline ---- */

static struct dictionary *known(const struct pipeline *pipeline, uint16_t number)
{
    struct dictionary *at = atomic_load_explicit(&pipeline->dictionaries, memory_order_acquire);

    while (at && at->number != number)
        at = at->next;
    return at;
}

/* Numbers grow, so the newest comes first. */
static void publish(struct pipeline *pipeline, struct dictionary *list)
{
    while (list) {
        struct dictionary *next = list->next;

        list->next = NULL;
        if (known(pipeline, list->number)) {
            pdict__dictionaries_free(pipeline, list);
        } else {
            list->next = atomic_load_explicit(&pipeline->dictionaries, memory_order_relaxed);
            atomic_store_explicit(&pipeline->dictionaries, list, memory_order_release);
        }
        list = next;
    }
}

int pdict__dictionaries_load(struct pipeline *pipeline)
{
    struct buf stored = { .allocator = pipeline->allocator };
    struct dictionary *list = NULL;
    int status = PDICT_OK;

    pdict__call_begin();
    pthread_mutex_lock(&pipeline->opening);
    if (pipeline->read_dictionaries)
        status = pipeline->read_dictionaries(pipeline->ctx, &stored);
    if (status == PDICT_OK)
        status =
            pdict__dictionaries_decode(pipeline, (pdict_slice){ stored.data, stored.size }, &list);
    publish(pipeline, list);
    if (status == PDICT_OK)
        atomic_store_explicit(&pipeline->has_dictionaries, true, memory_order_release);
    pthread_mutex_unlock(&pipeline->opening);
    pdict__call_end();
    pdict__buf_free(&stored);
    return status;
}

int pdict__dictionaries_reload(struct pipeline *pipeline)
{
    return atomic_load_explicit(&pipeline->has_dictionaries, memory_order_acquire)
               ? pdict__dictionaries_load(pipeline)
               : PDICT_OK;
}

static int open_locked(struct dictionary *dictionary, struct compressor *compressor)
{
    pdict_slice bytes = { dictionary->bytes, dictionary->size };
    void *opened = NULL;
    int status;

    if (atomic_load_explicit(&dictionary->opened, memory_order_relaxed))
        return PDICT_OK;
    status = compressor->codec->compressor->dictionary_open(compressor->self, bytes, &opened);
    dictionary->compressor = compressor;
    if (status == PDICT_OK)
        atomic_store_explicit(&dictionary->opened, opened, memory_order_release);
    return status;
}

/* Make it ready for use, once. */
static int need_opened(struct pipeline *pipeline, struct dictionary *dictionary,
                       struct compressor *compressor)
{
    int status;

    if (atomic_load_explicit(&dictionary->opened, memory_order_acquire))
        return PDICT_OK;
    if (!compressor->codec->compressor->dictionary_open)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s has no dictionaries in this build; use the build that trained one",
                          compressor->codec->name);
    pthread_mutex_lock(&pipeline->opening);
    status = open_locked(dictionary, compressor);
    pthread_mutex_unlock(&pipeline->opening);
    return status;
}

static struct dictionary *newest_for(const struct pipeline *pipeline, uint8_t compressor_id)
{
    struct dictionary *at = atomic_load_explicit(&pipeline->dictionaries, memory_order_acquire);

    while (at && at->compressor_id != compressor_id)
        at = at->next;
    return at;
}

/* Opened by this compressor: what encodes is made for the options of one. */
static struct dictionary *twin_of(const struct dictionary *dictionary,
                                  const struct compressor *compressor)
{
    struct dictionary *at;

    for (at = dictionary->next; at; at = at->next) {
        if (at->number == dictionary->number && at->compressor == compressor)
            return at;
    }
    return NULL;
}

static int make_twin(struct pipeline *pipeline, const struct dictionary *dictionary,
                     struct compressor *compressor, struct dictionary **out)
{
    pdict_slice bytes = { dictionary->bytes, dictionary->size };
    int status = pdict__dictionary_new(pipeline, dictionary->compressor_id, bytes, out);

    if (status != PDICT_OK)
        return status;
    (*out)->number = dictionary->number;
    pthread_mutex_lock(&pipeline->opening);
    status = open_locked(*out, compressor);
    if (status == PDICT_OK) {
        (*out)->next = atomic_load_explicit(&pipeline->dictionaries, memory_order_relaxed);
        atomic_store_explicit(&pipeline->dictionaries, *out, memory_order_release);
    }
    pthread_mutex_unlock(&pipeline->opening);
    if (status != PDICT_OK)
        pdict__dictionaries_free(pipeline, *out);
    return status;
}

int pdict__dictionary_for_writing(struct pipeline *pipeline, struct compressor *writer,
                                  const struct dictionary **out)
{
    const pdict_codec *codec = writer->codec;
    struct dictionary *at, *twin;
    int status;

    *out = NULL;
    if (!codec->compressor->train)
        return PDICT_OK;
    if (!atomic_load_explicit(&pipeline->has_dictionaries, memory_order_acquire) &&
        (status = pdict__dictionaries_load(pipeline)) != PDICT_OK)
        return status;
    if (!(at = newest_for(pipeline, codec->id)))
        return PDICT_OK;
    if ((status = need_opened(pipeline, at, writer)) != PDICT_OK)
        return status;
    *out = at;
    if (at->compressor == writer)
        return PDICT_OK;
    if (!(twin = twin_of(at, writer)))
        status = make_twin(pipeline, at, writer, &twin);
    *out = status == PDICT_OK ? twin : NULL;
    return status;
}

bool pdict__has_dictionary(struct pipeline *pipeline)
{
    struct compressor *writer = pdict__generation_of(pipeline)->writer;
    const struct dictionary *newest = NULL;

    return writer && pdict__dictionary_for_writing(pipeline, writer, &newest) == PDICT_OK && newest;
}

/* One that is not known may have been trained by somebody else meanwhile. */
int pdict__dictionary_for_reading(struct pipeline *pipeline, const struct record_header *header,
                                  const struct dictionary **out)
{
    struct dictionary *found = known(pipeline, header->dictionary);
    struct compressor *compressor;
    int status;

    *out = NULL;
    if (!found) {
        if ((status = pdict__dictionaries_load(pipeline)) != PDICT_OK)
            return status;
        found = known(pipeline, header->dictionary);
    }
    if (!found || found->compressor_id != header->compressor)
        return pdict_fail(PDICT_FORMAT,
                          "malformed record: it names a dictionary that the map does not have; "
                          "restore the entry from a backup or delete it");
    *out = found;
    if (atomic_load_explicit(&found->opened, memory_order_acquire))
        return PDICT_OK;
    status = pdict__compressor_for_reading(pipeline, found->compressor_id, &compressor);
    return status == PDICT_OK ? need_opened(pipeline, found, compressor) : status;
}
