/* SPDX-License-Identifier: MIT */
/* One file by many names, opened and closed by many threads; and that no lock is lost over it. */
#include <pdict/pdict.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "process_fixture.h"

static bool is_built(const char *backend)
{
    pdict_info info = PDICT_INFO_INIT;

    for (size_t cursor = 0; pdict_info_next(&cursor, &info) == PDICT_OK;) {
        if (info.kind == PDICT_INFO_BACKEND && strcmp(info.name, backend) == 0)
            return true;
    }
    return false;
}

static void for_each_scheme(void (*check)(const char *scheme))
{
    static const char *const schemes[] = { "sqlite", "lmdb" };

    for (size_t i = 0; i < 2; i++) {
        if (is_built(schemes[i]))
            check(schemes[i]);
    }
}

/* ---- many names ---- */

enum {
    NAMES = 4,
    OPENERS = 6,
    WRITERS = 2,
    ROUNDS = TEST_IS_SLOW ? 20 : 250
};

/* The file itself, a link to it, a link to its directory, and a detour. */
static void make_names(const char *scheme, char names[NAMES][512])
{
    const char *directory = test_dir();
    char target[256];

    snprintf(target, sizeof(target), "%s/%s.db", directory, scheme);
    snprintf(names[0], 512, "%s:%s", scheme, target);
    snprintf(names[1], 512, "%s:%s/%s.link", scheme, directory, scheme);
    CHECK(symlink(target, strchr(names[1], ':') + 1) == 0);
    snprintf(names[2], 512, "%s:%s/%s.dir/%s.db", scheme, directory, scheme, scheme);
    CHECK(symlink(directory, test_path("%s.dir", scheme)) == 0);
    snprintf(names[3], 512, "%s:%s/./%s.dir/../%s/%s.link", scheme, directory, scheme,
             strrchr(directory, '/') + 1, scheme);
}

static unsigned open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    CHECK(directory != NULL);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

struct stress {
    char names[NAMES][512];
    atomic_bool is_over;
    atomic_uint next; /* number of a thread */
    atomic_int added;
};

static void *open_and_close(void *arg)
{
    struct stress *stress = arg;
    unsigned own = atomic_fetch_add(&stress->next, 1);
    pdict *d;

    for (unsigned i = 0; i < ROUNDS; i++) {
        CHECK_OK(pdict_open(stress->names[(own + i) % NAMES], NULL, &d));
        if (i % 3 == 0) {
            CHECK_OK(pdict_add(d, pdict_str("sum"), 1, NULL, NULL));
            atomic_fetch_add(&stress->added, 1);
        }
        pdict_close(d);
    }
    return NULL;
}

static void *write_on(void *arg)
{
    struct stress *stress = arg;
    pdict *d;

    CHECK_OK(pdict_open(stress->names[0], NULL, &d));
    while (!stress->is_over) {
        CHECK_OK(pdict_add(d, pdict_str("sum"), 1, NULL, NULL));
        atomic_fetch_add(&stress->added, 1);
    }
    pdict_close(d);
    return NULL;
}

static void check_sum(const struct stress *stress)
{
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store;
    int64_t sum;
    pdict *d;

    CHECK_OK(pdict_open(stress->names[0], NULL, &d));
    CHECK_OK(pdict_add(d, pdict_str("sum"), 0, NULL, &sum));
    CHECK_INT(sum, stress->added);
    pdict_close(d);
    CHECK_OK(pdict_store_open(stress->names[1], NULL, &store));
    CHECK_OK(pdict_verify(store, NULL, &result));
    CHECK_INT(result.findings, 0);
    pdict_store_close(store);
}

static void check_stress(const char *scheme)
{
    struct stress stress = { .is_over = false };
    pthread_t openers[OPENERS], writers[WRITERS];
    unsigned before = open_descriptors();

    make_names(scheme, stress.names);
    for (int i = 0; i < OPENERS; i++)
        CHECK(pthread_create(&openers[i], NULL, open_and_close, &stress) == 0);
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&writers[i], NULL, write_on, &stress) == 0);
    for (int i = 0; i < OPENERS; i++)
        CHECK(pthread_join(openers[i], NULL) == 0);
    stress.is_over = true;
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_join(writers[i], NULL) == 0);
    check_sum(&stress);
    CHECK_INT(open_descriptors(), before);
}

TEST(registry, threads_open_and_close_one_file_by_all_its_names_while_others_write)
{
    for_each_scheme(check_stress);
}

/* The last handle closes the engine each time, and the next opens it. */
static void check_alone(const char *scheme)
{
    struct stress stress = { .is_over = true };
    unsigned before = open_descriptors();
    pthread_t openers[OPENERS];

    make_names(scheme, stress.names);
    for (int i = 0; i < OPENERS; i++)
        CHECK(pthread_create(&openers[i], NULL, open_and_close, &stress) == 0);
    for (int i = 0; i < OPENERS; i++)
        CHECK(pthread_join(openers[i], NULL) == 0);
    check_sum(&stress);
    CHECK_INT(open_descriptors(), before);
}

