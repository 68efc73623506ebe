/* SPDX-License-Identifier: MIT */
/* Where rows live: an open engine, its readers, and the one writer at a time. Knows no codecs. */
#ifndef PDICT_STORE_STORE_H
#define PDICT_STORE_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/chores.h"
#include "base/hash.h"
#include "store/gatefile.h"
#include "store/lease.h"
#include "store/lifetimes.h"
#include "store/limits.h"
#include "store/removals.h"
#include "store/snapshots.h"
#include "store/window.h"

/*
 * Lock order, outermost first: registry (open/registry.c), the lead of the queue, gate (one writer),
 * gate of all processes (gatefile.h), coherence.advance, store->maps_lock (map/map.c), locks of a
 * cache (map/cache.h), pool lock and the queue's lock. No lock is held while a user's function runs,
 * and the last two never while the backend runs.
 */

/* ---- gate.c: one writer at a time, first come first served ---- */

struct waiter; /* on the stack of a waiting thread */

struct gate {
    pthread_mutex_t lock;
    bool is_taken;
    struct waiter *first, *last;
};

int pdict__gate_init(struct gate *gate);
void pdict__gate_destroy(struct gate *gate);
/* PDICT_BUSY when the deadline (steady clock) passes first; a free gate is taken in any case. */
int pdict__gate_enter(struct gate *gate, int64_t deadline_ms);
void pdict__gate_leave(struct gate *gate);

/* ---- queue.c: commits that wait for their turn, the first of them leading ---- */

struct commit;

enum turn {
    TURN_WAITS, /* in the queue; may be withdrawn */
    TURN_LEADS, /* in the queue, at its head */
    TURN_TAKEN, /* part of a group; its outcome is to be awaited */
    TURN_DONE
};

struct queue {
    pthread_mutex_t lock;
    struct commit *first, *last;
    atomic_size_t count; /* changed under the lock; looked at without by who leads */
    size_t expected;     /* as many as came together the last time; of who leads */
    bool is_led;
    unsigned n_joined;
    atomic_uint word; /* moves whenever somebody's turn has changed; waiters sleep on it */
};

int pdict__queue_init(struct queue *queue);
void pdict__queue_destroy(struct queue *queue);
/* Wait for this commit's turn: TURN_LEADS; TURN_DONE; or TURN_WAITS: its deadline passed first, and
 * it is no longer queued. */
enum turn pdict__queue_join(struct queue *queue, struct commit *commit);
/* For who leads: wait so long for company or, with a delay of 0, a moment for those who came along
 * the last time. */
void pdict__queue_gather(struct queue *queue, int64_t delay_us);
/* The strongest durability that one of those asks for who would be taken now. */
int pdict__queue_durability(struct queue *queue);
/* Take the head, who leads, and those behind it that may share its transaction, which has this
 * durability; a list by `next`. */
struct commit *pdict__queue_take(struct queue *queue, int durability, size_t *count);
/* Leave the queue as the head that leads, without having been taken. */
void pdict__queue_resign(struct queue *queue, struct commit *commit);
/* The next one leads, if there is one. */
void pdict__queue_hand_on(struct queue *queue);
/* Tell all of a list but `own` that they are done; they are not touched afterwards. */
void pdict__queue_release(struct queue *queue, struct commit *first, const struct commit *own);

/* ---- stack.c: a backend and the layers above it ---- */

#define STACK_MOST 4

struct stack {
    const pdict_allocator *allocator;
    const pdict_backend *backends[STACK_MOST]; /* outermost first; the last keeps the rows */
    struct option_set options[STACK_MOST];     /* parallel */
    size_t count;
    char *name; /* "fault+sqlite" */
};

/* From the scheme of a URI; every option has its default. PDICT_UNKNOWN_BACKEND names the near
 * match; PDICT_INVAL: a layer without a backend, or one below what is no layer. */
int pdict__stack_parse(const char *scheme, const pdict_allocator *allocator, struct stack *out);
/* Hand over; `allocator` equals the old one and lives where the stack now does. */
void pdict__stack_move(struct stack *to, struct stack *from, const pdict_allocator *allocator);
void pdict__stack_free(struct stack *stack);
/* The place of an option in options[*level], the outermost that has one of this name; or -1. */
int pdict__stack_option(const struct stack *stack, const char *name, size_t *level);
/* Open it through its outermost layer; `common` is what all levels share. */
int pdict__stack_open(const struct stack *stack, const pdict_backend_args *common, void **engine);

