/* SPDX-License-Identifier: MIT */
/* pdict load: check the input to its end, then put its records in large batches. */
#include "batch.h"
#include "source.h"

#include <inttypes.h>
#include <string.h>

struct load {
    const struct invocation *in;
    pdict *d; /**< NULL until the map is there */
    struct source source;
    struct batch batch;
    struct progress progress;
    bool keep_going;
    int end_status;   /**< what the checking pass found at the end: PDICT_END if whole */
    uint64_t records; /**< good records of the input */
    uint64_t bytes;   /**< of their keys and values */
    uint64_t failed;  /**< bad records, and those over max_value */
    uint64_t expired; /**< records whose time was over before the load */
    uint64_t largest; /**< bytes of the largest value, and where it stands */
    char largest_place[80];
    double open_seconds; /**< opening or making the map, the derivation of a passphrase included */
    double seconds;      /**< the rest: checking, storing, syncing */
};

static int interrupted(void)
{
    return pdict_fail(PDICT_CANCELLED, "interrupted");
}

/* One bad record: the end of the load, or with --keep-going one line on stderr. */
static int bad_record(struct load *load, int status)
{
    if (!load->keep_going)
        return status;
    load->failed++;
    tool_warn(load->in, "%s", pdict_error_text());
    return PDICT_OK;
}

static void note_record(struct load *load, const struct record *record)
{
    load->records++;
    load->bytes += record->key.size + record->value.size;
    if (record->value.size <= load->largest)
        return;
    load->largest = record->value.size;
    memcpy(load->largest_place, load->source.place, sizeof load->largest_place);
}

/* The whole input is seen before any of it is stored. */
static int check(struct load *load)
{
    struct record record;
    int status = PDICT_OK;

    tool_progress_begin(&load->progress, load->in, "checking");
    while (status == PDICT_OK) {
        status = load->source.ops->next(&load->source, &record);
        if (status == PDICT_OK)
            note_record(load, &record);
        else if (status == PDICT_INVAL)
            status = bad_record(load, status);
        if (status == PDICT_OK && tool_interrupted())
            status = interrupted();
        tool_progress_show(&load->progress, load->records, load->source.position,
                           load->source.size);
    }
    tool_progress_end(&load->progress);
    load->end_status = status;
    if (load->keep_going && (status == PDICT_MISUSE || status == PDICT_CHECKSUM)) {
        tool_warn(load->in, "%s", pdict_error_text());
        return PDICT_OK;
    }
    return status == PDICT_END ? PDICT_OK : status;
}

static int check_largest(struct load *load, uint64_t max_value)
{
    if (load->largest <= max_value || load->keep_going)
        return PDICT_OK;
    return pdict_fail(PDICT_TOO_BIG,
                      "%s: %s: a value of %" PRIu64 " bytes is over the map's max_value of %" PRIu64
                      ", leave it out or make the map with a larger one",
                      load->source.reader.name, load->largest_place, load->largest, max_value);
}

static int store_record(struct load *load, const struct record *record, uint64_t max_value)
{
    if (record->value.size > max_value) {
        load->failed++;
        tool_warn(load->in, "%s: %s: the value is over the map's max_value, it is left out",
                  load->source.reader.name, load->source.place);
        return PDICT_OK;
    }
    if (record->expires_ms && record->expires_ms <= tool_now_ms(load->in)) {
        load->expired++;
        return PDICT_OK;
    }
    return batch_add(&load->batch, record);
}

/* Bad records were counted when the input was checked; here they are only passed over. */
static int store(struct load *load, uint64_t max_value)
{
    struct record record;
    int status;

    if ((status = load->source.ops->rewind(&load->source)) != PDICT_OK)
        return status;
    tool_progress_begin(&load->progress, load->in, "loading ");
    do {
        status = load->source.ops->next(&load->source, &record);
        if (status == PDICT_OK)
            status = store_record(load, &record, max_value);
        else if (load->keep_going &&
                 (status == PDICT_INVAL || status == PDICT_MISUSE || status == PDICT_CHECKSUM))
            status = PDICT_OK;
        if (status == PDICT_OK && tool_interrupted())
            status = interrupted();
        tool_progress_show(&load->progress, load->batch.stored + load->batch.count,
                           load->source.position, load->source.size);
    } while (status == PDICT_OK);
    if (status == PDICT_END && (status = batch_put(&load->batch)) == PDICT_OK)
        status = pdict_sync(load->d);
    tool_progress_end(&load->progress);
    return status;
}

/* How far a load came that did not end well; records are whole, so it can simply be run again. */
static int add_progress(const struct load *load, int status)
{
    char text[512];

    if (status == PDICT_OK)
        return status;
    snprintf(text, sizeof text, "%s", pdict_error_text());
    if (!load->batch.is_begun)
        return pdict_fail(status, "%.460s; nothing was stored", text);
    return pdict_fail(status,
                      "%.400s; %" PRIu64 " of %" PRIu64
                      " records or more were stored before, the load can be run again",
                      text, load->batch.stored, load->records);
}

