/* SPDX-License-Identifier: MIT */
/* Threads: readers beside each other and beside the writer; handles that change hands. */
#include "conformance.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    READERS = 4,
    ROWS = 50,
    COMMITS = 100
};

struct work {
    struct subject *t;
    uint32_t map;
    atomic_bool is_over;
    void *handle; /* a reader or transaction handed over */
};

static pthread_t start(void *(*run)(void *), struct work *work)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, run, work) == 0);
    return thread;
}

static void finish(pthread_t thread)
{
    CHECK(pthread_join(thread, NULL) == 0);
}

/* Every row gets the same value in one commit, so no snapshot may hold two. */
static void write_generation(struct work *work, unsigned generation)
{
    struct subject *t = work->t;
    pdict_change changes[ROWS];
    void *txn = begin_write(t);

    for (unsigned i = 0; i < ROWS; i++)
        changes[i] = change_put(number_key(i), number_key(generation));
    CHECK_OK(t->backend->apply(t->self, txn, work->map, changes, ROWS, NOW));
    commit(t, txn);
}

static void *write_all(void *ctx)
{
    struct work *work = ctx;

    for (unsigned i = 1; i <= COMMITS; i++)
        write_generation(work, i);
    atomic_store(&work->is_over, true);
    return NULL;
}

static void check_one_generation(struct work *work, void *reader, pdict_slice *last)
{
    struct subject *t = work->t;
    pdict_scan scan = { .flags = PDICT_SCAN_BY_KEY };
    pdict_slice value = keep_slice(row_of(t, reader, work->map, number_key(0)).value);
    void *cursor = NULL;
    pdict_row row;

    CHECK(last->size == 0 || memcmp(value.data, last->data, value.size) >= 0);
    *last = value;
    CHECK_OK(t->backend->scan_open(t->self, reader, work->map, &scan, &cursor));
    for (unsigned i = 0; i < ROWS; i++) {
        CHECK_OK(t->backend->scan_next(t->self, cursor, &row));
        CHECK_BYTES(row.value, value);
    }
    CHECK_STATUS(t->backend->scan_next(t->self, cursor, &row), PDICT_END);
    t->backend->scan_close(t->self, cursor);
    check_value(t, reader, work->map, number_key(ROWS - 1), value);
    CHECK_INT(count_at(t, reader, work->map, NOW), ROWS);
}

static void *read_all(void *ctx)
{
    struct work *work = ctx;
    struct subject *t = work->t;
    pdict_slice last = { 0 };
    void *reader = NULL;
    bool was_over;

    CHECK_OK(t->backend->reader_open(t->self, &reader));
    do {
        was_over = atomic_load(&work->is_over);
        CHECK_OK(t->backend->reader_begin(t->self, reader));
        check_one_generation(work, reader, &last);
        t->backend->reader_end(t->self, reader);
    } while (!was_over);
    CHECK_BYTES(last, number_key(COMMITS));
    t->backend->reader_close(t->self, reader);
    return NULL;
}

static void readers_see_whole_commits_while_another_thread_writes(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };
    pthread_t readers[READERS], writer;

    write_generation(&work, 0);
    for (int i = 0; i < READERS; i++)
        readers[i] = start(read_all, &work);
    writer = start(write_all, &work);
    finish(writer);
    for (int i = 0; i < READERS; i++)
        finish(readers[i]);
}

static void a_snapshot_is_one_instant_while_another_thread_writes(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };
    void *reader;
    pthread_t writer;

    write_generation(&work, 0);
    reader = begin_read(t);
    writer = start(write_all, &work);
    do {
        pdict_slice last = { 0 };
        check_one_generation(&work, reader, &last);
        CHECK_BYTES(last, number_key(0));
    } while (!atomic_load(&work.is_over));
    finish(writer);
    end_read(t, reader);
}

static void *read_many(void *ctx)
{
    struct work *work = ctx;
    void *reader = begin_read(work->t);

    for (unsigned i = 0; i < 2000; i++)
        check_value(work->t, reader, work->map, number_key(i * 7 % 2000), TEXT("value"));
    end_read(work->t, reader);
    return NULL;
}