/* What a path means and what a file can do is said by the backend below all layers. */
static inline const pdict_backend *pdict__stack_base(const struct stack *stack)
{
    return stack->backends[stack->count - 1];
}

/* ---- what map/sweep.c keeps of a store ---- */

/* When wall time runs ahead of the time that passed, by a bad step or a resumed image, what seems
 * expired may be alive: nothing is destroyed for a while then. Zero before its first use. */
struct jump_guard {
    bool has_seen;
    int64_t wall_ms, boot_ms;
    int64_t hold_until_ms; /* on the clock of the boot */
};

struct sweeper {
    struct chore chore;
    bool is_auto;
    atomic_bool is_on;
    atomic_uint row_us; /* what a row of a step takes, about; 0: none was made yet */
    /* Of the chore alone. */
    struct jump_guard guard;
    bool may_shrink;     /* rows went, so there may be space to give back */
    unsigned calm_turns; /* in which nothing had expired */
};

/* ---- coherence.c: what caches of this store belong to ---- */

/*
 * `gen` is even while what the caches hold belongs to `tag`, the change token, and odd while that
 * is being changed. `floor` counts the times that everything had to be doubted: an entry of an
 * earlier floor is compared with its row before its next use.
 *
 * A hit reads gen, finds and pins its entry, reads the token, and is true at that instant if the
 * token is the tag and gen is still the same: no commit was visible, and a commit moves the token
 * before its caller returns. What was read from a snapshot may be cached only if token and gen were
 * read before the snapshot began, and are the same when it is inserted.
 */
enum coherence_mode {
    COHERENCE_STRICT,
    COHERENCE_BOUNDED, /* a hit may be older, by bound_ms at most */
    COHERENCE_PRIVATE  /* nobody else writes, or nobody cares */
};

#define FLOOR_NEVER 0 /* of an entry that is doubted whatever the floor */
#define FLOOR_LAST  UINT16_MAX

struct coherence {
    _Alignas(64) const volatile uint64_t *words[2]; /* the token; [0] NULL: nothing is cached */
    _Atomic uint64_t gen;
    _Atomic uint64_t tag[2];
    _Atomic uint32_t floor;     /* FLOOR_NEVER < floor <= FLOOR_LAST */
    unsigned mode;              /* enum coherence_mode; set before there is a cache */
    int64_t bound_ms;           /* bounded */
    _Atomic int64_t checked_ms; /* bounded: when the token was last seen unmoved; steady clock */
    const volatile uint64_t *engine_words[2];
    pthread_mutex_t advance; /* held by whoever changes gen, tag and floor */
    struct ring_wait wait;   /* under advance */
};

/* `words`: of the engine's token, or NULL. */
void pdict__coherence_init(struct coherence *coherence, const volatile uint64_t *const words[2]);
void pdict__coherence_destroy(struct coherence *coherence);
/* With `advance` held and a gen that is odd: the engine was opened again, and its token may lie
 * elsewhere where no cache is read outside of calls. */
void pdict__coherence_move(struct coherence *coherence, const volatile uint64_t *const words[2]);
/* With `advance` held, while nothing of the store is cached. Private caches see a token that never
 * moves. */
void pdict__coherence_choose(struct coherence *coherence, unsigned mode, int64_t bound_ms);

static inline void pdict__peek(const struct coherence *coherence, uint64_t token[2])
{
    for (int i = 0; i < 2; i++)
        token[i] = atomic_load_explicit((const volatile _Atomic uint64_t *)coherence->words[i],
                                        memory_order_acquire);
}

static inline bool pdict__tag_is(const struct coherence *coherence, const uint64_t token[2])
{
    return atomic_load_explicit(&coherence->tag[0], memory_order_acquire) == token[0] &&
           atomic_load_explicit(&coherence->tag[1], memory_order_acquire) == token[1];
}

/* Does what was read under gen and token still belong into the caches? */
static inline bool pdict__ticket_holds(const struct coherence *coherence, uint64_t gen,
                                       const uint64_t token[2])
{
    return gen % 2 == 0 && pdict__tag_is(coherence, token) &&
           atomic_load_explicit(&coherence->gen, memory_order_acquire) == gen;
}

