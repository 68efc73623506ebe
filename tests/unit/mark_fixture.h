/* SPDX-License-Identifier: MIT */
/* A word that is nowhere else in memory, and the search for it. */
#ifndef PDICT_MARK_FIXTURE_H
#define PDICT_MARK_FIXTURE_H

#include <stdio.h>

#include "test.h"
#include "value_fixture.h"

/* Sanitizers keep memory of their own, too much to search. */
#if defined(__SANITIZE_ADDRESS__)
#define TEST_UNDER_ASAN 1
#else
#define TEST_UNDER_ASAN 0
#endif

/* Compresses, and is found nowhere else; kept inverted, so that it is not found here either. */
#define MARK_SIZE 24

static unsigned char inverted[MARK_SIZE];

static inline void make_mark(void)
{
    if (TEST_UNDER_ASAN || TEST_IS_SLOW)
        SKIP("a sanitizer has memory of its own");
    CHECK_OK(pdict__random(inverted, sizeof(inverted)));
    /* Text-like bytes: what is random is stored by a compressor as it is, behind a value's buffer. */
    for (size_t i = 0; i < MARK_SIZE; i++)
        inverted[i] = (unsigned char)~('a' + inverted[i] % 26);
}

static inline void write_mark(unsigned char *out)
{
    for (size_t i = 0; i < MARK_SIZE; i++)
        out[i] = (unsigned char)~inverted[i];
}

static inline bool has_mark(const volatile unsigned char *at)
{
    for (size_t i = 0; i < MARK_SIZE; i++) {
        if ((unsigned char)~at[i] != inverted[i])
            return false;
    }
    return true;
}

/* Search for these bytes instead, MARK_SIZE of them. */
static inline void mark_is(const void *bytes)
{
    for (size_t i = 0; i < MARK_SIZE; i++)
        inverted[i] = (unsigned char)~((const unsigned char *)bytes)[i];
}

/* All writable memory but the stack, which the kernel lists by name. */
static inline unsigned marks_in_memory(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned found = 0;
    char line[512], rights[5];
    unsigned long from, to;

    CHECK(maps != NULL);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[0] != 'r' ||
            rights[1] != 'w' || strstr(line, "[stack]"))
            continue;
        for (; from + MARK_SIZE <= to; from++)
            found += has_mark((const volatile unsigned char *)from);
    }
    fclose(maps);
    return found;
}

#endif
