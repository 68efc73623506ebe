/* SPDX-License-Identifier: MIT */
/* Slots of an encrypted map: who opens it after a slot was added, changed or removed. */
#include "maps.h"

#include <stdio.h>
#include <sys/stat.h>

static const char second_key[33] = "fedcba9876543210fedcba9876543210";

static pdict_secret key_of(const char *bytes)
{
    pdict_secret secret = PDICT_SECRET_INIT;

    secret.key = pdict_bytes(bytes, 32);
    return secret;
}

static pdict_secret passphrase_of(const char *text)
{
    pdict_secret secret = PDICT_SECRET_INIT;

    secret.passphrase = pdict_str(text);
    secret.kdf = "test";
    return secret;
}

static int open_with(const char *backend, const pdict_secret *secret, pdict **out)
{
    pdict_options options = PDICT_OPTIONS_INIT;
    char uri[1024];

    snprintf(uri, sizeof(uri), "%s:%s?codecs=raw,xchacha20&kdf=test", backend,
             test_path("a.store"));
    options.passphrase = secret->passphrase;
    options.key = secret->key;
    return pdict_open(uri, &options, out);
}

static pdict *opened(const char *backend, const pdict_secret *secret)
{
    pdict *d;

    CHECK_OK(open_with(backend, secret, &d));
    return d;
}

static int try_open(const char *backend, const pdict_secret *secret)
{
    pdict *d;
    int status = open_with(backend, secret, &d);

    pdict_close(d);
    return status;
}

/* All slots as a word each: "1k* 2p" is a key that is one's own, and a passphrase. */
static int describe(void *ctx, const pdict_slot *slot)
{
    char *text = ctx;

    sprintf(text + strlen(text), "%s%u%c%s", text[0] ? " " : "", slot->number,
            slot->is_passphrase ? 'p' : 'k', slot->is_own ? "*" : "");
    CHECK(slot->is_passphrase == (slot->memory_bytes > 0));
    return PDICT_OK;
}

static void check_slots(pdict *d, const char *expected)
{
    char text[256] = "";

    CHECK_OK(pdict_slots(d, describe, text));
    CHECK_STR(text, expected);
}

static void an_added_slot_opens(const char *backend)
{
    pdict_secret first = key_of(test_key.data), second = passphrase_of("two words");
    pdict *d = opened(backend, &first);
    unsigned number = 0;

    put(d, "k", "v");
    check_slots(d, "1k*");
    CHECK_STATUS(try_open(backend, &second), PDICT_WRONG_KEY);
    CHECK_OK(pdict_slot_add(d, &second, &number));
    CHECK_INT(number, 2);
    check_slots(d, "1k* 2p");
    pdict_close(d);
    d = opened(backend, &second);
    check_slots(d, "1k 2p*");
    check_value(d, "k", "v");
    put(d, "k", "w");
    pdict_close(d);
    d = opened(backend, &first);
    check_value(d, "k", "w");
    pdict_close(d);
}

TEST(slots, a_secret_that_was_added_opens_the_map_and_the_first_one_too)
{
    an_added_slot_opens("sqlite");
}

TEST(slots, so_it_is_on_lmdb)
{
    an_added_slot_opens("lmdb");
}

TEST(slots, a_read_only_handle_changes_none)
{
    pdict_secret first = key_of(test_key.data), second = key_of(second_key);
    pdict_options options = test_options(false);
    unsigned number;
    pdict *d;

    pdict_close(opened("sqlite", &first));
    options.key = test_key;
    CHECK_OK(pdict_open(test_path("a.store?mode=ro"), &options, &d));
    CHECK_STATUS(pdict_slot_add(d, &second, &number), PDICT_READ_ONLY);
    CHECK_STATUS(pdict_slot_remove(d, 1), PDICT_READ_ONLY);
    check_slots(d, "1k*");
    pdict_close(d);
}

TEST(slots, a_passphrase_opens_after_what_it_became_was_forgotten)
{
    pdict_secret words = passphrase_of("two words"), other = passphrase_of("other words");
    pdict *d = opened("sqlite", &words);

    put(d, "k", "v");
    pdict_close(d);
    pdict_forget_keys();
    CHECK_STATUS(try_open("sqlite", &other), PDICT_WRONG_KEY);
    d = opened("sqlite", &words);
    check_value(d, "k", "v");
    pdict_close(d);
}

TEST(slots, a_changed_slot_opens_with_the_new_secret_only)
{
    pdict_secret old = passphrase_of("old"), new = passphrase_of("new");
    pdict *d = opened("sqlite", &old), *other;

    put(d, "k", "v");
    CHECK_OK(pdict_slot_set(d, 0, &new));
    check_slots(d, "1p*");
    CHECK_STATUS(open_with("sqlite", &old, &other), PDICT_WRONG_KEY);
    other = opened("sqlite", &new);
    check_value(other, "k", "v");
    check_value(d, "k", "v");
    pdict_close(other);
    pdict_close(d);
}

TEST(slots, a_removed_slot_opens_no_more_and_open_handles_go_on)
{
    pdict_secret first = key_of(test_key.data), second = key_of(second_key);
    pdict *d = opened("sqlite", &first);

    CHECK_OK(pdict_slot_add(d, &second, NULL));
    CHECK_OK(pdict_slot_remove(d, 1));
    check_slots(d, "2k");
    put(d, "k", "v");
    CHECK_STATUS(try_open("sqlite", &first), PDICT_WRONG_KEY);
    pdict_close(d);
    d = opened("sqlite", &second);
    check_value(d, "k", "v");
    pdict_close(d);
}

