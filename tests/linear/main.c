/* SPDX-License-Identifier: MIT */
/* linear_test: records histories on one backend and checks that each is linearizable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "linear.h"

static const char usage[] =
    "usage: linear_test [options]\n"
    "  --backend NAME    sqlite, or with a layer before it: trace+lmdb (default: memory)\n"
    "  --codecs LIST     as in a URI (default: raw)\n"
    "  --options TEXT    more of the URI: '&cache=off'\n"
    "  --processes N     that share the store (default: 2; memory: 1)\n"
    "  --threads N       of each process (default: 2)\n"
    "  --ops N           of each thread in a history (default: 8)\n"
    "  --keys N          of a history, 1 to 4 (default: 2)\n"
    "  --kill PERCENT    of the histories in which a process is killed (default: 2; memory: 0)\n"
    "  --fold PERCENT    of the operations before which the log is folded in (default: 0)\n"
    "  --rounds N        histories (default: 200)\n"
    "  --seed N          (default: 1)\n";

enum {
    EXIT_USAGE = 2
};

static bool read_arguments(int argc, char **argv, struct plan *out)
{
    const struct argument known[] = {
        { "backend", .text = &out->backend },    { "codecs", .text = &out->codecs },
        { "options", .text = &out->options },    { "processes", .count = &out->processes },
        { "threads", .count = &out->threads },   { "ops", .count = &out->ops },
        { "keys", .count = &out->keys },         { "kill", .count = &out->kill_percent },
        { "fold", .count = &out->fold_percent }, { "rounds", .number = &out->rounds },
        { "seed", .number = &out->seed },        { 0 },
    };

    return arguments_read(known, usage, argc, argv);
}

/* Maps in memory are those of one process. */
static bool complete(struct plan *plan)
{
    bool is_alone = strstr(plan->backend, "memory") != NULL;
    unsigned threads;

    if (plan->processes == 0)
        plan->processes = is_alone ? 1 : 2;
    if (plan->kill_percent > 100)
        plan->kill_percent = is_alone ? 0 : 2;
    threads = plan->processes * plan->threads;
    return threads >= 1 && threads <= MOST_THREADS && plan->ops >= 1 && plan->ops <= MOST_OPS &&
           threads * plan->ops <= MOST_KEY_EVENTS && plan->keys >= 1 && plan->keys <= MOST_KEYS &&
           !(is_alone && (plan->processes > 1 || plan->kill_percent > 0));
}

int main(int argc, char **argv)
{
    struct plan plan = { .backend = "memory",
                         .codecs = "raw",
                         .options = "",
                         .threads = 2,
                         .ops = 8,
                         .keys = 2,
                         .kill_percent = 101,
                         .rounds = 200,
                         .seed = 1 };

    if (!read_arguments(argc, argv, &plan) || !complete(&plan)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    printf("%s, %s, %u processes x %u threads x %u operations on %u keys, seed %llu\n",
           plan.backend, plan.codecs, plan.processes, plan.threads, plan.ops, plan.keys,
           (unsigned long long)plan.seed);
    return record_and_check(&plan) ? EXIT_SUCCESS : EXIT_FAILURE;
}
