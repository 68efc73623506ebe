/* SPDX-License-Identifier: MIT */
/* Commits: through the gate, many in one transaction, with the syncs that they were promised. */
#include "store/store.h"

/* How long the sync in the background waits for the gate at a time. */
#define SYNC_WAIT_MS 10

/* ---- who may write ---- */

static int check_poison(const struct store *store)
{
    return atomic_load(&store->is_poisoned) ? pdict__fail_poisoned(store) : PDICT_OK;
}

static int check_writable(const struct store *store)
{
    if (store->is_read_only)
        return pdict_fail(PDICT_READ_ONLY, "%s is open read-only; open it with mode=rw to write",
                          store->path);
    return check_poison(store);
}

static int fail_busy(const struct store *store)
{
    return pdict_fail(PDICT_BUSY,
                      "%s: other threads kept writing until the timeout passed; try again or "
                      "raise timeout=",
                      store->path);
}

/* Take the gate; what was poisoned meanwhile stays closed. */
static int enter(struct store *store, int64_t deadline_ms)
{
    int status;

    if (pdict__gate_enter(&store->gate, deadline_ms) != PDICT_OK)
        return fail_busy(store);
    /* A fork may have passed while this thread waited for its turn. */
    if ((status = pdict__store_wake(store)) == PDICT_OK)
        status = pdict__shared_enter(store, deadline_ms);
    if (status == PDICT_OK && (status = check_poison(store)) != PDICT_OK)
        pdict__shared_leave(store);
    if (status != PDICT_OK)
        pdict__gate_leave(&store->gate);
    return status;
}

static void leave(struct store *store)
{
    pdict__shared_leave(store);
    pdict__gate_leave(&store->gate);
}

/* ---- under the gate: syncs ---- */

static int sync_now(struct store *store)
{
    int status = store->backend->sync ? store->backend->sync(store->engine) : PDICT_OK;

    store->sync_due_ms = 0;
    if (status != PDICT_OK)
        pdict__poison(store);
    return status;
}

/* What has been committed is committed; a sync that fails is the next writer's to hear of. */
static void sync_if_due(struct store *store)
{
    int status;

    if (store->sync_due_ms == 0 || pdict__steady_ms() < store->sync_due_ms)
        return;
    if ((status = sync_now(store)) != PDICT_OK)
        pdict__log(&store->logger, PDICT_LOG_ERROR, "writer", status, "sync: %s",
                   pdict_error_text());
}

static int64_t ms_until(int64_t due_ms)
{
    int64_t left_ms = due_ms - pdict__steady_ms();

    return left_ms > 1 ? left_ms : 1;
}

/* When nobody writes on. A writer that keeps the gate will see to the sync itself. */
static int64_t sync_when_due(struct store *store)
{
    int64_t left_ms = -1;

    if (check_writable(store) != PDICT_OK)
        return -1;
    if (enter(store, pdict__steady_ms() + SYNC_WAIT_MS) != PDICT_OK)
        return SYNC_WAIT_MS;
    sync_if_due(store);
    if (store->sync_due_ms != 0)
        left_ms = ms_until(store->sync_due_ms);
    leave(store);
    return left_ms;
}

static int64_t run_sync(void *ctx)
{
    struct store *store = ctx;
    int64_t again_ms;

    if (pdict__store_enter(store) != PDICT_OK)
        return -1;
    again_ms = sync_when_due(store);
    pdict__store_leave();
    return again_ms;
}

/* Without a thread the next commit or the close syncs. */
static void start_sync(struct store *store)
{
    if (store->has_sync_chore) {
        pdict__chore_wake(&store->sync_chore);
        return;
    }
    store->sync_chore = (struct chore){
        .name = "sync", .owner = store, .is_manual = store->is_manual, .run = run_sync, .ctx = store
    };
    store->has_sync_chore = pdict__chore_add(&store->sync_chore) == PDICT_OK;
}

