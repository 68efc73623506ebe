/* SPDX-License-Identifier: MIT */
/* Files as bytes that are safe and changes that are not. */
#include "disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops.h"

#define MOST_FILES 512
#define SECTOR     512
#define PAGE       4096

struct bytes {
    unsigned char *data;
    uint64_t size, capacity;
};

struct events {
    const struct io_event **items;
    size_t count, capacity;
};

struct file {
    struct bytes safe;
    struct events unsynced;
};

struct names {
    char *of[MOST_FILES]; /* by number of the file; NULL: none. Owned */
};

struct disk {
    struct file files[MOST_FILES];
    struct names safe;
    struct events unsynced; /* of names */
};

static void *must_have(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- bytes ---- */

static void resize(struct bytes *bytes, uint64_t size)
{
    if (size > bytes->capacity) {
        bytes->capacity = size + size / 2 + PAGE;
        bytes->data = must_have(realloc(bytes->data, bytes->capacity));
    }
    if (size > bytes->size)
        memset(bytes->data + bytes->size, 0, size - bytes->size);
    bytes->size = size;
}

static void overwrite(struct bytes *bytes, uint64_t at, const void *from, uint64_t size)
{
    if (bytes->size < at + size)
        resize(bytes, at + size);
    memcpy(bytes->data + at, from, size);
}

static void change(struct bytes *bytes, const struct io_event *event)
{
    if (event->kind == IO_CUT)
        resize(bytes, event->offset);
    else
        overwrite(bytes, event->offset, io_payload(event), event->size);
}

/* Each unit on its own; a unit of the disk, so the first and the last may be shorter. */
static void change_torn(struct bytes *bytes, const struct io_event *event, uint64_t unit,
                        uint64_t *random)
{
    uint64_t at = event->offset, end = at + event->size;

    while (at < end) {
        uint64_t next = (at / unit + 1) * unit < end ? (at / unit + 1) * unit : end;

        if (random_below(random, 2))
            overwrite(bytes, at, (const char *)io_payload(event) + (at - event->offset), next - at);
        at = next;
    }
}

/* ---- events ---- */

static void add(struct events *events, const struct io_event *event)
{
    if (events->count == events->capacity) {
        events->capacity = events->capacity * 2 + 16;
        events->items =
            must_have(realloc(events->items, events->capacity * sizeof(events->items[0])));
    }
    events->items[events->count++] = event;
}

static void set_name(struct names *names, uint32_t file, const char *name)
{
    free(names->of[file]);
    names->of[file] = name ? must_have(strdup(name)) : NULL;
}

static void take_name(struct names *names, const char *name)
{
    for (uint32_t i = 0; i < MOST_FILES; i++) {
        if (names->of[i] && strcmp(names->of[i], name) == 0)
            set_name(names, i, NULL);
    }
}

static void change_names(struct names *names, const struct io_event *event)
{
    const char *name = io_payload(event);

    take_name(names, name);
    if (event->kind == IO_RENAMED) {
        name += strlen(name) + 1;
        take_name(names, name);
    }
    if (event->kind != IO_UNLINKED)
        set_name(names, event->file, name);
}

static void make_safe(struct file *file)
{
    for (size_t i = 0; i < file->unsynced.count; i++)
        change(&file->safe, file->unsynced.items[i]);
    file->unsynced.count = 0;
}

static void make_names_safe(struct disk *disk)
{
    for (size_t i = 0; i < disk->unsynced.count; i++)
        change_names(&disk->safe, disk->unsynced.items[i]);
    disk->unsynced.count = 0;
}

void disk_apply(struct disk *disk, const struct io_event *event)
{
    struct file *file = event->file < MOST_FILES ? &disk->files[event->file] : NULL;

    switch (event->kind) {
    case IO_WRITTEN:
        if (event->is_synced)
            change(&file->safe, event);
        else
            add(&file->unsynced, event);
        break;
    case IO_CUT:
        add(&file->unsynced, event);
        break;
    case IO_SYNCED:
        make_safe(file);
        break;
    case IO_CREATED:
    case IO_RENAMED:
    case IO_UNLINKED:
        add(&disk->unsynced, event);
        break;
    case IO_DIRECTORY_SYNCED:
        make_names_safe(disk);
        break;
    default:
        break;
    }
}

struct disk *disk_new(void)
{
    return must_have(calloc(1, sizeof(struct disk)));
}

void disk_free(struct disk *disk)
{
    for (uint32_t i = 0; i < MOST_FILES; i++) {
        free(disk->files[i].safe.data);
        free(disk->files[i].unsynced.items);
        free(disk->safe.of[i]);
    }
    free(disk->unsynced.items);
    free(disk);
}

/* ---- states ---- */

struct loss {
    enum disk_policy policy;
    uint64_t random;
    const struct io_event *moment; /* DISK_KEEP_BEFORE: the first that is lost */
    const struct io_event *lost;   /* DISK_LOSE_ONE */
};

static size_t count_unsynced(const struct disk *disk)
{
    size_t count = 0;

    for (uint32_t i = 0; i < MOST_FILES; i++)
        count += disk->files[i].unsynced.count;
    return count;
}

static const struct io_event *unsynced_number(const struct disk *disk, size_t number)
{
    for (uint32_t i = 0; i < MOST_FILES; i++) {
        if (number < disk->files[i].unsynced.count)
            return disk->files[i].unsynced.items[number];
        number -= disk->files[i].unsynced.count;
    }
    return NULL;
}

/* Events lie in the record in the order in which they happened. */
static bool is_kept(const struct io_event *event, struct loss *loss)
{
    switch (loss->policy) {
    case DISK_LOSE_ALL:
        return false;
    case DISK_KEEP_ALL:
        return true;
    case DISK_KEEP_BEFORE:
        return event < loss->moment;
    case DISK_LOSE_ONE:
        return event != loss->lost;
    default:
        return random_below(&loss->random, 2);
    }
}

static void lose_some(struct bytes *bytes, const struct io_event *event, struct loss *loss)
{
    bool is_torn = loss->policy == DISK_TEAR_SECTORS || loss->policy == DISK_TEAR_PAGES;
    uint64_t unit = loss->policy == DISK_TEAR_PAGES ? PAGE : SECTOR;

    if (is_torn && event->kind == IO_WRITTEN)
        change_torn(bytes, event, unit, &loss->random);
    else if (is_kept(event, loss))
        change(bytes, event);
}

static void write_file(const struct file *file, struct loss *loss, const char *path)
{
    struct bytes bytes = { 0 };
    uint64_t done = 0;
    int fd;

    resize(&bytes, file->safe.size);
    if (file->safe.size)
        memcpy(bytes.data, file->safe.data, file->safe.size);
    for (size_t i = 0; i < file->unsynced.count; i++)
        lose_some(&bytes, file->unsynced.items[i], loss);
    if ((fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)) < 0)
        abort();
    while (done < bytes.size) {
        ssize_t now = write(fd, bytes.data + done, bytes.size - done);

        if (now <= 0)
            abort();
        done += (uint64_t)now;
    }
    close(fd);
    free(bytes.data);
}

