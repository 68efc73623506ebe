/* SPDX-License-Identifier: MIT */
/* A process that stops at each of its file calls in turn; another one comes, and the first dies. */
#include "kills.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OPS_BEFORE = 5,     /* by each of the two, so that there is something to lose */
    WAIT_MS = 15,       /* until who has not gone on is taken to wait for the stopped one */
    PATIENCE_MS = 20000 /* with who has to go on when that is dead */
};

struct pair {
    const struct plan *plan;
    struct oracle *oracle;
    int in; /* the end of the pipe that both share */
    int out;
    bool is_new; /* there is no store before */
};

static void tell(const struct pair *pair, const struct record *record)
{
    if (write(pair->out, record, sizeof(*record)) != sizeof(*record))
        _exit(EXIT_FAILURE);
}

/* Some operations of a lane, from where it is. */
static void operate(const struct pair *pair, struct lane *lane, uint64_t ops)
{
    uint64_t next = pair->oracle->lanes[lane->number].next;
    struct record record = { .lane = lane->number };
    int status;

    for (; ops > 0; ops--, next += MOST_LANES) {
        op_make(pair->plan->seed, next, pair->plan->mix, &record.op);
        record.is_ack = record.is_done = false;
        tell(pair, &record);
        status = op_do(lane, &record.op);
        if (status != PDICT_OK && status != PDICT_BUSY) {
            fprintf(stderr, "lane %u: %s: %s\n", lane->number, op_name(&record.op),
                    pdict_error_text());
            _exit(EXIT_FAILURE);
        }
        record.is_ack = true;
        record.is_done = status == PDICT_OK;
        tell(pair, &record);
    }
}

static void open_lane(const struct pair *pair, struct lane *lane, unsigned number)
{
    int status = lane_open(lane, &pair->plan->setup, number, NULL);

    if (status == PDICT_OK)
        return;
    fprintf(stderr, "lane %u: opening: %s\n", number, pdict_error_text());
    _exit(EXIT_FAILURE);
}

/* ---- the processes ---- */

static _Noreturn void prepare(const struct pair *pair)
{
    struct lane lane;

    for (unsigned number = 0; number < 2; number++) {
        open_lane(pair, &lane, number);
        operate(pair, &lane, OPS_BEFORE);
        lane_close(&lane);
    }
    _exit(EXIT_SUCCESS);
}

static _Noreturn void run_first(const struct pair *pair, uint64_t ops, const struct io_plan *stop)
{
    struct lane lane;

    io_arm(stop);
    open_lane(pair, &lane, 0);
    operate(pair, &lane, ops);
    lane_close(&lane);
    _exit(io_hits() > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* It is killed while the store is open, so what it wrote was not put in order by its closing. */
static _Noreturn void run_second(const struct pair *pair, uint64_t ops)
{
    struct lane lane;

    open_lane(pair, &lane, 1);
    operate(pair, &lane, ops);
    for (;;)
        pause();
}

/* ---- the one that looks on ---- */

static bool hear(struct pair *pair, int wait_ms)
{
    struct pollfd in = { .fd = pair->in, .events = POLLIN };
    struct record record;

    if (poll(&in, 1, wait_ms) != 1 || read(pair->in, &record, sizeof(record)) != sizeof(record))
        return false;
    oracle_hear(pair->oracle, &record);
    return true;
}

static void hear_all(struct pair *pair)
{
    while (hear(pair, 0))
        ;
}

static pid_t begin(void)
{
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) < 0)
        abort();
    return pid;
}

static bool end(struct pair *pair, pid_t pid, const char *what)
{
    bool is_right;

    kill(pid, SIGKILL);
    is_right = reap(pair->oracle, pid, what);
    hear_all(pair);
    return is_right;
}

static bool goes_on(struct pair *pair, uint64_t wanted)
{
    while (pair->oracle->acknowledged < wanted) {
        if (!hear(pair, PATIENCE_MS)) {
            snprintf(pair->oracle->text, sizeof(pair->oracle->text),
                     "one process was stopped and killed, and the other does not go on");
            return false;
        }
    }
    return true;
}

/* While `stopped` is, and after its death. */
static bool run_beside(struct pair *pair, pid_t stopped, uint64_t ops)
{
    uint64_t wanted;
    bool is_right;
    pid_t pid;

    wanted = pair->oracle->acknowledged + ops;
    if ((pid = begin()) == 0)
        run_second(pair, ops);
    while (hear(pair, WAIT_MS))
        ;
    is_right = end(pair, stopped, "the process that was stopped");
    is_right = goes_on(pair, wanted) && is_right;
    return end(pair, pid, "the process beside it") && is_right;
}

static bool begin_store(struct pair *pair)
{
    bool is_right;
    pid_t pid;

    remove_files(pair->plan->setup.path);
    oracle_begin(pair->oracle);
    if (pair->is_new)
        return true;
    if ((pid = begin()) == 0)
        prepare(pair);
    is_right = reap(pair->oracle, pid, "the process that prepares");
    hear_all(pair);
    return is_right;
}

/* Sets *is_over when there is no such call any more. */
static bool stop_once(struct pair *pair, uint64_t ops, uint64_t at, bool *is_over)
{
    struct io_plan stop = { .action = IO_STOP, .calls = IO_CHANGES, .at = at };
    bool is_right = true;
    int status;
    pid_t pid;

    if (!begin_store(pair))
        return false;
    if ((pid = begin()) == 0)
        run_first(pair, ops, &stop);
    waitpid(pid, &status, WUNTRACED);
    hear_all(pair);
    *is_over = !WIFSTOPPED(status);
    if (!*is_over)
        is_right = run_beside(pair, pid, 1 + at % 2);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        is_right = false;
    return is_right && check_apart(pair->oracle, pair->plan, true);
}

static bool stop_at_each(struct pair *pair, uint64_t ops, uint64_t *kills)
{
    bool is_over = false;

    for (uint64_t at = 1; !is_over; at++) {
        if (!stop_once(pair, ops, at, &is_over)) {
            printf("%s, %s, stopped before file call %llu\n", pair->plan->setup.backend,
                   pair->is_new ? "a new store" : "a store", (unsigned long long)at);
            return false;
        }
        *kills += is_over ? 0 : 2;
    }
    return true;
}

bool beside_every_call(const struct plan *plan, struct oracle *oracle, uint64_t ops,
                       uint64_t *kills)
{
    struct pair pair = { .plan = plan, .oracle = oracle };
    bool is_right;
    int ends[2];

    if (pipe(ends) != 0)
        abort();
    pair.in = ends[0];
    pair.out = ends[1];
    is_right = stop_at_each(&pair, ops, kills);
    pair.is_new = true;
    is_right = is_right && stop_at_each(&pair, 1, kills);
    close(ends[0]);
    close(ends[1]);
    return is_right;
}
