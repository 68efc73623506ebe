/* SPDX-License-Identifier: MIT */
/* Paths at the limit of what a path can be, and what links of them lead to. */
#include <limits.h>
#include <sys/stat.h>

#include "upkeep_fixture.h"

static int open_path(const char *backend, const char *path)
{
    char *uri = test_alloc(2 * PATH_MAX);
    pdict_options options = test_options(false);
    pdict *d;
    int status;

    snprintf(uri, 2 * PATH_MAX, "%s:%s", backend, path);
    status = pdict_open(uri, &options, &d);
    pdict_close(d);
    return status;
}

/* The same directory, in about `size` bytes. */
static char *long_path(size_t size)
{
    char *path = test_alloc(PATH_MAX + 16);
    int at = snprintf(path, PATH_MAX, "%s", test_path("%s", "store"));

    while ((size_t)at + 2 < size)
        at += snprintf(path + at, 3, "/.");
    return path;
}

TEST(place, a_directory_whose_file_has_too_long_a_path_is_refused)
{
    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    CHECK_INT(mkdir(test_path("%s", "store"), 0700), 0);
    CHECK_STATUS(open_path("lmdb", long_path(PATH_MAX - 1)), PDICT_INVAL);
    CHECK_OK(open_path("lmdb", long_path(1000)));
}

TEST(place, a_path_of_too_many_bytes_is_refused)
{
    need_sqlite();
    CHECK_STATUS(open_path("sqlite", long_path(PATH_MAX + 8)), PDICT_INVAL);
}

TEST(place, a_store_is_made_where_an_absolute_link_leads)
{
    const char *link = test_path("link.db");

    need_sqlite();
    CHECK_INT(symlink(test_path("made.db"), link), 0);
    CHECK_OK(open_path("sqlite", link));
    CHECK(exists(test_path("made.db")));
    CHECK_OK(open_path("sqlite", link));
}

TEST(place, a_link_to_a_path_that_is_too_long_is_refused)
{
    char *target = test_alloc(PATH_MAX);
    int at = snprintf(target, PATH_MAX, "missing");

    need_sqlite();
    while (at + 3 < PATH_MAX)
        at += snprintf(target + at, 3, "/x");
    CHECK_INT(symlink(target, test_path("link.db")), 0);
    CHECK_STATUS(open_path("sqlite", test_path("link.db")), PDICT_INVAL);
}
