/* SPDX-License-Identifier: MIT */
/* Every option of every verb, and how its text is read. */
#include "tool/tool.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct cli_option bench_options[OPT_COUNT] = {
    [OPT_WORKLOAD] = { "workload", 'w', "LIST", "what to do; `pdict-bench list` names them" },
    [OPT_TARGET] = { "target", 't', "LIST", "whom to measure: pdict:sqlite,raw:sqlite,peer:..." },
    [OPT_KEYS] = { "keys", 'n', "N", "how many keys (default: 100000)" },
    [OPT_KEY_SIZE] = { "key-size", 0, "B", "bytes of a key (default: 20)" },
    [OPT_VALUE_SIZE] = { "value-size", 0, "B", "bytes of a value (default: 128)" },
    [OPT_COMPRESSIBILITY] = { "compressibility", 0, "R", "0: random values, 0.9: very regular" },
    [OPT_THREADS] = { "threads", 0, "LIST", "how many threads at once (default: 1)" },
    [OPT_PROCS] = { "procs", 0, "LIST", "how many processes at once (default: 1,2,4)" },
    [OPT_DISTRIBUTION] = { "dist", 0, "NAME", "uniform, zipf, ycsb-zipf, latest, hotspot" },
    [OPT_DURABILITY] = { "durability", 0, "NAME", "full, ordered (default), unsafe" },
    [OPT_PAGE_CACHE] = { "page-cache", 0, "SIZE", "of each engine that has one (default: 64MiB)" },
    [OPT_COLD] = { "cold", 0, NULL, "drop the kernel's pages of the files before each sample" },
    [OPT_RATE] = { "rate", 0, "OPS", "offer so many a second and count waiting as latency" },
    [OPT_DATA] = { "data", 'd', "PATH", "records: a file, a directory, or @STORE" },
    [OPT_FORMAT] = { "format", 'f', "NAME", "of a file: jsonl, deb822, lines, whole" },
    [OPT_KEY] = { "key", 0, "FIELD", "deb822: the field that holds the key (default: Package)" },
    [OPT_CODECS] = { "codecs", 'c', "LIST", "as none,zlib:1-9,zstd:-3,1-12 (default: a good choice)" },
    [OPT_CIPHER] = { "cipher", 0, "LIST", "as none,xchacha20 (default: none)" },
    [OPT_TTL] = { "ttl", 0, "DURATION", "lifetime of an entry (default: 2s)" },
    [OPT_ROUNDS] = { "rounds", 0, "N", "how often to go round" },
    [OPT_POLICY] = { "policy", 0, "LIST", "lru fifo sieve s3-fifo w-tinylfu (default: all)" },
    [OPT_CAPACITY] = { "capacity", 0, "LIST", "entries a cache may hold (default: 1, 5, 10, 20 %)" },
    [OPT_READS] = { "reads", 0, "SHARE", "share of reads among all operations (default: 0.9)" },
    [OPT_GOAL] = { "goal", 0, "NAME", "what matters: balanced (default), size, latency" },
    [OPT_SECRET] = { "secret", 0, NULL, "the values are secret: recommend encryption" },
    [OPT_APPLY] = { "apply", 0, "PATH", "make a store as recommended, with the records in it" },
    [OPT_ONLY] = { "only", 0, "LIST", "only these goals, as P3,P4" },
    [OPT_FAIL_ON_REGRESSION] = { "fail-on-regression", 0, "PERCENT", "exit 1 if slower by more" },
    [OPT_NOISE] = { "noise", 0, "PERCENT", "differences below it are called none (default: 3)" },
    [OPT_QUICK] = { "quick", 'q', NULL, "finish in seconds: fewer keys, shorter samples" },
    [OPT_TIME] = { "time", 0, "DURATION", "for each row, over all its samples (default: 2s)" },
    [OPT_SAMPLES] = { "samples", 0, "N", "of each row, 10 or more (default: 12)" },
    [OPT_SEED] = { "seed", 0, "N", "of keys, values and order (default: 42)" },
    [OPT_DIR] = { "dir", 0, "PATH", "where the stores lie during the run (default: .)" },
    [OPT_EXTENSION] = { "extension", 'x', "FILE", "load your backends and codecs, and measure them" },
    [OPT_JSON] = { "json", 'j', "FILE", "write everything measured (- is standard output)" },
    [OPT_HTML] = { "html", 0, "FILE", "write a report with pictures, one file" },
    [OPT_CSV] = { "csv", 0, "FILE", "write the rows as a table for other programs" },
    [OPT_OUTPUT] = { "output", 'o', "FILE", "where the report goes (default: report.html)" },
    [OPT_SAVE] = { "save", 0, "NAME", "keep the run under this name, for --baseline" },
    [OPT_BASELINE] = { "baseline", 0, "NAME", "compare with the run that was kept so" },
    [OPT_NO_PROGRESS] = { "no-progress", 0, NULL, "nothing on standard error but errors" },
    [OPT_HELP] = { "help", 'h', NULL, "print this" },
};
/* clang-format on */

