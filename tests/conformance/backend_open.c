/* SPDX-License-Identifier: MIT */
/* Opening, closing and reopening; what is refused is left untouched. */
#include "conformance.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_file(const char *path, const void *bytes, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    CHECK(file >= 0 && write(file, bytes, size) == (ssize_t)size && close(file) == 0);
}

static unsigned files_in(const char *path)
{
    DIR *directory = opendir(path);
    unsigned count = 0;

    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void an_empty_store_is_not_opened_without_create(struct subject *t)
{
    CHECK_FAILURE(try_open(t, 0), PDICT_NOT_A_STORE);
    CHECK_FAILURE(try_open(t, PDICT_BACKEND_READ_ONLY), PDICT_NOT_A_STORE);
}

static void a_refused_open_leaves_an_empty_file_empty(struct subject *t)
{
    CHECK_STATUS(try_open(t, 0), PDICT_NOT_A_STORE);
    CHECK_STATUS(try_open(t, PDICT_BACKEND_READ_ONLY), PDICT_NOT_A_STORE);
    CHECK_INT(read_file(t->path).size, 0);
    CHECK_INT(files_in(t->directory), 3);
}

static void check_foreign(struct subject *t, const void *bytes, size_t size)
{
    const unsigned flags[] = { 0, PDICT_BACKEND_CREATE, PDICT_BACKEND_READ_ONLY };

    for (size_t i = 0; i < 3; i++) {
        write_file(t->path, bytes, size);
        CHECK_FAILURE(try_open(t, flags[i]), PDICT_NOT_A_STORE);
        CHECK_BYTES(read_file(t->path), ((pdict_slice){ bytes, size }));
        CHECK_INT(files_in(t->directory), 3);
    }
}

static void a_text_file_is_refused_and_left_untouched(struct subject *t)
{
    pdict_slice text = long_bytes(20000, 'x', 0x0a0a0a0a);

    check_foreign(t, text.data, text.size);
}

static void a_file_of_one_byte_is_refused_and_left_untouched(struct subject *t)
{
    check_foreign(t, "\0", 1);
}

static void a_file_of_zeros_is_refused_and_left_untouched(struct subject *t)
{
    check_foreign(t, long_bytes(16384, 0, 0).data, 16384);
}

static void reopening_keeps_everything(struct subject *t)
{
    fill_store(t);
    for (int i = 0; i < 3; i++) {
        reopen_store(t);
        check_store(t);
    }
}

static void create_opens_what_is_there(struct subject *t)
{
    fill_store(t);
    close_store(t);
    open_store(t, PDICT_BACKEND_CREATE);
    check_store(t);
}

static void reopening_keeps_orders_ids_and_small_fields(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_scan scan = { .flags = 0 };
    struct rows before, after;
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 100; i++)
        put_expiring(t, txn, map, number_key(i * 37 % 100), i % 2 == 0 ? 0 : NOW + i);
    before = scan_rows(t, txn, map, &scan);
    commit(t, txn);
    reopen_store(t);
    txn = begin_read(t);
    after = scan_rows(t, txn, map, &scan);
    check_same_rows(after, before);
    for (size_t i = 0; i < after.count; i++)
        CHECK_INT(after.row[i].id, before.row[i].id);
    end_read(t, txn);
}

static void ids_keep_growing_after_reopening(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    uint64_t id;

    put(t, txn, map, TEXT("a"), TEXT("value"));
    id = put(t, txn, map, TEXT("b"), TEXT("value"));
    commit(t, txn);
    del_now(t, map, TEXT("b"));
    reopen_store(t);
    txn = begin_write(t);
    CHECK(put(t, txn, map, TEXT("c"), TEXT("value")) > id);
    del(t, txn, map, TEXT("a"));
    del(t, txn, map, TEXT("c"));
    commit(t, txn);
    reopen_store(t);
    txn = begin_write(t);
    CHECK(put(t, txn, map, TEXT("d"), TEXT("value")) > id + 1);
    commit(t, txn);
}