static void note_ordered(struct store *store, const struct commit *commit)
{
    bool is_first = store->sync_due_ms == 0;
    int64_t due_ms;

    if (commit->status != PDICT_OK || commit->durability != PDICT_ORDERED ||
        commit->sync_within_ms == 0)
        return;
    due_ms = pdict__time_add(pdict__steady_ms(), commit->sync_within_ms);
    if (is_first || due_ms < store->sync_due_ms)
        store->sync_due_ms = due_ms;
    if (is_first && store->backend->sync)
        start_sync(store);
}

/* ---- one transaction ---- */

static int begin(struct store *store, int durability, int64_t deadline_ms, void **txn)
{
    int64_t left_ms = deadline_ms - pdict__steady_ms();

    return store->backend->write_begin(store->engine, durability, left_ms > 0 ? left_ms : 0, txn);
}

static void stamp_created(pdict_change *changes, size_t count, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].row.created_ms == 0)
            changes[i].row.created_ms = now_ms;
    }
}

static int apply(struct store *store, void *txn, uint32_t map, pdict_change *changes, size_t count)
{
    int64_t now_ms = pdict__now(&store->clock);
    int status;

    stamp_created(changes, count, now_ms);
    status = pdict__lifetimes_before(store, txn, map, changes, count, now_ms);
    if (status == PDICT_OK)
        status = pdict__rows_apply(store, txn, map, changes, count, now_ms);
    return status == PDICT_OK ? pdict__lifetimes_after(store, txn, map, changes, count, now_ms)
                              : status;
}

/* End a transaction in which everything has gone as `status` says. */
static int end(struct store *store, void *txn, int status)
{
    if (status != PDICT_OK)
        store->backend->write_abort(store->engine, txn);
    else
        status = store->backend->write_commit(store->engine, txn);
    if (status == PDICT_OK)
        pdict__removals_keep(&store->removals);
    else
        pdict__removals_undo(&store->removals);
    if (status == PDICT_UNKNOWN_OUTCOME)
        pdict__poison(store);
    return status;
}

static bool is_stale(const struct store *store, const struct commit *commit)
{
    return commit->generation != 0 && commit->generation != pdict__generation(store);
}

static int run(struct store *store, const struct commit *commit, void *txn)
{
    int status = PDICT_OK;

    if (is_stale(store, commit))
        return COMMIT_STALE;

    if (commit->work)
        return commit->work(commit->ctx, store, txn);
    if (commit->prepare && (status = commit->prepare(commit->ctx, store, txn)) != PDICT_OK)
        return status;
    for (; commit && status == PDICT_OK; commit = commit->also) {
        if (commit->count > 0)
            status = apply(store, txn, commit->map, commit->changes, commit->count);
    }
    return status;
}

/* ---- many commits in one transaction ---- */

/* Changes are made on copies, so that those who have to go alone later begin from what was asked. */
struct sharing {
    struct store *store;
    void *txn;
    uint32_t map;        /* of those that are copied and not yet applied */
    size_t done, copied; /* of store->shared */
};

static int flush(struct sharing *sharing)
{
    size_t from = sharing->done, count = sharing->copied - from;

    sharing->done = sharing->copied;
    if (count == 0)
        return PDICT_OK;
    return apply(sharing->store, sharing->txn, sharing->map, sharing->store->shared + from, count);
}

static int share_changes(struct sharing *sharing, const struct commit *commit)
{
    int status = PDICT_OK;

    for (; commit && status == PDICT_OK; commit = commit->also) {
        if (commit->count == 0)
            continue;
        if (commit->map != sharing->map)
            status = flush(sharing);
        sharing->map = commit->map;
        memcpy(sharing->store->shared + sharing->copied, commit->changes,
               commit->count * sizeof(*commit->changes));
        sharing->copied += commit->count;
    }
    return status;
}

/* For the caller's thread, and before somebody else's failure takes its place. */
static void set_status(struct store *store, struct commit *commit, int status)
{
    const char *text = pdict_error_text();

    commit->status = status;
    pdict__free(&store->allocator, commit->text);
    commit->text = NULL;
    if (status < PDICT_OK)
        commit->text = pdict__strdup(&store->allocator, text, strlen(text));
}

