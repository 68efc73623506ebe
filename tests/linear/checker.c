/* SPDX-License-Identifier: MIT */
/* The search for an order that explains a history. */
#include <stdlib.h>
#include <string.h>

#include "linear.h"

/* What a key holds; value numbers are unique, and so is what a MODIFY replaced, so `id` tells the
 * expiry too. */
struct state {
    uint32_t id; /* 0: nothing */
    int64_t expires_ms;
};

/* Where the search has been: which events have happened, and what they left. */
struct visited {
    uint64_t *done;
    uint32_t *ids;
    size_t capacity, count; /* a power of two; done 0 with id 0 is the start, never kept */
};

struct search {
    const struct event *events;
    size_t count;
    uint64_t all_known; /* bit of each event that must have happened */
    struct visited visited;
};

/* ---- memory ---- */

static size_t place_of(const struct visited *visited, uint64_t done, uint32_t id)
{
    uint64_t hash = (done ^ (uint64_t)id << 32 ^ id) * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(hash >> 32) & (visited->capacity - 1);

    while (visited->done[at] != 0 && (visited->done[at] != done || visited->ids[at] != id))
        at = (at + 1) & (visited->capacity - 1);
    return at;
}

static void visited_new(struct visited *visited, size_t capacity)
{
    visited->capacity = capacity;
    visited->count = 0;
    visited->done = calloc(capacity, sizeof(*visited->done));
    visited->ids = calloc(capacity, sizeof(*visited->ids));
    if (!visited->done || !visited->ids)
        abort();
}

static void visited_free(struct visited *visited)
{
    free(visited->done);
    free(visited->ids);
}

static void grow(struct visited *visited)
{
    struct visited larger;

    visited_new(&larger, visited->capacity * 2);
    for (size_t i = 0; i < visited->capacity; i++) {
        size_t at;

        if (visited->done[i] == 0)
            continue;
        at = place_of(&larger, visited->done[i], visited->ids[i]);
        larger.done[at] = visited->done[i];
        larger.ids[at] = visited->ids[i];
    }
    larger.count = visited->count;
    visited_free(visited);
    *visited = larger;
}

/* True the first time. */
static bool visit(struct visited *visited, uint64_t done, uint32_t id)
{
    size_t at;

    if (visited->count * 2 >= visited->capacity)
        grow(visited);
    at = place_of(visited, done, id);
    if (visited->done[at] != 0)
        return false;
    visited->done[at] = done;
    visited->ids[at] = id;
    visited->count++;
    return true;
}

/* ---- what a map would do ---- */

/* An event happens at some instant of its own, so the clock may have had any value meanwhile. */
static bool may_be_there(const struct event *event, const struct state *state)
{
    return state->id != 0 && (state->expires_ms == 0 || state->expires_ms > event->clock_called);
}

static bool may_be_gone(const struct event *event, const struct state *state)
{
    return state->id == 0 || (state->expires_ms != 0 && state->expires_ms <= event->clock_returned);
}

/* Could it have had its effect, or given its answer, at this state? */
static bool is_possible(const struct event *event, const struct state *state)
{
    bool has_effect = event->outcome == DONE || event->outcome == UNKNOWN;
    uint32_t expected = event->kind == GET || event->kind == POP ? event->id : event->if_id;
    bool is_same = may_be_there(event, state) && state->id == expected;

    if (event->outcome == ABSENT)
        return may_be_gone(event, state);
    switch (event->kind) {
    case GET:
        return is_same;
    case PUT:
        return true;
    case PUT_IF_ABSENT:
        return has_effect ? may_be_gone(event, state) : may_be_there(event, state);
    case PUT_IF_SAME:
        return has_effect ? is_same : may_be_there(event, state) && state->id != event->if_id;
    case POP:
        return is_same || (event->id == 0 && may_be_there(event, state));
    case MODIFY:
        return event->if_id ? is_same : may_be_gone(event, state);
    default:
        return may_be_there(event, state);
    }
}

static struct state after(const struct event *event, const struct state *state)
{
    if (event->kind == GET || (event->outcome != DONE && event->outcome != UNKNOWN))
        return *state;
    if (event->kind == DEL || event->kind == POP)
        return (struct state){ 0 };
    if (event->kind == MODIFY && event->if_id)
        return (struct state){ event->id, state->expires_ms };
    return (struct state){ event->id, event->expires_ms };
}

/* ---- the search ---- */

/* What returned before another was called came first: the earliest return bounds who is next. */
static int64_t earliest_return(const struct search *search, uint64_t done)
{
    int64_t earliest = INT64_MAX;

    for (size_t i = 0; i < search->count; i++) {
        if (!(done >> i & 1) && search->events[i].returned_ns < earliest)
            earliest = search->events[i].returned_ns;
    }
    return earliest;
}

static bool explain(struct search *search, uint64_t done, const struct state *state)
{
    int64_t bound = earliest_return(search, done);

    if ((done & search->all_known) == search->all_known)
        return true;
    for (size_t i = 0; i < search->count; i++) {
        const struct event *event = &search->events[i];
        uint64_t next = done | UINT64_C(1) << i;
        struct state left;

        if (next == done || event->called_ns > bound || !is_possible(event, state))
            continue;
        left = after(event, state);
        if (visit(&search->visited, next, left.id) && explain(search, next, &left))
            return true;
    }
    return false;
}

bool is_linearizable(const struct event *events, size_t count)
{
    struct search search = { .events = events, .count = count };
    const struct state nothing = { 0 };
    bool is_explained;

    visited_new(&search.visited, 1024);
    for (size_t i = 0; i < count; i++) {
        if (events[i].outcome != UNKNOWN)
            search.all_known |= UINT64_C(1) << i;
    }
    is_explained = explain(&search, 0, &nothing);
    visited_free(&search.visited);
    return is_explained;
}
