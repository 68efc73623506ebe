/* SPDX-License-Identifier: MIT */
/* Rows in the SQLite backend: bulk writes, exact counts, and strangers who write with SQL. */
#include "sqlite_fixture.h"

/* ---- a model: the contract's words for apply(), in the simplest form ---- */

#define MODEL_KEYS 400

struct model_row {
    bool is_there;
    pdict_row row;
};

struct model {
    struct model_row rows[MODEL_KEYS];
    uint64_t last_id;
};

static unsigned key_number(const pdict_change *change)
{
    return (unsigned)atoi((const char *)change->row.key.data + 1);
}

static bool is_live(const struct model_row *row, int64_t now_ms)
{
    return row->is_there && (row->row.expires_ms == 0 || row->row.expires_ms > now_ms);
}

static int model_verdict(const struct model_row *row, const pdict_change *change, int64_t now_ms)
{
    bool live = is_live(row, now_ms);

    if (change->condition == PDICT_IF_ABSENT && live)
        return PDICT_EXISTS;
    if (!live && (change->kind == PDICT_CHANGE_DEL || change->condition == PDICT_IF_PRESENT ||
                  change->condition == PDICT_IF_VERSION))
        return PDICT_NOTFOUND;
    if (change->condition == PDICT_IF_VERSION && row->row.version != change->if_version)
        return PDICT_CONFLICT;
    return PDICT_OK;
}

/* Ids may have gaps, so the id of an insert is taken over once it is known to be a new one. */
static void model_apply(struct model *model, const pdict_change *done, int64_t now_ms)
{
    struct model_row *row = &model->rows[key_number(done)];

    CHECK_INT(done->status, model_verdict(row, done, now_ms));
    if (done->status != PDICT_OK)
        return;
    if (done->kind == PDICT_CHANGE_DEL) {
        row->is_there = false;
        return;
    }
    if (is_live(row, now_ms)) {
        CHECK_INT(done->row.id, row->row.id);
        CHECK_INT(done->row.created_ms, row->row.created_ms);
    } else {
        CHECK(done->row.id > model->last_id);
        model->last_id = done->row.id;
    }
    row->is_there = true;
    row->row = done->row;
}

static uint64_t model_count(const struct model *model, int64_t now_ms)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < MODEL_KEYS; i++)
        count += is_live(&model->rows[i], now_ms);
    return count;
}

static void check_row(const struct model *model, const pdict_row *row)
{
    const pdict_row *expected = &model->rows[atoi((const char *)row->key.data + 1)].row;

    CHECK_BYTES(row->key.data, row->key.size, expected->key.data, expected->key.size);
    CHECK_BYTES(row->value.data, row->value.size, expected->value.data, expected->value.size);
    CHECK_INT(row->id, expected->id);
    CHECK_INT(row->version, expected->version);
    CHECK_INT(row->created_ms, expected->created_ms);
    CHECK_INT(row->expires_ms, expected->expires_ms);
}

/* Each row once and in order, by key or by id. Live ones have to be as the model says. */
static void check_scan(void *self, void *reader, uint32_t map, const struct model *model,
                       unsigned flags, int64_t now_ms)
{
    pdict_scan scan = { .flags = flags };
    char last_key[16] = "";
    uint64_t last_id = 0, live = 0;
    pdict_row row;
    void *cursor;
    int status;

    CHECK_OK(SQLITE->scan_open(self, reader, map, &scan, &cursor));
    while ((status = SQLITE->scan_next(self, cursor, &row)) == PDICT_OK) {
        char key[16] = "";

        memcpy(key, row.key.data, row.key.size);
        CHECK(flags & PDICT_SCAN_BY_KEY ? strcmp(key, last_key) > 0 : row.id > last_id);
        memcpy(last_key, key, sizeof(key));
        last_id = row.id;
        if (row.expires_ms != 0 && row.expires_ms <= now_ms)
            continue;
        CHECK(is_live(&model->rows[atoi(key + 1)], now_ms));
        check_row(model, &row);
        live++;
    }
    CHECK_INT(status, PDICT_END);
    CHECK_INT(SQLITE->scan_next(self, cursor, &row), PDICT_END);
    SQLITE->scan_close(self, cursor);
    CHECK_INT(live, model_count(model, now_ms));
}

