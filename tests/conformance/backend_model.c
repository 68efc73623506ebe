/* SPDX-License-Identifier: MIT */
/* Random streams of everything at once, compared step by step with a plain model in memory. */
#include "model.h"

enum {
    SNAPSHOTS = 3
};

/* What one stream is made of. */
struct shape {
    unsigned steps; /* transactions */
    unsigned keys;  /* different keys, up to MODEL_KEYS */
    unsigned array; /* most changes in one apply */
    size_t key_size;
    size_t value_size;
    bool is_map_heavy;
};

struct snapshot {
    void *reader;
    struct model model;
};

struct stream {
    struct subject *t;
    const struct shape *shape;
    uint64_t random;
    int64_t now_ms;
    uint64_t last_version;
    uint32_t last_map;
    struct model model;
    struct snapshot snapshots[SNAPSHOTS];
};

static unsigned below(struct stream *s, unsigned limit)
{
    return (unsigned)random_below(&s->random, limit);
}

static pdict_slice map_name(unsigned name)
{
    static const pdict_slice names[MODEL_MAPS + 2] = { { "users", 5 }, { "", 0 },      { "a b", 3 },
                                                       { "a", 1 },     { "Users", 5 }, { "z", 1 } };

    return names[name];
}

static pdict_slice system_name(unsigned name)
{
    static const pdict_slice names[MODEL_NAMES] = { { "descriptor", 10 }, { "", 0 }, { "k\0", 2 } };

    return names[name];
}

static pdict_slice stream_key(struct stream *s, unsigned number)
{
    if (s->shape->key_size > 0)
        return long_bytes(s->shape->key_size - number % 3, 'k', number);
    return long_bytes(number % 4, 0, number * 2654435761u);
}

static pdict_slice stream_value(struct stream *s)
{
    size_t size = below(s, 20) == 0 ? s->shape->value_size : below(s, 40);

    return long_bytes(size, 'v', (uint32_t)random_next(&s->random));
}

/* ---- comparing ---- */

static pdict_scan random_scan(struct stream *s, const struct model_map *map)
{
    pdict_scan scan = { .flags = below(s, 4) };

    if (!(scan.flags & PDICT_SCAN_BY_KEY) && below(s, 2) == 0)
        scan.flags |= PDICT_SCAN_BY_EXPIRY;
    if (below(s, 2) == 0)
        scan.from_ms = s->now_ms - below(s, 10);
    if (below(s, 2) == 0)
        scan.to_ms = s->now_ms - 5 + below(s, 10);
    if (below(s, 2) == 0)
        scan.from = stream_key(s, below(s, s->shape->keys));
    if (below(s, 2) == 0)
        scan.to = stream_key(s, below(s, s->shape->keys));
    if (map->count > 0 && below(s, 2) == 0)
        scan.from_id = map->rows[below(s, (unsigned)map->count)].id;
    if (map->count > 0 && below(s, 2) == 0)
        scan.to_id = map->rows[below(s, (unsigned)map->count)].id + below(s, 2);
    return scan;
}

static void compare_scan(struct stream *s, void *txn, const struct model_map *map, pdict_scan scan)
{
    struct rows rows = scan_rows(s->t, txn, map->number, &scan);
    struct rows expected = model_scan(map, &scan);

    check_same_rows(rows, expected);
    for (size_t i = 0; i < rows.count; i++)
        CHECK_INT(rows.row[i].id, expected.row[i].id);
}

static void compare_system(struct stream *s, void *txn, uint32_t map, const pdict_slice *expected)
{
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        pdict_slice value = { 0 };
        int status = s->t->backend->system_get(s->t->self, txn, map, system_name(i), &value);
        CHECK_STATUS(status, expected[i].data != NULL ? PDICT_OK : PDICT_NOTFOUND);
        CHECK_BYTES(value, expected[i]);
    }
}

static void compare_map(struct stream *s, void *txn, struct model_map *map)
{
    uint32_t number = 0;
    pdict_slice key = stream_key(s, below(s, s->shape->keys));
    pdict_row *expected = model_find(map, key), row = { .id = 0 };

    CHECK_OK(s->t->backend->map_find(s->t->self, txn, map_name(map->name), &number));
    CHECK_INT(number, map->number);
    for (int64_t shift = -3; shift <= 3; shift += 3)
        CHECK_INT(count_at(s->t, txn, number, s->now_ms + shift),
                  model_count(map, s->now_ms + shift));
    CHECK_STATUS(s->t->backend->get(s->t->self, txn, number, key, &row),
                 expected != NULL ? PDICT_OK : PDICT_NOTFOUND);
    if (expected != NULL) {
        CHECK_BYTES(row.value, expected->value);
        CHECK_INT(row.id, expected->id);
    }
    compare_scan(s, txn, map, (pdict_scan){ .flags = below(s, 4) });
    compare_scan(s, txn, map, random_scan(s, map));
    compare_system(s, txn, number, map->system);
}

