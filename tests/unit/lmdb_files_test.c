/* SPDX-License-Identifier: MIT */
/* What the LMDB backend makes of files: its own, other people's, cut ones and damaged ones. */
#include "lmdb_fixture.h"

#include <fcntl.h>

enum {
    PAGE = 4096,
    MAGIC_END = 24
};

/* A file with everything in it: deep trees, long keys, large values, lists of free pages. */
static void make_full_store(const char *path)
{
    void *self = open_store(path), *txn;
    uint32_t map = make_map(self, "m");

    for (uint32_t round = 0; round < 4; round++) {
        txn = begin(self);
        for (uint32_t i = 0; i < 400; i++) {
            pdict_change change = put_change(filled(i % 20 == 0 ? 1200 : 12, 'k', i),
                                             filled(i % 50 == 0 ? 20000 : 150, 'v', round));
            change.row.expires_ms = i % 3 == 0 ? NOW + i + round : 0;
            if ((i + round) % 7 == 0 && round > 0)
                change.kind = PDICT_CHANGE_DEL;
            CHECK_OK(LMDB->apply(self, txn, map, &change, 1, NOW));
        }
        commit(self, txn);
    }
    LMDB->close(self);
}

static int open_status(const char *path, struct how how)
{
    void *self = NULL;
    int status = try_open(path, how, &self);

    if (status == PDICT_OK)
        LMDB->close(self);
    return status;
}

static const struct how plain = { .flags = 0 }, checked = { .preflight = true };

static void overwrite(const char *path, size_t at, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY);

    CHECK(fd >= 0 && pwrite(fd, bytes, size, (off_t)at) == (ssize_t)size && close(fd) == 0);
}

/* ---- names ---- */

TEST(lmdb_files, a_store_in_a_directory_has_the_lock_file_that_other_tools_use)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };
    size_t data_size, lock_size;
    void *self;
    MDB_env *env;

    CHECK(mkdir(test_path("dir"), 0700) == 0);
    self = open_store(test_path("dir/data.mdb"));
    CHECK_OK(LMDB->stat(self, &stat));
    LMDB->close(self);
    CHECK(access(test_path("dir/lock.mdb"), F_OK) == 0);
    CHECK(access(test_path("dir/data.mdb-lock"), F_OK) != 0);
    test_file(test_path("dir/data.mdb"), &data_size);
    test_file(test_path("dir/lock.mdb"), &lock_size);
    CHECK_INT(stat.file_bytes, data_size + lock_size);
    CHECK_INT(mdb_env_create(&env), 0);
    CHECK_INT(mdb_env_open(env, test_path("dir"), MDB_RDONLY, 0600), 0);
    mdb_env_close(env);
    LMDB->close(open_store(test_path("plain")));
    CHECK(access(test_path("plain-lock"), F_OK) == 0);
}

/* ---- whose file it is ---- */

