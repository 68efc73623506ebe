/* SPDX-License-Identifier: MIT */
/* Does one operation after the other on the maps and on their model. */
#include "run.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool do_clock(struct run *run, const struct op *op)
{
    const struct row *row = &run->model.maps[op->map].rows[op->key];
    bool is_near = row->is_there && row->expires_ms > 1 && row->expires_ms < INT64_MAX - 1;

    if (op->kind == OP_CLOCK)
        run->model.now_ms += op->time_ms;
    else if (is_near)
        run->model.now_ms = row->expires_ms + op->time_ms;
    return true;
}

static bool skip_or_crash(struct run *run, const struct op *op)
{
    bool can_fork = run->setup->is_persistent && !TEST_UNDER_TSAN;

    if (can_fork)
        return run_crash(run, op);
    run->report->skipped++;
    run->report->passed--;
    return true;
}

bool run_op(struct run *run, const struct op *op)
{
    pdict *d = run->maps[op->map];

    switch (op->kind) {
    case OP_GET:
        return run_get(run, op);
    case OP_GET_WITH:
        return run_get_with(run, op);
    case OP_CONTAINS:
        return run_contains(run, op);
    case OP_META:
        return run_meta(run, op);
    case OP_COUNT:
        return run_count(run, op);
    case OP_STATS:
        return run_stats(run, op);
    case OP_GET_MANY:
        return run_get_many(run, op);
    case OP_WALK:
        return run_walk(run, op);
    case OP_HOLD:
        return run_hold(run, op);
    case OP_LET:
        return run_let(run, op);
    case OP_PUT:
        return run_put(run, op);
    case OP_DEL:
        return run_del(run, op);
    case OP_PUT_MANY:
        return run_put_many(run, op);
    case OP_DEL_MANY:
        return run_del_many(run, op);
    case OP_ADD:
        return run_add(run, op);
    case OP_POP:
        return run_pop(run, op);
    case OP_MODIFY:
        return run_modify(run, op);
    case OP_TOUCH:
        return run_touch(run, op);
    case OP_CLEAR:
        return run_clear(run, op);
    case OP_BAD_PUT:
        return run_bad_put(run, op);
    case OP_BAD_CLEAR:
        return run_expect(run, "bad clear", pdict_clear(d, 1), PDICT_INVAL);
    case OP_CLEAR_CACHE:
        return run_expect(run, "clear_cache", pdict_clear_cache(d), PDICT_OK);
    case OP_SYNC:
        return run_expect(run, "sync", pdict_sync(d), PDICT_OK);
    case OP_LIST:
        return run_with_store(run, run_list);
    case OP_RENAME:
        return run_with_store(run, run_rename_map);
    case OP_DROP:
        return run_with_store(run, run_drop_map);
    case OP_SWEEP:
        return run_with_store(run, run_sweep);
    case OP_LIMIT:
        run->limiting = op;
        return run_with_store(run, run_limit);
    case OP_COMPACT:
        return run_with_store(run, run_compact);
    case OP_BACKUP:
        return run_with_store(run, run_backup);
    case OP_REOPEN:
        return run_reopen(run, op);
    case OP_TXN:
        return run_txn(run, op);
    case OP_CRASH:
        return skip_or_crash(run, op);
    default:
        return do_clock(run, op);
    }
}

/* ---- whole streams ---- */

static bool begin(struct run *run)
{
    const char *root = getenv("TMPDIR");

    snprintf(run->dir, sizeof(run->dir), "%s/pdict-model-XXXXXX", root ? root : "/tmp");
    if (!mkdtemp(run->dir))
        return run_fail(run, "%s cannot be made", run->dir);
    model_init(&run->model);
    return run_open(run, "rwc");
}

static void remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

static void end(struct run *run)
{
    run_close(run);
    for (unsigned i = 0; i < N_HELD; i++) {
        struct op let = { .kind = OP_LET, .count = (uint16_t)i };

        run_let(run, &let);
    }
    remove_dir(run->dir);
}

void run_stream(const struct setup *setup, const struct op *ops, size_t count,
                struct report *report)
{
    static struct run run;

    run = (struct run){
        .setup = setup, .ops = ops, .count = count, .file = "store", .report = report
    };
    *report = (struct report){ .at = 0 };
    if (begin(&run)) {
        for (; report->at < count && run_op(&run, &ops[report->at]); report->at++)
            report->passed++;
    }
    if (!report->is_failed)
        run_check_all(&run);
    end(&run);
}

/* Streams end; one that does not is a failure too. */
static unsigned seconds_for(size_t count)
{
    return 60 + (unsigned)(count / 100);
}

void run_apart(const struct setup *setup, const struct op *ops, size_t count, struct report *report)
{
    int status;
    pid_t child;

    if (TEST_UNDER_TSAN) {
        run_stream(setup, ops, count, report);
        return;
    }
    fflush(NULL);
    if ((child = fork()) == 0) {
        alarm(seconds_for(count));
        run_stream(setup, ops, count, report);
        exit(EXIT_SUCCESS); /* leaks are looked for here */
    }
    waitpid(child, &status, 0);
    if (status == 0 || report->is_failed)
        return;
    report->is_failed = true;
    snprintf(report->text, sizeof(report->text), "the process ended with wait status %#x",
             (unsigned)status);
}
