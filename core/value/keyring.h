/* SPDX-License-Identifier: MIT */
/* The keyring in memory, shared by its keys (keyring.c), its slots and its text. */
#ifndef PDICT_VALUE_KEYRING_H
#define PDICT_VALUE_KEYRING_H

#include "value/value.h"

#define MASTER_KEY_SIZE 32
#define COMMITMENT_SIZE 32

/* What a cipher may ask for; ciphers that need more cannot be served by a version 1 keyring. */
#define MIN_CIPHER_KEY_SIZE 16
#define MAX_CIPHER_KEY_SIZE 32
#define MAX_NONCE_SIZE      32
#define MAX_TAG_SIZE        32

#define MAX_EPOCHS 64

#define LABEL_SIZE 16

/* Above what the longest head takes: a slot with two 20-digit numbers has 194 bytes. */
#define MAX_HEAD_SIZE 223

/* A key, sealed under another, and bound to the map and to the head of its own line. */
struct wrapped {
    char head[MAX_HEAD_SIZE + 1]; /* the line before the nonce */
    uint8_t nonce[MAX_NONCE_SIZE];
    uint8_t sealed[MAX_CIPHER_KEY_SIZE + MAX_TAG_SIZE];
};

struct slot {
    unsigned number; /* from 1; grows from line to line */
    bool is_passphrase;
    pdict_kdf kdf; /* a key uses the salt only */
    uint8_t commitment[COMMITMENT_SIZE];
    struct wrapped master;
};

/* What a passphrase or key turns into, in guarded memory too; derived in one piece. */
struct slot_key {
    uint8_t wrapping[MAX_CIPHER_KEY_SIZE];
    uint8_t commitment[COMMITMENT_SIZE];
    uint8_t hashed[64];
};
#define SLOT_KEY_DERIVED_SIZE (MAX_CIPHER_KEY_SIZE + COMMITMENT_SIZE)

struct epoch {
    uint16_t number; /* from 1; grows from line to line */
    struct wrapped key;
};

/* Lies in guarded memory. The keys derived from `master` are told apart by their labels. */
struct ring_secrets {
    uint8_t master[MASTER_KEY_SIZE];
    uint8_t wrapping[MAX_CIPHER_KEY_SIZE]; /* seals data keys */
    uint8_t sealing[KEYRING_MAC_SIZE];     /* MAC of the keyring's own text */
    uint8_t describing[KEYRING_MAC_SIZE];  /* MAC of descriptors */
    uint8_t naming[KEYRING_MAC_SIZE];      /* hash of keys, where names are hidden */
    uint8_t data[MAX_EPOCHS][MAX_CIPHER_KEY_SIZE];
};

struct keyring {
    const pdict_allocator *allocator;
    const pdict_cipher *cipher;
    uint8_t map_id[MAP_ID_SIZE];
    struct slot slots[KEYRING_MAX_SLOTS];
    size_t slot_count;
    struct epoch epochs[MAX_EPOCHS];
    size_t epoch_count;
    uint16_t active_epoch;
    unsigned opened_slot; /* the one that gave the master key */
    struct ring_secrets *secrets;
};

/* A stored slot is hostile input: these bound what opening it may cost. */
#define MAX_OPERATIONS   16
#define MAX_MEMORY_BYTES ((uint64_t)1 << 30)

int pdict__keyring_damaged(const char *what);

/* ---- keyring.c ---- */

/* Seal a key under another, bound to map and head, and back; PDICT_DAMAGED when it was changed. */
int pdict__wrap(const struct keyring *ring, const void *key, pdict_slice plain,
                struct wrapped *wrapped);
int pdict__unwrap(const struct keyring *ring, const void *key, const struct wrapped *wrapped,
                  size_t size, void *out);

/* ---- keycache.c ---- */

/* One costly derivation. */
struct derivation {
    const pdict_cipher *cipher;
    const pdict_kdf *kdf;
    pdict_slice passphrase;
};

/* Fill the derived part of `key` if this process has derived it before; uses its `hashed`. */
bool pdict__keycache_find(const struct derivation *what, struct slot_key *key);
/* Keep the derived part of `key` in the place of what was used longest ago. */
void pdict__keycache_keep(const struct derivation *what, struct slot_key *key);

/* ---- keyring_slots.c ---- */

/* Fill the master key from the slot that `secret` fits. PDICT_NEED_KEY, PDICT_WRONG_KEY. */
int pdict__slots_open(struct keyring *ring, const struct secret *secret);

/* ---- keyring_text.c ---- */

/* Write the head of the line from the other fields. */
void pdict__slot_head(struct slot *slot);
void pdict__epoch_head(struct epoch *epoch);

/* All lines but the MAC. */
int pdict__keyring_print(const struct keyring *ring, struct buf *out);
/* Fill slots, epochs and the active epoch of `ring`. Checks form, limits and the check of each
 * slot; `body` is what `mac` was made of. */
int pdict__keyring_scan(struct keyring *ring, pdict_slice text, pdict_slice *body, uint8_t *mac);

#endif
