/* SPDX-License-Identifier: MIT */
/* The slots of a keyring: each opens with one passphrase or key and gives the master key. */
#include "base/calls.h"
#include "value/keyring.h"

#define MIN_SECRET_KEY_SIZE 32

static const char label_slot[LABEL_SIZE] = "pdict/slot/1";

struct slot_draft {
    const struct keyring *ring; /* only its cipher and allocator are used once it is made */
    struct slot slot;
    struct slot_key *key;
};

/* ---- deriving ---- */

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

/* It may take seconds, which a fork need not wait for. */
static int derive(const struct keyring *ring, const struct slot *slot, const struct secret *secret,
                  struct slot_key *out)
{
    bool is_away = pdict__call_pause();
    int status = ring->cipher->derive(&slot->kdf, secret->bytes, out, SLOT_KEY_DERIVED_SIZE);

    if (is_away)
        pdict__call_resume();
    return status;
}

static int derive_from_passphrase(const struct keyring *ring, const struct slot *slot,
                                  const struct secret *secret, struct slot_key *out)
{
    struct derivation what = { ring->cipher, &slot->kdf, secret->bytes };

    if (secret->may_keep && pdict__keycache_find(&what, out))
        return PDICT_OK;
    return derive(ring, slot, secret, out);
}

static int derive_slot_key(const struct keyring *ring, const struct slot *slot,
                           const struct secret *secret, struct slot_key *out)
{
    if (!secret->is_passphrase)
        return derive_from_key(ring, slot, secret->bytes, out);
    return derive_from_passphrase(ring, slot, secret, out);
}

/* Only what opens a slot: of a wrong passphrase nothing is kept. */
static void keep(const struct keyring *ring, const struct slot *slot, const struct secret *secret,
                 struct slot_key *key)
{
    struct derivation what = { ring->cipher, &slot->kdf, secret->bytes };

    if (secret->is_passphrase && secret->may_keep)
        pdict__keycache_keep(&what, key);
}

/* ---- secrets ---- */

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
    keep(ring, slot, secret, key);
    return pdict__unwrap(ring, key->wrapping, &slot->master, MASTER_KEY_SIZE,
                         ring->secrets->master);
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

static int open_slots(struct keyring *ring, const struct secret *secret)
{
    struct slot_key *key = pdict__secret_alloc(ring->cipher, sizeof(*key));
    int status = PDICT_WRONG_KEY;

    if (!key)
        return pdict__nomem(sizeof(*key));
    for (size_t i = 0; i < ring->slot_count && status == PDICT_WRONG_KEY; i++) {
        if (ring->slots[i].is_passphrase == secret->is_passphrase)
            status = open_slot(ring, &ring->slots[i], secret, key);
        if (status == PDICT_OK)
            ring->opened_slot = ring->slots[i].number;
    }
    pdict__secret_free(ring->cipher, key);
    return status == PDICT_WRONG_KEY ? wrong_key(ring, secret->is_passphrase) : status;
}

static int need_key(const struct keyring *ring)
{
    bool takes_passphrase = has_slot(ring, true), takes_key = has_slot(ring, false);

    return pdict_fail(PDICT_NEED_KEY, "the map is encrypted; give its %s%s%s",
                      takes_passphrase ? "passphrase" : "",
                      takes_passphrase && takes_key ? " or its " : "", takes_key ? "key" : "");
}

int pdict__slots_open(struct keyring *ring, const struct secret *secret)
{
    int status;

    if (!is_given(secret))
        return need_key(ring);
    if ((status = check_secret(secret)) != PDICT_OK)
        return status;
    return open_slots(ring, secret);
}

/* ---- costs ---- */

/* Named as libsodium names them; `test` is the least that works and protects nothing. */
int pdict__kdf_find(const char *name, pdict_kdf *out)
{
    static const struct {
        const char *name;
        pdict_kdf kdf;
    } costs[] = {
        { "interactive", { .operations = 2, .memory_bytes = (uint64_t)64 << 20 } },
        { "moderate", { .operations = 3, .memory_bytes = (uint64_t)256 << 20 } },
        { "sensitive", { .operations = 4, .memory_bytes = (uint64_t)1 << 30 } },
        { "test", { .operations = 1, .memory_bytes = 8192 } },
    };

    for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
        if (strcmp(costs[i].name, name) == 0) {
            *out = costs[i].kdf;
            return PDICT_OK;
        }
    }
    return pdict_fail(PDICT_INVAL, "kdf: '%s' is none of " KDF_NAMES, name);
}

/* ---- changing ---- */

static int check_new(const struct secret *secret, const pdict_kdf *kdf)
{
    int status;

    if (!is_given(secret))
        return pdict_fail(PDICT_NEED_KEY, "an encrypted map needs a passphrase or a key; give one");
    if ((status = check_secret(secret)) != PDICT_OK)
        return status;
    return secret->is_passphrase ? check_kdf(kdf) : PDICT_OK;
}

