/* SPDX-License-Identifier: MIT */
/* The promises of core/value/keycache.c: which openings derive a key, counted by the cipher. */
#include <pdict/ext/register.h>
#include <pdict/pdict.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "value_fixture.h"

/* xchacha20, but that derivations are counted. */
static int derivations;

static int counting_derive(const pdict_kdf *kdf, pdict_slice password, void *out, size_t out_size)
{
    derivations++;
    return pdict_codec_find("xchacha20")->cipher->derive(kdf, password, out, out_size);
}

static const pdict_codec *counting(void)
{
    static pdict_cipher cipher;
    static pdict_codec codec;

    if (codec.cipher)
        return &codec;
    cipher = *need_codec("xchacha20")->cipher;
    cipher.derive = counting_derive;
    codec = *need_codec("xchacha20");
    codec.cipher = &cipher;
    codec.name = "counting";
    codec.id = 200;
    return &codec;
}

static struct secret kept_secret(const char *text)
{
    return (struct secret){ slice_of(text), .is_passphrase = true, .may_keep = true };
}

/* The text of a ring that opens with `secret`. */
static struct buf ring_text(const struct secret *secret)
{
    struct buf text = { .allocator = &test_allocator };
    struct keyring *ring;

    CHECK_OK(
        pdict__keyring_create(counting(), test_map_id, secret, &cheap_kdf, &test_allocator, &ring));
    CHECK_OK(pdict__keyring_encode(ring, &text));
    pdict__keyring_free(ring);
    return text;
}

/* How many derivations it takes to open. */
static int cost_of(const struct buf *text, const struct secret *secret, int expected)
{
    struct keyring *ring;
    int before = derivations;

    CHECK_STATUS(pdict__keyring_open(counting(), test_map_id, slice_of_buf(text), secret,
                                     &test_allocator, &ring),
                 expected);
    pdict__keyring_free(ring);
    return derivations - before;
}

TEST(keycache, a_passphrase_is_derived_once)
{
    struct secret secret = kept_secret("open sesame");
    struct buf text = ring_text(&secret);

    CHECK_INT(derivations, 1);
    CHECK_INT(cost_of(&text, &secret, PDICT_OK), 0);
    pdict__keycache_forget();
    CHECK_INT(cost_of(&text, &secret, PDICT_OK), 1);
    CHECK_INT(cost_of(&text, &secret, PDICT_OK), 0);
    pdict__buf_free(&text);
}

TEST(keycache, it_is_not_asked_by_who_does_not_want_it)
{
    struct secret wants = kept_secret("open sesame"), shuns = secret_passphrase("open sesame");
    struct buf text = ring_text(&shuns);

    CHECK_INT(cost_of(&text, &shuns, PDICT_OK), 1);
    CHECK_INT(cost_of(&text, &wants, PDICT_OK), 1);
    CHECK_INT(cost_of(&text, &shuns, PDICT_OK), 1);
    CHECK_INT(cost_of(&text, &wants, PDICT_OK), 0);
    pdict__buf_free(&text);
}

TEST(keycache, nothing_is_kept_of_a_passphrase_that_opens_no_slot)
{
    struct secret right = kept_secret("right"), wrong = kept_secret("wrong");
    struct buf text = ring_text(&right);

    CHECK_INT(cost_of(&text, &wrong, PDICT_WRONG_KEY), 1);
    CHECK_INT(cost_of(&text, &wrong, PDICT_WRONG_KEY), 1);
    CHECK_INT(cost_of(&text, &right, PDICT_OK), 0);
    pdict__buf_free(&text);
}

TEST(keycache, each_salt_is_derived_for_itself)
{
    struct secret secret = kept_secret("the same everywhere");
    struct buf one = ring_text(&secret), two = ring_text(&secret);

    CHECK_INT(derivations, 2);
    CHECK_INT(cost_of(&one, &secret, PDICT_OK), 0);
    CHECK_INT(cost_of(&two, &secret, PDICT_OK), 0);
    pdict__buf_free(&one);
    pdict__buf_free(&two);
}

TEST(keycache, the_sixteen_used_last_are_kept)
{
    enum {
        RINGS = 17
    };
    struct secret secret = kept_secret("one of many");
    struct buf texts[RINGS];

    for (int i = 0; i < RINGS - 1; i++)
        texts[i] = ring_text(&secret);
    CHECK_INT(cost_of(&texts[0], &secret, PDICT_OK), 0);
    texts[RINGS - 1] = ring_text(&secret); /* in the place of the second */
    CHECK_INT(cost_of(&texts[0], &secret, PDICT_OK), 0);
    for (int i = 2; i < RINGS; i++)
        CHECK_INT(cost_of(&texts[i], &secret, PDICT_OK), 0);
    CHECK_INT(cost_of(&texts[1], &secret, PDICT_OK), 1);
    for (int i = 0; i < RINGS; i++)
        pdict__buf_free(&texts[i]);
}

TEST(keycache, the_child_of_a_fork_has_none_of_it)
{
    struct secret secret = kept_secret("open sesame");
    struct buf text = ring_text(&secret);
    int result;
    pid_t child;

    CHECK_INT(cost_of(&text, &secret, PDICT_OK), 0);
    if ((child = fork()) == 0) {
        int first = cost_of(&text, &secret, PDICT_OK);

        _exit(first * 10 + cost_of(&text, &secret, PDICT_OK));
    }
    CHECK_INT(waitpid(child, &result, 0), child);
    CHECK_INT(WEXITSTATUS(result), 10);
    CHECK_INT(cost_of(&text, &secret, PDICT_OK), 0);
    pdict__buf_free(&text);
}

/* ---- the option ---- */

static int cost_of_store(const char *backend, const char *more)
{
    pdict_options options = PDICT_OPTIONS_INIT;
    int before = derivations;
    char uri[1024];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s:%s?codecs=raw,counting&kdf=test%s", backend,
             test_path("a.store"), more);
    options.passphrase = pdict_str("open sesame");
    CHECK_OK(pdict_open(uri, &options, &d));
    pdict_close(d);
    return derivations - before;
}

static void reopening_costs_nothing(const char *backend)
{
    if (!pdict_backend_find(backend))
        SKIP("this build lacks the backend");
    CHECK_OK(pdict_register_codec(counting()));
    CHECK_INT(cost_of_store(backend, ""), 1); /* created, and opened */
    CHECK_INT(cost_of_store(backend, ""), 0);
    CHECK_INT(cost_of_store(backend, "&key_cache=off"), 1);
    CHECK_INT(cost_of_store(backend, "&key_cache=on"), 0);
}

TEST(keycache, reopening_a_sqlite_store_costs_no_derivation)
{
    reopening_costs_nothing("sqlite");
}

TEST(keycache, reopening_an_lmdb_store_costs_no_derivation)
{
    reopening_costs_nothing("lmdb");
}
