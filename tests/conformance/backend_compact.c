/* SPDX-License-Identifier: MIT */
/* Giving space back: in steps beside others, and as a whole, so that nothing old is left. */
#include "conformance.h"

#include <dirent.h>
#include <stdio.h>

enum {
    PAGES = 300, /* rows of a page each */
    MOST_STEPS = 10000,
    STEP_BYTES = 64 << 10
};

static uint64_t file_bytes(struct subject *t)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    if (t->backend->checkpoint != NULL)
        CHECK_OK(t->backend->checkpoint(t->self, true));
    CHECK_OK(t->backend->stat(t->self, &stat));
    return stat.file_bytes;
}

/* Most of the rows come and go; returns the map. */
static uint32_t leave_room(struct subject *t)
{
    uint32_t map;

    fill_store(t);
    map = check_store(t);
    for (unsigned i = 0; i < PAGES; i++)
        put_now(t, map, long_bytes(20, 'p', i), long_bytes(4000, 'v', i));
    for (unsigned i = 0; i < PAGES; i++)
        del_now(t, map, long_bytes(20, 'p', i));
    return map;
}

/* Until nothing is left; returns the number of steps. */
static unsigned compact_all(struct subject *t)
{
    uint64_t left = UINT64_MAX, before;
    unsigned steps = 0;

    do {
        before = left;
        CHECK_OK(t->backend->compact(t->self, STEP_BYTES, 5000, &left));
        CHECK(left < before);
        CHECK(++steps < MOST_STEPS);
    } while (left > 0);
    return steps;
}

static void compacting_makes_the_file_smaller_and_keeps_everything(struct subject *t)
{
    const pdict_scan by_id = { .flags = 0 };
    uint32_t map = leave_room(t);
    uint64_t bytes = file_bytes(t);
    void *reader = begin_read(t);
    struct rows before = scan_rows(t, reader, map, &by_id), after;

    end_read(t, reader);
    compact_all(t);
    CHECK(file_bytes(t) < bytes / 2);
    CHECK_INT(check_store(t), map);
    reopen_store(t);
    CHECK_INT(check_store(t), map);
    reader = begin_read(t);
    after = scan_rows(t, reader, map, &by_id);
    check_same_rows(after, before);
    for (size_t i = 0; i < after.count; i++)
        CHECK_INT(after.row[i].id, before.row[i].id);
    end_read(t, reader);
}

/* How often the text comes in any file of the store. */
static unsigned occurrences(struct subject *t, const char *text)
{
    DIR *directory = opendir(t->directory);
    struct dirent *entry;
    unsigned n = 0;

    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        char path[2 * MAX_PATH];
        pdict_slice bytes;

        snprintf(path, sizeof(path), "%s/%s", t->directory, entry->d_name);
        if (entry->d_type != DT_REG)
            continue;
        bytes = read_file(path);
        for (size_t i = 0; i + strlen(text) <= bytes.size; i++)
            n += memcmp((const char *)bytes.data + i, text, strlen(text)) == 0;
    }
    closedir(directory);
    return n;
}

/* Returns the map of those that replaced others. */
static uint32_t leave_remains(struct subject *t)
{
    uint32_t map;

    leave_room(t);
    map = make_map(t, "remains");

    for (unsigned i = 0; i < 60; i++)
        put_now(t, map, long_bytes(20, 'd', i), TEXT("remains of a row that is deleted"));
    for (unsigned i = 0; i < 60; i++)
        put_now(t, map, long_bytes(20, 'r', i), TEXT("remains of a row that is replaced"));
    for (unsigned i = 0; i < 60; i++) {
        del_now(t, map, long_bytes(20, 'd', i));
        put_now(t, map, long_bytes(20, 'r', i), TEXT("something else"));
    }
    return map;
}

