/* SPDX-License-Identifier: MIT */
/* Status names, error texts, option specs, buffers, random versions, time. */
#include "base/base.h"

#include <pdict/pdict.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static pdict_allocator system_allocator(void)
{
    pdict_allocator none = { 0 }, allocator;

    CHECK_OK(pdict__allocator_choose(&none, &allocator));
    return allocator;
}

/* ---- statuses and error text ---- */

TEST(base, every_status_has_a_name_and_a_meaning)
{
    for (int status = PDICT_STATUS_LOWEST; status <= 0; status++) {
        CHECK(strcmp(pdict_status_name(status), "PDICT_?") != 0);
        CHECK(strcmp(pdict_status_text(status), "not a pdict status") != 0);
    }
    CHECK_STR(pdict_status_name(PDICT_NOTFOUND), "PDICT_NOTFOUND");
    CHECK_STR(pdict_status_name(1), "PDICT_?");
    CHECK_STR(pdict_status_text(-1000), "not a pdict status");
}

static void *fail_elsewhere(void *text)
{
    CHECK_STR(pdict_error_text(), "");
    pdict_fail(PDICT_IO, "%s", (const char *)text);
    return NULL;
}

TEST(base, each_thread_has_its_own_error_text)
{
    pthread_t thread;

    CHECK_INT(pdict_fail(PDICT_FULL, "ours %d", 1), PDICT_FULL);
    CHECK_INT(pthread_create(&thread, NULL, fail_elsewhere, (char[]){ "theirs" }), 0);
    pthread_join(thread, NULL);
    CHECK_STR(pdict_error_text(), "ours 1");
}

TEST(base, an_error_text_may_quote_the_old_one_and_is_cut_at_511_bytes)
{
    char longer[1000];

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    pdict_fail(PDICT_IO, "inner");
    pdict_fail(PDICT_IO, "outer: %s", pdict_error_text());
    CHECK_STR(pdict_error_text(), "outer: inner");
    pdict_fail(PDICT_IO, "%s", longer);
    CHECK_INT(strlen(pdict_error_text()), 511);
}

TEST(base, versions_of_header_and_library_agree)
{
    CHECK_STR(pdict_version(), PDICT_VERSION_STRING);
}

/* ---- memory ---- */

TEST(base, an_allocator_is_given_whole_or_not_at_all)
{
    pdict_allocator partial = system_allocator(), chosen;

    CHECK_OK(pdict__allocator_choose(&partial, &chosen));
    CHECK(pdict__allocator_same(&partial, &chosen));
    partial.release = NULL;
    CHECK_STATUS(pdict__allocator_choose(&partial, &chosen), PDICT_INVAL);
}

static void *no_memory(void *ctx, size_t size)
{
    (void)ctx;
    (void)size;
    return NULL;
}

static void *no_more_memory(void *ctx, void *memory, size_t size)
{
    (void)memory;
    return no_memory(ctx, size);
}

TEST(base, an_allocation_of_nothing_is_a_pointer_and_one_too_large_is_refused)
{
    pdict_allocator allocator = system_allocator();
    void *memory = pdict__alloc(&allocator, 0);

    CHECK(memory != NULL);
    pdict__free(&allocator, memory);
    pdict__free(&allocator, NULL);
    CHECK(pdict__calloc(&allocator, SIZE_MAX / 2, 3) == NULL);
    allocator.allocate = no_memory;
    CHECK(pdict__alloc(&allocator, 77) == NULL);
    CHECK(strstr(pdict_error_text(), "77 bytes") != NULL);
    CHECK(strstr(pdict_error_text(), "out of memory") != NULL);
}

TEST(base, a_buffer_grows_and_keeps_its_content)
{
    pdict_allocator allocator = system_allocator();
    struct buf buf = { .allocator = &allocator };

    for (int i = 0; i < 1000; i++)
        CHECK_OK(pdict__buf_printf(&buf, "%03d", i));
    CHECK_INT(buf.size, 3000);
    CHECK_BYTES(buf.data + 3 * 517, 3, "517", 3);
    CHECK_STATUS(pdict__buf_append(&buf, "", SIZE_MAX), PDICT_NOMEM);
    allocator.reallocate = no_more_memory;
    CHECK_STATUS(pdict__buf_reserve(&buf, 1 << 20), PDICT_NOMEM);
    CHECK_BYTES(buf.data, 3, "000", 3);
    pdict__buf_free(&buf);
    CHECK_INT(buf.size, 0);
}

