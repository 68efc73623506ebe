/* SPDX-License-Identifier: MIT */
/* Linear probing over 16-byte slots: the hash and a pointer to key and value. */
#include "goals/bare.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct item {
    uint32_t key_size, value_size;
    char bytes[];
};

struct bare_slot {
    uint64_t hash;
    struct item *item;
};

bool bare_make(struct bare *bare, size_t count)
{
    size_t room = 16;

    while (room < count * 2)
        room *= 2;
    bare->mask = room - 1;
    bare->slots = calloc(room, sizeof *bare->slots);
    return bare->slots != NULL;
}

void bare_free(struct bare *bare)
{
    for (size_t i = 0; bare->slots && i <= bare->mask; i++)
        free(bare->slots[i].item);
    free(bare->slots);
    bare->slots = NULL;
}

bool bare_put(struct bare *bare, const char *key, size_t key_size, const void *value,
              size_t value_size)
{
    uint64_t hash = XXH3_64bits(key, key_size);
    size_t at = hash & bare->mask;
    struct item *item = malloc(sizeof *item + key_size + value_size);

    if (!item)
        return false;
    item->key_size = (uint32_t)key_size;
    item->value_size = (uint32_t)value_size;
    memcpy(item->bytes, key, key_size);
    memcpy(item->bytes + key_size, value, value_size);
    while (bare->slots[at].item)
        at = (at + 1) & bare->mask;
    bare->slots[at] = (struct bare_slot){ hash, item };
    return true;
}

/* The size of a key is known at run time only, as in any library. */
const unsigned char *bare_get(const struct bare *bare, const char *key, size_t key_size)
{
    const struct bare_slot *slots = bare->slots;
    uint64_t hash = XXH3_64bits(key, key_size);
    size_t at = hash & bare->mask;

    while (slots[at].hash != hash || slots[at].item->key_size != key_size ||
           memcmp(slots[at].item->bytes, key, key_size) != 0)
        at = (at + 1) & bare->mask;
    return (const unsigned char *)slots[at].item->bytes + key_size;
}