static const struct cli_options all_options = { bench_options, OPT_COUNT };

/* ---- The command line ---- */

static int unknown_option(const struct invocation *in, const char *text)
{
    const char *nearest = cli_option_nearest(all_options, in->verb->options, text);
    int size = (int)strcspn(text, "=");

    if (nearest)
        return pdict_fail(PDICT_INVAL, "%s: there is no option %.*s, did you mean --%s?",
                          in->verb->name, size, text, nearest);
    return pdict_fail(PDICT_INVAL,
                      "%s: there is no option %.*s; `pdict-bench %s --help` lists them",
                      in->verb->name, size, text, in->verb->name);
}

static int take_option(struct invocation *in, int option)
{
    if (option == OPT_EXTENSION)
        return bench_extension_load(in, optarg);
    if (in->values[option])
        return pdict_fail(PDICT_INVAL, "%s: --%s was given twice", in->verb->name,
                          bench_options[option].name);
    in->values[option] = optarg ? optarg : "";
    return PDICT_OK;
}

static int check_args(const struct invocation *in)
{
    const struct verb *verb = in->verb;

    if (bench_has(in, OPT_HELP))
        return PDICT_OK;
    if (in->n_args < verb->min_args)
        return pdict_fail(PDICT_INVAL, "%s: something is missing; usage: pdict-bench %s %s",
                          verb->name, verb->name, verb->synopsis);
    if (verb->max_args >= 0 && in->n_args > verb->max_args)
        return pdict_fail(PDICT_INVAL, "%s: %s is too much; usage: pdict-bench %s %s", verb->name,
                          in->args[verb->max_args], verb->name, verb->synopsis);
    return PDICT_OK;
}

int bench_parse(struct invocation *in, int argc, char **argv)
{
    struct cli_tables tables;
    int code;
    int status = PDICT_OK;

    cli_tables_make(all_options, in->verb->options, &tables);
    optind = 1;
    opterr = 0;
    while (status == PDICT_OK &&
           (code = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        if (code == ':')
            return pdict_fail(PDICT_INVAL, "%s: %s wants an argument", in->verb->name,
                              argv[optind - 1]);
        if (code == '?')
            return unknown_option(in, argv[optind - 1]);
        status = take_option(in, cli_option_of(all_options, code));
    }
    in->args = argv + optind;
    in->n_args = argc - optind;
    return status == PDICT_OK ? check_args(in) : status;
}

/* ---- Values ---- */

bool bench_has(const struct invocation *in, enum bench_option option)
{
    return in->values[option] != NULL;
}

const char *bench_text(const struct invocation *in, enum bench_option option, const char *fallback)
{
    return in->values[option] ? in->values[option] : fallback;
}

static int malformed(enum bench_option option, const char *text, const char *wanted)
{
    return pdict_fail(PDICT_INVAL, "--%s: %s is not %s", bench_options[option].name, text, wanted);
}

/* A number that may be written 1e6; what follows it is left at *end. */
static bool read_number(const char *text, char **end, double *out)
{
    errno = 0;
    *out = strtod(text, end);
    return *end != text && errno == 0 && isfinite(*out) && *out >= 0 && *text != '-';
}

static int in_range(enum bench_option option, const char *text, double number, uint64_t least,
                    uint64_t most, uint64_t *out)
{
    if (number < (double)least || number > (double)most || floor(number) < number)
        return pdict_fail(PDICT_INVAL,
                          "--%s: %s is not a whole number from %" PRIu64 " to %" PRIu64,
                          bench_options[option].name, text, least, most);
    *out = (uint64_t)number;
    return PDICT_OK;
}

int bench_number(const struct invocation *in, enum bench_option option, uint64_t least,
                 uint64_t most, uint64_t *out)
{
    const char *text = in->values[option];
    double number;
    char *end;

    if (!text)
        return PDICT_OK;
    if (!read_number(text, &end, &number) || *end)
        return malformed(option, text, "a number");
    return in_range(option, text, number, least, most, out);
}

static int with_unit(enum bench_option option, const char *text, const char *const *units,
                     const double *factors, size_t count, const char *wanted, uint64_t *out)
{
    double number;
    char *end;

    if (!read_number(text, &end, &number))
        return malformed(option, text, wanted);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i]) == 0)
            return in_range(option, text, floor(number * factors[i]), 0, UINT64_C(1) << 60, out);
    }
    return malformed(option, text, wanted);
}

