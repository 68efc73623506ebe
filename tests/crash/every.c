/* SPDX-License-Identifier: MIT */
/* One writer that dies at each file call of a small workload in turn, before it and halfway. */
#include "kills.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* As worker_run(), but to an end: the same operations each time, so the same calls. */
static _Noreturn void write_some(const struct plan *plan, uint64_t ops, int out,
                                 const struct io_plan *death)
{
    struct record record = { .lane = 0 };
    struct lane lane;

    io_arm(death);
    if (lane_open(&lane, &plan->setup, 0, NULL) != PDICT_OK)
        _exit(EXIT_FAILURE);
    for (uint64_t i = 1; i <= ops; i++) {
        op_make(plan->seed, i * MOST_LANES, plan->mix, &record.op);
        record.is_ack = false;
        if (write(out, &record, sizeof(record)) != sizeof(record))
            _exit(EXIT_FAILURE);
        if (op_do(&lane, &record.op) != PDICT_OK) {
            fprintf(stderr, "%s: %s\n", op_name(&record.op), pdict_error_text());
            _exit(EXIT_FAILURE);
        }
        record.is_ack = record.is_done = true;
        if (write(out, &record, sizeof(record)) != sizeof(record))
            _exit(EXIT_FAILURE);
    }
    lane_close(&lane);
    _exit(io_hits() > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Sets *is_over when there is no such call any more. */
static bool die_once(const struct plan *plan, struct oracle *oracle, uint64_t ops,
                     const struct io_plan *death, bool *is_over)
{
    struct record record;
    int ends[2], status;
    pid_t pid;

    remove_files(plan->setup.path);
    oracle_begin(oracle);
    fflush(NULL);
    if (pipe(ends) != 0 || (pid = fork()) < 0)
        abort();
    if (pid == 0)
        write_some(plan, ops, ends[1], death);
    close(ends[1]);
    while (read(ends[0], &record, sizeof(record)) == sizeof(record))
        oracle_hear(oracle, &record);
    close(ends[0]);
    waitpid(pid, &status, 0);
    *is_over = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!*is_over && !WIFSIGNALED(status)) {
        snprintf(oracle->text, sizeof(oracle->text), "the writer failed by itself");
        return false;
    }
    return check_apart(oracle, plan, true);
}

bool every_call(const struct plan *plan, struct oracle *oracle, uint64_t ops, uint64_t *kills)
{
    static const enum io_action actions[] = { IO_KILL, IO_KILL_HALF };

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        unsigned calls = actions[i] == IO_KILL ? IO_CHANGES : 1u << IO_WRITE;
        bool is_over = false;

        for (uint64_t at = 1; !is_over; at++) {
            struct io_plan death = { .action = actions[i], .calls = calls, .at = at };

            if (!die_once(plan, oracle, ops, &death, &is_over)) {
                printf("%s, killed %s file call %llu\n", plan->setup.backend,
                       actions[i] == IO_KILL ? "before" : "halfway in", (unsigned long long)at);
                return false;
            }
            *kills += !is_over;
        }
    }
    return true;
}
