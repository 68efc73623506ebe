/* SPDX-License-Identifier: MIT */
/* Operations as the source of a test: calls of the public API, with what the model says of each. */
#include "print.h"

#include <ctype.h>

/* ---- pieces ---- */

static void print_slice(FILE *out, pdict_slice slice)
{
    const unsigned char *bytes = slice.data;

    if (slice.size > 100) {
        fprintf(out, "repeat('k', %zu, '%c')", slice.size, bytes[slice.size - 1]);
        return;
    }
    fputs("pdict_bytes(\"", out);
    for (size_t i = 0; i < slice.size; i++)
        fprintf(out, isalnum(bytes[i]) || bytes[i] == '-' ? "%c" : "\\%03o", bytes[i]);
    fprintf(out, "\", %zu)", slice.size);
}

static void print_key(FILE *out, unsigned key)
{
    print_slice(out, key_bytes(key));
}

static void print_value(FILE *out, struct value value)
{
    if (value.is_number)
        fprintf(out, "pdict_str(\"%d\")", (int)value.number);
    else
        fprintf(out, "value(%d, %u, %u)", value.is_text, value.at, value.size);
}

static void print_status(FILE *out, int status)
{
    fprintf(out, ", %s);\n", pdict_status_name(status));
}

/* ---- operations ---- */

static void print_get(struct printer *p, const struct op *op)
{
    const struct row *row = model_find(&p->model, op->map, op->key);

    fprintf(p->out, "    %s(%u, ", row ? "check_get" : "check_absent", op->map);
    print_key(p->out, op->key);
    if (row) {
        fputs(", ", p->out);
        print_value(p->out, row->value);
        fprintf(p->out, ", %lld, %lld", (long long)row->created_ms, (long long)row->expires_ms);
    }
    fputs(");\n", p->out);
}

static void print_get_many(struct printer *p, const struct op *op)
{
    for (unsigned i = 0; i < op->count; i++) {
        struct op one = { .kind = OP_GET, .map = op->map, .key = (uint16_t)batch_key(op, i) };

        print_get(p, &one);
    }
}

static void print_how(struct printer *p, const struct op *op)
{
    unsigned flags = op->condition;
    int64_t expires_ms;

    fputs("        pdict_put_options how = PDICT_PUT_OPTIONS_INIT;\n\n", p->out);
    if (op->kind == OP_PUT_MANY && op->flags && p->model.maps[op->map].max_entries == 0)
        flags |= PDICT_PUT_IN_SLICES;
    if (flags)
        fprintf(p->out, "        how.flags = %u;\n", flags);
    if (op->condition == PDICT_PUT_IF_VERSION) {
        fprintf(p->out, "        how.if_version = version_of(%u, ", op->map);
        print_key(p->out, op->key);
        fprintf(p->out, ")%s;\n", op->version == VERSION_CURRENT ? "" : " + 1");
    }
    model_expiry(&p->model, op, &expires_ms);
    if (op->expiry == EXPIRY_TTL)
        fprintf(p->out, "        how.ttl_ms = %lld;\n", (long long)op->time_ms);
    if (op->expiry == EXPIRY_AT)
        fprintf(p->out, "        how.expires_ms = %lld;\n", (long long)expires_ms);
}

static void print_put(struct printer *p, const struct op *op)
{
    fputs("    {\n", p->out);
    print_how(p, op);
    fprintf(p->out, "        CHECK_STATUS(pdict_put(maps[%u], ", op->map);
    print_key(p->out, op->key);
    fputs(", ", p->out);
    print_value(p->out, op->value);
    fputs(", &how)", p->out);
    print_status(p->out, model_write(&p->model, op, NULL));
    fputs("    }\n", p->out);
}

static void print_modification(struct printer *p, const struct op *op)
{
    static const char *const calls[] = { "add_to", "pop", "modify" };

    fputs("    {\n", p->out);
    if (op->kind != OP_POP)
        print_how(p, op);
    fprintf(p->out, "        CHECK_STATUS(%s(%u, ", calls[op->kind - OP_ADD], op->map);
    print_key(p->out, op->key);
    if (op->kind == OP_ADD)
        fprintf(p->out, ", %d, &how", (int)op->value.number);
    if (op->kind == OP_MODIFY) {
        fputs(", ", p->out);
        print_value(p->out, op->value);
        fprintf(p->out, ", %d, &how", op->flags);
    }
    fputs(")", p->out);
    print_status(p->out, model_write(&p->model, op, NULL));
    fputs("    }\n", p->out);
}

static void print_touch(struct printer *p, const struct op *op)
{
    static const char *const calls[] = { "touch", "touch_until", "persist", "touch" };
    long long time_ms = op->flags == TOUCH_UNTIL ? model_touched(&p->model, op) : op->time_ms;

    fprintf(p->out, "    CHECK_STATUS(pdict_%s(maps[%u], ", calls[op->flags], op->map);
    print_key(p->out, op->key);
    if (op->flags != TOUCH_PERSIST)
        fprintf(p->out, ", %lld", time_ms);
    fputs(")", p->out);
    print_status(p->out, model_write(&p->model, op, NULL));
}

