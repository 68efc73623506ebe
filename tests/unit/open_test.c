/* SPDX-License-Identifier: MIT */
/* Opening: modes, options, the registry, and every kind of bad input with its status and text. */
#include "maps.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/map.h"

static int try_open(const char *uri, pdict **out)
{
    pdict_options options = test_options(false);

    return pdict_open(uri, &options, out);
}

/* The open fails with that status, sets no handle, and the text holds that word. */
static void refused(const char *uri, int expected, const char *word)
{
    pdict *d = (pdict *)(void *)&d;

    CHECK_STATUS(try_open(uri, &d), expected);
    CHECK(d == NULL);
    if (!strstr(pdict_error_text(), word))
        FAIL("'%s' does not say '%s'", pdict_error_text(), word);
}

static const char *uri_of(const char *file, const char *options)
{
    static char uri[1024];

    snprintf(uri, sizeof(uri), "sqlite:%s%s", test_path("%s", file), options);
    return uri;
}

/* ---- options ---- */

TEST(open, an_unknown_option_names_the_near_match)
{
    refused(uri_of("a.db", "?timout=5s"), PDICT_UNKNOWN_OPTION, "did you mean 'timeout'");
    refused(uri_of("a.db", "?zzzzzz=5s"), PDICT_UNKNOWN_OPTION, "no option 'zzzzzz'");
    refused("memory:?page_cache=1MiB", PDICT_UNKNOWN_OPTION, "page_cache");
    CHECK_INT(access(test_path("a.db"), F_OK), -1);
}

TEST(open, a_malformed_value_says_what_is_legal)
{
    refused(uri_of("a.db", "?mode=write"), PDICT_INVAL, "ro|rw|rwc");
    refused(uri_of("a.db", "?timeout=5"), PDICT_INVAL, "10s");
    refused(uri_of("a.db", "?durability=fulll"), PDICT_INVAL, "ordered:TIME");
    refused(uri_of("a.db", "?durability=ordered:5"), PDICT_INVAL, "250ms");
    refused(uri_of("a.db", "?durability=ordered:0"), PDICT_INVAL, "1ms");
    refused(uri_of("a.db", "?commit_delay=-1"), PDICT_INVAL, "commit_delay");
    refused(uri_of("a.db", "?max_value=2GiB"), PDICT_INVAL, "max_value");
    refused(uri_of("a.db", "?map="), PDICT_INVAL, "map");
    refused(uri_of("a.db", "?map=a%0Ab"), PDICT_INVAL, "map");
    refused("sqlite:", PDICT_INVAL, "empty");
    refused("", PDICT_INVAL, "empty");
    CHECK_INT(access(test_path("a.db"), F_OK), -1);
}

TEST(open, an_unknown_backend_or_codec_is_named_with_the_near_match)
{
    refused("sqllite:x.db", PDICT_UNKNOWN_BACKEND, "did you mean 'sqlite'");
    refused("nothinglikeit:x.db", PDICT_UNKNOWN_BACKEND, "./nothinglikeit:");
    refused(uri_of("a.db", "?codecs=zstt"), PDICT_UNKNOWN_CODEC, "zstd");
    CHECK_INT(access(test_path("a.db"), F_OK), -1);
}

TEST(open, settings_in_code_mean_the_same_as_in_the_uri)
{
    pdict_setting settings[] = { { "map", "users" }, { "codecs", "zstd:5" } };
    pdict_options options = test_options(false);
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d;

    options.settings = settings;
    options.n_settings = 2;
    CHECK_OK(pdict_open("memory:?map=users", &options, &d));
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_STR(stats.map, "users");
    pdict_close(d);
    CHECK_STATUS(pdict_open("memory:?map=others", &options, &d), PDICT_CONTRADICTION);
    options.struct_size = 0;
    CHECK_STATUS(pdict_open("memory:", &options, &d), PDICT_INVAL);
    CHECK_OK(pdict_open("memory:", NULL, &d));
    pdict_close(d);
    pdict_close(NULL);
}

/* ---- modes ---- */