TEST(registry, engine_is_opened_and_closed_by_whoever_comes_first_and_goes_last)
{
    for_each_scheme(check_alone);
}

/* A link to a link to what is not there yet, both relative to where they lie. */
static void check_link(const char *scheme)
{
    char uri[512], target[512];
    pdict *d, *other;

    CHECK(mkdir(test_path("%s.sub", scheme), 0777) == 0);
    snprintf(target, sizeof(target), "%s.sub/second", scheme);
    CHECK(symlink(target, test_path("%s.first", scheme)) == 0);
    snprintf(target, sizeof(target), "../%s.new", scheme);
    CHECK(symlink(target, test_path("%s.sub/second", scheme)) == 0);
    snprintf(uri, sizeof(uri), "%s:%s", scheme, test_path("%s.first", scheme));
    CHECK_OK(pdict_open(uri, NULL, &d));
    CHECK(access(test_path("%s.new", scheme), F_OK) == 0);
    CHECK(access(test_path("%s.new-pdict", scheme), F_OK) == 0);
    snprintf(uri, sizeof(uri), "%s:%s", scheme, test_path("%s.new", scheme));
    CHECK_OK(pdict_open(uri, NULL, &other));
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), NULL));
    CHECK_OK(pdict_del(other, pdict_str("k")));
    pdict_close(other);
    pdict_close(d);

    CHECK(symlink("ring", test_path("%s.ring", scheme)) == 0);
    CHECK(symlink(test_path("%s.ring", scheme), test_path("ring")) == 0);
    snprintf(uri, sizeof(uri), "%s:%s", scheme, test_path("ring"));
    CHECK_STATUS(pdict_open(uri, NULL, &d), PDICT_IO);
    CHECK(unlink(test_path("ring")) == 0);
    snprintf(uri, sizeof(uri), "%s:%s", scheme, test_path("%s.none", scheme));
    CHECK(symlink("no/such/place", test_path("%s.none", scheme)) == 0);
    CHECK_STATUS(pdict_open(uri, NULL, &d), PDICT_NO_DIRECTORY);
}

TEST(registry, store_made_through_a_link_lies_where_the_link_leads)
{
    for_each_scheme(check_link);
}

/* ---- locks, as another process sees them ---- */

/* What keeps others away while a store is open; the last is the gate file. */
struct lock_files {
    char paths[3][512];
    int count;
};

static struct lock_files lock_files_of(const char *scheme)
{
    bool is_sqlite = strcmp(scheme, "sqlite") == 0;
    struct lock_files files = { .count = 0 };
    const char *path = test_path("%s.db", scheme);

    if (is_sqlite)
        snprintf(files.paths[files.count++], 512, "%s", path);
    snprintf(files.paths[files.count++], 512, "%s-%s", path, is_sqlite ? "shm" : "lock");
    snprintf(files.paths[files.count++], 512, "%s-pdict", path);
    return files;
}

/* Does anybody hold a lock of any kind on the file? */
static bool is_locked(const char *path)
{
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool is_held;

    if (fd < 0)
        return false;
    CHECK(fcntl(fd, F_OFD_GETLK, &all) == 0);
    is_held = all.l_type != F_UNLCK;
    close(fd);
    return is_held;
}

/* Of the other process: at each step, which of the files are locked, as bits. */
static void probe(struct child *child, const char *scheme)
{
    struct lock_files files = lock_files_of(scheme);
    unsigned char held, step;

    while (read(child->go[0], &step, 1) == 1) {
        held = 0;
        for (int i = 0; i < files.count; i++)
            held |= (unsigned char)(is_locked(files.paths[i]) << i);
        CHECK(write(child->at[1], &held, 1) == 1);
    }
}

static unsigned ask(struct child *prober)
{
    unsigned char held;

    next_step(prober);
    CHECK(read(prober->at[0], &held, 1) == 1);
    return held;
}

struct probed {
    const char *scheme;
    char uri[512];
    struct child prober;
    unsigned all; /* bits of all files */
    pdict *d;
};

static void held_after(struct probed *p, const char *call)
{
    unsigned held = ask(&p->prober);

    if (held != p->all)
        FAIL("%s: after %s the locks are %u, not %u", p->scheme, call, held, p->all);
}

static int find(void *ctx, const pdict_view *old, pdict_computed *out)
{
    struct probed *p = ctx;

    (void)old;
    held_after(p, "the beginning of a computation");
    out->value = pdict_str("value");
    return PDICT_OK;
}

