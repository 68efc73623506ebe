/* SPDX-License-Identifier: MIT */
/* Care for a store: check and trim; and how much memory a bulk load may take. */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>

static const pdict_backend_events no_events = { .struct_size = sizeof(no_events) };

/* ---- check ---- */

static int count_finding(void *ctx, pdict_slice key, const char *text)
{
    (void)key;
    CHECK(text != NULL && text[0] != '\0');
    ++*(unsigned *)ctx;
    return 0;
}

static void a_sound_store_has_no_findings(struct subject *t)
{
    unsigned findings = 0;
    pdict_backend_events events = { .struct_size = sizeof(events),
                                    .ctx = &findings,
                                    .finding = count_finding };
    uint32_t map;
    void *reader;

    fill_store(t);
    map = check_store(t);
    reader = begin_read(t);
    CHECK_OK(t->backend->check(t->self, reader, 0, &events));
    CHECK_OK(t->backend->check(t->self, reader, map, &events));
    CHECK_INT(findings, 0);
    check_value(t, reader, map, number_key(1), TEXT("value"));
    end_read(t, reader);
}

static void a_check_in_the_write_transaction_has_no_findings(struct subject *t)
{
    unsigned findings = 0;
    pdict_backend_events events = { .struct_size = sizeof(events),
                                    .ctx = &findings,
                                    .finding = count_finding };
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 100; i++)
        put_expiring(t, txn, map, number_key(i), NOW + i);
    CHECK_OK(t->backend->check(t->self, txn, 0, &events));
    CHECK_OK(t->backend->check(t->self, txn, map, &events));
    CHECK_INT(findings, 0);
    commit(t, txn);
}

static void a_check_may_be_asked_without_functions(struct subject *t)
{
    uint32_t map;
    void *reader;

    fill_store(t);
    map = check_store(t);
    reader = begin_read(t);
    CHECK_OK(t->backend->check(t->self, reader, 0, &no_events));
    CHECK_OK(t->backend->check(t->self, reader, map, &no_events));
    end_read(t, reader);
}

static void a_check_changes_nothing(struct subject *t)
{
    pdict_slice before;
    uint32_t map;
    void *reader;

    fill_store(t);
    map = check_store(t);
    reader = begin_read(t);
    before = read_file(t->path);
    CHECK_OK(t->backend->check(t->self, reader, 0, &no_events));
    CHECK_OK(t->backend->check(t->self, reader, map, &no_events));
    CHECK_BYTES(read_file(t->path), before);
    end_read(t, reader);
    check_store(t);
}

static void a_check_of_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t);

    CHECK_FAILURE(t->backend->check(t->self, reader, map + 1000, &no_events), PDICT_NO_MAP);
    end_read(t, reader);
}

static int stop(void *ctx, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    *(bool *)ctx = true;
    return PDICT_CANCELLED;
}

static void a_check_ends_when_it_is_told_to(struct subject *t)
{
    bool is_asked = false;
    pdict_backend_events events = { .struct_size = sizeof(events),
                                    .ctx = &is_asked,
                                    .progress = stop };
    uint32_t map = make_map(t, "m");
    void *reader;
    int status;

    fill_map(t, map, 20000);
    reader = begin_read(t);
    status = t->backend->check(t->self, reader, 0, &events);
    CHECK_STATUS(status, is_asked ? PDICT_CANCELLED : PDICT_OK);
    CHECK_OK(t->backend->check(t->self, reader, 0, &no_events));
    check_value(t, reader, map, number_key(1), TEXT("value"));
    end_read(t, reader);
    if (!is_asked)
        conformance_skip("a check of 20,000 rows told nobody how far it is");
}

/* ---- trim ---- */

static void trimming_within_a_walk_changes_nothing_of_it(struct subject *t)
{
    const pdict_scan orders[] = { { .flags = 0 },
                                  { .flags = PDICT_SCAN_BY_KEY | PDICT_SCAN_REVERSE } };
    uint32_t map = make_map(t, "m");
    void *reader, *cursor = NULL;
    pdict_row row;

    fill_map(t, map, 500);
    reader = begin_read(t);
    for (unsigned order = 0; order < 2; order++) {
        CHECK_OK(t->backend->scan_open(t->self, reader, map, &orders[order], &cursor));
        for (unsigned i = 0; i < 500; i++) {
            CHECK_OK(t->backend->scan_next(t->self, cursor, &row));
            CHECK_BYTES(row.key, number_key(order == 0 ? i : 499 - i));
            CHECK_BYTES(row.value, TEXT("value"));
            if (i % 7 == 0)
                t->backend->trim(t->self, reader);
        }
        CHECK_STATUS(t->backend->scan_next(t->self, cursor, &row), PDICT_END);
        t->backend->scan_close(t->self, cursor);
    }
    end_read(t, reader);
}

