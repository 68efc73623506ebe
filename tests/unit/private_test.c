/* SPDX-License-Identifier: MIT */
/* Files of encrypted stores are their owner's alone, and no link leads what is written elsewhere. */
#include "upkeep_fixture.h"

#include <dirent.h>
#include <sys/stat.h>

static const char *const backends[] = { "sqlite", "lmdb" };

/* How many files of this test others may read or write; a listing of them on standard error. */
static int open_files(void)
{
    DIR *dir = opendir(test_dir());
    struct dirent *entry;
    struct stat info;
    int found = 0;

    CHECK(dir != NULL);
    while ((entry = readdir(dir))) {
        if (lstat(test_path("%s", entry->d_name), &info) != 0 || !S_ISREG(info.st_mode) ||
            (info.st_mode & 077) == 0)
            continue;
        fprintf(stderr, "%s has mode %o\n", entry->d_name, info.st_mode & 0777);
        found++;
    }
    closedir(dir);
    return found;
}

static int look(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)phase, (void)done, (void)total;
    *(int *)ctx += open_files();
    return 0;
}

static pdict *open_sealed(const char *backend, const char *name)
{
    pdict_options options = test_options(true);
    char uri[600];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s?codecs=raw,xchacha20", uri_of(backend, name));
    CHECK_OK(pdict_open(uri, &options, &d));
    return d;
}

static void put_and_del(pdict *d)
{
    char key[16];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put(d, key, "a value that is not very short");
    }
    for (int i = 0; i < 190; i++) {
        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_del(d, pdict_str(key)));
    }
}

static void migrate_to(pdict_store *store, const char *to, const char *codecs, int *seen)
{
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;

    options.codecs = codecs;
    options.key = test_key;
    options.verify = true;
    options.progress = look;
    options.progress_ctx = seen;
    CHECK_OK(pdict_migrate(store, to, &options, NULL));
}

static void use_all(const char *backend, const char *other)
{
    pdict_backup_options backup = PDICT_BACKUP_OPTIONS_INIT;
    pdict_compact_options compact = PDICT_COMPACT_OPTIONS_INIT;
    pdict_repair_options repair = PDICT_REPAIR_OPTIONS_INIT;
    pdict *d = open_sealed(backend, "a.db");
    pdict_store *store;
    int seen = 0;

    put_and_del(d);
    CHECK_INT(open_files(), 0); /* with its log, its gate and its lock */
    store = store_open(uri_of(backend, "a.db"));
    backup.progress = compact.progress = repair.progress = look;
    backup.progress_ctx = compact.progress_ctx = repair.progress_ctx = &seen;
    CHECK_OK(pdict_backup(store, test_path("backup.db"), &backup));
    migrate_to(store, uri_of(other, "other.db"), NULL, &seen);
    repair.key = test_key;
    CHECK_OK(pdict_repair(store, uri_of(backend, "repaired.db"), &repair, NULL));
    pdict_close(d);
    CHECK_OK(pdict_compact(store, &compact, NULL));
    pdict_store_close(store);
    CHECK_INT(seen, 0);
    CHECK_INT(open_files(), 0);
}

TEST(private, every_file_of_an_encrypted_store_and_of_its_copies)
{
    mode_t before = umask(0);

    for (size_t i = 0; i < 2; i++) {
        if (!has_backend(backends[0]) || !has_backend(backends[1]))
            SKIP("this build lacks a backend");
        use_all(backends[i], backends[1 - i]);
        unlink(test_path("a.db"));
        unlink(test_path("backup.db"));
        unlink(test_path("other.db"));
        unlink(test_path("repaired.db"));
    }
    umask(before);
}

TEST(private, a_plain_store_that_is_copied_into_an_encrypted_one)
{
    mode_t before = umask(0);
    struct stat info;
    pdict_store *store;
    int seen = 0;
    pdict *d;

    need_sqlite();
    CHECK_OK(pdict_open(uri_of("sqlite", "a.db"), NULL, &d));
    put(d, "k", "v");
    pdict_close(d);
    CHECK_OK(pdict_store_open(uri_of("sqlite", "a.db"), NULL, &store));
    migrate_to(store, uri_of("sqlite", "b.db"), "raw,xchacha20", &seen);
    pdict_store_close(store);
    CHECK_INT(stat(test_path("a.db"), &info), 0);
    CHECK_INT(info.st_mode & 0777, 0666);
    CHECK_INT(stat(test_path("b.db"), &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    umask(before);
}

/* ---- links in the place of working files ---- */

/* Whoever can write to the directory puts a link where a call will write for a while. */
static void lay(const char *link_name, const char *victim)
{
    unlink(test_path("%s", link_name));
    CHECK_INT(symlink(test_path("%s", victim), test_path("%s", link_name)), 0);
}

static void check_victim(void)
{
    struct stat info;
    size_t size;
    char *bytes = test_file(test_path("victim"), &size);

    CHECK_BYTES(bytes, size, "of somebody else", 16);
    CHECK_INT(stat(test_path("victim"), &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    CHECK(!exists(test_path("absent")));
}

static int write_through(size_t which, pdict_store *store, const char *to)
{
    if (which < 2)
        return pdict_backup(store, test_path("b.db"), NULL);
    return which < 4 ? pdict_migrate(store, to, NULL, NULL) : pdict_repair(store, to, NULL, NULL);
}

static void links_lead_nowhere(const char *backend)
{
    static const char *const victims[] = { "victim", "absent" };
    pdict_store *store;

    test_write_file(test_path("victim"), "of somebody else", 16);
    CHECK_INT(chmod(test_path("victim"), 0600), 0);
    fill_store(uri_of(backend, "a.db"), 20);
    store = store_open(uri_of(backend, "a.db"));
    for (size_t i = 0; i < 2; i++) {
        static const char *const names[] = { "b.db.partial",   "b.db.partial-job",
                                             "b.db.migrating", "b.db.migrating-job",
                                             "b.db.repairing", "b.db.repairing-job" };

        for (size_t j = 0; j < 6; j++) {
            const char *to = uri_of(backend, "b.db");

            lay(names[j], victims[i]);
            CHECK_STATUS(write_through(j, store, to), PDICT_PERMISSION);
            CHECK(strstr(pdict_error_text(), "link") != NULL);
            check_victim();
            unlink(test_path("%s", names[j]));
        }
        lay("b.db", victims[i]);
        CHECK_STATUS(pdict_backup(store, test_path("b.db"), NULL), PDICT_EXISTS);
        check_victim();
        unlink(test_path("b.db"));
    }
    pdict_store_close(store);
}

TEST(private, a_link_to_another_store_is_not_written_through)
{
    const char *victim = uri_of("sqlite", "victim"), *before;
    pdict_store *store;

    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 20);
    fill_store(victim, 5);
    before = map_text(victim, "main", false);
    store = store_open(uri_of("sqlite", "a.db"));
    lay("b.db.migrating", "victim");
    CHECK_STATUS(pdict_migrate(store, uri_of("sqlite", "b.db"), NULL, NULL), PDICT_PERMISSION);
    CHECK(strstr(pdict_error_text(), "link") != NULL);
    pdict_store_close(store);
    CHECK_STR(map_text(victim, "main", false), before);
}

TEST(private, a_link_in_the_place_of_a_working_file_is_refused_by_sqlite)
{
    need_sqlite();
    links_lead_nowhere("sqlite");
}

TEST(private, a_link_in_the_place_of_a_working_file_is_refused_by_lmdb)
{
    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    links_lead_nowhere("lmdb");
}
