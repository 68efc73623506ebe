/* SPDX-License-Identifier: MIT */
/* A new store, made under a name of its own until it is whole. */
#include <stdio.h>
#include <sys/stat.h>

#include "upkeep/upkeep.h"

/* A bulk load gains nothing from more pages in memory than a few batches touch. */
#define PAGE_CACHE "16MiB"

/* ---- opening ---- */

/* Clock, allocator and log are those of the store that the rows come from. */
static int open_store(const struct store *from, const char *uri, const pdict_setting *settings,
                      size_t n_settings, pdict_store **out)
{
    pdict_options options = PDICT_OPTIONS_INIT;

    options.settings = settings;
    options.n_settings = n_settings;
    options.logger = from->logger;
    options.allocator = from->allocator;
    options.clock = from->clock.now_ms;
    options.clock_ctx = from->clock.ctx;
    return pdict_store_open(uri, &options, out);
}

/* Not every backend has this option, and the caller may have set it. */
static int open_new(const struct store *from, const char *uri, pdict_store **out)
{
    static const pdict_setting settings[] = { { "mode", "rwc" }, { "page_cache", PAGE_CACHE } };
    int status = open_store(from, uri, settings, 2, out);

    if (status == PDICT_UNKNOWN_OPTION || status == PDICT_CONTRADICTION)
        status = open_store(from, uri, settings, 1, out);
    return status;
}

/* The URI with the ending behind its path; owned. */
static char *working_uri(const struct target *target, const char *uri)
{
    size_t path_size = strcspn(uri, "?"), size = strlen(uri) + strlen(target->ending) + 1;
    char *out = pdict__alloc(target->allocator, size);

    if (out)
        snprintf(out, size, "%.*s%s%s", (int)path_size, uri, target->ending, uri + path_size);
    return out;
}

/* A directory stands for the file in it that the backend names. */
static char *final_path(const struct target *target)
{
    const char *inside = pdict__stack_base(&target->store->stack)->file_in_directory;
    char *path = pdict__path_cut(target->allocator, target->working_path, target->ending);
    char *directory = path, name[256];
    struct stat info;

    if (path && inside && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        snprintf(name, sizeof(name), "/%s", inside);
        path = pdict__path_add(target->allocator, directory, name);
        pdict__free(target->allocator, directory);
    }
    return path;
}

static int fail_link(const char *path)
{
    return pdict_fail(PDICT_PERMISSION,
                      "%s: a link is there, and what is written there would go elsewhere; remove "
                      "it, or work in a directory that others cannot write to",
                      path);
}

/* The path in a URI, as far as it has no escapes. */
static char *path_in(const struct target *target, const char *uri)
{
    size_t scheme = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789+");
    const char *path = uri[scheme] == ':' ? uri + scheme + 1 : uri;

    return pdict__strdup(target->allocator, path, strcspn(path, "?"));
}

/* Before anything is made where it leads. */
static int check_no_link(const struct target *target, const char *working)
{
    char *path = path_in(target, working);
    struct stat info;
    int status = path ? PDICT_OK : PDICT_NOMEM;

    if (path && lstat(path, &info) == 0 && S_ISLNK(info.st_mode))
        status = fail_link(path);
    pdict__free(target->allocator, path);
    return status;
}

/* The path of a store is where links led when it was opened. */
static int check_working(const struct target *target)
{
    size_t size = strlen(target->store->path), ending = strlen(target->ending);

    if (size > ending && strcmp(target->store->path + size - ending, target->ending) == 0)
        return PDICT_OK;
    return fail_link(target->store->path);
}

static int name_files(struct target *target)
{
    const char *path = target->store->path;
    int status = check_working(target);

    if (status != PDICT_OK)
        return status;
    target->working_path = pdict__strdup(target->allocator, path, strlen(path));
    target->job_path = pdict__path_add(target->allocator, path, JOB_ENDING);
    target->path = target->working_path ? final_path(target) : NULL;
    return target->path && target->job_path ? PDICT_OK : PDICT_NOMEM;
}

