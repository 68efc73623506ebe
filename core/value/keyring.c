/* SPDX-License-Identifier: MIT */
/* The keyring: a master key that its slots give (keyring_slots.c), and the data keys it wraps. */
#include "value/keyring.h"

/* What each derived key is for; a label is never given a second meaning. "pdict/slot/1" is that of
 * the slots. */
static const char label_wrapping[LABEL_SIZE] = "pdict/wrap/1";
static const char label_sealing[LABEL_SIZE] = "pdict/ring/1";
static const char label_describing[LABEL_SIZE] = "pdict/desc/1";
static const char label_dictionaries[LABEL_SIZE] = "pdict/dict/1";
static const char label_naming[LABEL_SIZE] = "pdict/name/1";

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

static int ring_new(const pdict_cipher *cipher, const uint8_t *map_id,
                    const pdict_allocator *allocator, struct keyring **out)
{
    struct keyring *ring;

    *out = NULL;
    if (!(ring = pdict__calloc(allocator, 1, sizeof(*ring))))
        return PDICT_NOMEM;
    ring->allocator = allocator;
    ring->cipher = cipher;
    memcpy(ring->map_id, map_id, MAP_ID_SIZE);
    ring->secrets = pdict__secret_alloc(cipher, sizeof(*ring->secrets));
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
    pdict__secret_free(ring->cipher, ring->secrets);
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
    if (status == PDICT_OK)
        status = derive_sub_key(ring, label_naming, secrets->naming, sizeof(secrets->naming));
    return status;
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

int pdict__wrap(const struct keyring *ring, const void *key, pdict_slice plain,
                struct wrapped *wrapped)
{
    struct place place;

    ring->cipher->random(wrapped->nonce, ring->cipher->nonce_size);
    return ring->cipher->seal(key, wrapped->nonce, place_of(ring, wrapped, &place), plain,
                              wrapped->sealed);
}

int pdict__unwrap(const struct keyring *ring, const void *key, const struct wrapped *wrapped,
                  size_t size, void *out)
{
    pdict_slice sealed = { wrapped->sealed, size + ring->cipher->tag_size };
    struct place place;
    int status =
        ring->cipher->open(key, wrapped->nonce, place_of(ring, wrapped, &place), sealed, out);

    return status == PDICT_AUTH ? pdict__keyring_damaged("a sealed key was changed") : status;
}

/* ---- creating ---- */

static int add_epoch(struct keyring *ring, uint16_t number)
{
    struct epoch epoch = { .number = number };
    uint8_t *key = ring->secrets->data[ring->epoch_count];
    int status;

    ring->cipher->random(key, ring->cipher->key_size);
    pdict__epoch_head(&epoch);
    status = pdict__wrap(ring, ring->secrets->wrapping,
                         (pdict_slice){ key, ring->cipher->key_size }, &epoch.key);
    if (status != PDICT_OK)
        return status;
    ring->epochs[ring->epoch_count++] = epoch;
    ring->active_epoch = epoch.number;
    return PDICT_OK;
}

static int fill_new(struct keyring *ring, const struct secret *secret, const pdict_kdf *kdf)
{
    struct slot_draft *draft = NULL;
    unsigned number = 0;
    int status;

    ring->cipher->random(ring->secrets->master, MASTER_KEY_SIZE);
    if ((status = derive_sub_keys(ring)) == PDICT_OK)
        status = pdict__slot_draft(ring, secret, kdf, &draft);
    if (status == PDICT_OK)
        status = pdict__keyring_slot_put(ring, draft, &number);
    if (status == PDICT_OK)
        status = add_epoch(ring, 1);
    pdict__slot_draft_free(draft);
    ring->opened_slot = number;
    return status;
}

int pdict__keyring_create(const pdict_codec *cipher, const uint8_t *map_id,
                          const struct secret *secret, const pdict_kdf *kdf,
                          const pdict_allocator *allocator, struct keyring **out)
{
    struct keyring *ring = NULL;
    int status;

    *out = NULL;
    if ((status = check_cipher(cipher)) != PDICT_OK)
        return status;
    if ((status = ring_new(cipher->cipher, map_id, allocator, &ring)) != PDICT_OK)
        return status;
    if ((status = fill_new(ring, secret, kdf)) == PDICT_OK) {
        *out = ring;
        ring = NULL;
    }
    pdict__keyring_free(ring);
    return status;
}

/* ---- opening ---- */

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
        status = pdict__unwrap(ring, ring->secrets->wrapping, &ring->epochs[i].key,
                               ring->cipher->key_size, ring->secrets->data[i]);
    return status;
}