static void map_numbers_are_not_given_again_after_reopening(struct subject *t)
{
    uint32_t one = make_map(t, "one"), two = make_map(t, "two");
    void *txn = begin_write(t);

    CHECK_OK(t->backend->map_drop(t->self, txn, two));
    commit(t, txn);
    reopen_store(t);
    CHECK((two = make_map(t, "two")) > one + 1);
    txn = begin_write(t);
    CHECK_OK(t->backend->map_drop(t->self, txn, one));
    CHECK_OK(t->backend->map_drop(t->self, txn, two));
    commit(t, txn);
    reopen_store(t);
    CHECK(make_map(t, "three") > two);
}

static void an_aborted_transaction_is_not_there_after_reopening(struct subject *t)
{
    void *txn;
    uint32_t map;

    fill_store(t);
    map = check_store(t);
    txn = begin_write(t);
    put(t, txn, map, TEXT("aborted"), long_bytes(300000, 'v', 1));
    CHECK_OK(t->backend->system_put(t->self, txn, 0, TEXT("name"), TEXT("aborted")));
    abort_write(t, txn);
    reopen_store(t);
    check_store(t);
}

static void a_read_only_store_is_read(struct subject *t)
{
    fill_store(t);
    close_store(t);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    check_store(t);
}

static void a_read_only_store_refuses_a_transaction(struct subject *t)
{
    void *txn = NULL;

    fill_store(t);
    close_store(t);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    CHECK_FAILURE(t->backend->write_begin(t->self, PDICT_ORDERED, 0, &txn), PDICT_READ_ONLY);
    CHECK(txn == NULL);
    check_store(t);
}

static void a_read_only_store_is_not_written(struct subject *t)
{
    pdict_slice before;
    unsigned files;

    fill_store(t);
    close_store(t);
    before = read_file(t->path);
    files = files_in(t->directory);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    check_store(t);
    close_store(t);
    CHECK_BYTES(read_file(t->path), before);
    CHECK_INT(files_in(t->directory), files);
}

/* The engine may keep files of its own beside the store. */
static void give_all_away(const struct subject *t, uid_t owner)
{
    DIR *directory = opendir(t->directory);
    struct dirent *entry;

    CHECK(directory != NULL && fchown(dirfd(directory), owner, owner) == 0);
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, "..") != 0)
            CHECK(fchownat(dirfd(directory), entry->d_name, owner, owner, 0) == 0);
    }
    closedir(directory);
}

/* Root may do anything, so that permissions are tried as somebody else, in a process of its own. */
static void try_without_privileges(struct subject *t, mode_t mode, void (*body)(struct subject *t))
{
    enum {
        NOBODY = 65534
    };
    int wait_status = 0;
    pid_t child;

    CHECK(chmod(t->path, mode) == 0);
    if (geteuid() == 0)
        give_all_away(t, NOBODY);
    fflush(stdout);
    CHECK((child = fork()) >= 0);
    if (child == 0) {
        if (geteuid() == 0 && seteuid(NOBODY) != 0)
            conformance_skip("root cannot become somebody whom permissions stop");
        body(t);
        fflush(stdout);
        _exit(EXIT_SUCCESS);
    }
    CHECK(waitpid(child, &wait_status, 0) == child && WIFEXITED(wait_status));
    if (WEXITSTATUS(wait_status) != EXIT_SUCCESS)
        _exit(WEXITSTATUS(wait_status));
}

static void open_unwritable(struct subject *t)
{
    CHECK_FAILURE(try_open(t, 0), PDICT_READ_ONLY);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    check_store(t);
    close_store(t);
}

static void a_file_that_cannot_be_written_is_read_only(struct subject *t)
{
    fill_store(t);
    close_store(t);
    try_without_privileges(t, 0400, open_unwritable);
}

