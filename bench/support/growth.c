/* SPDX-License-Identifier: MIT */
/* What growth costs: the same work on ten times the keys. */
#include <stdio.h>

#include "measure/measure.h"
#include "support/plain.h"
#include "support/side.h"

static double open_and_close(int whose)
{
    double start = plain_now_s();

    if (whose == 0) {
        side.engine->open(side_path_of("raw"), false);
        side.engine->close();
    } else {
        pdict_close(side_open_ours("our", false));
    }
    return plain_now_s() - start;
}

static void grow_to(size_t count)
{
    const char *which[PUTS];
    double gets[2][ROUNDS], puts[2][ROUNDS], opens[2][ROUNDS];
    long before_kib;
    pdict *d;

    side.n_keys = count;
    for (int i = 0; i < ROUNDS; i++) {
        opens[0][i] = open_and_close(0);
        opens[1][i] = open_and_close(1);
    }
    before_kib = side_rss_anon_kib();
    side.engine->open(side_path_of("raw"), false);
    d = side_open_ours("our", false);
    for (int i = 0; i < ROUNDS; i++) {
        side_draw();
        for (size_t j = 0; j < PUTS; j++)
            which[j] = side_key_at(side.draws[j]);
        gets[0][i] = side_raw_gets() / GETS * 1e6;
        gets[1][i] = side_our_gets(d) / GETS * 1e6;
        side_play_puts(d, which, &puts[1][i], &puts[0][i]);
    }
    printf("%9zu %8.2f %8.2f %6.2f %9.1f %9.1f %6.2f %8.2f %8.2f %8.1f\n", count,
           bench_median(gets[1], ROUNDS), bench_median(gets[0], ROUNDS),
           bench_median(gets[1], ROUNDS) / bench_median(gets[0], ROUNDS),
           bench_median(puts[1], ROUNDS) / PUTS * 1e6, bench_median(puts[0], ROUNDS) / PUTS * 1e6,
           bench_median(puts[1], ROUNDS) / bench_median(puts[0], ROUNDS),
           bench_median(opens[1], ROUNDS) * 1e3, bench_median(opens[0], ROUNDS) * 1e3,
           (double)(side_rss_anon_kib() - before_kib) / 1024);
    fflush(stdout);
    pdict_close(d);
    side.engine->close();
}

static void load_for_growth(size_t count)
{
    pdict *d = side_open_ours("our", false);

    side_our_load(d, count, BULK, PDICT_PUT_IN_SLICES);
    pdict_close(d);
    side.engine->open(side_path_of("raw"), false);
    side_raw_load(count, BULK);
    side.engine->close();
}

void side_compare_growth(void)
{
    size_t most = side.n_keys;

    printf("gets copied out, updates committed one by one, %s; us each, ms an opening, MiB of "
           "RssAnon that both took together, medians of %d rounds\n\n",
           side.engine->name, ROUNDS);
    printf("%9s %8s %8s %6s %9s %9s %6s %8s %8s %8s\n", "keys", "get", "raw", "ratio", "put", "raw",
           "ratio", "open", "raw", "RssAnon");
    for (size_t count = 10000; count <= most; count *= 10) {
        side_remove_all();
        load_for_growth(count);
        grow_to(count);
    }
    side_remove_all();
}