/* The master key is there: believe the text, then get the data keys. */
static int fill_opened(struct keyring *ring, pdict_slice body, const uint8_t *mac)
{
    int status;

    if ((status = derive_sub_keys(ring)) != PDICT_OK)
        return status;
    if ((status = verify(ring, body, mac)) != PDICT_OK)
        return status;
    return unwrap_data_keys(ring);
}

static int fill_stored(struct keyring *ring, pdict_slice text, const struct secret *secret)
{
    uint8_t mac[KEYRING_MAC_SIZE];
    pdict_slice body;
    int status;

    if ((status = pdict__keyring_scan(ring, text, &body, mac)) != PDICT_OK)
        return status;
    if ((status = pdict__slots_open(ring, secret)) != PDICT_OK)
        return status;
    return fill_opened(ring, body, mac);
}

int pdict__keyring_open(const pdict_codec *cipher, const uint8_t *map_id, pdict_slice text,
                        const struct secret *secret, const pdict_allocator *allocator,
                        struct keyring **out)
{
    struct keyring *ring = NULL;
    int status;

    *out = NULL;
    if ((status = check_cipher(cipher)) != PDICT_OK)
        return status;
    if ((status = ring_new(cipher->cipher, map_id, allocator, &ring)) != PDICT_OK)
        return status;
    if ((status = fill_stored(ring, text, secret)) == PDICT_OK) {
        *out = ring;
        ring = NULL;
    }
    pdict__keyring_free(ring);
    return status;
}

int pdict__keyring_reopen(const struct keyring *opened, pdict_slice text, struct keyring **out)
{
    struct keyring *ring = NULL;
    uint8_t mac[KEYRING_MAC_SIZE];
    pdict_slice body;
    int status;

    *out = NULL;
    if ((status = ring_new(opened->cipher, opened->map_id, opened->allocator, &ring)) != PDICT_OK)
        return status;
    memcpy(ring->secrets->master, opened->secrets->master, MASTER_KEY_SIZE);
    ring->opened_slot = opened->opened_slot;
    if ((status = pdict__keyring_scan(ring, text, &body, mac)) == PDICT_OK)
        status = fill_opened(ring, body, mac);
    if (status == PDICT_OK) {
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

/* ---- epochs ---- */

size_t pdict__keyring_epochs(const struct keyring *ring)
{
    return ring->epoch_count;
}

int pdict__keyring_add_epoch(struct keyring *ring)
{
    if (ring->epoch_count == MAX_EPOCHS || ring->active_epoch == UINT16_MAX)
        return pdict_fail(PDICT_TOO_BIG,
                          "the keyring has no room for another data key; migrate the map to a new "
                          "store, which begins with one");
    return add_epoch(ring, (uint16_t)(ring->active_epoch + 1));
}

void pdict__keyring_drop_epochs(struct keyring *ring)
{
    size_t size = sizeof(ring->secrets->data[0]), kept = 0;

    while (ring->epochs[kept].number != ring->active_epoch)
        kept++;
    ring->epochs[0] = ring->epochs[kept];
    memmove(ring->secrets->data[0], ring->secrets->data[kept], size);
    ring->cipher->wipe(ring->secrets->data[1], (MAX_EPOCHS - 1) * size);
    ring->epoch_count = 1;
}

/* ---- using ---- */

int pdict__keyring_mac(const struct keyring *ring, pdict_slice data, uint8_t *out)
{
    const struct ring_secrets *secrets = ring->secrets;

    return ring->cipher->hash((pdict_slice){ secrets->describing, sizeof(secrets->describing) },
                              data, out, KEYRING_MAC_SIZE);
}

unsigned pdict__keyring_opened_slot(const struct keyring *ring)
{
    return ring->opened_slot;
}

int pdict__keyring_dictionary_key(const struct keyring *ring, void *out)
{
    return derive_sub_key(ring, label_dictionaries, out, ring->cipher->key_size);
}

int pdict__keyring_name(const struct keyring *ring, pdict_slice name, uint8_t *out)
{
    const struct ring_secrets *secrets = ring->secrets;

    return ring->cipher->hash((pdict_slice){ secrets->naming, sizeof(secrets->naming) }, name, out,
                              HIDDEN_KEY_SIZE);
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
