/* SPDX-License-Identifier: MIT */
/* The checker itself: what it has to accept, and the planted mistakes that it has to find. */
#include "linear.h"
#include "test.h"

/* Instants are small numbers; an event that never returned ends at INT64_MAX. */
static struct event event(int kind, int outcome, uint32_t id, int64_t called, int64_t returned)
{
    return (struct event){ .kind = (uint8_t)kind,
                           .outcome = (uint8_t)outcome,
                           .id = id,
                           .called_ns = called,
                           .returned_ns = returned };
}

static struct event swap(int outcome, uint32_t from, uint32_t to, int64_t called, int64_t returned)
{
    struct event made = event(PUT_IF_SAME, outcome, to, called, returned);

    made.if_id = from;
    return made;
}

static struct event at_clock(struct event made, int64_t expires_ms, int64_t from, int64_t to)
{
    made.expires_ms = expires_ms;
    made.clock_called = from;
    made.clock_returned = to;
    return made;
}

#define ACCEPTED(...) CHECK(check((struct event[]){ __VA_ARGS__ }, COUNT(__VA_ARGS__)))
#define REFUSED(...)  CHECK(!check((struct event[]){ __VA_ARGS__ }, COUNT(__VA_ARGS__)))
#define COUNT(...)    (sizeof((struct event[]){ __VA_ARGS__ }) / sizeof(struct event))

static bool check(const struct event *events, size_t count)
{
    return is_linearizable(events, count);
}

TEST(checker, a_get_during_a_put_may_see_either)
{
    ACCEPTED(event(PUT, DONE, 1, 0, 10), event(GET, DONE, 1, 5, 6));
    ACCEPTED(event(PUT, DONE, 1, 0, 10), event(GET, ABSENT, 0, 5, 6));
}

TEST(checker, a_stale_read_is_found)
{
    REFUSED(event(PUT, DONE, 1, 0, 1), event(PUT, DONE, 2, 2, 3), event(GET, DONE, 1, 4, 5));
    REFUSED(event(PUT, DONE, 1, 0, 1), event(GET, ABSENT, 0, 2, 3));
    REFUSED(event(PUT, DONE, 1, 0, 1), event(DEL, DONE, 0, 2, 3), event(GET, DONE, 1, 4, 5));
}

TEST(checker, reads_do_not_go_back)
{
    REFUSED(event(PUT, DONE, 1, 0, 1), event(PUT, DONE, 2, 2, 20), event(GET, DONE, 2, 4, 5),
            event(GET, DONE, 1, 6, 7));
    ACCEPTED(event(PUT, DONE, 1, 0, 1), event(PUT, DONE, 2, 2, 20), event(GET, DONE, 1, 4, 5),
             event(GET, DONE, 2, 6, 7));
}

TEST(checker, a_lost_update_is_found)
{
    REFUSED(event(PUT, DONE, 1, 0, 1), swap(DONE, 1, 2, 2, 9), swap(DONE, 1, 3, 3, 8));
    ACCEPTED(event(PUT, DONE, 1, 0, 1), swap(DONE, 1, 2, 2, 9), swap(OTHER, 1, 3, 3, 8));
}

TEST(checker, only_one_insert_succeeds)
{
    REFUSED(event(PUT_IF_ABSENT, DONE, 1, 0, 9), event(PUT_IF_ABSENT, DONE, 2, 1, 8));
    ACCEPTED(event(PUT_IF_ABSENT, DONE, 1, 0, 9), event(PUT_IF_ABSENT, PRESENT, 2, 1, 8));
    REFUSED(event(PUT_IF_ABSENT, PRESENT, 1, 0, 9));
}

TEST(checker, an_unknown_write_may_happen_late_or_never)
{
    struct event lost = event(PUT, UNKNOWN, 1, 0, INT64_MAX);

    ACCEPTED(lost, event(GET, ABSENT, 0, 1, 2), event(GET, DONE, 1, 3, 4));
    ACCEPTED(lost, event(GET, ABSENT, 0, 1, 2));
    REFUSED(lost, event(GET, DONE, 1, 1, 2), event(GET, ABSENT, 0, 3, 4));
    REFUSED(event(PUT, UNKNOWN, 1, 5, INT64_MAX), event(GET, DONE, 1, 1, 2));
}

TEST(checker, an_acknowledged_write_is_not_lost)
{
    REFUSED(event(PUT, DONE, 1, 0, 1), event(PUT, UNKNOWN, 2, 2, INT64_MAX),
            event(GET, ABSENT, 0, 3, 4));
}

TEST(checker, an_expired_read_is_found)
{
    struct event put = at_clock(event(PUT, DONE, 1, 0, 1), 100, 90, 90);

    REFUSED(put, at_clock(event(GET, DONE, 1, 2, 3), 0, 100, 100));
    REFUSED(put, at_clock(event(GET, ABSENT, 0, 2, 3), 0, 98, 99));
    ACCEPTED(put, at_clock(event(GET, DONE, 1, 2, 3), 0, 99, 100));
    ACCEPTED(put, at_clock(event(GET, ABSENT, 0, 2, 3), 0, 99, 100));
    ACCEPTED(put, at_clock(event(PUT_IF_ABSENT, DONE, 2, 2, 3), 0, 100, 101));
    REFUSED(put, at_clock(event(DEL, DONE, 0, 2, 3), 0, 100, 101));
}
