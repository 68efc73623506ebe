/* SPDX-License-Identifier: MIT */
/* Seeded operations on one map, done through the public API. */
#include "ops.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VALUE_HEAD   3 /* words: number, key, size */
#define VALUE_WORDS  8192
#define OPEN_TRIES   500
#define OPEN_WAIT_MS 20
#define FAR_TTL_MS   86400000

/* SplitMix64, by Steele, Lea and Flood: any seed will do. */
uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t random_below(uint64_t *state, uint64_t below)
{
    return next_random(state) % below;
}

/* ---- operations ---- */

static const struct {
    const char *name;
    unsigned weight;
    bool has_keys, is_many;
} kinds[OP_KINDS] = {
    [OP_PUT] = { "put", 30, true, false },
    [OP_PUT_MANY] = { "put_many", 20, true, true },
    [OP_DEL] = { "del", 10, true, false },
    [OP_DEL_MANY] = { "del_many", 5, true, true },
    [OP_PUT_IF_VERSION] = { "put if version", 10, true, false },
    [OP_CLEAR] = { "clear", 2, false, false },
    [OP_SYNC] = { "sync", 3, false, false },
    [OP_COUNT_UP] = { "count up", 15, true, false },
    [OP_COMPACT] = { "compact", 3, false, false },
    [OP_BACKUP] = { "backup", 3, false, false },
    [OP_MIGRATE] = { "migrate", 3, false, false },
    [OP_RECODE] = { "recode", 3, false, false },
    [OP_SWEEP] = { "sweep", 3, false, false },
    [OP_TRAIN] = { "train", 2, false, false },
    [OP_GROW] = { "grow", 1, false, false },
};

const char *op_name(const struct op *op)
{
    return kinds[op->kind].name;
}

static uint32_t pick_kind(uint64_t *random, unsigned mix)
{
    unsigned total = 0, at;

    for (unsigned i = 0; i < OP_KINDS; i++)
        total += mix >> i & 1 ? kinds[i].weight : 0;
    at = (unsigned)random_below(random, total);
    for (uint32_t i = 0; i < OP_KINDS; i++) {
        unsigned weight = mix >> i & 1 ? kinds[i].weight : 0;

        if (at < weight)
            return i;
        at -= weight;
    }
    return OP_PUT;
}

void op_make(uint64_t seed, uint64_t number, unsigned mix, struct op *out)
{
    uint64_t random = seed * 1000003 + number;
    unsigned first, step;

    memset(out, 0, sizeof(*out));
    out->kind = pick_kind(&random, mix);
    out->number = number;
    if (!kinds[out->kind].has_keys)
        return;
    out->count = kinds[out->kind].is_many ? 2 + (uint32_t)random_below(&random, BATCH - 1) : 1;
    first = (unsigned)random_below(&random, KEYS);
    /* Prime to KEYS, so that no key comes twice. */
    step = random_below(&random, 2) ? 1 : 5;
    for (uint32_t i = 0; i < out->count; i++)
        out->keys[i] = (uint8_t)((first + i * step) % KEYS);
}

void model_apply(struct model *model, const struct op *op)
{
    uint64_t number = op->kind == OP_DEL || op->kind == OP_DEL_MANY ? 0 : op->number;

    if (op->kind == OP_CLEAR)
        memset(model, 0, sizeof(*model));
    if (op->kind > OP_PUT_IF_VERSION)
        return;
    for (uint32_t i = 0; i < op->count; i++)
        model->numbers[op->keys[i]] = number;
}

