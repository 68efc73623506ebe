/* SPDX-License-Identifier: MIT */
/* URIs: what they split into, and what is refused. */
#include "open/open.h"

#include "test.h"

static pdict_allocator allocator;

static struct uri parsed(const char *text)
{
    pdict_allocator none = { 0 };
    struct uri uri;

    CHECK_OK(pdict__allocator_choose(&none, &allocator));
    CHECK_OK(pdict__uri_parse(text, &allocator, &uri));
    return uri;
}

TEST(uri, splits_into_scheme_path_and_options)
{
    struct uri uri = parsed("sqlite:a/b.db?map=users&timeout=5s");

    CHECK_STR(uri.scheme, "sqlite");
    CHECK_STR(uri.path, "a/b.db");
    CHECK_INT(uri.n_options, 2);
    CHECK_STR(uri.options[0].name, "map");
    CHECK_STR(uri.options[0].value, "users");
    CHECK_STR(uri.options[1].name, "timeout");
    CHECK_STR(uri.options[1].value, "5s");
    pdict__uri_free(&uri);
}

TEST(uri, a_bare_path_is_taken_as_it_stands)
{
    struct uri uri = parsed("./100%.db?map=a%20b");

    CHECK_STR(uri.scheme, NULL);
    CHECK_STR(uri.path, "./100%.db");
    CHECK_STR(uri.options[0].value, "a b");
    pdict__uri_free(&uri);
    uri = parsed("/data/x:y.db");
    CHECK_STR(uri.scheme, NULL);
    CHECK_STR(uri.path, "/data/x:y.db");
    pdict__uri_free(&uri);
}

TEST(uri, escapes_are_undone_in_path_name_and_value)
{
    struct uri uri = parsed("sqlite:a%3Fb%25.db?m%61p=x%26y%3D%7e&mode=");

    CHECK_STR(uri.path, "a?b%.db");
    CHECK_STR(uri.options[0].name, "map");
    CHECK_STR(uri.options[0].value, "x&y=~");
    CHECK_STR(uri.options[1].value, "");
    pdict__uri_free(&uri);
}

TEST(uri, layers_may_stand_in_a_scheme_and_empty_options_are_skipped)
{
    struct uri uri = parsed("fault+sqlite:x?&&a=b&");

    CHECK_STR(uri.scheme, "fault+sqlite");
    CHECK_INT(uri.n_options, 1);
    pdict__uri_free(&uri);
}

TEST(uri, malformed_text_is_refused)
{
    static const char *const bad[] = { "",
                                       "?map=a",
                                       "sqlite:a%",
                                       "sqlite:a%4",
                                       "sqlite:%zz",
                                       "sqlite:a%00b",
                                       "sqlite:a?map",
                                       "sqlite:a?=x",
                                       "sqlite:a?b=%" };
    struct uri uri;

    uri = parsed("x:y"); /* sets the allocator */
    pdict__uri_free(&uri);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_STATUS(pdict__uri_parse(bad[i], &allocator, &uri), PDICT_INVAL);
    CHECK_STATUS(pdict__uri_parse(NULL, &allocator, &uri), PDICT_INVAL);
}