static void compare_walk(struct stream *s, void *txn, const struct model *model)
{
    unsigned walked = 0, expected = 0;
    uint32_t number = 0, last;
    pdict_slice name = { 0 };
    int status;

    for (unsigned i = 0; i < MODEL_MAPS; i++)
        expected += model->maps[i].number != 0;
    do {
        last = number;
        status = s->t->backend->map_next(s->t->self, txn, last, &number, &name);
        CHECK(status != PDICT_OK || number > last);
        walked += status == PDICT_OK;
    } while (status == PDICT_OK);
    CHECK_STATUS(status, PDICT_END);
    CHECK_INT(walked, expected);
}

static void compare(struct stream *s, void *txn, struct model *model)
{
    for (unsigned i = 0; i < MODEL_MAPS; i++) {
        if (model->maps[i].number != 0)
            compare_map(s, txn, &model->maps[i]);
    }
    compare_walk(s, txn, model);
    compare_system(s, txn, 0, model->system);
}

/* ---- one step of each kind ---- */

static pdict_change random_change(struct stream *s, struct model_map *map)
{
    pdict_slice key = stream_key(s, below(s, s->shape->keys));
    pdict_change change = below(s, 3) == 0 ? change_del(key) : change_put(key, stream_value(s));
    pdict_row *row = model_find(map, key);

    change.condition = (uint8_t)(below(s, 2) == 0 ? PDICT_IF_ANY : below(s, 4));
    change.if_version = row != NULL && below(s, 3) > 0 ? row->version : s->last_version;
    change.row.version = ++s->last_version;
    change.row.created_ms = s->now_ms;
    if (below(s, 3) == 0)
        change.row.expires_ms = s->now_ms - 1 + below(s, 6);
    return change;
}

static void check_change(struct model_map *map, const pdict_change *change, uint64_t *last_id)
{
    pdict_row *row = model_find(map, change->row.key);

    CHECK(row != NULL);
    if (row->id == 0) {
        CHECK(change->row.id > *last_id);
        row->id = change->row.id;
    }
    CHECK_INT(change->row.id, row->id);
    CHECK_INT(change->row.created_ms, row->created_ms);
    *last_id = row->id > *last_id ? row->id : *last_id;
}

/* A change after another of the same key may hide what that one gave, so each is checked alone. */
static void step_apply(struct stream *s, void *txn, struct model_map *map)
{
    unsigned count = 1 + below(s, s->shape->array);
    pdict_change *changes = keep_bytes(NULL, count * sizeof(*changes));
    uint64_t last_id = map->count > 0 ? map->rows[map->count - 1].id : 0;

    for (unsigned i = 0; i < count; i++)
        changes[i] = random_change(s, map);
    CHECK_OK(s->t->backend->apply(s->t->self, txn, map->number, changes, count, s->now_ms));
    for (unsigned i = 0; i < count; i++) {
        pdict_change asked = changes[i];
        asked.row.id = 0;
        asked.row.created_ms = s->now_ms;
        CHECK_STATUS(changes[i].status, model_change(map, &asked, s->now_ms));
        if (changes[i].kind == PDICT_CHANGE_PUT && changes[i].status == PDICT_OK)
            check_change(map, &changes[i], &last_id);
    }
}

static void step_system(struct stream *s, void *txn, uint32_t map, pdict_slice *values)
{
    unsigned name = below(s, MODEL_NAMES);
    pdict_slice value = below(s, 3) == 0 ? (pdict_slice){ NULL, 0 } : stream_value(s);

    CHECK_OK(s->t->backend->system_put(s->t->self, txn, map, system_name(name), value));
    values[name] = value;
}

static bool is_name_taken(const struct model *model, unsigned name)
{
    for (unsigned i = 0; i < MODEL_MAPS; i++) {
        if (model->maps[i].number != 0 && model->maps[i].name == name)
            return true;
    }
    return false;
}

static void step_create(struct stream *s, void *txn, struct model_map *map)
{
    unsigned name = below(s, MODEL_MAPS + 2);
    bool is_taken = is_name_taken(&s->model, name);
    uint32_t number = 0;

    CHECK_STATUS(s->t->backend->map_create(s->t->self, txn, map_name(name), &number),
                 is_taken ? PDICT_EXISTS : PDICT_OK);
    if (is_taken)
        return;
    CHECK(number > s->last_map);
    *map = (struct model_map){ .number = number, .name = name };
}

static void step_rename(struct stream *s, void *txn, struct model_map *map)
{
    unsigned name = below(s, MODEL_MAPS + 2);
    bool is_taken = is_name_taken(&s->model, name);

    if (name == map->name)
        return;
    CHECK_STATUS(s->t->backend->map_rename(s->t->self, txn, map->number, map_name(name)),
                 is_taken ? PDICT_EXISTS : PDICT_OK);
    if (!is_taken)
        map->name = name;
}