/* ---- options ---- */

static const pdict_option_spec specs[] = {
    { .name = "level", .type = PDICT_OPTION_INT, .fallback = "3", .min = -7, .max = 19 },
    { .name = "cache", .type = PDICT_OPTION_SIZE, .fallback = "1KiB", .max = 1 << 20 },
    { .name = "wait", .type = PDICT_OPTION_DURATION, .fallback = "2s", .min = 1, .max = 60000 },
    { .name = "sync", .type = PDICT_OPTION_CHOICE, .fallback = "b", .choices = "a|b|cc" },
    { .name = "fast", .type = PDICT_OPTION_FLAG, .fallback = "off" },
    { .name = "path", .type = PDICT_OPTION_TEXT },
    { .name = NULL },
};

TEST(base, options_begin_at_their_fallbacks)
{
    pdict_allocator allocator = system_allocator();
    struct option_set set;

    CHECK_OK(pdict__options_init(&set, specs, &allocator));
    CHECK_INT(set.count, 6);
    CHECK_INT(set.values[0].number, 3);
    CHECK_INT(set.values[1].number, 1024);
    CHECK_INT(set.values[2].number, 2000);
    CHECK_INT(set.values[3].number, 1);
    CHECK_INT(set.values[4].number, 0);
    CHECK_STR(set.values[5].text, NULL);
    for (size_t i = 0; i < set.count; i++)
        CHECK(!set.values[i].is_set);
    pdict__options_free(&set);
}

TEST(base, options_take_legal_values_of_their_type_only)
{
    static const struct {
        size_t at;
        const char *text;
        int64_t number; /* -1000: refused */
    } cases[] = {
        { 0, "-7", -7 },      { 0, "20", -1000 },  { 0, "three", -1000 }, { 1, "1MiB", 1 << 20 },
        { 1, "2MiB", -1000 }, { 2, "60s", 60000 }, { 2, "0", -1000 },     { 3, "a", 0 },
        { 3, "cc", 2 },       { 3, "c", -1000 },   { 3, "", -1000 },      { 4, "on", 1 },
        { 4, "off", 0 },      { 4, "yes", -1000 }, { 5, "anything", 0 },
    };
    pdict_allocator allocator = system_allocator();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_legal = cases[i].number != -1000;
        struct option_set set;

        CHECK_OK(pdict__options_init(&set, specs, &allocator));
        CHECK_STATUS(pdict__options_set(&set, cases[i].at, cases[i].text, "owner"),
                     is_legal ? PDICT_OK : PDICT_INVAL);
        CHECK_INT(set.values[cases[i].at].is_set, is_legal);
        if (is_legal)
            CHECK_INT(set.values[cases[i].at].number, cases[i].number);
        pdict__options_free(&set);
    }
}

TEST(base, a_refused_option_says_what_would_be_legal)
{
    static const char *const legal[] = { "a number from -7 to 19", "a size from 0 to 1048576",
                                         "a duration from 1 to 60000", "one of a|b|cc",
                                         "on or off" };
    pdict_allocator allocator = system_allocator();
    struct option_set set;

    CHECK_OK(pdict__options_init(&set, specs, &allocator));
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        CHECK_STATUS(pdict__options_set(&set, i, "?", "zz"), PDICT_INVAL);
        CHECK(strstr(pdict_error_text(), legal[i]) != NULL);
        CHECK(strstr(pdict_error_text(), "zz: ") == pdict_error_text());
    }
    pdict__options_free(&set);
}