static void compacting_as_a_whole_leaves_nothing_of_what_was_deleted_or_replaced(struct subject *t)
{
    uint32_t map = leave_remains(t);
    uint64_t left = UINT64_MAX;
    void *reader;

    if (occurrences(t, "remains of a row") == 0)
        conformance_skip("there is nothing left of old rows");
    reopen_store(t);
    CHECK_OK(t->backend->compact(t->self, PDICT_COMPACT_WHOLE, 5000, &left));
    CHECK_INT(left, 0);
    file_bytes(t);
    CHECK_INT(occurrences(t, "remains of a row"), 0);
    check_store(t);
    reopen_store(t);
    check_store(t);
    reader = begin_read(t);
    check_value(t, reader, map, long_bytes(20, 'r', 7), TEXT("something else"));
    end_read(t, reader);
    CHECK_INT(occurrences(t, "remains of a row"), 0);
}

static void a_store_that_is_compact_has_nothing_left_to_gain(struct subject *t)
{
    uint64_t left = 1;

    leave_room(t);
    compact_all(t);
    CHECK_OK(t->backend->compact(t->self, STEP_BYTES, 5000, &left));
    CHECK_INT(left, 0);
    check_store(t);
}

static void writes_go_on_between_two_steps(struct subject *t)
{
    uint32_t map = leave_room(t);
    uint64_t left = 1;
    unsigned steps = 0;
    void *reader;

    while (left > 0 && steps < MOST_STEPS) {
        CHECK_OK(t->backend->compact(t->self, STEP_BYTES, 5000, &left));
        put_now(t, map, long_bytes(10, 's', steps++), TEXT("value"));
    }
    CHECK(steps < MOST_STEPS);
    reader = begin_read(t);
    CHECK_INT(count_at(t, reader, map, NOW), 201 + steps);
    end_read(t, reader);
}

static void compacting_gives_no_id_or_map_number_again(struct subject *t)
{
    uint32_t map = leave_room(t), last = make_map(t, "last");
    void *txn = begin_write(t);
    uint64_t id = put(t, txn, map, TEXT("newest"), TEXT("value"));

    del(t, txn, map, TEXT("newest"));
    CHECK_OK(t->backend->map_drop(t->self, txn, last));
    commit(t, txn);
    compact_all(t);
    txn = begin_write(t);
    CHECK(put(t, txn, map, TEXT("next"), TEXT("value")) > id);
    commit(t, txn);
    CHECK(make_map(t, "next") > last);
}

/* An engine that has to be alone answers that it is not. */
static void compacting_does_not_disturb_a_snapshot(struct subject *t)
{
    uint32_t map = leave_room(t);
    uint64_t left = 0;
    void *reader;
    int status;

    put_now(t, map, TEXT("key"), TEXT("before"));
    reader = begin_read(t);
    put_now(t, map, TEXT("key"), TEXT("after"));
    conformance_mark_text();
    if ((status = t->backend->compact(t->self, STEP_BYTES, 0, &left)) != PDICT_OK) {
        CHECK_STATUS(status, PDICT_BUSY);
        conformance_text(__FILE__, __LINE__, "compact", false);
    }
    check_value(t, reader, map, TEXT("key"), TEXT("before"));
    end_read(t, reader);
    compact_all(t);
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), TEXT("after"));
    end_read(t, reader);
}

static void a_read_only_store_refuses_to_be_compacted(struct subject *t)
{
    pdict_slice before;
    uint64_t left;

    leave_room(t);
    close_store(t);
    before = read_file(t->path);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    CHECK_FAILURE(t->backend->compact(t->self, STEP_BYTES, 0, &left), PDICT_READ_ONLY);
    CHECK_BYTES(read_file(t->path), before);
    check_store(t);
}

const struct test_case backend_compact_cases[] = {
    CASE(compacting_makes_the_file_smaller_and_keeps_everything, NEED_COMPACT | NEED_FILE),
    CASE(compacting_as_a_whole_leaves_nothing_of_what_was_deleted_or_replaced,
         NEED_COMPACT | NEED_FILE),
    CASE(a_store_that_is_compact_has_nothing_left_to_gain, NEED_COMPACT),
    CASE(writes_go_on_between_two_steps, NEED_COMPACT),
    CASE(compacting_gives_no_id_or_map_number_again, NEED_COMPACT),
    CASE(compacting_does_not_disturb_a_snapshot, NEED_COMPACT),
    CASE(a_read_only_store_refuses_to_be_compacted, NEED_COMPACT | NEED_FILE),
    { .name = NULL },
};