static void step(struct stream *s, void *txn)
{
    struct model_map *map = &s->model.maps[below(s, MODEL_MAPS)];
    unsigned kind = below(s, s->shape->is_map_heavy ? 20 : 60);

    if (map->number == 0) {
        step_create(s, txn, map);
    } else if (kind == 0) {
        CHECK_OK(s->t->backend->map_drop(s->t->self, txn, map->number));
        map->number = 0;
    } else if (kind == 1) {
        step_rename(s, txn, map);
    } else if (kind == 2) {
        step_system(s, txn, 0, s->model.system);
    } else if (kind < 6) {
        step_system(s, txn, map->number, map->system);
    } else {
        step_apply(s, txn, map);
    }
}

static void transaction(struct stream *s)
{
    struct model *before = keep_bytes(&s->model, sizeof(s->model));
    void *txn = begin_write(s->t);

    for (unsigned steps = below(s, 5); steps > 0; steps--)
        step(s, txn);
    if (below(s, 4) == 0)
        compare(s, txn, &s->model);
    if (below(s, 4) == 0) {
        abort_write(s->t, txn);
        s->model = *before;
        return;
    }
    commit(s->t, txn);
    for (unsigned i = 0; i < MODEL_MAPS; i++) {
        if (s->model.maps[i].number > s->last_map)
            s->last_map = s->model.maps[i].number;
    }
}

/* Look at an old snapshot once more and replace it with one of now. */
static void renew_snapshot(struct stream *s)
{
    struct snapshot *snapshot = &s->snapshots[below(s, SNAPSHOTS)];

    if (snapshot->reader != NULL) {
        compare(s, snapshot->reader, &snapshot->model);
        end_read(s->t, snapshot->reader);
    }
    snapshot->reader = begin_read(s->t);
    snapshot->model = s->model;
    compare(s, snapshot->reader, &snapshot->model);
}

static void end_snapshots(struct stream *s)
{
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        if (s->snapshots[i].reader == NULL)
            continue;
        compare(s, s->snapshots[i].reader, &s->snapshots[i].model);
        end_read(s->t, s->snapshots[i].reader);
        s->snapshots[i].reader = NULL;
    }
}

static void between_transactions(struct stream *s)
{
    const pdict_backend *backend = s->t->backend;

    s->now_ms += below(s, 3);
    if (below(s, 3) == 0)
        renew_snapshot(s);
    if (backend->checkpoint != NULL && below(s, 20) == 0)
        CHECK_OK(backend->checkpoint(s->t->self, false));
    if (backend->capabilities & PDICT_CAP_FILE && below(s, 40) == 0) {
        end_snapshots(s);
        reopen_store(s->t);
    }
}

static void run_stream(struct subject *t, const struct shape *shape)
{
    struct stream *s = keep_bytes(NULL, sizeof(*s));

    memset(s, 0, sizeof(*s));
    *s = (struct stream){ .t = t, .shape = shape, .random = t->seed, .now_ms = NOW };
    for (unsigned i = 0; i < shape->steps; i++) {
        transaction(s);
        between_transactions(s);
    }
    end_snapshots(s);
    void *reader = begin_read(t);
    compare(s, reader, &s->model);
    end_read(t, reader);
}

static void a_random_stream_agrees_with_the_model(struct subject *t)
{
    run_stream(t, &(struct shape){ .steps = 600, .keys = 60, .array = 8, .value_size = 3000 });
}

static void a_random_stream_of_few_keys_agrees_with_the_model(struct subject *t)
{
    run_stream(t, &(struct shape){ .steps = 600, .keys = 6, .array = 12, .value_size = 100 });
}

static void a_random_stream_of_large_arrays_agrees_with_the_model(struct subject *t)
{
    run_stream(t, &(struct shape){ .steps = 100, .keys = 120, .array = 600, .value_size = 5000 });
}

static void a_random_stream_of_long_keys_agrees_with_the_model(struct subject *t)
{
    run_stream(t,
               &(struct shape){
                   .steps = 150, .keys = 100, .array = 20, .key_size = 2005, .value_size = 9000 });
}

static void a_random_stream_of_maps_agrees_with_the_model(struct subject *t)
{
    run_stream(t,
               &(struct shape){
                   .steps = 600, .keys = 20, .array = 4, .value_size = 50, .is_map_heavy = true });
}

const struct test_case backend_model_cases[] = {
    CASE(a_random_stream_agrees_with_the_model, 0),
    CASE(a_random_stream_of_few_keys_agrees_with_the_model, 0),
    CASE(a_random_stream_of_large_arrays_agrees_with_the_model, 0),
    CASE(a_random_stream_of_long_keys_agrees_with_the_model, 0),
    CASE(a_random_stream_of_maps_agrees_with_the_model, 0),
    { .name = NULL },
};
