/* SPDX-License-Identifier: MIT */
/* pdict_backup(): a copy of the file, whole and synced before it has its name. */
#include <limits.h>
#include <stdlib.h>

#include "upkeep/upkeep.h"

#define ENDING ".partial"

static int tell(void *ctx, uint64_t done, uint64_t total)
{
    return pdict__progress_at(ctx, done, total);
}

/* The absolute path, whose directory has to be there; owned. */
static int resolve(const pdict_allocator *allocator, const char *path, char **out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *directory = slash == path ? pdict__strdup(allocator, "/", 1)
                      : slash       ? pdict__strdup(allocator, path, (size_t)(slash - path))
                                    : pdict__strdup(allocator, ".", 1);
    char resolved[PATH_MAX];
    struct buf joined = { .allocator = allocator };
    int status = directory ? PDICT_OK : PDICT_NOMEM;

    if (status == PDICT_OK && !*name)
        status = pdict_fail(PDICT_INVAL, "%s: the path names no file", path);
    if (status == PDICT_OK && !realpath(directory, resolved))
        status = pdict_fail(PDICT_NO_DIRECTORY, "%s: its directory does not exist; create it first",
                            path);
    if (status == PDICT_OK)
        status = pdict__buf_printf(&joined, "%s/%s", resolved[1] ? resolved : "", name);
    pdict__free(allocator, directory);
    if (status != PDICT_OK)
        pdict__buf_free(&joined);
    *out = (char *)joined.data;
    return status;
}

static int copy_file(struct store *store, const char *working_path, struct progress *progress)
{
    pdict_backend_events events = {
        .struct_size = sizeof(events),
        .ctx = progress,
        .progress = tell,
    };
    int status = pdict__store_hold(store);

    if (status != PDICT_OK)
        return status;
    status = pdict__progress_begin(progress, "backup", 0);
    if (status == PDICT_OK)
        status = store->backend->backup(store->engine, working_path, &events);
    pdict__store_let_go();
    return status == PDICT_OK ? pdict__progress_end(progress) : status;
}

/* What a dead process left of an earlier backup is overwritten. */
static int back_up(struct store *store, const char *path, struct progress *progress)
{
    char *working_path = pdict__path_add(&store->allocator, path, ENDING);
    char *job_path = pdict__path_add(&store->allocator, path, ENDING JOB_ENDING);
    int fd = -1, status = working_path && job_path ? PDICT_OK : PDICT_NOMEM;

    if (status == PDICT_OK)
        status = pdict__job_begin(job_path, &fd);
    if (status == PDICT_OK)
        status = pdict__path_is_free(path);
    if (status == PDICT_OK)
        status = pdict__file_make(working_path, store->path);
    if (status == PDICT_OK) {
        if ((status = copy_file(store, working_path, progress)) == PDICT_OK)
            status = pdict__file_publish(working_path, path);
        pdict__file_remove(working_path);
    }
    if (fd >= 0)
        pdict__job_end(job_path, &fd);
    pdict__free(&store->allocator, job_path);
    pdict__free(&store->allocator, working_path);
    return status;
}

int pdict_backup(pdict_store *handle, const char *path, const pdict_backup_options *options)
{
    pdict_backup_options full = PDICT_BACKUP_OPTIONS_INIT;
    struct store *store = handle->store;
    struct progress progress;
    char *resolved;
    int status;

    status = pdict__struct_take(&full, sizeof(full), options, "pdict_backup_options");
    if (status != PDICT_OK)
        return status;
    if (!store->backend->backup)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s:%s has no file to back up; copy it into one with pdict_migrate()",
                          store->stack.name, store->path);
    progress = (struct progress){ .fn = full.progress, .ctx = full.progress_ctx };
    if ((status = resolve(&store->allocator, path, &resolved)) != PDICT_OK)
        return status;
    status = back_up(store, resolved, &progress);
    pdict__free(&store->allocator, resolved);
    return status;
}
