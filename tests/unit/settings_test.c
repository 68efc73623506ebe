/* SPDX-License-Identifier: MIT */
/* The promises of settings that change while a map is in use: what was made by old ones is never
 * stored, and every handle of every process follows at its next call. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/map.h"
#include "test.h"

static pdict *opened(void)
{
    char uri[512];
    pdict *d;

    if (!pdict__codec_find("zstd") || !pdict__backend_find("sqlite"))
        SKIP("zstd or sqlite is not in this build");
    snprintf(uri, sizeof(uri), "sqlite:%s?codecs=raw,zstd", test_path("a.db"));
    CHECK_OK(pdict_open(uri, NULL, &d));
    return d;
}

static pdict_slice value_of(unsigned i)
{
    char *text = test_alloc(256);
    int size = snprintf(text, 256,
                        "Package: package-%u\nStatus: install ok installed\nInstalled-Size: %u\n"
                        "Maintainer: Maintainers Number %u\nDepends: libc6 (>= 2.34)\n",
                        i, i * 7919 % 100000, i % 13);

    return pdict_bytes(text, (size_t)size);
}

static void fill(pdict *d)
{
    pdict_pair pairs[500];
    char keys[500][8];

    for (unsigned i = 0; i < 500; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%u", i);
        pairs[i] = (pdict_pair){ pdict_str(keys[i]), value_of(i) };
    }
    CHECK_OK(pdict_put_many(d, pairs, 500, NULL, NULL));
}

static void train(pdict *d)
{
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;

    CHECK_OK(pdict_train(d, NULL, &result));
    CHECK_INT(result.number, 1);
}

/* Another process, which trains once it is told to. */
struct other {
    pid_t pid;
    int go[2];
};

/* Before anything is opened here. */
static void other_start(struct other *other)
{
    pdict *d;
    char byte;

    CHECK_INT(pipe(other->go), 0);
    test_path("a.db"); /* the directory is that of both */
    fflush(NULL);
    if ((other->pid = fork()) != 0)
        return;
    if (read(other->go[0], &byte, 1) == 1) {
        train(d = opened());
        pdict_close(d);
    }
    _exit(0);
}

static void other_train(struct other *other)
{
    int status;

    CHECK_INT(write(other->go[1], "x", 1), 1);
    CHECK_INT(waitpid(other->pid, &status, 0), other->pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(other->go[0]);
    close(other->go[1]);
}

/* The number of the dictionary that a record was made with. */
static unsigned dictionary_of(pdict *d, const char *key)
{
    struct record_header header;
    void *reader;
    pdict_row row;

    CHECK_OK(pdict__begin(d, &reader));
    CHECK_OK(pdict__row_get(d, reader, pdict_str(key), &row));
    CHECK_OK(pdict__record_header_read(row.value, &header));
    pdict__end(d, reader);
    return header.dictionary;
}

TEST(settings, a_dictionary_trained_in_another_process_serves_the_next_put)
{
    struct other other;
    pdict *d;

    other_start(&other);
    d = opened();
    fill(d);
    CHECK_OK(pdict_put(d, pdict_str("before"), value_of(900), NULL));
    other_train(&other);
    CHECK_OK(pdict_put(d, pdict_str("behind"), value_of(901), NULL));
    CHECK_INT(dictionary_of(d, "before"), 0);
    CHECK_INT(dictionary_of(d, "behind"), 1);
    pdict_close(d);
}

/* What put() does, with a change of the settings between sealing and commit. */
TEST(settings, a_record_that_was_sealed_before_a_change_is_sealed_anew)
{
    pdict *d = opened();
    pdict_change change = { .kind = PDICT_CHANGE_PUT,
                            .row = { .key = pdict_str("k"), .version = 7 } };
    struct binding binding = { change.row.key, 7, 0 };
    struct generation_ref sealed;
    struct workbench *bench;
    pdict_slice value = value_of(900);
    pdict_view view;

    fill(d);
    CHECK((bench = pdict__bench_take(d->map->pipeline)) != NULL);
    sealed = pdict__bench_settings(bench);
    CHECK_OK(pdict__encode(d->map->pipeline, bench, &binding, value, &change.row.value));
    train(d);
    CHECK_OK(pdict__change(d, &change, 1, &sealed, 0, NULL));
    pdict__bench_give(d->map->pipeline, bench);
    CHECK_OK(change.status);
    CHECK_INT(dictionary_of(d, "k"), 1);
    CHECK_OK(pdict_get(d, pdict_str("k"), &view));
    CHECK_BYTES(view.data, view.size, value.data, value.size);
    pdict_view_release(&view);
    pdict_close(d);
}

TEST(settings, a_stale_commit_changes_nothing)
{
    pdict *d = opened();
    pdict_change change = { .kind = PDICT_CHANGE_DEL, .row.key = pdict_str("k") };
    struct commit commit = { .map = d->map->number,
                             .changes = &change,
                             .count = 1,
                             .generation = pdict__generation(d->map->store) + 2 };
    bool is_there;

    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), NULL));
    CHECK_INT(pdict__commit_for(d, &commit, 0), COMMIT_STALE);
    CHECK_OK(pdict_contains(d, pdict_str("k"), &is_there));
    CHECK(is_there);
    pdict_close(d);
}

TEST(settings, a_transaction_outlasts_a_change)
{
    pdict *d = opened(), *txn;
    pdict_view view;

    fill(d);
    CHECK_OK(pdict_begin(d, 0, &txn));
    CHECK_OK(pdict_put(txn, pdict_str("k"), value_of(900), NULL));
    train(d);
    CHECK_OK(pdict_put(txn, pdict_str("l"), value_of(901), NULL));
    CHECK_OK(pdict_commit(txn));
    CHECK_INT(dictionary_of(d, "k"), 1);
    CHECK_INT(dictionary_of(d, "l"), 1);
    CHECK_OK(pdict_get(d, pdict_str("k"), &view));
    CHECK_BYTES(view.data, view.size, value_of(900).data, value_of(900).size);
    pdict_view_release(&view);
    pdict_close(d);
}

TEST(settings, a_killed_change_leaves_an_even_generation)
{
    pdict *d = opened();
    struct store *store = d->map->store;
    uint64_t before = pdict__generation(store);

    pdict__generation_odd(store);
    CHECK(!pdict__generation_holds(store, pdict__generation(store)));
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), NULL));
    CHECK(pdict__generation_holds(store, before + 2));
    pdict_close(d);
}