static void trimming_keeps_the_snapshot(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("key"), TEXT("before"));
    reader = begin_read(t);
    put_now(t, map, TEXT("key"), TEXT("after"));
    t->backend->trim(t->self, reader);
    check_value(t, reader, map, TEXT("key"), TEXT("before"));
    t->backend->trim(t->self, reader);
    CHECK_INT(count_at(t, reader, map, NOW), 1);
    end_read(t, reader);
}

/* ---- batch_rows ---- */

/* Memory of this process that no file stands behind; sanitizers and valgrind keep far more. */
static uint64_t anonymous_bytes(void)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");

    CHECK(file != NULL);
    while (kib == 0 && fgets(line, sizeof(line), file) != NULL)
        (void)sscanf(line, "RssAnon: %llu kB", &kib);
    fclose(file);
    CHECK(kib > 0);
    return kib * 1024;
}

static bool is_memory_measurable(void)
{
    const char *preloaded = getenv("LD_PRELOAD");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#endif
    return preloaded == NULL || strstr(preloaded, "valgrind") == NULL;
}

static pdict_slice scattered_key(uint64_t *state)
{
    return long_bytes(12, 'k', (uint32_t)random_next(state));
}

/* A map of so many pages that each change may meet one of its own. */
static void spread(struct subject *t, uint32_t map, uint64_t *state)
{
    enum {
        CHUNK = 5000
    };
    pdict_change *changes = keep_bytes(NULL, CHUNK * sizeof(*changes));
    pdict_slice value = long_bytes(900, 'v', 0);

    for (size_t done = 0; done < 4 * t->backend->batch_rows; done += CHUNK) {
        void *txn = NULL;

        for (size_t i = 0; i < CHUNK; i++)
            changes[i] = change_put(scattered_key(state), value);
        CHECK_OK(t->backend->write_begin(t->self, PDICT_UNSAFE, 5000, &txn));
        CHECK_OK(t->backend->apply(t->self, txn, map, changes, CHUNK, NOW));
        commit(t, txn);
    }
}

static void a_batch_of_batch_rows_takes_little_memory(struct subject *t)
{
    size_t count = t->backend->batch_rows;
    pdict_change *changes = keep_bytes(NULL, count * sizeof(*changes));
    uint32_t map = make_map(t, "m");
    uint64_t state = 1, before, during;
    void *txn;

    if (!is_memory_measurable())
        conformance_skip("memory cannot be measured under sanitizers and valgrind");
    spread(t, map, &state);
    for (size_t i = 0; i < count; i++)
        changes[i] = change_put(scattered_key(&state), TEXT("a small value"));
    before = anonymous_bytes();
    txn = begin_write(t);
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, count, NOW));
    during = anonymous_bytes();
    commit(t, txn);
    if (during > before + (50 << 20))
        FAIL("%zu changes took %llu MiB", count, (unsigned long long)(during - before) >> 20);
}

const struct test_case backend_upkeep_cases[] = {
    CASE(a_sound_store_has_no_findings, NEED_CHECK),
    CASE(a_check_in_the_write_transaction_has_no_findings, NEED_CHECK),
    CASE(a_check_may_be_asked_without_functions, NEED_CHECK),
    CASE(a_check_changes_nothing, NEED_CHECK | NEED_FILE),
    CASE(a_check_of_an_unknown_map_fails, NEED_CHECK),
    CASE(a_check_ends_when_it_is_told_to, NEED_CHECK),
    CASE(trimming_within_a_walk_changes_nothing_of_it, NEED_TRIM),
    CASE(trimming_keeps_the_snapshot, NEED_TRIM),
    CASE(a_batch_of_batch_rows_takes_little_memory, NEED_BATCH),
    { .name = NULL },
};
