/* SPDX-License-Identifier: MIT */
/* A process that writes until it is killed, and says on a pipe what it begins and what is done. */
#include "kills.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPS_PER_READ 16

struct writer {
    const struct plan *plan;
    unsigned lane;
    int out;
    struct lane_facts facts;
};

static _Noreturn void give_up(const struct writer *writer, const char *what, int status)
{
    fprintf(stderr, "lane %u: %s: %s: %s\n", writer->lane, what, pdict_status_name(status),
            pdict_error_text());
    _exit(EXIT_FAILURE);
}

static void tell(const struct writer *writer, const struct record *record)
{
    if (write(writer->out, record, sizeof(*record)) != sizeof(*record))
        _exit(EXIT_FAILURE);
}

static void operate(struct writer *writer, struct lane *lane)
{
    struct record record = { .lane = writer->lane };
    int status;

    op_make(writer->plan->seed, writer->facts.next, writer->plan->mix, &record.op);
    writer->facts.next += MOST_LANES;
    tell(writer, &record);
    status = op_do(lane, &record.op);
    if (status != PDICT_OK && status != PDICT_BUSY)
        give_up(writer, op_name(&record.op), status);
    record.is_ack = true;
    record.is_done = status == PDICT_OK;
    tell(writer, &record);
    if (record.is_done)
        model_apply(&writer->facts.model, &record.op);
}

static void check_own(struct writer *writer, struct lane *lane)
{
    struct model seen;
    int status = model_read(lane->d, &seen);

    if (status != PDICT_OK)
        give_up(writer, "reading", status);
    if (!model_equal(&seen, &writer->facts.model))
        give_up(writer, "what was written is not what is read", PDICT_DAMAGED);
}

static void *write_on(void *ctx)
{
    struct writer *writer = ctx;
    struct lane lane;
    int status = lane_open(&lane, &writer->plan->setup, writer->lane, NULL);

    if (status != PDICT_OK)
        give_up(writer, "opening", status);
    for (unsigned i = 1;; i++) {
        operate(writer, &lane);
        if (i % OPS_PER_READ == 0)
            check_own(writer, &lane);
    }
    return NULL;
}

_Noreturn void worker_run(const struct plan *plan, const struct oracle *oracle, unsigned process,
                          int out, const struct io_plan *death)
{
    struct writer writers[MOST_LANES];
    pthread_t thread;

    io_arm(death);
    for (unsigned i = 0; i < plan->threads; i++) {
        unsigned lane = process * plan->threads + i;

        writers[i] =
            (struct writer){ .plan = plan, .lane = lane, .out = out, .facts = oracle->lanes[lane] };
        if (pthread_create(&thread, NULL, write_on, &writers[i]) != 0)
            abort();
    }
    for (;;)
        pause();
}
