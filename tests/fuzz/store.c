/* SPDX-License-Identifier: MIT */
/* Any bytes as the file of a store: opened, and if that is not refused, used in every way. */
#include <fcntl.h>
#include <pdict/pdict.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

/* A walk may go on behind what is damaged, but not for ever. */
#define MOST_ENTRIES  10000
#define MOST_FAILURES 20

static char directory[256], path[280];

static void remove_path(const char *ending)
{
    char name[300];

    snprintf(name, sizeof(name), "%s%s", path, ending);
    unlink(name);
}

static void remove_store(void)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-pdict", "-lock" };

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        remove_path(endings[i]);
}

static void remove_directory(void)
{
    remove_store();
    rmdir(directory);
}

static void choose_path(void)
{
    const char *place = getenv("TMPDIR");

    if (directory[0])
        return;
    place = place ? place : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(directory, sizeof(directory), "%s/pdict-fuzz-XXXXXX", place);
    expect(mkdtemp(directory) != NULL && atexit(remove_directory) == 0);
    snprintf(path, sizeof(path), "%s/store", directory);
}

static void write_file(pdict_slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    expect(fd >= 0);
    expect(write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
    close(fd);
}

/* ---- a map ---- */

/* What a walk shows is what a get finds, unless one of them says that something is wrong. */
static void get_again(pdict *d, const pdict_entry *entry)
{
    pdict_view view;

    if (pdict_get(d, entry->key, &view) == PDICT_OK && view.version == entry->version)
        expect(view.size == entry->value.size &&
               memcmp(view.data, entry->value.data, view.size) == 0);
    pdict_view_release(&view);
}

static void walk(pdict *d, unsigned flags)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pdict_entry entry;
    int failures = 0;

    range.flags = flags;
    if (pdict_iter_open(d, &range, &iter) != PDICT_OK)
        return;
    for (int i = 0; i < MOST_ENTRIES && failures < MOST_FAILURES; i++) {
        int status = pdict_iter_next(iter, &entry);

        if (status == PDICT_END)
            break;
        if (status == PDICT_OK)
            get_again(d, &entry);
        else
            failures++;
    }
    pdict_iter_close(iter);
}

/* A write that succeeds is there. */
static void write_to(pdict *d)
{
    pdict_slice key = pdict_str("a key of the test");
    pdict_view view;

    if (pdict_put(d, key, pdict_str("written"), NULL) != PDICT_OK)
        return;
    if (pdict_get(d, key, &view) == PDICT_OK)
        expect(view.size == 7 && memcmp(view.data, "written", 7) == 0);
    pdict_view_release(&view);
    (void)pdict_del(d, key);
}

static void use_map(const char *uri, const char *name)
{
    char text[512];
    uint64_t count;
    pdict *d;

    snprintf(text, sizeof(text), "%s&cache=off&map=%s", uri, name);
    if (pdict_open(text, NULL, &d) != PDICT_OK)
        return;
    (void)pdict_count(d, &count);
    walk(d, 0);
    walk(d, PDICT_BY_KEY | PDICT_REVERSE);
    write_to(d);
    (void)pdict_clear(d, PDICT_CLEAR_EVERYTHING);
    pdict_close(d);
}

/* ---- a store ---- */

static int see_map(void *ctx, const pdict_map_info *map)
{
    (void)ctx;
    expect(map->name[0] != '\0');
    return 0;
}

/* Verifying tries thousands of ids behind each place that cannot be read: one input of four. */
static bool is_chosen(pdict_slice bytes)
{
    const unsigned char *at = bytes.data;
    unsigned sum = 0;

    for (size_t i = 0; i < bytes.size; i++)
        sum += at[i];
    return sum % 4 == 0;
}

static void use_store(const char *uri, bool with_verify)
{
    pdict_verify_options how = PDICT_VERIFY_OPTIONS_INIT;
    pdict_store *store;

    if (pdict_store_open(uri, NULL, &store) != PDICT_OK)
        return;
    (void)pdict_store_maps(store, see_map, NULL);
    if (with_verify)
        (void)pdict_verify(store, &how, NULL);
    use_map(uri, "main");
    use_map(uri, "other");
    (void)pdict_store_drop(store, "other");
    (void)pdict_expire(store, -1, NULL);
    pdict_store_close(store);
}

void fuzz_store(const char *backend, const char *options, pdict_slice bytes)
{
    char uri[400];

    choose_path();
    write_file(bytes);
    snprintf(uri, sizeof(uri), "%s:%s?mode=rw&durability=unsafe&maintenance=manual&timeout=1s&%s",
             backend, path, options);
    use_store(uri, is_chosen(bytes));
    remove_store();
}
