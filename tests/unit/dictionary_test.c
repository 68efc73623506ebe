/* SPDX-License-Identifier: MIT */
/* The promises of trained dictionaries: smaller records, kept, sealed, shared, never half there. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/map.h"
#include "test.h"
#include "value/dictionary.h"

static const unsigned char key_bytes[32] = "0123456789abcdef0123456789abcde";

static pdict *open_at(const char *path, const char *codecs, bool is_sealed)
{
    pdict_options options = PDICT_OPTIONS_INIT;
    char uri[512];
    pdict *d;

    if (!pdict__codec_find("zstd") || !pdict__backend_find("sqlite"))
        SKIP("zstd or sqlite is not in this build");
    if (is_sealed)
        options.key = pdict_bytes(key_bytes, sizeof(key_bytes));
    snprintf(uri, sizeof(uri), "sqlite:%s?codecs=%s%s", path, codecs,
             is_sealed ? ",xchacha20" : "");
    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

static size_t value_of(unsigned i, char *out, size_t size)
{
    static const char *const words[] = { "library", "tools", "daemon", "headers" };

    return (size_t)snprintf(
        out, size,
        "Package: package-%u\nStatus: install ok installed\nPriority: optional\n"
        "Section: %s\nInstalled-Size: %u\nMaintainer: Maintainers Number %u\n"
        "Architecture: amd64\nDepends: libc6 (>= 2.34)\n",
        i, words[i % 4], i * 7919 % 100000, i % 13);
}

static void put_values(pdict *d, unsigned from, unsigned to)
{
    pdict_pair pairs[64];
    char keys[64][16], values[64][512];
    unsigned n = 0;

    for (unsigned i = from; i < to; i++) {
        snprintf(keys[n], sizeof(keys[n]), "%u", i);
        pairs[n] = (pdict_pair){ pdict_str(keys[n]),
                                 { values[n], value_of(i, values[n], sizeof(values[n])) } };
        if (++n == 64 || i + 1 == to) {
            CHECK_OK(pdict_put_many(d, pairs, n, NULL, NULL));
            n = 0;
        }
    }
}

static void check_values(pdict *d, unsigned from, unsigned to)
{
    char key[16], value[512];
    pdict_view view;

    for (unsigned i = from; i < to; i++) {
        size_t size = value_of(i, value, sizeof(value));

        snprintf(key, sizeof(key), "%u", i);
        CHECK_OK(pdict_get(d, pdict_str(key), &view));
        CHECK_BYTES(view.data, view.size, value, size);
        pdict_view_release(&view);
    }
}

static uint64_t stored_size(pdict *d, unsigned i)
{
    pdict_meta meta = PDICT_META_INIT;
    char key[16];

    snprintf(key, sizeof(key), "%u", i);
    CHECK_OK(pdict_meta_get(d, pdict_str(key), &meta));
    return meta.stored_size;
}

WARM_UP()
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);

    put_values(d, 0, 200);
    CHECK_OK(pdict_train(d, NULL, NULL));
    put_values(d, 100, 300);
    check_values(d, 0, 300);
    CHECK(stored_size(d, 0) > 0);
    pdict_close(d);
}

enum {
    MANY = TEST_UNDER_VALGRIND ? 300 : 1000
};

static void check_training(bool is_sealed)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", is_sealed);
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;

    put_values(d, 0, MANY);
    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 1);
    CHECK(result.samples == MANY && result.dictionary_bytes >= 1024);
    CHECK(result.with_bytes < result.without_bytes);
    put_values(d, MANY, MANY + 100);
    CHECK(stored_size(d, MANY) * 10 < stored_size(d, MANY - 1) * 9);
    check_values(d, 0, MANY + 100);
    pdict_close(d);
    d = open_at(test_path("a.db"), "raw,zstd:3", is_sealed);
    check_values(d, 0, MANY + 100);
    put_values(d, MANY + 100, MANY + 101);
    CHECK(stored_size(d, MANY + 100) * 10 < stored_size(d, MANY - 1) * 9);
    pdict_close(d);
}

TEST(dictionary, new_records_use_it_and_all_stay_readable)
{
    check_training(false);
}

TEST(dictionary, encrypted_map_seals_it)
{
    size_t size;
    char *file;

    if (!pdict__codec_find("xchacha20"))
        SKIP("xchacha20 is not in this build");
    check_training(true);
    file = test_file(test_path("a.db"), &size);
    CHECK(memmem(file, size, "install ok", 10) == NULL);
    CHECK(memmem(file, size, "Maintainers", 11) == NULL);
}

TEST(dictionary, newest_serves_and_older_records_keep_theirs)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;

    put_values(d, 0, 500);
    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 1);
    put_values(d, 500, 1000);
    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 2);
    put_values(d, 1000, 1010);
    check_values(d, 0, 1010);
    pdict_close(d);
    d = open_at(test_path("a.db"), "raw,zstd:3", false);
    check_values(d, 0, 1010);
    pdict_close(d);
}

TEST(dictionary, the_same_again_is_not_added)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;

    put_values(d, 0, 500);
    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 1);
    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 0);
    pdict_close(d);
}

TEST(dictionary, sixteen_are_the_most)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pdict_train_options options = PDICT_TRAIN_OPTIONS_INIT;
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;
    unsigned i;

    options.most_bytes = 4096;
    options.sample_bytes = 40000;
    for (i = 1; i <= 16; i++) {
        put_values(d, i * 200, (i + 1) * 200);
        CHECK_OK(pdict_train(d, &options, &result));
        CHECK_INT(result.number, i);
    }
    put_values(d, i * 200, (i + 1) * 200);
    CHECK_STATUS(pdict_train(d, &options, &result), PDICT_TOO_BIG);
    check_values(d, 200, 3600);
    pdict_close(d);
}

TEST(dictionary, nothing_is_made_of_too_little_or_of_noise)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;
    unsigned char noise[200];
    char key[32];

    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 0);
    put_values(d, 0, 5);
    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 0);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "noise-%d", i);
        CHECK_OK(pdict__random(noise, sizeof(noise)));
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(noise, sizeof(noise)), NULL));
    }
    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 0);
    pdict_close(d);
}

TEST(dictionary, map_without_such_a_compressor_is_unsupported)
{
    pdict *d = open_at(test_path("a.db"), "raw", false);

    CHECK_STATUS(pdict_train(d, NULL, NULL), PDICT_UNSUPPORTED);
    pdict_close(d);
}

/* A process that trains when it is told to. */
static pid_t start_trainer(int *go)
{
    int ends[2];
    pid_t child;

    CHECK(pipe(ends) == 0);
    if ((child = fork()) == 0) {
        char byte;
        pdict *d;

        CHECK(read(ends[0], &byte, 1) == 1);
        d = open_at(test_path("a.db"), "raw,zstd:3", false);
        CHECK_OK(pdict_train(d, NULL, NULL));
        put_values(d, 500, 510);
        pdict_close(d);
        _exit(0);
    }
    CHECK(child > 0);
    *go = ends[1];
    return child;
}

