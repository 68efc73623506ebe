/* SPDX-License-Identifier: MIT */
/* Three fixed pieces of work, to be counted in instructions: a gate that no busy machine can shift.
 *
 *     instructions get|put|codec N
 *
 * tests/bench/instructions.sh runs each under callgrind, for N and for 2 N; the difference is what N
 * operations cost, without opening and loading.
 */
#include <pdict/pdict.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 500

static int die(const char *what)
{
    fprintf(stderr, "instructions: %s: %s\n", what, pdict_error_text());
    return 1;
}

static pdict_slice key_of(char text[32], uint64_t number)
{
    snprintf(text, 32, "%020" PRIu64, number * UINT64_C(0x9e3779b97f4a7c15));
    return pdict_bytes(text, 20);
}

/* Text of the kind that compresses, different for each number. */
static pdict_slice value_of(char text[512], uint64_t number)
{
    int size = snprintf(text, 512,
                        "{\"name\":\"user-%" PRIu64 "\",\"mail\":\"user-%" PRIu64
                        "@example.org\",\"visits\":%" PRIu64 ",\"active\":true}",
                        number, number * 7, number * 13);

    return pdict_bytes(text, (size_t)size);
}

static int put(pdict *map, uint64_t number)
{
    char key[32];
    char value[512];

    return pdict_put(map, key_of(key, number % KEYS), value_of(value, number), NULL);
}

static int get(pdict *map, uint64_t number)
{
    char key[32];
    pdict_view view;
    int status = pdict_get(map, key_of(key, number % KEYS), &view);

    pdict_view_release(&view);
    return status;
}

static int run(const char *uri, int (*operation)(pdict *map, uint64_t number), uint64_t count)
{
    pdict *map = NULL;
    int status = pdict_open(uri, NULL, &map);

    for (uint64_t i = 0; i < KEYS && status == PDICT_OK; i++)
        status = put(map, i);
    for (uint64_t i = 0; i < count && status == PDICT_OK; i++)
        status = operation(map, i);
    pdict_close(map);
    return status;
}

int main(int argc, char **argv)
{
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    int status = PDICT_INVAL;

    if (count == 0)
        return fprintf(stderr, "usage: instructions get|put|codec N\n"), 2;
    if (strcmp(argv[1], "get") == 0)
        status = run("sqlite:instructions.db?durability=unsafe&cache=off", get, count);
    else if (strcmp(argv[1], "put") == 0)
        status = run("sqlite:instructions.db?durability=unsafe&cache=off", put, count);
    else if (strcmp(argv[1], "codec") == 0)
        status = run("memory:instructions?codecs=raw,zstd:3", put, count);
    return status == PDICT_OK ? 0 : die(argv[1]);
}
