/* SPDX-License-Identifier: MIT */
/* The settings of a map whose records are made anew: changed at the beginning, tidied up at the end. */
#include "upkeep/anew.h"
#include "value/pipeline.h"

/* The SYSTEM values of a map, as they are and as they are to be. */
struct texts {
    struct map_texts now;
    struct map_texts next;
    bool changes[MAP_TEXTS]; /* next is to be written; empty: removed */
    struct keyring *ring;    /* of now, reopened; NULL: there is none */
    struct anew_state state; /* of now */
    bool has_state;
    uint64_t number; /* of the settings that they were read by */
};

static const char *const names[MAP_TEXTS] = {
    [TEXT_DESCRIPTOR] = SYSTEM_DESCRIPTOR,     [TEXT_CODECS] = SYSTEM_CODECS,
    [TEXT_KEYRING] = SYSTEM_KEYRING,           [TEXT_KEYRING_COPY] = SYSTEM_KEYRING_COPY,
    [TEXT_DICTIONARIES] = SYSTEM_DICTIONARIES,
};

/* ---- reading ---- */

static void texts_free(struct texts *texts)
{
    pdict__map_texts_free(&texts->now);
    pdict__map_texts_free(&texts->next);
    pdict__keyring_free(texts->ring);
}

static int read_all(const struct map *map, struct texts *texts)
{
    struct store *store = map->store;
    void *reader;
    int status = pdict__read_begin(store, &reader);

    if (status != PDICT_OK)
        return status;
    status = pdict__map_texts_read(store, reader, map->number, &texts->now);
    if (status == PDICT_OK)
        status = pdict__anew_state_read(store, reader, map->number, &texts->state);
    texts->has_state = status == PDICT_OK;
    pdict__read_end(store, reader);
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

/* With the settings current; whatever changes from here on turns the commit back. */
static int texts_read(const pdict *d, struct texts *texts)
{
    const struct map *map = d->map;
    int status;

    *texts = (struct texts){ .number = 0 };
    pdict__map_texts_init(&texts->now, &map->store->allocator);
    pdict__map_texts_init(&texts->next, &map->store->allocator);
    if ((status = pdict__settings_check(d)) != PDICT_OK)
        return status;
    texts->number = atomic_load(&pdict__settings(map)->number);
    if ((status = read_all(map, texts)) != PDICT_OK || texts->now.texts[TEXT_KEYRING].size == 0)
        return status;
    return pdict__keyring_reopen(pdict__pipeline_ring(map->pipeline),
                                 map_text(&texts->now, TEXT_KEYRING), &texts->ring);
}

/* ---- writing ---- */

static int encode_ring(struct texts *texts, const struct keyring *ring)
{
    struct buf *text = &texts->next.texts[TEXT_KEYRING];
    struct buf *copy = &texts->next.texts[TEXT_KEYRING_COPY];
    int status = ring ? pdict__keyring_encode(ring, text) : PDICT_OK;

    texts->changes[TEXT_KEYRING] = texts->changes[TEXT_KEYRING_COPY] = true;
    return status == PDICT_OK ? pdict__buf_append(copy, text->data, text->size) : status;
}

static int encode_descriptor(struct texts *texts, const struct descriptor *descriptor,
                             const struct keyring *ring)
{
    texts->changes[TEXT_DESCRIPTOR] = true;
    return pdict__descriptor_encode(descriptor, ring, &texts->next.texts[TEXT_DESCRIPTOR]);
}

struct writing {
    const struct anew *anew;
    const struct texts *texts;
    bool is_first;
    const struct anew_state *state; /* NULL: there is none any more */
};

static int write_inside(void *ctx, struct store *store, void *txn)
{
    const struct writing *writing = ctx;
    const struct texts *texts = writing->texts;
    uint32_t map = writing->anew->d->map->number;
    int status = PDICT_OK;

    if (!writing->is_first)
        status = pdict__anew_state_check(store, txn, map, &writing->anew->state);
    for (size_t i = 0; status == PDICT_OK && i < MAP_TEXTS; i++) {
        if (texts->changes[i])
            status = store->backend->system_put(store->engine, txn, map, pdict_str(names[i]),
                                                map_text(&texts->next, (enum map_text)i));
    }
    return status == PDICT_OK ? pdict__anew_state_write(store, txn, map, writing->state) : status;
}

static int commit(const struct anew *anew, const struct writing *writing)
{
    struct commit commit = { .generation = writing->texts->number,
                             .work = write_inside,
                             .changes_settings = true,
                             .keeps_rows = !writing->is_first,
                             .ctx = (void *)writing };

    return pdict__commit_for(anew->d, &commit, PDICT_COMMIT_FULL);
}

/* ---- beginning ---- */

static int fail_ciphers(void)
{
    return pdict_fail(PDICT_UNSUPPORTED,
                      "codecs: an encrypted map keeps its cipher; migrate it to a new store to "
                      "seal it with another, or decrypt it first");
}

static int fail_names(void)
{
    return pdict_fail(
        PDICT_UNSUPPORTED,
        "codecs: a map that hides its keys (names=hidden) keeps its cipher, since its "
        "rows are named by a hash under its key; dump it and load it into a new one");
}

static int fail_underway(const pdict *d)
{
    return pdict_fail(PDICT_CONTRADICTION,
                      "%s: map '%s' is on its way to codecs=%s; finish that first, with the same "
                      "codecs",
                      d->map->store->path, d->name, pdict__settings(d->map)->codecs_text);
}

static bool is_same_form(const struct descriptor *descriptor, const pdict_codec *serializer,
                         const pdict_codec *cipher)
{
    return descriptor->serializer == serializer && descriptor->cipher == cipher;
}

/* The descriptor on the way to these codecs: both forms are taken until the end. */
static int convert(const pdict *d, const struct codecs *codecs, struct descriptor *out)
{
    const struct descriptor *now = &pdict__settings(d->map)->descriptor;
    const pdict_codec *serializer = codecs->serializer.codec, *cipher = codecs->cipher.codec;
    const pdict_codec *keyed = pdict__descriptor_cipher(now);

    *out = *now;
    if (is_same_form(now, serializer, cipher))
        return PDICT_OK;
    if (cipher && keyed && cipher != keyed)
        return fail_ciphers();
    if (now->hides_names && cipher != now->cipher)
        return fail_names();
    if (now->is_converting && (now->from_serializer != serializer || now->from_cipher != cipher))
        return fail_underway(d);
    out->serializer = serializer;
    out->cipher = cipher;
    out->is_converting = true;
    out->from_serializer = now->serializer;
    out->from_cipher = now->cipher;
    return PDICT_OK;
}

/* The derivation runs here, outside of every lock. */
static int make_ring(struct anew *anew, const pdict_codec *cipher)
{
    const struct descriptor *now = &pdict__settings(anew->d->map)->descriptor;
    int status;

    if (anew->made)
        return PDICT_OK;
    if (!anew->secret.bytes.data)
        return pdict_fail(PDICT_NEED_KEY,
                          "codecs: to encrypt map '%s' give the passphrase or key that is to open "
                          "it",
                          anew->d->name);
    status = pdict__keyring_create(cipher, now->map_id, &anew->secret, &anew->kdf,
                                   &anew->d->map->store->allocator, &anew->made);
    /* The handle that gave the secret goes on, in whatever thread. */
    if (status == PDICT_OK)
        pdict__settings_expect(anew->d, anew->made);
    return status;
}

static int fill_ring(struct anew *anew, struct texts *texts, const pdict_codec *cipher,
                     const struct keyring **ring)
{
    int status = PDICT_OK;

    *ring = texts->ring;
    if (cipher && !texts->ring) {
        if ((status = make_ring(anew, cipher)) != PDICT_OK)
            return status;
        *ring = anew->made;
        return encode_ring(texts, *ring);
    }
    if (!anew->is_rekey)
        return PDICT_OK;
    status = pdict__keyring_add_epoch(texts->ring);
    return status == PDICT_OK ? encode_ring(texts, texts->ring) : status;
}

static int fill_dictionaries(const pdict *d, struct texts *texts, const struct keyring *ring)
{
    pdict_slice stored = map_text(&texts->now, TEXT_DICTIONARIES);

    if (stored.size == 0)
        return PDICT_OK;
    texts->changes[TEXT_DICTIONARIES] = true;
    return pdict__dictionaries_reseal(d->map->pipeline, stored, ring,
                                      &texts->next.texts[TEXT_DICTIONARIES]);
}

static int fill_next(struct anew *anew, struct texts *texts, const struct codecs *codecs)
{
    const struct settings *settings = pdict__settings(anew->d->map);
    const struct keyring *ring;
    struct descriptor descriptor;
    int status;

    if ((status = convert(anew->d, codecs, &descriptor)) != PDICT_OK)
        return status;
    if ((status = fill_ring(anew, texts, descriptor.cipher, &ring)) != PDICT_OK)
        return status;
    if ((status = encode_descriptor(texts, &descriptor, ring)) != PDICT_OK)
        return status;
    if (!descriptor.cipher != !settings->descriptor.cipher &&
        (status = fill_dictionaries(anew->d, texts, descriptor.cipher ? ring : NULL)) != PDICT_OK)
        return status;
    texts->changes[TEXT_CODECS] = true;
    anew->state.clears = texts->state.clears || (descriptor.cipher && !settings->descriptor.cipher);
    return pdict__codecs_format(codecs, &texts->next.texts[TEXT_CODECS]);
}

static bool is_underway(const struct anew *anew, const struct texts *texts,
                        const struct codecs *codecs)
{
    const struct settings *settings = pdict__settings(anew->d->map);

    if (!texts->has_state || texts->state.job == 0)
        return false;
    if (anew->is_rekey && !texts->state.is_sealed)
        return pdict__keyring_epochs(texts->ring) > 1;
    return !anew->is_rekey && pdict__codecs_agree(codecs, &settings->codecs) &&
           pdict__codecs_agree(&settings->codecs, codecs);
}

static int check_values(struct anew *anew, const struct codecs *codecs)
{
    const pdict_codec *now = pdict__settings(anew->d->map)->descriptor.serializer;

    if (codecs->serializer.codec == now)
        return PDICT_OK;
    return pdict__anew_check(anew, now, codecs->serializer.codec);
}

static int start(struct anew *anew, struct texts *texts, const struct codecs *codecs)
{
    struct writing writing = { anew, texts, true, &anew->state };
    struct descriptor descriptor;
    int status;

    if ((status = convert(anew->d, codecs, &descriptor)) != PDICT_OK)
        return status;
    if ((status = check_values(anew, codecs)) != PDICT_OK)
        return status;
    anew->state = (struct anew_state){ .next_id = 1 };
    if ((status = pdict__random_version(&anew->state.job)) != PDICT_OK)
        return status;
    if ((status = fill_next(anew, texts, codecs)) != PDICT_OK)
        return status;
    return commit(anew, &writing);
}

static int begin_once(struct anew *anew)
{
    const struct codecs *codecs;
    struct texts texts;
    int status = texts_read(anew->d, &texts);

    if (status == PDICT_OK && anew->is_rekey && !texts.ring)
        status = pdict_fail(PDICT_NOT_ENCRYPTED, "%s: map '%s' is not encrypted, so it has no keys",
                            anew->d->map->store->path, anew->d->name);
    if (status != PDICT_OK) {
        texts_free(&texts);
        return status;
    }
    codecs = anew->has_codecs ? &anew->codecs : &pdict__settings(anew->d->map)->codecs;
    anew->result.is_resumed = is_underway(anew, &texts, codecs);
    if (anew->result.is_resumed)
        anew->state = texts.state;
    else
        status = start(anew, &texts, codecs);
    texts_free(&texts);
    return status;
}

/* The map is encrypted by the keyring that was made: from here on the handle is one that gave it. */
static int own_ring(struct anew *anew)
{
    pdict *d = anew->d;
    int status = pdict__settings_check(d);

    d->opened_slot = pdict__keyring_opened_slot(anew->made);
    if (status == PDICT_OK) {
        pdict__settings_expect(d, NULL);
    } else {
        pdict__settings_keep(d, anew->made);
        anew->made = NULL;
    }
    return status;
}

int pdict__anew_begin(struct anew *anew)
{
    pdict *d = anew->d;
    int status;

    do
        status = begin_once(anew);
    while (status == COMMIT_STALE);
    if (status == PDICT_OK && anew->made && !anew->result.is_resumed)
        return own_ring(anew);
    pdict__settings_expect(d, NULL);
    return status == PDICT_OK ? pdict__settings_check(d) : status;
}

/* ---- ending ---- */

static int fill_end(const struct anew *anew, struct texts *texts)
{
    struct descriptor descriptor = pdict__settings(anew->d->map)->descriptor;
    struct keyring *ring = descriptor.cipher ? texts->ring : NULL;
    int status = PDICT_OK;

    descriptor.is_converting = false;
    descriptor.from_serializer = descriptor.from_cipher = NULL;
    if (ring)
        pdict__keyring_drop_epochs(ring);
    if (texts->ring)
        status = encode_ring(texts, ring);
    return status == PDICT_OK ? encode_descriptor(texts, &descriptor, ring) : status;
}

static int end_once(struct anew *anew)
{
    struct anew_state state = anew->state;
    struct texts texts;
    struct writing writing = { anew, &texts, false, state.clears ? &state : NULL };
    int status = texts_read(anew->d, &texts);

    state.is_sealed = true;
    if (status == PDICT_OK)
        status = fill_end(anew, &texts);
    if (status == PDICT_OK)
        status = commit(anew, &writing);
    texts_free(&texts);
    return status;
}

int pdict__anew_end(struct anew *anew)
{
    int status;

    do
        status = end_once(anew);
    while (status == COMMIT_STALE);
    return status == PDICT_OK ? pdict__settings_check(anew->d) : status;
}

bool pdict__anew_is_new(const struct anew *anew, const struct record_header *header)
{
    const struct record_header *new = &pdict__generation_of(anew->d->map->pipeline)->header;

    return header->serializer == new->serializer && header->cipher == new->cipher &&
           header->key_epoch == new->key_epoch;
}
