/* SPDX-License-Identifier: MIT */
/* What passphrases were turned into in this process, so that a store reopens without that work. */
#include <pthread.h>
#include <sys/mman.h>

#include "base/fork.h"
#include "value/keyring.h"

#define MOST_KEPT     16
#define FINGERPRINT   32
#define PROCESS_KEY   32
#define VAULT_SIZE    4096
#define CONTEXT_LABEL 8
#define CONTEXT_SIZE  (CONTEXT_LABEL + 3 * 8 + sizeof(((pdict_kdf *)0)->salt))

/* Who reads this memory without the passphrase learns no key from it: `masked` is the derived key
 * under a mask made of the passphrase. */
struct kept {
    uint64_t used_at; /* 0: nothing is kept here */
    uint8_t fingerprint[FINGERPRINT];
    uint8_t masked[SLOT_KEY_DERIVED_SIZE];
};

/* In memory of its own, which is zero again in the child of a fork. */
struct vault {
    bool has_key;
    uint8_t process_key[PROCESS_KEY];
    uint64_t uses;
    struct kept kept[MOST_KEPT];
};

_Static_assert(sizeof(struct vault) <= VAULT_SIZE, "the vault is one page");

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* innermost; held for a few hashes */
static struct vault *vault; /* NULL: it cannot be protected here, so nothing is kept */

/* ---- memory ---- */

static void vault_lock(void)
{
    pthread_mutex_lock(&lock);
}

static void vault_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void vault_child(bool is_served)
{
    (void)is_served;
    pthread_mutex_init(&lock, NULL);
}

static struct fork_hooks fork_hooks = { .prepare = vault_lock,
                                        .parent = vault_unlock,
                                        .child = vault_child };

/* Locking may be refused, as for all memory of secrets: RLIMIT_MEMLOCK. The rest may not. */
static void vault_open(void)
{
    void *memory =
        mmap(NULL, VAULT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return;
    if (!pdict__fork_wipes(memory, VAULT_SIZE, true) ||
        madvise(memory, VAULT_SIZE, MADV_DONTDUMP) != 0) {
        munmap(memory, VAULT_SIZE);
        return;
    }
    pdict__fork_hook(&fork_hooks);
    (void)mlock(memory, VAULT_SIZE);
    vault = memory;
}

static bool is_open(void)
{
    pthread_once(&once, vault_open);
    return vault != NULL;
}

/* ---- names ---- */

/* The passphrase under the key of this process, to `key->hashed`. */
static int hash_passphrase(const struct derivation *what, struct slot_key *key)
{
    if (!vault->has_key) {
        what->cipher->random(vault->process_key, PROCESS_KEY);
        vault->has_key = true;
    }
    return what->cipher->hash((pdict_slice){ vault->process_key, PROCESS_KEY }, what->passphrase,
                              key->hashed, sizeof(key->hashed));
}

/* Bytes that belong to one derivation, told apart by the label. */
static int hash_derivation(const struct derivation *what, const struct slot_key *key,
                           const char *label, uint8_t *out, size_t size)
{
    uint8_t context[CONTEXT_SIZE];

    memcpy(context, label, CONTEXT_LABEL);
    pdict__put64(context + CONTEXT_LABEL, (uint64_t)(uintptr_t)what->cipher);
    pdict__put64(context + CONTEXT_LABEL + 8, what->kdf->operations);
    pdict__put64(context + CONTEXT_LABEL + 16, what->kdf->memory_bytes);
    memcpy(context + CONTEXT_LABEL + 24, what->kdf->salt, sizeof(what->kdf->salt));
    return what->cipher->hash((pdict_slice){ key->hashed, sizeof(key->hashed) },
                              (pdict_slice){ context, sizeof(context) }, out, size);
}

static int fingerprint(const struct derivation *what, struct slot_key *key, uint8_t *out)
{
    int status = hash_passphrase(what, key);

    return status == PDICT_OK ? hash_derivation(what, key, "which\0\0\0", out, FINGERPRINT)
                              : status;
}

static int mask(const struct derivation *what, const struct slot_key *key, void *out)
{
    return hash_derivation(what, key, "mask\0\0\0\0", out, SLOT_KEY_DERIVED_SIZE);
}

static void mix(void *into, const void *other)
{
    uint8_t *to = into;
    const uint8_t *from = other;

    for (size_t i = 0; i < SLOT_KEY_DERIVED_SIZE; i++)
        to[i] ^= from[i];
}

/* ---- finding and keeping ---- */

static struct kept *find(const struct derivation *what, const uint8_t *wanted)
{
    for (size_t i = 0; i < MOST_KEPT; i++) {
        struct kept *kept = &vault->kept[i];

        if (kept->used_at != 0 && what->cipher->equal(kept->fingerprint, wanted, FINGERPRINT))
            return kept;
    }
    return NULL;
}

static struct kept *least_used(void)
{
    struct kept *least = &vault->kept[0];

    for (size_t i = 1; i < MOST_KEPT; i++) {
        if (vault->kept[i].used_at < least->used_at)
            least = &vault->kept[i];
    }
    return least;
}

bool pdict__keycache_find(const struct derivation *what, struct slot_key *key)
{
    uint8_t wanted[FINGERPRINT];
    struct kept *kept = NULL;

    if (!is_open())
        return false;
    vault_lock();
    if (fingerprint(what, key, wanted) == PDICT_OK)
        kept = find(what, wanted);
    if (kept && mask(what, key, key) != PDICT_OK)
        kept = NULL;
    if (kept) {
        mix(key, kept->masked);
        kept->used_at = ++vault->uses;
    }
    vault_unlock();
    return kept != NULL;
}

void pdict__keycache_keep(const struct derivation *what, struct slot_key *key)
{
    uint8_t name[FINGERPRINT];

    if (!is_open())
        return;
    vault_lock();
    if (fingerprint(what, key, name) == PDICT_OK) {
        struct kept *kept = find(what, name);

        if (!kept)
            kept = least_used();
        *kept = (struct kept){ .used_at = 0 };
        if (mask(what, key, kept->masked) == PDICT_OK) {
            mix(kept->masked, key);
            memcpy(kept->fingerprint, name, FINGERPRINT);
            kept->used_at = ++vault->uses;
        }
    }
    vault_unlock();
}

void pdict__keycache_forget(void)
{
    if (!is_open())
        return;
    vault_lock();
    explicit_bzero(vault, sizeof(*vault));
    vault_unlock();
}
