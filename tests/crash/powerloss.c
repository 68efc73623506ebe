/* SPDX-License-Identifier: MIT */
/* powerloss_test: records what a writer wrote and synced, and reopens what a power loss may leave. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaign.h"
#include "disk.h"
#include "io.h"

static const char usage[] =
    "usage: powerloss_test [options]\n"
    "  --mode record     only record a workload, and print how many calls were recorded\n"
    "  --states N        (default: 2000)\n"
    "  --seed N          (default: 1)\n"
    "  --first N         the recording to begin with, as printed with a violation\n"
    "  --backend NAME, --codecs LIST, --durability LEVEL\n"
    "                    always this one, instead of all in turn; not unsafe, which promises\n"
    "                    nothing here\n"
    "  --totals FILE     keep the totals there\n"
    "  --resume          go on where the run that kept them ended, and add up\n";

enum {
    EXIT_USAGE = 2,
    OPS = 40,
    STATES_PER_RECORDING = 1000
};

#define LOG_BYTES ((size_t)1 << 30)
#define OPS_MIX   (((1u << OP_KINDS) - 1) & ~(1u << OP_COUNT_UP))

/* Marks in the record: the number of an operation, and whether it begins or is done. */
#define MARK_OPENED        1
#define MARK_BEGUN(number) ((number)*2)
#define MARK_DONE(number)  ((number)*2 + 1)

/* One workload and what may be left of it. */
struct recording {
    struct setup setup;
    uint64_t seed;
    struct model models[OPS + 1]; /* after so many operations */
    struct op ops[OPS + 1];       /* from 1 */
};

/* Where in a recording the power goes. */
struct moment {
    uint64_t event;
    bool is_opened;
    uint64_t safe;  /* operations that must be there */
    uint64_t begun; /* operations that may be */
};

/* Shared with the child that checks, which may die of what it reads. */
struct verdict {
    uint64_t state;
    struct moment moment;
    enum disk_policy policy;
    char text[1024];
};

/* ---- recording ---- */

static void prepare(struct recording *recording)
{
    memset(recording->models, 0, sizeof(recording->models));
    for (uint64_t i = 1; i <= OPS; i++) {
        op_make(recording->seed, i, OPS_MIX, &recording->ops[i]);
        recording->models[i] = recording->models[i - 1];
        model_apply(&recording->models[i], &recording->ops[i]);
    }
}

static _Noreturn void give_up(const char *what, int status)
{
    fprintf(stderr, "%s: %s: %s\n", what, pdict_status_name(status), pdict_error_text());
    _exit(EXIT_FAILURE);
}

static _Noreturn void do_all(const struct recording *recording, struct io_log *log)
{
    struct lane lane;
    int status;

    io_record(log);
    if ((status = lane_open(&lane, &recording->setup, 0, NULL)) != PDICT_OK)
        give_up("opening", status);
    io_mark(MARK_OPENED);
    for (uint64_t i = 1; i <= OPS; i++) {
        io_mark(MARK_BEGUN(i));
        if ((status = op_do(&lane, &recording->ops[i])) != PDICT_OK)
            give_up(op_name(&recording->ops[i]), status);
        io_mark(MARK_DONE(i));
    }
    lane_close(&lane);
    _exit(EXIT_SUCCESS);
}

