/* SPDX-License-Identifier: MIT */
/* Limits of maps: kept in the store, accounted with every change, and nothing where there are none. */
#include "store/store.h"

/* ---- as they are stored ---- */

#define LIMITS_VERSION 1
#define LIMITS_SIZE    24
#define USAGE_SIZE     24

static int decode_limits(const struct store *store, pdict_slice text, struct limits *out)
{
    const uint8_t *in = text.data;

    if (text.size > 0 && in[0] > LIMITS_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "%s: a map has limits that this build does not know; use a newer pdict",
                          store->path);
    if (text.size != LIMITS_SIZE || in[0] != LIMITS_VERSION || in[1] > PDICT_EVICT_TTL ||
        in[2] > PDICT_ON_FULL_ERROR)
        return pdict_fail(PDICT_DAMAGED,
                          "%s: the limits of a map are malformed; set them anew with `pdict limit`",
                          store->path);
    *out = (struct limits){ .max_entries = pdict__get64(in + 8),
                            .max_bytes = pdict__get64(in + 16),
                            .evict = in[1],
                            .on_full = in[2] };
    return PDICT_OK;
}

int pdict__limits_read(struct store *store, void *txn, uint32_t map, struct limits *out)
{
    pdict_slice value;
    int status =
        store->backend->system_get(store->engine, txn, map, pdict_str(SYSTEM_LIMITS), &value);

    *out = (struct limits){ 0 };
    if (status == PDICT_NOTFOUND)
        return PDICT_OK;
    return status == PDICT_OK ? decode_limits(store, value, out) : status;
}

static int put_system(struct store *store, void *txn, uint32_t map, const char *name,
                      pdict_slice value)
{
    return store->backend->system_put(store->engine, txn, map, pdict_str(name), value);
}

int pdict__limits_write(struct store *store, void *txn, uint32_t map, const struct limits *limits)
{
    uint8_t bytes[LIMITS_SIZE] = { LIMITS_VERSION, (uint8_t)limits->evict,
                                   (uint8_t)limits->on_full };
    int status;

    pdict__put64(bytes + 8, limits->max_entries);
    pdict__put64(bytes + 16, limits->max_bytes);
    /* Whoever has the gate next looks again, whether this is committed or not. */
    pdict__shared_limits_moved(store);
    if (pdict__has_limits(limits))
        return put_system(store, txn, map, SYSTEM_LIMITS, pdict_bytes(bytes, sizeof(bytes)));
    status = put_system(store, txn, map, SYSTEM_LIMITS, (pdict_slice){ 0 });
    return status == PDICT_OK ? put_system(store, txn, map, SYSTEM_USAGE, (pdict_slice){ 0 })
                              : status;
}

int pdict__usage_write(struct store *store, void *txn, uint32_t map, const struct usage *usage)
{
    uint8_t bytes[USAGE_SIZE];

    pdict__put64(bytes, usage->entries);
    pdict__put64(bytes + 8, usage->bytes);
    pdict__put64(bytes + 16, usage->evictions);
    return put_system(store, txn, map, SYSTEM_USAGE, pdict_bytes(bytes, sizeof(bytes)));
}

