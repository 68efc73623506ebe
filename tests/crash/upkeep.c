/* SPDX-License-Identifier: MIT */
/* Operations that leave the models as they are: on the whole store, and on entries beside those. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ops.h"

#define COPY_ENDING ".copy"

/* What a sweep takes. */
#define DYING        6
#define DYING_PREFIX "dying-"
#define DYING_TTL_MS 1000

/* What a dictionary is made of. */
#define WORDS                 48
#define WORDS_DICTIONARY_SIZE 4096

/* More than LMDB has mapped with the smallest reserve and some entries. */
#define LARGE_PREFIX "large-"
#define LARGE_WORDS  40000

/* ---- the clock ---- */

/* Time passes when a sweep needs it; a second each, so that the far deadlines of others stay far. */
static _Atomic int64_t ahead_ms;

int64_t op_clock(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + atomic_load(&ahead_ms);
}

/* ---- the whole store ---- */

static int do_copy(struct lane *lane, const struct op *op)
{
    const char *other = strcmp(lane->setup->backend, "sqlite") == 0 ? "lmdb" : "sqlite";
    char path[600], uri[640];
    int status;

    snprintf(path, sizeof(path), "%s" COPY_ENDING, lane->setup->path);
    remove_files(path);
    snprintf(uri, sizeof(uri), "%s:%s", other, path);
    status = op->kind == OP_BACKUP ? pdict_backup(lane->store, path, NULL)
                                   : pdict_migrate(lane->store, uri, NULL, NULL);
    return status == PDICT_UNKNOWN_BACKEND ? PDICT_OK : status;
}

/* What an earlier process did not come to the end of is finished by the way. */
static int do_recode(struct lane *lane)
{
    pdict_stats stats = PDICT_STATS_INIT;
    int status = pdict_stats_get(lane->d, 0, &stats);

    if (status != PDICT_OK)
        return status;
    return stats.is_encrypted ? pdict_rekey(lane->d, NULL, NULL)
                              : pdict_recode(lane->d, NULL, NULL);
}

/* ---- entries that expire ---- */

static pdict_slice dying_key(unsigned lane, unsigned i, char out[64])
{
    return pdict_bytes(out, (size_t)snprintf(out, 64, DYING_PREFIX "%u-%u", lane, i));
}

/* Says its key, so that one under another key is noticed. */
static pdict_slice dying_value(pdict_slice key, uint64_t number, char out[128])
{
    return pdict_bytes(out,
                       (size_t)snprintf(out, 128, "number %llu of %.*s", (unsigned long long)number,
                                        (int)key.size, (const char *)key.data));
}

static int put_dying(struct lane *lane, uint64_t number)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    char keys[DYING][64], values[DYING][128];
    pdict_pair pairs[DYING];

    for (unsigned i = 0; i < DYING; i++) {
        pairs[i].key = dying_key(lane->number, i, keys[i]);
        pairs[i].value = dying_value(pairs[i].key, number, values[i]);
    }
    how.ttl_ms = DYING_TTL_MS;
    return pdict_put_many(lane->shared, pairs, DYING, &how, NULL);
}

