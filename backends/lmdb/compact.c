/* SPDX-License-Identifier: MIT */
/* Giving space back: a compact copy takes the place of the content, so that the file stays itself. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20)

/*
 * The copy is made beside the file, synced, and then named as what it is: the content that the
 * file has to have. From then on it is carried over, by whoever opens the store next if need be. A
 * renamed copy would be another file to locks, links and to whoever has it open.
 */
#define COPY_ENDING "-compact"
#define WORK_ENDING "-compact.tmp"

static char *name_beside(const pdict_allocator *allocator, const char *path, const char *ending)
{
    size_t size = strlen(path) + strlen(ending) + 1;
    char *name = allocator->allocate(allocator->ctx, size);

    if (name != NULL)
        snprintf(name, size, "%s%s", path, ending);
    return name;
}

static int sync_directory_of(const char *path)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');
    int fd, rc;

    snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if ((fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return pdict__lmdb_fail_file(directory);
    rc = fsync(fd);
    close(fd);
    /* Some file systems have no such thing as syncing a directory. */
    return rc == 0 || errno == EINVAL ? PDICT_OK : pdict__lmdb_fail_file(directory);
}

/* ---- carrying the copy over ---- */

static int copy_bytes(int from, int to, unsigned char *chunk, uint64_t size)
{
    uint64_t at = 0;

    while (at < size) {
        ssize_t got = pread(from, chunk, CHUNK, (off_t)at), put = 0;

        if (got == 0)
            break;
        for (ssize_t done = 0; done < got && put >= 0; done += put)
            put = pwrite(to, chunk + done, (size_t)(got - done), (off_t)at + done);
        if (got < 0 || put < 0)
            return -1;
        at += (uint64_t)got;
    }
    return ftruncate(to, (off_t)size);
}

/* The number of the last commit in a file, 0 if that cannot be told. */
static uint64_t last_commit(const char *path, int fd)
{
    struct file file = { .path = path, .fd = fd };

    return pdict__lmdb_file_load(&file) == PDICT_OK ? file.meta.txn_id : 0;
}

/* Has the file been committed to since the copy was made? A copy has the number of the commit that
 * it was made of, and while it is carried over nobody commits: so it was carried over already, but
 * came back, as a power loss may bring back names. */
static bool is_outdated(const char *path, int to, const char *copy_path)
{
    int from = open(copy_path, O_RDONLY | O_CLOEXEC);
    bool is_older = false;

    if (from >= 0) {
        is_older = last_commit(path, to) > last_commit(copy_path, from);
        close(from);
    }
    return is_older;
}

static int drop_copy(const char *path, const char *copy_path)
{
    return unlink(copy_path) == 0 ? sync_directory_of(path) : pdict__lmdb_fail_file(copy_path);
}

/* Whatever of it a crash leaves undone is done again. *is_whole: the file has its new content. */
static int carry_over(const pdict_allocator *allocator, const char *path, const char *copy_path,
                      int to, bool *is_whole)
{
    unsigned char *chunk = allocator->allocate(allocator->ctx, CHUNK);
    int from = open(copy_path, O_RDONLY | O_CLOEXEC), status = PDICT_OK;
    struct stat facts;

    if (chunk == NULL)
        status = no_memory("a copy");
    else if (from < 0 || fstat(from, &facts) != 0)
        status = pdict__lmdb_fail_file(copy_path);
    else if (copy_bytes(from, to, chunk, (uint64_t)facts.st_size) != 0 || fsync(to) != 0)
        status = pdict__lmdb_fail_file(path);
    *is_whole = status == PDICT_OK;
    if (status == PDICT_OK)
        status = drop_copy(path, copy_path);
    if (from >= 0)
        close(from);
    allocator->release(allocator->ctx, chunk);
    return status;
}

static int fail_unfinished(const char *path)
{
    return pdict_fail(PDICT_UNSUPPORTED,
                      "lmdb: %s was left in the middle of being compacted, and to read it means to "
                      "finish that first; open it once with mode=rw",
                      path);
}

/* Two processes may come here at once: who has the lock does it, and the other finds it done. */
static int finish(const pdict_backend_args *args, const char *copy_path)
{
    int fd = open(args->path, O_RDWR | O_CLOEXEC), status = PDICT_OK;
    bool is_whole;

    if (fd < 0)
        return errno == EACCES || errno == EPERM || errno == EROFS
                   ? fail_unfinished(args->path)
                   : pdict__lmdb_fail_file(args->path);
    if ((status = pdict__lmdb_lock_out(fd, args->path)) == PDICT_OK && access(copy_path, F_OK) == 0)
        status = is_outdated(args->path, fd, copy_path)
                     ? drop_copy(args->path, copy_path)
                     : carry_over(&args->allocator, args->path, copy_path, fd, &is_whole);
    /* Nobody has the file open yet in this process, and LMDB keeps its locks elsewhere. */
    close(fd);
    return status;
}

bool pdict__lmdb_compact_is_left(const pdict_backend_args *args)
{
    char *copy_path = name_beside(&args->allocator, args->path, COPY_ENDING);
    bool is_left = copy_path == NULL || access(copy_path, F_OK) == 0;

    args->allocator.release(args->allocator.ctx, copy_path);
    return is_left;
}

int pdict__lmdb_compact_finish(const pdict_backend_args *args)
{
    char *copy_path = name_beside(&args->allocator, args->path, COPY_ENDING);
    int status = PDICT_OK;

    if (copy_path == NULL)
        return no_memory("a path");
    if (access(copy_path, F_OK) == 0)
        status = args->flags & PDICT_BACKEND_READ_ONLY ? fail_unfinished(args->path)
                                                       : finish(args, copy_path);
    args->allocator.release(args->allocator.ctx, copy_path);
    return status;
}

/* ---- making the copy ---- */

/* LMDB begins to count anew in a copy. Nothing has changed for anybody, so the metas keep the
 * numbers they have, and with them whoever remembers those. */
static int number_metas(const struct store *store, int fd)
{
    const volatile uint64_t *words[2];
    unsigned char page[65536];
    struct disk_meta meta;

    pdict__lmdb_watch((void *)store, words);
    /* The newer meta of a copy is the second. */
    if (pread(fd, page, store->page_size, (off_t)store->page_size) != (ssize_t)store->page_size)
        return -1;
    memcpy(&meta, page + PAGE_HEAD, sizeof(meta));
    for (uint64_t number = 0; number < 2; number++) {
        meta.txn_id = *words[number];
        memcpy(page, &number, sizeof(number));
        memcpy(page + PAGE_HEAD, &meta, sizeof(meta));
        if (pwrite(fd, page, store->page_size, (off_t)(number * store->page_size)) !=
            (ssize_t)store->page_size)
            return -1;
    }
    return 0;
}

static int fill_copy(struct store *store, int fd, const char *work_path)
{
    int rc = mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);

    if (rc != 0)
        return pdict__lmdb_fail(store, rc);
    return number_metas(store, fd) == 0 && fsync(fd) == 0 ? PDICT_OK
                                                          : pdict__lmdb_fail_file(work_path);
}