TEST(dictionary, another_process_learns_of_it_from_the_first_record)
{
    int go, state;
    pid_t child;
    pdict *d;

    if (TEST_UNDER_TSAN)
        SKIP("forks");
    test_path("a.db");
    child = start_trainer(&go);
    d = open_at(test_path("a.db"), "raw,zstd:3", false);
    put_values(d, 0, 500);
    CHECK(write(go, "", 1) == 1);
    CHECK(waitpid(child, &state, 0) == child && state == 0);
    check_values(d, 0, 510);
    put_values(d, 600, 610);
    check_values(d, 600, 610);
    CHECK(stored_size(d, 600) * 10 < stored_size(d, 0) * 9);
    pdict_close(d);
}

static void *put_and_check(void *ctx)
{
    for (unsigned i = 0; i < 5; i++) {
        put_values(ctx, 1000 + i * 100, 1100 + i * 100);
        check_values(ctx, 1000 + i * 100, 1100 + i * 100);
    }
    return NULL;
}

TEST(dictionary, others_put_and_get_while_it_is_trained)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pthread_t threads[2];

    put_values(d, 0, 300);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, put_and_check, d) == 0);
    CHECK_OK(pdict_train(d, NULL, NULL));
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    check_values(d, 0, 300);
    check_values(d, 1000, 1500);
    pdict_close(d);
}

TEST(dictionary, training_inside_a_transaction_is_misuse)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3+dict", false), *inside;

    CHECK_OK(pdict_begin(d, 0, &inside));
    CHECK_STATUS(pdict_train(inside, NULL, NULL), PDICT_MISUSE);
    put_values(inside, 0, 4000);
    CHECK_OK(pdict_commit(inside));
    check_values(d, 0, 4000);
    pdict_close(d);
}

