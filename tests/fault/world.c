/* SPDX-License-Identifier: MIT */
/* A small store with something of everything: made, described, checked. */
#include "world.h"

#include <pdict/ext/register.h>
#include <stdio.h>
#include <stdlib.h>

const struct setup setups[] = {
    { "memory", "raw", false, false },
    { "memory", "raw,zstd:3,xchacha20", false, true },
    { "sqlite", "raw", true, false },
    { "sqlite", "raw,zlib:6,xchacha20", true, true },
    { "lmdb", "raw", true, false },
    { "lmdb", "raw,zstd:3,xchacha20", true, true },
    { "sqlite", "raw,xchacha20&names=hidden", true, true },
};
const size_t n_setups = sizeof(setups) / sizeof(setups[0]);

bool setup_is_built(const struct setup *setup)
{
    return pdict_backend_find(setup->backend) != NULL;
}

const char world_value[] = "a value that is long enough to be made shorter, shorter, and shorter";

static const char key_bytes[] = "0123456789abcdef0123456789abcdef";

/* ---- memory ---- */

static bool is_failing(struct memory *memory)
{
    unsigned long call = atomic_fetch_add(&memory->n_calls, 1) + 1;
    bool is_turn = memory->fail_at != 0 &&
                   (call == memory->fail_at || (memory->is_onward && call > memory->fail_at));

    if (is_turn)
        atomic_fetch_add(&memory->n_failed, 1);
    return is_turn;
}

static void *counted_allocate(void *ctx, size_t size)
{
    struct memory *memory = ctx;
    void *bytes = is_failing(memory) ? NULL : malloc(size);

    if (bytes)
        atomic_fetch_add(&memory->n_live, 1);
    return bytes;
}

static void *counted_reallocate(void *ctx, void *bytes, size_t size)
{
    struct memory *memory = ctx;
    void *grown = is_failing(memory) ? NULL : realloc(bytes, size);

    if (grown && !bytes)
        atomic_fetch_add(&memory->n_live, 1);
    return grown;
}

static void counted_release(void *ctx, void *bytes)
{
    struct memory *memory = ctx;

    if (bytes)
        atomic_fetch_sub(&memory->n_live, 1);
    free(bytes);
}

/* ---- the store ---- */

static int64_t still_clock(void *ctx)
{
    (void)ctx;
    return 1700000000000;
}

static const char *uri_of(const struct world *w, const char *more)
{
    static char uri[2048];

    snprintf(uri, sizeof(uri), "fault+%s:%s?durability=ordered%s", w->setup->backend, w->path,
             more);
    return uri;
}

int world_open_map(struct world *w, const char *more, pdict **out)
{
    char text[512];

    snprintf(text, sizeof(text), "&codecs=%s%s", w->setup->codecs, more);
    return pdict_open(uri_of(w, text), &w->options, out);
}

static void fill(pdict *d, int count, const char *value)
{
    char keys[32][16];
    pdict_pair pairs[32];

    for (int i = 0; i < count; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%02d", i);
        pairs[i] = (pdict_pair){ pdict_str(keys[i]), pdict_str(value) };
    }
    CHECK_OK(pdict_put_many(d, pairs, (size_t)count, NULL, NULL));
}

void world_open(struct world *w)
{
    pdict_options plain = w->options;

    /* A store that is opened without a map is given no key. */
    plain.key = (pdict_slice){ 0 };
    CHECK_OK(world_open_map(w, "", &w->d));
    CHECK_OK(pdict_store_open(uri_of(w, ""), &plain, &w->store));
}

void world_make(struct world *w, const struct setup *setup)
{
    static int n_worlds;
    pdict *spare;

    *w = (struct world){ .setup = setup, .options = PDICT_OPTIONS_INIT };
    n_worlds++;
    if (setup->is_persistent)
        snprintf(w->path, sizeof(w->path), "%s", test_path("%d.db", n_worlds));
    else
        snprintf(w->path, sizeof(w->path), "world%d", n_worlds);
    if (setup->is_sealed)
        w->options.key = pdict_bytes(key_bytes, 32);
    w->options.clock = still_clock;
    w->options.allocator = (pdict_allocator){ .allocate = counted_allocate,
                                              .reallocate = counted_reallocate,
                                              .release = counted_release,
                                              .ctx = &w->memory };
    world_open(w);
    fill(w->d, 20, world_value);
    CHECK_OK(world_open_map(w, "&map=spare", &spare));
    fill(spare, 3, "spare");
    pdict_close(spare);
}

void world_close(struct world *w)
{
    pdict_close(w->d);
    pdict_store_close(w->store);
    w->d = NULL;
    w->store = NULL;
    CHECK_INT(atomic_load(&w->memory.n_live), 0);
}

void world_renew(struct world *w)
{
    const struct setup *setup = w->setup;

    world_close(w);
    world_make(w, setup);
}

/* ---- describing it ---- */

struct text {
    char *bytes;
    size_t size, capacity;
};

static PDICT_PRINTF(2, 3) void append(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text->size +=
        (size_t)vsnprintf(text->bytes + text->size, text->capacity - text->size, format, args);
    va_end(args);
    CHECK(text->size < text->capacity);
}

struct names {
    char name[8][64];
    size_t count;
    struct text *text;
};

static int keep_name(void *ctx, const pdict_map_info *map)
{
    struct names *names = ctx;

    snprintf(names->name[names->count++], sizeof(names->name[0]), "%s", map->name);
    append(names->text, "map %s, %s, %d entries\n", map->name, map->codecs, (int)map->count);
    return 0;
}

static void describe_map(struct world *w, const char *name, struct text *text)
{
    char more[128];
    pdict_iter *iter;
    pdict_entry entry;
    pdict *d;
    int status;

    snprintf(more, sizeof(more), "&map=%s&mode=rw", name);
    CHECK_OK(world_open_map(w, more, &d));
    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK)
        append(text, "%s/%.*s=%.*s until %lld\n", name, (int)entry.key.size,
               (const char *)entry.key.data, (int)entry.value.size, (const char *)entry.value.data,
               (long long)entry.expires_ms);
    CHECK_STATUS(status, PDICT_END);
    pdict_iter_close(iter);
    pdict_close(d);
}

const char *world_text(struct world *w)
{
    struct text text = { .bytes = test_alloc(16384), .capacity = 16384 };
    struct names names = { .text = &text };

    CHECK_OK(pdict_store_maps(w->store, keep_name, &names));
    for (size_t i = 0; i < names.count; i++)
        describe_map(w, names.name[i], &text);
    return text.bytes;
}

void world_check_works(struct world *w)
{
    pdict_slice key = pdict_str("probe");
    pdict_view view;

    CHECK_OK(pdict_put(w->d, key, pdict_str("works"), NULL));
    CHECK_OK(pdict_get(w->d, key, &view));
    CHECK_BYTES(view.data, view.size, "works", 5);
    pdict_view_release(&view);
    CHECK_OK(pdict_del(w->d, key));
}

bool step_suits(const struct step *step, const struct setup *setup)
{
    return !step->needs_order || !strstr(setup->codecs, "names=hidden");
}

const char *step_result(const struct setup *setup, const struct step *step)
{
    const char *text;
    struct world w;

    world_make(&w, setup);
    CHECK_OK(step->run(&w));
    text = world_text(&w);
    world_close(&w);
    return text;
}
