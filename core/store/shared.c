/* SPDX-License-Identifier: MIT */
/* What the processes of a store share through its gate file: the turn to write, poison, and the
 * wish for a checkpoint. */
#include <errno.h>
#include <time.h>

#include "base/calls.h"
#include "store/store.h"

/* A wish older than this is that of a process which died with it. */
#define WISH_MS 2000

/* Between two looks of a waiting writer whether a fork waits for it. */
#define LOOK_MS 20

/* What the ring tells is found in the caches by the same hash. Where somebody else made the page
 * while this process had parked the store, that is another one. */
static int agree_secret(struct store *store)
{
    const struct gate_page *page = store->gatefile.page;
    int status = PDICT_OK;

    if (!store->has_secret && page)
        memcpy(store->hash_secret, page->secret, sizeof(store->hash_secret));
    else if (!store->has_secret)
        status = pdict__random(store->hash_secret, sizeof(store->hash_secret));
    store->has_secret = status == PDICT_OK;
    store->has_ring =
        page && memcmp(store->hash_secret, page->secret, sizeof(store->hash_secret)) == 0;
    return status;
}

static int join(struct store *store)
{
    const unsigned sharing = PDICT_CAP_FILE | PDICT_CAP_MULTI_PROCESS;
    int status;

    store->gatefile = (struct gatefile){ .fd = -1, .store_fd = -1 };
    if ((status = pdict__generation_first(&store->own_generation)) != PDICT_OK)
        return status;
    store->generation = &store->own_generation;
    if ((pdict__stack_base(&store->stack)->capabilities & sharing) != sharing) {
        store->own_memos = pdict__calloc(&store->allocator, 1, sizeof(*store->own_memos));
        return store->own_memos ? PDICT_OK : PDICT_NOMEM;
    }
    status = pdict__gatefile_join(store->path, store->is_read_only, store->open_timeout_ms,
                                  store->has_secret ? store->hash_secret : NULL, &store->allocator,
                                  &store->gatefile);
    if (store->gatefile.page)
        store->generation = &store->gatefile.page->generation;
    return status;
}

int pdict__shared_join(struct store *store)
{
    int status = join(store);

    if (status == PDICT_OK && (status = agree_secret(store)) != PDICT_OK)
        pdict__shared_part(store);
    if (status == PDICT_OK && atomic_load(&store->is_poisoned))
        pdict__poison(store);
    if (status == PDICT_OK && atomic_load(&store->stale_ok_ms) > 0)
        pdict__keep_stale(store, atomic_load(&store->stale_ok_ms));
    return status;
}

void pdict__shared_part(struct store *store)
{
    store->generation = &store->own_generation;
    pdict__gatefile_part(&store->gatefile, store->fork_count != pdict__fork_count());
    pdict__free(&store->allocator, store->own_memos);
    store->own_memos = NULL;
}

/* ---- what is remembered of keys ---- */

static struct memos *memos_of(const struct store *store)
{
    return store->gatefile.page ? &store->gatefile.page->memos : store->own_memos;
}

uint64_t pdict__recall(struct store *store, enum memo_kind kind, uint64_t hash)
{
    uint64_t number;

    if (pdict__store_enter(store) != PDICT_OK)
        return 0;
    number = pdict__memo_get(&memos_of(store)->of[kind], hash);
    pdict__store_leave();
    return number;
}

void pdict__remember(struct store *store, enum memo_kind kind, uint64_t hash, uint64_t number)
{
    if (pdict__store_enter(store) != PDICT_OK)
        return;
    pdict__memo_put(&memos_of(store)->of[kind], hash, number);
    pdict__store_leave();
}

static void raise_to(_Atomic int64_t *number, int64_t least)
{
    int64_t old = atomic_load(number);

    while (old < least && !atomic_compare_exchange_weak(number, &old, least))
        ;
}

