/* SPDX-License-Identifier: MIT */
/* raw:files: one file for each key in 256 folders, written beside and renamed. */
#include "drivers/driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS 256

struct store {
    int folders[FOLDERS];
};

struct session {
    struct store *store;
    struct driver_copy copy;
    char temporary[32];
    bool is_synced;
};

static int failed(const char *what)
{
    return pdict_fail(PDICT_IO, "raw:files: %s: %s", what, strerror(errno));
}

static void files_close(void *self)
{
    struct store *store = self;

    for (int i = 0; i < FOLDERS; i++) {
        if (store->folders[i] >= 0)
            close(store->folders[i]);
    }
    free(store);
}

static int open_folder(int root, int number)
{
    char name[8];

    snprintf(name, sizeof name, "%02x", (unsigned)number);
    if (mkdirat(root, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int files_open(const struct driver_args *args, void **self)
{
    struct store *store = malloc(sizeof *store);
    int root = open(args->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_whole = root >= 0;

    if (!store) {
        if (root >= 0)
            close(root);
        return driver_no_memory("raw:files");
    }
    for (int i = 0; i < FOLDERS; i++) {
        store->folders[i] = is_whole ? open_folder(root, i) : -1;
        is_whole = is_whole && store->folders[i] >= 0;
    }
    if (root >= 0)
        close(root);
    if (!is_whole) {
        files_close(store);
        return failed(args->directory);
    }
    *self = store;
    return PDICT_OK;
}

static void files_session_close(void *session)
{
    struct session *mine = session;

    free(mine->copy.data);
    free(mine);
}

static int files_session_open(void *self, enum driver_durability durability, void **session)
{
    struct session *made = calloc(1, sizeof *made);

    if (!made)
        return driver_no_memory("raw:files");
    made->store = self;
    made->is_synced = durability == DRIVER_FULL;
    snprintf(made->temporary, sizeof made->temporary, ".%p", (void *)made);
    *session = made;
    return PDICT_OK;
}

/* FNV-1a folded to a byte: spreads any keys over the folders. */
static int folder_of(const struct session *session, pdict_slice key)
{
    const unsigned char *bytes = key.data;
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return session->store->folders[(hash ^ hash >> 16) % FOLDERS];
}

static int read_all(int file, struct driver_copy *copy, pdict_slice *value)
{
    struct stat facts;
    ssize_t size;

    if (fstat(file, &facts) != 0)
        return failed("fstat");
    if ((size_t)facts.st_size > copy->capacity) {
        free(copy->data);
        copy->capacity = 0;
        if (!(copy->data = malloc((size_t)facts.st_size)))
            return driver_no_memory("raw:files");
        copy->capacity = (size_t)facts.st_size;
    }
    if ((size = read(file, copy->data, (size_t)facts.st_size)) < 0)
        return failed("read");
    *value = pdict_bytes(copy->data, (size_t)size);
    return PDICT_OK;
}

static int files_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    int file = openat(folder_of(mine, key), key.data, O_RDONLY | O_CLOEXEC);
    int status;

    if (file < 0)
        return errno == ENOENT ? PDICT_NOTFOUND : failed("open");
    status = read_all(file, &mine->copy, value);
    close(file);
    return status;
}

static int write_beside(struct session *session, int folder, pdict_slice value)
{
    int file = openat(folder, session->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written;

    if (file < 0)
        return failed("create");
    is_written = write(file, value.data, value.size) == (ssize_t)value.size &&
                 (!session->is_synced || fsync(file) == 0);
    if (close(file) != 0 || !is_written)
        return failed("write");
    return PDICT_OK;
}

static int files_put(void *session, pdict_slice key, pdict_slice value)
{
    struct session *mine = session;
    int folder = folder_of(mine, key);
    int status = write_beside(mine, folder, value);

    if (status != PDICT_OK)
        return status;
    if (renameat(folder, mine->temporary, folder, key.data) != 0)
        return failed("rename");
    if (mine->is_synced && fsync(folder) != 0)
        return failed("fsync of a folder");
    return PDICT_OK;
}

static int files_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = files_put(session, pairs[i].key, pairs[i].value);
    return status;
}

static int files_del(void *session, pdict_slice key)
{
    if (unlinkat(folder_of(session, key), key.data, 0) != 0)
        return errno == ENOENT ? PDICT_NOTFOUND : failed("unlink");
    return PDICT_OK;
}

static int scan_folder(struct session *session, int folder, size_t limit, size_t *count)
{
    DIR *directory = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;
    int status = PDICT_OK;

    if (!directory)
        return failed("opendir");
    while (status == PDICT_OK && *count < limit && (entry = readdir(directory))) {
        pdict_slice value;

        if (entry->d_name[0] == '.')
            continue;
        status = files_get(session, pdict_str(entry->d_name), &value);
        ++*count;
    }
    closedir(directory);
    return status;
}

static int files_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    int status = PDICT_OK;

    (void)from;
    *count = 0;
    for (int i = 0; i < FOLDERS && status == PDICT_OK && *count < limit; i++)
        status = scan_folder(mine, mine->store->folders[i], limit, count);
    return status;
}

const struct driver driver_files = {
    .family = "raw",
    .name = "files",
    .summary = "a pile of files: one a key, written beside and renamed",
    .flags = DRIVER_THREADS | DRIVER_PROCESSES | DRIVER_PERSISTS,
    .strictest = DRIVER_FULL,
    .loosest = DRIVER_UNSAFE,
    .open = files_open,
    .close = files_close,
    .session_open = files_session_open,
    .session_close = files_session_close,
    .get = files_get,
    .put = files_put,
    .put_many = files_put_many,
    .del = files_del,
    .scan = files_scan,
};