static void readers_on_several_threads_read_at_once(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };
    pthread_t threads[READERS];

    fill_map(t, work.map, 2000);
    for (int i = 0; i < READERS; i++)
        threads[i] = start(read_many, &work);
    for (int i = 0; i < READERS; i++)
        finish(threads[i]);
}

static void *end_handed_over(void *ctx)
{
    struct work *work = ctx;

    check_value(work->t, work->handle, work->map, number_key(3), TEXT("value"));
    end_read(work->t, work->handle);
    return NULL;
}

static void a_reader_may_be_used_and_closed_by_another_thread(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };

    fill_map(t, work.map, 10);
    work.handle = begin_read(t);
    check_value(t, work.handle, work.map, number_key(2), TEXT("value"));
    finish(start(end_handed_over, &work));
}

static void *write_one(void *ctx)
{
    struct work *work = ctx;

    put_now(work->t, work->map, TEXT("key"), TEXT("value"));
    return NULL;
}

static void writers_may_take_turns_on_many_threads(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };

    for (unsigned i = 0; i < 20; i++)
        finish(start(write_one, &work));
    void *reader = begin_read(t);
    CHECK_INT(count_at(t, reader, work.map, NOW), 1);
    end_read(t, reader);
}

static void *open_and_close(void *ctx)
{
    struct work *work = ctx;

    for (unsigned i = 0; i < 50; i++)
        end_read(work->t, begin_read(work->t));
    return NULL;
}

static void readers_are_opened_and_closed_on_several_threads_at_once(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };
    pthread_t threads[READERS];

    for (int i = 0; i < READERS; i++)
        threads[i] = start(open_and_close, &work);
    for (unsigned i = 0; i < 20; i++)
        put_now(t, work.map, number_key(i), TEXT("value"));
    for (int i = 0; i < READERS; i++)
        finish(threads[i]);
}

static void *scan_until_over(void *ctx)
{
    struct work *work = ctx;

    do {
        void *reader = begin_read(work->t);
        uint64_t count = count_at(work->t, reader, work->map, NOW);
        pdict_scan scan = { .flags = PDICT_SCAN_NO_VALUES };
        CHECK_INT(scan_rows(work->t, reader, work->map, &scan).count, count);
        CHECK_INT(count % 10, 0);
        end_read(work->t, reader);
    } while (!atomic_load(&work->is_over));
    return NULL;
}

static void count_and_scan_agree_while_another_thread_inserts_and_deletes(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };
    pthread_t reader = start(scan_until_over, &work);

    for (unsigned round = 0; round < 60; round++) {
        void *txn = begin_write(t);
        for (unsigned i = 0; i < 10; i++) {
            if (round % 3 == 2)
                del(t, txn, work.map, number_key((round - 1) * 10 + i));
            else
                put(t, txn, work.map, number_key(round * 10 + i), TEXT("value"));
        }
        commit(t, txn);
    }
    atomic_store(&work.is_over, true);
    finish(reader);
}

static void error_texts_belong_to_their_thread(struct subject *t)
{
    struct work work = { .t = t, .map = make_map(t, "m") };
    void *reader = begin_read(t);
    char text[512];
    pdict_row row;

    CHECK_FAILURE(t->backend->get(t->self, reader, work.map + 9, TEXT("key"), &row), PDICT_NO_MAP);
    strncpy(text, pdict_error_text(), sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    finish(start(write_one, &work));
    CHECK(strcmp(text, pdict_error_text()) == 0);
    end_read(t, reader);
}

const struct test_case backend_threads_cases[] = {
    CASE(readers_see_whole_commits_while_another_thread_writes, 0),
    CASE(a_snapshot_is_one_instant_while_another_thread_writes, 0),
    CASE(readers_on_several_threads_read_at_once, 0),
    CASE(a_reader_may_be_used_and_closed_by_another_thread, 0),
    CASE(writers_may_take_turns_on_many_threads, 0),
    CASE(readers_are_opened_and_closed_on_several_threads_at_once, 0),
    CASE(count_and_scan_agree_while_another_thread_inserts_and_deletes, 0),
    CASE(error_texts_belong_to_their_thread, 0),
    { .name = NULL },
};