static void make_foreign(const char *path, const char *table, const char *key)
{
    MDB_val record = { strlen(key), (void *)key }, value = { 4, (void *)"\0\0\0\2" };
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    CHECK_INT(mdb_env_create(&env), 0);
    CHECK_INT(mdb_env_set_maxdbs(env, 8), 0);
    CHECK_INT(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    CHECK_INT(mdb_txn_begin(env, NULL, 0, &txn), 0);
    CHECK_INT(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
    if (key[0] != '\0')
        CHECK_INT(mdb_put(txn, dbi, &record, &value, 0), 0);
    CHECK_INT(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    CHECK(unlink(test_path("store-lock")) == 0);
}

static void check_untouched(const char *path, int expected)
{
    const unsigned flags[] = { 0, PDICT_BACKEND_CREATE, PDICT_BACKEND_READ_ONLY };
    size_t size, size_after;
    char *before = test_file(path, &size), *after;

    for (size_t i = 0; i < 3; i++) {
        CHECK_STATUS(open_status(path, (struct how){ .flags = flags[i] }), expected);
        after = test_file(path, &size_after);
        CHECK_BYTES(after, size_after, before, size);
        CHECK(access(test_path("store-lock"), F_OK) != 0);
    }
}

TEST(lmdb_files, databases_of_other_programs_are_refused_and_left_untouched)
{
    const char *path = test_path("store");

    make_foreign(path, "theirs", "key");
    check_untouched(path, PDICT_NOT_A_STORE);
    CHECK(unlink(path) == 0);
    make_foreign(path, NULL, "key");
    check_untouched(path, PDICT_NOT_A_STORE);
    CHECK(unlink(path) == 0);
    make_foreign(path, "pdict", "key");
    check_untouched(path, PDICT_NOT_A_STORE);
}

TEST(lmdb_files, a_store_of_a_newer_format_is_refused_and_left_untouched)
{
    make_foreign(test_path("store"), NULL, "pdict");
    check_untouched(test_path("store"), PDICT_NEWER_FORMAT);
}

TEST(lmdb_files, a_file_of_a_newer_lmdb_is_refused)
{
    const uint32_t version = 2;

    make_full_store(test_path("store"));
    overwrite(test_path("store"), 16 + 4, &version, sizeof(version));
    CHECK_STATUS(open_status(test_path("store"), plain), PDICT_NEWER_FORMAT);
}

TEST(lmdb_files, what_a_process_left_that_died_while_creating_becomes_a_store)
{
    const char *path = test_path("store");
    MDB_env *env;

    CHECK_INT(mdb_env_create(&env), 0);
    CHECK_INT(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    mdb_env_close(env);
    CHECK_STATUS(open_status(path, plain), PDICT_NOT_A_STORE);
    LMDB->close(open_store(path));
    CHECK_OK(open_status(path, plain));
}

/* What a power loss leaves of the first two pages: each is there, zero, or beyond the end. */
TEST(lmdb_files, a_store_whose_first_pages_were_lost_while_creating_is_created_again)
{
    static const struct {
        size_t zeros_from, zeros_to, size;
    } losses[] = { { 0, 0, 4096 }, { 4096, 8192, 8192 }, { 0, 4096, 8192 }, { 0, 8192, 8192 } };
    const char *path = test_path("store");
    MDB_env *env;
    size_t size;
    char *fresh;

    CHECK_INT(mdb_env_create(&env), 0);
    CHECK_INT(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    mdb_env_close(env);
    fresh = test_file(path, &size);
    CHECK_INT(size, 8192);
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        char *left = test_alloc(size);

        memcpy(left, fresh, size);
        memset(left + losses[i].zeros_from, 0, losses[i].zeros_to - losses[i].zeros_from);
        test_write_file(path, left, losses[i].size);
        CHECK_STATUS(open_status(path, plain), PDICT_NOT_A_STORE);
        LMDB->close(open_store(path));
        CHECK_OK(open_status(path, plain));
    }
}

static void open_without_the_lock_file(const char *path)
{
    CHECK(seteuid(65534) == 0);
    CHECK_STATUS(open_status(path, (struct how){ .flags = PDICT_BACKEND_READ_ONLY }),
                 PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), "store-lock") != NULL);
}

TEST(lmdb_files, reading_is_refused_where_the_lock_file_cannot_be_written)
{
    const char *path = test_path("store");

    if (geteuid() != 0)
        SKIP("only root can become somebody else");
    make_full_store(path);
    CHECK(chmod(test_dir(), 0755) == 0 && chmod(path, 0444) == 0);
    CHECK(chmod(test_path("store-lock"), 0444) == 0);
    CHECK_INT(in_child(open_without_the_lock_file, path), 0);
}

/* ---- cut and damaged files ---- */

/* Whatever the statuses: in a child, since what matters is that it ends well. */
static void use_everything(const char *path)
{
    void *self = NULL, *reader, *cursor = NULL;
    pdict_slice name;
    uint32_t map = 0;
    uint64_t count;
    pdict_row row;

    alarm(20);
    if (try_open(path, checked, &self) != PDICT_OK)
        return;
    reader = snapshot(self);
    while (LMDB->map_next(self, reader, map, &map, &name) == PDICT_OK) {
        (void)LMDB->count(self, reader, map, NOW + 100, &count);
        for (unsigned flags = 0; flags < 4; flags++) {
            pdict_scan scan = { .flags = flags };
            if (LMDB->scan_open(self, reader, map, &scan, &cursor) != PDICT_OK)
                continue;
            while (LMDB->scan_next(self, cursor, &row) == PDICT_OK) {
            }
            LMDB->scan_close(self, cursor);
        }
    }
    end_snapshot(self, reader);
    LMDB->close(self);
}

static void check_everything(const char *path)
{
    void *self = open_how(path, checked), *reader = snapshot(self), *cursor = NULL;
    uint64_t expected = 0, count = 0;
    uint32_t map = 0;
    pdict_row row;

    CHECK_OK(LMDB->map_find(self, reader, text("m"), &map));
    CHECK_OK(LMDB->count(self, reader, map, 0, &expected));
    CHECK_OK(LMDB->scan_open(self, reader, map, &(pdict_scan){ .flags = 0 }, &cursor));
    while (LMDB->scan_next(self, cursor, &row) == PDICT_OK)
        count++;
    CHECK_INT(count, expected);
    LMDB->scan_close(self, cursor);
    end_snapshot(self, reader);
    LMDB->close(self);
}

TEST(lmdb_files, a_cut_file_is_damaged_unless_only_free_pages_are_missing)
{
    const char *path = test_path("store");
    size_t size, whole, damaged = 0;

    make_full_store(path);
    test_file(path, &whole);
    for (size = whole - 1; size > 0; size -= size > whole / 97 ? whole / 97 : size) {
        int status;
        CHECK(truncate(path, (off_t)size) == 0);
        status = open_status(path, plain);
        if (status == PDICT_OK)
            CHECK_INT(in_child(check_everything, path), 0);
        else
            CHECK_STATUS(status, size < MAGIC_END ? PDICT_NOT_A_STORE : PDICT_DAMAGED);
        damaged += status == PDICT_DAMAGED;
    }
    CHECK(damaged > 10);
}

TEST(lmdb_files, a_sound_file_passes_the_preflight)
{
    make_full_store(test_path("store"));
    CHECK_OK(open_status(test_path("store"), checked));
    CHECK_OK(open_status(test_path("store"),
                         (struct how){ .flags = PDICT_BACKEND_READ_ONLY, .preflight = true }));
}

/* Where the branch and leaf pages are: the page's own number, and its kind. */
static bool is_tree_page(const char *file, size_t page)
{
    uint64_t number;
    uint16_t flags;

    memcpy(&number, file + page * PAGE, sizeof(number));
    memcpy(&flags, file + page * PAGE + 10, sizeof(flags));
    return number == page && (flags == 1 || flags == 2);
}

/* Overwrite the page that the second entry of a branch page refers to, one page after the other.
 * Pages of earlier commits are free by now and may hold anything, so not every change matters. */
static size_t damaged_by_second_child(const char *path, bool is_first_child)
{
    size_t size, found = 0;
    char *file;

    make_full_store(path);
    file = test_file(path, &size);
    for (size_t page = 2; page < size / PAGE; page++) {
        uint16_t flags, nodes[2], child = (uint16_t)page;
        memcpy(&flags, file + page * PAGE + 10, sizeof(flags));
        memcpy(nodes, file + page * PAGE + 16, sizeof(nodes));
        if (!is_tree_page(file, page) || flags != 1)
            continue;
        if (is_first_child)
            memcpy(&child, file + page * PAGE + nodes[0], sizeof(child));
        overwrite(path, page * PAGE + nodes[1], &child, sizeof(child));
        found += open_status(path, checked) == PDICT_DAMAGED;
        overwrite(path, page * PAGE, file + page * PAGE, PAGE);
    }
    CHECK_OK(open_status(path, checked));
    return found;
}

TEST(lmdb_files, preflight_finds_pages_that_lead_in_a_circle)
{
    CHECK(damaged_by_second_child(test_path("store"), false) > 0);
}

TEST(lmdb_files, preflight_finds_a_page_that_two_places_refer_to)
{
    CHECK(damaged_by_second_child(test_path("store"), true) > 0);
}

/* LMDB moves the entries of a page by their sizes and the page's free space, so both must agree. */
TEST(lmdb_files, preflight_finds_entries_that_do_not_fill_their_page)
{
    const char *path = test_path("store");
    size_t size, pages = 0, damaged = 0;
    char *file;

    make_full_store(path);
    file = test_file(path, &size);
    for (size_t page = 2; page < size / PAGE; page++) {
        uint16_t upper;

        if (!is_tree_page(file, page))
            continue;
        memcpy(&upper, file + page * PAGE + 14, sizeof(upper));
        upper -= 2;
        overwrite(path, page * PAGE + 14, &upper, sizeof(upper));
        pages++;
        damaged += open_status(path, checked) == PDICT_DAMAGED;
        overwrite(path, page * PAGE, file + page * PAGE, PAGE);
    }
    CHECK(damaged > pages / 4); /* the others are free */
    CHECK_OK(open_status(path, checked));
}

/* LMDB takes the newest number, and then the meta page whose turn that number is. */
TEST(lmdb_files, a_newest_commit_in_the_meta_page_of_the_other_ones_is_damage)
{
    const char *path = test_path("store");
    uint64_t number;
    size_t size;
    char *file;

    make_full_store(path);
    file = test_file(path, &size);
    for (size_t page = 0; page < 2; page++) {
        size_t at = page * PAGE + 144;

        number = 1000 + !page;
        overwrite(path, at, &number, sizeof(number));
        CHECK_STATUS(open_status(path, checked), PDICT_DAMAGED);
        overwrite(path, at, file + at, sizeof(number));
    }
    CHECK_OK(open_status(path, checked));
}

/* Where the file keeps the number of its newest commit, and under which numbers its free pages. */
static uint64_t find_free_list(const char *file, size_t *first_key, size_t *last_key)
{
    uint64_t newest, other, root;
    size_t meta = 0;
    uint16_t node, lower;

    memcpy(&newest, file + 144, sizeof(newest));
    memcpy(&other, file + PAGE + 144, sizeof(other));
    if (other > newest) {
        newest = other;
        meta = PAGE;
    }
    memcpy(&root, file + meta + 80, sizeof(root));
    CHECK(is_tree_page(file, root));
    memcpy(&lower, file + root * PAGE + 12, sizeof(lower));
    memcpy(&node, file + root * PAGE + 16, sizeof(node));
    *first_key = root * PAGE + node + 8;
    memcpy(&node, file + root * PAGE + lower - 2, sizeof(node));
    *last_key = root * PAGE + node + 8;
    return newest;
}

/* LMDB takes what is under 0 twice. */
TEST(lmdb_files, preflight_finds_free_pages_of_a_commit_that_never_was)
{
    const char *path = test_path("store");
    size_t size, first_key, last_key;
    uint64_t number = 0, newest;
    char *file;

    make_full_store(path);
    file = test_file(path, &size);
    newest = find_free_list(file, &first_key, &last_key);
    overwrite(path, first_key, &number, sizeof(number));
    CHECK_STATUS(open_status(path, checked), PDICT_DAMAGED);
    overwrite(path, first_key, file + first_key, sizeof(number));
    number = newest + 1;
    overwrite(path, last_key, &number, sizeof(number));
    CHECK_STATUS(open_status(path, checked), PDICT_DAMAGED);
    overwrite(path, last_key, &newest, sizeof(newest));
    CHECK_OK(open_status(path, checked));
}

TEST(lmdb_files, what_passes_the_preflight_is_read_without_a_crash_whatever_byte_is_flipped)
{
    enum {
        FLIPS = TEST_IS_SLOW ? 60 : 300
    };
    const char *path = test_path("store");
    uint64_t state = 11;
    size_t size;
    char *file;

    make_full_store(path);
    file = test_file(path, &size);
    for (int i = 0; i < FLIPS; i++) {
        size_t at;
        char flipped;
        /* Half of them into headers, which matter most. */
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        at = (state >> 20) % size;
        at = i % 2 == 0 ? at : at / PAGE * PAGE + at % 64;
        flipped = (char)(file[at] ^ (1 << (state >> 61)));
        overwrite(path, at, &flipped, 1);
        if (in_child(use_everything, path) != 0)
            FAIL("reading crashed after a flip at byte %zu", at);
        overwrite(path, at, &file[at], 1);
    }
}
