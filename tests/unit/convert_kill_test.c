/* SPDX-License-Identifier: MIT */
/* Encryption and decryption of a map killed at random moments: the same call goes on, nothing is
 * lost, and of what is encrypted in the end no file holds anything in the clear. */
#include "kill_fixture.h"

static const char *backend;

/* By its key where it is encrypted, or on its way to or from there. */
static pdict *open_either(void)
{
    pdict_options options = test_options(true), none = test_options(false);
    pdict *d;
    int status = pdict_open(recode_uri(backend, NULL), &options, &d);

    if (status == PDICT_NOT_ENCRYPTED)
        status = pdict_open(recode_uri(backend, NULL), &none, &d);
    CHECK_OK(status);
    return d;
}

static void fill_plain(const void *codecs)
{
    pdict *d = recode_open(backend, codecs, false);

    fill_all(d);
    for (unsigned i = 0; i < entries(); i += 7) {
        char key[16], value[128];

        /* A value that is nowhere but in pages that are free now, and one that is not. */
        CHECK_OK(pdict_put(d, entry_key(i, key), pdict_str("plaintext of before"), NULL));
        CHECK_OK(pdict_put(d, entry_key(i, key), entry_value_of(i, value), NULL));
    }
    pdict_close(d);
}

static void convert(const void *codecs)
{
    pdict *d = open_either();

    recode(d, codecs, NULL);
    pdict_close(d);
}

/* Half way or not, everything is there. */
static void look(const void *ctx)
{
    pdict *d = open_either();

    (void)ctx;
    CHECK_INT(count_of(d), entries());
    for (unsigned i = 0; i < entries(); i += 97)
        CHECK(is_entry(d, i));
    pdict_close(d);
}

static void check_sealed(const void *ctx)
{
    pdict_options none = test_options(false);
    pdict *d;

    (void)ctx;
    CHECK_STATUS(pdict_open(recode_uri(backend, NULL), &none, &d), PDICT_NEED_KEY);
    d = recode_open(backend, NULL, true);
    CHECK_INT(count_of(d), entries());
    check_all(d);
    pdict_close(d);
}

static void check_plain(const void *ctx)
{
    pdict_options options = test_options(true);
    pdict *d;

    (void)ctx;
    CHECK_STATUS(pdict_open(recode_uri(backend, NULL), &options, &d), PDICT_NOT_ENCRYPTED);
    d = recode_open(backend, NULL, false);
    CHECK_INT(count_of(d), entries());
    check_all(d);
    pdict_close(d);
}

/* Each moment is as likely as any other, the rewriting of the file included. One that is too late is
 * tried again from the beginning of `from`. */
static void kill_on_the_way(const char *to, const char *from, int64_t *whole_us, unsigned *seed)
{
    unsigned n_killed = 0;

    while (n_killed < kills()) {
        int64_t us = rand_r(seed) % *whole_us;

        if (work_for(convert, to, us)) {
            *whole_us = us + 1;
            finish_work(convert, from);
        } else {
            n_killed++;
        }
        finish_work(look, NULL);
    }
    finish_work(convert, to);
}

static int64_t time_of(const char *codecs)
{
    int64_t began = now_us();

    finish_work(convert, codecs);
    return now_us() - began;
}

static void check_conversions(const char *which, const char *plain, const char *sealed)
{
    int64_t to_sealed_us, to_plain_us;
    unsigned seed = (unsigned)now_us();

    if (TEST_UNDER_TSAN)
        SKIP("ThreadSanitizer takes a lock that a killed process held for one never taken");
    need_codecs();
    if (!pdict__backend_find(which))
        SKIP("the backend is not in this build");
    backend = which;
    fprintf(stderr, "%s, %u entries\n", recode_uri(backend, NULL), entries());
    finish_work(fill_plain, plain);
    CHECK(occurrences("plaintext") > 0);
    to_sealed_us = time_of(sealed);
    to_plain_us = time_of(plain);
    fprintf(stderr, "seed %u; %lld and %lld ms undisturbed\n", seed, (long long)to_sealed_us / 1000,
            (long long)to_plain_us / 1000);
    kill_on_the_way(sealed, plain, &to_sealed_us, &seed);
    finish_work(check_sealed, NULL);
    CHECK_INT(occurrences("plaintext"), 0);
    kill_on_the_way(plain, sealed, &to_plain_us, &seed);
    finish_work(check_plain, NULL);
    finish_work(convert, sealed);
    CHECK_INT(occurrences("plaintext"), 0);
}

TEST(convert_kill, encryption_and_decryption_go_on_sqlite)
{
    check_conversions("sqlite", "raw", "raw,xchacha20");
}

TEST(convert_kill, encryption_and_decryption_go_on_lmdb)
{
    check_conversions("lmdb", "raw", "raw,xchacha20");
}