static int check_dead(struct lane *lane)
{
    int status = PDICT_NOTFOUND;

    for (unsigned i = 0; i < DYING && status == PDICT_NOTFOUND; i++) {
        char key[64];
        pdict_view view;

        status = pdict_get(lane->shared, dying_key(lane->number, i, key), &view);
        pdict_view_release(&view);
    }
    if (status == PDICT_OK)
        return pdict_fail(PDICT_DAMAGED, "an entry that has expired is there");
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

static int do_sweep(struct lane *lane, uint64_t number)
{
    int status = put_dying(lane, number);

    atomic_fetch_add(&ahead_ms, DYING_TTL_MS);
    if (status == PDICT_OK)
        status = check_dead(lane);
    if (status == PDICT_OK)
        status = pdict_expire(lane->store, -1, NULL);
    return status == PDICT_OK ? check_dead(lane) : status;
}

/* ---- dictionaries ---- */

static pdict_slice word_key(unsigned i, char out[64])
{
    return pdict_bytes(out, (size_t)snprintf(out, 64, "word-%u", i));
}

/* Alike enough for a dictionary, which is another one each time. */
static pdict_slice word_value(uint64_t number, unsigned i, char out[256])
{
    return pdict_bytes(out,
                       (size_t)snprintf(out, 256,
                                        "{\"operation\": %llu, \"title\": \"word %u\", "
                                        "\"what\": \"said by operation %llu of each\"}",
                                        (unsigned long long)number, i, (unsigned long long)number));
}

static int put_words(pdict *d, uint64_t number)
{
    char keys[WORDS][64], values[WORDS][256];
    pdict_pair pairs[WORDS];

    for (unsigned i = 0; i < WORDS; i++)
        pairs[i] = (pdict_pair){ word_key(i, keys[i]), word_value(number, i, values[i]) };
    return pdict_put_many(d, pairs, WORDS, NULL, NULL);
}

static int check_words(pdict *d, uint64_t number)
{
    int status = PDICT_OK;

    for (unsigned i = 0; i < WORDS && status == PDICT_OK; i++) {
        char key[64], text[256];
        pdict_slice expected = word_value(number, i, text);
        pdict_view view;

        status = pdict_get(d, word_key(i, key), &view);
        if (status == PDICT_OK &&
            (view.size != expected.size || memcmp(view.data, expected.data, expected.size) != 0))
            status = pdict_fail(PDICT_DAMAGED, "word %u is not what was put", i);
        pdict_view_release(&view);
    }
    return status == PDICT_NOTFOUND ? pdict_fail(PDICT_DAMAGED, "a word is lost") : status;
}

/* Some are compressed without it, and then all with it. */
static int train(pdict *d, uint64_t number)
{
    pdict_train_options how = PDICT_TRAIN_OPTIONS_INIT;
    int status = put_words(d, number);

    how.most_bytes = WORDS_DICTIONARY_SIZE;
    if (status == PDICT_OK)
        status = pdict_train(d, &how, NULL);
    /* A map keeps no more than sixteen. */
    if (status == PDICT_OK || status == PDICT_TOO_BIG)
        status = check_words(d, number);
    if (status == PDICT_OK)
        status = put_words(d, number + 1);
    return status == PDICT_OK ? check_words(d, number + 1) : status;
}

static int do_train(struct lane *lane, uint64_t number)
{
    pdict_options options = setup_options(lane->setup);
    char name[32];
    pdict *words;
    int status;

    if (!strstr(lane->setup->codecs, "zstd"))
        return PDICT_OK;
    if (lane->allocator)
        options.allocator = *lane->allocator;
    snprintf(name, sizeof(name), "words-%u", lane->number);
    if ((status = pdict_open(setup_uri(lane->setup, name), &options, &words)) != PDICT_OK)
        return status;
    status = train(words, number);
    pdict_close(words);
    return status;
}

/* ---- a store that grows ---- */

static uint64_t large[LARGE_WORDS];

/* No compressor makes it smaller. */
static void make_large(void)
{
    uint64_t random = 1;

    for (size_t i = 0; i < LARGE_WORDS; i++)
        large[i] = next_random(&random);
}

static pdict_slice large_value(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_large);
    return pdict_bytes(large, sizeof(large));
}

static bool is_large(pdict_slice value)
{
    pdict_slice expected = large_value();

    return value.size == expected.size && memcmp(value.data, expected.data, value.size) == 0;
}

static int check_large(struct lane *lane, pdict_slice key)
{
    pdict_view view;
    int status = pdict_get(lane->shared, key, &view);

    if (status == PDICT_NOTFOUND ||
        (status == PDICT_OK && !is_large(pdict_bytes(view.data, view.size))))
        status = pdict_fail(PDICT_DAMAGED, "a large value is not what was put");
    pdict_view_release(&view);
    return status;
}

static int do_grow(struct lane *lane)
{
    char text[64];
    pdict_slice key =
        pdict_bytes(text, (size_t)snprintf(text, sizeof(text), LARGE_PREFIX "%u", lane->number));
    int status = pdict_put(lane->shared, key, large_value(), NULL);

    if (status == PDICT_OK)
        status = check_large(lane, key);
    return status == PDICT_OK ? pdict_del(lane->shared, key) : status;
}

int upkeep_do(struct lane *lane, const struct op *op)
{
    switch (op->kind) {
    case OP_COMPACT:
        return pdict_compact(lane->store, NULL, NULL);
    case OP_RECODE:
        return do_recode(lane);
    case OP_SWEEP:
        return do_sweep(lane, op->number);
    case OP_TRAIN:
        return do_train(lane, op->number);
    case OP_GROW:
        return do_grow(lane);
    default:
        return do_copy(lane, op);
    }
}

/* ---- what a killed process left of it ---- */

static bool begins_with(pdict_slice key, const char *prefix)
{
    return key.size >= strlen(prefix) && memcmp(key.data, prefix, strlen(prefix)) == 0;
}

static bool is_dying(const pdict_entry *entry)
{
    char text[128];
    unsigned long long number;
    pdict_slice expected;

    if (entry->value.size >= sizeof(text))
        return false;
    memcpy(text, entry->value.data, entry->value.size);
    text[entry->value.size] = '\0';
    if (sscanf(text, "number %llu", &number) != 1)
        return false;
    expected = dying_value(entry->key, number, text);
    return expected.size == entry->value.size &&
           memcmp(expected.data, entry->value.data, expected.size) == 0;
}

static int check_rest(const pdict_entry *entry)
{
    if (begins_with(entry->key, DYING_PREFIX) && !is_dying(entry))
        return pdict_fail(PDICT_DAMAGED, "an entry that is to expire is not what was put");
    if (begins_with(entry->key, LARGE_PREFIX) && !is_large(entry->value))
        return pdict_fail(PDICT_DAMAGED, "a large value is not what was put");
    return PDICT_OK;
}

int rest_read(pdict *shared)
{
    pdict_entry entry;
    pdict_iter *iter;
    int status;

    if ((status = pdict_iter_open(shared, NULL, &iter)) != PDICT_OK)
        return status;
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        if ((status = check_rest(&entry)) != PDICT_OK)
            break;
    }
    pdict_iter_close(iter);
    return status == PDICT_END ? PDICT_OK : status;
}