/* Who may read the source may read the copy, and nobody else. Where neither has files, or the mode
 * cannot be set, it stays what the process makes of it. */
static void copy_permissions(const struct store *from, const struct target *target)
{
    struct stat info;

    if ((pdict__stack_base(&from->stack)->capabilities & PDICT_CAP_FILE) &&
        stat(from->path, &info) == 0)
        pdict__file_set_mode(target->working_path, info.st_mode & 0777);
}

void pdict__target_make_private(const struct target *target)
{
    if (target->path)
        pdict__file_set_mode(target->working_path, 0600);
}

static int open_working(struct store *from, const char *uri, struct target *target)
{
    char *working = working_uri(target, uri);
    int status = working ? check_no_link(target, working) : PDICT_NOMEM;

    if (status == PDICT_OK)
        status = open_new(from, working, &target->handle);
    pdict__free(target->allocator, working);
    if (status != PDICT_OK)
        return status;
    target->store = target->handle->store;
    if ((status = name_files(target)) != PDICT_OK)
        return status;
    if ((status = pdict__job_begin(target->job_path, &target->job_fd)) != PDICT_OK)
        return status;
    copy_permissions(from, target);
    /* Whoever had the job before may have ended it just now. */
    return pdict__path_is_free(target->path);
}

static int use_open_one(struct target *target, const char *uri)
{
    const pdict_backend *base = pdict__stack_base(&target->handle->store->stack);

    if (base->capabilities & PDICT_CAP_FILE)
        return pdict_fail(PDICT_EXISTS, "%s exists; give a name that is free, or move it away",
                          uri);
    target->store = target->handle->store;
    return PDICT_OK;
}

int pdict__target_open(struct store *from, const char *uri, const char *ending,
                       struct target *target)
{
    static const pdict_setting look_only = { "mode", "ro" };
    int status;

    *target = (struct target){
        .allocator = &from->allocator,
        .ending = ending,
        .job_fd = -1,
        .made.allocator = &from->allocator,
    };
    status = open_store(from, uri, &look_only, 1, &target->handle);
    if (status == PDICT_OK)
        status = use_open_one(target, uri);
    else if (status == PDICT_NO_STORE)
        status = open_working(from, uri, target);
    /* With the job in hand and the name taken, what was opened is of no use to anybody. */
    if (status != PDICT_OK)
        pdict__target_close(target, status != PDICT_EXISTS);
    return status;
}

/* ---- maps in it ---- */

char *pdict__target_name(const struct target *target, const char *name)
{
    return pdict__path_add(target->allocator, name, target->path ? "" : target->ending);
}

int pdict__target_note(struct target *target, const char *name, uint32_t map)
{
    return pdict__map_list_add(&target->made, map, pdict_str(name));
}

int pdict__target_drop(struct target *target, const char *name)
{
    int status = pdict_store_drop(target->handle, name);

    return status == PDICT_NO_MAP ? PDICT_OK : status;
}

struct creation {
    const struct target *target;
    const char *name; /* that it will have */
    const char *working_name;
    const struct map_texts *texts;
    uint32_t map;
};

static int drop_leftover(struct store *store, void *txn, const char *name)
{
    uint32_t map;
    int status = store->backend->map_find(store->engine, txn, pdict_str(name), &map);

    if (status == PDICT_NO_MAP)
        return PDICT_OK;
    return status == PDICT_OK ? store->backend->map_drop(store->engine, txn, map) : status;
}

static int fail_taken(const struct store *store, const char *name)
{
    return pdict_fail(PDICT_EXISTS, "%s:%s has a map '%s' already; drop or rename it first",
                      store->stack.name, store->path, name);
}

static int create_inside(void *ctx, struct store *store, void *txn)
{
    struct creation *creation = ctx;
    uint32_t taken;
    int status;

    if (!creation->target->path &&
        store->backend->map_find(store->engine, txn, pdict_str(creation->name), &taken) == PDICT_OK)
        return fail_taken(store, creation->name);
    if ((status = drop_leftover(store, txn, creation->working_name)) != PDICT_OK)
        return status;
    status = store->backend->map_create(store->engine, txn, pdict_str(creation->working_name),
                                        &creation->map);
    if (status == PDICT_OK)
        status = pdict__map_texts_write(store, txn, creation->map, creation->texts);
    return status;
}

