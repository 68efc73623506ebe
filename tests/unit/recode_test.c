/* SPDX-License-Identifier: MIT */
/* The promises of recode: other codecs, in place and in use, and nothing else is another. */
#include <pdict/object.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recode_fixture.h"

static const char *const pipelines[] = { "raw", "raw,zlib:6", "raw,zstd:3", "raw,xchacha20",
                                         "raw,zstd:9,xchacha20" };

/* From and to these, each of those above. */
static const char *const lz4_pipelines[] = { "raw,lz4", "raw,lz4,xchacha20" };

#define PIPELINES (sizeof(pipelines) / sizeof(pipelines[0]))

static void check_pair(const char *backend, const char *from, const char *to)
{
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    pdict_stats stats = PDICT_STATS_INIT;
    const char *before;
    pdict *d = recode_open(backend, from, is_sealed(from));

    fill(d, 40);
    before = picture_of(d);
    recode(d, to, &result);
    CHECK_INT(result.rewritten, 42);
    CHECK_STR(picture_of(d), before);
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_STR(stats.codecs, to);
    CHECK(stats.is_encrypted == is_sealed(to));
    put(d, "behind", "v");
    CHECK_OK(pdict_del(d, pdict_str("behind")));
    if (strcmp(backend, "memory") != 0) {
        pdict_close(d);
        d = recode_open(backend, to, is_sealed(to));
        CHECK_STR(picture_of(d), before);
    }
    pdict_close(d);
}

static void check_pairs(const char *backend)
{
    need_codecs();
    if (!pdict__backend_find(backend))
        SKIP("the backend is not in this build");
    for (size_t i = 0; i < PIPELINES * PIPELINES; i++) {
        const char *from = pipelines[i / PIPELINES], *to = pipelines[i % PIPELINES];

        fprintf(stderr, "%s: %s to %s\n", backend, from, to);
        store_number++;
        check_pair(backend, from, to);
    }
}

static void check_lz4(const char *backend)
{
    need_codecs();
    if (!pdict__backend_find(backend) || !pdict__codec_find("lz4"))
        SKIP("the backend or lz4 is not in this build");
    for (size_t i = 0; i < PIPELINES; i++) {
        for (size_t j = 0; j < 2; j++) {
            fprintf(stderr, "%s: %s and %s\n", backend, pipelines[i], lz4_pipelines[j]);
            store_number++;
            check_pair(backend, pipelines[i], lz4_pipelines[j]);
            store_number++;
            check_pair(backend, lz4_pipelines[j], pipelines[i]);
        }
    }
}

TEST(recode, to_lz4_and_from_it_keeps_every_entry_in_sqlite)
{
    check_lz4("sqlite");
}

TEST(recode, to_lz4_and_from_it_keeps_every_entry_in_lmdb)
{
    check_lz4("lmdb");
}

TEST(recode, every_pair_of_pipelines_keeps_every_entry_in_sqlite)
{
    check_pairs("sqlite");
}

TEST(recode, every_pair_of_pipelines_keeps_every_entry_in_lmdb)
{
    check_pairs("lmdb");
}

TEST(recode, every_pair_of_pipelines_keeps_every_entry_in_memory)
{
    check_pairs("memory");
}

/* ---- half way ---- */

static pdict *stopped_half_way(const char *from, const char *to, const char **picture)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict *d = recode_open("sqlite", from, is_sealed(from));
    int left = 3;

    fill(d, ENTRIES);
    *picture = picture_of(d);
    options.codecs = to;
    if (is_sealed(to))
        options.key = test_key;
    options.progress = stop_after;
    options.progress_ctx = &left;
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_CANCELLED);
    return d;
}

static unsigned count_compressed(pdict *d)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ENTRIES; i++) {
        struct record_header header;

        header_of(d, key_of(i), &header);
        n += header.compressor != 0;
    }
    return n;
}

TEST(recode, records_of_both_codecs_are_read_half_way)
{
    const char *before;
    pdict *d;

    need_codecs();
    d = stopped_half_way("raw", "raw,zstd:3", &before);
    CHECK(count_compressed(d) > 0);
    CHECK(count_compressed(d) < ENTRIES);
    CHECK_STR(picture_of(d), before);
    pdict_close(d);
    d = recode_open("sqlite", NULL, false);
    CHECK_STR(picture_of(d), before);
    pdict_close(d);
}

