/* SPDX-License-Identifier: MIT */
/* Changes of rows with their account: what a map holds, what it may hold, and who hears of it. */
#include "store/store.h"

/* ---- changes with their account ---- */

struct account {
    struct store *store;
    void *txn;
    uint32_t map;
    const struct limits *limits; /* NULL: none */
    struct usage usage;          /* with limits */
    int64_t now_ms;
    int why; /* of a deletion */
};

/* What is stored under a key. */
struct found {
    bool is_there; /* maybe expired */
    bool is_live;
    uint64_t version;
    uint64_t bytes;
};

static int find(const struct account *account, pdict_slice key, struct found *out)
{
    struct store *store = account->store;
    pdict_row row;
    int status = store->backend->get(store->engine, account->txn, account->map, key, &row);

    *out = (struct found){ .is_there = status == PDICT_OK };
    if (status != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    out->is_live = !pdict__expired(row.expires_ms, account->now_ms);
    out->version = row.version;
    out->bytes = key.size + row.value.size;
    return PDICT_OK;
}

static int check_size(const struct account *account, const pdict_change *change)
{
    uint64_t size = change->row.key.size + change->row.value.size;

    if (change->kind != PDICT_CHANGE_PUT || !account->limits || account->limits->max_bytes == 0 ||
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
    return limits && limits->evict == PDICT_EVICT_LRU && store->backend->access_put;
}

/* A put is a use. */
static int note_use(const struct account *account, const pdict_change *change)
{
    struct store *store = account->store;
    pdict_access use = { change->row.id,
                         change->accessed_ms > 0 ? change->accessed_ms : account->now_ms };

    if (!is_by_use(store, account->limits) || use.accessed_ms <= 0)
        return PDICT_OK;
    return store->backend->access_put(store->engine, account->txn, account->map, &use, 1);
}

static void add_up(struct account *account, const pdict_change *change, const struct found *before)
{
    bool is_put = change->kind == PDICT_CHANGE_PUT;

    account->usage.entries -= before->is_there;
    account->usage.bytes -= before->bytes;
    account->usage.entries += is_put;
    if (is_put)
        account->usage.bytes += change->row.key.size + change->row.value.size;
}

/* An entry that only got another deadline is the same one. */
static void note_removal(const struct account *account, const pdict_change *change,
                         const struct found *before)
{
    int why = account->why;

    if (!before->is_there || why == PDICT_REMOVED_CLEARED ||
        (change->kind == PDICT_CHANGE_PUT && before->is_live &&
         change->row.version == before->version))
        return;
    if (change->kind == PDICT_CHANGE_PUT)
        why = before->is_live ? PDICT_REMOVED_REPLACED : PDICT_REMOVED_EXPIRED;
    pdict__removals_note(account->store, account->map, change->row.key, why);
}

static int change_one(struct account *account, pdict_change *change)
{
    struct store *store = account->store;
    struct found before;
    int status;

    if ((status = check_size(account, change)) != PDICT_OK)
        return status;
    if ((status = find(account, change->row.key, &before)) != PDICT_OK)
        return status;
    status = store->backend->apply(store->engine, account->txn, account->map, change, 1,
                                   account->now_ms);
    if (status != PDICT_OK || change->status != PDICT_OK)
        return status;
    note_removal(account, change, &before);
    add_up(account, change, &before);
    return change->kind == PDICT_CHANGE_PUT ? note_use(account, change) : PDICT_OK;
}

static int change_all(struct account *account, pdict_change *changes, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = change_one(account, &changes[i]);
    if (status != PDICT_OK || !account->limits)
        return status;
    return pdict__usage_write(account->store, account->txn, account->map, &account->usage);
}

/* Find the limits; false: nobody cares for single changes of the map. */
static int begin(struct account *account, bool *is_kept)
{
    struct store *store = account->store;
    int status = pdict__limits_find(store, account->txn, account->map, &account->limits);

    *is_kept = account->limits || pdict__listeners_hear(&store->listeners, account->map);
    if (status == PDICT_OK && account->limits)
        status = pdict__usage_read(store, account->txn, account->map, &account->usage);
    return status;
}

int pdict__rows_delete(struct store *store, void *txn, uint32_t map, pdict_change *changes,
                       size_t count, int why)
{
    /* At the beginning of time nothing has expired: the dead rows go too. */
    struct account account = {
        .store = store, .txn = txn, .map = map, .now_ms = INT64_MIN, .why = why
    };
    bool is_kept;
    int status = begin(&account, &is_kept);

    if (status != PDICT_OK)
        return status;
    if (!is_kept)
        return store->backend->apply(store->engine, txn, map, changes, count, INT64_MIN);
    return change_all(&account, changes, count);
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

static int evict_by(struct eviction *eviction, unsigned flags, int64_t to_ms, int why)
{
    /* With values: what they take counts. */
    struct erasure erasure = { .scan = { .flags = flags, .to_ms = to_ms },
                               .most = CHUNK_ROWS,
                               .why = why };
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
        eviction->evicted += why == PDICT_REMOVED_EVICTED ? erasure.count : 0;
    } while (status == PDICT_OK && erasure.count > 0);
    return status;
}

/* By their own deadline, or unused. */
static int evict_expired(struct eviction *eviction)
{
    int64_t now_ms = pdict__now(&eviction->store->clock);
    const struct lifetimes *lifetimes;
    pdict_scan unused;
    int status =
        evict_by(eviction, PDICT_SCAN_BY_EXPIRY, pdict__time_add(now_ms, 1), PDICT_REMOVED_EXPIRED);

    if (status == PDICT_OK)
        status = pdict__lifetimes_find(eviction->store, eviction->txn, eviction->map, &lifetimes);
    if (status != PDICT_OK || !pdict__unused_scan(lifetimes, now_ms, &unused))
        return status;
    return evict_by(eviction, PDICT_SCAN_BY_ACCESS, unused.to_ms, PDICT_REMOVED_EXPIRED);
}

/* What the order of the policy leaves out comes last, in that of insertion. */
static int evict_alive(struct eviction *eviction)
{
    int status = PDICT_OK;

    if (is_by_use(eviction->store, eviction->limits))
        status = evict_by(eviction, PDICT_SCAN_BY_ACCESS, 0, PDICT_REMOVED_EVICTED);
    else if (eviction->limits->evict == PDICT_EVICT_TTL)
        status = evict_by(eviction, PDICT_SCAN_BY_EXPIRY, 0, PDICT_REMOVED_EVICTED);
    if (status == PDICT_OK)
        status = evict_by(eviction, 0, 0, PDICT_REMOVED_EVICTED);
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
    struct account account = {
        .store = store, .txn = txn, .map = map, .now_ms = now_ms, .why = PDICT_REMOVED_DELETED
    };
    struct eviction eviction = { .store = store, .txn = txn, .map = map };
    struct usage before;
    bool is_kept;
    int status = begin(&account, &is_kept);

    if (status != PDICT_OK)
        return status;
    if (!is_kept)
        return store->backend->apply(store->engine, txn, map, changes, count, now_ms);
    before = account.usage;
    if ((status = change_all(&account, changes, count)) != PDICT_OK || !account.limits)
        return status;
    eviction.limits = account.limits;
    eviction.usage = account.usage;
    return make_room(&eviction, &before);
}

int pdict__limits_trim(struct store *store, void *txn, uint32_t map, size_t most, size_t *count)
{
    struct eviction eviction = { .store = store, .txn = txn, .map = map, .due_rows = most };
    const struct limits *limits;
    int status = pdict__limits_find(store, txn, map, &limits);

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
