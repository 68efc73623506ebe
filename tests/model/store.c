/* SPDX-License-Identifier: MIT */
/* The store as a whole: opening, listing, renaming, dropping, opening again. */
#include "run.h"

#include <string.h>
#include <unistd.h>

const pdict_slice run_key = { "0123456789abcdef0123456789abcdef", 32 };

static int64_t now_of_model(void *ctx)
{
    const struct model *model = ctx;

    return model->now_ms;
}

static pdict_options options_of(struct run *run)
{
    pdict_options options = PDICT_OPTIONS_INIT;

    options.clock = now_of_model;
    options.clock_ctx = &run->model;
    if (run->setup->is_sealed)
        options.key = run_key;
    return options;
}

static const char *uri_of(const struct run *run, const char *options)
{
    static char uri[512];

    snprintf(uri, sizeof(uri), "%s%s/%s%s", run->setup->backend, run->dir, run->file, options);
    return uri;
}

static bool open_map(struct run *run, unsigned map, const char *mode, pdict **out)
{
    pdict_options options = options_of(run);
    char text[160];

    snprintf(text, sizeof(text),
             "?map=%s&mode=%s&codecs=%s&durability=unsafe&sweep=manual"
             "&max_value=%zuB%s",
             model_map_name(&run->model, map), mode, run->setup->codecs, VALUE_MAX,
             map == MODEL_LRU_MAP ? "&access=off" : "");
    return run_expect(run, "open", pdict_open(uri_of(run, text), &options, out), PDICT_OK);
}

bool run_open(struct run *run, const char *mode)
{
    for (unsigned map = 0; map < N_MAPS; map++) {
        if (!open_map(run, map, mode, &run->maps[map]))
            return false;
    }
    return true;
}

void run_close(struct run *run)
{
    for (unsigned map = 0; map < N_MAPS; map++) {
        pdict_close(run->maps[map]);
        run->maps[map] = NULL;
    }
}

struct listing {
    struct run *run;
    unsigned n;
};

static int see_map(void *ctx, const pdict_map_info *info)
{
    struct listing *listing = ctx;
    struct run *run = listing->run;
    unsigned map = listing->n++;
    bool is_fine = map < N_MAPS &&
                   run_same_text(run, "list: name", info->name, model_map_name(&run->model, map)) &&
                   run_same_text(run, "list: codecs", info->codecs, run->setup->codecs) &&
                   run_same_number(run, "list: count", (int64_t)info->count,
                                   (int64_t)model_count(&run->model, map));

    return is_fine ? 0 : 1;
}

bool run_list(struct run *run, pdict_store *store)
{
    struct listing listing = { run, 0 };

    return run_expect(run, "maps", pdict_store_maps(store, see_map, &listing), 0) &&
           run_same_number(run, "maps", listing.n, N_MAPS);
}

bool run_rename_map(struct run *run, pdict_store *store)
{
    const char *from = model_map_name(&run->model, 1), *to;

    run->model.is_renamed = !run->model.is_renamed;
    to = model_map_name(&run->model, 1);
    return run_expect(run, "rename", pdict_store_rename(store, from, "main"), PDICT_EXISTS) &&
           run_expect(run, "rename", pdict_store_rename(store, to, "x"), PDICT_NO_MAP) &&
           run_expect(run, "rename", pdict_store_rename(store, from, to), PDICT_OK);
}

bool run_drop_map(struct run *run, pdict_store *store)
{
    const char *name = model_map_name(&run->model, 1);

    if (!run_expect(run, "drop", pdict_store_drop(store, name), PDICT_BUSY))
        return false;
    pdict_close(run->maps[1]);
    run->maps[1] = NULL;
    memset(&run->model.maps[1], 0, sizeof(run->model.maps[1]));
    return run_expect(run, "drop", pdict_store_drop(store, name), PDICT_OK) &&
           run_expect(run, "drop", pdict_store_drop(store, name), PDICT_NO_MAP) &&
           open_map(run, 1, "rwc", &run->maps[1]);
}

bool run_sweep(struct run *run, pdict_store *store)
{
    uint64_t removed;

    return run_expect(run, "expire", pdict_expire(store, -1, &removed), PDICT_OK) &&
           run_same_number(run, "expire: removed", (int64_t)removed,
                           (int64_t)model_sweep(&run->model)) &&
           run_check_all(run);
}

