/* SPDX-License-Identifier: MIT */
/* Three fixed pieces of work, to be counted in instructions: a gate that no busy machine can shift.
 *
 *     instructions hit|put|codec N
 *
 * tests/bench/support/instructions.sh runs each under callgrind, which counts while measured() runs:
 * neither opening nor loading. Nothing runs in the background, and no
 * snapshot is kept for some time and given back when nobody comes: what is done depends on N alone.
 *
 * hit: a get that the cache answers; put: of a key that is there, on SQLite; codec: a put and a get
 * around the cache, through compression and encryption.
 */
#include <pdict/pdict.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 2000
#define CALM "maintenance=manual&access=off"

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

static int put_and_get(pdict *map, uint64_t number)
{
    int status = put(map, number);

    return status == PDICT_OK ? get(map, number) : status;
}

static int measured(pdict *map, int (*operation)(pdict *map, uint64_t number), uint64_t count)
{
    int status = PDICT_OK;

    for (uint64_t i = 0; i < count && status == PDICT_OK; i++)
        status = operation(map, i);
    return status;
}

/* Not to be inlined: callgrind knows it by its name. */
static int (*volatile call_measured)(pdict *map, int (*operation)(pdict *map, uint64_t number),
                                     uint64_t count) = measured;

static int run(const char *uri, int (*operation)(pdict *map, uint64_t number), uint64_t count)
{
    static const unsigned char key[32] = "the same in every run and nobody";
    pdict_options options = PDICT_OPTIONS_INIT;
    pdict *map = NULL;
    int status;

    if (strstr(uri, "xchacha20"))
        options.key = pdict_bytes(key, sizeof key);
    status = pdict_open(uri, &options, &map);
    /* Once more each, so that the cache has them all. */
    for (uint64_t i = 0; i < 2 * KEYS && status == PDICT_OK; i++)
        status = i < KEYS ? put(map, i) : get(map, i);
    if (status == PDICT_OK)
        status = call_measured(map, operation, count);
    pdict_close(map);
    return status;
}

int main(int argc, char **argv)
{
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    int status = PDICT_INVAL;

    if (count == 0)
        return fprintf(stderr, "usage: instructions hit|put|codec N\n"), 2;
    if (strcmp(argv[1], "hit") == 0)
        status = run("sqlite:instructions.db?durability=unsafe&" CALM, get, count);
    else if (strcmp(argv[1], "put") == 0)
        status = run("sqlite:instructions.db?durability=unsafe&cache=off&" CALM, put, count);
    else if (strcmp(argv[1], "codec") == 0)
        status = run("memory:instructions?codecs=raw,zstd:3,xchacha20&cache=off&" CALM, put_and_get,
                     count);
    return status == PDICT_OK ? 0 : die(argv[1]);
}
