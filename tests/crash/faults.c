/* SPDX-License-Identifier: MIT */
/* io_fault_test: every file call and allocation of a workload fails in turn, once or from then on. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaign.h"
#include "io.h"

static const char usage[] =
    "usage: io_fault_test [options]\n"
    "  --ops N           operations, 9 or more; the faults begin after 8 (default: 20)\n"
    "  --mode calls|memory\n"
    "                    file calls or allocations (default: both)\n"
    "  --step N          every Nth of them (default: 1)\n"
    "  --seed N          of the workload (default: 1)\n"
    "  --first N         the kind of fault to begin with, as printed with a violation\n"
    "  --backend NAME, --codecs LIST, --durability LEVEL\n"
    "                    (default: sqlite, raw, full)\n"
    "  --totals FILE     keep the totals there\n";

enum {
    EXIT_USAGE = 2,
    PRELUDE = 8, /* operations before the fault */
    HANG_SECONDS = 60
};

#define OPS_MIX (((1u << OP_KINDS) - 1) & ~(1u << OP_COUNT_UP))

/* A system call that is interrupted for ever is tried again for ever, so that one is not here. */
static const struct fault {
    const char *name;
    enum io_action action;
    int error;
    unsigned calls;
    bool is_onward;
} faults[] = {
    { "EIO once", IO_FAIL, EIO, IO_ALL, false },
    { "EIO from then on", IO_FAIL, EIO, IO_ALL, true },
    { "EIO of syncs once", IO_FAIL, EIO, 1u << IO_SYNC, false },
    { "EIO of syncs from then on", IO_FAIL, EIO, 1u << IO_SYNC, true },
    { "ENOSPC once", IO_FAIL, ENOSPC, 1u << IO_OPEN | 1u << IO_WRITE | 1u << IO_TRUNCATE, false },
    { "ENOSPC from then on", IO_FAIL, ENOSPC, 1u << IO_OPEN | 1u << IO_WRITE | 1u << IO_TRUNCATE,
      true },
    { "EDQUOT once", IO_FAIL, EDQUOT, 1u << IO_OPEN | 1u << IO_WRITE | 1u << IO_TRUNCATE, false },
    { "EINTR once", IO_FAIL, EINTR, 1u << IO_OPEN | 1u << IO_READ | 1u << IO_WRITE, false },
    { "short once", IO_SHORT, 0, 1u << IO_READ | 1u << IO_WRITE, false },
    { "short from then on", IO_SHORT, 0, 1u << IO_READ | 1u << IO_WRITE, true },
    { "no memory once", IO_FAIL, ENOMEM, 1u << IO_MEMORY, false },
    { "no memory from then on", IO_FAIL, ENOMEM, 1u << IO_MEMORY, true },
};

#define N_FAULTS (sizeof(faults) / sizeof(faults[0]))

/* Shared with the child that meets the fault. */
struct outcome {
    uint64_t hits;
    uint64_t failed_ops;
    bool is_poisoned;
    char text[1024];
};

/* What the child knows while it works. */
struct trial {
    const struct setup *setup;
    const struct fault *fault;
    struct outcome *outcome;
    uint64_t seed;
    uint64_t ops; /* in all */
    struct lane lane;
    struct model model, other; /* `other` may be true instead, when the outcome is unknown */
    bool is_unknown;
    bool may_have_stopped; /* a compaction met the fault */
};

static atomic_long live_blocks;

static void *count_allocate(void *ctx, size_t size)
{
    void *memory = malloc(size);

    (void)ctx;
    atomic_fetch_add(&live_blocks, memory != NULL);
    return memory;
}

static void *count_reallocate(void *ctx, void *memory, size_t size)
{
    void *bigger = realloc(memory, size);

    (void)ctx;
    atomic_fetch_add(&live_blocks, memory == NULL && bigger != NULL);
    return bigger;
}

static void count_release(void *ctx, void *memory)
{
    (void)ctx;
    atomic_fetch_sub(&live_blocks, memory != NULL);
    free(memory);
}

static const pdict_allocator counting = { count_allocate, count_reallocate, count_release, NULL };

static int count_descriptors(void)
{
    DIR *entries = opendir("/proc/self/fd");
    int count = 0;

    while (entries && readdir(entries))
        count++;
    if (entries)
        closedir(entries);
    return count;
}

static _Noreturn void violate(struct trial *trial, const char *what, int status)
{
    snprintf(trial->outcome->text, sizeof(trial->outcome->text), "%s: %s: %s", what,
             pdict_status_name(status), pdict_error_text());
    _exit(EXIT_FAILURE);
}

/* ---- operations that may fail ---- */

static bool is_commit(const struct op *op)
{
    return op->kind <= OP_CLEAR;
}

