/* SPDX-License-Identifier: MIT */
/* Goals on trained dictionaries: bytes and time of records that the training has not seen. */
#include "codecs/codec.h"
#include "goals/goal.h"

#include <string.h>

/* The same map twice, one with a dictionary. */
struct twins {
    struct records records;
    size_t n_trained; /* the records before it are for training */
    pdict *maps[2];
};

enum {
    WITHOUT,
    WITH
};

static int put_range(pdict *d, const struct records *records, size_t from, size_t to)
{
    int status = PDICT_OK;

    for (size_t i = from; i < to && status == PDICT_OK; i++)
        status = pdict_put(d, pdict_bytes(&i, sizeof i), records_value(records, i), NULL);
    return status;
}

static int look(void *ctx, const pdict_view *view)
{
    *(uint64_t *)ctx += view->size;
    return PDICT_OK;
}

static int get_range(pdict *d, size_t from, size_t to)
{
    uint64_t bytes = 0;
    int status = PDICT_OK;

    for (size_t i = from; i < to && status == PDICT_OK; i++)
        status = pdict_get_with(d, pdict_bytes(&i, sizeof i), look, &bytes);
    return status;
}

static int twins_make(struct goal_run *run, struct twins *out)
{
    static const char *const uris[2] = { "memory:without?codecs=raw,zstd:3&cache=off",
                                         "memory:with?codecs=raw,zstd:3&cache=off" };
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;
    struct invocation in = *run->in;
    int status;

    memset(out, 0, sizeof *out);
    if (!in.values[OPT_DATA]) {
        in.values[OPT_DATA] = "/var/lib/dpkg/status";
        in.values[OPT_FORMAT] = "deb822";
    }
    if ((status = records_read(&in, &out->records)) != PDICT_OK)
        return status;
    records_shuffle(&out->records, run->settings.seed);
    out->n_trained = out->records.count / 5 * 4;
    for (int i = 0; i < 2 && status == PDICT_OK; i++)
        status = pdict_open(uris[i], NULL, &out->maps[i]);
    if (status == PDICT_OK &&
        (status = put_range(out->maps[WITH], &out->records, 0, out->n_trained)) == PDICT_OK)
        status = pdict_train(out->maps[WITH], NULL, &result);
    return status;
}

static void twins_free(struct twins *twins)
{
    pdict_close(twins->maps[0]);
    pdict_close(twins->maps[1]);
    records_free(&twins->records);
}

/* ---- one round: the records that were held out, through both ---- */

struct dictionary_figures {
    size_t count;
    double bytes[GOAL_ROUNDS], encode[GOAL_ROUNDS], decode[GOAL_ROUNDS]; /* with over without */
};

/* The processor's time: one round takes few milliseconds, less than a turn of somebody else. */
static int measure_one(const struct twins *twins, int which, double *bytes, double *encode_ns,
                       double *decode_ns)
{
    pdict *d = twins->maps[which];
    pdict_stats before = PDICT_STATS_INIT, after = PDICT_STATS_INIT;
    size_t from = twins->n_trained, to = twins->records.count;
    uint64_t begun_ns;
    int status = pdict_stats_get(d, 0, &before);

    begun_ns = bench_cpu_ns();
    if (status == PDICT_OK)
        status = put_range(d, &twins->records, from, to);
    *encode_ns = (double)(bench_cpu_ns() - begun_ns);
    if (status == PDICT_OK)
        status = pdict_stats_get(d, 0, &after);
    *bytes = (double)(after.encoded.bytes_out - before.encoded.bytes_out);
    begun_ns = bench_cpu_ns();
    if (status == PDICT_OK)
        status = get_range(d, from, to);
    *decode_ns = (double)(bench_cpu_ns() - begun_ns);
    return status;
}

static int measure_dictionary(struct goal_run *run, struct dictionary_figures *out)
{
    struct twins twins;
    int status = twins_make(run, &twins);

    for (size_t round = 0; round <= run->rounds && status == PDICT_OK; round++) {
        double bytes[2], encode[2], decode[2];

        for (size_t i = 0; i < 2 && status == PDICT_OK; i++) {
            int which = (int)(i + round) % 2;

            status = measure_one(&twins, which, &bytes[which], &encode[which], &decode[which]);
        }
        if (status == PDICT_OK && round > 0) {
            out->bytes[out->count] = bytes[WITH] / bytes[WITHOUT];
            out->encode[out->count] = encode[WITH] / encode[WITHOUT];
            out->decode[out->count++] = decode[WITH] / decode[WITHOUT];
        }
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    twins_free(&twins);
    return status;
}

int goal_dictionary(struct goal_run *run, const char *which, struct goal_samples *out)
{
    static struct dictionary_figures figures;
    const double *values = strcmp(which, "bytes") == 0    ? figures.bytes
                           : strcmp(which, "encode") == 0 ? figures.encode
                                                          : figures.decode;
    int status = figures.count > 0 ? PDICT_OK : measure_dictionary(run, &figures);

    for (size_t i = 0; i < figures.count && status == PDICT_OK; i++)
        out->values[out->count++] = values[i];
    return status;
}
