/* SPDX-License-Identifier: MIT */
/* Random numbers from the kernel, fetched in blocks; a fork never hands out the parent's block. */
#include <errno.h>
#include <sys/random.h>

#include "base/base.h"

/* One system call for so many versions. */
#define BLOCK_WORDS 32

struct block {
    uint64_t words[BLOCK_WORDS];
    unsigned left;
    unsigned fork_count; /* of the process that drew it */
};

static _Thread_local struct block block;

int pdict__random(void *out, size_t size)
{
    uint8_t *bytes = out;

    while (size > 0) {
        ssize_t got = getrandom(bytes, size, 0);

        if (got < 0 && errno != EINTR)
            return pdict_fail(PDICT_IO, "the system gave no random numbers: %s", strerror(errno));
        if (got > 0) {
            bytes += got;
            size -= (size_t)got;
        }
    }
    return PDICT_OK;
}

static int next_word(uint64_t *out)
{
    unsigned forks = pdict__fork_count();
    int status;

    if (block.left == 0 || block.fork_count != forks) {
        block.left = 0;
        if ((status = pdict__random(block.words, sizeof(block.words))) != PDICT_OK)
            return status;
        block.left = BLOCK_WORDS;
        block.fork_count = forks;
    }
    *out = block.words[--block.left];
    return PDICT_OK;
}

int pdict__random_version(uint64_t *out)
{
    int status;

    do {
        if ((status = next_word(out)) != PDICT_OK)
            return status;
        *out >>= 1; /* 63 bits, so that signed 64-bit columns hold it */
    } while (*out == 0);
    return PDICT_OK;
}