static void check_model(void *self, uint32_t map, const struct model *model, int64_t now_ms)
{
    void *reader = snapshot(self);
    uint64_t count = 0;

    CHECK_OK(SQLITE->count(self, reader, map, now_ms, &count));
    CHECK_INT(count, model_count(model, now_ms));
    check_scan(self, reader, map, model, 0, now_ms);
    check_scan(self, reader, map, model, PDICT_SCAN_BY_KEY, now_ms);
    end_snapshot(self, reader);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static pdict_change random_change(uint32_t *state, const struct model *model, int64_t now_ms)
{
    unsigned key = next_random(state) % MODEL_KEYS, kind = next_random(state) % 10;
    char *name = test_alloc(16), *value = test_alloc(16);
    pdict_change change = put(name, value);

    snprintf(name, 16, "k%u", key);
    snprintf(value, 16, "v%u", next_random(state) % 100000);
    change.row.key = text(name);
    change.row.value = text(value);
    change.row.version = 1 + next_random(state) % 3;
    change.row.created_ms = now_ms + next_random(state) % 5;
    if (next_random(state) % 3 == 0)
        change.row.expires_ms = now_ms - 5 + next_random(state) % 20;
    if (kind < 3)
        change.kind = PDICT_CHANGE_DEL;
    if (next_random(state) % 3 == 0)
        change.condition = (uint8_t)(next_random(state) % 4);
    change.if_version = model->rows[key].row.version;
    if (next_random(state) % 4 == 0)
        change.if_version ^= 1;
    return change;
}

/* Arrays on both sides of the size from which they are sorted. */
static void run_model(uint32_t seed, size_t array_max, int rounds)
{
    struct model *model = test_alloc(sizeof(*model));
    pdict_change *changes = test_alloc(array_max * sizeof(*changes));
    const char *path = test_path("model.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main"), state = seed;
    int64_t now_ms = NOW;

    memset(model, 0, sizeof(*model));
    for (int round = 0; round < rounds; round++) {
        size_t count = 1 + next_random(&state) % array_max;
        void *txn = begin(self);

        for (size_t i = 0; i < count; i++)
            changes[i] = random_change(&state, model, now_ms);
        CHECK_OK(SQLITE->apply(self, txn, map, changes, count, now_ms));
        CHECK_OK(SQLITE->write_commit(self, txn));
        for (size_t i = 0; i < count; i++)
            model_apply(model, &changes[i], now_ms);
        check_model(self, map, model, now_ms);
        now_ms += next_random(&state) % 4;
        if (next_random(&state) % 8 == 0) {
            SQLITE->close(self);
            self = open_store(path);
        }
    }
    SQLITE->close(self);
    check_sound(path, map);
}

TEST(sqlite_backend, small_arrays_do_what_the_contract_says)
{
    run_model(1, 12, TEST_IS_SLOW ? 100 : 400);
}

TEST(sqlite_backend, large_arrays_do_the_same_as_one_change_after_the_other)
{
    run_model(2, 1500, TEST_IS_SLOW ? 10 : 40);
}

TEST(sqlite_backend, large_array_of_new_keys_gives_ids_in_its_order_and_writes_no_tally)
{
    enum {
        COUNT = 1000
    };
    pdict_change *changes = test_alloc(COUNT * sizeof(*changes));
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");

    for (int i = 0; i < COUNT; i++) {
        char *key = test_alloc(16);

        snprintf(key, 16, "%d", (i * 7919) % COUNT);
        changes[i] = put(key, "value");
    }
    apply(self, map, changes, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(changes[i].row.id, i + 1);
    CHECK_INT(count_at(self, map, NOW), COUNT);
    SQLITE->close(self);
    CHECK_STR(shell(path, "SELECT live, last_id FROM pdict_map;"), "0|0");
    check_sound(path, map);
}

TEST(sqlite_backend, keys_that_differ_in_zeros_at_their_end_stay_apart_in_a_large_array)
{
    enum {
        COUNT = 300
    };
    static const char zeros[COUNT];
    pdict_change *changes = test_alloc(COUNT * sizeof(*changes));
    void *self = open_store(test_path("a.db"));
    uint32_t map = make_map(self, "main");

    for (size_t i = 0; i < COUNT; i++) {
        changes[i] = put("", "value");
        changes[i].row.key = (pdict_slice){ zeros, (i * 7) % COUNT };
    }
    apply(self, map, changes, COUNT);
    CHECK_INT(count_at(self, map, NOW), COUNT);
    apply(self, map, changes, COUNT);
    CHECK_INT(changes[1].row.id, 2);
    CHECK_INT(count_at(self, map, NOW), COUNT);
    SQLITE->close(self);
}

/* ---- counting ---- */

TEST(sqlite_backend, id_of_a_deleted_last_row_is_not_given_again_after_reopening)
{
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");

    apply_one(self, map, put("a", "1"));
    CHECK_INT(apply_one(self, map, put("b", "1")).row.id, 2);
    CHECK_OK(apply_one(self, map, del("b")).status);
    SQLITE->close(self);
    self = open_store(path);
    CHECK_INT(apply_one(self, map, put("c", "1")).row.id, 3);
    CHECK_INT(count_at(self, map, NOW), 2);
    SQLITE->close(self);
}

TEST(sqlite_backend, undone_changes_leave_the_count_as_it_was)
{
    pdict_change changes[] = { put("b", "1"), del("a") };
    void *self = open_store(test_path("a.db"));
    uint32_t map = make_map(self, "main");
    void *txn;

    apply_one(self, map, put("a", "1"));
    txn = begin(self);
    CHECK_OK(SQLITE->apply(self, txn, map, changes, 2, NOW));
    SQLITE->write_abort(self, txn);
    CHECK_INT(count_at(self, map, NOW), 1);
    CHECK_INT(apply_one(self, map, put("c", "1")).row.id, 2);
    CHECK_INT(count_at(self, map, NOW), 2);
    SQLITE->close(self);
}

TEST(sqlite_backend, expired_rows_are_counted_out_by_a_range_of_the_index)
{
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");
    char *plan;

    for (int i = 0; i < 50; i++) {
        char *key = test_alloc(16);
        pdict_change change;

        snprintf(key, 16, "k%d", i);
        change = put(key, "v");
        change.row.expires_ms = i % 2 == 0 ? NOW + i : 0;
        apply_one(self, map, change);
    }
    /* 0, 2, 4 and 6 have expired; an entry is gone at its deadline, not after it. */
    CHECK_INT(count_at(self, map, NOW + 6), 46);
    CHECK_INT(count_at(self, map, NOW + 5), 47);
    SQLITE->close(self);
    plan = shell(path, "EXPLAIN QUERY PLAN SELECT count(*) FROM kv_1 INDEXED BY kv_1_expires "
                       "WHERE expires_ms <> 0 AND expires_ms <= 5;");
    CHECK(strstr(plan, "COVERING INDEX kv_1_expires (expires_ms<?)") != NULL);
}

/* ---- strangers who write with SQL while the store is open ---- */

TEST(sqlite_backend, foreign_insert_update_delete_keep_keys_and_count_right)
{
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");

    apply_one(self, map, put("a", "1"));
    apply_one(self, map, put("b", "1"));
    CHECK_STR(shell(path, "INSERT INTO kv_1(key, version, created_ms, expires_ms, value)"
                          " VALUES (x'63', 1, 5, 0, x'31'), (x'64', 1, 5, 0, x'31');"
                          "UPDATE kv_1 SET key = x'6565', value = x'32' WHERE key = x'64';"
                          "DELETE FROM kv_1 WHERE key = x'61';"),
              "");
    CHECK_INT(count_at(self, map, NOW), 3);
    CHECK_INT(apply_one(self, map, del("a")).status, PDICT_NOTFOUND);
    CHECK_INT(apply_one(self, map, del("d")).status, PDICT_NOTFOUND);
    CHECK_INT(apply_one(self, map, put("ee", "3")).row.id, 4);
    CHECK_INT(apply_one(self, map, put("f", "1")).row.id, 5);
    CHECK_INT(count_at(self, map, NOW), 4);
    SQLITE->close(self);
    check_sound(path, map);
}

TEST(sqlite_backend, foreign_row_takes_no_id_that_was_given_before)
{
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");

    apply_one(self, map, put("a", "1"));
    apply_one(self, map, put("b", "1"));
    apply_one(self, map, del("b"));
    CHECK_STR(shell(path, "INSERT INTO kv_1 VALUES (NULL, x'63', 1, 5, 0, x'31');"
                          "INSERT INTO kv_1 VALUES (-4, x'64', 1, 5, 0, x'31');"
                          "INSERT INTO kv_1 VALUES (90, x'65', 1, 5, 0, x'31');"
                          "SELECT id, key FROM kv_1;"),
              "1|a\n3|c\n4|d\n90|e");
    CHECK_INT(count_at(self, map, NOW), 4);
    CHECK_INT(apply_one(self, map, put("f", "1")).row.id, 91);
    CHECK_INT(count_at(self, map, NOW), 5);
    SQLITE->close(self);
    check_sound(path, map);
}

TEST(sqlite_backend, foreign_statements_that_would_break_a_map_are_refused)
{
    static const char *const refused[] = {
        "INSERT INTO kv_1 VALUES (NULL, x'61', 1, 5, 0, x'31');",
        "INSERT OR REPLACE INTO kv_1 VALUES (NULL, x'61', 1, 5, 0, x'31');",
        "INSERT OR REPLACE INTO kv_1 VALUES (1, x'7a', 1, 5, 0, x'31');",
        "INSERT OR IGNORE INTO kv_1 VALUES (NULL, x'61', 1, 5, 0, x'31');",
        "INSERT INTO kv_1 VALUES (NULL, 'text', 1, 5, 0, x'31');",
        "INSERT INTO kv_1 VALUES (NULL, x'7a', 1, 5, 0, 'text');",
        "UPDATE kv_1 SET key = 'text' WHERE id = 1;",
        "UPDATE kv_1 SET key = x'61' WHERE key = x'62';",
        "UPDATE OR REPLACE kv_1 SET key = x'61' WHERE key = x'62';",
        "UPDATE OR REPLACE kv_1 SET id = 1 WHERE id = 2;",
        "UPDATE OR REPLACE kv_1 SET rowid = 1 WHERE id = 2;",
        "UPDATE kv_1 SET id = -1 WHERE id = 2;",
    };
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");

    apply_one(self, map, put("a", "1"));
    apply_one(self, map, put("b", "1"));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (strstr(shell(path, refused[i]), "rror") == NULL)
            FAIL("%s was not refused", refused[i]);
        CHECK_INT(count_at(self, map, NOW), 2);
    }
    SQLITE->close(self);
    check_sound(path, map);
}

TEST(sqlite_backend, foreign_delete_of_everything_and_moved_ids_are_counted)
{
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");

    apply_one(self, map, put("a", "1"));
    apply_one(self, map, put("b", "1"));
    CHECK_STR(shell(path, "UPDATE kv_1 SET id = id + 10;"), "");
    CHECK_INT(count_at(self, map, NOW), 2);
    CHECK_INT(apply_one(self, map, put("a", "2")).row.id, 11);
    check_sound(path, map);
    CHECK_STR(shell(path, "DELETE FROM kv_1;"), "");
    CHECK_INT(count_at(self, map, NOW), 0);
    CHECK_INT(apply_one(self, map, put("c", "1")).row.id, 13);
    SQLITE->close(self);
    check_sound(path, map);
}
