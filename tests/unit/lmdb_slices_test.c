/* SPDX-License-Identifier: MIT */
/* Loads in several commits: the order of the array, what a crash between two of them leaves. */
#include "upkeep_fixture.h"

#include <lmdb.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    COUNT = 25000 /* of lmdb: a reservation and three parts */
};

/* In an order that is not that of the keys, each key twice among the first 100. */
static unsigned number_of(unsigned at)
{
    return (at < 100 ? at / 2 : at) * 7919u % 1000003u;
}

struct load {
    pdict_pair pairs[COUNT];
    char keys[COUNT][16];
};

static struct load *make_load(const char *value)
{
    struct load *load = test_alloc(sizeof(*load));

    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(load->keys[i], sizeof(load->keys[i]), "%08u", number_of(i));
        load->pairs[i] = (pdict_pair){ pdict_str(load->keys[i]), pdict_str(value) };
    }
    return load;
}

static pdict *open_map(const char *uri)
{
    return map_open(uri, "main", "raw", false);
}

static int put_load(pdict *d, struct load *load, unsigned flags, int *statuses)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.flags = PDICT_PUT_IN_SLICES | flags;
    return pdict_put_many(d, load->pairs, COUNT, &how, statuses);
}

/* The entries are some of the load, in its order; returns how many. */
static unsigned check_in_order(pdict *d, const struct load *load)
{
    unsigned found = 0, at = 0;
    pdict_iter *iter = NULL;
    pdict_entry entry;
    int status;

    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        while (at < COUNT && memcmp(entry.key.data, load->keys[at], 8) != 0)
            at++;
        CHECK(at < COUNT);
        found++;
    }
    CHECK_STATUS(status, PDICT_END);
    pdict_iter_close(iter);
    return found;
}

static void check_sound(const char *uri)
{
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store = store_open(uri);

    CHECK_OK(pdict_verify(store, NULL, &result));
    CHECK_INT(result.findings, 0);
    pdict_store_close(store);
}

/* The tally of the first map of a closed store says that no entry of the order lacks its row, so
 * that one that does is damage. */