TEST(dictionary, plus_dict_needs_a_compressor_that_has_them)
{
    pdict *d;

    CHECK_STATUS(pdict_open("memory:x?codecs=raw,zlib+dict", NULL, &d), PDICT_INVAL);
    CHECK_STATUS(pdict_open("memory:x?codecs=raw+dict", NULL, &d), PDICT_INVAL);
    CHECK_STATUS(pdict_open("memory:x?codecs=+dict", NULL, &d), PDICT_INVAL);
}

TEST(dictionary, record_with_a_number_that_is_not_there_is_malformed)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    struct record_header header;
    uint8_t record[64] = { 0 };
    struct workbench *bench;
    struct binding binding = { pdict_str("k"), 1, 0 };
    pdict_slice value;

    header = (struct record_header){ .serializer = 1,
                                     .compressor = 2,
                                     .checksum = CHECKSUM_XXH3,
                                     .dictionary = 9,
                                     .plain_size = 100 };
    pdict__record_header_write(&header, record);
    CHECK((bench = pdict__bench_take(d->map->pipeline)) != NULL);
    CHECK_STATUS(pdict__decode(d->map->pipeline, bench, &binding,
                               pdict_bytes(record, sizeof(record)), NULL, &value),
                 PDICT_FORMAT);
    CHECK(strstr(pdict_error_text(), "dictionary") != NULL);
    pdict__bench_give(d->map->pipeline, bench);
    pdict_close(d);
}

/* ---- what is stored ---- */

static struct dictionary *two_entries(const struct pipeline *pipeline)
{
    struct dictionary *first, *second;

    CHECK_OK(pdict__dictionary_new(pipeline, 2, pdict_str("one"), &first));
    CHECK_OK(pdict__dictionary_new(pipeline, 2, pdict_str("another"), &second));
    first->number = 1;
    second->number = 5;
    first->next = second;
    return first;
}

static void check_hostile(bool is_sealed)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", is_sealed);
    const struct pipeline *pipeline = d->map->pipeline;
    struct buf out = { .allocator = &d->map->store->allocator };
    struct dictionary *list = two_entries(pipeline), *back;

    CHECK_OK(pdict__dictionaries_encode(pipeline, list, &out));
    CHECK_OK(pdict__dictionaries_decode(pipeline, pdict_bytes(out.data, out.size), &back));
    CHECK_INT(back->next->number, 5);
    CHECK_BYTES(back->next->bytes, back->next->size, "another", 7);
    pdict__dictionaries_free(pipeline, back);
    for (size_t i = 0; i < out.size * 8; i++) {
        out.data[i / 8] ^= (uint8_t)(1 << i % 8);
        CHECK_STATUS(pdict__dictionaries_decode(pipeline, pdict_bytes(out.data, out.size), &back),
                     PDICT_DAMAGED);
        CHECK(back == NULL);
        out.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t size = 1; size < out.size; size++)
        CHECK_STATUS(pdict__dictionaries_decode(pipeline, pdict_bytes(out.data, size), &back),
                     PDICT_DAMAGED);
    pdict__dictionaries_free(pipeline, list);
    pdict__buf_free(&out);
    pdict_close(d);
}

TEST(dictionary, flipped_bits_and_short_ends_are_damage)
{
    check_hostile(false);
}

TEST(dictionary, flipped_bits_and_short_ends_are_damage_when_sealed)
{
    if (!pdict__codec_find("xchacha20"))
        SKIP("xchacha20 is not in this build");
    check_hostile(true);
}

/* Entries begin behind the label of 16 bytes; a checksum of 8 bytes ends them. */
#define ENTRIES_AT 16
#define CHECK_SIZE 8

static void check_forged(const struct pipeline *pipeline, struct buf *stored, const char *word)
{
    struct dictionary *back;
    size_t size = stored->size - CHECK_SIZE;

    pdict__put64(stored->data + size, pdict__hash64(stored->data, size, 0));
    CHECK_STATUS(pdict__dictionaries_decode(pipeline, pdict__buf_slice(stored), &back),
                 PDICT_DAMAGED);
    CHECK(back == NULL);
    CHECK(strstr(pdict_error_text(), word) != NULL);
}

/* The pipeline of a map that compresses, and an empty buffer. */
static void with_pipeline(void (*check)(const struct pipeline *pipeline, struct buf *out))
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    struct buf out = { .allocator = &d->map->store->allocator };

    check(d->map->pipeline, &out);
    pdict__buf_free(&out);
    pdict_close(d);
}