static int is_smaller(const struct store *store, int fd, bool *out)
{
    struct stat now, then;

    if (fstat(store->fd, &now) != 0 || fstat(fd, &then) != 0)
        return pdict__lmdb_fail_file(store->path);
    *out = then.st_size < now.st_size;
    return PDICT_OK;
}

static int make_copy(struct store *store, const char *work_path, bool *is_useful)
{
    int fd = open(work_path, O_CREAT | O_NOFOLLOW | O_TRUNC | O_RDWR | O_CLOEXEC, 0600), status;

    if (fd < 0)
        return pdict__lmdb_fail_file(work_path);
    if ((status = fill_copy(store, fd, work_path)) == PDICT_OK)
        status = is_smaller(store, fd, is_useful);
    close(fd);
    return status;
}

static int replace_content(struct store *store, const char *work_path, const char *copy_path)
{
    bool is_useful = false, is_whole;
    int status = make_copy(store, work_path, &is_useful);

    if (status != PDICT_OK || (!is_useful && !store->makes_anew)) {
        unlink(work_path);
        return status;
    }
    if (rename(work_path, copy_path) != 0) {
        status = pdict__lmdb_fail_file(copy_path);
        unlink(work_path);
        return status;
    }
    if ((status = sync_directory_of(copy_path)) != PDICT_OK) {
        unlink(copy_path);
        return status;
    }
    status = carry_over(&store->allocator, store->path, copy_path, store->fd, &is_whole);
    /* Nobody may use what is half the one and half the other: who opens the store next ends it. A
     * copy that could not be removed is outdated by the next commit, and the same until then. */
    if (!is_whole)
        store->room.lost = PDICT_IO;
    return status;
}

/* Alone in this process; now among all of them. */
static int compact_alone(struct store *store)
{
    char *work_path = name_beside(&store->allocator, store->path, WORK_ENDING);
    char *copy_path = name_beside(&store->allocator, store->path, COPY_ENDING);
    int status = work_path != NULL && copy_path != NULL ? PDICT_OK : no_memory("a path");

    if (status == PDICT_OK && (status = pdict__lmdb_lock_out(store->fd, store->path)) == PDICT_OK) {
        status = replace_content(store, work_path, copy_path);
        pdict__lmdb_let_in(store->fd);
    }
    release(store, work_path);
    release(store, copy_path);
    return status;
}

int pdict__lmdb_compact(void *self, uint64_t step_bytes, int64_t timeout_ms, uint64_t *left_bytes)
{
    struct store *store = self;

    *left_bytes = 0;
    if (store->is_read_only)
        return pdict_fail(PDICT_READ_ONLY,
                          "lmdb: %s is open read-only; open it with mode=rw to compact it",
                          store->path);
    store->makes_anew = step_bytes == PDICT_COMPACT_WHOLE;
    /* LMDB uses its page buffers again as they are, with old bytes between the new ones. */
    if (store->makes_anew && store->has_written)
        return pdict_fail(PDICT_BUSY,
                          "lmdb: %s was written to since this process opened it, and what was "
                          "written waits in memory to be written again; close all its handles, "
                          "then open it and call again",
                          store->path);
    return pdict__lmdb_alone(store, timeout_ms, compact_alone);
}
