/* SPDX-License-Identifier: MIT */
/* pdict compute: print a value; when it is absent run a command, and keep what it prints. */
#include "tool.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the computation returns when the command ran and failed. */
#define COMMAND_FAILED 1

struct computation {
    char **command; /* ends with NULL */
    uint64_t limit; /* of a value */
    struct tool_buf output;
    int how_it_ended; /* as from waitpid() */
};

static int start(char **command, const int ends[2], pid_t *out)
{
    posix_spawn_file_actions_t actions;
    int rc;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    rc = posix_spawnp(out, command[0], &actions, NULL, command, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == 0)
        return PDICT_OK;
    return pdict_fail(PDICT_INVAL, "%s cannot be started: %s", command[0], strerror(rc));
}

/* To its end, or until it is too much for a value. */
static int read_output(int fd, struct computation *computation)
{
    struct tool_buf *output = &computation->output;
    ssize_t got;

    do {
        tool_buf_reserve(output, 65536);
        got = read(fd, output->data + output->size, 65536);
        if (got > 0)
            output->size += (size_t)got;
    } while ((got > 0 && output->size <= computation->limit) || (got < 0 && errno == EINTR));
    if (got < 0)
        return pdict_fail(PDICT_IO, "what %s prints cannot be read: %s", computation->command[0],
                          strerror(errno));
    if (output->size <= computation->limit)
        return PDICT_OK;
    return pdict_fail(PDICT_TOO_BIG,
                      "%s prints more than %llu bytes, the most that a value of the map may have "
                      "(max_value)",
                      computation->command[0], (unsigned long long)computation->limit);
}

static int await(pid_t pid, int *how)
{
    while (waitpid(pid, how, 0) < 0) {
        if (errno != EINTR)
            return pdict_fail(PDICT_IO, "waiting for the command failed: %s", strerror(errno));
    }
    return PDICT_OK;
}

static int run(struct computation *computation)
{
    int ends[2], status, waited;
    pid_t pid;

    if (pipe(ends) != 0)
        return pdict_fail(PDICT_IO, "a pipe cannot be made: %s", strerror(errno));
    status = start(computation->command, ends, &pid);
    close(ends[1]);
    if (status == PDICT_OK) {
        status = read_output(ends[0], computation);
        close(ends[0]); /* what still prints is told so */
        waited = await(pid, &computation->how_it_ended);
        return status == PDICT_OK ? waited : status;
    }
    close(ends[0]);
    return status;
}

static int compute(void *ctx, const pdict_view *old, pdict_computed *out)
{
    struct computation *computation = ctx;
    int status;

    (void)old;
    computation->output.size = 0;
    if ((status = run(computation)) != PDICT_OK)
        return status;
    if (computation->how_it_ended != 0)
        return COMMAND_FAILED;
    out->value = tool_buf_slice(&computation->output);
    return PDICT_OK;
}

static int fail_command(const struct invocation *in, const struct computation *computation)
{
    int how = computation->how_it_ended;

    if (WIFSIGNALED(how))
        return tool_fail(in, TOOL_FALSE, "%s was ended by signal %d; nothing is stored",
                         computation->command[0], WTERMSIG(how));
    return tool_fail(in, TOOL_FALSE, "%s failed with exit code %d; nothing is stored",
                     computation->command[0], WEXITSTATUS(how));
}

static int get_or_run(const struct invocation *in, pdict *d, struct computation *computation,
                      pdict_slice key, pdict_view *out)
{
    pdict_compute_options how = PDICT_COMPUTE_OPTIONS_INIT;
    pdict_stats stats = PDICT_STATS_INIT;
    int status;

    if ((status = tool_duration(in, OPT_TTL, &how.ttl_ms)) != PDICT_OK)
        return status;
    if ((status = pdict_stats_get(d, 0, &stats)) != PDICT_OK)
        return status;
    computation->limit = stats.max_value;
    return pdict_get_or_compute(d, key, compute, computation, &how, out);
}

int tool_compute(struct invocation *in)
{
    struct computation computation = { .command = in->args + 2 };
    struct tool_buf key = { 0 };
    pdict_view view = { 0 };
    pdict *d = NULL;
    int status;

    if ((status = tool_key(in, in->args[1], &key)) != PDICT_OK)
        goto done;
    if ((status = tool_open(in, "rw", &d)) != PDICT_OK)
        goto done;
    status = get_or_run(in, d, &computation, tool_buf_slice(&key), &view);
    if (status != PDICT_OK)
        goto done;
    if (tool_has(in, OPT_JSON))
        tool_value_print_json(tool_typed(d), tool_buf_slice(&key), &view);
    else
        tool_value_print(in, tool_typed(d), &view);
done:
    pdict_view_release(&view);
    pdict_close(d);
    free(key.data);
    free(computation.output.data);
    return status == COMMAND_FAILED ? fail_command(in, &computation) : tool_fail_status(in, status);
}
