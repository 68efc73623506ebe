/* SPDX-License-Identifier: MIT */
/* Layers: how a URI stacks them, whose options they take, and what the two of the tree do. */
#include "map/map.h"
#include "maps.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_built(const char *backend)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind == PDICT_INFO_BACKEND && strcmp(info.name, backend) == 0)
            return true;
    }
    return false;
}

static void need_layers(void)
{
    if (!is_built("fault") || !is_built("trace") || !is_built("sqlite"))
        SKIP("this build lacks fault, trace or sqlite");
}

static int try_open(const char *uri, pdict **out)
{
    pdict_options options = test_options(false);

    return pdict_open(uri, &options, out);
}

static const char *uri_of(const char *scheme, const char *name, const char *query)
{
    static char uri[2][1024];
    static int turn;
    char *out = uri[turn++ % 2];

    snprintf(out, sizeof(uri[0]), "%s:%s%s", scheme, test_path("%s", name), query);
    return out;
}

/* The open fails with that status, and the text holds both words. */
static void refused(const char *uri, int expected, const char *word, const char *other_word)
{
    pdict *d;

    CHECK_STATUS(try_open(uri, &d), expected);
    CHECK(d == NULL);
    if (!strstr(pdict_error_text(), word) || !strstr(pdict_error_text(), other_word))
        FAIL("'%s' does not say '%s' and '%s'", pdict_error_text(), word, other_word);
}

/* ---- stacking ---- */

TEST(layers, a_layer_without_a_backend_is_refused)
{
    need_layers();
    refused("fault:x", PDICT_INVAL, "layer", "fault+BACKEND");
    refused("trace+fault:x", PDICT_INVAL, "layer", "fault+BACKEND");
}

TEST(layers, a_backend_above_another_is_refused)
{
    need_layers();
    refused("memory+sqlite:x", PDICT_INVAL, "memory", "no layer");
}

TEST(layers, an_unknown_part_is_named_with_the_near_match)
{
    need_layers();
    refused("falt+sqlite:x", PDICT_UNKNOWN_BACKEND, "'falt'", "did you mean 'fault'");
    refused("fault+sqlte:x", PDICT_UNKNOWN_BACKEND, "'sqlte'", "did you mean 'sqlite'");
    refused("fault+:x", PDICT_UNKNOWN_BACKEND, "''", "no backend");
}

TEST(layers, more_of_them_than_fit_are_refused)
{
    pdict *d;

    need_layers();
    refused("trace+trace+trace+trace+memory:x", PDICT_INVAL, "more than 4", "leave");
    CHECK_OK(try_open("trace+fault+trace+memory:x", &d));
    pdict_close(d);
}

TEST(layers, stats_name_the_whole_stack)
{
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d;

    need_layers();
    CHECK_OK(try_open(uri_of("fault+trace+sqlite", "a.db", ""), &d));
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_STR(stats.backend, "fault+trace+sqlite");
    CHECK(stats.file_bytes > 0);
    pdict_close(d);
}

TEST(layers, what_is_written_with_them_is_read_without)
{
    pdict *d;

    need_layers();
    CHECK_OK(try_open(uri_of("fault+trace+sqlite", "a.db", ""), &d));
    put(d, "key", "value");
    pdict_close(d);
    CHECK_OK(try_open(uri_of("sqlite", "a.db", "?mode=rw"), &d));
    check_value(d, "key", "value");
    pdict_close(d);
}

TEST(layers, one_file_with_two_stacks_is_a_contradiction_that_names_both)
{
    pdict *d;

    need_layers();
    CHECK_OK(try_open(uri_of("fault+sqlite", "a.db", ""), &d));
    refused(uri_of("sqlite", "a.db", ""), PDICT_CONTRADICTION, "backend=fault+sqlite",
            "backend=sqlite");
    refused(uri_of("trace+sqlite", "a.db", ""), PDICT_CONTRADICTION, "backend=fault+sqlite",
            "backend=trace+sqlite");
    pdict_close(d);
}

TEST(layers, one_name_in_memory_with_two_stacks_is_a_contradiction)
{
    pdict *d;

    need_layers();
    CHECK_OK(try_open("memory:x", &d));
    refused("trace+memory:x", PDICT_CONTRADICTION, "backend=memory", "backend=trace+memory");
    pdict_close(d);
}

