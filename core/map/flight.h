/* SPDX-License-Identifier: MIT */
/* Flights: of the threads of this process that want a key computed one leads, the others wait. */
#ifndef PDICT_MAP_FLIGHT_H
#define PDICT_MAP_FLIGHT_H

#include <pdict/map.h>
#include <pthread.h>

#include "base/base.h"

#define FLIGHT_BUCKETS 64
#define FLIGHT_TEXT    512

/* What became of a computation, for those who waited. */
struct landing {
    bool is_void; /* nothing that concerns them: they begin again */
    int status;
    pdict_view view; /* with PDICT_OK: pinned, of pdict__shared_view() */
    char text[FLIGHT_TEXT];
};

struct flight {
    struct flight *next;
    uint64_t hash;
    pdict_slice key; /* borrowed from who leads, until it has landed */
    pthread_t leader;
    pthread_cond_t landed;
    bool has_landed;
    unsigned phase; /* grows before each moment at which a value may become true */
    unsigned references;
    struct landing landing;
};

/* Those of one map. */
struct flights {
    const pdict_allocator *allocator;
    pthread_mutex_t lock; /* innermost */
    struct flight *buckets[FLIGHT_BUCKETS];
};

enum flight_turn {
    FLIGHT_LEADS,  /* this thread, and has to end it */
    FLIGHT_LANDED, /* another one led, and this came of it */
    FLIGHT_TAKEN,  /* another one leads; only where this one would not wait */
    FLIGHT_LATE,   /* the deadline has passed */
    FLIGHT_OWN,    /* this very thread leads already */
    FLIGHT_NOMEM
};

void pdict__flights_init(struct flights *flights, const pdict_allocator *allocator);
void pdict__flights_destroy(struct flights *flights);
/* Lead the flight of a key, or wait for its end until the deadline (steady clock; INT64_MIN: do not
 * wait). FLIGHT_LEADS: *led; FLIGHT_LANDED: *landing, whose view is the caller's. */
enum flight_turn pdict__flight_join(struct flights *flights, uint64_t hash, pdict_slice key,
                                    int64_t deadline_ms, struct flight **led,
                                    struct landing *landing);
/*
 * For who leads: what it reads or puts from now on may become its value. A value goes to those who
 * came before that, for then it was true during their call; those who come later may come behind
 * somebody who has deleted it already, and begin again.
 */
void pdict__flight_next_phase(struct flights *flights, struct flight *flight);
/* For who leads: those who wait get what has become of it; the view stays the caller's. */
void pdict__flight_land(struct flights *flights, struct flight *flight,
                        const struct landing *landing);
/* In the child of a fork: those who led are not there any more. */
void pdict__flights_fork_child(struct flights *flights);

/* ---- views of one value for many ---- */

struct map;

/* A copy of a value, with one pin, which is wiped if the map is encrypted; `like` gives its version and times. PDICT_NOMEM. */
int pdict__shared_view(const struct map *map, pdict_slice value, const pdict_view *like,
                       pdict_view *out);
/* One more pin of it. */
pdict_view pdict__shared_view_again(const pdict_view *view);

#endif
