/* SPDX-License-Identifier: MIT */
/* When an encrypted store is closed, no secret and no value of it is left in memory. */
#include <pdict/ext/register.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps.h"
#include "mark_fixture.h"
#include "value/pipeline.h"

#define KEY_SIZE 32

static void need(const char *backend)
{
    need_all();
    if (!pdict_backend_find(backend))
        SKIP("this build lacks the backend");
    make_mark();
}

/* ---- through the public calls ---- */

/* With a key or passphrase that holds the mark; ours is wiped. */
static pdict *open_marked(const char *backend, const char *more, bool is_passphrase)
{
    pdict_options options = PDICT_OPTIONS_INIT;
    unsigned char secret[KEY_SIZE] = "0123456789abcdef0123456789abcde";
    char uri[1024];
    pdict *d;

    write_mark(secret);
    snprintf(uri, sizeof(uri), "%s:%s?kdf=test%s", backend,
             test_path(is_passphrase ? "passphrase.store" : "key.store"), more);
    *(is_passphrase ? &options.passphrase : &options.key) = pdict_bytes(secret, sizeof(secret));
    CHECK_OK(pdict_open(uri, &options, &d));
    explicit_bzero(secret, sizeof(secret));
    return d;
}

/* A value among whose words the mark stands; `more` words behind it. */
static void put_marked(pdict *d, const char *key, size_t more)
{
    size_t size = MARK_SIZE + more;
    unsigned char *value = malloc(size);

    for (size_t i = 0; i < more; i++)
        value[MARK_SIZE + i] = (unsigned char)("some words of text "[i % 19]);
    write_mark(value);
    CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, size), NULL));
    explicit_bzero(value, size);
    free(value);
}

static void get_marked(pdict *d, const char *key)
{
    pdict_view view;

    CHECK_OK(pdict_get(d, pdict_str(key), &view));
    CHECK(has_mark(view.data));
    pdict_view_release(&view);
}

static void walk_marked(pdict *d)
{
    pdict_iter *iter;
    pdict_entry entry;

    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    while (pdict_iter_next(iter, &entry) == PDICT_OK)
        CHECK(has_mark(entry.value.data));
    pdict_iter_close(iter);
}

static int compute_marked(void *ctx, const pdict_view *old, pdict_computed *computed)
{
    (void)old;
    write_mark(ctx);
    computed->value = pdict_bytes(ctx, MARK_SIZE);
    return PDICT_OK;
}

static void get_computed(pdict *d)
{
    unsigned char value[MARK_SIZE];
    pdict_view view;

    CHECK_OK(pdict_get_or_compute(d, pdict_str("computed"), compute_marked, value, NULL, &view));
    CHECK(has_mark(view.data));
    pdict_view_release(&view);
    explicit_bzero(value, sizeof(value));
}

static void use(pdict *d)
{
    static const size_t sizes_of_values[] = { 0, 100, 5000, 200000 };
    pdict *txn;
    char key[16];

    for (size_t i = 0; i < 4; i++) {
        snprintf(key, sizeof(key), "%zu", i);
        put_marked(d, key, sizes_of_values[i]);
        get_marked(d, key);
        get_marked(d, key);
    }
    CHECK_OK(pdict_begin(d, 0, &txn));
    put_marked(txn, "in a transaction", 300);
    get_marked(txn, "in a transaction");
    CHECK_OK(pdict_commit(txn));
    get_computed(d);
    walk_marked(d);
}

static void nothing_is_left(const char *backend, const char *options)
{
    need(backend);
    for (int is_passphrase = 0; is_passphrase < 2; is_passphrase++) {
        pdict *d = open_marked(backend, options, is_passphrase);

        use(d);
        pdict_close(d);
        d = open_marked(backend, options, is_passphrase);
        walk_marked(d);
        pdict_close(d);
        CHECK_INT(marks_in_memory(), 0);
    }
}

TEST(leak, nothing_of_a_closed_sqlite_store_is_left)
{
    nothing_is_left("sqlite", "&codecs=raw,zstd,xchacha20");
}

TEST(leak, nothing_of_a_closed_lmdb_store_is_left)
{
    nothing_is_left("lmdb", "&codecs=raw,zlib,xchacha20");
}

TEST(leak, nothing_of_a_store_without_a_cache_is_left)
{
    nothing_is_left("sqlite", "&codecs=raw,xchacha20&cache=off");
}

TEST(leak, nothing_of_a_store_with_a_sealed_cache_and_hidden_names_is_left)
{
    nothing_is_left("sqlite", "&codecs=raw,zstd,xchacha20&cache=sealed&names=hidden");
}

