/* SPDX-License-Identifier: MIT */
/* Settings of a map that were changed in one process while another had parked it around a fork. */
#include "fork_fixture.h"
#include "recode_fixture.h"

static void encrypt(pdict *d)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;

    options.codecs = "raw,xchacha20";
    options.key = test_key;
    CHECK_OK(pdict_recode(d, &options, NULL));
}

/* The child is the last one out, so that each of the two makes a gate file. */
static void change_in_child(const char *backend)
{
    pdict *d = recode_open(backend, "raw", false);
    pdict_view view;
    pid_t pid;

    put(d, "k", "v");
    if ((pid = fork_child()) == 0) {
        encrypt(d);
        pdict_close(d);
        _exit(0);
    }
    end_child(pid);
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("w"), NULL), PDICT_NEED_KEY);
    CHECK_STATUS(pdict_get(d, pdict_str("k"), &view), PDICT_NEED_KEY);
    pdict_close(d);
    d = recode_open(backend, NULL, true);
    check_value(d, "k", "v");
    pdict_close(d);
}

TEST(fork_settings, a_change_in_the_child_is_seen_by_the_parent_that_was_away)
{
    NO_FORKS_UNDER_TSAN;
    change_in_child("sqlite");
    store_number++;
    change_in_child("lmdb");
}

struct forking {
    pdict *d;
    atomic_bool is_over;
};

static void *recode_to_and_fro(void *ctx)
{
    struct forking *forking = ctx;
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;

    for (int i = 0; i < 6; i++) {
        options.codecs = i % 2 == 0 ? "raw,zstd:3" : "raw";
        CHECK_OK(pdict_recode(forking->d, &options, NULL));
    }
    atomic_store(&forking->is_over, true);
    return NULL;
}

TEST(fork_settings, records_are_made_anew_while_the_process_forks)
{
    struct forking forking = { 0 };
    pthread_t thread;

    NO_FORKS_UNDER_TSAN;
    forking.d = recode_open("sqlite", "raw", false);
    fill(forking.d, ENTRIES);
    start_thread(&thread, recode_to_and_fro, &forking);
    while (!atomic_load(&forking.is_over)) {
        pid_t pid = fork_child();

        if (pid == 0) {
            CHECK_OK(pdict_put(forking.d, pdict_str("of a child"), value_of(1), NULL));
            leave_everything();
        }
        end_child(pid);
    }
    pthread_join(thread, NULL);
    CHECK_OK(pdict_del(forking.d, pdict_str("of a child")));
    for (unsigned i = 0; i < ENTRIES; i++) {
        pdict_view view;

        CHECK_OK(pdict_get(forking.d, pdict_str(key_of(i)), &view));
        CHECK(view.size == value_of(i).size);
        pdict_view_release(&view);
    }
    pdict_close(forking.d);
}