static void print_statuses(struct printer *p, const struct op *op)
{
    int statuses[BATCH_MAX];

    print_status(p->out, model_write(&p->model, op, statuses));
    for (unsigned i = 0; i < op->count; i++) {
        fprintf(p->out, "        CHECK_STATUS(statuses[%u]", i);
        print_status(p->out, statuses[i]);
    }
    fputs("    }\n", p->out);
}

static void print_batch(struct printer *p, const struct op *op)
{
    bool is_put = op->kind == OP_PUT_MANY;

    fprintf(p->out, "    {\n        const pdict_%s batch[] = {\n", is_put ? "pair" : "slice");
    for (unsigned i = 0; i < op->count || i == 0; i++) {
        fputs(is_put ? "            { " : "            ", p->out);
        print_key(p->out, batch_key(op, i));
        fputs(is_put ? ", " : ",\n", p->out);
        if (is_put) {
            print_value(p->out, batch_value(op, i));
            fputs(" },\n", p->out);
        }
    }
    fprintf(p->out, "        };\n        int statuses[%u];\n", op->count + 1);
    if (is_put)
        print_how(p, op);
    fprintf(p->out, "        CHECK_STATUS(pdict_%s_many(maps[%u], batch, %u, %sstatuses)",
            is_put ? "put" : "del", op->map, op->count, is_put ? "&how, " : "");
    print_statuses(p, op);
}

static void print_bound(struct printer *p, const char *name, const struct bound *bound)
{
    char room[BOUND_ROOM];

    if (!bound->is_set)
        return;
    fprintf(p->out, "        range.%s = ", name);
    print_slice(p->out, bound_bytes(bound, room));
    fputs(";\n", p->out);
}

static unsigned edited_key(const struct op *op, unsigned key)
{
    return op->edit == EDIT_OTHER ? (key + op->seed) % N_KEYS : key;
}

static void print_edits(struct printer *p, const struct op *op, const uint16_t *keys, size_t count)
{
    fputs("        const pdict_pair edits[] = {\n", p->out);
    for (size_t i = 0; i < count; i++) {
        struct op edit = { .kind = op->edit == EDIT_DELETE ? OP_DEL : OP_PUT,
                           .map = op->map,
                           .key = (uint16_t)edited_key(op, keys[i]),
                           .value = EDIT_VALUE };

        fputs("            { ", p->out);
        print_key(p->out, edit.key);
        fputs(op->edit == EDIT_DELETE ? ", { NULL, 0 } },\n" : ", value(0, 0, 20) },\n", p->out);
        if (i % op->seed == 0)
            model_write(&p->model, &edit, NULL);
    }
    fputs("        };\n", p->out);
}

static void print_walk(struct printer *p, const struct op *op)
{
    uint16_t keys[N_KEYS];
    size_t all = model_walk(&p->model, op, keys), count = op->count < all ? op->count : all;
    bool is_edit = op->edit != EDIT_NONE && count > 0;

    fputs("    {\n        pdict_range range = PDICT_RANGE_INIT;\n", p->out);
    fputs("        const pdict_slice keys[] = {\n", p->out);
    for (size_t i = 0; i < count; i++) {
        fputs("            ", p->out);
        print_key(p->out, keys[i]);
        fputs(",\n", p->out);
    }
    fputs("            { NULL, 0 },\n        };\n", p->out);
    if (is_edit)
        print_edits(p, op, keys, count);
    fprintf(p->out, "        range.flags = %u;\n", op->flags);
    print_bound(p, "prefix", &op->prefix);
    print_bound(p, "from", &op->from);
    print_bound(p, "to", &op->to);
    fprintf(p->out, "        check_walk(%u, range, keys, %zu, %d, %s, %u);\n    }\n", op->map,
            count, op->count > all, is_edit ? "edits" : "NULL", op->seed);
}

static void print_hold(struct printer *p, const struct op *op)
{
    unsigned place = op->count % N_HELD;

    fprintf(p->out, "    pdict_view_release(&held[%u]);\n", place);
    if (op->kind == OP_LET)
        return;
    fprintf(p->out, "    CHECK_STATUS(pdict_get(maps[%u], ", op->map);
    print_key(p->out, op->key);
    fprintf(p->out, ", &held[%u])", place);
    print_status(p->out, model_find(&p->model, op->map, op->key) ? PDICT_OK : PDICT_NOTFOUND);
}

static void print_clock(struct printer *p, const struct op *op)
{
    const struct row *row = &p->model.maps[op->map].rows[op->key];

    if (op->kind == OP_CLOCK)
        p->model.now_ms += op->time_ms;
    else if (row->is_there && row->expires_ms > 1 && row->expires_ms < INT64_MAX - 1)
        p->model.now_ms = row->expires_ms + op->time_ms;
    fprintf(p->out, "    test_now_ms = %lld;\n", (long long)p->model.now_ms);
}

