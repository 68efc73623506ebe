/* SPDX-License-Identifier: MIT */
/* Passphrases and keys open slots, a slot holds the master key, the master key wraps data keys. */
#include "value/keyring.h"

#define FIRST_SLOT          1
#define FIRST_EPOCH         1
#define MIN_SECRET_KEY_SIZE 32
#define LABEL_SIZE          16

/* What each derived key is for; a label is never given a second meaning. "pdict/name/1" is taken
 * for the keyed names of a later version. */
static const char label_slot[LABEL_SIZE] = "pdict/slot/1";
static const char label_wrapping[LABEL_SIZE] = "pdict/wrap/1";
static const char label_sealing[LABEL_SIZE] = "pdict/ring/1";
static const char label_describing[LABEL_SIZE] = "pdict/desc/1";

/* What a passphrase or key turns into, in guarded memory too; derived in one piece. */
struct slot_key {
    uint8_t wrapping[MAX_CIPHER_KEY_SIZE];
    uint8_t commitment[COMMITMENT_SIZE];
    uint8_t hashed[64];
};
#define SLOT_KEY_DERIVED_SIZE (MAX_CIPHER_KEY_SIZE + COMMITMENT_SIZE)

/* ---- making and freeing ---- */

static int check_cipher(const pdict_codec *codec)
{
    const pdict_cipher *cipher = codec->cipher;

    if (cipher->key_size < MIN_CIPHER_KEY_SIZE || cipher->key_size > MAX_CIPHER_KEY_SIZE ||
        cipher->nonce_size > MAX_NONCE_SIZE || cipher->tag_size > MAX_TAG_SIZE)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "the keyring cannot serve %s: it gives keys of %d to %d bytes; choose "
                          "another cipher",
                          codec->name, MIN_CIPHER_KEY_SIZE, MAX_CIPHER_KEY_SIZE);
    return cipher->ready();
}

static int ring_new(const pdict_codec *codec, const uint8_t *map_id,
                    const pdict_allocator *allocator, struct keyring **out)
{
    struct keyring *ring;
    int status = check_cipher(codec);

    *out = NULL;
    if (status != PDICT_OK)
        return status;
    if (!(ring = pdict__calloc(allocator, 1, sizeof(*ring))))
        return PDICT_NOMEM;
    ring->allocator = allocator;
    ring->cipher = codec->cipher;
    memcpy(ring->map_id, map_id, MAP_ID_SIZE);
    ring->secrets = codec->cipher->secret_alloc(sizeof(*ring->secrets));
    if (!ring->secrets) {
        pdict__free(allocator, ring);
        return pdict__nomem(sizeof(struct ring_secrets));
    }
    *out = ring;
    return PDICT_OK;
}

void pdict__keyring_free(struct keyring *ring)
{
    if (!ring)
        return;
    ring->cipher->secret_free(ring->secrets);
    pdict__free(ring->allocator, ring);
}

/* ---- deriving ---- */

/* A key made of the master key, for one purpose in one map. */
static int derive_sub_key(const struct keyring *ring, const char *label, void *out, size_t size)
{
    uint8_t context[LABEL_SIZE + MAP_ID_SIZE];

    memcpy(context, label, LABEL_SIZE);
    memcpy(context + LABEL_SIZE, ring->map_id, MAP_ID_SIZE);
    return ring->cipher->hash((pdict_slice){ ring->secrets->master, MASTER_KEY_SIZE },
                              (pdict_slice){ context, sizeof(context) }, out, size);
}

static int derive_sub_keys(struct keyring *ring)
{
    struct ring_secrets *secrets = ring->secrets;
    int status;

    status = derive_sub_key(ring, label_wrapping, secrets->wrapping, sizeof(secrets->wrapping));
    if (status == PDICT_OK)
        status = derive_sub_key(ring, label_sealing, secrets->sealing, sizeof(secrets->sealing));
    if (status == PDICT_OK)
        status = derive_sub_key(ring, label_describing, secrets->describing,
                                sizeof(secrets->describing));
    return status;
}

/* A key file is random already: hashing it binds it to map and slot, and costs nothing. */
static int derive_from_key(const struct keyring *ring, const struct slot *slot, pdict_slice key,
                           struct slot_key *out)
{
    uint8_t context[LABEL_SIZE + MAP_ID_SIZE + sizeof(slot->kdf.salt)];
    int status = ring->cipher->hash((pdict_slice){ 0 }, key, out->hashed, sizeof(out->hashed));