int bench_size(const struct invocation *in, enum bench_option option, uint64_t *out)
{
    static const char *const units[] = { "", "B", "KiB", "MiB", "GiB" };
    static const double factors[] = { 1, 1, 1024, 1048576, 1073741824 };

    if (!in->values[option])
        return PDICT_OK;
    return with_unit(option, in->values[option], units, factors, 5, "a size such as 64MiB", out);
}

int bench_duration(const struct invocation *in, enum bench_option option, uint64_t *out_ns)
{
    static const char *const units[] = { "us", "ms", "s", "m" };
    static const double factors[] = { 1e3, 1e6, 1e9, 6e10 };

    if (!in->values[option])
        return PDICT_OK;
    return with_unit(option, in->values[option], units, factors, 4,
                     "a duration such as 500ms or 3s", out_ns);
}

int bench_fraction(const struct invocation *in, enum bench_option option, double least, double most,
                   double *out)
{
    const char *text = in->values[option];
    char *end;

    if (!text)
        return PDICT_OK;
    if (!read_number(text, &end, out) || (*end && strcmp(end, "%") != 0) || *out < least ||
        *out > most)
        return pdict_fail(PDICT_INVAL, "--%s: %s is not a number from %g to %g",
                          bench_options[option].name, text, least, most);
    return PDICT_OK;
}

static int find_word(enum bench_option option, const char *word, const char *const *names,
                     size_t count, int *out)
{
    const char *nearest;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], word) == 0) {
            *out = (int)i;
            return PDICT_OK;
        }
    }
    nearest = cli_nearest(word, names, count);
    if (nearest)
        return pdict_fail(PDICT_INVAL, "--%s: there is no %s, did you mean %s?",
                          bench_options[option].name, word, nearest);
    return pdict_fail(PDICT_INVAL, "--%s: there is no %s; `pdict-bench list` and --help name them",
                      bench_options[option].name, word);
}

int bench_choice(const struct invocation *in, enum bench_option option, const char *const *names,
                 size_t count, int *out)
{
    return in->values[option] ? find_word(option, in->values[option], names, count, out) : PDICT_OK;
}

int bench_choices(const struct invocation *in, enum bench_option option, const char *const *names,
                  size_t n_names, int *out, size_t room, size_t *count)
{
    const char *text = in->values[option];
    char word[64];
    int status;

    *count = 0;
    for (size_t i = 0; !text && i < n_names && i < room; i++)
        out[(*count)++] = (int)i;
    while (text) {
        size_t size = strcspn(text, ",");

        if (*count == room)
            return pdict_fail(PDICT_INVAL, "--%s: at most %zu of them", bench_options[option].name,
                              room);
        snprintf(word, sizeof word, "%.*s", (int)size, text);
        if ((status = find_word(option, word, names, n_names, &out[(*count)++])) != PDICT_OK)
            return status;
        text = text[size] ? text + size + 1 : NULL;
    }
    return PDICT_OK;
}

int bench_numbers(const struct invocation *in, enum bench_option option, uint64_t most,
                  uint64_t *out, size_t room, size_t *count)
{
    const char *text = in->values[option];
    double number;
    char *end;
    int status;

    if (!text)
        return PDICT_OK;
    for (*count = 0;; text = end + 1) {
        if (*count == room)
            return pdict_fail(PDICT_INVAL, "--%s: at most %zu numbers", bench_options[option].name,
                              room);
        if (!read_number(text, &end, &number) || (*end && *end != ','))
            return malformed(option, in->values[option], "a list of numbers such as 1,2,4");
        if ((status = in_range(option, text, number, 1, most, &out[(*count)++])) != PDICT_OK)
            return status;
        if (!*end)
            return PDICT_OK;
    }
}