static void print_reopen(struct printer *p, const struct op *op)
{
    if (!p->setup->is_persistent && op->flags && op->count == 0) {
        fputs("    close_maps();\n    open_maps(\"rwc\");\n", p->out);
        for (unsigned map = 0; map < N_MAPS; map++)
            p->model.maps[map] = (struct model_map){ .last_place = 0 };
        return;
    }
    if (p->setup->is_persistent && op->flags)
        fputs("    reopen(\"ro\");\n", p->out);
    fputs("    reopen(\"rw\");\n", p->out);
    print_count(p, 0);
    print_count(p, 1);
}

static void print_write(struct printer *p, const struct op *op)
{
    if (op->kind == OP_PUT) {
        print_put(p, op);
    } else if (op->kind == OP_PUT_MANY || op->kind == OP_DEL_MANY) {
        print_batch(p, op);
    } else if (op->kind >= OP_ADD && op->kind <= OP_MODIFY) {
        print_modification(p, op);
    } else if (op->kind == OP_TOUCH) {
        print_touch(p, op);
    } else if (op->kind == OP_DEL) {
        fprintf(p->out, "    CHECK_STATUS(pdict_del(maps[%u], ", op->map);
        print_key(p->out, op->key);
        fputs(")", p->out);
        print_status(p->out, model_write(&p->model, op, NULL));
    } else {
        fprintf(p->out, "    CHECK_OK(pdict_clear(maps[%u], PDICT_CLEAR_EVERYTHING));\n", op->map);
        model_write(&p->model, op, NULL);
    }
}

/* The writes that the child acknowledged; returns how many. */
static size_t print_crash(struct printer *p, size_t at)
{
    const struct op *op = &p->ops[at];
    size_t done = 0;

    if (!p->setup->is_persistent)
        return 0;
    fputs("    close_maps();\n    if (fork() == 0) {\n    open_maps(\"rw\");\n", p->out);
    while (done < op->key && at + 1 + done < p->count && op_writes(&op[1 + done]))
        print_write(p, &op[1 + done++]);
    fputs("    raise(SIGKILL);\n    }\n    wait(NULL);\n    open_maps(\"rw\");\n", p->out);
    print_count(p, 0);
    print_count(p, 1);
    return done;
}

static void print_op(struct printer *p, const struct op *op)
{
    if (op_writes(op))
        print_write(p, op);
    else if (op->kind <= OP_META)
        print_get(p, op);
    else if (op->kind == OP_COUNT || op->kind == OP_STATS || op->kind == OP_LIST)
        print_count(p, op->map);
    else if (op->kind == OP_GET_MANY)
        print_get_many(p, op);
    else if (op->kind == OP_WALK)
        print_walk(p, op);
    else if (op->kind == OP_HOLD || op->kind == OP_LET)
        print_hold(p, op);
    else if (op->kind >= OP_RENAME && op->kind <= OP_BACKUP)
        print_with_store(p, op);
    else if (op->kind == OP_CLOCK || op->kind == OP_CLOCK_TO)
        print_clock(p, op);
    else if (op->kind == OP_REOPEN)
        print_reopen(p, op);
    else if (op->kind == OP_CLEAR_CACHE)
        fprintf(p->out, "    CHECK_OK(pdict_clear_cache(maps[%u]));\n", op->map);
    else if (op->kind == OP_SYNC)
        fprintf(p->out, "    CHECK_OK(pdict_sync(maps[%u]));\n", op->map);
    else
        fprintf(p->out, "    /* a malformed call, refused */\n");
}

/* Returns how many operations were done inside. */
static size_t print_txn(struct printer *p, size_t at)
{
    static struct model before;
    const struct op *op = &p->ops[at];
    size_t done = 0;

    before = p->model;
    p->model.is_inside = true;
    fputs("    begin_inside();\n", p->out);
    while (done < op->count && at + 1 + done < p->count && op_fits_inside(&op[1 + done]))
        print_op(p, &op[1 + done++]);
    fprintf(p->out, "    end_inside(%d);\n", !op->flags);
    p->model.is_inside = false;
    for (unsigned map = 0; map < N_MAPS; map++)
        model_evict(&p->model, map);
    if (op->flags)
        p->model = before;
    print_count(p, 0);
    print_count(p, 1);
    return done;
}

void print_test(FILE *out, const struct setup *setup, const struct op *ops, size_t count)
{
    static struct printer p;

    p = (struct printer){ .out = out, .setup = setup, .ops = ops, .count = count };
    model_init(&p.model);
    fprintf(out, "#define BACKEND \"%s\"\n#define CODECS \"%s\"\n", setup->backend, setup->codecs);
    fprintf(out, "#define IS_SEALED %d\n#define IS_PERSISTENT %d\n", setup->is_sealed,
            setup->is_persistent);
    fputs(print_prelude, out);
    fputs(print_prelude_more, out);
    fputs("TEST(model, shrunk)\n{\n    open_maps(\"rwc\");\n", out);
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind == OP_CRASH)
            i += print_crash(&p, i);
        else if (ops[i].kind == OP_TXN)
            i += print_txn(&p, i);
        else
            print_op(&p, &ops[i]);
    }
    fputs("    for (int i = 0; i < 4; i++)\n        pdict_view_release(&held[i]);\n", out);
    fputs("    close_maps();\n}\n", out);
}