    if (status != PDICT_OK)
        return status;
    memcpy(context, label_slot, LABEL_SIZE);
    memcpy(context + LABEL_SIZE, ring->map_id, MAP_ID_SIZE);
    memcpy(context + LABEL_SIZE + MAP_ID_SIZE, slot->kdf.salt, sizeof(slot->kdf.salt));
    return ring->cipher->hash((pdict_slice){ out->hashed, sizeof(out->hashed) },
                              (pdict_slice){ context, sizeof(context) }, out,
                              SLOT_KEY_DERIVED_SIZE);
}

static int derive_slot_key(const struct keyring *ring, const struct slot *slot,
                           const struct secret *secret, struct slot_key *out)
{
    if (!secret->is_passphrase)
        return derive_from_key(ring, slot, secret->bytes, out);
    return ring->cipher->derive(&slot->kdf, secret->bytes, out, SLOT_KEY_DERIVED_SIZE);
}

/* ---- wrapping ---- */

/* What a sealed key is bound to: the map, and the head of its own line. */
struct place {
    uint8_t bytes[MAP_ID_SIZE + MAX_HEAD_SIZE];
};

static pdict_slice place_of(const struct keyring *ring, const struct wrapped *wrapped,
                            struct place *place)
{
    size_t head_size = strlen(wrapped->head);

    memcpy(place->bytes, ring->map_id, MAP_ID_SIZE);
    memcpy(place->bytes + MAP_ID_SIZE, wrapped->head, head_size);
    return (pdict_slice){ place->bytes, MAP_ID_SIZE + head_size };
}

static int wrap(const struct keyring *ring, const void *key, pdict_slice plain,
                struct wrapped *wrapped)
{
    struct place place;

    ring->cipher->random(wrapped->nonce, ring->cipher->nonce_size);
    return ring->cipher->seal(key, wrapped->nonce, place_of(ring, wrapped, &place), plain,
                              wrapped->sealed);
}

static int unwrap(const struct keyring *ring, const void *key, const struct wrapped *wrapped,
                  size_t size, void *out)
{
    pdict_slice sealed = { wrapped->sealed, size + ring->cipher->tag_size };
    struct place place;
    int status =
        ring->cipher->open(key, wrapped->nonce, place_of(ring, wrapped, &place), sealed, out);

    return status == PDICT_AUTH ? pdict__keyring_damaged("a sealed key was changed") : status;
}

/* ---- creating ---- */

static int check_secret(const struct secret *secret)
{
    if (secret->is_passphrase && secret->bytes.size == 0)
        return pdict_fail(PDICT_INVAL, "the passphrase is empty; give one of at least one byte");
    if (!secret->is_passphrase && secret->bytes.size < MIN_SECRET_KEY_SIZE)
        return pdict_fail(PDICT_INVAL,
                          "the key has %zu bytes; give at least %d random ones, or give it as a "
                          "passphrase",
                          secret->bytes.size, MIN_SECRET_KEY_SIZE);
    return PDICT_OK;
}

static bool is_given(const struct secret *secret)
{
    return secret && secret->bytes.data;
}

/* What keyring_open would refuse is not made. */
static int check_kdf(const pdict_kdf *kdf)
{
    if (kdf->operations <= MAX_OPERATIONS && kdf->memory_bytes <= MAX_MEMORY_BYTES)
        return PDICT_OK;
    return pdict_fail(PDICT_TOO_BIG,
                      "a passphrase may cost %d operations over %llu bytes, not %llu over %llu; "
                      "choose less",
                      MAX_OPERATIONS, (unsigned long long)MAX_MEMORY_BYTES,
                      (unsigned long long)kdf->operations, (unsigned long long)kdf->memory_bytes);
}

static int add_slot(struct keyring *ring, const struct secret *secret, const pdict_kdf *kdf,
                    struct slot_key *key)
{
    struct slot slot = { .number = FIRST_SLOT, .is_passphrase = secret->is_passphrase };
    int status;

    if (secret->is_passphrase)
        slot.kdf = *kdf;
    ring->cipher->random(slot.kdf.salt, sizeof(slot.kdf.salt));
    if ((status = derive_slot_key(ring, &slot, secret, key)) != PDICT_OK)
        return status;
    memcpy(slot.commitment, key->commitment, COMMITMENT_SIZE);
    pdict__slot_head(&slot);
    status = wrap(ring, key->wrapping, (pdict_slice){ ring->secrets->master, MASTER_KEY_SIZE },
                  &slot.master);
    if (status != PDICT_OK)
        return status;
    ring->slots[ring->slot_count++] = slot;
    return PDICT_OK;
}