TEST(base, an_option_given_twice_must_be_the_same)
{
    pdict_allocator allocator = system_allocator();
    struct option_set set;

    CHECK_OK(pdict__options_init(&set, specs, &allocator));
    CHECK_OK(pdict__options_set(&set, 0, "5", "zz"));
    CHECK_OK(pdict__options_set(&set, 0, "5", "zz"));
    CHECK_STATUS(pdict__options_set(&set, 0, "6", "zz"), PDICT_CONTRADICTION);
    CHECK_INT(set.values[0].number, 5);
    CHECK_INT(pdict__options_find(&set, "path"), 5);
    CHECK_INT(pdict__options_find(&set, "nothing"), -1);
    pdict__options_free(&set);
    CHECK_OK(pdict__options_init(&set, NULL, &allocator));
    CHECK_INT(set.count, 0);
    pdict__options_free(&set);
}

/* ---- extensions ---- */

TEST(base, extensions_are_found_by_name_and_id)
{
    const pdict_codec *codec = pdict__codec_find("zstd");

    CHECK(codec != NULL);
    CHECK(pdict__codec_by_id(PDICT_COMPRESSOR, codec->id) == codec);
    CHECK(pdict__codec_by_id(PDICT_CIPHER, 250) == NULL);
    CHECK(pdict__codec_find("zst") == NULL);
    CHECK(pdict__backend_find("memory") != NULL);
    CHECK(pdict__backend_find("mem") == NULL);
    CHECK(pdict__backend_at(1000) == NULL);
    CHECK(pdict__codec_at(1000) == NULL);
}

/* ---- random and time ---- */

TEST(base, versions_are_63_bits_and_never_zero)
{
    uint64_t all = 0, version;

    for (int i = 0; i < 10000; i++) {
        CHECK_OK(pdict__random_version(&version));
        CHECK(version != 0);
        all |= version;
    }
    CHECK(all == UINT64_MAX >> 1);
}

TEST(base, a_child_of_a_fork_draws_other_versions_than_its_parent)
{
    uint64_t ours, theirs;
    int channel[2], exit_status;
    pid_t child;

    CHECK_OK(pdict__random_version(&ours)); /* a block is fetched and partly used */
    CHECK_INT(pipe(channel), 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        _exit(pdict__random_version(&theirs) != PDICT_OK ||
              write(channel[1], &theirs, sizeof(theirs)) != sizeof(theirs));
    }
    CHECK_INT(read(channel[0], &theirs, sizeof(theirs)), sizeof(theirs));
    CHECK_INT(waitpid(child, &exit_status, 0), child);
    CHECK_INT(exit_status, 0);
    CHECK_OK(pdict__random_version(&ours));
    CHECK(ours != theirs);
    close(channel[0]);
    close(channel[1]);
}

TEST(base, adding_to_a_time_saturates)
{
    CHECK_INT(pdict__time_add(1000, 500), 1500);
    CHECK_INT(pdict__time_add(1000, INT64_MAX), INT64_MAX);
    CHECK_INT(pdict__time_add(-1000, INT64_MAX), INT64_MAX - 1000);
    CHECK(pdict__system_now_ms(NULL) > 1600000000000);
}

TEST(base, expired_is_from_the_deadline_on_and_zero_is_never)
{
    CHECK(!pdict__expired(0, INT64_MAX));
    CHECK(!pdict__expired(1000, 999));
    CHECK(pdict__expired(1000, 1000));
}

static int n_logged;

static void count_log(void *ctx, int level, const char *component, int status, const char *message)
{
    (void)ctx;
    (void)level;
    (void)status;
    CHECK_STR(component, "test");
    CHECK_STR(message, "line 7");
    n_logged++;
}

TEST(base, log_lines_above_the_level_are_not_sent)
{
    pdict_logger logger = { .fn = count_log, .level = PDICT_LOG_WARN };
    pdict_logger silent = { .fn = NULL };

    pdict__log(&logger, PDICT_LOG_WARN, "test", 0, "line %d", 7);
    pdict__log(&logger, PDICT_LOG_INFO, "test", 0, "line %d", 7);
    pdict__log(&silent, PDICT_LOG_ERROR, "test", 0, "line %d", 7);
    CHECK_INT(n_logged, 1);
}
