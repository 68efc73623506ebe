/* SPDX-License-Identifier: MIT */
/* Commits that wait for their turn: the first leads, takes those behind it along, and wakes them. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/calls.h"
#include "store/store.h"

/* A commit of more changes than this goes alone: it costs more than the sync that it could share,
 * and the others would wait for it. */
#define SHARED_MOST 32

/* How long those who have just been acknowledged get to come back with their next commit. */
#define GATHER_NS 150000

/* ---- sleeping ---- */

/* Each waiter listens to one bit of those a wake-up names, so that a group is woken with one call
 * and the next to lead with another, and nobody else. False at the deadline. */
static bool sleep_on(atomic_uint *word, unsigned value, unsigned bit,
                     const struct timespec *deadline)
{
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value, deadline,
                      NULL, bit);

    return rc == 0 || errno != ETIMEDOUT;
}

/* Whoever has looked at its turn before this and did not sleep yet, will not. */
static void wake(struct queue *queue, unsigned bits)
{
    atomic_fetch_add(&queue->word, 1);
    syscall(SYS_futex, &queue->word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL,
            bits);
}

int pdict__queue_init(struct queue *queue)
{
    *queue = (struct queue){ .is_led = false };
    if (pthread_mutex_init(&queue->lock, NULL) != 0)
        return pdict__nomem(sizeof(queue->lock));
    return PDICT_OK;
}

void pdict__queue_destroy(struct queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
}

/* ---- joining ---- */

static enum turn append(struct queue *queue, struct commit *commit)
{
    enum turn turn;

    pthread_mutex_lock(&queue->lock);
    commit->next = NULL;
    commit->bit = 1u << (queue->n_joined++ % 32);
    if (queue->first)
        queue->last->next = commit;
    else
        queue->first = commit;
    queue->last = commit;
    atomic_store(&queue->count, atomic_load(&queue->count) + 1);
    turn = queue->is_led ? TURN_WAITS : TURN_LEADS;
    atomic_store(&commit->turn, turn);
    queue->is_led = true;
    pthread_mutex_unlock(&queue->lock);
    return turn;
}

static void unlink_locked(struct queue *queue, struct commit *commit)
{
    struct commit **link = &queue->first, *before = NULL;

    while (*link != commit) {
        before = *link;
        link = &before->next;
    }
    *link = commit->next;
    if (queue->last == commit)
        queue->last = before;
    atomic_store(&queue->count, atomic_load(&queue->count) - 1);
}

/* False: it has been taken, or leads, just now. */
static bool withdraw(struct queue *queue, struct commit *commit)
{
    bool is_waiting;

    pthread_mutex_lock(&queue->lock);
    is_waiting = atomic_load(&commit->turn) == TURN_WAITS;
    if (is_waiting)
        unlink_locked(queue, commit);
    pthread_mutex_unlock(&queue->lock);
    return is_waiting;
}

static enum turn await(struct queue *queue, struct commit *commit)
{
    struct timespec deadline = { .tv_sec = (time_t)(commit->deadline_ms / 1000),
                                 .tv_nsec = (long)(commit->deadline_ms % 1000) * 1000000 };
    int turn = TURN_WAITS;

    while (turn != TURN_LEADS && turn != TURN_DONE) {
        unsigned word = atomic_load(&queue->word);

        turn = atomic_load(&commit->turn);
        if (turn == TURN_TAKEN)
            sleep_on(&queue->word, word, commit->bit, NULL);
        else if (turn == TURN_WAITS && !sleep_on(&queue->word, word, commit->bit, &deadline) &&
                 withdraw(queue, commit))
            break;
    }
    return (enum turn)turn;
}

/* A fork need not wait for those who sleep. */
enum turn pdict__queue_join(struct queue *queue, struct commit *commit)
{
    enum turn turn = append(queue, commit);
    bool is_away;

    if (turn == TURN_LEADS)
        return turn;
    is_away = pdict__call_pause();
    turn = await(queue, commit);
    if (is_away)
        pdict__call_resume();
    return turn;
}

