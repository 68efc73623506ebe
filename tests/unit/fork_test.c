/* SPDX-License-Identifier: MIT */
/* What is open when a process forks: used on in both, in children of children, and around exec. */
#include "fork_fixture.h"

#include <signal.h>
#include <sys/syscall.h>

/* ---- maps ---- */

static void use_in_child(pdict *d)
{
    pid_t pid;

    check_value(d, "before", "1");
    put(d, "by the child", "2");
    if ((pid = fork_child()) == 0) {
        check_value(d, "by the child", "2");
        put(d, "by the grandchild", "3");
        pdict_close(d);
        _exit(0);
    }
    put(d, "by the child, later", "4");
    end_child(pid);
    check_value(d, "by the child", "2");
    pdict_close(d);
}

static void check_both(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    const char *of_child = setup->is_persistent ? "2" : NULL;
    pid_t pid;

    put(d, "before", "1");
    if ((pid = fork_child()) == 0) {
        use_in_child(d);
        _exit(0);
    }
    put(d, "by the parent", "5");
    check_value(d, "before", "1");
    end_child(pid);
    check_value(d, "by the parent", "5");
    check_value(d, "by the child", of_child);
    check_value(d, "by the grandchild", setup->is_persistent ? "3" : NULL);
    CHECK_INT(count_of(d), setup->is_persistent ? 5 : 2);
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork, parent_child_and_grandchild_go_on_with_a_map_that_was_open)
{
    NO_FORKS_UNDER_TSAN;
    test_dir(); /* the same for all */
    for_each_setup(check_both);
}

static void check_idle_child(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&durability=ordered:1h");
    pid_t pid;

    put(d, "k", "1");
    if ((pid = fork_child()) == 0) {
        pdict_close(d);
        _exit(0);
    }
    end_child(pid);
    pdict_close(d);
    check_unharmed(setup, "a");
    if (!setup->is_persistent)
        return;
    d = setup_open(setup, "a", "");
    check_value(d, "k", "1");
    pdict_close(d);
}

TEST(fork, who_only_closes_afterwards_loses_nothing)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_idle_child);
}

static void run_true(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(127);
}

static void check_exec(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pid_t pid;

    put(d, "k", "1");
    if ((pid = fork_child()) == 0)
        run_true();
    put(d, "k", "2");
    end_child(pid);
    if ((pid = vfork()) == 0)
        run_true();
    check_value(d, "k", "2");
    put(d, "k", "3");
    end_child(pid);
    check_value(d, "k", "3");
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork, a_child_that_executes_another_program_changes_nothing)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_exec);
}

static void check_two_maps(const struct setup *setup)
{
    pdict *a = setup_open(setup, "a", "&map=a"), *b = setup_open(setup, "a", "&map=b");
    pdict *late;
    pid_t pid;

    put(a, "k", "of a");
    put(b, "k", "of b");
    if ((pid = fork_child()) == 0) {
        check_value(b, "k", "of b");
        late = setup_open(setup, "a", "&map=a");
        put(late, "k", "changed");
        check_value(a, "k", "changed");
        pdict_close(late);
        pdict_close(a);
        check_value(b, "k", "of b");
        pdict_close(b);
        _exit(0);
    }
    end_child(pid);
    late = setup_open(setup, "a", "&map=b");
    check_value(a, "k", setup->is_persistent ? "changed" : "of a");
    pdict_close(a);
    pdict_close(b);
    put(late, "k", "1");
    pdict_close(late);
    check_unharmed(setup, "a");
}

TEST(fork, maps_of_one_store_can_be_opened_and_closed_in_both)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_two_maps);
}

/* ---- what was read ---- */

static pdict_stats stats_of(pdict *d)
{
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_OK(pdict_stats_get(d, 0, &stats));
    return stats;
}

static void change_in_child(pdict *d, pdict_view *view)
{
    CHECK_BYTES(view->data, view->size, "old", 3);
    check_value(d, "still", "same");
    check_value(d, "changing", "old");
    put(d, "changing", "new");
    check_value(d, "changing", "new");
    CHECK_BYTES(view->data, view->size, "old", 3);
    pdict_view_release(view);
    pdict_close(d);
}

