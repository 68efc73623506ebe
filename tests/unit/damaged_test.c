/* SPDX-License-Identifier: MIT */
/* What a map says about itself, damaged in the store: it is refused, or done without. */
#include "upkeep_fixture.h"

#include "map/map.h"
#include "store/lifetimes.h"
#include "store/limits.h"

/* ---- writing what no call would ---- */

struct text {
    const char *name;
    pdict_slice value;
};

static int write_inside(void *ctx, struct store *store, void *txn)
{
    const struct text *text = ctx;
    uint32_t map = 0;
    int status = store->backend->map_find(store->engine, txn, pdict_str("main"), &map);

    return status == PDICT_OK ? store->backend->system_put(store->engine, txn, map,
                                                           pdict_str(text->name), text->value)
                              : status;
}

/* As another program would that knows the engine; every handle reads its settings again. */
static void write_text(pdict *d, const char *name, pdict_slice value)
{
    struct text text = { name, value };
    struct commit commit = { .work = write_inside, .changes_settings = true, .ctx = &text };

    CHECK_OK(pdict__commit_for(d, &commit, PDICT_COMMIT_FULL));
}

static pdict *open_new(const char *codecs, bool is_sealed)
{
    pdict *d;

    need_sqlite();
    d = map_open(uri_of("sqlite", "a.db"), "main", codecs, is_sealed);
    put(d, "key", "a value");
    return d;
}

static int reopen(bool is_sealed)
{
    pdict_options options = test_options(is_sealed);
    pdict *d;
    int status = pdict_open(uri_of("sqlite", "a.db"), &options, &d);

    pdict_close(d);
    return status;
}

/* ---- lifetimes and limits ---- */

#define NEWER "\x63"

static void check_refused(const char *name, pdict_slice value, int expected)
{
    pdict *d = open_new("raw", false);

    write_text(d, name, value);
    pdict_close(d);
    CHECK_STATUS(reopen(false), expected);
    unlink(test_path("a.db"));
}

TEST(damaged, lifetimes_of_a_newer_build_are_not_ignored)
{
    check_refused(SYSTEM_LIFETIMES, pdict_bytes(NEWER, 1), PDICT_NEWER_FORMAT);
}

TEST(damaged, malformed_lifetimes_are_refused)
{
    char negative[32] = { 1 };

    check_refused(SYSTEM_LIFETIMES, pdict_bytes("\1too short", 10), PDICT_DAMAGED);
    negative[15] = (char)0x80;
    check_refused(SYSTEM_LIFETIMES, pdict_bytes(negative, 32), PDICT_DAMAGED);
}

TEST(damaged, limits_of_a_newer_build_are_not_ignored)
{
    check_refused(SYSTEM_LIMITS, pdict_bytes(NEWER, 1), PDICT_NEWER_FORMAT);
}

TEST(damaged, malformed_limits_are_refused)
{
    char unknown[24] = { 1, 99 };

    check_refused(SYSTEM_LIMITS, pdict_bytes("\1too short", 10), PDICT_DAMAGED);
    check_refused(SYSTEM_LIMITS, pdict_bytes(unknown, 24), PDICT_DAMAGED);
}

/* ---- codecs ---- */

TEST(damaged, codecs_that_the_descriptor_does_not_vouch_for_are_refused)
{
    check_refused(SYSTEM_CODECS, pdict_str("str"), PDICT_DAMAGED);
    check_refused(SYSTEM_CODECS, pdict_str("raw,,"), PDICT_DAMAGED);
}

TEST(damaged, codecs_that_are_damaged_while_a_map_is_open_are_refused_by_the_next_call)
{
    pdict *d = open_new("raw", false);
    bool is_there;

    write_text(d, SYSTEM_CODECS, pdict_str("str"));
    CHECK_STATUS(pdict_contains(d, pdict_str("key"), &is_there), PDICT_DAMAGED);
    pdict_close(d);
}

/* ---- how far a recode is ---- */