bool model_equal(const struct model *a, const struct model *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- keys and values ---- */

/* The empty key, short ones, and one that LMDB cannot keep in one piece. */
static pdict_slice key_of(unsigned key, char out[700])
{
    size_t size = (size_t)snprintf(out, 32, "key-%u", key);

    if (key == 0)
        size = 0;
    if (key == 1) {
        memset(out + size, 'k', 600);
        size += 600;
    }
    return pdict_bytes(out, size);
}

/* Words that depend on everything that is to be told apart; some sizes need many pages. */
static pdict_slice value_of(uint64_t number, unsigned key, uint64_t *words)
{
    uint64_t random = number * KEYS + key;
    uint64_t most = random_below(&random, 8) ? 48 : random_below(&random, 4) ? 640 : VALUE_WORDS;
    uint64_t count = VALUE_HEAD + random_below(&random, most - VALUE_HEAD);

    words[0] = number;
    words[1] = key;
    words[2] = count;
    for (uint64_t i = VALUE_HEAD; i < count; i++)
        words[i] = i % 4 ? words[i - 1] + 1 : next_random(&random);
    return pdict_bytes(words, count * sizeof(words[0]));
}

/* ---- opening ---- */

pdict_options setup_options(const struct setup *setup)
{
    static const char key[] = "crash tests: a key of 32 letters";
    pdict_options options = PDICT_OPTIONS_INIT;

    options.clock = op_clock;
    if (strstr(setup->codecs, "xchacha20"))
        options.key = pdict_bytes(key, 32);
    return options;
}

const char *setup_uri(const struct setup *setup, const char *map)
{
    static _Thread_local char uri[1024];
    /* As little as LMDB may map, so that it has to map more while it is used. */
    const char *more = strcmp(setup->backend, "lmdb") == 0 ? "&reserve=1MiB" : "";
    int size = snprintf(uri, sizeof(uri), "%s%s%s?durability=%s%s", setup->backend,
                        setup->backend[0] ? ":" : "", setup->path, setup->durability, more);

    if (map)
        snprintf(uri + size, sizeof(uri) - (size_t)size, "&codecs=%s&map=%s", setup->codecs, map);
    return uri;
}

static void wait_ms(long ms)
{
    struct timespec pause = { .tv_nsec = ms * 1000000 };

    nanosleep(&pause, NULL);
}

static int open_all(struct lane *lane)
{
    pdict_options options = setup_options(lane->setup);
    char name[32];
    int status;

    if (lane->allocator)
        options.allocator = *lane->allocator;
    snprintf(name, sizeof(name), "lane-%u", lane->number);
    if ((status = pdict_open(setup_uri(lane->setup, name), &options, &lane->d)) != PDICT_OK)
        return status;
    status = pdict_open(setup_uri(lane->setup, SHARED_MAP), &options, &lane->shared);
    if (status != PDICT_OK)
        return status;
    options.key = pdict_bytes(NULL, 0);
    return pdict_store_open(setup_uri(lane->setup, NULL), &options, &lane->store);
}

int lane_open(struct lane *lane, const struct setup *setup, unsigned number,
              const pdict_allocator *allocator)
{
    int status = PDICT_BUSY;

    for (int tries = 0; status == PDICT_BUSY && tries < OPEN_TRIES; tries++) {
        *lane = (struct lane){ .setup = setup, .allocator = allocator, .number = number };
        if ((status = open_all(lane)) != PDICT_OK) {
            lane_close(lane);
            wait_ms(OPEN_WAIT_MS);
        }
    }
    return status;
}

void lane_close(struct lane *lane)
{
    pdict_store_close(lane->store);
    pdict_close(lane->shared);
    pdict_close(lane->d);
    lane->store = NULL;
    lane->shared = NULL;
    lane->d = NULL;
}

/* ---- doing ---- */

/* Every third has a deadline, far enough to be there whenever it is looked for. */
static pdict_put_options how_to_put(const struct op *op)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.ttl_ms = op->number % 3 == 0 ? FAR_TTL_MS : 0;
    return how;
}

static int put(struct lane *lane, const struct op *op, const pdict_put_options *how)
{
    uint64_t words[VALUE_WORDS];
    char key[700];

    return pdict_put(lane->d, key_of(op->keys[0], key), value_of(op->number, op->keys[0], words),
                     how);
}

static int do_put(struct lane *lane, const struct op *op)
{
    pdict_put_options how = how_to_put(op);

    return put(lane, op, &how);
}

static int do_put_many(struct lane *lane, const struct op *op)
{
    static _Thread_local uint64_t words[BATCH][VALUE_WORDS];
    pdict_put_options how = how_to_put(op);
    pdict_pair pairs[BATCH];
    char keys[BATCH][700];

    for (uint32_t i = 0; i < op->count; i++)
        pairs[i] = (pdict_pair){ key_of(op->keys[i], keys[i]),
                                 value_of(op->number, op->keys[i], words[i]) };
    return pdict_put_many(lane->d, pairs, op->count, &how, NULL);
}