static void forge_entries(const struct pipeline *pipeline, struct buf *out)
{
    static const struct {
        size_t at;
        uint8_t mask;
        const char *word;
    } forgeries[] = {
        { 0, 1, "no number" }, { 2, 2, "no number" }, { 3, 1, "no number" },
        { 4, 3, "no size" },   { 7, 1, "no size" },   { 8, 1, "does not match its hash" },
    };
    struct dictionary *list = two_entries(pipeline);

    CHECK_OK(pdict__dictionaries_encode(pipeline, list, out));
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        uint8_t *byte = out->data + ENTRIES_AT + forgeries[i].at;

        *byte ^= forgeries[i].mask;
        check_forged(pipeline, out, forgeries[i].word);
        *byte ^= forgeries[i].mask;
    }
    out->size = ENTRIES_AT + 15 + CHECK_SIZE;
    check_forged(pipeline, out, "an entry ends early");
    pdict__dictionaries_free(pipeline, list);
}

TEST(dictionary, entries_that_cannot_be_are_damage_though_their_checksum_is_right)
{
    with_pipeline(forge_entries);
}

static void forge_seventeen(const struct pipeline *pipeline, struct buf *out)
{
    struct dictionary *list = NULL, **end = &list;

    for (uint16_t number = 1; number <= 17; number++) {
        CHECK_OK(pdict__dictionary_new(pipeline, 2, pdict_str("one"), end));
        (*end)->number = number;
        end = &(*end)->next;
    }
    CHECK_OK(pdict__dictionaries_encode(pipeline, list, out));
    check_forged(pipeline, out, "too many");
    pdict__dictionaries_free(pipeline, list);
}

TEST(dictionary, more_than_sixteen_stored_are_damage)
{
    with_pipeline(forge_seventeen);
}

TEST(dictionary, another_level_writes_with_it_too)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    uint64_t without;

    put_values(d, 0, MANY);
    without = stored_size(d, MANY - 1);
    CHECK_OK(pdict_train(d, NULL, NULL));
    put_values(d, MANY, MANY + 10);
    options.codecs = "raw,zstd:9";
    CHECK_OK(pdict_recode(d, &options, NULL));
    put_values(d, MANY + 10, MANY + 20);
    CHECK(stored_size(d, MANY + 10) * 10 < without * 9);
    options.codecs = "raw,zstd:3";
    CHECK_OK(pdict_recode(d, &options, NULL));
    check_values(d, 0, MANY + 20);
    pdict_close(d);
}

TEST(dictionary, of_more_values_than_it_may_learn_from_some_are_taken)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pdict_train_options options = PDICT_TRAIN_OPTIONS_INIT;
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;

    put_values(d, 0, 1000);
    options.sample_bytes = 40000;
    CHECK_OK(pdict_train(d, &options, &result));
    CHECK(result.sample_bytes <= 40000 && result.sample_bytes > 10000);
    CHECK(result.samples < 1000 && result.samples >= 100);
    pdict_close(d);
}

static int stop_sampling(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)ctx;
    (void)done;
    (void)total;
    CHECK_STR(phase, "sample");
    return 1;
}

TEST(dictionary, training_that_is_cancelled_stores_nothing)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    pdict_train_options options = PDICT_TRAIN_OPTIONS_INIT;

    put_values(d, 0, 1000);
    options.progress = stop_sampling;
    CHECK_STATUS(pdict_train(d, &options, NULL), PDICT_CANCELLED);
    CHECK(!pdict__has_dictionary(d->map->pipeline));
    pdict_close(d);
}

TEST(dictionary, migrated_store_has_it_too)
{
    pdict *d = open_at(test_path("a.db"), "raw,zstd:3", false);
    char uri[512];
    pdict_store *store;

    put_values(d, 0, 500);
    CHECK_OK(pdict_train(d, NULL, NULL));
    put_values(d, 500, 600);
    pdict_close(d);
    CHECK_OK(pdict_store_open(test_path("a.db"), NULL, &store));
    snprintf(uri, sizeof(uri), "sqlite:%s", test_path("b.db"));
    CHECK_OK(pdict_migrate(store, uri, NULL, NULL));
    snprintf(uri, sizeof(uri), "sqlite:%s", test_path("c.db"));
    {
        pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;

        options.codecs = "raw,zstd:1";
        CHECK_OK(pdict_migrate(store, uri, &options, NULL));
    }
    pdict_store_close(store);
    d = open_at(test_path("b.db"), "raw,zstd:3", false);
    check_values(d, 0, 600);
    pdict_close(d);
    d = open_at(test_path("c.db"), "raw,zstd:1", false);
    check_values(d, 0, 600);
    pdict_close(d);
}