static int commit_work(const struct target *target,
                       int (*work)(void *ctx, struct store *store, void *txn), void *ctx)
{
    struct commit commit = {
        .durability = PDICT_ORDERED,
        .timeout_ms = target->handle->timeout_ms,
        .work = work,
        .ctx = ctx,
    };

    return pdict__commit(target->store, &commit);
}

int pdict__target_create_map(struct target *target, const char *name, const struct map_texts *texts,
                             uint32_t *map)
{
    char *working_name = pdict__target_name(target, name);
    struct creation creation = { target, name, working_name, texts, 0 };
    int status = working_name ? commit_work(target, create_inside, &creation) : PDICT_NOMEM;

    pdict__free(target->allocator, working_name);
    if (status == PDICT_OK)
        status = pdict__target_note(target, name, creation.map);
    *map = creation.map;
    return status;
}

/* ---- the end ---- */

static int rename_inside(void *ctx, struct store *store, void *txn)
{
    const struct target *target = ctx;
    int status = PDICT_OK;

    for (size_t i = 0; status == PDICT_OK && i < target->made.count; i++) {
        const struct named_map *map = &target->made.maps[i];

        status = store->backend->map_rename(store->engine, txn, map->number, pdict_str(map->name));
        if (status == PDICT_EXISTS)
            status = fail_taken(store, map->name);
    }
    return status;
}

static int fold_log(void *ctx, struct store *store)
{
    (void)ctx;
    return pdict__checkpoint(store, true);
}

/* The file alone must hold everything, since it alone is renamed. */
static int settle(const struct target *target, struct store *store)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };
    int64_t timeout_ms = target->handle->timeout_ms;
    int status;

    pdict__readers_trim(store);
    if ((status = pdict__store_sync(store, timeout_ms)) != PDICT_OK)
        return status;
    if ((status = pdict__between_commits(store, timeout_ms, fold_log, NULL)) != PDICT_OK)
        return status;
    if ((status = store->backend->stat(store->engine, &stat)) != PDICT_OK)
        return status;
    if (stat.log_bytes > 0)
        return pdict_fail(PDICT_BUSY,
                          "%s: another process reads it, so it cannot be completed; "
                          "run this again when that has ended",
                          store->path);
    return PDICT_OK;
}

static int publish_file(struct target *target)
{
    struct store *store = target->store;
    int status = pdict__store_enter(store);

    if (status == PDICT_OK) {
        status = settle(target, store);
        pdict__store_leave();
    }
    pdict_store_close(target->handle);
    target->handle = NULL;
    if (status != PDICT_OK)
        return status;
    pdict__file_clear(target->working_path);
    return pdict__file_publish(target->working_path, target->path);
}

int pdict__target_publish(struct target *target)
{
    int status = target->path ? publish_file(target) : commit_work(target, rename_inside, target);

    if (status == PDICT_OK)
        pdict__map_list_free(&target->made);
    pdict__target_close(target, true);
    return status;
}

static void drop_made(struct target *target)
{
    for (size_t i = 0; i < target->made.count; i++) {
        char *name = pdict__target_name(target, target->made.maps[i].name);

        if (name)
            (void)pdict__target_drop(target, name);
        pdict__free(target->allocator, name);
    }
}

void pdict__target_close(struct target *target, bool keep)
{
    bool is_ours = target->job_fd >= 0;

    if (target->handle && target->store && !target->path)
        drop_made(target);
    pdict_store_close(target->handle);
    if (is_ours && !keep)
        pdict__file_remove(target->working_path);
    if (is_ours)
        pdict__job_end(target->job_path, &target->job_fd);
    pdict__map_list_free(&target->made);
    pdict__free(target->allocator, target->path);
    pdict__free(target->allocator, target->working_path);
    pdict__free(target->allocator, target->job_path);
    *target = (struct target){ .job_fd = -1 };
}
