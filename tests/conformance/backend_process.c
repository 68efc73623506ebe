/* SPDX-License-Identifier: MIT */
/* Other processes: creating at once, commits that become visible, locks, and crashes. */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A child process with two pipes: it waits for a byte before each step and sends one after it. */
struct child {
    pid_t pid;
    int to, from;
};

static void await(int file)
{
    char byte;

    CHECK(read(file, &byte, 1) == 1);
}

static void signal_on(int file)
{
    CHECK(write(file, "x", 1) == 1);
}

/* Run `body` in a child that has opened nothing yet; it calls await(from) and signal_on(to). */
static struct child start(struct subject *t, void (*body)(struct subject *t, int from, int to))
{
    struct child child;
    int down[2], up[2];

    CHECK(pipe(down) == 0 && pipe(up) == 0);
    CHECK((child.pid = fork()) >= 0);
    if (child.pid == 0) {
        close(down[1]);
        close(up[0]);
        body(t, down[0], up[1]);
        _exit(EXIT_SUCCESS);
    }
    close(down[0]);
    close(up[1]);
    child.to = down[1];
    child.from = up[0];
    return child;
}

static void step(struct child *child)
{
    signal_on(child->to);
    await(child->from);
}

static void finish(struct child *child)
{
    int wait_status = 0;

    CHECK(waitpid(child->pid, &wait_status, 0) == child->pid);
    CHECK(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_SUCCESS);
    close(child->to);
    close(child->from);
}

static void open_in_child(struct subject *t, int from, int to)
{
    await(from);
    open_store(t, PDICT_BACKEND_CREATE);
    signal_on(to);
    await(from);
    close_store(t);
}

static void processes_that_create_at_once_end_with_one_store(struct subject *t)
{
    struct child children[4];
    uint32_t map;

    for (int i = 0; i < 4; i++)
        children[i] = start(t, open_in_child);
    for (int i = 0; i < 4; i++)
        signal_on(children[i].to);
    open_store(t, PDICT_BACKEND_CREATE);
    map = make_map(t, "m");
    put_now(t, map, TEXT("key"), TEXT("value"));
    for (int i = 0; i < 4; i++) {
        await(children[i].from);
        signal_on(children[i].to);
        finish(&children[i]);
    }
    reopen_store(t);
    void *reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), TEXT("value"));
    end_read(t, reader);
}

static uint32_t map_called_m(struct subject *t)
{
    void *reader = begin_read(t);
    uint32_t map = 0;

    CHECK_OK(t->backend->map_find(t->self, reader, TEXT("m"), &map));
    end_read(t, reader);
    return map;
}

static void commit_in_child(struct subject *t, int from, int to)
{
    await(from);
    open_store(t, 0);
    signal_on(to);
    await(from);
    put_now(t, map_called_m(t), TEXT("key"), TEXT("from the child"));
    signal_on(to);
    await(from);
    close_store(t);
}

static void a_commit_of_another_process_becomes_visible(struct subject *t)
{
    struct child child = start(t, commit_in_child);
    void *reader, *before;
    uint32_t map;

    open_store(t, PDICT_BACKEND_CREATE);
    map = make_map(t, "m");
    step(&child);
    before = begin_read(t);
    step(&child);
    check_absent(t, before, map, TEXT("key"));
    end_read(t, before);
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), TEXT("from the child"));
    end_read(t, reader);
    signal_on(child.to);
    finish(&child);
}

static void the_token_moves_with_a_commit_of_another_process(struct subject *t)
{
    struct child child = start(t, commit_in_child);
    const volatile uint64_t *words[2];
    uint64_t seen[2];

    open_store(t, PDICT_BACKEND_CREATE);
    make_map(t, "m");
    step(&child);
    CHECK_OK(t->backend->watch(t->self, words));
    seen[0] = *words[0];
    seen[1] = *words[1];
    step(&child);
    CHECK(*words[0] != seen[0] || *words[1] != seen[1]);
    signal_on(child.to);
    finish(&child);
}

static void hold_lock_in_child(struct subject *t, int from, int to)
{
    void *txn;

    await(from);
    open_store(t, 0);
    txn = begin_write(t);
    put(t, txn, map_called_m(t), TEXT("key"), TEXT("from the child"));
    signal_on(to);
    await(from);
    commit(t, txn);
    signal_on(to);
    await(from);
    close_store(t);
}

static void a_transaction_of_another_process_makes_this_one_busy(struct subject *t)
{
    struct child child = start(t, hold_lock_in_child);
    void *txn = NULL, *reader;
    uint32_t map;

    open_store(t, PDICT_BACKEND_CREATE);
    map = make_map(t, "m");
    step(&child);
    CHECK_FAILURE(t->backend->write_begin(t->self, PDICT_ORDERED, 0, &txn), PDICT_BUSY);
    CHECK_FAILURE(t->backend->write_begin(t->self, PDICT_ORDERED, 50, &txn), PDICT_BUSY);
    CHECK(txn == NULL);
    reader = begin_read(t);
    check_absent(t, reader, map, TEXT("key"));
    end_read(t, reader);
    step(&child);
    put_now(t, map, TEXT("key"), TEXT("from the parent"));
    signal_on(child.to);
    finish(&child);
}

