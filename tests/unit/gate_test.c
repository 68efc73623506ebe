/* SPDX-License-Identifier: MIT */
/* The gate before the writer: exclusive, first come first served, bounded. */
#include "store/store.h"

#include <pthread.h>
#include <sched.h>

#include "test.h"

static struct gate gate;
static int order[8], n_served;

static int64_t soon(int64_t ms)
{
    return pdict__steady_ms() + ms;
}

static bool someone_waits_behind(int n)
{
    bool result;

    pthread_mutex_lock(&gate.lock);
    result = (n == 0 && gate.first) || (n > 0 && gate.last && gate.first != gate.last);
    pthread_mutex_unlock(&gate.lock);
    return result;
}

static void *serve(void *arg)
{
    CHECK_OK(pdict__gate_enter(&gate, soon(60000)));
    order[n_served++] = *(int *)arg;
    pdict__gate_leave(&gate);
    return NULL;
}

TEST(gate, waiters_are_served_in_the_order_they_came)
{
    pthread_t threads[2];
    int ids[2] = { 1, 2 };

    CHECK_OK(pdict__gate_init(&gate));
    CHECK_OK(pdict__gate_enter(&gate, soon(0)));
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, serve, &ids[i]), 0);
        while (!someone_waits_behind(i))
            sched_yield();
    }
    pdict__gate_leave(&gate);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(n_served, 2);
    CHECK_INT(order[0], 1);
    CHECK_INT(order[1], 2);
    CHECK(!gate.is_taken);
    pdict__gate_destroy(&gate);
}

static void *enter_too_late(void *unused)
{
    (void)unused;
    CHECK_STATUS(pdict__gate_enter(&gate, soon(5)), PDICT_BUSY);
    return NULL;
}

TEST(gate, a_waiter_gives_up_at_its_deadline_and_leaves_the_others_in_line)
{
    pthread_t late, patient;
    int id = 3;

    n_served = 0;
    CHECK_OK(pdict__gate_init(&gate));
    CHECK_OK(pdict__gate_enter(&gate, soon(0)));
    CHECK_STATUS(pdict__gate_enter(&gate, soon(-1)), PDICT_BUSY);
    CHECK_INT(pthread_create(&patient, NULL, serve, &id), 0);
    while (!someone_waits_behind(0))
        sched_yield();
    CHECK_INT(pthread_create(&late, NULL, enter_too_late, NULL), 0);
    pthread_join(late, NULL);
    pdict__gate_leave(&gate);
    pthread_join(patient, NULL);
    CHECK_INT(n_served, 1);
    CHECK_OK(pdict__gate_enter(&gate, soon(0)));
    pdict__gate_leave(&gate);
    pdict__gate_destroy(&gate);
}