static bool ended_well(pid_t pid)
{
    int status;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool record(const struct recording *recording, struct io_log *log)
{
    pid_t pid;

    io_log_clear(log);
    fflush(NULL);
    if ((pid = fork()) < 0)
        abort();
    if (pid == 0)
        do_all(recording, log);
    return ended_well(pid);
}

/* ---- what must be there ---- */

/* A sync makes everything before it safe, and so does each operation of its own at full. */
static void pass(const struct recording *recording, const struct io_event *event,
                 struct moment *moment)
{
    uint64_t number = event->offset / 2;
    bool is_full = strcmp(recording->setup.durability, "full") == 0;

    moment->event++;
    if (event->kind != IO_MARK)
        return;
    if (event->offset == MARK_OPENED)
        moment->is_opened = true;
    else if (event->offset == MARK_BEGUN(number))
        moment->begun = number;
    else if (is_full || recording->ops[number].kind == OP_SYNC)
        moment->safe = number;
}

static int find_model(const struct recording *recording, const struct moment *moment,
                      const struct model *seen)
{
    for (uint64_t i = moment->safe; i <= moment->begun; i++) {
        if (model_equal(seen, &recording->models[i]))
            return PDICT_OK;
    }
    for (uint64_t i = 0; i < moment->safe; i++) {
        if (model_equal(seen, &recording->models[i]))
            return pdict_fail(PDICT_DAMAGED,
                              "%" PRIu64 " operations are there, %" PRIu64 " were acknowledged", i,
                              moment->safe);
    }
    return pdict_fail(PDICT_DAMAGED, "what is there is no prefix of the operations");
}

/* ---- checking ---- */

static int check_store(const struct recording *recording, const struct moment *moment,
                       bool is_written)
{
    struct model seen;
    struct lane lane;
    int status = lane_open(&lane, &recording->setup, 0, NULL);

    if (status == PDICT_OK)
        status = model_read(lane.d, &seen);
    if (status == PDICT_OK)
        status = find_model(recording, moment, &seen);
    if (status == PDICT_OK)
        status = verify_all(&recording->setup, lane.store);
    if (status == PDICT_OK && is_written)
        status = op_do(&lane, &recording->ops[1]);
    lane_close(&lane);
    return status;
}

/* What has the name of a backup, or of a migrated store, is one. */
static int check_copy(const struct recording *recording)
{
    struct setup setup = recording->setup;
    struct model seen;
    struct lane lane;
    int status;

    setup.backend = "";
    strcat(setup.path, ".copy");
    if (access(setup.path, F_OK) != 0)
        return PDICT_OK;
    if ((status = lane_open(&lane, &setup, 0, NULL)) == PDICT_OK)
        status = model_read(lane.d, &seen);
    if (status == PDICT_OK)
        status = verify_all(&setup, lane.store);
    lane_close(&lane);
    return status;
}

/* One state in a directory of its own. */
static void check_state(const struct recording *recording, const struct disk *disk,
                        struct verdict *verdict, uint64_t seed)
{
    char path[600], *slash;
    int status;

    snprintf(path, sizeof(path), "%s", recording->setup.path);
    slash = strrchr(path, '/');
    slash[1] = '\0';
    remove_files(path);
    slash[0] = '\0';
    disk_write(disk, verdict->policy, seed, path);
    status = check_store(recording, &verdict->moment, seed % 4 == 0);
    if (status == PDICT_OK)
        status = check_copy(recording);
    if (status != PDICT_OK) {
        snprintf(verdict->text, sizeof(verdict->text), "%s: %s", pdict_status_name(status),
                 pdict_error_text());
        _exit(EXIT_FAILURE);
    }
}

static uint64_t count_events(const struct io_log *log)
{
    uint64_t count = 0;
    size_t cursor = 0;

    while (io_log_next(log, &cursor))
        count++;
    return count;
}

/* After each event come some states, evenly over the recording; in a child, which may crash. */
static _Noreturn void check_states(const struct recording *recording, const struct io_log *log,
                                   uint64_t states, struct verdict *verdict)
{
    uint64_t n_events = count_events(log), random = recording->seed;
    struct disk *disk = disk_new();
    const struct io_event *event;
    size_t cursor = 0;

    while ((event = io_log_next(log, &cursor))) {
        disk_apply(disk, event);
        pass(recording, event, &verdict->moment);
        while (verdict->state * n_events < verdict->moment.event * states) {
            verdict->policy = (enum disk_policy)random_below(&random, DISK_POLICIES);
            check_state(recording, disk, verdict, next_random(&random));
            verdict->state++;
        }
    }
    disk_free(disk);
    _exit(EXIT_SUCCESS);
}

/* ---- the campaign ---- */

static const char *const policy_names[DISK_POLICIES] = {
    [DISK_LOSE_ALL] = "states: all unsynced lost",
    [DISK_KEEP_ALL] = "states: all kept",
    [DISK_KEEP_BEFORE] = "states: kept up to a moment",
    [DISK_KEEP_WRITES] = "states: any writes kept",
    [DISK_TEAR_SECTORS] = "states: torn at 512 B",
    [DISK_TEAR_PAGES] = "states: torn at 4 KiB",
    [DISK_LOSE_ONE] = "states: one write lost",
};

static void tell_violation(const struct campaign *campaign, const struct recording *recording,
                           const struct verdict *verdict, uint64_t part)
{
    const struct moment *moment = &verdict->moment;

    printf("%s, %s, %s, after event %" PRIu64 " (%s operation %" PRIu64 ", %s), %s: %s\n",
           recording->setup.backend, recording->setup.codecs, recording->setup.durability,
           moment->event, moment->is_opened ? "in" : "opening, before",
           moment->is_opened ? moment->begun : 1,
           op_name(&recording->ops[moment->begun ? moment->begun : 1]),
           policy_names[verdict->policy],
           verdict->text[0] ? verdict->text : "the process that read it died");
    printf("again: --seed %" PRIu64 " --first %" PRIu64 " --states %d\n", campaign->seed, part,
           STATES_PER_RECORDING);
}

static void make_recording(const struct campaign *campaign, uint64_t part,
                           struct recording *recording)
{
    uint64_t random = campaign->seed * 7919 + part;

    recording->seed = next_random(&random);
    campaign_setup(campaign, part, &recording->setup);
    if (strcmp(recording->setup.durability, "unsafe") == 0)
        recording->setup.durability = "ordered";
    snprintf(recording->setup.path, sizeof(recording->setup.path), "%s/store", campaign->directory);
    prepare(recording);
}

static bool one_recording(struct campaign *campaign, uint64_t part, uint64_t states,
                          struct io_log *log, struct verdict *verdict)
{
    static struct recording recording;
    bool is_right;
    pid_t pid;

    make_recording(campaign, part, &recording);
    remove_files(recording.setup.path);
    if (!record(&recording, log))
        return false;
    memset(verdict, 0, sizeof(*verdict));
    fflush(NULL);
    if ((pid = fork()) < 0)
        abort();
    if (pid == 0)
        check_states(&recording, log, states, verdict);
    if (!(is_right = ended_well(pid)))
        tell_violation(campaign, &recording, verdict, part);
    campaign_add(campaign, "states", verdict->state);
    campaign_add(campaign, recording.setup.backend, verdict->state);
    campaign_add(campaign, recording.setup.durability, verdict->state);
    campaign_add(campaign, "recordings", 1);
    campaign_add(campaign, "events recorded", count_events(log));
    return is_right;
}

/* For a comparison with what strace sees. */
static bool run_record(struct campaign *campaign)
{
    static struct recording recording;
    struct io_log *log = io_log_new(LOG_BYTES);
    uint64_t counts[IO_MARK + 1] = { 0 };
    const struct io_event *event;
    size_t cursor = 0;
    bool is_right;

    make_recording(campaign, campaign->first, &recording);
    is_right = record(&recording, log);
    while ((event = io_log_next(log, &cursor)))
        counts[event->kind]++;
    printf("recorded writes %" PRIu64 " cuts %" PRIu64 " renames %" PRIu64 "\n", counts[IO_WRITTEN],
           counts[IO_CUT], counts[IO_RENAMED]);
    io_log_free(log);
    return is_right;
}

static bool run(struct campaign *campaign)
{
    struct verdict *verdict =
        mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct io_log *log = io_log_new(LOG_BYTES);
    uint64_t part = campaign->first, left = campaign->wanted;
    bool is_right = verdict != MAP_FAILED;

    while (is_right && left > 0) {
        uint64_t states = left < STATES_PER_RECORDING ? left : STATES_PER_RECORDING;

        is_right = one_recording(campaign, part++, states, log, verdict);
        campaign_save(campaign, is_right ? part : part - 1);
        left -= states;
    }
    io_log_free(log);
    munmap(verdict, sizeof(*verdict));
    return is_right;
}

int main(int argc, char **argv)
{
    struct campaign campaign = { .unit = "states", .seed = 1, .wanted = 2000 };
    bool is_right;

    if (!campaign_read(&campaign, argc, argv, usage))
        return EXIT_USAGE;
    if (!campaign_begin(&campaign))
        return EXIT_FAILURE;
    io_watch(campaign.directory);
    is_right = campaign.selected ? run_record(&campaign) : run(&campaign);
    campaign_end(&campaign, is_right);
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