static int open_map(struct load *load)
{
    double began = tool_seconds();
    int status = tool_open(load->in, "rwc", &load->d);

    load->open_seconds = tool_seconds() - began;
    return status;
}

/*
 * A map that is there is opened before a long input is checked, so a wrong key is told at once.
 * An empty file is not a store yet, but becomes one.
 */
static int open_existing(struct load *load)
{
    int status = tool_probe(load->in);

    if (status == PDICT_NO_STORE || status == PDICT_NO_MAP || status == PDICT_NOT_A_STORE)
        return PDICT_OK;
    return status == PDICT_OK ? open_map(load) : status;
}

static int check_and_store(struct load *load)
{
    pdict_stats stats = PDICT_STATS_INIT;
    double began = tool_seconds();
    double opened = load->open_seconds;
    int status;

    if ((status = check(load)) != PDICT_OK)
        return status;
    if (!load->d && (status = open_map(load)) != PDICT_OK)
        return status;
    if ((status = pdict_stats_get(load->d, 0, &stats)) != PDICT_OK)
        return status;
    if ((status = check_largest(load, stats.max_value)) != PDICT_OK)
        return status;
    load->batch.d = load->d;
    status = store(load, stats.max_value);
    load->seconds = tool_seconds() - began - (load->open_seconds - opened);
    return status;
}

static int run(struct load *load)
{
    const struct invocation *in = load->in;
    const char *path = in->n_args > 1 ? in->args[1] : "-";
    int status;

    load->keep_going = tool_has(in, OPT_KEEP_GOING);
    load->batch.flags = PDICT_PUT_IN_SLICES;
    load->batch.flags |= tool_has(in, OPT_SKIP_EXISTING) ? PDICT_PUT_IF_ABSENT : 0;
    load->batch.max_records = 100000;
    if ((status = tool_number(in, OPT_BATCH, &load->batch.max_records)) != PDICT_OK)
        return status;
    if (load->batch.max_records == 0)
        return pdict_fail(PDICT_INVAL, "--batch 0 stores nothing, give 1 or more");
    if ((status = tool_duration(in, OPT_TTL, &load->batch.ttl_ms)) != PDICT_OK)
        return status;
    tool_interrupt_catch();
    if ((status = open_existing(load)) != PDICT_OK)
        return status;
    if ((status = source_open(&load->source, in, path)) != PDICT_OK)
        return status;
    return add_progress(load, check_and_store(load));
}

static void print_json(const struct load *load, double rate)
{
    uint64_t loaded = load->batch.stored - load->batch.skipped;

    tool_json_print(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "loaded", (json_int_t)loaded,
                  "skipped", (json_int_t)load->batch.skipped, "expired", (json_int_t)load->expired,
                  "failed", (json_int_t)load->failed, "bytes", (json_int_t)load->bytes, "seconds",
                  load->seconds, "open_seconds", load->open_seconds, "records_per_second", rate));
}

static void print_plain(const struct load *load, double rate)
{
    char loaded[32];
    char bytes[32];
    char speed[32];

    printf("%s records loaded, %s, %.2f s: %s records/s\n",
           tool_grouped(load->batch.stored - load->batch.skipped, loaded),
           tool_size_text(load->bytes, bytes), load->seconds, tool_grouped((uint64_t)rate, speed));
    if (load->batch.skipped)
        printf("%s skipped, present already\n", tool_grouped(load->batch.skipped, loaded));
    if (load->expired)
        printf("%s left out, expired already\n", tool_grouped(load->expired, loaded));
}

static int finish(const struct load *load, int status)
{
    double rate = load->seconds > 0 ? (double)load->batch.stored / load->seconds : 0;

    if (status == PDICT_MISUSE && load->end_status == PDICT_MISUSE) {
        tool_fail_status(load->in, status);
        return TOOL_PARTIAL;
    }
    if (status != PDICT_OK)
        return tool_fail_status(load->in, status);
    if (tool_has(load->in, OPT_JSON))
        print_json(load, rate);
    else if (!tool_has(load->in, OPT_QUIET))
        print_plain(load, rate);
    if (load->failed)
        return tool_fail(load->in, TOOL_PARTIAL, "%" PRIu64 " records were left out", load->failed);
    return load->end_status == PDICT_END ? TOOL_OK : TOOL_PARTIAL;
}

int tool_load(struct invocation *in)
{
    struct load load = { .in = in };
    int status = run(&load);
    int code = finish(&load, status);

    source_close(&load.source);
    batch_free(&load.batch);
    pdict_close(load.d);
    return code;
}
