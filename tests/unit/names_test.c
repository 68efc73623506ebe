/* SPDX-License-Identifier: MIT */
/* Maps with names=hidden: every call finds its key, and no file of the store holds one. */
#include <dirent.h>
#include <pdict/ext/register.h>
#include <stdio.h>
#include <stdlib.h>

#include "maps.h"

/* In every key of these tests, and in no other byte that they write. */
#define MARK "Wohlgemuth"

static void need(const char *backend)
{
    if (!pdict_backend_find(backend) || !pdict_codec_find("xchacha20"))
        SKIP("this build lacks a backend or the cipher");
}

static const char *uri_of(const char *backend, const char *more)
{
    static char uri[1024];

    snprintf(uri, sizeof(uri), "%s:%s?codecs=raw,zstd,xchacha20%s", backend, test_path("a.store"),
             more);
    return uri;
}

static int try_hidden(const char *backend, const char *more, pdict **out)
{
    pdict_options options = test_options(true);

    return pdict_open(uri_of(backend, more), &options, out);
}

static pdict *open_hidden(const char *backend, const char *more)
{
    char all[128];
    pdict *d;

    snprintf(all, sizeof(all), "&names=hidden%s", more);
    CHECK_OK(try_hidden(backend, all, &d));
    return d;
}

static const char *name_of(int i)
{
    static char name[64];

    snprintf(name, sizeof(name), MARK " %03d", i);
    return name;
}

static void check_walk(pdict *d, unsigned flags, int first, int count, int step)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pdict_entry entry;
    char value[32];

    range.flags = flags;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    for (int i = 0; i < count; i++) {
        const char *name = name_of(first + i * step);
        int size = snprintf(value, sizeof(value), "value %d", first + i * step);

        CHECK_OK(pdict_iter_next(iter, &entry));
        CHECK_BYTES(entry.key.data, entry.key.size, name, strlen(name));
        if (flags & PDICT_KEYS_ONLY)
            CHECK_INT(entry.value.size, 0);
        else
            CHECK_BYTES(entry.value.data, entry.value.size, value, size);
    }
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_END);
    pdict_iter_close(iter);
}

static void put_numbered(pdict *d, int count)
{
    char value[32];

    for (int i = 0; i < count; i++) {
        snprintf(value, sizeof(value), "value %d", i);
        put(d, name_of(i), value);
    }
}

/* ---- every call ---- */

/* What is there turns out to be gone, and what is absent to be there. */
static int compute(void *ctx, const pdict_view *old, pdict_computed *out)
{
    (void)ctx;
    out->value = pdict_str("computed");
    return old ? PDICT_NOTFOUND : PDICT_OK;
}

static void computed_key(pdict *d)
{
    pdict_compute_options how = PDICT_COMPUTE_OPTIONS_INIT;
    pdict_view view;

    how.ttl_ms = 10;
    how.stale_ms = 10;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(pdict_get_or_compute(d, pdict_str(MARK), compute, NULL, &how, &view));
        CHECK_BYTES(view.data, view.size, "computed", 8);
        pdict_view_release(&view);
        check_value(d, MARK, "computed");
        test_now_ms += 10;
        CHECK_STATUS(pdict_get_or_compute(d, pdict_str(MARK), compute, NULL, &how, &view),
                     PDICT_NOTFOUND);
    }
}