/* One that reads first may fail at that, since LMDB stops altogether when a meta page fails. */
static bool is_refusal(const struct op *op, int status)
{
    if (op->kind == OP_PUT_IF_VERSION)
        return status != PDICT_OK;
    return !is_commit(op) || status == PDICT_POISONED;
}

static void judge(struct trial *trial, const struct op *op, int status, bool is_hit)
{
    if (status != PDICT_OK) {
        trial->outcome->failed_ops++;
        if (pdict_error_text()[0] == '\0')
            violate(trial, "an operation failed without a text", status);
    }
    if (trial->outcome->is_poisoned && !is_refusal(op, status))
        violate(trial, "a write after an unknown outcome was not refused", status);
    if (status == PDICT_OK && is_hit && is_commit(op) && trial->fault->calls == 1u << IO_SYNC &&
        strcmp(trial->setup->durability, "full") == 0)
        violate(trial, "a write was acknowledged though its sync failed", status);
    if (status != PDICT_OK && is_hit && (op->kind == OP_COMPACT || op->kind == OP_RECODE))
        trial->may_have_stopped = true;
    /* Of a migration it is the new store's. */
    if (status == PDICT_UNKNOWN_OUTCOME && op->kind != OP_MIGRATE) {
        trial->other = trial->model;
        model_apply(&trial->other, op);
        trial->is_unknown = trial->outcome->is_poisoned = true;
    }
    if (status == PDICT_OK)
        model_apply(&trial->model, op);
}

static void operate(struct trial *trial, uint64_t from, uint64_t to)
{
    struct op op;

    for (uint64_t i = from; i <= to; i++) {
        uint64_t hits = io_hits();
        int status;

        op_make(trial->seed, i, OPS_MIX, &op);
        status = op_do(&trial->lane, &op);
        judge(trial, &op, status, io_hits() > hits);
    }
}

static void check_content(struct trial *trial, const char *when)
{
    struct model seen;
    int status = model_read(trial->lane.d, &seen);

    if (status != PDICT_OK)
        violate(trial, when, status);
    if (!model_equal(&seen, &trial->model) &&
        !(trial->is_unknown && model_equal(&seen, &trial->other)))
        violate(trial, when, PDICT_DAMAGED);
    trial->model = seen;
}

static void open_lane(struct trial *trial, const char *when)
{
    int status = lane_open(&trial->lane, trial->setup, 0, &counting);

    if (status != PDICT_OK)
        violate(trial, when, status);
}

static void close_lane(struct trial *trial)
{
    lane_close(&trial->lane);
    if (atomic_load(&live_blocks) != 0)
        violate(trial, "memory was not released", PDICT_OK);
}

/* ---- one fault ---- */

/* A store without a fault, and what is in it. */
static void prepare(struct trial *trial)
{
    open_lane(trial, "opening before the fault");
    operate(trial, 1, PRELUDE);
    close_lane(trial);
}

static void meet(struct trial *trial, uint64_t at)
{
    struct io_plan plan = { .action = trial->fault->action,
                            .calls = trial->fault->calls,
                            .at = at,
                            .is_onward = trial->fault->is_onward,
                            .error = trial->fault->error };
    int status;

    io_arm(&plan);
    status = lane_open(&trial->lane, trial->setup, 0, &counting);
    if (status == PDICT_OK)
        operate(trial, PRELUDE + 1, trial->ops);
    else if (pdict_error_text()[0] == '\0')
        violate(trial, "opening failed without a text", status);
}

/* LMDB's answer to a commit that failed at its very end, and to a compaction that failed while the
 * content was replaced, as its page says. */
static bool has_stopped(struct trial *trial)
{
    struct model seen;

    return (trial->outcome->is_poisoned || trial->may_have_stopped) &&
           strcmp(trial->setup->backend, "lmdb") == 0 &&
           model_read(trial->lane.d, &seen) == PDICT_IO;
}

/* The fault is gone: reading goes on, and so does writing, unless it is refused till reopened. */
static void go_on(struct trial *trial)
{
    struct op op = { .kind = OP_PUT, .count = 1, .number = trial->ops + 1, .keys = { 3 } };
    bool is_stopped;
    int status;

    if (!trial->lane.d)
        return;
    if (!(is_stopped = has_stopped(trial)))
        check_content(trial, "reading when the fault was gone");
    status = op_do(&trial->lane, &op);
    judge(trial, &op, status, false);
    if (!is_stopped && !trial->outcome->is_poisoned && status != PDICT_OK &&
        status != PDICT_POISONED)
        violate(trial, "writing when the fault was gone", status);
}