TEST(recode, the_same_call_again_goes_on)
{
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    const char *before;
    pdict *d;

    need_codecs();
    pdict_close(stopped_half_way("raw", "raw,zstd:3", &before));
    d = recode_open("sqlite", NULL, false);
    recode(d, "raw,zstd:3", &result);
    CHECK(result.is_resumed);
    CHECK(result.rewritten < ENTRIES);
    CHECK_INT(count_compressed(d), ENTRIES);
    CHECK_STR(picture_of(d), before);
    pdict_close(d);
}

TEST(recode, another_call_half_way_begins_anew)
{
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    const char *before;
    pdict *d;

    need_codecs();
    d = stopped_half_way("raw", "raw,zstd:3", &before);
    recode(d, "raw", &result);
    CHECK(!result.is_resumed);
    CHECK_INT(count_compressed(d), 0);
    CHECK_STR(picture_of(d), before);
    pdict_close(d);
}

TEST(recode, a_level_changes_what_new_records_take)
{
    struct record_header header;
    pdict_recode_result small = PDICT_RECODE_RESULT_INIT, large = PDICT_RECODE_RESULT_INIT;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw,zstd:-7", false);
    fill(d, ENTRIES);
    recode(d, "raw,zstd:19", &small);
    header_of(d, key_of(1), &header);
    CHECK_INT(header.compressor, 2);
    recode(d, "raw,zstd:-7", &large);
    CHECK(small.after_bytes < large.after_bytes);
    pdict_close(d);
}

TEST(recode, without_codecs_records_get_the_newest_dictionary)
{
    pdict_train_result trained = PDICT_TRAIN_RESULT_INIT;
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    struct record_header header;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw,zstd:3", false);
    fill(d, ENTRIES);
    CHECK_OK(pdict_train(d, NULL, &trained));
    CHECK_INT(trained.number, 1);
    CHECK_OK(pdict_recode(d, NULL, &result));
    header_of(d, key_of(1), &header);
    CHECK_INT(header.dictionary, 1);
    CHECK(result.after_bytes < result.before_bytes);
    pdict_close(d);
}

/* ---- serializers ---- */

static void put_number(pdict *d, const char *key, int64_t number)
{
    pdict_tree *tree;

    CHECK_OK(pdict_tree_new(NULL, &tree));
    CHECK_OK(pdict_put_value(d, pdict_str(key), pdict_tree_int(tree, number), NULL));
    pdict_tree_free(tree);
}

static void check_number(pdict *d, const char *key, int64_t expected)
{
    pdict_view view;

    CHECK_OK(pdict_get_value(d, pdict_str(key), &view));
    CHECK_INT(pdict_value_int(view.data, -1), expected);
    pdict_view_release(&view);
}

static void fill_numbers(pdict *d)
{
    char key[16];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put_number(d, key, (int64_t)i << 40);
    }
}

static void check_numbers(pdict *d)
{
    char key[16];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "%d", i);
        check_number(d, key, (int64_t)i << 40);
    }
}

TEST(recode, typed_values_stay_from_cbor_to_json_and_back)
{
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "cbor,zstd:3", false);
    fill_numbers(d);
    recode(d, "json", NULL);
    check_numbers(d);
    check_value(d, "1", "1099511627776");
    recode(d, "cbor,zstd:3", NULL);
    check_numbers(d);
    pdict_close(d);
}

TEST(recode, a_transaction_reads_typed_values_by_the_serializer_of_its_snapshot)
{
    pdict *d, *txn;
    int64_t sum;

    need_codecs();
    d = recode_open("sqlite", "cbor", false);
    fill_numbers(d);
    CHECK_OK(pdict_begin(d, 0, &txn));
    check_number(txn, "1", INT64_C(1) << 40);
    recode(d, "json", NULL);
    check_numbers(d);
    check_numbers(txn);
    put_number(txn, "new", 7);
    check_number(txn, "new", 7);
    CHECK_OK(pdict_add(txn, pdict_str("new"), 1, NULL, &sum));
    CHECK_INT(sum, 8);
    CHECK_OK(pdict_commit(txn));
    check_number(d, "new", 8);
    check_value(d, "new", "8");
    pdict_close(d);
}