static void check_no_open_ids(void)
{
    static unsigned char tally_of_1[] = { 0x7f, 0xff, 0xff, 0xfd, 0, 0, 0, 1 };
    MDB_val key = { sizeof(tally_of_1), tally_of_1 }, tally;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi system;

    CHECK_INT(mdb_env_create(&env), 0);
    CHECK_INT(mdb_env_set_maxdbs(env, 8), 0);
    CHECK_INT(mdb_env_open(env, test_path("store"), MDB_NOSUBDIR | MDB_RDONLY, 0600), 0);
    CHECK_INT(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    CHECK_INT(mdb_dbi_open(txn, "system", 0, &system), 0);
    CHECK_INT(mdb_get(txn, system, &key, &tally), 0);
    CHECK_INT(tally.mv_size, 16);
    mdb_txn_abort(txn);
    mdb_env_close(env);
}

static void check_load(const char *scheme)
{
    const char *uri = uri_of(scheme, "store");
    struct load *load = make_load("value");
    pdict *d = open_map(uri);

    CHECK_OK(put_load(d, load, 0, NULL));
    CHECK_INT(check_in_order(d, load), COUNT - 50);
    CHECK_INT(count_of(d), COUNT - 50);
    pdict_close(d);
    check_sound(uri);
}

TEST(lmdb_slices, a_load_keeps_the_order_of_its_array_on_lmdb)
{
    check_load("lmdb");
    check_no_open_ids();
}

TEST(lmdb_slices, a_load_keeps_the_order_of_its_array_on_sqlite)
{
    check_load("sqlite");
}

TEST(lmdb_slices, a_load_goes_through_a_layer)
{
    check_load("trace+lmdb");
}

TEST(lmdb_slices, a_load_over_entries_that_are_there_updates_them_and_leaves_no_trace)
{
    const char *uri = uri_of("lmdb", "store");
    struct load *old = make_load("old"), *new = make_load("new");
    pdict *d = open_map(uri);

    CHECK_OK(put_load(d, old, 0, NULL));
    CHECK_OK(put_load(d, new, 0, NULL));
    CHECK_INT(check_in_order(d, old), COUNT - 50);
    check_value(d, new->keys[COUNT - 1], "new");
    pdict_close(d);
    check_sound(uri);
    check_no_open_ids();
}

TEST(lmdb_slices, each_entry_has_its_own_status)
{
    pdict *d = open_map(uri_of("lmdb", "store"));
    struct load *load = make_load("value");
    int *statuses = test_alloc(COUNT * sizeof(*statuses));

    put(d, load->keys[COUNT - 5], "other");
    CHECK_OK(put_load(d, load, PDICT_PUT_IF_ABSENT, statuses));
    for (unsigned i = 0; i < COUNT; i++) {
        bool was_there = i == COUNT - 5 || (i < 100 && i % 2 == 1);
        CHECK_INT(statuses[i], was_there ? PDICT_EXISTS : PDICT_OK);
    }
    pdict_close(d);
}

TEST(lmdb_slices, a_single_put_is_not_made_in_slices)
{
    pdict *d = open_map(uri_of("lmdb", "store"));
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.flags = PDICT_PUT_IN_SLICES;
    CHECK_STATUS(pdict_put(d, pdict_str("key"), pdict_str("value"), &how), PDICT_INVAL);
    pdict_close(d);
}

/* What a load left that came to `parts` of its commits, the first of which brings no rows; loaded
 * again on top of that everything is there, once. */
static void check_left(const char *uri, struct load *load, int parts)
{
    pdict *d = open_map(uri);
    unsigned found = check_in_order(d, load);

    CHECK(parts < 2 ? found == 0 : found > 0 && found < COUNT - 50);
    CHECK_INT(count_of(d), found);
    pdict_close(d);
    check_sound(uri);
    d = open_map(uri);
    CHECK_OK(put_load(d, load, 0, NULL));
    CHECK_INT(count_of(d), COUNT - 50);
    pdict_close(d);
    check_sound(uri);
}

TEST(lmdb_slices, a_load_that_fails_leaves_whole_entries_in_their_order)
{
    struct load *load = make_load("value");

    for (int parts = 0; parts < 4; parts += TEST_IS_SLOW ? 2 : 1) {
        char name[32], faulty[512];
        const char *uri;
        pdict *d;

        snprintf(name, sizeof(name), "store-%d", parts);
        uri = uri_of("lmdb", name);
        pdict_close(open_map(uri));
        snprintf(faulty, sizeof(faulty), "fault+%s?fail=write_commit:%d:FULL", uri, parts + 1);
        d = open_map(faulty);
        CHECK_STATUS(put_load(d, load, 0, NULL), PDICT_FULL);
        pdict_close(d);
        check_left(uri, load, parts);
    }
}

/* ---- crashes ---- */

static int64_t kill_at(void *ctx)
{
    int *calls = ctx;

    if (--*calls == 0)
        raise(SIGKILL);
    return test_now_ms;
}

/* The clock is read once for the call, and once in the transaction of each part. */
static void load_until_killed(const char *uri, struct load *load, int calls)
{
    const pdict_setting no_access = { "access", "off" };
    pdict_options options = PDICT_OPTIONS_INIT;
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    int wait_status = 0;
    pid_t child;
    pdict *d;

    fflush(NULL);
    CHECK((child = fork()) >= 0);
    if (child == 0) {
        options.clock = kill_at;
        options.clock_ctx = &calls;
        options.settings = &no_access;
        options.n_settings = 1;
        if (pdict_open(uri, &options, &d) == PDICT_OK) {
            how.flags = PDICT_PUT_IN_SLICES;
            pdict_put_many(d, load->pairs, COUNT, &how, NULL);
        }
        _exit(1);
    }
    CHECK(waitpid(child, &wait_status, 0) == child);
    CHECK(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL);
}

TEST(lmdb_slices, a_load_that_is_killed_leaves_whole_entries_in_their_order)
{
    struct load *load;

    if (TEST_IS_SLOW)
        SKIP("one thread, and what is left is as when a part fails");
    load = make_load("value");
    for (int parts = 1; parts < 4; parts++) {
        char name[32];
        const char *uri;

        snprintf(name, sizeof(name), "store-%d", parts);
        uri = uri_of("lmdb", name);
        pdict_close(open_map(uri));
        load_until_killed(uri, load, parts + 1);
        check_left(uri, load, parts);
    }
}