/* Noted here as well: a gate file may be made anew while the store is open. */
void pdict__keep_stale(struct store *store, int64_t stale_ok_ms)
{
    if (store->is_read_only)
        return;
    raise_to(&store->stale_ok_ms, stale_ok_ms);
    raise_to(&memos_of(store)->stale_ok_ms, stale_ok_ms);
}

int64_t pdict__stale_kept_ms(struct store *store)
{
    int64_t own_ms = atomic_load(&store->stale_ok_ms), all_ms;

    if (store->is_read_only || pdict__store_enter(store) != PDICT_OK)
        return 0;
    all_ms = atomic_load(&memos_of(store)->stale_ok_ms);
    pdict__store_leave();
    return all_ms > own_ms ? all_ms : own_ms;
}

/* ---- the turn to write ---- */

static int fail_busy(const struct store *store)
{
    return pdict_fail(PDICT_BUSY,
                      "%s: other processes kept writing until the timeout passed; try again or "
                      "raise timeout=",
                      store->path);
}

/* A free gate is taken in any case. */
static int lock_mutex(pthread_mutex_t *mutex, int64_t deadline_ms)
{
    struct timespec until = { .tv_sec = (time_t)(deadline_ms / 1000),
                              .tv_nsec = (long)(deadline_ms % 1000) * 1000000 };
    int rc = pthread_mutex_trylock(mutex);

    if (rc == EBUSY)
        rc = pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
    /* Who held it died. The engine undoes what was not committed, the ring has a gap then, and
     * there is nothing else that could be half done. */
    return rc == EOWNERDEAD ? pthread_mutex_consistent(mutex) : rc;
}

static int check_inside(struct store *store)
{
    if (atomic_load(&store->gatefile.page->is_poisoned))
        return pdict__fail_poisoned(store);
    return pdict__gatefile_check(&store->gatefile);
}

/* The page is not to be unmapped under a waiting thread: it looks now and then whether a fork wants
 * that, and then goes on with the page that was mapped since. */
static int let_fork_pass(struct store *store)
{
    if (!pdict__call_is_in_the_way() || !pdict__call_pause())
        return PDICT_OK;
    pdict__call_resume();
    return pdict__store_wake(store);
}

static int take_turn(struct store *store, int64_t deadline_ms)
{
    int64_t now_ms = pdict__steady_ms();
    int rc, status = PDICT_OK;

    while ((rc = lock_mutex(&store->gatefile.page->mutex,
                            deadline_ms - now_ms < LOOK_MS ? deadline_ms : now_ms + LOOK_MS)) ==
           ETIMEDOUT) {
        if ((now_ms = pdict__steady_ms()) >= deadline_ms)
            return fail_busy(store);
        if ((status = let_fork_pass(store)) != PDICT_OK)
            return status;
    }
    if (rc == 0)
        return PDICT_OK;
    return pdict_fail(PDICT_IO, "%s: locking it failed: %s", store->gatefile.path, strerror(rc));
}

int pdict__shared_enter(struct store *store, int64_t deadline_ms)
{
    int status;

    if (!store->gatefile.page)
        return PDICT_OK;
    if ((status = take_turn(store, deadline_ms)) != PDICT_OK)
        return status;
    pdict__ring_turn_begin(&store->gatefile.page->ring);
    /* Who was about to change settings died, and may have done so. */
    if (pdict__generation(store) % 2 != 0)
        pdict__generation_even(store);
    if ((status = check_inside(store)) != PDICT_OK)
        pdict__shared_leave(store);
    return status;
}

void pdict__shared_leave(struct store *store)
{
    struct gate_page *page = store->gatefile.page;

    if (!page)
        return;
    pdict__ring_turn_end(&page->ring);
    pthread_mutex_unlock(&page->mutex);
}

/* ---- the generation ---- */

/* A reader that found nothing to join hears of nothing. */
bool pdict__generation_is_shared(const struct store *store)
{
    return store->gatefile.page || !store->is_read_only;
}

/* Only whoever has the gate changes it. */
void pdict__generation_odd(struct store *store)
{
    atomic_fetch_add_explicit(store->generation, 1, memory_order_seq_cst);
}

