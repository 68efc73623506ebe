/* SPDX-License-Identifier: MIT */
/* The keys and values of all streams: short keys that are each other's prefixes, and long ones. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_SIZE ((size_t)512 << 10)
#define KEY_ROOM   2200
#define N_SHORT    155 /* all keys of 1 to 3 letters out of 5 */
#define N_PLAIN    400

static unsigned char noise[NOISE_SIZE], text[NOISE_SIZE];
static unsigned char key_room[N_KEYS][KEY_ROOM];
static uint16_t key_size[N_KEYS];
static uint16_t rank_of[N_KEYS];

uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9E3779B97F4A7C15u + b;

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

int compare_slices(pdict_slice a, pdict_slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

pdict_slice key_bytes(unsigned key)
{
    return pdict_bytes(key_room[key], key_size[key]);
}

unsigned key_rank(unsigned key)
{
    return rank_of[key];
}

static uint16_t fill_short(unsigned char *out, unsigned number)
{
    static const unsigned char letters[] = { 0x00, 'a', 'b', 0xFE, 0xFF };
    uint16_t size = number < 5 ? 1 : number < 30 ? 2 : 3;

    number -= size == 1 ? 0 : size == 2 ? 5 : 30;
    for (uint16_t i = 0; i < size; i++, number /= 5)
        out[i] = letters[number % 5];
    return size;
}

/* Longer than any engine keeps in one piece, and alike up to the last bytes. */
static uint16_t fill_long(unsigned char *out, unsigned number)
{
    uint16_t size = (uint16_t)(480 + number % 4 * 10 + (number >= 22 ? 1600 : 0));

    memset(out, 'k', size);
    out[size - 1] = (unsigned char)('a' + number);
    return size;
}

static uint16_t fill_key(unsigned char *out, unsigned key)
{
    if (key == 0)
        return 0;
    if (key <= N_SHORT)
        return fill_short(out, key - 1);
    if (key <= N_SHORT + N_PLAIN)
        return (uint16_t)snprintf((char *)out, KEY_ROOM, "key-%03u", key);
    return fill_long(out, key - N_SHORT - N_PLAIN - 1);
}

static int compare_keys(const void *left, const void *right)
{
    return compare_slices(key_bytes(*(const uint16_t *)left), key_bytes(*(const uint16_t *)right));
}

void bytes_init(void)
{
    uint16_t order[N_KEYS];
    uint32_t state = 1;

    for (size_t i = 0; i < NOISE_SIZE; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = (unsigned char)(state >> 24);
        text[i] = (unsigned char)('a' + i / 7 % 23);
    }
    for (unsigned key = 0; key < N_KEYS; key++) {
        key_size[key] = fill_key(key_room[key], key);
        order[key] = (uint16_t)key;
    }
    qsort(order, N_KEYS, sizeof(order[0]), compare_keys);
    for (unsigned i = 0; i < N_KEYS; i++)
        rank_of[order[i]] = (uint16_t)i;
}

static pdict_slice number_bytes(int32_t number)
{
    static char room[8][16];
    static unsigned turn;
    char *out = room[turn++ % 8];

    return pdict_bytes(out, (size_t)snprintf(out, sizeof(room[0]), "%d", (int)number));
}

pdict_slice value_bytes(struct value value)
{
    if (value.is_number)
        return number_bytes(value.number);
    return pdict_bytes((value.is_text ? text : noise) + value.at, value.size);
}

pdict_slice bound_bytes(const struct bound *bound, char *room)
{
    pdict_slice key = key_bytes(bound->key);
    size_t size = bound->cut < key.size ? bound->cut : key.size;

    if (!bound->is_set)
        return pdict_bytes(NULL, 0);
    memcpy(room, key.data, size);
    room[size] = 0;
    return pdict_bytes(room, size + bound->has_nul);
}
