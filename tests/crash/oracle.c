/* SPDX-License-Identifier: MIT */
/* What must be in a store, from what its writers said: acknowledged is there, unknown whole or not. */
#include "kills.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Some megabytes of data, a log that is folded in at 16 MiB, and room for a copy. */
#define MOST_BYTES  ((int64_t)128 << 20)
#define COPY_ENDING ".copy"

struct oracle *oracle_new(void)
{
    struct oracle *oracle =
        mmap(NULL, sizeof(*oracle), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (oracle == MAP_FAILED)
        abort();
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    munmap(oracle, sizeof(*oracle));
}

void oracle_begin(struct oracle *oracle)
{
    memset(oracle->lanes, 0, sizeof(oracle->lanes));
    memset(oracle->counters, 0, sizeof(oracle->counters));
    for (unsigned i = 0; i < MOST_LANES; i++)
        oracle->lanes[i].next = MOST_LANES + i;
}

void oracle_hear(struct oracle *oracle, const struct record *record)
{
    struct lane_facts *lane = &oracle->lanes[record->lane];

    lane->is_pending = !record->is_ack;
    lane->pending = record->op;
    if (!record->is_ack) {
        lane->next = record->op.number + MOST_LANES;
        oracle->started++;
        return;
    }
    oracle->acknowledged++;
    if (!record->is_done)
        return;
    model_apply(&lane->model, &record->op);
    if (record->op.kind == OP_COUNT_UP)
        oracle->counters[record->op.keys[0]]++;
}

/* ---- checking, in a child ---- */

static _Noreturn void violate(struct oracle *oracle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static _Noreturn void violate(struct oracle *oracle, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(oracle->text, sizeof(oracle->text), format, arguments);
    va_end(arguments);
    _exit(EXIT_FAILURE);
}

static void must(struct oracle *oracle, const char *what, int status)
{
    if (status != PDICT_OK)
        violate(oracle, "%s: %s: %s", what, pdict_status_name(status), pdict_error_text());
}

static void tell_difference(struct oracle *oracle, unsigned number, const struct model *seen)
{
    const struct lane_facts *lane = &oracle->lanes[number];

    for (unsigned i = 0; i < KEYS; i++) {
        if (seen->numbers[i] != lane->model.numbers[i])
            violate(oracle,
                    "lane %u, key %u: number %llu is there, %llu was acknowledged; %s, number "
                    "%llu, is unknown",
                    number, i, (unsigned long long)seen->numbers[i],
                    (unsigned long long)lane->model.numbers[i],
                    lane->is_pending ? op_name(&lane->pending) : "nothing",
                    (unsigned long long)lane->pending.number);
    }
}

static void check_lane(struct oracle *oracle, unsigned number, pdict *d)
{
    struct lane_facts *lane = &oracle->lanes[number];
    struct model seen, after = lane->model;

    must(oracle, "reading", model_read(d, &seen));
    if (lane->is_pending)
        model_apply(&after, &lane->pending);
    if (!model_equal(&seen, &after) && !model_equal(&seen, &lane->model))
        tell_difference(oracle, number, &seen);
    oracle->unknown += lane->is_pending;
    oracle->happened += lane->is_pending && !model_equal(&seen, &lane->model);
    lane->model = seen;
}

static void check_counters(struct oracle *oracle, pdict *shared)
{
    uint64_t seen[KEYS], most[KEYS];

    memcpy(most, oracle->counters, sizeof(most));
    for (unsigned i = 0; i < MOST_LANES; i++) {
        const struct op *pending = &oracle->lanes[i].pending;

        if (oracle->lanes[i].is_pending && pending->kind == OP_COUNT_UP)
            most[pending->keys[0]]++;
    }
    must(oracle, "reading counters", counters_read(shared, seen));
    for (unsigned i = 0; i < KEYS; i++) {
        if (seen[i] < oracle->counters[i] || seen[i] > most[i])
            violate(oracle, "counter %u says %llu; between %llu and %llu were counted", i,
                    (unsigned long long)seen[i], (unsigned long long)oracle->counters[i],
                    (unsigned long long)most[i]);
    }
    memcpy(oracle->counters, seen, sizeof(seen));
}

/* A name that is there stands for a whole store of some moment: a backup or a migrated one. */
static void check_copy(struct oracle *oracle, const struct plan *plan, unsigned lanes)
{
    struct setup setup = plan->setup;
    struct lane lane;

    setup.backend = "";
    strcat(setup.path, COPY_ENDING);
    if (access(setup.path, F_OK) != 0)
        return;
    for (unsigned i = 0; i < lanes; i++) {
        struct model seen;

        must(oracle, "opening the copy", lane_open(&lane, &setup, i, NULL));
        must(oracle, "reading the copy", model_read(lane.d, &seen));
        for (unsigned k = 0; k < KEYS; k++) {
            if (seen.numbers[k] >= oracle->lanes[i].next)
                violate(oracle, "the copy has a number that was not put yet");
        }
        must(oracle, "verifying the copy", verify_all(&setup, lane.store));
        lane_close(&lane);
    }
    remove_files(setup.path);
}

static void check_size(struct oracle *oracle, const struct plan *plan)
{
    DIR *entries = opendir(plan->directory);
    struct dirent *entry;
    int64_t bytes = 0;
    struct stat facts;

    while (entries && (entry = readdir(entries))) {
        if (fstatat(dirfd(entries), entry->d_name, &facts, 0) == 0 && S_ISREG(facts.st_mode))
            bytes += facts.st_size;
    }
    if (entries)
        closedir(entries);
    if (bytes > MOST_BYTES)
        violate(oracle, "the files have grown to %lld bytes", (long long)bytes);
}

_Noreturn void oracle_check(struct oracle *oracle, const struct plan *plan, bool is_closed)
{
    unsigned lanes = plan->processes * plan->threads;
    struct lane lane = { 0 };

    for (unsigned i = 0; i < lanes; i++) {
        lane_close(&lane);
        must(oracle, "reopening", lane_open(&lane, &plan->setup, i, NULL));
        check_lane(oracle, i, lane.d);
    }
    check_counters(oracle, lane.shared);
    must(oracle, "reading what is left of sweeps and growth", rest_read(lane.shared));
    must(oracle, "verifying", verify_all(&plan->setup, lane.store));
    for (unsigned i = 0; i < lanes; i++)
        oracle->lanes[i].is_pending = false;
    check_copy(oracle, plan, lanes);
    check_size(oracle, plan);
    if (is_closed)
        lane_close(&lane);
    _exit(EXIT_SUCCESS);
}

/* ---- children ---- */

bool reap(struct oracle *oracle, pid_t pid, const char *what)
{
    int status;

    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (oracle->text[0] == '\0')
        snprintf(oracle->text, sizeof(oracle->text), "%s ended with wait status %#x", what,
                 (unsigned)status);
    return false;
}

bool check_apart(struct oracle *oracle, const struct plan *plan, bool is_closed)
{
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) < 0)
        abort();
    if (pid == 0)
        oracle_check(oracle, plan, is_closed);
    return reap(oracle, pid, "the process that checks");
}