void pdict__generation_even(struct store *store)
{
    atomic_fetch_add_explicit(store->generation, 1, memory_order_seq_cst);
}

/* ---- poison ---- */

int pdict__fail_poisoned(const struct store *store)
{
    return pdict_fail(PDICT_POISONED,
                      "%s: an earlier sync failed, so what is on the disk is uncertain; close it "
                      "in every process, check the disk and reopen",
                      store->path);
}

void pdict__poison(struct store *store)
{
    atomic_store(&store->is_poisoned, true);
    if (store->gatefile.page)
        atomic_store(&store->gatefile.page->is_poisoned, 1);
}

/* ---- the change ring ---- */

struct ring *pdict__shared_ring(const struct store *store)
{
    return store->has_ring ? &store->gatefile.page->ring : NULL;
}

void pdict__shared_publish(struct store *store, struct token before, struct token after,
                           const uint64_t *hashes, size_t count)
{
    struct ring *ring = pdict__shared_ring(store);

    /* A commit of somebody else, right behind ours, must not hide in our entry. */
    if (ring && store->backend->is_next &&
        store->backend->is_next(store->engine, before.words, after.words))
        pdict__ring_publish(ring, before, after, hashes, count);
}

/* ---- limits ---- */

uint64_t pdict__shared_limits_word(const struct store *store)
{
    const struct gate_page *page = store->gatefile.page;

    return page ? page->limits_word : store->limits_word;
}

void pdict__shared_limits_moved(struct store *store)
{
    if (store->gatefile.page)
        store->gatefile.page->limits_word++;
    else
        store->limits_word++;
}

/* ---- checkpoints ---- */

/* What the caches hold belongs to the new token as well. */
static void follow(struct coherence *coherence, struct token before, struct token after)
{
    if (coherence->mode == COHERENCE_PRIVATE || !pdict__tag_is(coherence, before.words))
        return;
    pdict__gen_odd(coherence);
    pdict__gen_even(coherence, after.words);
}

/* A log that is started anew moves the token, though nobody has committed anything: to the caches it
 * is a commit that moves no key. */
static int checkpoint_told(struct store *store, bool wait)
{
    struct token before = pdict__token_read(store->words), after;
    int status = store->backend->checkpoint(store->engine, wait);

    after = pdict__token_read(store->words);
    if (!pdict__token_equal(before, after) && store->backend->is_same &&
        store->backend->is_same(store->engine, before.words, after.words)) {
        pdict__ring_publish(pdict__shared_ring(store), before, after, NULL, 0);
        follow(&store->coherence, before, after);
    }
    return status;
}

/* Nobody of this process takes it for a commit before it is told. */
static int checkpoint_watched(struct store *store, bool wait)
{
    int status;

    if (!store->words[0])
        return store->backend->checkpoint(store->engine, wait);
    pthread_mutex_lock(&store->coherence.advance);
    status = checkpoint_told(store, wait);
    pthread_mutex_unlock(&store->coherence.advance);
    return status;
}

int pdict__checkpoint(struct store *store, bool wait)
{
    struct gate_page *page = store->gatefile.page;
    int status;

    if (!store->backend->checkpoint)
        return PDICT_OK;
    if (page && wait)
        atomic_store(&page->checkpoint_wanted_ms, pdict__steady_ms());
    pdict__readers_release(store);
    status = checkpoint_watched(store, wait);
    if (page && wait)
        atomic_store(&page->checkpoint_wanted_ms, 0);
    return status;
}

bool pdict__checkpoint_wanted(const struct store *store)
{
    const struct gate_page *page = store->gatefile.page;
    int64_t since_ms;

    if (!page)
        return store->backend->checkpoint != NULL;
    since_ms = atomic_load_explicit(&page->checkpoint_wanted_ms, memory_order_acquire);
    return since_ms != 0 && pdict__steady_ms() - since_ms < WISH_MS;
}