static void one_key(pdict *d)
{
    pdict_view view = { 0 };
    pdict_meta meta = PDICT_META_INIT;
    int64_t sum;
    bool there;

    put(d, MARK, "a value");
    check_value(d, MARK, "a value");
    CHECK_OK(pdict_contains(d, pdict_str(MARK), &there));
    CHECK(there);
    CHECK_OK(pdict_contains(d, pdict_str(MARK "x"), &there));
    CHECK(!there);
    CHECK_OK(pdict_meta_get(d, pdict_str(MARK), &meta));
    CHECK_INT(meta.value_size, 7);
    CHECK_OK(pdict_del(d, pdict_str(MARK)));
    CHECK_STATUS(pdict_get(d, pdict_str(MARK), &view), PDICT_NOTFOUND);
    CHECK_STATUS(pdict_del(d, pdict_str(MARK)), PDICT_NOTFOUND);
    CHECK_OK(pdict_add(d, pdict_str(MARK), 40, NULL, &sum));
    CHECK_OK(pdict_add(d, pdict_str(MARK), 2, NULL, &sum));
    check_value(d, MARK, "42");
    CHECK_OK(pdict_pop(d, pdict_str(MARK), &view));
    CHECK_BYTES(view.data, view.size, "42", 2);
    pdict_view_release(&view);
    check_value(d, MARK, NULL);
    put(d, "", "of the empty key");
    check_value(d, "", "of the empty key");
    CHECK_OK(pdict_del(d, pdict_str("")));
}

static int shout(void *ctx, const pdict_view *old, pdict_slice *value)
{
    CHECK_BYTES(old->data, old->size, "quiet", 5);
    *value = *(const pdict_slice *)ctx;
    return PDICT_OK;
}

static void changed_in_place(pdict *d)
{
    pdict_slice loud = pdict_str("loud");
    pdict_meta meta = PDICT_META_INIT;
    pdict_view view;

    put(d, MARK, "quiet");
    CHECK_OK(pdict_modify(d, pdict_str(MARK), shout, &loud, NULL));
    check_value(d, MARK, "loud");
    CHECK_OK(pdict_touch(d, pdict_str(MARK), 1000));
    CHECK_OK(pdict_meta_get(d, pdict_str(MARK), &meta));
    CHECK_INT(meta.expires_ms, test_now_ms + 1000);
    CHECK_OK(pdict_get_and_touch(d, pdict_str(MARK), 5000, &view));
    CHECK_BYTES(view.data, view.size, "loud", 4);
    pdict_view_release(&view);
    CHECK_OK(pdict_persist(d, pdict_str(MARK)));
    check_value(d, MARK, "loud");
    put_ttl(d, MARK, "short", 1000);
    test_now_ms += 1000;
    check_value(d, MARK, NULL);
    CHECK_INT(count_of(d), 0);
}

static void many_keys(pdict *d)
{
    pdict_pair pairs[] = { { pdict_str(MARK " 000"), pdict_str("value 0") },
                           { pdict_str(MARK " 001"), pdict_str("value 1") },
                           { pdict_str(MARK " 002"), pdict_str("value 2") } };
    pdict_slice keys[] = { pairs[2].key, pdict_str(MARK " absent"), pairs[0].key };
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_view views[3];
    int statuses[3];

    how.flags = PDICT_PUT_IN_SLICES;
    CHECK_OK(pdict_put_many(d, pairs, 3, &how, statuses));
    CHECK_OK(pdict_put_many(d, pairs, 3, NULL, statuses));
    for (int round = 0; round < 2; round++) {
        CHECK_OK(pdict_get_many(d, keys, 3, views, statuses));
        CHECK_INT(statuses[1], PDICT_NOTFOUND);
        CHECK_BYTES(views[0].data, views[0].size, "value 2", 7);
        CHECK_BYTES(views[2].data, views[2].size, "value 0", 7);
        for (int i = 0; i < 3; i++)
            pdict_view_release(&views[i]);
    }
    check_walk(d, 0, 0, 3, 1);
    CHECK_OK(pdict_del_many(d, keys, 3, statuses));
    CHECK_INT(statuses[1], PDICT_NOTFOUND);
    CHECK_INT(count_of(d), 1);
    CHECK_OK(pdict_del(d, pairs[1].key));
}

static void walks(pdict *d)
{
    put_numbered(d, 300);
    check_walk(d, 0, 0, 300, 1);
    check_walk(d, PDICT_KEYS_ONLY, 0, 300, 1);
    check_walk(d, PDICT_SNAPSHOT, 0, 300, 1);
    check_walk(d, PDICT_REVERSE, 299, 300, -1);
}