static bool check_stored(struct run *run, pdict_store *store, pdict_limits *limits)
{
    unsigned map = run->limiting->map;

    return run_expect(run, "limits_get",
                      pdict_limits_get(store, model_map_name(&run->model, map), limits),
                      PDICT_OK) &&
           run_same_number(run, "limits: entries", (int64_t)limits->entries,
                           (int64_t)model_stored(&run->model, map));
}

bool run_limit(struct run *run, pdict_store *store)
{
    static const unsigned evict[] = { PDICT_EVICT_FIFO, PDICT_EVICT_TTL, PDICT_EVICT_LRU };
    const struct op *op = run->limiting;
    pdict_limits limits = PDICT_LIMITS_INIT;

    if (!check_stored(run, store, &limits))
        return false;
    limits.max_entries = op->count;
    limits.evict = evict[model_limit_of(op)];
    model_limit(&run->model, op);
    return run_expect(run, "limits_set",
                      pdict_limits_set(store, model_map_name(&run->model, op->map), &limits),
                      PDICT_OK) &&
           check_stored(run, store, &limits) && run_check_all(run);
}

/* Nobody sees anything of it. */
bool run_compact(struct run *run, pdict_store *store)
{
    return run_expect(run, "compact", pdict_compact(store, NULL, NULL), PDICT_OK) &&
           run_check_all(run);
}

/* The copy in the place of the store, for as long as it is looked at. */
static bool check_copy(struct run *run)
{
    pdict *own[N_MAPS] = { run->maps[0], run->maps[1] };
    bool is_fine;

    run->maps[0] = run->maps[1] = NULL;
    run->file = "copy";
    is_fine = run_open(run, "rw") && run_check_all(run);
    run_close(run);
    run->file = "store";
    run->maps[0] = own[0];
    run->maps[1] = own[1];
    return is_fine;
}

bool run_backup(struct run *run, pdict_store *store)
{
    char path[96], lock_path[96];
    bool is_fine;

    snprintf(path, sizeof(path), "%s/copy", run->dir);
    snprintf(lock_path, sizeof(lock_path), "%s/copy-lock", run->dir);
    if (!run->setup->is_persistent)
        return run_expect(run, "backup", pdict_backup(store, path, NULL), PDICT_UNSUPPORTED);
    is_fine = run_expect(run, "backup", pdict_backup(store, path, NULL), PDICT_OK) &&
              run_expect(run, "backup", pdict_backup(store, path, NULL), PDICT_EXISTS) &&
              check_copy(run);
    unlink(path);
    unlink(lock_path);
    return is_fine;
}

bool run_with_store(struct run *run, bool (*work)(struct run *run, pdict_store *store))
{
    pdict_options options = options_of(run);
    pdict_store *store;
    bool is_fine;

    options.key = pdict_bytes(NULL, 0);
    if (!run_expect(run, "store_open", pdict_store_open(uri_of(run, ""), &options, &store),
                    PDICT_OK))
        return false;
    is_fine = work(run, store);
    pdict_store_close(store);
    return is_fine;
}

/* What is in RAM lives as long as some handle does. */
static bool reopen_in_memory(struct run *run, bool is_lost)
{
    pdict *old[N_MAPS] = { run->maps[0], run->maps[1] };

    if (is_lost) {
        run_close(run);
        memset(run->model.maps, 0, sizeof(run->model.maps));
        return run_open(run, "rwc");
    }
    if (!run_open(run, "rw"))
        return false;
    pdict_close(old[0]);
    pdict_close(old[1]);
    return run_check_all(run);
}

static bool check_read_only(struct run *run)
{
    pdict_slice key = key_bytes(1);

    return run_open(run, "ro") && run_check_all(run) &&
           run_expect(run, "put", pdict_put(run->maps[0], key, key, NULL), PDICT_READ_ONLY) &&
           run_expect(run, "del", pdict_del(run->maps[1], key), PDICT_READ_ONLY);
}

bool run_reopen(struct run *run, const struct op *op)
{
    if (!run->setup->is_persistent)
        return reopen_in_memory(run, op->flags && op->count == 0);
    run_close(run);
    if (op->flags) {
        if (!check_read_only(run))
            return false;
        run_close(run);
    }
    return run_open(run, "rw") && run_check_all(run);
}