/* Around every change of what the caches hold; `advance` is held. */
static inline void pdict__gen_odd(struct coherence *coherence)
{
    atomic_fetch_add_explicit(&coherence->gen, 1, memory_order_seq_cst);
}

static inline void pdict__gen_even(struct coherence *coherence, const uint64_t tag[2])
{
    for (int i = 0; i < 2; i++)
        atomic_store_explicit(&coherence->tag[i], tag[i], memory_order_release);
    atomic_fetch_add_explicit(&coherence->gen, 1, memory_order_seq_cst);
}

/* ---- store.c ---- */

struct map; /* map/map.h */

/* Changes that commits of a few can make together in one transaction. */
#define GROUP_CHANGES 256

struct store {
    struct stack stack;           /* as this store was opened */
    const pdict_backend *backend; /* the outermost of the stack */
    void *engine;
    char *path; /* as the engine knows it; "" when it has none */
    bool is_read_only;
    unsigned fork_count; /* of the process whose it is */
    unsigned open_flags; /* enum pdict_backend_open_flags */
    int64_t open_timeout_ms;
    pdict_allocator allocator;
    pdict_logger logger;
    struct clock clock;
    bool is_manual; /* its chores run in pdict_maintain() only */
    struct sweeper sweeper;

    struct keeping keeping;
    struct holding holding;
    struct snapshot snapshots[SNAPSHOTS];
    pthread_mutex_t pool_lock;
    struct snapshot *further;
    struct hold *holds;
    struct chore reaper;
    atomic_bool has_reaper;
    atomic_bool is_reaper_awake;
    unsigned calm_ticks; /* of the reaper */
    _Atomic uint64_t n_reaped;

    struct queue queue;
    struct gate gate;
    struct gatefile gatefile;
    struct leases leases;
    struct memos *own_memos;     /* where no gate file has them */
    _Atomic int64_t stale_ok_ms; /* the longest that a handle here has asked for */
    bool has_ring;               /* its page has one, with hashes by our secret */
    atomic_bool is_poisoned;
    /* Of the settings of all maps, see pdict__generation(); shared with other processes or, where
     * there is nothing shared, one's own. */
    _Atomic uint64_t *generation;
    _Atomic uint64_t own_generation;
    const volatile uint64_t *words[2]; /* the change token; NULL: the backend keeps none */
    struct window window;              /* where the words are, if the engine may be closed */

    /* park.c */
    atomic_bool is_parked;
    pthread_mutex_t park_lock;
    uint64_t device, inode; /* of the file */

    /* Under the gate: */
    uint64_t folded_bytes; /* of log, at the last checkpoint since it was started anew */
    int64_t sync_due_ms;   /* steady clock; 0: nothing waits for a sync */
    bool has_sync_chore;
    struct chore sync_chore;
    pdict_change shared[GROUP_CHANGES]; /* of a group, in the order of the queue */
    struct removals removals;           /* of a group */
    struct listeners listeners;
    struct limits_memo limits;
    struct lifetimes_memo lifetimes;
    uint64_t limits_word; /* where there is no gate file; see shared.c */

    struct coherence coherence;
    uint8_t hash_secret[HASH_SECRET_SIZE]; /* for hashes of keys */
    bool has_secret;                       /* once it was opened */

    pthread_mutex_t maps_lock; /* for map/map.c */
    struct map *maps;
};

struct store_config {
    struct stack *stack; /* taken over on success */
    const char *path;
    unsigned flags; /* enum pdict_backend_open_flags */
    int64_t timeout_ms;
    pdict_allocator allocator;
    pdict_logger logger;
    struct clock clock;
    bool is_manual;
    bool is_swept;
};

int pdict__store_new(const struct store_config *config, struct store **out);
/* In a child that did not inherit the store this only frees memory: the engine's handles belong to
 * the parent. Inside a call. */
void pdict__store_free(struct store *store);
/* PDICT_FORKED when the store is not this process's. */
int pdict__store_check(const struct store *store);
/* Open gate file and engine, as the store was opened or is to be opened. */
int pdict__store_connect(struct store *store);
/* May a cache be read outside of calls? */
bool pdict__store_is_watched(const struct store *store);

/* ---- park.c: calls, and what a fork leaves open ---- */

/*
 * Every use of the engine lies between enter and leave, which may be nested. A fork waits until
 * nobody is inside, and then parks the store: the engine is closed, and whoever enters next, in the
 * parent and in the child, opens it again.
 *
 * PDICT_FORKED; PDICT_NO_STORE: it was removed or replaced meanwhile; what opening may return.
 */