int pdict__usage_count(struct store *store, void *txn, uint32_t map, struct usage *out)
{
    pdict_scan everything = { .flags = 0 };
    pdict_row row;
    void *cursor;
    int status = store->backend->scan_open(store->engine, txn, map, &everything, &cursor);

    out->entries = out->bytes = 0;
    if (status != PDICT_OK)
        return status;
    while ((status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        out->entries++;
        out->bytes += row.key.size + row.value.size;
    }
    store->backend->scan_close(store->engine, cursor);
    return status == PDICT_END ? PDICT_OK : status;
}

int pdict__usage_read(struct store *store, void *txn, uint32_t map, struct usage *out)
{
    pdict_slice value;
    int status =
        store->backend->system_get(store->engine, txn, map, pdict_str(SYSTEM_USAGE), &value);
    const uint8_t *in = value.data;

    *out = (struct usage){ 0 };
    if (status == PDICT_NOTFOUND || (status == PDICT_OK && value.size != USAGE_SIZE))
        return pdict__usage_count(store, txn, map, out);
    if (status == PDICT_OK)
        *out = (struct usage){ pdict__get64(in), pdict__get64(in + 8), pdict__get64(in + 16) };
    return status;
}

/* ---- as they are known ---- */

/* Under the gate, so the word stands still. */
static int find_limits(struct store *store, void *txn, uint32_t map, struct limits **out)
{
    struct limits_memo *memo = &store->limits;
    uint64_t word = pdict__shared_limits_word(store);
    size_t at = map % LIMITS_KNOWN;
    int status = PDICT_OK;

    if (memo->word != word)
        *memo = (struct limits_memo){ .word = word };
    if (memo->known[at].map != map) {
        status = pdict__limits_read(store, txn, map, &memo->known[at].limits);
        memo->known[at].map = status == PDICT_OK ? map : 0;
    }
    *out = pdict__has_limits(&memo->known[at].limits) ? &memo->known[at].limits : NULL;
    return status;
}

/* ---- changes with their account ---- */

struct account {
    struct store *store;
    void *txn;
    uint32_t map;
    const struct limits *limits;
    struct usage usage;
    int64_t now_ms;
};

/* What is stored under a key, expired or not. */
static int size_of(const struct account *account, pdict_slice key, struct usage *out)
{
    struct store *store = account->store;
    pdict_row row;
    int status = store->backend->get(store->engine, account->txn, account->map, key, &row);

    *out = (struct usage){ 0 };
    if (status == PDICT_OK)
        *out = (struct usage){ .entries = 1, .bytes = key.size + row.value.size };
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

static int check_size(const struct account *account, const pdict_change *change)
{
    uint64_t size = change->row.key.size + change->row.value.size;

    if (change->kind != PDICT_CHANGE_PUT || account->limits->max_bytes == 0 ||
        size <= account->limits->max_bytes)
        return PDICT_OK;
    return pdict_fail(PDICT_TOO_BIG,
                      "%s: an entry of %llu bytes does not fit into a map of max_bytes=%llu",
                      account->store->path, (unsigned long long)size,
                      (unsigned long long)account->limits->max_bytes);
}

/* Access times count, where the backend keeps them. */
static bool is_by_use(const struct store *store, const struct limits *limits)
{
    return limits->evict == PDICT_EVICT_LRU && store->backend->access_put;
}

/* A put is a use. */
static int note_use(const struct account *account, const pdict_change *change)
{
    struct store *store = account->store;
    pdict_access use = { change->row.id, account->now_ms };

    if (!is_by_use(store, account->limits) || account->now_ms <= 0)
        return PDICT_OK;
    return store->backend->access_put(store->engine, account->txn, account->map, &use, 1);
}

static int change_one(struct account *account, pdict_change *change)
{
    struct store *store = account->store;
    struct usage before;
    int status;

    if ((status = check_size(account, change)) != PDICT_OK)
        return status;
    if ((status = size_of(account, change->row.key, &before)) != PDICT_OK)
        return status;
    status = store->backend->apply(store->engine, account->txn, account->map, change, 1,
                                   account->now_ms);
    if (status != PDICT_OK || change->status != PDICT_OK)
        return status;
    account->usage.entries -= before.entries;
    account->usage.bytes -= before.bytes;
    if (change->kind != PDICT_CHANGE_PUT)
        return PDICT_OK;
    account->usage.entries++;
    account->usage.bytes += change->row.key.size + change->row.value.size;
    return note_use(account, change);
}

static int change_all(struct account *account, pdict_change *changes, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = change_one(account, &changes[i]);
    if (status != PDICT_OK)
        return status;
    return pdict__usage_write(account->store, account->txn, account->map, &account->usage);
}

int pdict__rows_delete(struct store *store, void *txn, uint32_t map, pdict_change *changes,
                       size_t count)
{
    /* At the beginning of time nothing has expired: the dead rows go too. */
    struct account account = { .store = store, .txn = txn, .map = map, .now_ms = INT64_MIN };
    struct limits *limits;
    int status = find_limits(store, txn, map, &limits);

    if (status != PDICT_OK)
        return status;
    if (!limits)
        return store->backend->apply(store->engine, txn, map, changes, count, INT64_MIN);
    account.limits = limits;
    status = pdict__usage_read(store, txn, map, &account.usage);
    return status == PDICT_OK ? change_all(&account, changes, count) : status;
}

/* ---- making room ---- */

/* Entries that go at a time, and those beyond what was put that one commit removes at most. */
#define CHUNK_ROWS 64
#define EXTRA_ROWS 64

/* Below its limit a map is filled up again before the next time. */
#define SLACK_SHARE ((uint64_t)64)
#define SLACK_ROWS  ((uint64_t)32)
#define SLACK_BYTES ((uint64_t)256 << 10)

struct eviction {
    struct store *store;
    void *txn;
    uint32_t map;
    const struct limits *limits;
    struct usage usage;
    uint64_t due_rows, due_bytes; /* at least so much may go, whatever it takes; */
    uint64_t rows, bytes;         /* and so much went */
    uint64_t evicted;             /* of these rows, those that had not expired */
};

static uint64_t above(uint64_t number, uint64_t most)
{
    return number > most ? number - most : 0;
}

static bool is_over(const struct limits *limits, const struct usage *usage)
{
    return (limits->max_entries > 0 && usage->entries > limits->max_entries) ||
           (limits->max_bytes > 0 && usage->bytes > limits->max_bytes);
}

/* How much is above a limit and the slack below it. */
static uint64_t excess(uint64_t number, uint64_t most, uint64_t slack_most)
{
    uint64_t slack = most / SLACK_SHARE;

    if (slack > slack_most)
        slack = slack_most;
    return most > 0 ? above(number, most - slack) : 0;
}

static bool wants_more(const struct eviction *eviction, struct erasure *erasure)
{
    const struct limits *limits = eviction->limits;

    erasure->rows = excess(eviction->usage.entries, limits->max_entries, SLACK_ROWS);
    erasure->bytes = excess(eviction->usage.bytes, limits->max_bytes, SLACK_BYTES);
    return (erasure->rows > 0 || erasure->bytes > 0) &&
           (eviction->rows < eviction->due_rows || eviction->bytes < eviction->due_bytes);
}

static int evict_by(struct eviction *eviction, unsigned flags, int64_t to_ms, bool is_expired)
{
    struct erasure erasure = { .scan = { .flags = flags, .to_ms = to_ms },
                               .most = CHUNK_ROWS,
                               .is_told = true };
    int status = PDICT_OK;

    do {
        uint64_t bytes = eviction->usage.bytes;

        if (!wants_more(eviction, &erasure))
            break;
        status = pdict__erase(eviction->store, eviction->txn, eviction->map, &erasure);
        if (status == PDICT_OK && erasure.count > 0)
            status =
                pdict__usage_read(eviction->store, eviction->txn, eviction->map, &eviction->usage);
        eviction->rows += erasure.count;
        eviction->bytes += bytes - eviction->usage.bytes;
        eviction->evicted += is_expired ? 0 : erasure.count;
    } while (status == PDICT_OK && erasure.count > 0);
    return status;
}

static int evict_expired(struct eviction *eviction)
{
    int64_t now_ms = pdict__now(&eviction->store->clock);

    return evict_by(eviction, PDICT_SCAN_BY_EXPIRY, pdict__time_add(now_ms, 1), true);
}

/* What the order of the policy leaves out comes last, in that of insertion. */
static int evict_alive(struct eviction *eviction)
{
    int status = PDICT_OK;

    if (is_by_use(eviction->store, eviction->limits))
        status = evict_by(eviction, PDICT_SCAN_BY_ACCESS, 0, false);
    else if (eviction->limits->evict == PDICT_EVICT_TTL)
        status = evict_by(eviction, PDICT_SCAN_BY_EXPIRY, 0, false);
    if (status == PDICT_OK)
        status = evict_by(eviction, 0, 0, false);
    if (status != PDICT_OK || eviction->evicted == 0)
        return status;
    eviction->usage.evictions += eviction->evicted;
    return pdict__usage_write(eviction->store, eviction->txn, eviction->map, &eviction->usage);
}

static int fail_full(const struct eviction *eviction)
{
    return pdict_fail(PDICT_LIMIT,
                      "%s: a map is full (max_entries=%llu, max_bytes=%llu, on_full=error); delete "
                      "entries, or raise its limits with `pdict limit`",
                      eviction->store->path, (unsigned long long)eviction->limits->max_entries,
                      (unsigned long long)eviction->limits->max_bytes);
}

static int make_room(struct eviction *eviction, const struct usage *before)
{
    const struct limits *limits = eviction->limits;
    const struct usage *usage = &eviction->usage;
    bool has_grown;
    int status;

    if (!is_over(limits, usage))
        return PDICT_OK;
    eviction->due_rows = above(usage->entries, before->entries) + EXTRA_ROWS;
    eviction->due_bytes = above(usage->bytes, before->bytes);
    if ((status = evict_expired(eviction)) != PDICT_OK)
        return status;
    if (limits->on_full == PDICT_ON_FULL_EVICT)
        return evict_alive(eviction);
    has_grown =
        (limits->max_entries > 0 && usage->entries > before->entries &&
         usage->entries > limits->max_entries) ||
        (limits->max_bytes > 0 && usage->bytes > before->bytes && usage->bytes > limits->max_bytes);
    return has_grown ? fail_full(eviction) : PDICT_OK;
}

/* ---- in the write path ---- */

int pdict__rows_apply(struct store *store, void *txn, uint32_t map, pdict_change *changes,
                      size_t count, int64_t now_ms)
{
    struct account account = { .store = store, .txn = txn, .map = map, .now_ms = now_ms };
    struct eviction eviction = { .store = store, .txn = txn, .map = map };
    struct usage before;
    struct limits *limits;
    int status = find_limits(store, txn, map, &limits);

    if (status != PDICT_OK)
        return status;
    if (!limits)
        return store->backend->apply(store->engine, txn, map, changes, count, now_ms);
    account.limits = eviction.limits = limits;
    if ((status = pdict__usage_read(store, txn, map, &before)) != PDICT_OK)
        return status;
    account.usage = before;
    if ((status = change_all(&account, changes, count)) != PDICT_OK)
        return status;
    eviction.usage = account.usage;
    return make_room(&eviction, &before);
}

int pdict__limits_trim(struct store *store, void *txn, uint32_t map, size_t most, size_t *count)
{
    struct eviction eviction = { .store = store, .txn = txn, .map = map, .due_rows = most };
    struct limits *limits;
    int status = find_limits(store, txn, map, &limits);

    *count = 0;
    if (status != PDICT_OK || !limits)
        return status;
    eviction.limits = limits;
    status = pdict__usage_read(store, txn, map, &eviction.usage);
    if (status != PDICT_OK || limits->on_full != PDICT_ON_FULL_EVICT ||
        !is_over(limits, &eviction.usage))
        return status;
    if ((status = evict_expired(&eviction)) == PDICT_OK)
        status = evict_alive(&eviction);
    *count = status == PDICT_OK ? eviction.rows : 0;
    return status;
}
