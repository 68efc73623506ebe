/* SPDX-License-Identifier: MIT */
/* What a thread does to the store, and what it knows about the answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "soak.h"

enum {
    TTL_MOST_MS = 200,
    COMPUTED_TTL_MS = 40,
    STALE_MS = 40,
    COMPUTING_NS = 500000, /* long enough for others to come by */
    RETRIES = 100000       /* each conflict is somebody's success */
};

static uint64_t draw(struct worker *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

/* The clock that the library reads. */
static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct key {
    char text[32];
};

static struct key key_of(const char *kind, uint64_t number)
{
    struct key key;

    snprintf(key.text, sizeof(key.text), "%s %" PRIu64, kind, number);
    return key;
}

static int64_t number_in(const void *data, size_t size)
{
    char text[32] = "";

    memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
    return strtoll(text, NULL, 10);
}

/* The number under a key; 0: absent. */
static int get_number(pdict *d, const struct key *key, int64_t *out)
{
    pdict_view view;
    int status = pdict_get(d, pdict_str(key->text), &view);

    *out = status == PDICT_OK ? number_in(view.data, view.size) : 0;
    pdict_view_release(&view);
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

static int put_number(pdict *d, const struct key *key, int64_t number, const pdict_put_options *how)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, number);
    return pdict_put(d, pdict_str(key->text), pdict_str(text), how);
}

static void raise_to(_Atomic int64_t *least, int64_t number)
{
    int64_t old = atomic_load(least);

    while (old < number && !atomic_compare_exchange_weak(least, &old, number))
        ;
}

/* ---- what others change ---- */

static void work_read(struct worker *w)
{
    uint64_t at = draw(w, REGISTERS);
    struct key key = key_of("register", at);
    int64_t least = atomic_load(&w->shared->registers[at]), number;

    if (!soak_ok(w->shared, get_number(w->map, &key, &number), "get"))
        return;
    soak_check(w->shared, number >= least && number >= w->seen[at],
               "stale read: %s is %" PRId64 ", was %" PRId64 " and %" PRId64, key.text, number,
               least, w->seen[at]);
    w->seen[at] = number;
    raise_to(&w->shared->registers[at], number);
}

struct raising {
    int64_t number;
    char text[32];
};

static int one_more(void *ctx, const pdict_view *old, pdict_slice *value)
{
    struct raising *raising = ctx;

    raising->number = (old ? number_in(old->data, old->size) : 0) + 1;
    snprintf(raising->text, sizeof(raising->text), "%" PRId64, raising->number);
    *value = pdict_str(raising->text);
    return PDICT_OK;
}

static void work_raise(struct worker *w)
{
    uint64_t at = draw(w, REGISTERS);
    struct key key = key_of("register", at);
    int64_t least = atomic_load(&w->shared->registers[at]);
    struct raising raising;

    if (!soak_ok(w->shared, pdict_modify(w->map, pdict_str(key.text), one_more, &raising, NULL),
                 "modify"))
        return;
    soak_check(w->shared, raising.number > least && raising.number > w->seen[at],
               "lost update: %s became %" PRId64 ", was %" PRId64, key.text, raising.number, least);
    w->seen[at] = raising.number;
    raise_to(&w->shared->registers[at], raising.number);
}

static void work_add(struct worker *w)
{
    int64_t delta = (int64_t)draw(w, 10);

    if (soak_ok(w->shared, pdict_add(w->map, pdict_str("sum"), delta, NULL, NULL), "add"))
        atomic_fetch_add(&w->shared->added, delta);
}

/* ---- money ---- */

struct transfer {
    struct worker *worker;
    struct key from, to;
    int64_t amount;
    unsigned tries;
};

static int move(void *ctx, pdict *txn)
{
    struct transfer *transfer = ctx;
    int64_t from, to;
    int status;

    transfer->tries++;
    if ((status = get_number(txn, &transfer->from, &from)) != PDICT_OK)
        return status;
    if ((status = get_number(txn, &transfer->to, &to)) != PDICT_OK)
        return status;
    if ((status = put_number(txn, &transfer->from, from - transfer->amount, NULL)) != PDICT_OK)
        return status;
    return put_number(txn, &transfer->to, to + transfer->amount, NULL);
}