int pdict__store_enter(struct store *store);
void pdict__store_leave(void);
/* The same around what uses the engine without a pause, such as a snapshot. */
int pdict__store_hold(struct store *store);
void pdict__store_let_go(void);
/* Inside, after a pause: the engine may have to be opened again. */
int pdict__store_wake(struct store *store);

/* For the fork's hooks, with nobody inside. False: a thread has to give up the gate first. */
bool pdict__store_may_park(const struct store *store);
void pdict__store_park(struct store *store);
/* In the child: use it as the parent does or, where it was not parked, never again. */
void pdict__store_inherit(struct store *store, bool is_served);

/* ---- shared.c: what all processes share that have the store open ---- */

/* Where there is no gate file, as for stores without files, nothing is shared and all is well. */
int pdict__shared_join(struct store *store);
void pdict__shared_part(struct store *store);
/*
 * The turn of this process, for the thread that has the gate; the same thread leaves. PDICT_BUSY
 * when the deadline (steady clock) passes first; PDICT_POISONED; PDICT_NO_STORE: the store or its
 * gate file was removed or replaced.
 */
int pdict__shared_enter(struct store *store, int64_t deadline_ms);
void pdict__shared_leave(struct store *store);
/* A sync failed: nobody writes any more until all have closed the store. */
void pdict__poison(struct store *store);
int pdict__fail_poisoned(const struct store *store);
/* Of a key, by the hash of map and key; 0: nothing, or forgotten. Stores that are open read-only
 * remember nothing and may not be asked. */
uint64_t pdict__recall(struct store *store, enum memo_kind kind, uint64_t hash);
void pdict__remember(struct store *store, enum memo_kind kind, uint64_t hash, uint64_t number);
/* Let no process sweep an expired row before it has been expired for so long; until all have closed
 * the store. */
void pdict__keep_stale(struct store *store, int64_t stale_ok_ms);
int64_t pdict__stale_kept_ms(struct store *store);
/*
 * The generation: a number that moves whenever a map's settings do (codecs, keys, dictionaries). Odd
 * while a commit is about to change them: then they are to be read anew each time. What was made by
 * settings that were read behind a number is up to date while the number stays. Inside a call.
 */
static inline uint64_t pdict__generation(const struct store *store)
{
    return atomic_load_explicit(store->generation, memory_order_acquire);
}

static inline bool pdict__generation_holds(const struct store *store, uint64_t number)
{
    return number % 2 == 0 && pdict__generation(store) == number;
}

/* Do all hear of it who have the store open? */
bool pdict__generation_is_shared(const struct store *store);
/* Around a commit that changes settings, with the gate held. */
void pdict__generation_odd(struct store *store);
void pdict__generation_even(struct store *store);
/* NULL: none, or one whose hashes are not those of this store's caches. */
struct ring *pdict__shared_ring(const struct store *store);
/* Tell in the ring of the commit that was just made, with the gate held: the token as it was inside
 * the transaction and is now. Else as pdict__ring_publish(). */
void pdict__shared_publish(struct store *store, struct token before, struct token after,
                           const uint64_t *hashes, size_t count);
/* Under the gate: a word that moves with every change of the limits of a map, whoever makes it. */
uint64_t pdict__shared_limits_word(const struct store *store);
void pdict__shared_limits_moved(struct store *store);
/* Fold in the log, with the gate held. While one waits for readers, a kept snapshot is in its way;
 * true as well where such a wish could not be heard. */
int pdict__checkpoint(struct store *store, bool wait);
bool pdict__checkpoint_wanted(const struct store *store);

/* Of the commit that is being made, under the gate: a row that nobody has named; one to be told of. */
void pdict__removals_add(struct store *store, pdict_slice key);
void pdict__removals_note(struct store *store, uint32_t map, pdict_slice key, int why);
/* Hand over what is to be told of. */
void pdict__removals_take(struct store *store, struct telling *out);

/* ---- erase.c ---- */

/* Which rows are to go: the first that the scan finds, expired or not. */
struct erasure {
    pdict_scan scan;
    size_t most;          /* at once; fewer when... */
    uint64_t rows, bytes; /* ...there were so many, and so much of keys and records, already */
    int why;              /* enum pdict_removed_why; CLEARED: not told of one by one */
    size_t count;         /* out: how many went */
};