/* ---- upkeep beside another process ---- */

static int64_t steady_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void a_checkpoint_that_does_not_wait_is_held_up_by_nobody(struct subject *t)
{
    struct child child = start(t, hold_lock_in_child);
    int64_t began_ms;
    uint32_t map;
    int status;

    open_store(t, PDICT_BACKEND_CREATE);
    map = make_map(t, "m");
    put_now(t, map, TEXT("mine"), TEXT("value"));
    step(&child);
    began_ms = steady_ms();
    status = t->backend->checkpoint(t->self, false);
    CHECK(status == PDICT_OK || status == PDICT_BUSY);
    /* A call may wait for 5 s: less than that, and time for a busy machine. */
    CHECK(steady_ms() - began_ms < 4500);
    step(&child);
    CHECK_OK(t->backend->checkpoint(t->self, false));
    void *reader = begin_read(t);
    check_value(t, reader, map, TEXT("mine"), TEXT("value"));
    check_value(t, reader, map, TEXT("key"), TEXT("from the child"));
    end_read(t, reader);
    signal_on(child.to);
    finish(&child);
}

static void commit_much_in_child(struct subject *t, int from, int to)
{
    await(from);
    open_store(t, 0);
    put_now(t, map_called_m(t), TEXT("key"), long_bytes(100000, 'v', 1));
    signal_on(to);
    await(from);
    close_store(t);
}

static void log_bytes_count_what_other_processes_commit(struct subject *t)
{
    struct child child = start(t, commit_much_in_child);
    uint64_t before;

    open_store(t, PDICT_BACKEND_CREATE);
    make_map(t, "m");
    before = t->backend->log_bytes(t->self);
    step(&child);
    CHECK(t->backend->log_bytes(t->self) >= before + 100000);
    signal_on(child.to);
    finish(&child);
}

static void compacting_beside_a_transaction_of_another_process_is_busy(struct subject *t)
{
    struct child child = start(t, hold_lock_in_child);
    uint64_t left = 1;

    open_store(t, PDICT_BACKEND_CREATE);
    make_map(t, "m");
    step(&child);
    CHECK_FAILURE(t->backend->compact(t->self, 4096, 0, &left), PDICT_BUSY);
    CHECK_FAILURE(t->backend->compact(t->self, 4096, 50, &left), PDICT_BUSY);
    step(&child);
    signal_on(child.to);
    finish(&child);
    for (unsigned steps = 0; left > 0; steps++) {
        CHECK_OK(t->backend->compact(t->self, 1 << 20, 5000, &left));
        CHECK(steps < 1000);
    }
}

static void a_backup_beside_a_transaction_of_another_process_lacks_it(struct subject *t)
{
    const pdict_backend_events events = { .struct_size = sizeof(events) };
    struct child child = start(t, hold_lock_in_child);
    char path[MAX_PATH];
    uint32_t map;
    void *reader;
    FILE *file;

    snprintf(path, sizeof(path), "%.1000s/copy", t->directory);
    CHECK((file = fopen(path, "w")) != NULL && fclose(file) == 0);
    open_store(t, PDICT_BACKEND_CREATE);
    map = make_map(t, "m");
    put_now(t, map, TEXT("mine"), TEXT("value"));
    step(&child);
    CHECK_OK(t->backend->backup(t->self, path, &events));
    step(&child);
    signal_on(child.to);
    finish(&child);
    close_store(t);
    snprintf(t->path, sizeof(t->path), "%s", path);
    open_store(t, 0);
    reader = begin_read(t);
    CHECK_KEYS(t, reader, map, ((pdict_scan){ .flags = 0 }), "mine");
    end_read(t, reader);
}

/* ---- reading without locks ---- */

/* What a snapshot says of a row; PDICT_BUSY when it cannot say anything for sure. */
static int read_only_get(struct subject *t, uint32_t map, pdict_slice key, pdict_slice *value)
{
    pdict_row row = { 0 };
    void *reader = NULL;
    int status;

    CHECK_OK(t->backend->reader_open(t->self, &reader));
    conformance_mark_text();
    if ((status = t->backend->reader_begin(t->self, reader)) == PDICT_OK) {
        if ((status = t->backend->get(t->self, reader, map, key, &row)) == PDICT_OK)
            *value = keep_slice(row.value);
        t->backend->reader_end(t->self, reader);
    }
    if (status == PDICT_BUSY)
        conformance_text(__FILE__, __LINE__, "a read", false);
    else if (status != PDICT_NOTFOUND)
        CHECK_OK(status);
    t->backend->reader_close(t->self, reader);
    return status;
}

