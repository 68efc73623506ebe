/* SPDX-License-Identifier: MIT */
/* The promises of recode and rekey about secrets: what is sealed when, who may read it, and that
 * nothing of before is left. */
#include <sys/wait.h>
#include <unistd.h>

#include "recode_fixture.h"

static bool has_backend(const char *backend)
{
    return pdict__backend_find(backend) != NULL;
}

/* The row of a key as it is stored; owned by the test. */
static pdict_row row_of(pdict *d, const char *key)
{
    uint8_t *copy;
    void *reader;
    pdict_row row;

    CHECK_OK(pdict__begin(d, &reader));
    CHECK_OK(pdict__row_get(d, reader, pdict_str(key), &row));
    copy = test_alloc(row.value.size);
    memcpy(copy, row.value.data, row.value.size);
    row.value.data = copy;
    row.key = pdict_str(key);
    pdict__end(d, reader);
    return row;
}

/* What somebody with the file and without the key can do. */
static void put_row(pdict *d, const pdict_row *row)
{
    pdict_change change = { .kind = PDICT_CHANGE_PUT, .row = *row };

    CHECK_OK(pdict__change(d, &change, 1, NULL, 0, NULL));
    CHECK_OK(change.status);
    CHECK_OK(pdict_clear_cache(d));
}

static int get_status(pdict *d, const char *key)
{
    pdict_view view;
    int status = pdict_get(d, pdict_str(key), &view);

    pdict_view_release(&view);
    return status;
}

/* ---- data keys ---- */

static unsigned epoch_of(pdict *d, const char *key)
{
    struct record_header header;

    header_of(d, key, &header);
    return header.key_epoch;
}

static void check_rekey(const char *backend)
{
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    const char *before;
    pdict_row old;
    pdict *d;

    store_number++;
    d = recode_open(backend, "raw,zstd:3,xchacha20&cache=sealed", true);
    fill(d, ENTRIES);
    before = picture_of(d);
    CHECK_INT(epoch_of(d, key_of(5)), 1);
    old = row_of(d, key_of(5));
    check_value(d, "later", "expires later");
    CHECK_OK(pdict_rekey(d, NULL, &result));
    CHECK_INT(result.rewritten, ENTRIES + 2);
    CHECK_INT(epoch_of(d, key_of(5)), 2);
    CHECK_INT(pdict__keyring_epochs(pdict__pipeline_ring(d->map->pipeline)), 1);
    check_value(d, "later", "expires later");
    CHECK_STR(picture_of(d), before);
    put_row(d, &old);
    CHECK_STATUS(get_status(d, key_of(5)), PDICT_AUTH);
    pdict_close(d);
}

TEST(rekey, all_records_are_of_the_new_key_and_the_old_one_is_gone)
{
    need_codecs();
    check_rekey("memory");
    if (has_backend("sqlite"))
        check_rekey("sqlite");
    if (has_backend("lmdb"))
        check_rekey("lmdb");
}

TEST(rekey, an_unfinished_one_goes_on_with_the_same_key)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    int left = 3;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw,xchacha20", true);
    fill(d, ENTRIES);
    options.progress = stop_after;
    options.progress_ctx = &left;
    CHECK_STATUS(pdict_rekey(d, &options, NULL), PDICT_CANCELLED);
    put(d, "half way", "v");
    CHECK_INT(epoch_of(d, "half way"), 2);
    CHECK_INT(epoch_of(d, key_of(ENTRIES - 1)), 1);
    check_value(d, key_of(ENTRIES - 1), value_of(ENTRIES - 1).data);
    pdict_close(d);
    d = recode_open("sqlite", NULL, true);
    CHECK_OK(pdict_rekey(d, NULL, &result));
    CHECK(result.is_resumed);
    CHECK_INT(epoch_of(d, key_of(ENTRIES - 1)), 2);
    CHECK_OK(pdict_rekey(d, NULL, &result));
    CHECK(!result.is_resumed);
    CHECK_INT(epoch_of(d, key_of(1)), 3);
    pdict_close(d);
}

