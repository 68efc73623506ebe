/* SPDX-License-Identifier: MIT */
/* crash_test: kills writers at random moments and at every file call; nothing they were told is lost. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "campaign.h"
#include "kills.h"

static const char usage[] =
    "usage: crash_test [options]\n"
    "  --mode MODE       random: kills at random moments (default);\n"
    "                    every: one at every file call of a small workload;\n"
    "                    beside: at every file call the process stops, another\n"
    "                    one opens the store, and then it dies\n"
    "  --ops N           operations in the modes every and beside (default: 24)\n"
    "  --kills N         in random mode (default: 200)\n"
    "  --seed N          (default: 1)\n"
    "  --first N         the store to begin with, as printed with a violation\n"
    "  --backend NAME, --codecs LIST, --durability LEVEL\n"
    "                    always this one, instead of all in turn\n"
    "  --totals FILE     keep the totals there\n"
    "  --resume          go on where the run that kept them ended, and add up\n";

enum {
    EXIT_USAGE = 2,
    KILLS_PER_STORE = 20,
    PATIENCE_MS = 20000 /* for survivors to go on; far more than the timeout of a put */
};

#define ALL_OPS    ((1u << OP_KINDS) - 1)
#define UPKEEP_OPS (1u << OP_COMPACT | 1u << OP_BACKUP | 1u << OP_MIGRATE | 1u << OP_RECODE)

/* The writers of one round. */
struct group {
    const struct plan *plan;
    struct oracle *oracle;
    pid_t pids[MOST_LANES]; /* 0: dead */
    int in;                 /* the pipe's end; all writers share the other */
    uint64_t kills;
};

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Hear what is said until that moment; false when the pipe ends, as it does with the last writer. */
static bool listen_until(struct group *group, int64_t until_us)
{
    struct pollfd in = { .fd = group->in, .events = POLLIN };
    struct record record;

    for (;;) {
        int64_t left_us = until_us - now_us();
        struct timespec left = { .tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000 };

        if (left_us <= 0 || ppoll(&in, 1, &left, NULL) == 0)
            return true;
        if (read(group->in, &record, sizeof(record)) != sizeof(record))
            return false;
        oracle_hear(group->oracle, &record);
    }
}

static void start(struct group *group, unsigned victim, const struct io_plan *death)
{
    static const struct io_plan none;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        abort();
    fflush(NULL);
    for (unsigned i = 0; i < group->plan->processes; i++) {
        if ((group->pids[i] = fork()) < 0)
            abort();
        if (group->pids[i] == 0) {
            close(ends[0]);
            worker_run(group->plan, group->oracle, i, ends[1], i == victim ? death : &none);
        }
    }
    close(ends[1]);
    group->in = ends[0];
}

static bool bury(struct group *group, unsigned process)
{
    pid_t pid = group->pids[process];

    group->pids[process] = 0;
    return reap(group->oracle, pid, "a writer");
}

/* Those that are left have to go on, whatever the dead one held. */
static bool survivors_go_on(struct group *group)
{
    uint64_t wanted = group->oracle->acknowledged + 2;
    int64_t give_up_us = now_us() + (int64_t)PATIENCE_MS * 1000;

    while (group->oracle->acknowledged < wanted && now_us() < give_up_us) {
        if (!listen_until(group, now_us() + 2000))
            break;
    }
    if (group->oracle->acknowledged >= wanted)
        return true;
    snprintf(group->oracle->text, sizeof(group->oracle->text),
             "one process was killed, and the others do not go on");
    return false;
}

static bool kill_all(struct group *group)
{
    bool is_right = true;

    for (unsigned i = 0; i < group->plan->processes; i++) {
        if (group->pids[i])
            kill(group->pids[i], SIGKILL);
    }
    group->kills++;
    while (listen_until(group, INT64_MAX / 2))
        ;
    for (unsigned i = 0; i < group->plan->processes; i++) {
        if (group->pids[i] && !bury(group, i))
            is_right = false;
    }
    close(group->in);
    return is_right;
}

/* One process, at a moment or a file call of its own; then, at once or later, all others. */
static bool kill_some(struct group *group, uint64_t *random)
{
    unsigned victim = (unsigned)random_below(random, group->plan->processes);
    struct io_plan death = { .action = random_below(random, 2) ? IO_KILL : IO_KILL_HALF,
                             .calls = random_below(random, 2) ? IO_ALL : IO_CHANGES };
    bool is_by_call = random_below(random, 2), is_right = true;
    int64_t moment_us = (int64_t)random_below(random, 30000);

    if (is_by_call)
        death.at = 1 + random_below(random, random_below(random, 3) ? 400 : 40);
    start(group, victim, &death);
    listen_until(group, now_us() + moment_us);
    if (group->plan->processes > 1 && random_below(random, 2)) {
        kill(group->pids[victim], SIGKILL);
        group->kills++;
        is_right = bury(group, victim) && survivors_go_on(group);
    }
    return kill_all(group) && is_right;
}

/* A process that opens the store is killed while it does, then the next. */
static void kill_recovery(const struct plan *plan, uint64_t *random, uint64_t *kills)
{
    struct io_plan death = { .action = IO_KILL_HALF,
                             .calls = IO_CHANGES,
                             .at = 1 + random_below(random, 24) };
    struct lane lane;
    int status;
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) < 0)
        abort();
    if (pid == 0) {
        io_arm(&death);
        if (lane_open(&lane, &plan->setup, 0, NULL) == PDICT_OK)
            lane_close(&lane);
        _exit(EXIT_SUCCESS);
    }
    waitpid(pid, &status, 0);
    *kills += WIFSIGNALED(status) != 0;
}