static void in_a_transaction(pdict *d)
{
    pdict_view view;
    pdict *t;

    CHECK_OK(pdict_begin(d, 0, &t));
    put(t, name_of(300), "value 300");
    check_value(t, name_of(300), "value 300");
    check_value(t, name_of(7), "value 7");
    check_walk(t, 0, 0, 301, 1);
    CHECK_OK(pdict_pop(t, pdict_str(name_of(300)), &view));
    pdict_view_release(&view);
    put(t, name_of(300), "value 300");
    CHECK_OK(pdict_commit(t));
    check_walk(d, 0, 0, 301, 1);
}

static void order_is_refused(pdict *d)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;

    range.flags = PDICT_BY_KEY;
    CHECK_STATUS(pdict_iter_open(d, &range, &iter), PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), "names=hidden") != NULL);
    range.flags = 0;
    range.prefix = pdict_str("W");
    CHECK_STATUS(pdict_iter_open(d, &range, &iter), PDICT_UNSUPPORTED);
    range.prefix = pdict_str("");
    range.to = pdict_str("W");
    CHECK_STATUS(pdict_iter_open(d, &range, &iter), PDICT_UNSUPPORTED);
}

static void every_call(const char *backend, const char *more)
{
    pdict *d = open_hidden(backend, more);

    one_key(d);
    computed_key(d);
    changed_in_place(d);
    many_keys(d);
    walks(d);
    in_a_transaction(d);
    order_is_refused(d);
    pdict_close(d);
}

TEST(names, every_call_finds_its_key_in_memory)
{
    need("memory");
    every_call("memory", "");
}

TEST(names, every_call_finds_its_key_in_sqlite)
{
    need("sqlite");
    every_call("sqlite", "");
    every_call("sqlite", "&map=uncached&cache=off");
    every_call("sqlite", "&map=sealed&cache=sealed");
}

TEST(names, every_call_finds_its_key_in_lmdb)
{
    need("lmdb");
    every_call("lmdb", "");
    every_call("lmdb", "&map=uncached&cache=off");
}

/* ---- what is not to be seen ---- */

static bool file_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "rb");
    char *bytes = test_alloc((size_t)1 << 24);
    size_t size;
    bool is_found;

    if (!file)
        return false;
    size = fread(bytes, 1, (size_t)1 << 24, file);
    is_found = memmem(bytes, size, text, strlen(text)) != NULL;
    fclose(file);
    return is_found;
}

/* Is the text in any file of this test? */
static bool files_hold(const char *text)
{
    DIR *dir = opendir(test_dir());
    struct dirent *entry;
    bool is_found = false;

    CHECK(dir != NULL);
    while ((entry = readdir(dir)))
        is_found = file_holds(test_path("%s", entry->d_name), text) || is_found;
    closedir(dir);
    return is_found;
}

static void no_file_holds_a_key(const char *backend)
{
    pdict *d;

    need(backend);
    d = open_hidden(backend, "");
    put_numbered(d, 100);
    CHECK(!files_hold(MARK));
    pdict_close(d);
    CHECK(!files_hold(MARK));
    CHECK_OK(try_hidden(backend, "&map=seen", &d));
    put(d, MARK, "value");
    pdict_close(d);
    CHECK(files_hold(MARK)); /* the search finds what is there */
}

TEST(names, no_file_of_a_sqlite_store_holds_a_key)
{
    no_file_holds_a_key("sqlite");
}

TEST(names, no_file_of_an_lmdb_store_holds_a_key)
{
    no_file_holds_a_key("lmdb");
}

/* ---- agreeing ---- */