TEST(rekey, slots_open_the_map_as_before)
{
    pdict_secret second = PDICT_SECRET_INIT;
    pdict_options options = test_options(false);
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw,xchacha20", true);
    fill(d, 10);
    second.passphrase = pdict_str("two words");
    second.kdf = "test";
    CHECK_OK(pdict_slot_add(d, &second, NULL));
    CHECK_OK(pdict_rekey(d, NULL, NULL));
    pdict_close(d);
    options.passphrase = second.passphrase;
    CHECK_OK(pdict_open(recode_uri("sqlite", NULL), &options, &d));
    check_value(d, key_of(3), value_of(3).data);
    pdict_close(d);
}

/* ---- hidden keys ---- */

static void check_hidden_entries(pdict *d)
{
    CHECK_INT(count_of(d), ENTRIES + 2);
    for (unsigned i = 0; i < ENTRIES; i += 11)
        check_value(d, key_of(i), value_of(i).data);
    check_value(d, "later", "expires later");
    CHECK_INT(occurrences("plaintext-"), 0);
    CHECK_INT(occurrences(key_of(ENTRIES - 1)), 0);
}

static void check_hidden(const char *backend)
{
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    const char *before;
    pdict *d;

    store_number++;
    d = recode_open(backend, "raw,xchacha20&names=hidden", true);
    fill(d, ENTRIES);
    before = picture_of(d);
    recode(d, "raw,zstd:3,xchacha20", &result);
    CHECK_INT(result.rewritten, ENTRIES + 2);
    CHECK_STR(picture_of(d), before);
    CHECK_OK(pdict_rekey(d, NULL, &result));
    CHECK_INT(result.rewritten, ENTRIES + 2);
    CHECK_INT(pdict__keyring_epochs(pdict__pipeline_ring(d->map->pipeline)), 1);
    CHECK_STR(picture_of(d), before);
    check_hidden_entries(d);
    pdict_close(d);
    if (strcmp(backend, "memory") != 0) {
        d = recode_open(backend, NULL, true);
        CHECK_STR(picture_of(d), before);
        check_hidden_entries(d);
        CHECK_OK(pdict_del(d, pdict_str(key_of(3))));
        check_value(d, key_of(3), NULL);
        pdict_close(d);
    }
}

TEST(rekey, hidden_keys_are_found_and_stay_hidden_after_recode_and_rekey)
{
    need_codecs();
    check_hidden("memory");
    if (has_backend("sqlite"))
        check_hidden("sqlite");
    if (has_backend("lmdb"))
        check_hidden("lmdb");
}

TEST(rekey, hidden_keys_survive_a_rekey_that_goes_on)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    int left = 3;
    const char *before;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw,xchacha20&names=hidden", true);
    fill(d, ENTRIES);
    before = picture_of(d);
    options.progress = stop_after;
    options.progress_ctx = &left;
    CHECK_STATUS(pdict_rekey(d, &options, NULL), PDICT_CANCELLED);
    CHECK_STR(picture_of(d), before);
    pdict_close(d);
    d = recode_open("sqlite", NULL, true);
    check_hidden_entries(d);
    CHECK_OK(pdict_rekey(d, NULL, &result));
    CHECK(result.is_resumed);
    CHECK_STR(picture_of(d), before);
    check_hidden_entries(d);
    pdict_close(d);
}

TEST(decrypt, map_that_hides_its_keys_keeps_its_cipher)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw,xchacha20&names=hidden", true);
    fill(d, 20);
    options.codecs = "raw";
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), "names=hidden") != NULL);
    check_value(d, key_of(3), value_of(3).data);
    pdict_close(d);
}

/* ---- a plain map is encrypted ---- */

static void check_sealed(const char *backend)
{
    pdict_row old;
    pdict *d;

    store_number++;
    d = recode_open(backend, "raw", false);
    fill(d, ENTRIES);
    for (unsigned i = 0; i < ENTRIES; i += 3)
        CHECK_OK(pdict_del(d, pdict_str(key_of(i))));
    old = row_of(d, key_of(5));
    recode(d, "raw,xchacha20", NULL);
    check_value(d, key_of(5), value_of(5).data);
    put_row(d, &old);
    CHECK_STATUS(get_status(d, key_of(5)), PDICT_DOWNGRADE);
    CHECK_OK(pdict_del(d, pdict_str(key_of(5))));
    pdict_close(d);
}

