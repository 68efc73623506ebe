/* SPDX-License-Identifier: MIT */
/* pdict-bench: its verbs, and the exit code. */
#include "tool/tool.h"

#include <signal.h>
#include <string.h>

#define OPTIONS_ALL (OPT(HELP) | OPT(EXTENSION))
#define OPTIONS_RUN                                                                                \
    (OPTIONS_ALL | OPT(QUICK) | OPT(TIME) | OPT(SAMPLES) | OPT(SEED) | OPT(DIR) | OPT(JSON) |      \
     OPT(HTML) | OPT(CSV) | OPT(SAVE) | OPT(BASELINE) | OPT(NO_PROGRESS))
#define OPTIONS_STORES                                                                             \
    (OPTIONS_RUN | OPT(WORKLOAD) | OPT(TARGET) | OPT(KEYS) | OPT(KEY_SIZE) | OPT(VALUE_SIZE) |     \
     OPT(COMPRESSIBILITY) | OPT(THREADS) | OPT(DISTRIBUTION) | OPT(DURABILITY) | OPT(PAGE_CACHE) | \
     OPT(COLD) | OPT(RATE))
#define OPTIONS_STORES_FEW                                                                         \
    (OPTIONS_RUN | OPT(TARGET) | OPT(KEYS) | OPT(KEY_SIZE) | OPT(VALUE_SIZE) |                     \
     OPT(COMPRESSIBILITY) | OPT(PAGE_CACHE))
#define OPTIONS_DATA (OPT(DATA) | OPT(FORMAT) | OPT(KEY))

const struct verb bench_verbs[] = {
    { "kv", "", "single operations over targets: load, get, put, scan, reopen...", 0, 0,
      OPTIONS_STORES, bench_kv,
      "  pdict-bench kv -w get-cold,put-durable -t pdict:sqlite,raw:sqlite --keys 1e6\n"
      "All targets do the same operations on the same keys and values, slice by slice in an order\n"
      "drawn anew each time; a slow target comes less far in a slice than a fast one. Options of "
      "a\n"
      "pdict target stand behind a ?, as in 'pdict:sqlite?codecs=zstd:3'. Each row is at the\n"
      "durability it names: at least as strict as asked for, where the target can.\n" },
    { "ycsb", "", "the YCSB workloads A to F", 0, 0, OPTIONS_STORES, bench_ycsb,
      "--dist zipf (default) is true Zipf over all keys; ycsb-zipf draws as YCSB itself does, "
      "from\n"
      "10^10 items hashed onto the keys, which is flatter.\n" },
    { "codec", "", "compressors and ciphers on your own records", 0, 0,
      OPTIONS_RUN | OPTIONS_DATA | OPT(CODECS) | OPT(CIPHER), bench_codec,
      "  pdict-bench codec --data /var/lib/dpkg/status --format deb822 --html report.html\n"
      "After a codec, a bare number or a range is another level of it: zlib:1-9,zstd:-3,1-12. "
      "Every\n"
      "record is encoded, decoded and compared before anything is timed. Baselines: `none` hands a "
      "record\n"
      "on as it is, and copies it to decode; libzstd:LEVEL, and libsodium with --cipher, are "
      "those\n"
      "libraries called directly, beside which zstd and xchacha20 show what the tables cost.\n" },
    { "recommend", "", "codecs and backend for your records, as a URI to paste", 0, 0,
      OPTIONS_RUN | OPTIONS_DATA | OPT(CODECS) | OPT(READS) | OPT(GOAL) | OPT(SECRET) | OPT(APPLY),
      bench_recommend,
      "  pdict-bench recommend --data /var/lib/dpkg/status --format deb822\n"
      "Codecs are measured on 30 % of the records, held out; the cost of one is its time to "
      "encode\n"
      "and decode, weighed by --reads, and its bytes, weighed by --goal. Costs within 3 % are a "
      "tie,\n"
      "and the simpler codec wins. What is recommended is then confirmed through a real map.\n" },
    { "procs", "", "independent processes on one store", 0, 0, OPTIONS_STORES_FEW | OPT(PROCS),
      bench_procs,
      "Each process opens the store for itself and does 95 % reads, 5 % updates, by Zipf. The\n"
      "threads of a row are its processes, and op/s is that of all together.\n" },
    { "churn", "", "entries that come and expire: latency and file size over time", 0, 0,
      OPTIONS_STORES_FEW | OPT(TTL) | OPT(ROUNDS), bench_churn,
      "In each round a quarter of --keys is put, new keys every time; an entry lives for four\n"
      "rounds. The sizes of the files after each round are in the JSON.\n" },
    { "replay", "TRACE.jsonl", "a recorded trace against targets used as a cache", 1, 1,
      OPTIONS_RUN | OPT(TARGET) | OPT(PAGE_CACHE), bench_replay,
      "A line is {\"op\":\"get\",\"key\":\"a\",\"size\":100} or put or del; \"ttl\" is in "
      "milliseconds.\n"
      "A get that misses is followed by a put of \"size\" bytes, as a cache is filled.\n" },
    { "policies", "[TRACE...]", "cache policies simulated on traces: hit ratios", 0, -1,
      OPTIONS_RUN | OPT(KEYS) | OPT(POLICY) | OPT(CAPACITY), bench_policies,
      "A trace is a file with a key a line, or JSON lines with \"key\"; without one, Zipf and "
      "Zipf\n"
      "with walks over all keys between are made. The first fifth of a trace warms up.\n" },
    { "goals", "", "the project's own goals: measured, met or not", 0, 0,
      OPTIONS_RUN | OPTIONS_DATA | OPT(ONLY) | OPT(KEYS) | OPT(ROUNDS) | OPT(PAGE_CACHE),
      bench_goals,
      "Exits 1 when a goal is missed. docs/bench.md has the table, with figures. The records of\n"
      "P9 are those of --data, else of Debian's package list.\n" },
    { "list", "", "targets, codecs and workloads of this build", 0, 0, OPTIONS_ALL | OPT(JSON),
      bench_list, NULL },
    { "compare", "OLD.json NEW.json", "two runs, row by row, in plain words", 2, 2,
      OPTIONS_ALL | OPT(NOISE) | OPT(FAIL_ON_REGRESSION), bench_compare_runs,
      "A difference counts when Mann-Whitney's U test calls it unlikely by chance (p < 0.05) and\n"
      "the 95 % interval of the ratio lies beyond the noise.\n" },
    { "report", "RUN.json...", "make the HTML report of earlier runs", 1, -1,
      OPTIONS_ALL | OPT(OUTPUT), bench_report, NULL },
    { "version", "", "print the version", 0, 0, OPTIONS_ALL, bench_version, NULL },
    { "help", "[VERB]", "explain pdict-bench, or one verb", 0, 1, OPTIONS_ALL, bench_help_run,
      NULL },
    { NULL, NULL, NULL, 0, 0, 0, NULL, NULL },
};

