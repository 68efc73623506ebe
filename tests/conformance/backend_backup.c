/* SPDX-License-Identifier: MIT */
/* Backups: the whole store, as it is at one instant, while it goes on being used. */
#include "conformance.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const pdict_backend_events no_events = { .struct_size = sizeof(no_events) };

/* The path of an empty file beside the store. */
static const char *empty_copy(struct subject *t)
{
    char *path = keep_bytes(NULL, sizeof(t->path));
    int file;

    snprintf(path, sizeof(t->path), "%.1000s/copy", t->directory);
    CHECK((file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600)) >= 0 && close(file) == 0);
    return path;
}

/* From here on the case is about the copy. */
static void open_copy(struct subject *t, const char *path)
{
    close_store(t);
    snprintf(t->path, sizeof(t->path), "%s", path);
    open_store(t, 0);
}

static void a_backup_is_the_store_with_everything_in_it(struct subject *t)
{
    const char *path = empty_copy(t);

    fill_store(t);
    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    check_store(t);
    open_copy(t, path);
    check_store(t);
    put_now(t, make_map(t, "more"), TEXT("key"), TEXT("value"));
    reopen_store(t);
    check_store(t);
}

static void a_backup_of_an_empty_store_is_one(struct subject *t)
{
    const char *path = empty_copy(t);

    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    open_copy(t, path);
    fill_store(t);
    check_store(t);
}

static void a_backup_keeps_ids_and_map_numbers(struct subject *t)
{
    const char *path = empty_copy(t);
    uint32_t gone = make_map(t, "gone"), map = make_map(t, "kept"), last = make_map(t, "last"),
             found;
    const pdict_scan by_id = { .flags = 0 };
    struct rows before, after;
    uint64_t id;
    void *txn;

    fill_map(t, map, 50);
    txn = begin_write(t);
    CHECK_OK(t->backend->map_drop(t->self, txn, gone));
    CHECK_OK(t->backend->map_drop(t->self, txn, last));
    del(t, txn, map, number_key(7));
    id = put(t, txn, map, TEXT("newest"), TEXT("value"));
    del(t, txn, map, TEXT("newest"));
    before = scan_rows(t, txn, map, &by_id);
    commit(t, txn);
    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    open_copy(t, path);
    txn = begin_write(t);
    CHECK_OK(t->backend->map_find(t->self, txn, TEXT("kept"), &found));
    CHECK_INT(found, map);
    after = scan_rows(t, txn, map, &by_id);
    check_same_rows(after, before);
    for (size_t i = 0; i < after.count; i++)
        CHECK_INT(after.row[i].id, before.row[i].id);
    CHECK(put(t, txn, map, TEXT("next"), TEXT("value")) > id);
    commit(t, txn);
    CHECK(make_map(t, "next") > last);
}

static void a_backup_has_what_is_committed_and_nothing_else(struct subject *t)
{
    const char *path = empty_copy(t);
    uint32_t map = make_map(t, "m");
    void *txn;

    put_now(t, map, TEXT("committed"), TEXT("value"));
    txn = begin_write(t);
    put(t, txn, map, TEXT("open"), TEXT("value"));
    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    commit(t, txn);
    open_copy(t, path);
    txn = begin_read(t);
    CHECK_KEYS(t, txn, map, ((pdict_scan){ .flags = 0 }), "committed");
    CHECK_INT(count_at(t, txn, map, NOW), 1);
    end_read(t, txn);
}

static void a_backup_does_not_disturb_a_snapshot(struct subject *t)
{
    const char *path = empty_copy(t);
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("key"), TEXT("before"));
    reader = begin_read(t);
    put_now(t, map, TEXT("key"), TEXT("after"));
    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    check_value(t, reader, map, TEXT("key"), TEXT("before"));
    end_read(t, reader);
    open_copy(t, path);
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), TEXT("after"));
    end_read(t, reader);
}

/* ---- while a writer goes on ---- */

struct pairs {
    struct subject *t;
    uint32_t map;
    atomic_uint commits;
    atomic_bool is_over;
};

/* Two rows far apart that are equal in every commit. */
static void write_pair(struct pairs *pairs, unsigned number)
{
    void *txn = begin_write(pairs->t);

    put(pairs->t, txn, pairs->map, TEXT("a"), number_key(number));
    put(pairs->t, txn, pairs->map, TEXT("z"), number_key(number));
    commit(pairs->t, txn);
    atomic_fetch_add(&pairs->commits, 1);
}