TEST(encrypt, at_the_end_a_plain_record_is_a_downgrade)
{
    need_codecs();
    check_sealed("memory");
    if (has_backend("sqlite"))
        check_sealed("sqlite");
    if (has_backend("lmdb"))
        check_sealed("lmdb");
}

static void check_files(const char *backend)
{
    pdict *d;

    store_number++;
    d = recode_open(backend, "raw", false);
    fill(d, ENTRIES);
    for (unsigned i = 0; i < ENTRIES; i += 3)
        CHECK_OK(pdict_del(d, pdict_str(key_of(i))));
    CHECK(occurrences("plaintext-") > 0);
    recode(d, "raw,xchacha20", NULL);
    CHECK_INT(occurrences("plaintext-"), 0);
    fill(d, ENTRIES);
    check_value(d, key_of(5), value_of(5).data);
    CHECK_INT(occurrences("plaintext-"), 0);
    pdict_close(d);
    CHECK_INT(occurrences("plaintext-"), 0);
}

TEST(encrypt, nothing_of_the_values_is_left_in_any_file_sqlite)
{
    need_codecs();
    check_files("sqlite");
}

TEST(encrypt, nothing_of_the_values_is_left_in_any_file_lmdb)
{
    need_codecs();
    if (!has_backend("lmdb"))
        SKIP("lmdb is not in this build");
    check_files("lmdb");
}

/* A map that was written to, and another handle of its store. */
TEST(encrypt, one_call_does_it_whatever_is_open_of_the_store_lmdb)
{
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    pdict *d, *other;

    need_codecs();
    if (!has_backend("lmdb"))
        SKIP("lmdb is not in this build");
    d = recode_open("lmdb", "raw", false);
    other = recode_open("lmdb", "raw&map=other", false);
    fill(d, ENTRIES);
    put(other, "k", "v");
    recode(d, "raw,xchacha20", &result);
    CHECK_INT(result.records, count_of(d));
    CHECK_INT(occurrences("plaintext-"), 0);
    check_value(d, key_of(5), value_of(5).data);
    check_value(other, "k", "v");
    put(other, "k", "w");
    check_value(other, "k", "w");
    pdict_close(other);
    pdict_close(d);
}

TEST(encrypt, a_snapshot_that_somebody_has_is_not_lost_to_the_rewriting_lmdb)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_range range = PDICT_RANGE_INIT;
    pdict *d, *other;
    pdict_entry entry;
    pdict_iter *walk;

    need_codecs();
    if (!has_backend("lmdb"))
        SKIP("lmdb is not in this build");
    d = recode_open("lmdb", "raw&timeout=50ms", false);
    other = recode_open("lmdb", "raw&map=other&timeout=50ms", false);
    fill(d, ENTRIES);
    put(other, "k", "v");
    range.flags = PDICT_SNAPSHOT;
    CHECK_OK(pdict_iter_open(other, &range, &walk));
    options.codecs = "raw,xchacha20";
    options.key = test_key;
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_BUSY);
    CHECK_OK(pdict_iter_next(walk, &entry));
    CHECK_BYTES(entry.value.data, entry.value.size, "v", 1);
    pdict_iter_close(walk);
    CHECK_OK(pdict_recode(d, &options, NULL));
    CHECK_INT(occurrences("plaintext-"), 0);
    pdict_close(other);
    pdict_close(d);
}

TEST(encrypt, somebody_in_the_way_of_the_rewriting_leaves_it_to_the_next_call)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    pdict *d, *other;
    void *reader;

    need_codecs();
    d = recode_open("sqlite", "raw&timeout=500ms", false);
    other = recode_open("sqlite", "raw&map=other&timeout=500ms", false);
    fill(d, ENTRIES);
    CHECK_OK(pdict__begin(other, &reader));
    check_value(other, "nothing", NULL);
    options.codecs = "raw,xchacha20";
    options.key = test_key;
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_BUSY);
    CHECK(strstr(pdict_error_text(), "all records are sealed") != NULL);
    pdict__end(other, reader);
    CHECK_OK(pdict_recode(d, &options, &result));
    CHECK(result.is_resumed);
    CHECK_INT(result.records, 0);
    CHECK_INT(occurrences("plaintext-"), 0);
    pdict_close(other);
    pdict_close(d);
}