static void work_transfer(struct worker *w)
{
    uint64_t from = draw(w, ACCOUNTS), to = (from + 1 + draw(w, ACCOUNTS - 1)) % ACCOUNTS;
    struct transfer transfer = { .worker = w,
                                 .from = key_of("account", from),
                                 .to = key_of("account", to),
                                 .amount = (int64_t)draw(w, 100) };

    soak_ok(w->shared, pdict_run(w->bank, move, &transfer, RETRIES), "transfer");
    if (transfer.tries > 1)
        atomic_fetch_add(&w->shared->conflicts, transfer.tries - 1);
}

static int add_up(pdict *txn, int64_t *sum)
{
    pdict_iter *iter;
    pdict_entry entry;
    int status = pdict_iter_open(txn, NULL, &iter);

    *sum = 0;
    while (status == PDICT_OK && (status = pdict_iter_next(iter, &entry)) == PDICT_OK)
        *sum += number_in(entry.value.data, entry.value.size);
    pdict_iter_close(iter);
    return status == PDICT_END ? PDICT_OK : status;
}

static void work_audit(struct worker *w)
{
    int64_t sum = 0;
    pdict *txn;
    int status = pdict_begin(w->bank, 0, &txn);

    if (status == PDICT_OK && (status = add_up(txn, &sum)) == PDICT_OK)
        status = pdict_commit(txn);
    else if (txn)
        pdict_abort(txn);
    if (soak_ok(w->shared, status, "audit"))
        soak_check(w->shared, sum == ACCOUNTS * START_MONEY, "the accounts add up to %" PRId64,
                   sum);
}

/* ---- values that are computed ---- */

struct computation {
    struct shared *shared;
    uint64_t at;
    char text[32];
};

static int compute(void *ctx, const pdict_view *old, pdict_computed *out)
{
    const struct timespec time = { .tv_nsec = COMPUTING_NS };
    struct computation *c = ctx;
    int64_t number;

    soak_check(c->shared, atomic_fetch_add(&c->shared->computing[c->at], 1) == 0,
               "two computations of one key at once");
    number = atomic_fetch_add(&c->shared->computed[c->at], 1) + 1;
    soak_check(c->shared, !old || number_in(old->data, old->size) < number,
               "a value is older than the one that it replaces");
    snprintf(c->text, sizeof(c->text), "%" PRId64, number);
    out->value = pdict_str(c->text);
    nanosleep(&time, NULL);
    atomic_fetch_add(&c->shared->computations, 1);
    atomic_fetch_sub(&c->shared->computing[c->at], 1);
    return PDICT_OK;
}

static void work_compute(struct worker *w)
{
    struct computation c = { .shared = w->shared, .at = draw(w, COMPUTED) };
    struct key key = key_of("computed", c.at);
    int64_t asked_ms = now_ms(), number;
    pdict_compute_options how = PDICT_COMPUTE_OPTIONS_INIT;
    unsigned source;
    pdict_view view;

    how.ttl_ms = COMPUTED_TTL_MS;
    how.stale_ms = c.at % 3 == 0 ? STALE_MS : -1;
    how.early = c.at % 3 == 1 ? 1 : 0;
    how.source_out = &source;
    if (!soak_ok(w->shared,
                 pdict_get_or_compute(w->map, pdict_str(key.text), compute, &c, &how, &view),
                 "get_or_compute"))
        return;
    number = number_in(view.data, view.size);
    soak_check(w->shared, number >= 1 && number <= atomic_load(&w->shared->computed[c.at]),
               "%s is %" PRId64 ", which nobody has computed", key.text, number);
    soak_check(w->shared,
               view.expires_ms + (source == PDICT_SOURCE_STALE ? STALE_MS : 0) > asked_ms,
               "%s was returned after its time", key.text);
    atomic_fetch_add(&w->shared->stale_values, source == PDICT_SOURCE_STALE);
    pdict_view_release(&view);
}

/* ---- keys of this thread alone ---- */

static void change_own(struct worker *w, const struct key *key, int64_t *own)
{
    int64_t number = (int64_t)draw(w, 1 << 30) + 1;
    int status;

    if (draw(w, 4) == 0) {
        status = pdict_del(w->map, pdict_str(key->text));
        soak_check(w->shared, (status == PDICT_NOTFOUND) == (*own == 0), "%s: del returned %s",
                   key->text, pdict_status_name(status));
        number = 0;
        status = status == PDICT_NOTFOUND ? PDICT_OK : status;
    } else {
        status = put_number(w->map, key, number, NULL);
    }
    if (soak_ok(w->shared, status, "put or del"))
        *own = number;
}