TEST(recode, half_way_all_values_are_of_the_new_serializer)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    int left = 2;
    pdict *d, *cached;

    need_codecs();
    d = recode_open("sqlite", "cbor", false);
    cached = recode_open("sqlite", "cbor&cache=1MiB", false);
    fill_numbers(d);
    check_numbers(cached);
    options.codecs = "json";
    options.progress = stop_after;
    options.progress_ctx = &left;
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_CANCELLED);
    check_value(d, "1", "1099511627776");
    check_value(d, "199", "218802813927424");
    check_value(cached, "1", "1099511627776");
    check_value(cached, "199", "218802813927424");
    check_numbers(cached);
    options.codecs = "raw";
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_CONTRADICTION);
    pdict_close(cached);
    pdict_close(d);
}

TEST(recode, a_value_that_cannot_be_carried_over_stops_it_before_it_begins)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_stats stats = PDICT_STATS_INIT;
    pdict_tree *tree;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "cbor", false);
    put_number(d, "a", 1);
    CHECK_OK(pdict_tree_new(NULL, &tree));
    CHECK_OK(pdict_put_value(d, pdict_str("b"), pdict_tree_bytes(tree, "bytes", 5), NULL));
    pdict_tree_free(tree);
    options.codecs = "json";
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_INVAL);
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_STR(stats.codecs, "cbor");
    CHECK_OK(pdict_del(d, pdict_str("b")));
    CHECK_OK(pdict_recode(d, &options, NULL));
    CHECK_STATUS(pdict_put(d, pdict_str("c"), pdict_str("no json"), NULL), PDICT_INVAL);
    pdict_close(d);
}

/* ---- beside others ---- */

struct adder {
    pdict *d;
    atomic_bool is_over;
    int64_t sum;
};

static void *add_all_the_time(void *ctx)
{
    struct adder *adder = ctx;
    int64_t now;

    while (!atomic_load(&adder->is_over)) {
        CHECK_OK(pdict_add(adder->d, pdict_str("counter"), 1, NULL, &now));
        CHECK_INT(now, ++adder->sum);
        check_value(adder->d, key_of(3), value_of(3).data);
    }
    return NULL;
}

static const char *const stations[] = { "raw,zstd:3", "raw", "raw,xchacha20", "raw,zstd:3" };

#define N_STATIONS (sizeof(stations) / sizeof(stations[0]))
#define FEW        8
#define ROUNDS     (TEST_IS_SLOW ? 1 : 5)

TEST(recode, no_update_of_others_is_lost)
{
    struct adder adder = { .sum = 0 };
    pthread_t thread;

    need_codecs();
    adder.d = recode_open("sqlite", "raw&durability=ordered", false);
    fill(adder.d, ENTRIES);
    pthread_create(&thread, NULL, add_all_the_time, &adder);
    for (size_t i = 0; i < N_STATIONS; i++)
        recode(adder.d, stations[i], NULL);
    atomic_store(&adder.is_over, true);
    pthread_join(thread, NULL);
    CHECK(adder.sum > 0);
    pdict_close(adder.d);
}

struct few {
    pdict *d;
    pdict_slice keys[FEW], values[FEW];
    atomic_bool is_over;
};

static void check_walk(const struct few *few)
{
    pdict_entry entry;
    pdict_iter *iter;

    CHECK_OK(pdict_iter_open(few->d, NULL, &iter));
    for (unsigned i = 0; i < FEW; i++) {
        CHECK_OK(pdict_iter_next(iter, &entry));
        CHECK_BYTES(entry.value.data, entry.value.size, few->values[i].data, few->values[i].size);
    }
    pdict_iter_close(iter);
}

static int check_first(void *ctx, const pdict_view *view)
{
    const struct few *few = ctx;

    CHECK_BYTES(view->data, view->size, few->values[0].data, few->values[0].size);
    return PDICT_OK;
}

static void *read_all_the_time(void *ctx)
{
    struct few *few = ctx;
    pdict_view views[FEW];
    int statuses[FEW];

    while (!atomic_load(&few->is_over)) {
        CHECK_OK(pdict_get_many(few->d, few->keys, FEW, views, statuses));
        for (unsigned i = 0; i < FEW; i++) {
            CHECK_OK(statuses[i]);
            CHECK_BYTES(views[i].data, views[i].size, few->values[i].data, few->values[i].size);
            pdict_view_release(&views[i]);
        }
        CHECK_OK(pdict_get_with(few->d, few->keys[0], check_first, few));
        check_walk(few);
    }
    return NULL;
}

