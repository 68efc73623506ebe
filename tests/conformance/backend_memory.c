/* SPDX-License-Identifier: MIT */
/* Memory: all of it is given back, and a call that gets none fails and changes nothing. */
#include "conformance.h"

#include <stdlib.h>

struct budget {
    long left;  /* allocations until they fail */
    long taken; /* now held */
};

static void *budget_reallocate(void *ctx, void *memory, size_t size)
{
    struct budget *budget = ctx;
    void *grown;

    if (budget->left <= 0)
        return NULL;
    grown = realloc(memory, size);
    budget->left--;
    budget->taken += memory == NULL && grown != NULL;
    return grown;
}

static void *budget_allocate(void *ctx, size_t size)
{
    return budget_reallocate(ctx, NULL, size);
}

static void budget_release(void *ctx, void *memory)
{
    struct budget *budget = ctx;

    budget->taken -= memory != NULL;
    free(memory);
}

/* It outlives the case, as the store may. */
static struct budget *use_budget(struct subject *t)
{
    struct budget *budget = keep_bytes(NULL, sizeof(*budget));

    *budget = (struct budget){ .left = 1000000 };
    t->allocator = (pdict_allocator){ .allocate = budget_allocate,
                                      .reallocate = budget_reallocate,
                                      .release = budget_release,
                                      .ctx = budget };
    return budget;
}

static void all_memory_is_given_back(struct subject *t)
{
    struct budget *budget = use_budget(t);

    open_store(t, PDICT_BACKEND_CREATE);
    fill_store(t);
    check_store(t);
    close_store(t);
    CHECK_INT(budget->taken, 0);
}

/* Every call of a transaction and what it returned at last. */
static int try_transaction(struct subject *t, void *txn)
{
    pdict_change changes[] = { change_put(TEXT("new"), TEXT("new")),
                               change_put(number_key(1), TEXT("new")), change_del(number_key(2)),
                               change_del(TEXT("expiring")) };
    uint32_t map = 0, other = 0;
    int status;

    changes[1].row.expires_ms = NOW + 1;
    if ((status = t->backend->map_find(t->self, txn, TEXT("m"), &map)) != PDICT_OK ||
        (status = t->backend->apply(t->self, txn, map, changes, 4, NOW)) != PDICT_OK ||
        (status = t->backend->map_create(t->self, txn, TEXT("other"), &other)) != PDICT_OK ||
        (status = t->backend->apply(t->self, txn, other, changes, 2, NOW)) != PDICT_OK ||
        (status = t->backend->system_put(t->self, txn, other, TEXT("a"), TEXT("b"))) != PDICT_OK ||
        (status = t->backend->map_rename(t->self, txn, other, TEXT("third"))) != PDICT_OK)
        return status;
    return t->backend->map_drop(t->self, txn, other);
}

static int try_reading(struct subject *t)
{
    pdict_scan scan = { .flags = PDICT_SCAN_BY_KEY };
    void *reader = NULL, *cursor = NULL;
    uint32_t map = 0;
    pdict_row row;
    int status;

    if ((status = t->backend->reader_open(t->self, &reader)) != PDICT_OK)
        return status;
    if ((status = t->backend->reader_begin(t->self, reader)) != PDICT_OK)
        goto done;
    if ((status = t->backend->map_find(t->self, reader, TEXT("m"), &map)) == PDICT_OK &&
        (status = t->backend->scan_open(t->self, reader, map, &scan, &cursor)) == PDICT_OK) {
        status = t->backend->scan_next(t->self, cursor, &row);
        t->backend->scan_close(t->self, cursor);
    }
    t->backend->reader_end(t->self, reader);
done:
    t->backend->reader_close(t->self, reader);
    return status;
}

static int try_writing(struct subject *t)
{
    void *txn = NULL;
    int status = t->backend->write_begin(t->self, PDICT_ORDERED, 5000, &txn);

    if (status != PDICT_OK)
        return status;
    status = try_transaction(t, txn);
    abort_write(t, txn);
    return status;
}

static void check_until_it_succeeds(struct subject *t, struct budget *budget,
                                    int (*attempt)(struct subject *t))
{
    int status = PDICT_NOMEM;

    for (long n = 0; status != PDICT_OK; n++) {
        budget->left = n;
        conformance_mark_text();
        if ((status = attempt(t)) != PDICT_OK) {
            CHECK_STATUS(status, PDICT_NOMEM);
            conformance_text(__FILE__, __LINE__, "a call without memory", false);
        }
        budget->left = 1000000;
        check_store(t);
    }
}

static void a_write_without_memory_changes_nothing(struct subject *t)
{
    struct budget *budget = use_budget(t);

    open_store(t, PDICT_BACKEND_CREATE);
    fill_store(t);
    check_until_it_succeeds(t, budget, try_writing);
}

static void deleting_all_rows_without_memory_is_all_or_nothing(struct subject *t)
{
    enum {
        ROWS = 3000
    };
    struct budget *budget = use_budget(t);
    pdict_change *changes = keep_bytes(NULL, ROWS * sizeof(*changes));
    uint32_t map;

    open_store(t, PDICT_BACKEND_CREATE);
    map = make_map(t, "m");
    fill_map(t, map, ROWS);
    for (unsigned i = 0; i < ROWS; i++)
        changes[i] = change_del(number_key(i));
    for (long left = 0; left < 1000; left = left * 3 + 1) {
        void *txn = begin_write(t);
        int status;
        budget->left = left;
        status = t->backend->apply(t->self, txn, map, changes, ROWS, NOW);
        budget->left = 1000000;
        CHECK(status == PDICT_OK || status == PDICT_NOMEM);
        abort_write(t, txn);
        txn = begin_read(t);
        CHECK_INT(count_at(t, txn, map, NOW), ROWS);
        end_read(t, txn);
    }
}

static void a_read_without_memory_changes_nothing(struct subject *t)
{
    struct budget *budget = use_budget(t);

    open_store(t, PDICT_BACKEND_CREATE);
    fill_store(t);
    check_until_it_succeeds(t, budget, try_reading);
}

static void an_open_without_memory_gives_everything_back(struct subject *t)
{
    struct budget *budget = use_budget(t);
    int status = PDICT_NOMEM;

    for (long n = 0; status != PDICT_OK; n++) {
        budget->left = n;
        if ((status = try_open(t, PDICT_BACKEND_CREATE)) != PDICT_OK) {
            CHECK_STATUS(status, PDICT_NOMEM);
            CHECK_INT(budget->taken, 0);
        }
    }
}

const struct test_case backend_memory_cases[] = {
    CASE(all_memory_is_given_back, NEED_CLOSED),
    CASE(a_write_without_memory_changes_nothing, NEED_CLOSED),
    CASE(deleting_all_rows_without_memory_is_all_or_nothing, NEED_CLOSED),
    CASE(a_read_without_memory_changes_nothing, NEED_CLOSED),
    CASE(an_open_without_memory_gives_everything_back, NEED_CLOSED),
    { .name = NULL },
};