TEST(open, only_rwc_creates)
{
    pdict *d;

    refused(uri_of("a.db", "?mode=ro"), PDICT_NO_STORE, "there is no store");
    refused(uri_of("a.db", "?mode=rw"), PDICT_NO_STORE, "rwc");
    CHECK_INT(access(test_path("a.db"), F_OK), -1);
    CHECK_OK(try_open(uri_of("a.db", "?mode=rwc"), &d));
    pdict_close(d);
    CHECK_OK(try_open(uri_of("a.db", "?mode=rw"), &d));
    pdict_close(d);
    refused(uri_of("a.db", "?mode=rw&map=other"), PDICT_NO_MAP, "other");
}

TEST(open, a_read_only_handle_reads_and_refuses_to_write)
{
    pdict_pair pair = { pdict_str("k"), pdict_str("v") };
    pdict_slice key = pdict_str("k");
    pdict *d;

    CHECK_OK(try_open(uri_of("a.db", ""), &d));
    put(d, "k", "v");
    pdict_close(d);
    CHECK_OK(try_open(uri_of("a.db", "?mode=ro"), &d));
    check_value(d, "k", "v");
    CHECK_INT(count_of(d), 1);
    CHECK_STATUS(pdict_put(d, key, pdict_str("w"), NULL), PDICT_READ_ONLY);
    CHECK_STATUS(pdict_del(d, key), PDICT_READ_ONLY);
    CHECK_STATUS(pdict_put_many(d, &pair, 1, NULL, NULL), PDICT_READ_ONLY);
    CHECK_STATUS(pdict_del_many(d, &key, 1, NULL), PDICT_READ_ONLY);
    CHECK_STATUS(pdict_clear(d, PDICT_CLEAR_EVERYTHING), PDICT_READ_ONLY);
    CHECK_OK(pdict_sync(d));
    check_value(d, "k", "v");
    pdict_close(d);
}

/* ---- paths that are not ours ---- */

TEST(open, a_missing_directory_is_named)
{
    refused(uri_of("no/such/a.db", ""), PDICT_NO_DIRECTORY, "no/such");
    refused(test_path("no/a.db"), PDICT_NO_DIRECTORY, "create it first");
    test_write_file(test_path("file"), "x", 1);
    refused(uri_of("file/a.db", ""), PDICT_NO_DIRECTORY, "not a directory");
}

TEST(open, a_path_that_leads_nowhere_is_refused)
{
    size_t size = 5000;
    char *uri = test_alloc(size);

    refused("sqlite:", PDICT_INVAL, "path is empty");
    refused("sqlite:/no-such-store-in-the-root.db?mode=rw", PDICT_NO_STORE, "no-such-store");
    refused(uri_of("absent/", ""), PDICT_NO_DIRECTORY, "absent");
    CHECK_INT(symlink("loop", test_path("loop")), 0);
    refused(uri_of("loop", ""), PDICT_IO, "looking for it");
    memset(uri, 'x', size);
    memcpy(uri, "sqlite:", 7);
    uri[size - 1] = '\0';
    refused(uri, PDICT_INVAL, "longer than");
    uri[4000] = '\0';
    refused(uri, PDICT_IO, "xxxx");
}

/* Other programs that use LMDB give the directory. */
TEST(open, a_directory_that_holds_a_store_stands_for_it)
{
    char path[512];
    pdict *d;

    if (!pdict__backend_find("lmdb"))
        SKIP("lmdb is not in this build");
    snprintf(path, sizeof(path), "%s", test_path("directory"));
    CHECK_INT(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "lmdb:%s", test_path("directory"));
    CHECK_OK(try_open(path, &d));
    put(d, "k", "v");
    pdict_close(d);
    CHECK_OK(try_open(path + 5, &d));
    check_value(d, "k", "v");
    pdict_close(d);
}

TEST(open, a_directory_or_a_special_file_is_not_a_store)
{
    char fifo[512];

    refused(test_dir(), PDICT_NOT_A_STORE, "directory");
    refused(uri_of(".", ""), PDICT_NOT_A_STORE, "directory");
    snprintf(fifo, sizeof(fifo), "%s", test_path("fifo"));
    CHECK_INT(mkfifo(fifo, 0600), 0);
    refused(fifo, PDICT_NOT_A_STORE, "special file");
}