static void work_own(struct worker *w)
{
    uint64_t at = draw(w, OWN_KEYS);
    struct key key = key_of("own", (uint64_t)w->number * OWN_KEYS + at);
    int64_t number;

    if (draw(w, 2) == 0)
        change_own(w, &key, &w->own[at]);
    else if (soak_ok(w->shared, get_number(w->map, &key, &number), "get"))
        soak_check(w->shared, number == w->own[at], "%s is %" PRId64 ", not %" PRId64, key.text,
                   number, w->own[at]);
}

static void work_expire(struct worker *w)
{
    struct key key = key_of("short", w->number);
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    int64_t asked_ms, number, wanted = (int64_t)draw(w, 1 << 30) + 1;

    how.expires_ms = now_ms() + 1 + (int64_t)draw(w, TTL_MOST_MS);
    if (!soak_ok(w->shared, put_number(w->map, &key, wanted, &how), "put"))
        return;
    for (int i = 0; i < 4; i++) {
        asked_ms = now_ms();
        if (!soak_ok(w->shared, get_number(w->map, &key, &number), "get"))
            return;
        soak_check(w->shared, number == 0 || asked_ms < how.expires_ms,
                   "%s was there after its time", key.text);
        soak_check(w->shared, number == wanted || now_ms() >= how.expires_ms,
                   "%s is %" PRId64 " before its time", key.text, number);
    }
}

/* ---- all of the map ---- */

static void work_walk(struct worker *w)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pdict_entry entry;
    unsigned count = 0;
    int status;

    range.prefix = pdict_str("register");
    status = pdict_iter_open(w->map, &range, &iter);
    while (status == PDICT_OK && (status = pdict_iter_next(iter, &entry)) == PDICT_OK)
        count++;
    pdict_iter_close(iter);
    if (soak_ok(w->shared, status == PDICT_END ? PDICT_OK : status, "iteration"))
        soak_check(w->shared, count <= REGISTERS, "%u registers", count);
}

static void work_count(struct worker *w)
{
    uint64_t count;

    if (soak_ok(w->shared, pdict_count(w->bank, &count), "count"))
        soak_check(w->shared, count == ACCOUNTS, "%" PRIu64 " accounts", count);
}

/* ---- all together ---- */

/* Of a hundred. */
static const struct {
    enum work work;
    unsigned share;
    void (*run)(struct worker *w);
} mix[] = {
    { WORK_READ, 40, work_read },  { WORK_RAISE, 8, work_raise },
    { WORK_ADD, 8, work_add },     { WORK_TRANSFER, 8, work_transfer },
    { WORK_AUDIT, 3, work_audit }, { WORK_COMPUTE, 15, work_compute },
    { WORK_OWN, 12, work_own },    { WORK_EXPIRE, 3, work_expire },
    { WORK_WALK, 2, work_walk },   { WORK_COUNT, 1, work_count },
};

void soak_work(struct worker *w)
{
    while (!atomic_load_explicit(&w->shared->is_over, memory_order_relaxed)) {
        uint64_t dice = draw(w, 100);
        size_t at = 0;

        while (dice >= mix[at].share)
            dice -= mix[at++].share;
        mix[at].run(w);
        atomic_fetch_add_explicit(&w->shared->done[mix[at].work], 1, memory_order_relaxed);
    }
}

void soak_prepare(pdict *bank, struct shared *shared)
{
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        struct key key = key_of("account", i);

        soak_ok(shared, put_number(bank, &key, START_MONEY, NULL), "put");
    }
}

void soak_settle(pdict *map, pdict *bank, struct shared *shared)
{
    struct key sum_key = { "sum" };
    int64_t sum = 0, number;

    if (soak_ok(shared, add_up(bank, &sum), "iteration"))
        soak_check(shared, sum == ACCOUNTS * START_MONEY, "the accounts add up to %" PRId64, sum);
    if (soak_ok(shared, get_number(map, &sum_key, &sum), "get"))
        soak_check(shared, sum == shared->added, "%" PRId64 " was added, and the sum is %" PRId64,
                   shared->added, sum);
    for (uint64_t i = 0; i < REGISTERS; i++) {
        struct key key = key_of("register", i);

        if (soak_ok(shared, get_number(map, &key, &number), "get"))
            soak_check(shared, number == shared->registers[i], "%s is %" PRId64 ", not %" PRId64,
                       key.text, number, shared->registers[i]);
    }
}