static void one_key(struct probed *p)
{
    pdict_view view;
    int64_t sum;

    CHECK_OK(pdict_put(p->d, pdict_str("k"), pdict_str("v"), NULL));
    held_after(p, "put");
    CHECK_OK(pdict_get(p->d, pdict_str("k"), &view));
    pdict_view_release(&view);
    held_after(p, "get");
    CHECK_OK(pdict_add(p->d, pdict_str("n"), 1, NULL, &sum));
    held_after(p, "add");
    CHECK_OK(pdict_touch(p->d, pdict_str("k"), 1000000));
    held_after(p, "touch");
    CHECK_OK(pdict_del(p->d, pdict_str("k")));
    held_after(p, "del");
    CHECK_OK(pdict_get_or_compute(p->d, pdict_str("c"), find, p, NULL, &view));
    pdict_view_release(&view);
    held_after(p, "get_or_compute");
}

static void many_keys(struct probed *p)
{
    pdict_iter *iter;
    pdict_entry entry;
    uint64_t count;
    pdict *txn;

    CHECK_OK(pdict_iter_open(p->d, NULL, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    held_after(p, "iter_next");
    pdict_iter_close(iter);
    CHECK_OK(pdict_count(p->d, &count));
    held_after(p, "count");
    for (int flags = 0; flags <= PDICT_TXN_EXCLUSIVE; flags++) {
        CHECK_OK(pdict_begin(p->d, (unsigned)flags, &txn));
        held_after(p, "begin");
        CHECK_OK(pdict_put(txn, pdict_str("t"), pdict_str("v"), NULL));
        CHECK_OK(pdict_commit(txn));
        held_after(p, "commit");
        CHECK_OK(pdict_begin(p->d, (unsigned)flags, &txn));
        pdict_abort(txn);
        held_after(p, "abort");
    }
    CHECK_OK(pdict_sync(p->d));
    held_after(p, "sync");
    CHECK_OK(pdict_maintain(p->d, 10));
    held_after(p, "maintain");
}

static void whole_store(struct probed *p)
{
    pdict_stats stats = PDICT_STATS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store;
    uint64_t removed;

    CHECK_OK(pdict_stats_get(p->d, PDICT_STATS_SIZES, &stats));
    held_after(p, "stats_get");
    CHECK_OK(pdict_store_open(p->uri, NULL, &store));
    held_after(p, "store_open");
    CHECK_OK(pdict_verify(store, NULL, &result));
    held_after(p, "verify");
    CHECK_OK(pdict_expire(store, -1, &removed));
    held_after(p, "expire");
    CHECK_OK(pdict_backup(store, test_path("%s.copy", p->scheme), NULL));
    held_after(p, "backup");
    pdict_store_close(store);
    held_after(p, "store_close");
}

/* Opens that succeed, and those that fail after they have looked at the file. */
static void other_handles(struct probed *p)
{
    static const char *const refused[] = { "?codecs=str", "?nonsense=1", "?map=none&mode=rw" };
    char path[512], uri[640];
    pdict *other;

    CHECK_OK(pdict_open(p->uri, NULL, &other));
    pdict_close(other);
    held_after(p, "the close of another handle");
    CHECK_OK(pdict_open(strchr(p->uri, ':') + 1, NULL, &other));
    pdict_close(other);
    held_after(p, "an open that looks which backend it is");
    for (size_t i = 0; i < 3; i++) {
        snprintf(uri, sizeof(uri), "%s%s", p->uri, refused[i]);
        CHECK(pdict_open(uri, NULL, &other) != PDICT_OK);
        held_after(p, refused[i]);
    }
    snprintf(uri, sizeof(uri), "%s:%s", strcmp(p->scheme, "lmdb") == 0 ? "sqlite" : "lmdb",
             strchr(p->uri, ':') + 1);
    CHECK(pdict_open(uri, NULL, &other) != PDICT_OK);
    held_after(p, "an open as the other backend");
    snprintf(path, sizeof(path), "%s", test_path("%s.hard", p->scheme));
    CHECK(link(strchr(p->uri, ':') + 1, path) == 0);
    snprintf(uri, sizeof(uri), "%s:%s", p->scheme, path);
    CHECK(pdict_open(uri, NULL, &other) != PDICT_OK);
    held_after(p, "an open by a hard link");
    CHECK(unlink(path) == 0);
}

static void check_locks(const char *scheme)
{
    struct probed p = { .scheme = scheme };

    snprintf(p.uri, sizeof(p.uri), "%s:%s", scheme, test_path("%s.db", scheme));
    p.prober = start(probe, scheme);
    p.all = (1u << lock_files_of(scheme).count) - 1;
    CHECK_INT(ask(&p.prober), 0);
    CHECK_OK(pdict_open(p.uri, NULL, &p.d));
    CHECK_OK(pdict_put(p.d, pdict_str("first"), pdict_str("v"), NULL));
    held_after(&p, "the first put");
    one_key(&p);
    many_keys(&p);
    whole_store(&p);
    other_handles(&p);
    one_key(&p);
    pdict_close(p.d);
    CHECK_INT(ask(&p.prober), 0);
    close(p.prober.go[1]);
    p.prober.go[1] = -1;
    finish(&p.prober);
}

TEST(registry, locks_are_held_after_each_call_and_gone_after_the_last_close)
{
    for_each_scheme(check_locks);
}