static pdict *sealed_half_way(void)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict *d = recode_open("sqlite", "raw", false);
    int left = 3;

    fill(d, ENTRIES);
    options.codecs = "raw,xchacha20";
    options.key = test_key;
    options.progress = stop_after;
    options.progress_ctx = &left;
    CHECK_STATUS(pdict_recode(d, &options, NULL), PDICT_CANCELLED);
    return d;
}

TEST(encrypt, half_way_plain_records_are_read_and_new_ones_are_sealed)
{
    pdict_options options = test_options(false);
    pdict *d, *closed;

    need_codecs();
    d = sealed_half_way();
    CHECK_INT(epoch_of(d, key_of(ENTRIES - 1)), 0);
    CHECK_INT(epoch_of(d, key_of(0)), 1);
    check_value(d, key_of(ENTRIES - 1), value_of(ENTRIES - 1).data);
    put(d, "half way", "v");
    CHECK_INT(epoch_of(d, "half way"), 1);
    pdict_close(d);
    CHECK_STATUS(pdict_open(recode_uri("sqlite", NULL), &options, &closed), PDICT_NEED_KEY);
    d = recode_open("sqlite", NULL, true);
    check_value(d, key_of(ENTRIES - 1), value_of(ENTRIES - 1).data);
    recode(d, "raw,xchacha20", NULL);
    CHECK_INT(epoch_of(d, key_of(ENTRIES - 1)), 1);
    pdict_close(d);
}

TEST(encrypt, half_way_the_descriptor_says_so_and_cannot_be_changed_without_the_key)
{
    pdict_options options = test_options(true);
    struct store *store;
    struct buf text = { 0 };
    void *reader;
    pdict_slice stored;
    uint32_t number;
    char *line;
    pdict *d, *other;

    need_codecs();
    d = sealed_half_way();
    store = d->map->store;
    number = d->map->number;
    text.allocator = &store->allocator;
    CHECK_OK(pdict__begin(d, &reader));
    CHECK_OK(store->backend->system_get(store->engine, reader, number, pdict_str("descriptor"),
                                        &stored));
    CHECK_OK(pdict__buf_append(&text, stored.data, stored.size));
    CHECK_OK(pdict__buf_append(&text, "", 1));
    pdict__end(d, reader);
    line = strstr((char *)text.data, "converting=raw,none\n");
    CHECK(line != NULL);
    /* As if it were to be taken for finished: what is MACed is another text then. */
    memmove(line, line + 20, strlen(line + 20) + 1);
    {
        struct descriptor descriptor;
        pdict_slice changed = pdict_str((char *)text.data);

        CHECK_OK(pdict__descriptor_decode(changed, &descriptor));
        CHECK_STATUS(pdict__descriptor_verify(changed, pdict__pipeline_ring(d->map->pipeline)),
                     PDICT_DAMAGED);
    }
    pdict__buf_free(&text);
    CHECK_OK(pdict_open(recode_uri("sqlite", NULL), &options, &other));
    pdict_close(other);
    pdict_close(d);
}

TEST(encrypt, every_other_handle_needs_the_key_from_its_next_call)
{
    pdict *d, *other, *cached;
    uint64_t count;

    need_codecs();
    d = recode_open("sqlite", "raw", false);
    other = recode_open("sqlite", "raw", false);
    cached = recode_open("sqlite", "raw&cache=1MiB", false);
    fill(d, 50);
    check_value(cached, key_of(1), value_of(1).data);
    check_value(cached, key_of(1), value_of(1).data);
    recode(d, "raw,xchacha20", NULL);
    CHECK_STATUS(get_status(other, key_of(1)), PDICT_NEED_KEY);
    CHECK_STATUS(get_status(cached, key_of(1)), PDICT_NEED_KEY);
    CHECK_STATUS(pdict_put(other, pdict_str("k"), pdict_str("v"), NULL), PDICT_NEED_KEY);
    CHECK_STATUS(pdict_del(cached, pdict_str("k")), PDICT_NEED_KEY);
    CHECK_STATUS(pdict_count(other, &count), PDICT_NEED_KEY);
    check_value(d, key_of(1), value_of(1).data);
    pdict_close(other);
    pdict_close(cached);
    other = recode_open("sqlite", NULL, true);
    check_value(other, key_of(1), value_of(1).data);
    pdict_close(other);
    pdict_close(d);
}