TEST(open, a_text_file_is_refused_and_left_alone)
{
    static const char text[] = "This is a letter to my landlord, not a database.\n";
    char path[512];
    size_t size;

    snprintf(path, sizeof(path), "%s", test_path("letter.txt"));
    test_write_file(path, text, sizeof(text) - 1);
    refused(path, PDICT_NOT_A_STORE, "not a pdict store");
    refused(uri_of("letter.txt", ""), PDICT_NOT_A_STORE, "letter.txt");
    CHECK_STR(test_file(path, &size), text);
    CHECK_INT(size, sizeof(text) - 1);
}

TEST(open, an_empty_file_becomes_a_store_only_when_asked_to_create)
{
    pdict *d;

    test_write_file(test_path("empty.db"), "", 0);
    refused(uri_of("empty.db", "?mode=rw"), PDICT_NOT_A_STORE, "empty.db");
    CHECK_OK(try_open(uri_of("empty.db", ""), &d));
    put(d, "k", "v");
    pdict_close(d);
}

TEST(open, a_bare_path_is_recognised_by_its_content)
{
    pdict_stats stats = PDICT_STATS_INIT;
    char path[512];
    pdict *d, *again;

    snprintf(path, sizeof(path), "%s", test_path("100%% new.db"));
    CHECK_OK(try_open(path, &d));
    CHECK_OK(try_open(path, &again));
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_STR(stats.backend, "sqlite");
    pdict_close(d);
    pdict_close(again);
    CHECK_OK(try_open(path, &d));
    pdict_close(d);
}

/* ---- secrets ---- */

static int open_with(const char *uri, const char *passphrase, pdict_slice key, pdict **out)
{
    pdict_options options = test_options(false);

    options.passphrase = pdict_str(passphrase);
    options.key = key;
    return pdict_open(uri, &options, out);
}

static const pdict_slice no_key;

TEST(open, a_wrong_or_missing_passphrase_is_refused_before_anything_is_written)
{
    char *before, *after, path[512];
    size_t size, size_after;
    pdict *d;

    snprintf(path, sizeof(path), "%s", test_path("a.db"));
    CHECK_OK(open_with(uri_of("a.db", "?codecs=xchacha20&kdf=test"), "right", no_key, &d));
    put(d, "k", "secret");
    pdict_close(d);
    before = test_file(path, &size);
    CHECK_STATUS(open_with(uri_of("a.db", ""), "wrong", no_key, &d), PDICT_WRONG_KEY);
    CHECK_STATUS(open_with(uri_of("a.db", ""), NULL, no_key, &d), PDICT_NEED_KEY);
    CHECK_STATUS(open_with(uri_of("a.db", ""), NULL, test_key, &d), PDICT_WRONG_KEY);
    CHECK_STATUS(open_with(uri_of("a.db", ""), "right", test_key, &d), PDICT_CONTRADICTION);
    after = test_file(path, &size_after);
    CHECK_BYTES(after, size_after, before, size);
    CHECK_OK(open_with(uri_of("a.db", ""), "right", no_key, &d));
    check_value(d, "k", "secret");
    pdict_close(d);
}

TEST(open, a_wrong_key_is_refused_even_while_another_handle_is_open)
{
    pdict *d, *other;

    CHECK_OK(open_with(uri_of("a.db", "?codecs=xchacha20&kdf=test"), "right", no_key, &d));
    CHECK_STATUS(open_with(uri_of("a.db", ""), "wrong", no_key, &other), PDICT_WRONG_KEY);
    CHECK_STATUS(open_with(uri_of("a.db", ""), NULL, no_key, &other), PDICT_NEED_KEY);
    CHECK_OK(open_with(uri_of("a.db", ""), "right", no_key, &other));
    pdict_close(d);
    put(other, "k", "v");
    pdict_close(other);
}

TEST(open, an_empty_passphrase_or_a_short_key_is_malformed)
{
    pdict *d;

    CHECK_STATUS(open_with("memory:?codecs=xchacha20&kdf=test", "", no_key, &d), PDICT_INVAL);
    CHECK_STATUS(open_with("memory:?codecs=xchacha20", NULL, pdict_bytes(test_key.data, 31), &d),
                 PDICT_INVAL);
}

