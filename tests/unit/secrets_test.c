/* SPDX-License-Identifier: MIT */
/* Keys in memory: copied by the forks that hand stores over, wiped in every other child. */
#include "base/calls.h"
#include "fork_fixture.h"
#include "value/value.h"

#include <sys/syscall.h>

#define SIZE 100

static const pdict_cipher *cipher(void)
{
    const pdict_codec *codec = pdict__codec_find("xchacha20");

    if (!codec)
        SKIP("this build has no cipher");
    CHECK_OK(codec->cipher->ready());
    return codec->cipher;
}

static unsigned char *new_secret(void)
{
    unsigned char *secret = pdict__secret_alloc(cipher(), SIZE);

    CHECK(secret != NULL);
    memset(secret, 0x5A, SIZE);
    return secret;
}

/* In a child. */
static void check_and_end(unsigned char *secret, unsigned char expected)
{
    for (int i = 0; i < SIZE; i++)
        CHECK_INT(secret[i], expected);
    pdict__secret_free(cipher(), secret);
    pdict__secret_free(cipher(), new_secret());
    _exit(0);
}

TEST(secrets, a_child_that_goes_on_has_the_keys_and_its_own_children_too)
{
    unsigned char *secret = new_secret();
    pid_t pid;

    NO_FORKS_UNDER_TSAN;
    if ((pid = fork_child()) == 0) {
        if ((pid = fork_child()) == 0)
            check_and_end(secret, 0x5A);
        end_child(pid);
        check_and_end(secret, 0x5A);
    }
    end_child(pid);
    CHECK_INT(secret[0], 0x5A);
    pdict__secret_free(cipher(), secret);
}

TEST(secrets, a_child_that_came_around_the_handlers_finds_them_wiped)
{
    unsigned char *secret = new_secret();
    pid_t pid;

    NO_FORKS_UNDER_TSAN;
    if ((pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)) == 0)
        check_and_end(secret, 0);
    CHECK(pid > 0);
    end_child(pid);
    CHECK_INT(secret[SIZE - 1], 0x5A);
    pdict__secret_free(cipher(), secret);
}

TEST(secrets, a_child_of_a_fork_from_inside_finds_them_wiped)
{
    unsigned char *secret = new_secret();
    pid_t pid;

    NO_FORKS_UNDER_TSAN;
    pdict__call_begin();
    if ((pid = fork_child()) == 0)
        check_and_end(secret, 0);
    pdict__call_end();
    end_child(pid);
    if ((pid = fork_child()) == 0)
        check_and_end(secret, 0x5A);
    end_child(pid);
    pdict__secret_free(cipher(), secret);
}