static void check_begun_anew(const char *state)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    pdict *d = open_new("raw", false);

    write_text(d, "recode", pdict_str(state));
    options.codecs = "raw,zlib:6";
    CHECK_OK(pdict_recode(d, &options, &result));
    CHECK(!result.is_resumed);
    CHECK_INT(result.rewritten, 1);
    check_value(d, "key", "a value");
    pdict_close(d);
    CHECK_OK(reopen(false));
    unlink(test_path("a.db"));
}

TEST(damaged, a_note_on_the_way_of_a_recode_that_cannot_be_read_begins_it_anew)
{
    check_begun_anew("");
    check_begun_anew("something else");
    check_begun_anew("pdict-recode 1\njob=7\nphase=later\n");
    check_begun_anew("pdict-recode 1\njob=7\nphase=records\nclears=0\nnext_id=many\n");
    check_begun_anew("pdict-recode 1\njob=7\nphase=records\nclears=0\nnext_id=5\ndone=4\n");
    check_begun_anew("pdict-recode 1\njob=7\nphase=records\nclears=0\nnext_id=5\ndone=4\n"
                     "check=0123456789abcdef\n");
}

/* ---- keyrings ---- */

TEST(damaged, a_keyring_that_is_damaged_while_a_map_is_open_is_read_from_its_copy)
{
    pdict *d = open_new("raw,xchacha20", true);

    write_text(d, SYSTEM_KEYRING, pdict_str("not a keyring"));
    check_value(d, "key", "a value");
    put(d, "key", "another");
    pdict_close(d);
    d = map_open(uri_of("sqlite", "a.db"), "main", NULL, true);
    check_value(d, "key", "another");
    pdict_close(d);
}

static int see_slot(void *ctx, const pdict_slot *slot)
{
    (void)slot;
    ++*(int *)ctx;
    return 0;
}

/* Changed behind the back of the handle, which has its keys. */
static void write_behind(pdict *d, const char *name, pdict_slice value)
{
    struct text text = { name, value };
    struct commit commit = { .work = write_inside, .ctx = &text };

    CHECK_OK(pdict__commit_for(d, &commit, PDICT_COMMIT_FULL));
}

TEST(damaged, slots_are_listed_from_the_copy_and_not_at_all_without_it)
{
    pdict *d = open_new("raw,xchacha20", true);
    int n_slots = 0;

    write_behind(d, SYSTEM_KEYRING, pdict_str(""));
    CHECK_OK(pdict_slots(d, see_slot, &n_slots));
    write_behind(d, SYSTEM_KEYRING, pdict_str("not a keyring"));
    CHECK_OK(pdict_slots(d, see_slot, &n_slots));
    CHECK_INT(n_slots, 2);
    write_behind(d, SYSTEM_KEYRING_COPY, pdict_str("nor is its copy"));
    CHECK_STATUS(pdict_slots(d, see_slot, &n_slots), PDICT_DAMAGED);
    check_value(d, "key", "a value");
    pdict_close(d);
}

static void check_repaired(const char *name)
{
    pdict_repair_options options = PDICT_REPAIR_OPTIONS_INIT;
    pdict *d = open_new("raw,xchacha20", true);
    pdict_store *store;

    write_behind(d, name, pdict_str("not a keyring"));
    pdict_close(d);
    store = store_open(uri_of("sqlite", "a.db"));
    options.key = test_key;
    CHECK_OK(pdict_repair(store, uri_of("sqlite", "b.db"), &options, NULL));
    pdict_store_close(store);
    d = map_open(uri_of("sqlite", "b.db"), "main", NULL, true);
    check_value(d, "key", "a value");
    write_behind(d, strcmp(name, SYSTEM_KEYRING) == 0 ? SYSTEM_KEYRING_COPY : SYSTEM_KEYRING,
                 pdict_str("-"));
    pdict_close(d);
    d = map_open(uri_of("sqlite", "b.db"), "main", NULL, true);
    check_value(d, "key", "a value");
    pdict_close(d);
    unlink(test_path("a.db"));
    unlink(test_path("b.db"));
}

TEST(damaged, repair_makes_two_keyrings_of_the_one_that_is_whole)
{
    static const char *const names[] = { SYSTEM_KEYRING, SYSTEM_KEYRING_COPY };

    for (size_t i = 0; i < 2; i++)
        check_repaired(names[i]);
}