static void names_left(const struct disk *disk, struct loss *loss, struct names *out)
{
    size_t kept = (size_t)random_below(&loss->random, disk->unsynced.count + 1);

    if (loss->policy == DISK_LOSE_ALL)
        kept = 0;
    if (loss->policy == DISK_KEEP_ALL || loss->policy == DISK_LOSE_ONE)
        kept = disk->unsynced.count;
    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < MOST_FILES; i++)
        set_name(out, i, disk->safe.of[i]);
    for (size_t i = 0; i < kept; i++) {
        if (loss->policy != DISK_KEEP_BEFORE || disk->unsynced.items[i] < loss->moment)
            change_names(out, disk->unsynced.items[i]);
    }
}

void disk_write(const struct disk *disk, enum disk_policy policy, uint64_t seed,
                const char *directory)
{
    struct loss loss = { .policy = policy, .random = seed };
    size_t count = count_unsynced(disk);
    struct names names;
    char path[1024];

    if (count > 0) {
        loss.moment = unsynced_number(disk, (size_t)random_below(&loss.random, count));
        loss.lost = unsynced_number(disk, (size_t)random_below(&loss.random, count));
    }
    names_left(disk, &loss, &names);
    for (uint32_t i = 0; i < MOST_FILES; i++) {
        if (!names.of[i])
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, names.of[i]);
        write_file(&disk->files[i], &loss, path);
        set_name(&names, i, NULL);
    }
}