/* Readers may be in the way of the rewriting for longer than the timeout. */
static void recode_in_the_end(pdict *d, const char *codecs)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    int status;

    options.codecs = codecs;
    if (is_sealed(codecs))
        options.key = test_key;
    do
        status = pdict_recode(d, &options, NULL);
    while (status == PDICT_BUSY);
    CHECK_OK(status);
}

/* A small map changes its settings faster than a reader that is held up reads. */
static void check_readers(const char *backend, const char *cache)
{
    struct few few = { 0 };
    pthread_t threads[3];
    char codecs[64];

    store_number++;
    snprintf(codecs, sizeof(codecs), "raw&durability=unsafe&cache=%s", cache);
    few.d = recode_open(backend, codecs, false);
    fill(few.d, FEW);
    for (unsigned i = 0; i < FEW; i++) {
        few.keys[i] = pdict_str(key_of(i));
        few.values[i] = value_of(i);
    }
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, read_all_the_time, &few);
    for (size_t i = 0; i < ROUNDS * N_STATIONS; i++)
        recode_in_the_end(few.d, stations[i % N_STATIONS]);
    atomic_store(&few.is_over, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    pdict_close(few.d);
}

TEST(recode, whoever_reads_meanwhile_finds_every_value)
{
    need_codecs();
    check_readers("sqlite", "off");
    check_readers("sqlite", "1MiB");
}

/* Its engine is closed and opened anew under them. */
TEST(recode, so_do_they_on_lmdb)
{
    need_codecs();
    if (!pdict__backend_find("lmdb"))
        SKIP("lmdb is not in this build");
    check_readers("lmdb", "off");
    check_readers("lmdb", "1MiB");
}

TEST(recode, the_limits_of_the_map_count_what_records_take_now)
{
    pdict_verify_result verified = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw&max_bytes=100MiB", false);
    fill(d, ENTRIES);
    recode(d, "raw,zstd:3", NULL);
    pdict_close(d);
    CHECK_OK(pdict_store_open(recode_uri("sqlite", NULL), NULL, &store));
    CHECK_OK(pdict_verify(store, NULL, &verified));
    CHECK_INT(verified.findings, 0);
    pdict_store_close(store);
}

TEST(recode, a_damaged_record_ends_it_when_the_others_are_done)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_change change = { .kind = PDICT_CHANGE_PUT, .row.key = pdict_str("bad") };
    uint8_t record[RECORD_HEADER_SIZE + 8 + 1] = { 0 };
    struct record_header header = { .serializer = 1, .checksum = CHECKSUM_XXH3, .plain_size = 1 };
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw", false);
    pdict__record_header_write(&header, record);
    change.row.value = pdict_bytes(record, sizeof(record));
    change.row.version = 1;
    CHECK_OK(pdict__change(d, &change, 1, NULL, 0, NULL));
    fill(d, ENTRIES);
    options.codecs = "raw,zstd:3";
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_CHECKSUM);
    CHECK_INT(count_compressed(d), ENTRIES);
    CHECK_OK(pdict_del(d, pdict_str("bad")));
    CHECK_OK(pdict_recode(d, &options, NULL));
    pdict_close(d);
}

TEST(recode, a_transaction_and_a_read_only_handle_refuse)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict *d = recode_open("sqlite", "raw", false), *txn;

    CHECK_OK(pdict_begin(d, 0, &txn));
    CHECK_STATUS(pdict_recode(txn, NULL, NULL), PDICT_MISUSE);
    pdict_abort(txn);
    options.codecs = "zstd:3,nonsense";
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_UNKNOWN_CODEC);
    options.codecs = "raw,xchacha20";
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_NEED_KEY);
    CHECK_STATUS(pdict_rekey(d, NULL, NULL), PDICT_NOT_ENCRYPTED);
    pdict_close(d);
    d = recode_open("sqlite", "raw&mode=ro", false);
    CHECK_STATUS(pdict_recode(d, NULL, NULL), PDICT_READ_ONLY);
    pdict_close(d);
}