static int do_del(struct lane *lane, const struct op *op)
{
    char key[700];
    int status = pdict_del(lane->d, key_of(op->keys[0], key));

    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

static int do_del_many(struct lane *lane, const struct op *op)
{
    pdict_slice slices[BATCH];
    char keys[BATCH][700];

    for (uint32_t i = 0; i < op->count; i++)
        slices[i] = key_of(op->keys[i], keys[i]);
    return pdict_del_many(lane->d, slices, op->count, NULL);
}

/* The lane is the only writer of its map, so the version has to be the one it reads. */
static int do_put_if_version(struct lane *lane, const struct op *op)
{
    pdict_put_options how = how_to_put(op);
    pdict_view view;
    char key[700];
    int status = pdict_get(lane->d, key_of(op->keys[0], key), &view);

    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    how.flags = status == PDICT_OK ? PDICT_PUT_IF_VERSION : PDICT_PUT_IF_ABSENT;
    how.if_version = view.version;
    pdict_view_release(&view);
    return put(lane, op, &how);
}

static int fail_counter(unsigned key, uint64_t seen, uint64_t now)
{
    return pdict_fail(PDICT_DAMAGED, "counter %u went back from %llu to %llu", key,
                      (unsigned long long)seen, (unsigned long long)now);
}

static int read_counter(pdict *shared, unsigned key, uint64_t *number, uint64_t *version)
{
    pdict_view view;
    char text[700];
    int status = pdict_get(shared, key_of(key, text), &view);

    *number = 0;
    *version = view.version;
    if (status == PDICT_NOTFOUND)
        return PDICT_OK;
    if (status == PDICT_OK && view.size != sizeof(*number))
        status = pdict_fail(PDICT_DAMAGED, "counter %u has %zu bytes", key, view.size);
    if (status == PDICT_OK)
        memcpy(number, view.data, sizeof(*number));
    pdict_view_release(&view);
    return status;
}

static int try_count_up(struct lane *lane, unsigned key)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    uint64_t number;
    char text[700];
    int status = read_counter(lane->shared, key, &number, &how.if_version);

    if (status != PDICT_OK)
        return status;
    if (number < lane->counters[key])
        return fail_counter(key, lane->counters[key], number);
    lane->counters[key] = number;
    how.flags = number ? PDICT_PUT_IF_VERSION : PDICT_PUT_IF_ABSENT;
    number++;
    return pdict_put(lane->shared, key_of(key, text), pdict_bytes(&number, sizeof(number)), &how);
}

static int do_count_up(struct lane *lane, const struct op *op)
{
    int status;

    do
        status = try_count_up(lane, op->keys[0]);
    while (status == PDICT_CONFLICT || status == PDICT_EXISTS);
    return status;
}

int op_do(struct lane *lane, const struct op *op)
{
    switch (op->kind) {
    case OP_PUT:
        return do_put(lane, op);
    case OP_PUT_MANY:
        return do_put_many(lane, op);
    case OP_DEL:
        return do_del(lane, op);
    case OP_DEL_MANY:
        return do_del_many(lane, op);
    case OP_PUT_IF_VERSION:
        return do_put_if_version(lane, op);
    case OP_CLEAR:
        return pdict_clear(lane->d, PDICT_CLEAR_EVERYTHING);
    case OP_SYNC:
        return pdict_sync(lane->d);
    case OP_COUNT_UP:
        return do_count_up(lane, op);
    default:
        return upkeep_do(lane, op);
    }
}

/* ---- reading back ---- */

