/* SPDX-License-Identifier: MIT */
/* The ten lines: open a map by URI, put, get, and find it again the next time. */
#include <pdict/pdict.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    pdict *d;
    pdict_view view;

    if (pdict_open(argc > 1 ? argv[1] : "sqlite:hello.db?codecs=zstd:3", NULL, &d) != PDICT_OK)
        return fprintf(stderr, "hello: %s\n", pdict_error_text()), 1;
    pdict_put(d, pdict_str("greeting"), pdict_str("hello, persistent world"), NULL);
    if (pdict_get(d, pdict_str("greeting"), &view) == PDICT_OK)
        printf("%.*s\n", (int)view.size, (const char *)view.data);
    pdict_view_release(&view);
    pdict_close(d);
    return 0;
}