static void *write_pairs(void *ctx)
{
    struct pairs *pairs = ctx;

    for (unsigned i = 1; !atomic_load(&pairs->is_over); i++)
        write_pair(pairs, i);
    return NULL;
}

/* A backup that held up the writer would wait here for ever. */
static int await_commit(void *ctx, uint64_t done, uint64_t total)
{
    struct pairs *pairs = ctx;
    unsigned seen = atomic_load(&pairs->commits);

    CHECK(total == 0 || done <= total);
    while (atomic_load(&pairs->commits) == seen) {
    }
    return 0;
}

static void a_backup_is_one_instant_while_the_writer_goes_on(struct subject *t)
{
    struct pairs pairs = { .t = t, .map = make_map(t, "m") };
    pdict_backend_events events = { .struct_size = sizeof(events),
                                    .ctx = &pairs,
                                    .progress = await_commit };
    const char *path = empty_copy(t);
    pthread_t thread;
    void *reader;

    put_now(t, pairs.map, TEXT("a"), number_key(0));
    fill_map(t, pairs.map, 2000);
    put_now(t, pairs.map, TEXT("z"), number_key(0));
    CHECK(pthread_create(&thread, NULL, write_pairs, &pairs) == 0);
    CHECK_OK(t->backend->backup(t->self, path, &events));
    atomic_store(&pairs.is_over, true);
    CHECK(pthread_join(thread, NULL) == 0);
    open_copy(t, path);
    reader = begin_read(t);
    check_value(t, reader, pairs.map, TEXT("a"),
                keep_slice(row_of(t, reader, pairs.map, TEXT("z")).value));
    CHECK_INT(count_at(t, reader, pairs.map, NOW), 2002);
    end_read(t, reader);
}

/* ---- ending early ---- */

static int stop(void *ctx, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    *(bool *)ctx = true;
    return PDICT_CANCELLED;
}

static void a_backup_ends_when_it_is_told_to(struct subject *t)
{
    const char *path = empty_copy(t);
    bool is_asked = false;
    pdict_backend_events events = { .struct_size = sizeof(events),
                                    .ctx = &is_asked,
                                    .progress = stop };
    int status;

    fill_store(t);
    status = t->backend->backup(t->self, path, &events);
    CHECK_STATUS(status, is_asked ? PDICT_CANCELLED : PDICT_OK);
    check_store(t);
    path = empty_copy(t);
    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    open_copy(t, path);
    check_store(t);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void a_backup_to_a_full_disk_fails_and_names_it(struct subject *t)
{
    const char *path = empty_copy(t);

    fill_store(t);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(30000);
    CHECK_FAILURE(t->backend->backup(t->self, path, &no_events), PDICT_FULL);
    limit_file_size(RLIM_INFINITY);
    CHECK(strstr(pdict_error_text(), path) != NULL);
    check_store(t);
    path = empty_copy(t);
    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    open_copy(t, path);
    check_store(t);
}

static void a_read_only_store_can_be_backed_up(struct subject *t)
{
    const char *path = empty_copy(t);

    fill_store(t);
    close_store(t);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    CHECK_OK(t->backend->backup(t->self, path, &no_events));
    open_copy(t, path);
    check_store(t);
}

const struct test_case backend_backup_cases[] = {
    CASE(a_backup_is_the_store_with_everything_in_it, NEED_BACKUP),
    CASE(a_backup_of_an_empty_store_is_one, NEED_BACKUP),
    CASE(a_backup_keeps_ids_and_map_numbers, NEED_BACKUP),
    CASE(a_backup_has_what_is_committed_and_nothing_else, NEED_BACKUP),
    CASE(a_backup_does_not_disturb_a_snapshot, NEED_BACKUP),
    CASE(a_backup_is_one_instant_while_the_writer_goes_on, NEED_BACKUP),
    CASE(a_backup_ends_when_it_is_told_to, NEED_BACKUP),
    CASE(a_backup_to_a_full_disk_fails_and_names_it, NEED_BACKUP),
    CASE(a_read_only_store_can_be_backed_up, NEED_BACKUP),
    { .name = NULL },
};