/* ---- leading ---- */

static int64_t steady_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Those who have just been acknowledged. */
static void gather_known(struct queue *queue)
{
    int64_t until_ns;

    if (queue->expected < 2)
        return;
    until_ns = steady_ns() + GATHER_NS;
    while (atomic_load(&queue->count) < queue->expected && steady_ns() < until_ns)
        sched_yield();
}

/* Without this two convoys form, of those who are committed and of those who wait for it. */
void pdict__queue_gather(struct queue *queue, int64_t delay_us)
{
    struct timespec delay = { .tv_sec = (time_t)(delay_us / 1000000),
                              .tv_nsec = (long)(delay_us % 1000000) * 1000 };

    if (delay_us > 0)
        nanosleep(&delay, NULL);
    else
        gather_known(queue);
}

static size_t changes_of(const struct commit *commit)
{
    size_t count = 0;

    for (; commit; commit = commit->also)
        count += commit->count;
    return count;
}

static bool goes_alone(const struct commit *commit)
{
    return commit->work || changes_of(commit) > SHARED_MOST;
}

/* The first behind the head that is not taken along. */
static const struct commit *end_of_group(const struct queue *queue, int durability)
{
    size_t room = GROUP_CHANGES;
    const struct commit *commit = queue->first;

    if (goes_alone(commit))
        return commit->next;
    for (; commit; commit = commit->next) {
        size_t count = changes_of(commit);

        if (goes_alone(commit) || count > room || commit->durability < durability)
            break;
        room -= count;
    }
    return commit;
}

int pdict__queue_durability(struct queue *queue)
{
    const struct commit *end;
    int strongest;

    pthread_mutex_lock(&queue->lock);
    end = end_of_group(queue, PDICT_FULL_SYNC);
    strongest = queue->first->durability;
    for (const struct commit *commit = queue->first; commit != end; commit = commit->next) {
        if (commit->durability < strongest)
            strongest = commit->durability;
    }
    pthread_mutex_unlock(&queue->lock);
    return strongest;
}

struct commit *pdict__queue_take(struct queue *queue, int durability, size_t *count)
{
    struct commit *first, *last = NULL;
    const struct commit *end;

    pthread_mutex_lock(&queue->lock);
    first = queue->first;
    end = end_of_group(queue, durability);
    *count = 0;
    for (struct commit *commit = first; commit != end; commit = commit->next) {
        atomic_store(&commit->turn, TURN_TAKEN);
        last = commit;
        (*count)++;
    }
    queue->first = last->next;
    if (!queue->first)
        queue->last = NULL;
    last->next = NULL;
    atomic_store(&queue->count, atomic_load(&queue->count) - *count);
    pthread_mutex_unlock(&queue->lock);
    queue->expected = *count;
    return first;
}

void pdict__queue_resign(struct queue *queue, struct commit *commit)
{
    pthread_mutex_lock(&queue->lock);
    unlink_locked(queue, commit);
    pthread_mutex_unlock(&queue->lock);
    queue->expected = 0;
    pdict__queue_hand_on(queue);
}

void pdict__queue_hand_on(struct queue *queue)
{
    unsigned bit = 0;

    pthread_mutex_lock(&queue->lock);
    queue->expected += atomic_load(&queue->count);
    queue->is_led = queue->first != NULL;
    if (queue->first) {
        bit = queue->first->bit;
        atomic_store(&queue->first->turn, TURN_LEADS);
    }
    pthread_mutex_unlock(&queue->lock);
    if (bit)
        wake(queue, bit);
}

void pdict__queue_release(struct queue *queue, struct commit *first, const struct commit *own)
{
    unsigned bits = 0;

    for (struct commit *commit = first, *next; commit; commit = next) {
        next = commit->next;
        if (commit == own)
            continue;
        bits |= commit->bit;
        atomic_store(&commit->turn, TURN_DONE);
    }
    if (bits)
        wake(queue, bits);
}