static void check_cache(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&cache=1MiB");
    pdict_view view;
    uint64_t misses;
    pid_t pid;

    put(d, "still", "same");
    put(d, "changing", "old");
    CHECK_INT(count_of(d), 2);
    CHECK_OK(pdict_get(d, pdict_str("changing"), &view));
    if ((pid = fork_child()) == 0) {
        change_in_child(d, &view);
        _exit(0);
    }
    end_child(pid);
    check_value(d, "changing", setup->is_persistent ? "new" : "old");
    check_value(d, "still", "same");
    CHECK_INT(count_of(d), 2);
    CHECK_BYTES(view.data, view.size, "old", 3);
    pdict_view_release(&view);
    CHECK(stats_of(d).cache_revalidations == (setup->is_persistent ? 1 : 0));
    misses = stats_of(d).cache_misses;
    check_value(d, "still", "same");
    CHECK_INT(stats_of(d).cache_misses, misses);
    pdict_close(d);
}

TEST(fork, the_cache_is_kept_and_sees_what_the_other_changed)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_cache);
}

static void walk_on(pdict_iter *iter, int from, int to)
{
    pdict_entry entry;
    char expected[16];

    for (int i = from; i < to; i++) {
        CHECK_OK(pdict_iter_next(iter, &entry));
        snprintf(expected, sizeof(expected), "%03d", i);
        CHECK_BYTES(entry.key.data, entry.key.size, expected, 3);
        CHECK_BYTES(entry.value.data, entry.value.size, expected, 3);
    }
}

static void end_walk(pdict_iter *iter, int from)
{
    pdict_entry entry;

    walk_on(iter, from, 400);
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_END);
    pdict_iter_close(iter);
}

static void check_walk(const struct setup *setup, unsigned flags)
{
    pdict *d = setup_open(setup, "a", "&durability=unsafe");
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    char key[16];
    pid_t pid;

    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof(key), "%03d", i);
        put(d, key, key);
    }
    range.flags = flags;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    walk_on(iter, 0, 10);
    if ((pid = fork_child()) == 0) {
        end_walk(iter, 10);
        pdict_close(d);
        _exit(0);
    }
    end_walk(iter, 10);
    end_child(pid);
    pdict_close(d);
}

static void check_walks(const struct setup *setup)
{
    check_walk(setup, 0);
    check_walk(setup, PDICT_BY_KEY);
}

TEST(fork, walks_go_on_in_both)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_walks);
}

static void lose_walk(pdict_iter *iter, const pdict_entry *last)
{
    pdict_entry entry;

    CHECK_BYTES(last->key.data, last->key.size, "a", 1);
    CHECK_BYTES(last->value.data, last->value.size, "1", 1);
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_CONFLICT);
    pdict_iter_close(iter);
}

static void check_snapshot(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_range range = PDICT_RANGE_INIT;
    pdict_entry entry;
    pdict_iter *iter;
    pid_t pid;

    put(d, "a", "1");
    put(d, "b", "2");
    range.flags = PDICT_SNAPSHOT;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    if ((pid = fork_child()) == 0) {
        put(d, "c", "3");
        lose_walk(iter, &entry);
        pdict_close(d);
        _exit(0);
    }
    lose_walk(iter, &entry);
    end_child(pid);
    pdict_close(d);
}

TEST(fork, a_walk_along_one_snapshot_has_lost_it_in_both)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_snapshot);
}

/* ---- transactions ---- */

static void lose_txn(pdict *d, pdict *txn)
{
    pdict_view view;

    CHECK_STATUS(pdict_get(txn, pdict_str("k"), &view), PDICT_CONFLICT);
    CHECK_STATUS(pdict_put(txn, pdict_str("k"), pdict_str("late"), NULL), PDICT_CONFLICT);
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    check_value(d, "k", "1");
    CHECK_OK(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &txn));
    put(txn, "again", "1");
    CHECK_OK(pdict_commit(txn));
    pdict_close(d);
}

