/* SPDX-License-Identifier: MIT */
/* Single flight: who comes first leads, and what it lands with is handed to all who wait. */
#include "map/flight.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "map/map.h"

/* ---- views of one value for many ---- */

/* Lies before the bytes; carries the allocator since a view may outlive its map. */
struct shared {
    struct pin pin;
    pdict_allocator allocator;
    void (*wipe)(void *memory, size_t size); /* NULL: the value may stay in freed memory */
    size_t size;
    atomic_uint pins;
    max_align_t bytes[];
};

static void release_shared(struct pin *pin)
{
    struct shared *shared = (struct shared *)pin;
    pdict_allocator allocator = shared->allocator;

    if (atomic_fetch_sub_explicit(&shared->pins, 1, memory_order_acq_rel) != 1)
        return;
    if (shared->wipe)
        shared->wipe(shared->bytes, shared->size);
    pdict__free(&allocator, shared);
}

int pdict__shared_view(const struct map *map, pdict_slice value, const pdict_view *like,
                       pdict_view *out)
{
    const pdict_allocator *allocator = &map->store->allocator;
    const pdict_codec *cipher = pdict__descriptor_cipher(&pdict__settings(map)->descriptor);
    struct shared *shared = NULL;

    if (value.size <= SIZE_MAX - sizeof(*shared))
        shared = pdict__alloc(allocator, sizeof(*shared) + value.size);
    if (!shared)
        return PDICT_NOMEM;
    shared->pin.release = release_shared;
    shared->allocator = *allocator;
    shared->wipe = cipher ? cipher->cipher->wipe : NULL;
    shared->size = value.size;
    atomic_init(&shared->pins, 1);
    pdict__copy(shared->bytes, value.data, value.size);
    *out = *like;
    out->data = shared->bytes;
    out->size = value.size;
    out->pin = shared;
    return PDICT_OK;
}

pdict_view pdict__shared_view_again(const pdict_view *view)
{
    struct shared *shared = view->pin;

    atomic_fetch_add_explicit(&shared->pins, 1, memory_order_relaxed);
    return *view;
}

/* ---- flights ---- */

void pdict__flights_init(struct flights *flights, const pdict_allocator *allocator)
{
    *flights = (struct flights){ .allocator = allocator };
    pthread_mutex_init(&flights->lock, NULL);
}

void pdict__flights_destroy(struct flights *flights)
{
    pthread_mutex_destroy(&flights->lock);
}

void pdict__flights_fork_child(struct flights *flights)
{
    pdict__flights_init(flights, flights->allocator);
}

static struct flight **bucket_of(struct flights *flights, uint64_t hash)
{
    return &flights->buckets[hash % FLIGHT_BUCKETS];
}

static struct flight *find(struct flights *flights, uint64_t hash, pdict_slice key)
{
    struct flight *flight = *bucket_of(flights, hash);

    while (flight && (flight->hash != hash || !pdict__slice_equal(flight->key, key)))
        flight = flight->next;
    return flight;
}

static struct flight *begin(struct flights *flights, uint64_t hash, pdict_slice key)
{
    struct flight **bucket = bucket_of(flights, hash);
    struct flight *flight = pdict__calloc(flights->allocator, 1, sizeof(*flight));

    if (!flight)
        return NULL;
    flight->hash = hash;
    flight->key = key;
    flight->leader = pthread_self();
    flight->references = 1;
    pthread_cond_init(&flight->landed, NULL);
    flight->next = *bucket;
    *bucket = flight;
    return flight;
}

static void let_go(struct flights *flights, struct flight *flight)
{
    if (--flight->references > 0)
        return;
    pdict_view_release(&flight->landing.view);
    pthread_cond_destroy(&flight->landed);
    pdict__free(flights->allocator, flight);
}

static void take_result(const struct flight *flight, bool is_late, struct landing *out)
{
    *out = flight->landing;
    if (out->view.pin && is_late)
        *out = (struct landing){ .is_void = true };
    else if (out->view.pin)
        out->view = pdict__shared_view_again(&out->view);
}

static enum flight_turn await(struct flights *flights, struct flight *flight, int64_t deadline_ms,
                              struct landing *out)
{
    struct timespec until = { .tv_sec = (time_t)(deadline_ms / 1000),
                              .tv_nsec = (long)(deadline_ms % 1000) * 1000000 };
    enum flight_turn turn = FLIGHT_LATE;
    unsigned phase = flight->phase;
    int rc = 0;

    flight->references++;
    while (!flight->has_landed && rc != ETIMEDOUT)
        rc = pthread_cond_clockwait(&flight->landed, &flights->lock, CLOCK_MONOTONIC, &until);
    if (flight->has_landed) {
        take_result(flight, phase == flight->phase, out);
        turn = FLIGHT_LANDED;
    }
    let_go(flights, flight);
    return turn;
}

static enum flight_turn join_locked(struct flights *flights, uint64_t hash, pdict_slice key,
                                    int64_t deadline_ms, struct flight **led,
                                    struct landing *landing)
{
    struct flight *flight = find(flights, hash, key);

    if (!flight) {
        *led = begin(flights, hash, key);
        return *led ? FLIGHT_LEADS : FLIGHT_NOMEM;
    }
    if (deadline_ms == INT64_MIN)
        return FLIGHT_TAKEN;
    if (pthread_equal(flight->leader, pthread_self()))
        return FLIGHT_OWN;
    return await(flights, flight, deadline_ms, landing);
}

enum flight_turn pdict__flight_join(struct flights *flights, uint64_t hash, pdict_slice key,
                                    int64_t deadline_ms, struct flight **led,
                                    struct landing *landing)
{
    enum flight_turn turn;

    pthread_mutex_lock(&flights->lock);
    turn = join_locked(flights, hash, key, deadline_ms, led, landing);
    pthread_mutex_unlock(&flights->lock);
    return turn;
}

void pdict__flight_next_phase(struct flights *flights, struct flight *flight)
{
    pthread_mutex_lock(&flights->lock);
    flight->phase++;
    pthread_mutex_unlock(&flights->lock);
}

void pdict__flight_land(struct flights *flights, struct flight *flight,
                        const struct landing *landing)
{
    struct flight **link;

    pthread_mutex_lock(&flights->lock);
    for (link = bucket_of(flights, flight->hash); *link && *link != flight; link = &(*link)->next)
        ;
    if (*link)
        *link = flight->next;
    flight->has_landed = true;
    if (flight->references > 1) {
        flight->landing = *landing;
        if (landing->view.pin)
            flight->landing.view = pdict__shared_view_again(&landing->view);
        pthread_cond_broadcast(&flight->landed);
    }
    let_go(flights, flight);
    pthread_mutex_unlock(&flights->lock);
}