/* A process with a cached value in hand, told to look again. */
static int look_twice(int go, int done)
{
    pdict *d = recode_open("sqlite", "raw&cache=1MiB", false);
    char byte = 0;
    int status;

    put(d, "cached", "a value");
    check_value(d, "cached", "a value");
    check_value(d, "cached", "a value");
    if (write(done, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        return 1;
    status = get_status(d, "cached");
    if (status != PDICT_NEED_KEY)
        return 2;
    status = pdict_put(d, pdict_str("k"), pdict_str("v"), NULL);
    return status == PDICT_NEED_KEY ? 0 : 3;
}

TEST(encrypt, other_processes_need_the_key_from_their_next_call)
{
    int go[2], done[2], status;
    char byte = 0;
    pid_t pid;
    pdict *d;

    need_codecs();
    recode_uri("sqlite", "raw");
    CHECK(pipe(go) == 0 && pipe(done) == 0);
    fflush(NULL);
    if ((pid = fork()) == 0)
        _exit(look_twice(go[0], done[1]));
    CHECK_INT(read(done[0], &byte, 1), 1);
    d = recode_open("sqlite", "raw", false);
    fill(d, 50);
    recode(d, "raw,xchacha20", NULL);
    CHECK_INT(write(go[1], &byte, 1), 1);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    check_value(d, "cached", "a value");
    pdict_close(d);
}

/* ---- and decrypted ---- */

TEST(decrypt, half_way_the_key_is_needed_and_at_the_end_it_is_refused)
{
    pdict_recode_options recoding = PDICT_RECODE_OPTIONS_INIT;
    pdict_options options = test_options(true), none = test_options(false);
    int left = 3;
    pdict *d, *other;

    need_codecs();
    d = recode_open("sqlite", "raw,xchacha20", true);
    fill(d, ENTRIES);
    recoding.codecs = "raw";
    recoding.progress = stop_after;
    recoding.progress_ctx = &left;
    CHECK_STATUS(pdict_recode(d, &recoding, NULL), PDICT_CANCELLED);
    check_value(d, key_of(0), value_of(0).data);
    check_value(d, key_of(ENTRIES - 1), value_of(ENTRIES - 1).data);
    pdict_close(d);
    CHECK_STATUS(pdict_open(recode_uri("sqlite", NULL), &none, &other), PDICT_NEED_KEY);
    d = recode_open("sqlite", NULL, true);
    recoding.progress = NULL;
    CHECK_OK(pdict_recode(d, &recoding, NULL));
    CHECK_INT(epoch_of(d, key_of(ENTRIES - 1)), 0);
    check_value(d, key_of(ENTRIES - 1), value_of(ENTRIES - 1).data);
    pdict_close(d);
    CHECK_STATUS(pdict_open(recode_uri("sqlite", NULL), &options, &other), PDICT_NOT_ENCRYPTED);
    d = recode_open("sqlite", NULL, false);
    check_value(d, key_of(1), value_of(1).data);
    pdict_close(d);
}

TEST(encrypt, dictionaries_are_sealed_and_opened_with_the_records)
{
    pdict_train_result trained = PDICT_TRAIN_RESULT_INIT;
    const char *before;
    pdict *d;

    need_codecs();
    d = recode_open("sqlite", "raw,zstd:3", false);
    fill(d, ENTRIES);
    CHECK_OK(pdict_train(d, NULL, &trained));
    CHECK_INT(trained.number, 1);
    put(d, "with it", value_of(700).data);
    before = picture_of(d);
    recode(d, "raw,zstd:3,xchacha20", NULL);
    CHECK_STR(picture_of(d), before);
    pdict_close(d);
    CHECK_INT(occurrences("some words, some words"), 0);
    d = recode_open("sqlite", NULL, true);
    CHECK_STR(picture_of(d), before);
    recode(d, "raw,zstd:3", NULL);
    pdict_close(d);
    d = recode_open("sqlite", NULL, false);
    CHECK_STR(picture_of(d), before);
    pdict_close(d);
}