int bench_version(struct invocation *in)
{
    (void)in;
    printf("pdict-bench %s\n", pdict_version());
    return PDICT_OK;
}

static const struct verb *find_verb(const char *name)
{
    for (const struct verb *verb = bench_verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

static int unknown_verb(const char *name)
{
    const char *names[32];
    const char *nearest;
    size_t count = 0;

    for (const struct verb *verb = bench_verbs; verb->name; verb++)
        names[count++] = verb->name;
    nearest = cli_nearest(name, names, count);
    if (nearest)
        return pdict_fail(PDICT_INVAL, "there is no verb %s, did you mean %s?", name, nearest);
    return pdict_fail(PDICT_INVAL, "there is no verb %s; `pdict-bench help` lists them", name);
}

static int exit_code(const struct invocation *in, int status)
{
    switch (status) {
    case PDICT_OK:
        return in->is_missed ? BENCH_MISSED : BENCH_OK;
    case PDICT_CANCELLED:
        return BENCH_INTERRUPTED;
    case PDICT_INVAL:
    case PDICT_UNKNOWN_OPTION:
    case PDICT_UNKNOWN_BACKEND:
    case PDICT_UNKNOWN_CODEC:
    case PDICT_UNSUPPORTED:
        return BENCH_USAGE;
    default:
        return BENCH_FAILED;
    }
}

static int run(const struct verb *verb, int argc, char **argv)
{
    struct invocation in = { .verb = verb, .argv = argv, .argc = argc };
    int status = bench_parse(&in, argc - 1, argv + 1);

    if (status == PDICT_OK && bench_has(&in, OPT_HELP))
        bench_help_verb(stdout, verb);
    else if (status == PDICT_OK)
        status = verb->run(&in);
    if (status != PDICT_OK)
        fprintf(stderr, "pdict-bench: %s\n", pdict_error_text());
    else if (fflush(stdout) != 0 || ferror(stdout))
        status = pdict_fail(PDICT_IO, "standard output cannot be written");
    return exit_code(&in, status);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    signal(SIGPIPE, SIG_DFL);
    if (!name) {
        bench_help(stderr);
        return BENCH_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (!find_verb(name)) {
        unknown_verb(name);
        fprintf(stderr, "pdict-bench: %s\n", pdict_error_text());
        return BENCH_USAGE;
    }
    return run(find_verb(name), argc, argv);
}