static int share(struct sharing *sharing, struct commit *commit)
{
    struct store *store = sharing->store;
    int status;

    commit->status = is_stale(store, commit) ? COMMIT_STALE : PDICT_OK;
    if (commit->status == PDICT_OK && commit->prepare) {
        if ((status = flush(sharing)) != PDICT_OK)
            return status;
        set_status(store, commit, commit->prepare(commit->ctx, store, sharing->txn));
    }
    return commit->status == PDICT_OK ? share_changes(sharing, commit) : PDICT_OK;
}

static int share_all(struct store *store, struct commit *first, void *txn)
{
    struct sharing sharing = { .store = store, .txn = txn };
    int status = PDICT_OK;

    for (struct commit *commit = first; commit && status == PDICT_OK; commit = commit->next)
        status = share(&sharing, commit);
    return status == PDICT_OK ? flush(&sharing) : status;
}

/* Give everybody what became of its copies. */
static void hand_back(struct store *store, struct commit *first)
{
    const pdict_change *copy = store->shared;

    for (const struct commit *commit = first; commit; commit = commit->next) {
        if (commit->status != PDICT_OK)
            continue;
        for (const struct commit *part = commit; part; part = part->also) {
            if (part->count > 0)
                memcpy(part->changes, copy, part->count * sizeof(*copy));
            copy += part->count;
        }
    }
}

/* ---- groups ---- */

static struct token token_of(const struct store *store)
{
    return store->words[0] ? pdict__token_read(store->words) : (struct token){ { 0 } };
}

/* Nothing of the group was done, for a reason that may be one commit's alone. */
static void each_alone(struct store *store, struct group *group)
{
    for (struct commit *commit = group->first; commit; commit = commit->next) {
        void *txn;
        int status = check_poison(store);

        if (status == PDICT_OK)
            status = begin(store, commit->durability, commit->deadline_ms, &txn);
        if (status == PDICT_OK)
            status = end(store, txn, run(store, commit, txn));
        group->transactions += status == PDICT_OK;
        set_status(store, commit, status);
    }
}

static void all_unknown(struct store *store, struct group *group)
{
    for (struct commit *commit = group->first; commit; commit = commit->next) {
        if (commit->status == PDICT_OK)
            set_status(store, commit, PDICT_UNKNOWN_OUTCOME);
    }
}

static void all_together(struct store *store, struct group *group, void *txn)
{
    int status = end(store, txn, share_all(store, group->first, txn));

    if (status == PDICT_OK) {
        group->transactions = 1;
        hand_back(store, group->first);
    } else if (status == PDICT_UNKNOWN_OUTCOME) {
        all_unknown(store, group);
    } else {
        each_alone(store, group);
    }
}

/* The group of one, in a transaction that has begun. */
static void commit_own(struct store *store, struct group *group, void *txn)
{
    struct commit *own = group->own;
    int status = run(store, own, txn);

    if (status == PDICT_OK && own->changes_settings)
        pdict__generation_odd(store);
    own->status = end(store, txn, status);
    if (status == PDICT_OK && own->changes_settings)
        pdict__generation_even(store);
    group->transactions = own->status == PDICT_OK;
}

/* The lock is held until pdict__writer_finish(), so that no reader takes this commit for somebody
 * else's before the caches know of it. */
static void begin_publishing(struct store *store, struct group *group)
{
    pthread_mutex_lock(&store->coherence.advance);
    group->before = token_of(store);
    pdict__removals_clear(&store->removals);
}

/* The engine's lock is held before anybody is taken: who cannot wait for it may still withdraw. */
static int lead_locked(struct store *store, struct group *group)
{
    int durability = pdict__queue_durability(&store->queue), status;
    size_t count;
    void *txn;

    if ((status = begin(store, durability, group->own->deadline_ms, &txn)) != PDICT_OK)
        return status;
    begin_publishing(store, group);
    group->first = pdict__queue_take(&store->queue, durability, &count);
    if (count == 1)
        commit_own(store, group, txn);
    else
        all_together(store, group, txn);
    group->after = token_of(store);
    return PDICT_OK;
}

/* The failure may have happened on another thread, and others after it; say it on this one. */
static int take_over(struct store *store, struct commit *commit)
{
    if (commit->text)
        pdict_fail(commit->status, "%s", commit->text);
    pdict__free(&store->allocator, commit->text);
    return commit->status;
}