static void check_txn(const struct setup *setup, unsigned flags)
{
    pdict *d = setup_open(setup, "a", ""), *txn;
    pid_t pid;

    put(d, "k", "1");
    CHECK_OK(pdict_begin(d, flags, &txn));
    put(txn, "k", "2");
    if ((pid = fork_child()) == 0) {
        lose_txn(d, txn);
        _exit(0);
    }
    /* First the child: the gate must not be the parent's. */
    end_child(pid);
    lose_txn(d, txn);
    check_unharmed(setup, "a");
}

static void check_txns(const struct setup *setup)
{
    check_txn(setup, 0);
    check_txn(setup, PDICT_TXN_EXCLUSIVE);
}

TEST(fork, an_open_transaction_conflicts_in_both_and_holds_nobody_up)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_txns);
}

/* ---- what cannot be handed over ---- */

static void check_refused(const struct setup *setup, pdict *d)
{
    pdict_view view;
    uint64_t count;
    pdict_iter *iter;
    pdict *txn, *other;

    CHECK_STATUS(pdict_get(d, pdict_str("k"), &view), PDICT_FORKED);
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), NULL), PDICT_FORKED);
    CHECK_STATUS(pdict_count(d, &count), PDICT_FORKED);
    CHECK_STATUS(pdict_iter_open(d, NULL, &iter), PDICT_FORKED);
    CHECK_STATUS(pdict_begin(d, 0, &txn), PDICT_FORKED);
    CHECK_STATUS(pdict_sync(d), PDICT_FORKED);
    CHECK_STATUS(setup_try(setup, "a", "", &other), PDICT_FORKED);
    pdict_close(d);
    other = setup_open(setup, "b", "&cache=1MiB");
    put(other, "k", "v");
    check_value(other, "k", "v");
    pdict_close(other);
}

struct inside {
    const struct setup *setup;
    pdict *d;
};

static int fork_inside(const struct inside *inside)
{
    pid_t pid = fork_child();

    if (pid == 0) {
        check_refused(inside->setup, inside->d);
        leave_everything();
    }
    end_child(pid);
    return PDICT_OK;
}

static int fork_in_reader(void *ctx, const pdict_view *view)
{
    CHECK_BYTES(view->data, view->size, "v", 1);
    return fork_inside(ctx);
}

static int fork_in_modify(void *ctx, const pdict_view *old, pdict_slice *value)
{
    (void)old;
    *value = pdict_str("v");
    return fork_inside(ctx);
}

static int fork_in_run(void *ctx, pdict *txn)
{
    put(txn, "of the transaction", "1");
    return fork_inside(ctx);
}

static void check_callbacks(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct inside inside = { setup, d };

    put(d, "k", "v");
    CHECK_OK(pdict_get_with(d, pdict_str("k"), fork_in_reader, &inside));
    CHECK_OK(pdict_modify(d, pdict_str("k"), fork_in_modify, &inside, NULL));
    CHECK_OK(pdict_run(d, fork_in_run, &inside, 0));
    check_value(d, "of the transaction", "1");
    check_value(d, "k", "v");
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork, from_inside_a_callback_the_child_gets_nothing_and_the_parent_goes_on)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_callbacks);
}

/* As fork() does, without its handlers. */
static pid_t raw_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* With nothing pinned a get takes the short way. */
static void check_raw_hit(const struct setup *setup, pdict *d)
{
    pid_t pid;

    check_value(d, "k", "v");
    check_value(d, "k", "v");
    if ((pid = raw_fork()) == 0) {
        check_refused(setup, d);
        leave_everything();
    }
    CHECK(pid > 0);
    end_child(pid);
    check_value(d, "k", "v");
}

/* A lock of the C library that a thread of ours has at that moment would be the child's for ever. */
static void check_raw(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&cache=1MiB&maintenance=manual");
    pdict_view view;
    pid_t pid;

    put(d, "k", "v");
    CHECK_OK(pdict_get(d, pdict_str("k"), &view));
    if ((pid = raw_fork()) == 0) {
        check_refused(setup, d);
        CHECK_BYTES(view.data, view.size, "v", 1);
        pdict_view_release(&view);
        leave_everything();
    }
    CHECK(pid > 0);
    end_child(pid);
    pdict_view_release(&view);
    check_raw_hit(setup, d);
    put(d, "k", "w");
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork, around_the_handlers_the_child_gets_nothing_not_even_from_the_cache)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_raw);
}