TEST(layers, a_bare_path_joins_the_stack_it_is_open_with)
{
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d, *bare;

    need_layers();
    CHECK_OK(try_open(uri_of("trace+sqlite", "a.db", ""), &d));
    CHECK_OK(try_open(test_path("a.db"), &bare));
    CHECK_OK(pdict_stats_get(bare, 0, &stats));
    CHECK_STR(stats.backend, "trace+sqlite");
    pdict_close(bare);
    pdict_close(d);
}

/* ---- options ---- */

TEST(layers, options_of_every_level_are_taken)
{
    pdict *d;

    need_layers();
    CHECK_OK(try_open(uri_of("fault+sqlite", "a.db", "?fail=get:1:IO&page_cache=1MiB"), &d));
    refused(uri_of("fault+sqlite", "a.db", "?page_cache=2MiB"), PDICT_CONTRADICTION, "page_cache",
            "2MiB");
    refused(uri_of("fault+sqlite", "a.db", "?fail=get:2:IO"), PDICT_CONTRADICTION, "fail",
            "get:2:IO");
    pdict_close(d);
}

TEST(layers, an_unknown_option_is_named_with_the_near_match_of_any_level)
{
    need_layers();
    refused(uri_of("fault+sqlite", "a.db", "?faill=1"), PDICT_UNKNOWN_OPTION, "fault+sqlite",
            "did you mean 'fail'");
    refused(uri_of("fault+sqlite", "a.db", "?page_cash=1"), PDICT_UNKNOWN_OPTION, "fault+sqlite",
            "did you mean 'page_cache'");
    refused(uri_of("sqlite", "a.db", "?fail=get"), PDICT_UNKNOWN_OPTION, "'fail'", "sqlite");
}

/* ---- fault ---- */

TEST(layers, a_malformed_rule_is_refused_before_anything_is_made)
{
    static const char *const rules[] = { "gets",    "get:0",     "get:1:OK",  "get:1:NOSUCH",
                                         "get:1+x", "get:1:IO:", "get::IO:1", "get:x" };

    need_layers();
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        char uri[64];

        snprintf(uri, sizeof(uri), "fault+memory:x?fail=%s", rules[i]);
        refused(uri, PDICT_INVAL, "fail=", "CALL");
    }
    refused("fault+memory:x?corrupt=apply", PDICT_INVAL, "corrupt=", "returns a value");
    refused("fault+memory:x?delay=get:1:IO", PDICT_INVAL, "delay=", "MILLISECONDS");
}

/* The statuses of the first gets, as one letter each: '.' for OK. */
static const char *gets(const char *rule)
{
    static char out[8];
    char uri[128];
    pdict *d;

    snprintf(uri, sizeof(uri), "fault+memory:?cache=off&fail=%s", rule);
    CHECK_OK(try_open(uri, &d));
    put(d, "key", "value");
    for (int i = 0; i < 5; i++) {
        pdict_view view;
        int status = pdict_get(d, pdict_str("key"), &view);

        out[i] = '.';
        if (status != PDICT_OK)
            out[i] = pdict_status_name(status)[strlen("PDICT_")];
        pdict_view_release(&view);
    }
    pdict_close(d);
    return out;
}

TEST(layers, the_nth_call_fails_once_or_from_then_on_with_the_status_asked_for)
{
    need_layers();
    CHECK_STR(gets("get"), "I....");
    CHECK_STR(gets("get:3"), "..I..");
    CHECK_STR(gets("get:3:BUSY"), "..B..");
    CHECK_STR(gets("get:3+:DAMAGED"), "..DDD");
    CHECK_STR(gets("get:BUSY"), "B....");
    CHECK_STR(gets("get:6"), ".....");
    CHECK_STR(gets("scan_next:1+"), ".....");
}

TEST(layers, a_call_that_is_delayed_works_otherwise)
{
    pdict *d;

    need_layers();
    CHECK_OK(try_open("fault+memory:?delay=get:1:0", &d));
    put(d, "key", "value");
    check_value(d, "key", "value");
    pdict_close(d);
}

/* ---- trace ---- */