TEST(open, a_secret_for_a_plain_map_is_refused)
{
    pdict *d;

    CHECK_STATUS(open_with(uri_of("new.db", ""), "secret", no_key, &d), PDICT_NOT_ENCRYPTED);
    CHECK_INT(access(test_path("new.db"), F_OK), -1);
    CHECK_STATUS(open_with("memory:", "secret", no_key, &d), PDICT_NOT_ENCRYPTED);
    CHECK_OK(try_open(uri_of("a.db", ""), &d));
    pdict_close(d);
    CHECK_STATUS(open_with(uri_of("a.db", ""), "secret", no_key, &d), PDICT_NOT_ENCRYPTED);
    CHECK_STATUS(open_with(uri_of("a.db", ""), NULL, test_key, &d), PDICT_NOT_ENCRYPTED);
}

TEST(open, a_new_encrypted_map_needs_a_secret_and_leaves_no_file_without)
{
    refused(uri_of("a.db", "?codecs=xchacha20"), PDICT_NEED_KEY, "passphrase");
    CHECK_INT(access(test_path("a.db"), F_OK), -1);
    refused("memory:?codecs=xchacha20", PDICT_NEED_KEY, "");
}

TEST(open, an_encrypted_store_is_private_to_its_owner)
{
    struct stat info;
    mode_t before = umask(022);
    pdict *d;

    CHECK_OK(open_with(uri_of("a.db", "?codecs=xchacha20"), NULL, test_key, &d));
    CHECK_INT(stat(test_path("a.db"), &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    pdict_close(d);
    CHECK_OK(try_open(uri_of("b.db", ""), &d));
    CHECK_INT(stat(test_path("b.db"), &info), 0);
    CHECK_INT(info.st_mode & 0777, 0644);
    pdict_close(d);
    umask(before);
}

/* ---- contradictions ---- */

TEST(open, settings_that_contradict_the_map_are_refused_with_both_sides_named)
{
    pdict *d;

    CHECK_OK(try_open(uri_of("a.db", "?codecs=raw,zstd:3&max_value=1KiB&checksum=off"), &d));
    pdict_close(d);
    refused(uri_of("a.db", "?codecs=raw,zlib"), PDICT_CONTRADICTION, "raw,zstd:3");
    refused(uri_of("a.db", "?codecs=raw,zstd:4"), PDICT_CONTRADICTION, "zstd:4");
    refused(uri_of("a.db", "?codecs=str,zstd:3"), PDICT_CONTRADICTION, "str");
    refused(uri_of("a.db", "?codecs=raw"), PDICT_CONTRADICTION, "raw,zstd:3");
    refused(uri_of("a.db", "?max_value=2KiB"), PDICT_CONTRADICTION, "2048");
    refused(uri_of("a.db", "?checksum=on"), PDICT_CONTRADICTION, "checksum=off");
    CHECK_OK(try_open(uri_of("a.db", "?codecs=zstd&max_value=1024&checksum=off"), &d));
    pdict_close(d);
    CHECK_OK(try_open(uri_of("a.db", ""), &d));
    pdict_close(d);
}

TEST(open, two_opens_of_one_file_must_agree)
{
    pdict_options options = PDICT_OPTIONS_INIT; /* the system's clock, not the test's */
    pdict *d, *other;

    CHECK_OK(try_open(uri_of("a.db", ""), &d));
    CHECK_STATUS(pdict_open(uri_of("a.db", ""), &options, &other), PDICT_CONTRADICTION);
    refused(uri_of("a.db", "?page_cache=1MiB"), PDICT_CONTRADICTION, "page_cache");
    refused(uri_of("a.db", "?codecs=zstd"), PDICT_CONTRADICTION, "codecs");
    pdict_close(d);
    CHECK_OK(try_open(uri_of("a.db", "?mode=ro"), &d));
    refused(uri_of("a.db", "?mode=rw"), PDICT_CONTRADICTION, "mode=ro");
    pdict_close(d);
    CHECK_OK(try_open(uri_of("a.db", ""), &d));
    CHECK_OK(try_open(uri_of("a.db", "?mode=ro"), &other));
    CHECK_STATUS(pdict_del(other, pdict_str("k")), PDICT_READ_ONLY);
    pdict_close(d);
    pdict_close(other);
}

/* ---- the registry ---- */

TEST(open, one_file_is_one_store_by_whatever_path)
{
    char link[512], target[512];
    pdict *d, *other;

    snprintf(target, sizeof(target), "%s", test_path("a.db"));
    snprintf(link, sizeof(link), "%s", test_path("link.db"));
    CHECK_OK(try_open(uri_of("a.db", "?durability=unsafe"), &d));
    CHECK_INT(symlink(target, link), 0);
    CHECK_OK(try_open(uri_of("link.db", ""), &other));
    put(d, "k", "v");
    check_value(other, "k", "v");
    pdict_close(d);
    check_value(other, "k", "v");
    pdict_close(other);
}

TEST(open, memory_stores_are_shared_by_name_and_private_without)
{
    pdict *a, *b, *c;

    CHECK_OK(try_open("memory:shared", &a));
    CHECK_OK(try_open("memory:shared", &b));
    put(a, "k", "v");
    check_value(b, "k", "v");
    pdict_close(a);
    CHECK_OK(try_open("memory:shared?mode=rw", &a));
    check_value(a, "k", "v");
    pdict_close(a);
    pdict_close(b);
    refused("memory:shared?mode=rw", PDICT_NO_STORE, "shared");
    CHECK_OK(try_open("memory:", &a));
    CHECK_OK(try_open("memory:", &c));
    put(a, "k", "v");
    check_value(c, "k", NULL);
    pdict_close(a);
    pdict_close(c);
}

static const char *shared_uri; /* uri_of() has one buffer, which threads cannot share */

static void *open_and_put(void *arg)
{
    int *id = arg;
    char key[16];
    pdict *d;

    for (int i = 0; i < 20; i++) {
        CHECK_OK(try_open(shared_uri, &d));
        snprintf(key, sizeof(key), "%d-%d", *id, i);
        put(d, key, "v");
        check_value(d, key, "v");
        pdict_close(d);
    }
    return NULL;
}

TEST(open, threads_open_and_close_one_store_at_will)
{
    pthread_t threads[4];
    int ids[4];
    pdict *d;

    shared_uri = uri_of("shared.db", "?durability=unsafe");
    for (int i = 0; i < 4; i++) {
        ids[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, open_and_put, &ids[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(try_open(shared_uri, &d));
    CHECK_INT(count_of(d), 80);
    pdict_close(d);
}

/* ---- processes ---- */

static void create_in_child(const char *uri, const char *key)
{
    pdict *d;

    if (fork() == 0) {
        CHECK_OK(try_open(uri, &d));
        put(d, key, "v");
        pdict_close(d);
        _exit(0);
    }
}

TEST(open, processes_that_create_one_path_at_once_make_one_store)
{
    pdict *d;
    char key[16];

    if (TEST_UNDER_TSAN)
        SKIP("fork under TSan");
    for (int i = 0; i < 6; i++) {
        snprintf(key, sizeof(key), "%d", i);
        create_in_child(uri_of("a.db", "?codecs=zstd"), key);
    }
    for (int i = 0; i < 6; i++) {
        int exit_status;

        CHECK(wait(&exit_status) > 0);
        CHECK_INT(exit_status, 0);
    }
    CHECK_OK(try_open(uri_of("a.db", ""), &d));
    CHECK_INT(count_of(d), 6);
    pdict_close(d);
}

/* ---- what a build can do ---- */

TEST(open, info_lists_core_backends_and_codecs_with_their_options)
{
    pdict_info info = PDICT_INFO_INIT, no_size = { 0 };
    bool has_sqlite = false, has_zstd = false, has_core = false;
    size_t cursor = 0, n = 0;

    for (; pdict_info_next(&cursor, &info) == PDICT_OK; n++) {
        CHECK(info.name && info.summary && info.library && info.options);
        has_core |= info.kind == PDICT_INFO_CORE && strcmp(info.options[0].name, "map") == 0;
        has_sqlite |= info.kind == PDICT_INFO_BACKEND && strcmp(info.name, "sqlite") == 0 &&
                      strstr(info.library, "3.") != NULL;
        has_zstd |= info.kind == PDICT_INFO_COMPRESSOR && strcmp(info.name, "zstd") == 0;
    }
    CHECK(has_core && has_sqlite && has_zstd);
    CHECK(n >= 8);
    cursor = 0;
    CHECK_STATUS(pdict_info_next(&cursor, &no_size), PDICT_INVAL);
}