TEST(slots, the_last_one_stays)
{
    pdict_secret first = key_of(test_key.data);
    pdict *d = opened("sqlite", &first);

    CHECK_STATUS(pdict_slot_remove(d, 1), PDICT_MISUSE);
    check_slots(d, "1k*");
    pdict_close(d);
    CHECK_OK(try_open("sqlite", &first));
}

TEST(slots, a_number_that_is_not_there_is_not_found)
{
    pdict_secret first = key_of(test_key.data), second = key_of(second_key);
    pdict *d = opened("sqlite", &first);

    CHECK_STATUS(pdict_slot_remove(d, 2), PDICT_NOTFOUND);
    CHECK_STATUS(pdict_slot_set(d, 16, &second), PDICT_NOTFOUND);
    CHECK_STATUS(pdict_slot_set(d, 4000000000u, &second), PDICT_NOTFOUND);
    check_slots(d, "1k*");
    pdict_close(d);
}

TEST(slots, there_are_sixteen_and_a_freed_number_is_given_again)
{
    pdict_secret first = key_of(test_key.data), second = key_of(second_key);
    pdict *d = opened("sqlite", &first);
    unsigned number;

    for (unsigned i = 2; i <= 16; i++) {
        CHECK_OK(pdict_slot_add(d, &second, &number));
        CHECK_INT(number, i);
    }
    CHECK_STATUS(pdict_slot_add(d, &second, &number), PDICT_TOO_BIG);
    CHECK_OK(pdict_slot_remove(d, 7));
    CHECK_OK(pdict_slot_add(d, &second, &number));
    CHECK_INT(number, 7);
    pdict_close(d);
    CHECK_OK(try_open("sqlite", &first));
}

TEST(slots, bad_secrets_are_refused_and_change_nothing)
{
    pdict_secret first = key_of(test_key.data), bad = PDICT_SECRET_INIT;
    pdict *d = opened("sqlite", &first);

    CHECK_STATUS(pdict_slot_add(d, &bad, NULL), PDICT_INVAL);
    bad.passphrase = pdict_str("x");
    bad.key = test_key;
    CHECK_STATUS(pdict_slot_add(d, &bad, NULL), PDICT_INVAL);
    bad.key = (pdict_slice){ 0 };
    bad.kdf = "cheap";
    CHECK_STATUS(pdict_slot_add(d, &bad, NULL), PDICT_INVAL);
    bad = key_of(second_key);
    bad.key.size = 31;
    CHECK_STATUS(pdict_slot_add(d, &bad, NULL), PDICT_INVAL);
    bad.struct_size = 0;
    CHECK_STATUS(pdict_slot_add(d, &bad, NULL), PDICT_INVAL);
    check_slots(d, "1k*");
    pdict_close(d);
}

TEST(slots, a_plain_map_has_none)
{
    pdict_secret second = key_of(second_key);
    char text[8] = "";
    pdict *d;

    CHECK_OK(pdict_open("memory:", NULL, &d));
    CHECK_STATUS(pdict_slots(d, describe, text), PDICT_NOT_ENCRYPTED);
    CHECK_STATUS(pdict_slot_add(d, &second, NULL), PDICT_NOT_ENCRYPTED);
    CHECK_STATUS(pdict_slot_set(d, 1, &second), PDICT_NOT_ENCRYPTED);
    CHECK_STATUS(pdict_slot_remove(d, 1), PDICT_NOT_ENCRYPTED);
    pdict_close(d);
}

TEST(slots, two_handles_do_not_undo_each_others_changes)
{
    pdict_secret first = key_of(test_key.data), second = key_of(second_key),
                 third = passphrase_of("three");
    pdict *a = opened("sqlite", &first), *b = opened("sqlite", &first);

    CHECK_OK(pdict_slot_add(a, &second, NULL));
    CHECK_OK(pdict_slot_add(b, &third, NULL));
    check_slots(a, "1k* 2k 3p");
    pdict_close(a);
    pdict_close(b);
    CHECK_OK(try_open("sqlite", &second));
    CHECK_OK(try_open("sqlite", &third));
}

static int64_t size_of(const char *suffix)
{
    struct stat facts;

    return stat(test_path("a.store%s", suffix), &facts) == 0 ? facts.st_size : 0;
}

/* On SQLite what is written is what the log grows by. */
TEST(slots, a_change_writes_less_than_64_KiB_of_a_large_map)
{
    pdict_secret old = passphrase_of("old"), new = passphrase_of("new");
    pdict *d = opened("sqlite", &old);
    const int mib = TEST_UNDER_VALGRIND ? 4 : 32;
    static char value[1 << 20];
    char key[32];
    int64_t file, log;

    for (int i = 0; i < mib; i++) {
        sprintf(key, "key %d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, sizeof(value)), NULL));
    }
    pdict_close(d);
    d = opened("sqlite", &old);
    file = size_of("");
    log = size_of("-wal");
    CHECK(file > mib << 20);
    CHECK_OK(pdict_slot_set(d, 0, &new));
    CHECK_INT(size_of(""), file);
    CHECK(size_of("-wal") - log < 64 << 10);
    CHECK(size_of("-wal") > log);
    pdict_close(d);
}