static int lead(struct store *store, struct commit *own, struct group *group)
{
    int status;

    pdict__queue_gather(&store->queue, own->delay_us);
    status = enter(store, own->deadline_ms);
    if (status == PDICT_OK && (status = lead_locked(store, group)) != PDICT_OK)
        leave(store);
    if (status != PDICT_OK) {
        pdict__queue_resign(&store->queue, own);
        return status;
    }
    return take_over(store, own);
}

static int commit_held(struct store *store, struct group *group)
{
    void *txn;
    int status = begin(store, group->own->durability, group->own->deadline_ms, &txn);

    if (status != PDICT_OK)
        return status;
    group->first = group->own;
    begin_publishing(store, group);
    commit_own(store, group, txn);
    group->after = token_of(store);
    return group->own->status;
}

int pdict__writer_commit(struct store *store, struct commit *commit, struct group *group)
{
    int status;

    *group = (struct group){ .own = commit };
    if ((status = pdict__store_enter(store)) != PDICT_OK)
        return status;
    group->is_inside = true;
    group->has_token = store->words[0] != NULL;
    if ((status = check_writable(store)) != PDICT_OK)
        return status;
    commit->deadline_ms = pdict__time_add(pdict__steady_ms(), commit->timeout_ms);
    if (commit->is_held)
        return commit_held(store, group);
    switch (pdict__queue_join(&store->queue, commit)) {
    case TURN_LEADS:
        return lead(store, commit, group);
    case TURN_DONE:
        return take_over(store, commit);
    default:
        return fail_busy(store);
    }
}

static void finish(struct store *store, struct group *group)
{
    pthread_mutex_unlock(&store->coherence.advance);
    for (const struct commit *commit = group->first; commit; commit = commit->next)
        note_ordered(store, commit);
    sync_if_due(store);
    if (!group->own->leaves_log)
        pdict__log_fold_if_due(store);
    if (group->own->is_held)
        return;
    leave(store);
    pdict__queue_hand_on(&store->queue);
    pdict__queue_release(&store->queue, group->first, group->own);
}

void pdict__writer_finish(struct store *store, struct group *group)
{
    if (group->first)
        finish(store, group);
    if (group->is_inside)
        pdict__store_leave();
}

/* ---- one writer for longer ---- */

int pdict__writer_hold(struct store *store, int64_t timeout_ms)
{
    int status = check_writable(store);

    if (status != PDICT_OK)
        return status;
    return enter(store, pdict__time_add(pdict__steady_ms(), timeout_ms));
}

void pdict__writer_let_go(struct store *store)
{
    leave(store);
}

/* ---- beside commits ---- */

/* Inside. */
static int work_alone(struct store *store, int64_t timeout_ms,
                      int (*work)(void *ctx, struct store *store), void *ctx)
{
    int status = check_writable(store);

    if (status == PDICT_OK)
        status = enter(store, pdict__time_add(pdict__steady_ms(), timeout_ms));
    if (status != PDICT_OK)
        return status;
    status = work(ctx, store);
    if (status == PDICT_UNKNOWN_OUTCOME)
        pdict__poison(store);
    leave(store);
    return status;
}

int pdict__between_commits(struct store *store, int64_t timeout_ms,
                           int (*work)(void *ctx, struct store *store), void *ctx)
{
    int status = pdict__store_enter(store);

    if (status != PDICT_OK)
        return status;
    status = work_alone(store, timeout_ms, work, ctx);
    pdict__store_leave();
    return status;
}

static int sync_inside(void *ctx, struct store *store)
{
    (void)ctx;
    return sync_now(store);
}

int pdict__store_sync(struct store *store, int64_t timeout_ms)
{
    if (!store->backend->sync || store->is_read_only)
        return pdict__store_check(store);
    return pdict__between_commits(store, timeout_ms, sync_inside, NULL);
}

void pdict__store_settle(struct store *store)
{
    if (store->sync_due_ms != 0 && !atomic_load(&store->is_poisoned))
        (void)sync_now(store);
}
