/* SPDX-License-Identifier: MIT */
/* The passphrases and keys that open an encrypted map. */
#ifndef PDICT_SECRET_H
#define PDICT_SECRET_H

#include <pdict/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An encrypted map has up to 16 slots, each of which opens with one passphrase or key. Changing
 * them writes a few hundred bytes, whatever the size of the map. It takes nothing away from those
 * who copied the store before or know its keys already.
 *
 * All of these return PDICT_NOT_ENCRYPTED, with a text, for a plain map.
 */

/** A passphrase or key, and what a passphrase is to cost. */
typedef struct pdict_secret {
    size_t struct_size;
    pdict_slice passphrase; /**< exactly one of the two; borrowed, copies are wiped */
    pdict_slice key;        /**< 32 bytes or more of randomness */
    const char *kdf;        /**< as the option `kdf`; NULL: "moderate"; of a passphrase only */
} pdict_secret;

#define PDICT_SECRET_INIT                                                                          \
    {                                                                                              \
        .struct_size = sizeof(pdict_secret)                                                        \
    }

/** One slot. */
typedef struct pdict_slot {
    unsigned number; /**< from 1; stays when others come and go */
    bool is_passphrase;
    bool is_own;           /**< the one this handle was opened through */
    uint64_t operations;   /**< of Argon2id; 0 for a key */
    uint64_t memory_bytes; /**< of Argon2id; 0 for a key */
} pdict_slot;

/** Borrowed during the callback. Return 0 to go on; anything else ends the walk, as its result. */
typedef int (*pdict_slot_fn)(void *ctx, const pdict_slot *slot);

/**
 * Call `fn` for each slot, in the order of their numbers.
 *
 * @return PDICT_OK; what `fn` returned; PDICT_DAMAGED: the keyring was changed without the key.
 *
 * Since 0.1.
 */
PDICT_API int pdict_slots(pdict *d, pdict_slot_fn fn, void *ctx);

/**
 * Let one more passphrase or key open the map.
 *
 * @param secret       Borrowed.
 * @param[out] number  NULL, or the slot it got.
 * @return PDICT_OK; PDICT_INVAL: none or both given, an empty passphrase, a short key, an unknown
 *         kdf; PDICT_TOO_BIG: all 16 slots are taken; else as pdict_put(), at durability full.
 *
 * Cost: one derivation, as at opening, outside every lock; one small commit.
 * Since 0.1.
 */
PDICT_API int pdict_slot_add(pdict *d, const pdict_secret *secret, unsigned *number);

/**
 * Let a slot open with another passphrase or key: the change of a passphrase.
 *
 * @param number  0: the slot this handle was opened through.
 * @return As pdict_slot_add(); PDICT_NOTFOUND, with a text: there is no such slot.
 *
 * Since 0.1.
 */
PDICT_API int pdict_slot_set(pdict *d, unsigned number, const pdict_secret *secret);

/**
 * Let a slot open no more. Handles that are open stay so.
 *
 * @return PDICT_OK; PDICT_NOTFOUND, with a text; PDICT_MISUSE: it is the last one; else as
 *         pdict_put(), at durability full.
 *
 * Since 0.1.
 */
PDICT_API int pdict_slot_remove(pdict *d, unsigned number);

/**
 * Forget what passphrases were turned into. Unless `key_cache=off` is among the options of an open,
 * this process keeps what the passphrase that opened a map has become, of the 16 used last, until
 * it ends: whoever opens such a map again with the same passphrase need not wait for Argon2id. The
 * memory is locked where the system allows it, stays out of core dumps, and is zero in the child of
 * a fork. It holds no key and no passphrase in the clear: what is kept is masked by a hash of the
 * passphrase. But whoever gets a copy of that memory can try passphrases on it without paying for
 * Argon2id; call this when no more is opened for a while, or turn it off.
 *
 * Threads: any. Cost: none. Since 0.1.
 */
PDICT_API void pdict_forget_keys(void);

#ifdef __cplusplus
}
#endif

#endif
