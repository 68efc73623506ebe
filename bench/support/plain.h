/* SPDX-License-Identifier: MIT */
/* What the stand-alone benchmark programs share: they end at the first error, and time in seconds. */
#ifndef PDICT_BENCH_PLAIN_H
#define PDICT_BENCH_PLAIN_H

#include <pdict/pdict.h>

/** Print the program's name and both texts, and end it with status 1. */
_Noreturn void plain_die(const char *what, const char *why);
/** End the program with the library's text unless the status is PDICT_OK. */
void plain_check(int status);
/** malloc(), or the end of the program. */
void *plain_need(size_t size);
/** Monotonic. */
double plain_now_s(void);

#endif