int pdict__erase(struct store *store, void *txn, uint32_t map, struct erasure *erasure);

/* ---- writer.c: commits ---- */

/*
 * What one caller wants to be committed, all of it or nothing. Commits that wait at the same time
 * share a transaction and its sync, in the order in which they came; one that fails leaves the
 * others as they are.
 */
struct commit {
    int durability;         /* PDICT_FULL_SYNC, PDICT_ORDERED, PDICT_UNSAFE */
    int64_t sync_within_ms; /* with PDICT_ORDERED: synced so long after it; 0: when it comes */
    int64_t timeout_ms;     /* until it is taken */
    int64_t delay_us;       /* wait so long for company, when it leads */
    /* The changes were made by settings of this generation: COMMIT_STALE, and nothing is done, when
     * there are later ones. 0: whatever the settings. */
    uint64_t generation;
    bool is_held; /* between pdict__writer_hold() and pdict__writer_let_go() */

    /* Either changes of one map... */
    uint32_t map;
    pdict_change *changes;
    size_t count;
    /* ...and of further maps of the store: only the four members about changes count there... */
    struct commit *also;
    /* ...that may depend on what is stored: called in the transaction, behind all that came before,
     * it reads, and may fill in the changes. What it returns is the result of this commit, and
     * unless PDICT_OK nothing is changed. On any thread, maybe again; never a user's function. */
    int (*prepare)(void *ctx, struct store *store, void *txn);

    /* ...or any work inside a transaction of its own; never a user's function. */
    int (*work)(void *ctx, struct store *store, void *txn);
    void *ctx;

    bool changes_settings; /* the work does, of some map */
    bool keeps_rows;       /* the work changes no row but the removals: what is cached stays true */
    bool leaves_log;       /* it is folded in later, with pdict__log_fold() */
    struct entry *prepared; /* map/: what the cache will hold of the first change; or NULL */
    struct telling telling; /* while it is held: what is to be told when it no longer is */

    /* Private to the writer; zero at first. */
    struct commit *next;
    int64_t deadline_ms;
    unsigned bit; /* of queue->word */
    atomic_int turn;
    int status;
    char *text; /* of a failure on the thread that led; or NULL */
};

/* Never leaves core: see commit.generation. */
#define COMMIT_STALE 1

/* Commits that were made together; `status` and changes of each say what became of it. */
struct group {
    struct commit *first; /* by `next`; NULL: this thread led nobody */
    struct commit *own;
    bool is_inside;        /* the store was entered */
    unsigned transactions; /* that were committed: 1, or as many as had to go alone */
    bool has_token;
    struct token before, after; /* the change token around them */
};

/*
 * Commit. When this returns the outcome of `commit` is known, and this thread may have led a whole
 * group: what it has to say about that it says now, and then calls pdict__writer_finish() in every
 * case; those who followed are waiting, and nobody writes meanwhile.
 *
 * Where group->first is not NULL, the gate and coherence.advance are held until then.
 *
 * PDICT_OK: committed, and each change has its own status; COMMIT_STALE; PDICT_UNKNOWN_OUTCOME: the
 * commit failed midway; anything else: nothing was done.
 */
int pdict__writer_commit(struct store *store, struct commit *commit, struct group *group);
void pdict__writer_finish(struct store *store, struct group *group);
/* Keep everybody else from writing until pdict__writer_let_go(), on the same thread; a commit that
 * is made meanwhile says `is_held`. */
int pdict__writer_hold(struct store *store, int64_t timeout_ms);
void pdict__writer_let_go(struct store *store);
/* Run `work` while no commit of this process is under way, such as a checkpoint. */
int pdict__between_commits(struct store *store, int64_t timeout_ms,
                           int (*work)(void *ctx, struct store *store), void *ctx);
/* Make all earlier commits survive power loss. */
int pdict__store_sync(struct store *store, int64_t timeout_ms);
/* Sync if an ordered commit is still waiting for it; for the close. */
void pdict__store_settle(struct store *store);

/* ---- fold.c: checkpoints when the log has grown ---- */

/* Under the gate, behind a commit. */
void pdict__log_fold_if_due(struct store *store);
/* The same a bit earlier, in a turn at the gate of its own: who waits for it has not waited for the
 * commit before it as well. */
int pdict__log_fold(struct store *store, int64_t timeout_ms);

#endif
