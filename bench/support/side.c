/* SPDX-License-Identifier: MIT */
/* Data and stores of both sides. */
#include "support/side.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "measure/measure.h"
#include "support/plain.h"

struct side side = { .directory = ".", .n_keys = 200000 };
static struct bench_rng rng;

const char *side_key_at(size_t i)
{
    return side.keys + i * KEY_SIZE;
}

void side_make_data(void)
{
    size_t count = side.n_keys + PUTS;

    bench_rng_seed(&rng, 1, 0);
    side.keys = plain_need(count * KEY_SIZE + 1);
    side.draws = plain_need(GETS * sizeof(*side.draws));
    for (size_t i = 0; i < count; i++)
        snprintf(side.keys + i * KEY_SIZE, KEY_SIZE + 1, "%020" PRIu64, bench_rng_next(&rng));
    for (size_t i = 0; i < VALUE_SIZE; i++)
        side.value[i] = (char)bench_rng_next(&rng);
}

void side_free_data(void)
{
    free(side.keys);
    free(side.draws);
}

void side_draw(void)
{
    for (size_t i = 0; i < GETS; i++)
        side.draws[i] = (uint32_t)(bench_rng_next(&rng) % side.n_keys);
}

long side_rss_anon_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    long kib = 0;

    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "RssAnon: %ld", &kib) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kib;
}

/* ---- files ---- */

const char *side_path_of(const char *name)
{
    static char path[2][1024];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[0]), "%s/beside-%s-%s", side.directory, side.engine->scheme,
             name);
    return path[turn];
}

void side_remove_store(const char *name)
{
    char path[1100];

    for (const char *const *suffix = side.engine->suffixes; *suffix; suffix++) {
        snprintf(path, sizeof(path), "%s%s", side_path_of(name), *suffix);
        unlink(path);
    }
}

void side_remove_all(void)
{
    side_remove_store("raw");
    side_remove_store("our");
    side_remove_store("bulk");
}

pdict *side_open_ours(const char *name, bool is_synced)
{
    char uri[1200];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s:%s?cache=off&durability=%s%s", side.engine->scheme,
             side_path_of(name), is_synced ? "full" : "ordered", side.engine->options);
    plain_check(pdict_open(uri, NULL, &d));
    return d;
}