TEST(names, what_a_map_does_is_fixed_when_it_is_made)
{
    pdict *d;

    need("sqlite");
    pdict_close(open_hidden("sqlite", ""));
    CHECK_STATUS(try_hidden("sqlite", "&names=plain", &d), PDICT_CONTRADICTION);
    CHECK(strstr(pdict_error_text(), "names=hidden") != NULL);
    CHECK_OK(try_hidden("sqlite", "", &d));
    order_is_refused(d);
    pdict_close(d);
    CHECK_OK(try_hidden("sqlite", "&map=plain", &d));
    pdict_close(d);
    CHECK_STATUS(try_hidden("sqlite", "&map=plain&names=hidden", &d), PDICT_CONTRADICTION);
}

TEST(names, hiding_needs_a_cipher)
{
    pdict *d;

    need("memory");
    CHECK_STATUS(pdict_open("memory:x?names=hidden", NULL, &d), PDICT_CONTRADICTION);
    CHECK(strstr(pdict_error_text(), "cipher") != NULL);
}

static void ignore(void *ctx, pdict_slice key, int why)
{
    (void)ctx, (void)key, (void)why;
}

TEST(names, nobody_hears_of_keys_that_go)
{
    pdict_options options = test_options(true);
    pdict *d;

    need("sqlite");
    options.on_removed = ignore;
    CHECK_STATUS(pdict_open(uri_of("sqlite", "&names=hidden"), &options, &d), PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), "on_removed") != NULL);
    CHECK_OK(pdict_open(uri_of("sqlite", "&map=plain"), &options, &d));
    pdict_close(d);
}

TEST(names, a_key_of_any_size_fits)
{
    char *name = test_alloc(100000);
    pdict_view view;
    pdict *d;

    need("lmdb");
    memset(name, 'n', 100000);
    d = open_hidden("lmdb", "");
    CHECK_OK(pdict_put(d, pdict_bytes(name, 100000), pdict_str("v"), NULL));
    CHECK_OK(pdict_get(d, pdict_bytes(name, 100000), &view));
    pdict_view_release(&view);
    pdict_close(d);
}

/* ---- upkeep ---- */

static uint64_t findings_of(const char *backend, bool with_key)
{
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_options clocked = test_options(false);
    pdict_store *store;
    char uri[1024];

    snprintf(uri, sizeof(uri), "%s:%s", backend, test_path("a.store"));
    if (with_key)
        options.key = test_key;
    CHECK_OK(pdict_store_open(uri, &clocked, &store));
    CHECK_OK(pdict_verify(store, &options, &result));
    CHECK_INT(result.records, 50);
    pdict_store_close(store);
    return result.findings;
}

static int migrate_to(const char *codecs)
{
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    pdict_options clocked = test_options(false);
    pdict_store *store;
    char uri[1024];
    int status;

    snprintf(uri, sizeof(uri), "sqlite:%s", test_path("a.store"));
    CHECK_OK(pdict_store_open(uri, &clocked, &store));
    snprintf(uri, sizeof(uri), "lmdb:%s", test_path("b.store"));
    options.codecs = codecs;
    options.key = test_key;
    status = pdict_migrate(store, uri, &options, NULL);
    pdict_store_close(store);
    return status;
}

TEST(names, verified_and_moved_a_map_keeps_its_keys)
{
    pdict_options options = test_options(true);
    char uri[1024];
    pdict *d;

    need("sqlite");
    need("lmdb");
    d = open_hidden("sqlite", "");
    put_numbered(d, 50);
    pdict_close(d);
    CHECK_INT(findings_of("sqlite", true), 0);
    CHECK_INT(findings_of("sqlite", false), 0);
    CHECK_STATUS(migrate_to("raw"), PDICT_UNSUPPORTED);
    CHECK_OK(migrate_to("raw,zlib,xchacha20"));
    snprintf(uri, sizeof(uri), "lmdb:%s", test_path("b.store"));
    CHECK_OK(pdict_open(uri, &options, &d));
    check_walk(d, 0, 0, 50, 1);
    check_value(d, name_of(7), "value 7");
    pdict_close(d);
    CHECK(!files_hold(MARK));
}