static int check_entry(const pdict_entry *entry, struct model *model)
{
    uint64_t words[VALUE_WORDS], head[2];
    pdict_slice key, value;
    char text[700];

    if (entry->value.size < VALUE_HEAD * sizeof(words[0]))
        return pdict_fail(PDICT_DAMAGED, "a value has %zu bytes", entry->value.size);
    memcpy(head, entry->value.data, sizeof(head));
    if (head[1] >= KEYS)
        return pdict_fail(PDICT_DAMAGED, "a value is none that was put");
    key = key_of((unsigned)head[1], text);
    value = value_of(head[0], (unsigned)head[1], words);
    if (key.size != entry->key.size || memcmp(key.data, entry->key.data, key.size) != 0)
        return pdict_fail(PDICT_DAMAGED, "the value of key %u is under another key",
                          (unsigned)head[1]);
    if (value.size != entry->value.size || memcmp(value.data, entry->value.data, value.size) != 0)
        return pdict_fail(PDICT_DAMAGED, "the value of key %u, number %llu, is not what was put",
                          (unsigned)head[1], (unsigned long long)head[0]);
    if (model->numbers[head[1]] != 0)
        return pdict_fail(PDICT_DAMAGED, "key %u came twice in a walk", (unsigned)head[1]);
    model->numbers[head[1]] = head[0];
    return PDICT_OK;
}

static int walk(pdict *d, struct model *out)
{
    pdict_entry entry;
    pdict_iter *iter;
    int status;

    memset(out, 0, sizeof(*out));
    if ((status = pdict_iter_open(d, NULL, &iter)) != PDICT_OK)
        return status;
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        if ((status = check_entry(&entry, out)) != PDICT_OK)
            break;
    }
    pdict_iter_close(iter);
    return status == PDICT_END ? PDICT_OK : status;
}

static int check_get(pdict *d, unsigned key, uint64_t expected)
{
    uint64_t number = 0;
    pdict_view view;
    char text[700];
    int status = pdict_get(d, key_of(key, text), &view);

    if (status == PDICT_OK)
        memcpy(&number, view.data, sizeof(number));
    pdict_view_release(&view);
    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    if (number != expected)
        return pdict_fail(PDICT_DAMAGED, "a walk finds number %llu under key %u, a get %llu",
                          (unsigned long long)expected, key, (unsigned long long)number);
    return PDICT_OK;
}

int model_read(pdict *d, struct model *out)
{
    uint64_t count, expected = 0;
    int status = walk(d, out);

    for (unsigned i = 0; status == PDICT_OK && i < KEYS; i++) {
        status = check_get(d, i, out->numbers[i]);
        expected += out->numbers[i] != 0;
    }
    if (status == PDICT_OK)
        status = pdict_count(d, &count);
    if (status == PDICT_OK && count != expected)
        status = pdict_fail(PDICT_DAMAGED, "there are %llu entries, and the count says %llu",
                            (unsigned long long)expected, (unsigned long long)count);
    return status;
}

int counters_read(pdict *shared, uint64_t counters[KEYS])
{
    uint64_t version;
    int status = PDICT_OK;

    for (unsigned i = 0; status == PDICT_OK && i < KEYS; i++)
        status = read_counter(shared, i, &counters[i], &version);
    return status;
}

static int keep_text(void *ctx, const pdict_finding *finding)
{
    snprintf(ctx, 256, "%s: %s", finding->map ? finding->map : "store", finding->text);
    return 0;
}

int verify_all(const struct setup *setup, pdict_store *store)
{
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    char text[256] = "";
    int status;

    options.key = setup_options(setup).key;
    options.finding = keep_text;
    options.finding_ctx = text;
    status = pdict_verify(store, &options, &result);
    if (status == PDICT_OK && result.findings > 0)
        status = pdict_fail(PDICT_DAMAGED, "%llu findings, such as: %s",
                            (unsigned long long)result.findings, text);
    return status;
}

/* ---- files ---- */

/* Its own and those beside it: PATH, PATH-wal, PATH.migrating. */
void remove_files(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    char directory[PATH_MAX], victim[PATH_MAX + 256];
    struct dirent *entry;
    DIR *entries;

    snprintf(directory, sizeof(directory), "%.*s", (int)(name - path - 1), path);
    if (!(entries = opendir(directory)))
        return;
    while ((entry = readdir(entries))) {
        if (strncmp(entry->d_name, name, strlen(name)) == 0) {
            snprintf(victim, sizeof(victim), "%s/%s", directory, entry->d_name);
            unlink(victim);
        }
    }
    closedir(entries);
}