static int add_epoch(struct keyring *ring)
{
    struct epoch epoch = { .number = FIRST_EPOCH };
    uint8_t *key = ring->secrets->data[ring->epoch_count];
    int status;

    ring->cipher->random(key, ring->cipher->key_size);
    pdict__epoch_head(&epoch);
    status = wrap(ring, ring->secrets->wrapping, (pdict_slice){ key, ring->cipher->key_size },
                  &epoch.key);
    if (status != PDICT_OK)
        return status;
    ring->epochs[ring->epoch_count++] = epoch;
    ring->active_epoch = epoch.number;
    return PDICT_OK;
}

static int fill_new(struct keyring *ring, const struct secret *secret, const pdict_kdf *kdf)
{
    struct slot_key *key = ring->cipher->secret_alloc(sizeof(*key));
    int status;

    if (!key)
        return pdict__nomem(sizeof(*key));
    ring->cipher->random(ring->secrets->master, MASTER_KEY_SIZE);
    if ((status = derive_sub_keys(ring)) == PDICT_OK)
        status = add_slot(ring, secret, kdf, key);
    if (status == PDICT_OK)
        status = add_epoch(ring);
    ring->cipher->secret_free(key);
    return status;
}

int pdict__keyring_create(const pdict_codec *cipher, const uint8_t *map_id,
                          const struct secret *secret, const pdict_kdf *kdf,
                          const pdict_allocator *allocator, struct keyring **out)
{
    struct keyring *ring = NULL;
    int status;

    *out = NULL;
    if (!is_given(secret))
        return pdict_fail(PDICT_NEED_KEY, "an encrypted map needs a passphrase or a key; give one");
    if ((status = check_secret(secret)) != PDICT_OK)
        return status;
    if (secret->is_passphrase && (status = check_kdf(kdf)) != PDICT_OK)
        return status;
    if ((status = ring_new(cipher, map_id, allocator, &ring)) != PDICT_OK)
        return status;
    if ((status = fill_new(ring, secret, kdf)) == PDICT_OK) {
        *out = ring;
        ring = NULL;
    }
    pdict__keyring_free(ring);
    return status;
}

/* ---- opening ---- */

static bool has_slot(const struct keyring *ring, bool is_passphrase)
{
    for (size_t i = 0; i < ring->slot_count; i++) {
        if (ring->slots[i].is_passphrase == is_passphrase)
            return true;
    }
    return false;
}

/* PDICT_WRONG_KEY without a text of its own: the next slot may fit. */
static int open_slot(const struct keyring *ring, const struct slot *slot,
                     const struct secret *secret, struct slot_key *key)
{
    int status = derive_slot_key(ring, slot, secret, key);

    if (status != PDICT_OK)
        return status;
    /* First, because a sealed key alone can be made to open under several secrets. */
    if (!ring->cipher->equal(key->commitment, slot->commitment, COMMITMENT_SIZE))
        return PDICT_WRONG_KEY;
    return unwrap(ring, key->wrapping, &slot->master, MASTER_KEY_SIZE, ring->secrets->master);
}

static int wrong_key(const struct keyring *ring, bool is_passphrase)
{
    const char *given = is_passphrase ? "passphrase" : "key";
    const char *other = is_passphrase ? "key" : "passphrase";

    if (!has_slot(ring, is_passphrase))
        return pdict_fail(PDICT_WRONG_KEY, "no slot of the map takes a %s; give its %s instead",
                          given, other);
    return pdict_fail(PDICT_WRONG_KEY,
                      "the %s opens no slot of the map; check that it is the one of this store",
                      given);
}

static int open_slots(const struct keyring *ring, const struct secret *secret)
{
    struct slot_key *key = ring->cipher->secret_alloc(sizeof(*key));
    int status = PDICT_WRONG_KEY;

    if (!key)
        return pdict__nomem(sizeof(*key));
    for (size_t i = 0; i < ring->slot_count && status == PDICT_WRONG_KEY; i++) {
        if (ring->slots[i].is_passphrase == secret->is_passphrase)
            status = open_slot(ring, &ring->slots[i], secret, key);
    }
    ring->cipher->secret_free(key);
    return status == PDICT_WRONG_KEY ? wrong_key(ring, secret->is_passphrase) : status;
}