static int draft_fill(struct slot_draft *draft, const struct secret *secret, const pdict_kdf *kdf)
{
    const struct keyring *ring = draft->ring;
    struct slot *slot = &draft->slot;
    int status;

    slot->is_passphrase = secret->is_passphrase;
    if (secret->is_passphrase)
        slot->kdf = *kdf;
    ring->cipher->random(slot->kdf.salt, sizeof(slot->kdf.salt));
    if (!(draft->key = pdict__secret_alloc(ring->cipher, sizeof(*draft->key))))
        return pdict__nomem(sizeof(*draft->key));
    if ((status = derive_slot_key(ring, slot, secret, draft->key)) != PDICT_OK)
        return status;
    memcpy(slot->commitment, draft->key->commitment, COMMITMENT_SIZE);
    keep(ring, slot, secret, draft->key);
    return PDICT_OK;
}

int pdict__slot_draft(const struct keyring *ring, const struct secret *secret, const pdict_kdf *kdf,
                      struct slot_draft **out)
{
    struct slot_draft *draft;
    int status;

    *out = NULL;
    if ((status = check_new(secret, kdf)) != PDICT_OK)
        return status;
    if (!(draft = pdict__calloc(ring->allocator, 1, sizeof(*draft))))
        return PDICT_NOMEM;
    draft->ring = ring;
    if ((status = draft_fill(draft, secret, kdf)) != PDICT_OK) {
        pdict__slot_draft_free(draft);
        return status;
    }
    *out = draft;
    return PDICT_OK;
}

void pdict__slot_draft_free(struct slot_draft *draft)
{
    if (!draft)
        return;
    pdict__secret_free(draft->ring->cipher, draft->key);
    pdict__free(draft->ring->allocator, draft);
}

/* The place of a number in the array, or where it would go. */
static size_t slot_index(const struct keyring *ring, unsigned number)
{
    size_t at = 0;

    while (at < ring->slot_count && ring->slots[at].number < number)
        at++;
    return at;
}

static bool slot_is_there(const struct keyring *ring, unsigned number)
{
    size_t at = slot_index(ring, number);

    return at < ring->slot_count && ring->slots[at].number == number;
}

static unsigned lowest_free(const struct keyring *ring)
{
    unsigned number = 1;

    while (slot_is_there(ring, number))
        number++;
    return number;
}

static int no_slot(unsigned number)
{
    return pdict_fail(PDICT_NOTFOUND, "the map has no slot %u; see which ones there are", number);
}

static int choose_number(const struct keyring *ring, unsigned *number)
{
    if (*number != 0)
        return slot_is_there(ring, *number) ? PDICT_OK : no_slot(*number);
    if (ring->slot_count == KEYRING_MAX_SLOTS)
        return pdict_fail(PDICT_TOO_BIG, "all %d slots of the map are taken; remove one first",
                          KEYRING_MAX_SLOTS);
    *number = lowest_free(ring);
    return PDICT_OK;
}

int pdict__keyring_slot_put(struct keyring *ring, const struct slot_draft *draft, unsigned *number)
{
    struct slot slot = draft->slot;
    size_t at;
    int status;

    if ((status = choose_number(ring, number)) != PDICT_OK)
        return status;
    slot.number = *number;
    pdict__slot_head(&slot);
    status = pdict__wrap(ring, draft->key->wrapping,
                         (pdict_slice){ ring->secrets->master, MASTER_KEY_SIZE }, &slot.master);
    if (status != PDICT_OK)
        return status;
    at = slot_index(ring, slot.number);
    if (!slot_is_there(ring, slot.number)) {
        memmove(&ring->slots[at + 1], &ring->slots[at],
                (ring->slot_count - at) * sizeof(ring->slots[0]));
        ring->slot_count++;
    }
    ring->slots[at] = slot;
    return PDICT_OK;
}

int pdict__keyring_slot_remove(struct keyring *ring, unsigned number)
{
    size_t at = slot_index(ring, number);

    if (!slot_is_there(ring, number))
        return no_slot(number);
    if (ring->slot_count == 1)
        return pdict_fail(PDICT_MISUSE,
                          "slot %u is the last one, and without it nobody could open the map; add "
                          "another first",
                          number);
    memmove(&ring->slots[at], &ring->slots[at + 1],
            (ring->slot_count - at - 1) * sizeof(ring->slots[0]));
    ring->slot_count--;
    return PDICT_OK;
}

bool pdict__keyring_slot_at(const struct keyring *ring, size_t index, struct slot_facts *out)
{
    const struct slot *slot = &ring->slots[index];

    if (index >= ring->slot_count)
        return false;
    *out = (struct slot_facts){ .number = slot->number,
                                .is_passphrase = slot->is_passphrase,
                                .is_ours = slot->number == ring->opened_slot,
                                .operations = slot->kdf.operations,
                                .memory_bytes = slot->kdf.memory_bytes };
    return true;
}