static void open_unreadable(struct subject *t)
{
    CHECK_FAILURE(try_open(t, 0), PDICT_PERMISSION);
    CHECK_FAILURE(try_open(t, PDICT_BACKEND_READ_ONLY), PDICT_PERMISSION);
}

static void a_file_that_cannot_be_read_is_a_matter_of_permission(struct subject *t)
{
    fill_store(t);
    close_store(t);
    try_without_privileges(t, 0, open_unreadable);
}

static void two_open_stores_are_strangers(struct subject *t)
{
    struct subject other = *t;
    uint32_t map = make_map(t, "m"), other_map;

    snprintf(other.path, sizeof(other.path), "%.1000s/other", t->directory);
    if (t->backend->capabilities & PDICT_CAP_FILE)
        write_file(other.path, "", 0);
    open_store(&other, PDICT_BACKEND_CREATE);
    other_map = make_map(&other, "m");
    put_now(t, map, TEXT("key"), TEXT("here"));
    put_now(&other, other_map, TEXT("key"), TEXT("there"));
    void *reader = begin_read(t), *other_reader = begin_read(&other);
    check_value(t, reader, map, TEXT("key"), TEXT("here"));
    check_value(&other, other_reader, other_map, TEXT("key"), TEXT("there"));
    end_read(t, reader);
    end_read(&other, other_reader);
    close_store(&other);
}

static unsigned descriptors_in(const char *path)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *descriptor;
    unsigned count = 0;
    char target[1200];

    if (directory == NULL)
        conformance_skip("the system does not list the descriptors of a process");
    while ((descriptor = readdir(directory)) != NULL) {
        ssize_t size = readlinkat(dirfd(directory), descriptor->d_name, target, sizeof(target) - 1);

        target[size > 0 ? size : 0] = '\0';
        count += strncmp(target, path, strlen(path)) == 0;
    }
    closedir(directory);
    return count;
}

/* What is done around a fork, here without one. */
static void a_store_that_was_suspended_left_nothing_open_and_lost_nothing(struct subject *t)
{
    fill_store(t);
    for (int i = 0; i < 3; i++) {
        if (t->backend->suspend != NULL)
            t->backend->suspend(t->self);
        else
            t->backend->close(t->self);
        t->self = NULL;
        CHECK_INT(descriptors_in(t->path), 0);
        open_store(t, 0);
        check_store(t);
    }
}

const struct test_case backend_open_cases[] = {
    CASE(an_empty_store_is_not_opened_without_create, NEED_CLOSED),
    CASE(a_refused_open_leaves_an_empty_file_empty, NEED_CLOSED | NEED_FILE),
    CASE(a_text_file_is_refused_and_left_untouched, NEED_CLOSED | NEED_FILE),
    CASE(a_file_of_one_byte_is_refused_and_left_untouched, NEED_CLOSED | NEED_FILE),
    CASE(a_file_of_zeros_is_refused_and_left_untouched, NEED_CLOSED | NEED_FILE),
    CASE(reopening_keeps_everything, NEED_FILE),
    CASE(create_opens_what_is_there, NEED_FILE),
    CASE(reopening_keeps_orders_ids_and_small_fields, NEED_FILE),
    CASE(ids_keep_growing_after_reopening, NEED_FILE),
    CASE(map_numbers_are_not_given_again_after_reopening, NEED_FILE),
    CASE(an_aborted_transaction_is_not_there_after_reopening, NEED_FILE),
    CASE(a_read_only_store_is_read, NEED_FILE),
    CASE(a_read_only_store_refuses_a_transaction, NEED_FILE),
    CASE(a_read_only_store_is_not_written, NEED_FILE),
    CASE(a_file_that_cannot_be_written_is_read_only, NEED_FILE),
    CASE(a_file_that_cannot_be_read_is_a_matter_of_permission, NEED_FILE),
    CASE(two_open_stores_are_strangers, 0),
    CASE(a_store_that_was_suspended_left_nothing_open_and_lost_nothing, NEED_FILE),
    { .name = NULL },
};