static int text_mac(const struct keyring *ring, pdict_slice body, uint8_t *mac)
{
    const struct ring_secrets *secrets = ring->secrets;

    return ring->cipher->hash((pdict_slice){ secrets->sealing, sizeof(secrets->sealing) }, body,
                              mac, KEYRING_MAC_SIZE);
}

static int verify(const struct keyring *ring, pdict_slice body, const uint8_t *stored)
{
    uint8_t mac[KEYRING_MAC_SIZE];
    int status = text_mac(ring, body, mac);

    if (status != PDICT_OK)
        return status;
    return ring->cipher->equal(mac, stored, sizeof(mac))
               ? PDICT_OK
               : pdict__keyring_damaged("it was changed without the key of the map");
}

static int unwrap_data_keys(const struct keyring *ring)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < ring->epoch_count && status == PDICT_OK; i++)
        status = unwrap(ring, ring->secrets->wrapping, &ring->epochs[i].key, ring->cipher->key_size,
                        ring->secrets->data[i]);
    return status;
}

static int need_key(const struct keyring *ring)
{
    bool takes_passphrase = has_slot(ring, true), takes_key = has_slot(ring, false);

    return pdict_fail(PDICT_NEED_KEY, "the map is encrypted; give its %s%s%s",
                      takes_passphrase ? "passphrase" : "",
                      takes_passphrase && takes_key ? " or its " : "", takes_key ? "key" : "");
}

static int fill_stored(struct keyring *ring, pdict_slice text, const struct secret *secret)
{
    uint8_t mac[KEYRING_MAC_SIZE];
    pdict_slice body;
    int status;

    if ((status = pdict__keyring_scan(ring, text, &body, mac)) != PDICT_OK)
        return status;
    if (!is_given(secret))
        return need_key(ring);
    if ((status = check_secret(secret)) != PDICT_OK)
        return status;
    if ((status = open_slots(ring, secret)) != PDICT_OK)
        return status;
    if ((status = derive_sub_keys(ring)) != PDICT_OK)
        return status;
    if ((status = verify(ring, body, mac)) != PDICT_OK)
        return status;
    return unwrap_data_keys(ring);
}

int pdict__keyring_open(const pdict_codec *cipher, const uint8_t *map_id, pdict_slice text,
                        const struct secret *secret, const pdict_allocator *allocator,
                        struct keyring **out)
{
    struct keyring *ring = NULL;
    int status;

    *out = NULL;
    if ((status = ring_new(cipher, map_id, allocator, &ring)) != PDICT_OK)
        return status;
    if ((status = fill_stored(ring, text, secret)) == PDICT_OK) {
        *out = ring;
        ring = NULL;
    }
    pdict__keyring_free(ring);
    return status;
}

int pdict__keyring_encode(const struct keyring *ring, struct buf *out)
{
    uint8_t mac[KEYRING_MAC_SIZE];
    char hex[2 * KEYRING_MAC_SIZE + 1];
    size_t start = out->size;
    int status;

    if ((status = pdict__keyring_print(ring, out)) != PDICT_OK)
        return status;
    status = text_mac(ring, (pdict_slice){ out->data + start, out->size - start }, mac);
    if (status != PDICT_OK)
        return status;
    pdict__hex_encode(mac, sizeof(mac), hex);
    return pdict__buf_printf(out, "mac=%s\n", hex);
}

/* ---- using ---- */

int pdict__keyring_mac(const struct keyring *ring, pdict_slice data, uint8_t *out)
{
    const struct ring_secrets *secrets = ring->secrets;

    return ring->cipher->hash((pdict_slice){ secrets->describing, sizeof(secrets->describing) },
                              data, out, KEYRING_MAC_SIZE);
}

uint16_t pdict__keyring_active_epoch(const struct keyring *ring)
{
    return ring->active_epoch;
}

const void *pdict__keyring_data_key(const struct keyring *ring, uint16_t epoch)
{
    for (size_t i = 0; i < ring->epoch_count; i++) {
        if (ring->epochs[i].number == epoch)
            return ring->secrets->data[i];
    }
    return NULL;
}

const pdict_cipher *pdict__keyring_cipher(const struct keyring *ring)
{
    return ring->cipher;
}