static void reopen(struct trial *trial)
{
    struct op op = { .kind = OP_PUT, .count = 1, .number = trial->ops + 2, .keys = { 4 } };
    int status;

    open_lane(trial, "reopening");
    check_content(trial, "reading after reopening");
    if ((status = verify_all(trial->setup, trial->lane.store)) != PDICT_OK)
        violate(trial, "verifying", status);
    if ((status = op_do(&trial->lane, &op)) != PDICT_OK)
        violate(trial, "writing after reopening", status);
    close_lane(trial);
}

/* A backup or migration that failed leaves no name, or that of a whole store. */
static void check_copy(struct trial *trial)
{
    struct setup setup = *trial->setup;
    struct lane lane;
    int status;

    setup.backend = "";
    strcat(setup.path, ".copy");
    if (access(setup.path, F_OK) != 0)
        return;
    if ((status = lane_open(&lane, &setup, 0, NULL)) == PDICT_OK)
        status = verify_all(&setup, lane.store);
    lane_close(&lane);
    if (status != PDICT_OK)
        violate(trial, "a copy", status);
}

static _Noreturn void try_fault(struct trial *trial, uint64_t at)
{
    int descriptors;
    long blocks;

    alarm(HANG_SECONDS);
    prepare(trial);
    descriptors = count_descriptors();
    blocks = memory_blocks();
    meet(trial, at);
    io_disarm();
    trial->outcome->hits = io_hits();
    go_on(trial);
    close_lane(trial);
    if (count_descriptors() != descriptors)
        violate(trial, "a descriptor stayed open", PDICT_OK);
    if (memory_blocks() > blocks)
        violate(trial, "memory of an engine was not released", PDICT_OK);
    reopen(trial);
    check_copy(trial);
    _exit(EXIT_SUCCESS);
}

/* ---- all of them ---- */

static bool one_fault(struct trial *trial, uint64_t at)
{
    int status;
    pid_t pid;

    memset(trial->outcome, 0, sizeof(*trial->outcome));
    remove_files(trial->setup->path);
    fflush(NULL);
    if ((pid = fork()) < 0)
        abort();
    if (pid == 0)
        try_fault(trial, at);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    printf("%s, %s, %s, at call %" PRIu64 ": ", trial->setup->backend, trial->setup->codecs,
           trial->fault->name, at);
    if (trial->outcome->text[0])
        printf("%s\n", trial->outcome->text);
    else
        printf("wait status %#x\n", (unsigned)status);
    printf("again: --seed %" PRIu64 " --first %td\n", trial->seed, trial->fault - faults);
    return false;
}

/* Each call in turn, until there is no such call any more. */
static bool one_kind(struct campaign *campaign, struct trial *trial)
{
    uint64_t tried = 0, unknown = 0, failed = 0;
    bool is_right = true;

    do {
        is_right = one_fault(trial, 1 + tried++ * campaign->step);
        unknown += trial->outcome->is_poisoned;
        failed += trial->outcome->failed_ops;
    } while (is_right && trial->outcome->hits > 0);
    campaign_add(campaign, trial->fault->name, tried - 1);
    campaign_add(campaign, "faults", tried - 1);
    campaign_add(campaign, "operations that failed", failed);
    campaign_add(campaign, "of unknown outcome", unknown);
    return is_right;
}

static bool is_chosen(const struct campaign *campaign, const struct fault *fault)
{
    const char *mode = fault->calls == 1u << IO_MEMORY ? "memory" : "calls";

    return !campaign->selected || strcmp(campaign->selected, mode) == 0;
}

static bool run(struct campaign *campaign, struct outcome *outcome)
{
    struct setup setup = { .backend = campaign->backend ? campaign->backend : "sqlite",
                           .codecs = campaign->codecs ? campaign->codecs : "raw",
                           .durability = campaign->durability ? campaign->durability : "full" };
    bool is_right = true;

    snprintf(setup.path, sizeof(setup.path), "%s/store", campaign->directory);
    for (uint64_t i = campaign->first; is_right && i < N_FAULTS; i++) {
        struct trial trial = { .setup = &setup,
                               .fault = &faults[i],
                               .outcome = outcome,
                               .seed = campaign->seed,
                               .ops = campaign->ops };

        if (is_chosen(campaign, &faults[i]))
            is_right = one_kind(campaign, &trial);
    }
    campaign_save(campaign, 0);
    return is_right;
}

int main(int argc, char **argv)
{
    struct campaign campaign = {
        .unit = "kinds of faults", .seed = 1, .wanted = N_FAULTS, .ops = 20, .step = 1
    };
    struct outcome *outcome =
        mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool is_right;

    if (!campaign_read(&campaign, argc, argv, usage))
        return EXIT_USAGE;
    if (outcome == MAP_FAILED || !campaign_begin(&campaign))
        return EXIT_FAILURE;
    io_watch(campaign.directory);
    is_right = run(&campaign, outcome);
    campaign_end(&campaign, is_right);
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
