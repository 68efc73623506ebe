/* SPDX-License-Identifier: MIT */
/* A child that writes, acknowledges each write and is killed: exactly the acknowledged writes, or
 * one more, are there afterwards. */
#include "run.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Acknowledges through `out`; ends by being killed, or with status 1 when a check failed. */
static _Noreturn void be_child(struct run *run, const struct op *ops, unsigned count, int out)
{
    if (!run_open(run, "rw"))
        _exit(1);
    for (unsigned i = 0; i < count; i++) {
        if (!run_op(run, &ops[i]) || write(out, "+", 1) != 1)
            _exit(1);
    }
    for (;;)
        pause();
}

/* Kill the child after its acknowledgement number `kill_after`; count all it gave. */
static bool watch(struct run *run, pid_t child, int in, unsigned kill_after, unsigned *done)
{
    char byte;
    int status;

    while (*done < kill_after && read(in, &byte, 1) == 1)
        ++*done;
    kill(child, SIGKILL);
    while (read(in, &byte, 1) == 1)
        ++*done;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !run->report->is_failed)
        return true;
    return run_fail(run, "the child of a crash ended with wait status %#x", (unsigned)status);
}

static bool let_child_write(struct run *run, const struct op *ops, unsigned count,
                            unsigned kill_after, unsigned *done)
{
    int ends[2];
    bool is_fine;
    pid_t child;

    fflush(NULL);
    if (pipe(ends) != 0 || (child = fork()) < 0)
        return run_fail(run, "no pipe or no child");
    if (child == 0) {
        close(ends[0]);
        be_child(run, ops, count, ends[1]);
    }
    close(ends[1]);
    is_fine = watch(run, child, ends[0], kill_after, done);
    close(ends[0]);
    return is_fine;
}

static void write_to_model(struct run *run, const struct op *op)
{
    int statuses[BATCH_MAX];

    model_write(&run->model, op, statuses);
}

/* The acknowledged writes are in the model; the one after them may be in the store. */
static bool settle(struct run *run, const struct op *next)
{
    static struct model acknowledged;

    acknowledged = run->model;
    if (run_check_all(run) || next == NULL)
        return !run->report->is_failed;
    run->report->is_failed = false;
    run->model = acknowledged;
    write_to_model(run, next);
    run->report->at++;
    run->report->passed++;
    return run_check_all(run);
}

bool run_crash(struct run *run, const struct op *op)
{
    size_t left = run->count - run->report->at - 1;
    unsigned count = 0, kill_after, done = 0;

    while (count < op->count && count < left && op_writes(&op[1 + count]))
        count++;
    kill_after = op->key < count ? op->key : count;
    run_close(run);
    if (!let_child_write(run, op + 1, count, kill_after, &done))
        return false;
    if (!run_open(run, "rw"))
        return false;
    for (unsigned i = 0; i < done; i++)
        write_to_model(run, &op[1 + i]);
    run->report->at += done;
    run->report->passed += done;
    return settle(run, done < count ? &op[1 + done] : NULL);
}