struct lines {
    char text[16384];
    size_t size;
};

static void keep_line(void *ctx, int level, const char *component, int status, const char *message)
{
    struct lines *lines = ctx;
    int size = snprintf(lines->text + lines->size, sizeof(lines->text) - lines->size,
                        "%d %s %s %s\n", level, component, message, pdict_status_name(status));

    if (size > 0 && (size_t)size < sizeof(lines->text) - lines->size)
        lines->size += (size_t)size;
}

static struct lines *trace_of(const char *uri, int level)
{
    struct lines *lines = test_alloc(sizeof(*lines));
    pdict_options options = test_options(false);
    pdict_view view;
    pdict *d;

    lines->text[0] = '\0';
    lines->size = 0;
    options.logger = (pdict_logger){ keep_line, lines, level };
    options.settings = &(pdict_setting){ "cache", "off" };
    options.n_settings = 1;
    CHECK_OK(pdict_open(uri, &options, &d));
    put(d, "Geheim", "Schatz");
    pdict_get(d, pdict_str("Geheim"), &view);
    pdict_view_release(&view);
    pdict_close(d);
    return lines;
}

TEST(layers, trace_writes_a_line_for_each_call_with_sizes_and_status)
{
    struct lines *lines;

    need_layers();
    lines = trace_of("trace+memory:x", PDICT_LOG_DEBUG);
    CHECK(strstr(lines->text, "4 trace open memory"));
    CHECK(strstr(lines->text, "4 trace map_find map 0 PDICT_NO_MAP\n"));
    CHECK(strstr(lines->text, "1 changes, keys 6 bytes, values "));
    CHECK(strstr(lines->text, "write_commit PDICT_OK\n"));
    CHECK(strstr(lines->text, "get map 1, key 6 bytes, value "));
    CHECK(strstr(lines->text, "close PDICT_OK\n"));
}

TEST(layers, trace_never_writes_a_key_a_value_or_a_name)
{
    struct lines *lines;

    need_layers();
    lines = trace_of(uri_of("trace+sqlite", "a.db", "?map=Schublade"), PDICT_LOG_DEBUG);
    CHECK(lines->size > 0);
    CHECK(!strstr(lines->text, "Geheim") && !strstr(lines->text, "Schatz"));
    CHECK(!strstr(lines->text, "Schublade"));
}

TEST(layers, trace_is_silent_below_the_level_debug)
{
    need_layers();
    CHECK_INT(trace_of("trace+memory:x", PDICT_LOG_INFO)->size, 0);
}

TEST(layers, the_leftmost_is_the_outermost)
{
    need_layers();
    CHECK(strstr(trace_of("trace+fault+memory:x?fail=get", PDICT_LOG_DEBUG)->text,
                 "get map 1, key 6 bytes, value 0 bytes PDICT_IO"));
    CHECK(!strstr(trace_of("fault+trace+memory:x?fail=get", PDICT_LOG_DEBUG)->text, " get map"));
}

/* Above memory, which has none of them. */
static void check_optional_members(const char *uri)
{
    const pdict_backend_events events = { .struct_size = sizeof(events) };
    const pdict_backend *layer;
    uint64_t left = 1;
    void *reader, *engine;
    struct store *store;
    pdict *d;

    CHECK_OK(try_open(uri, &d));
    store = d->map->store;
    layer = store->backend;
    engine = store->engine;
    CHECK_OK(pdict__read_begin(store, &reader));
    CHECK_INT(layer->log_bytes(engine), 0);
    CHECK_OK(layer->checkpoint(engine, true));
    CHECK_OK(layer->sync(engine));
    CHECK_OK(layer->check(engine, reader, 0, &events));
    CHECK_STATUS(layer->backup(engine, test_path("copy"), &events), PDICT_UNSUPPORTED);
    CHECK_OK(layer->compact(engine, 4096, 0, &left));
    CHECK_INT(left, 0);
    layer->trim(engine, reader);
    pdict__read_end(store, reader);
    pdict_close(d);
}

TEST(layers, what_the_backend_below_lacks_does_what_its_absence_means)
{
    need_layers();
    check_optional_members("trace+memory:x");
    check_optional_members("fault+memory:y");
}
