/* SPDX-License-Identifier: MIT */
/* The two tables with nothing in them, and a program that touches the core: it must link alone. */
#include <stddef.h>
#include <stdio.h>

#include <pdict/ext/backend.h>
#include <pdict/ext/codec.h>
#include <pdict/pdict.h>

extern const pdict_backend *const pdict__builtin_backends[];
extern const pdict_codec *const pdict__builtin_codecs[];

const pdict_backend *const pdict__builtin_backends[] = { NULL };
const pdict_codec *const pdict__builtin_codecs[] = { NULL };

int main(void)
{
    puts(pdict_status_name(0));
    return 0;
}