/* ---- dictionaries ---- */

/* Records that are like each other, the mark in each, so that the dictionary holds it. */
static void put_alike(pdict *d, int count)
{
    unsigned char value[256];
    char key[16];

    for (int i = 0; i < count; i++) {
        int size = snprintf((char *)value, sizeof(value),
                            "%0*d one record of a kind, number %d, like all the others of its kind",
                            MARK_SIZE, 0, i * 7919);

        write_mark(value);
        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, (size_t)size), NULL));
    }
    explicit_bzero(value, sizeof(value));
}

#define TRAINED "&codecs=raw,zstd,xchacha20&durability=unsafe"

/* In a process of its own: what the training leaves behind is libzstd's. */
static void train_elsewhere(void)
{
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;
    int ended = -1;
    pid_t child;

    test_dir(); /* the same for both */
    if ((child = fork()) == 0) {
        pdict *d = open_marked("sqlite", TRAINED, false);

        put_alike(d, 1000);
        CHECK_OK(pdict_train(d, NULL, &result));
        pdict_close(d);
        _exit(result.number == 1 ? 0 : 1);
    }
    CHECK_INT(waitpid(child, &ended, 0), child);
    CHECK_INT(ended, 0);
}

TEST(leak, nothing_of_a_dictionary_is_left)
{
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d;

    need("sqlite");
    train_elsewhere();
    d = open_marked("sqlite", TRAINED, false);
    put_alike(d, 10);
    get_marked(d, "3");
    get_marked(d, "700");
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK(stats.compressed.bytes_out * 4 < stats.compressed.bytes_in); /* by the dictionary */
    CHECK(marks_in_memory() > 0);
    pdict_close(d);
    CHECK_INT(marks_in_memory(), 0);
}

/* ---- keys ---- */

static struct keyring *new_secret_ring(void)
{
    struct secret secret = { slice_of("open sesame"), .is_passphrase = true, .may_keep = true };

    return new_ring(test_map_id, &secret);
}

TEST(leak, nothing_of_the_keys_is_left)
{
    struct keyring *ring;

    need("memory");
    ring = new_secret_ring();
    mark_is(pdict__keyring_data_key(ring, 1));
    CHECK(marks_in_memory() > 0);
    pdict__keyring_free(ring);
    CHECK_INT(marks_in_memory(), 0);
}

/* What Argon2id made, which is kept for the next opening, but not as it is. */
static pdict_cipher noting_cipher;

static int noting_derive(const pdict_kdf *kdf, pdict_slice password, void *out, size_t out_size)
{
    int status = need_codec("xchacha20")->cipher->derive(kdf, password, out, out_size);

    mark_is(out);
    return status;
}

TEST(leak, a_kept_key_is_not_kept_as_it_is)
{
    struct secret secret = { slice_of("open sesame"), .is_passphrase = true, .may_keep = true };
    struct keyring *ring;
    pdict_codec codec;

    need("memory");
    codec = *need_codec("xchacha20");
    noting_cipher = *codec.cipher;
    noting_cipher.derive = noting_derive;
    codec.cipher = &noting_cipher;
    CHECK_OK(
        pdict__keyring_create(&codec, test_map_id, &secret, &cheap_kdf, &test_allocator, &ring));
    pdict__keyring_free(ring);
    CHECK_INT(marks_in_memory(), 0);
}

/* ---- core dumps ---- */

/* Of the marks in memory, those in a mapping that a core dump would hold. */
static unsigned marks_in_a_dump(void)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    unsigned here = 0, dumped = 0;
    unsigned long from, to;
    char line[512], rights[5];

    CHECK(maps != NULL);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3) {
            bool is_searched = rights[0] == 'r' && rights[1] == 'w' && !strstr(line, "[stack]");

            here = 0;
            for (; is_searched && from + MARK_SIZE <= to; from++)
                here += has_mark((const volatile unsigned char *)from);
        }
        if (strncmp(line, "VmFlags:", 8) == 0 && !strstr(line, " dd"))
            dumped += here;
    }
    fclose(maps);
    return dumped;
}

TEST(leak, no_core_dump_holds_a_key_of_an_open_store)
{
    struct keyring *ring;
    unsigned char *copy;

    need("memory");
    ring = new_secret_ring();
    mark_is(pdict__keyring_data_key(ring, 1));
    CHECK(marks_in_memory() > 0);
    CHECK_INT(marks_in_a_dump(), 0);
    copy = malloc(MARK_SIZE);
    write_mark(copy);
    CHECK_INT(marks_in_a_dump(), 1); /* the search finds what is there */
    free(copy);
    pdict__keyring_free(ring);
}