static bool one_round(const struct plan *plan, struct oracle *oracle, uint64_t *random,
                      struct campaign *campaign)
{
    struct group group = { .plan = plan, .oracle = oracle };
    uint64_t in_recovery = 0;
    bool is_right = kill_some(&group, random);

    for (uint64_t i = random_below(random, 3); is_right && i > 0; i--)
        kill_recovery(plan, random, &in_recovery);
    campaign_add(campaign, "kills", group.kills + in_recovery);
    campaign_add(campaign, "kills of processes that reopen", in_recovery);
    campaign_add(campaign, plan->setup.backend, group.kills + in_recovery);
    campaign_add(campaign, plan->setup.durability, group.kills + in_recovery);
    return is_right && check_apart(oracle, plan, random_below(random, 2));
}

/* ---- plans ---- */

static void make_plan(const struct campaign *campaign, uint64_t part, struct plan *out)
{
    uint64_t random = campaign->seed * 7919 + part;

    *out = (struct plan){ .seed = next_random(&random) };
    campaign_setup(campaign, part, &out->setup);
    snprintf(out->directory, sizeof(out->directory), "%s", campaign->directory);
    snprintf(out->setup.path, sizeof(out->setup.path), "%s/store", campaign->directory);
    out->processes = 1 + (unsigned)random_below(&random, MOST_LANES);
    out->threads = 1 + (unsigned)random_below(&random, MOST_LANES / out->processes);
    /* Upkeep needs the store for itself, or much of its time: in one plan of four. */
    out->mix = random_below(&random, 4) ? ALL_OPS & ~UPKEEP_OPS : ALL_OPS;
    if (out->mix & UPKEEP_OPS)
        out->processes = out->threads = 1;
}

static void tell_violation(const struct campaign *campaign, const struct plan *plan,
                           const struct oracle *oracle, uint64_t part)
{
    printf("%s, %s, %s, %u processes of %u threads: %s\n", plan->setup.backend, plan->setup.codecs,
           plan->setup.durability, plan->processes, plan->threads, oracle->text);
    printf("again: --seed %" PRIu64 " --first %" PRIu64 " --kills %d\n", campaign->seed, part,
           KILLS_PER_STORE);
}

static uint64_t total(const struct campaign *campaign, const char *name)
{
    for (unsigned i = 0; i < MOST_TOTALS; i++) {
        if (strcmp(campaign->totals[i].name, name) == 0)
            return campaign->totals[i].value;
    }
    return 0;
}

static bool one_store(struct campaign *campaign, struct oracle *oracle, uint64_t part)
{
    uint64_t random = campaign->seed * 104729 + part, before = total(campaign, "kills");
    struct plan plan;
    bool is_right = true;

    make_plan(campaign, part, &plan);
    remove_files(plan.setup.path);
    oracle_begin(oracle);
    while (is_right && total(campaign, "kills") < before + KILLS_PER_STORE)
        is_right = one_round(&plan, oracle, &random, campaign);
    if (!is_right)
        tell_violation(campaign, &plan, oracle, part);
    return is_right;
}

static void add_oracle(struct campaign *campaign, struct oracle *oracle)
{
    campaign_add(campaign, "stores", 1);
    campaign_add(campaign, "operations acknowledged", oracle->acknowledged);
    campaign_add(campaign, "operations unknown", oracle->unknown);
    campaign_add(campaign, "of these, done", oracle->happened);
    oracle->started = oracle->acknowledged = oracle->unknown = oracle->happened = 0;
}

static bool run_random(struct campaign *campaign, struct oracle *oracle)
{
    uint64_t until = total(campaign, "kills") + campaign->wanted, part = campaign->first;
    bool is_right = true;

    while (is_right && total(campaign, "kills") < until) {
        is_right = one_store(campaign, oracle, part++);
        add_oracle(campaign, oracle);
        campaign_save(campaign, is_right ? part : part - 1);
    }
    return is_right;
}

static bool run_every(struct campaign *campaign, struct oracle *oracle, bool is_beside)
{
    struct plan plan;
    uint64_t kills = 0;
    bool is_right;

    make_plan(campaign, campaign->first, &plan);
    plan.processes = is_beside ? 2 : 1;
    plan.threads = 1;
    plan.mix = ALL_OPS;
    is_right = is_beside ? beside_every_call(&plan, oracle, campaign->ops, &kills)
                         : every_call(&plan, oracle, campaign->ops, &kills);
    if (!is_right)
        tell_violation(campaign, &plan, oracle, campaign->first);
    campaign_add(campaign, "kills", kills);
    add_oracle(campaign, oracle);
    return is_right;
}

int main(int argc, char **argv)
{
    struct campaign campaign = { .unit = "kills", .seed = 1, .wanted = 200, .ops = 24 };
    struct oracle *oracle;
    bool is_right;

    if (!campaign_read(&campaign, argc, argv, usage))
        return EXIT_USAGE;
    if (!campaign_begin(&campaign))
        return EXIT_FAILURE;
    io_watch(campaign.directory);
    oracle = oracle_new();
    if (campaign.selected && strcmp(campaign.selected, "every") == 0)
        is_right = run_every(&campaign, oracle, false);
    else if (campaign.selected && strcmp(campaign.selected, "beside") == 0)
        is_right = run_every(&campaign, oracle, true);
    else
        is_right = run_random(&campaign, oracle);
    oracle_free(oracle);
    campaign_end(&campaign, is_right);
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