static void a_read_only_store_beside_a_writer_is_right_or_busy(struct subject *t)
{
    struct child child = start(t, commit_in_child);
    pdict_slice value = { 0 };
    uint32_t map;
    int status;

    open_store(t, PDICT_BACKEND_CREATE);
    map = make_map(t, "m");
    put_now(t, map, TEXT("mine"), TEXT("value"));
    close_store(t);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    for (int i = 0; i < 3; i++) {
        if (read_only_get(t, map, TEXT("mine"), &value) == PDICT_OK)
            CHECK_BYTES(value, TEXT("value"));
        status = read_only_get(t, map, TEXT("key"), &value);
        CHECK(i == 2 || status != PDICT_OK);
        if (i < 2)
            step(&child);
    }
    /* The writer rests, so nothing is in the way any more. */
    CHECK_OK(read_only_get(t, map, TEXT("key"), &value));
    CHECK_BYTES(value, TEXT("from the child"));
    signal_on(child.to);
    finish(&child);
}

/* ---- crashes ---- */

static void die_after_commit(struct subject *t, int from, int to)
{
    await(from);
    open_store(t, 0);
    put_now(t, map_called_m(t), TEXT("key"), TEXT("committed"));
    signal_on(to);
    _exit(EXIT_SUCCESS);
}

static void die_in_transaction(struct subject *t, int from, int to)
{
    void *txn;

    await(from);
    open_store(t, 0);
    txn = begin_write(t);
    for (unsigned i = 0; i < 2000; i++)
        put(t, txn, map_called_m(t), number_key(i), long_bytes(2000, 'v', i));
    signal_on(to);
    _exit(EXIT_SUCCESS);
}

/* The child has the store to itself and dies without closing it. */
static void *read_after_death(struct subject *t, uint32_t *map,
                              void (*body)(struct subject *t, int from, int to))
{
    struct child child = start(t, body);

    open_store(t, PDICT_BACKEND_CREATE);
    *map = make_map(t, "m");
    put_now(t, *map, TEXT("before"), TEXT("value"));
    close_store(t);
    step(&child);
    finish(&child);
    open_store(t, 0);
    return begin_read(t);
}

static void a_commit_survives_the_death_of_its_process(struct subject *t)
{
    uint32_t map;
    void *reader = read_after_death(t, &map, die_after_commit);

    check_value(t, reader, map, TEXT("key"), TEXT("committed"));
    check_value(t, reader, map, TEXT("before"), TEXT("value"));
    end_read(t, reader);
}

static void an_open_transaction_dies_with_its_process(struct subject *t)
{
    uint32_t map;
    void *reader = read_after_death(t, &map, die_in_transaction);

    CHECK_KEYS(t, reader, map, ((pdict_scan){ .flags = 0 }), "before");
    CHECK_INT(count_at(t, reader, map, NOW), 1);
    end_read(t, reader);
    put_now(t, map, TEXT("after"), TEXT("value"));
}

const struct test_case backend_process_cases[] = {
    CASE(processes_that_create_at_once_end_with_one_store, NEED_CLOSED | NEED_MULTI_PROCESS),
    CASE(a_commit_of_another_process_becomes_visible, NEED_CLOSED | NEED_MULTI_PROCESS),
    CASE(the_token_moves_with_a_commit_of_another_process,
         NEED_CLOSED | NEED_MULTI_PROCESS | NEED_WATCH),
    CASE(a_transaction_of_another_process_makes_this_one_busy, NEED_CLOSED | NEED_MULTI_PROCESS),
    CASE(a_checkpoint_that_does_not_wait_is_held_up_by_nobody,
         NEED_CLOSED | NEED_MULTI_PROCESS | NEED_LOG),
    CASE(log_bytes_count_what_other_processes_commit, NEED_CLOSED | NEED_MULTI_PROCESS | NEED_LOG),
    CASE(compacting_beside_a_transaction_of_another_process_is_busy,
         NEED_CLOSED | NEED_MULTI_PROCESS | NEED_COMPACT),
    CASE(a_backup_beside_a_transaction_of_another_process_lacks_it,
         NEED_CLOSED | NEED_MULTI_PROCESS | NEED_BACKUP),
    CASE(a_read_only_store_beside_a_writer_is_right_or_busy,
         NEED_CLOSED | NEED_MULTI_PROCESS | NEED_FILE),
    CASE(a_commit_survives_the_death_of_its_process, NEED_CLOSED | NEED_FILE),
    CASE(an_open_transaction_dies_with_its_process, NEED_CLOSED | NEED_FILE),
    { .name = NULL },
};
