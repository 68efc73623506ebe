/* SPDX-License-Identifier: MIT */
/* linear_test: records histories on one backend and checks that each is linearizable. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    "  --rounds N        histories (default: 200)\n"
    "  --seed N          (default: 1)\n";

enum {
    EXIT_USAGE = 2
};

static bool read_arguments(int argc, char **argv, struct plan *out)
{
    static const struct option options[] = {
        { "backend", required_argument, NULL, 'b' },
        { "codecs", required_argument, NULL, 'c' },
        { "options", required_argument, NULL, 'O' },
        { "processes", required_argument, NULL, 'p' },
        { "threads", required_argument, NULL, 't' },
        { "ops", required_argument, NULL, 'o' },
        { "keys", required_argument, NULL, 'k' },
        { "kill", required_argument, NULL, 'K' },
        { "rounds", required_argument, NULL, 'r' },
        { "seed", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        unsigned long long number = optarg ? strtoull(optarg, NULL, 0) : 0;

        switch (letter) {
        case 'b':
            out->backend = optarg;
            break;
        case 'c':
            out->codecs = optarg;
            break;
        case 'O':
            out->options = optarg;
            break;
        case 'p':
            out->processes = (unsigned)number;
            break;
        case 't':
            out->threads = (unsigned)number;
            break;
        case 'o':
            out->ops = (unsigned)number;
            break;
        case 'k':
            out->keys = (unsigned)number;
            break;
        case 'K':
            out->kill_percent = (unsigned)number;
            break;
        case 'r':
            out->rounds = number;
            break;
        case 's':
            out->seed = number;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
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
