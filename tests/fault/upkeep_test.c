/* SPDX-License-Identifier: MIT */
/* Every call of the backend fails once, and every allocation, in every call of upkeep: it is told, and
 * the next call goes on. */
#include "world.h"

#include <stdio.h>
#include <unistd.h>

struct task {
    const char *name;
    int (*run)(struct world *w);
    bool is_of_files;
};

static int recode(struct world *w, const char *codecs)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;

    options.codecs = codecs;
    return pdict_recode(w->d, &options, NULL);
}

static int pack(struct world *w)
{
    return recode(w, "raw,zlib:9");
}

static pdict_slice new_key(void)
{
    return pdict_str("fedcba9876543210fedcba9876543210");
}

/* The handle that gave the key goes on, whatever of the call failed. */
static int encrypt(struct world *w)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;

    options.codecs = "raw,xchacha20";
    options.key = new_key();
    return pdict_recode(w->d, &options, NULL);
}

static int verify(struct world *w)
{
    return pdict_verify(w->store, NULL, NULL);
}

static int train(struct world *w)
{
    int status = recode(w, "raw,zstd:3");

    return status == PDICT_OK ? pdict_train(w->d, NULL, NULL) : status;
}

static int compact(struct world *w)
{
    return pdict_compact(w->store, NULL, NULL);
}

static int backup(struct world *w)
{
    const char *path = test_path("copy.db");

    unlink(path);
    return pdict_backup(w->store, path, NULL);
}

static int migrate(struct world *w)
{
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    char uri[1024];

    snprintf(uri, sizeof(uri), "%s:%s", w->setup->backend, test_path("moved.db"));
    unlink(test_path("moved.db"));
    options.verify = true;
    return pdict_migrate(w->store, uri, &options, NULL);
}

static const struct task tasks[] = {
    { "recode", pack, false },    { "encrypt", encrypt, false }, { "verify", verify, false },
    { "train", train, false },    { "compact", compact, true },  { "backup", backup, true },
    { "migrate", migrate, true },
};

static void check_goes_on(struct world *w, const struct task *task)
{
    pdict_view view;

    CHECK_OK(task->run(w));
    CHECK_OK(pdict_get(w->d, pdict_str("key07"), &view));
    CHECK_BYTES(view.data, view.size, world_value, strlen(world_value));
    pdict_view_release(&view);
}

/* True while there is an nth call. */
static bool fail_call(const struct setup *setup, const struct task *task, unsigned n)
{
    uint64_t n_seen, n_hit;
    struct world w;
    char rule[64];
    int status;

    world_make(&w, setup);
    snprintf(rule, sizeof(rule), "any:%u:IO", n);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, rule));
    status = task->run(&w);
    pdict__fault_counts(w.path, FAULT_FAIL, &n_seen, &n_hit);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, NULL));
    CHECK(status == PDICT_OK || (n_hit > 0 && status == PDICT_IO));
    check_goes_on(&w, task);
    world_close(&w);
    return n_hit > 0;
}

/* True while there is an nth allocation. */
static bool fail_allocation(const struct setup *setup, const struct task *task, unsigned n)
{
    unsigned long n_failed;
    struct world w;
    int status;

    world_make(&w, setup);
    atomic_store(&w.memory.n_calls, 0);
    atomic_store(&w.memory.n_failed, 0);
    w.memory.fail_at = n;
    status = task->run(&w);
    w.memory.fail_at = 0;
    n_failed = atomic_load(&w.memory.n_failed);
    CHECK(status == PDICT_OK || (n_failed > 0 && status == PDICT_NOMEM));
    check_goes_on(&w, task);
    world_close(&w);
    return n_failed > 0;
}

static void try_tasks(const struct setup *setup,
                      bool (*fail)(const struct setup *setup, const struct task *task, unsigned n))
{
    if (!setup_is_built(setup))
        return;
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        unsigned n = 1;

        if (tasks[i].is_of_files && !setup->is_persistent)
            continue;
        fprintf(stderr, "%s, %s\n", setup->backend, tasks[i].name);
        while (fail(setup, &tasks[i], n))
            n++;
        CHECK(n > 1);
    }
}

TEST(upkeep, a_call_of_the_backend_that_fails_in_memory_is_told_and_the_next_goes_on)
{
    try_tasks(&setups[0], fail_call);
}

TEST(upkeep, a_call_of_the_backend_that_fails_in_a_file_is_told_and_the_next_goes_on)
{
    try_tasks(&setups[2], fail_call);
}

/* True while there is an nth call; another handle gives the key before this one is used again. */
static bool encrypt_beside(const struct setup *setup, unsigned n, int *n_encrypted)
{
    static const struct task task = { "encrypt", encrypt, false };
    uint64_t n_seen, n_hit;
    struct world w;
    char rule[64], uri[1100];
    pdict *other = NULL;

    world_make(&w, setup);
    snprintf(uri, sizeof(uri), "fault+%s:%s", setup->backend, w.path);
    snprintf(rule, sizeof(rule), "any:%u:IO", n);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, rule));
    encrypt(&w);
    pdict__fault_counts(w.path, FAULT_FAIL, &n_seen, &n_hit);
    CHECK_OK(pdict__fault_set(w.path, FAULT_FAIL, NULL));
    w.options.key = new_key();
    if (pdict_open(uri, &w.options, &other) == PDICT_OK)
        ++*n_encrypted;
    check_goes_on(&w, &task);
    pdict_close(other);
    world_close(&w);
    return n_hit > 0;
}

TEST(upkeep, the_handle_that_encrypts_is_not_shut_out_by_another_one_that_has_the_key)
{
    int n_encrypted = 0;
    unsigned n = 1;

    while (encrypt_beside(&setups[0], n, &n_encrypted))
        n++;
    CHECK(n_encrypted > 1);
}

TEST(upkeep, an_allocation_that_fails_is_told_and_the_next_call_goes_on)
{
    try_tasks(&setups[0], fail_allocation);
}
