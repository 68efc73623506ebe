/* SPDX-License-Identifier: MIT */
/* The command line of pdict-bench: verbs, options, exit codes, progress. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <pdict/pdict.h>

#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"

/* ---- Exit codes: a promise to scripts, printed by the help ----------------------------------- */

#define BENCH_EXIT_MAP(X)                                                                          \
    X(OK, 0, "done; every goal met, nothing slower")                                               \
    X(MISSED, 1, "a goal was missed, or something is slower than it was")                          \
    X(USAGE, 2, "the command line is wrong")                                                       \
    X(FAILED, 3, "a run failed")                                                                   \
    X(INTERRUPTED, 130, "interrupted from the keyboard")

enum bench_exit {
#define BENCH_EXIT_ENUM(name, code, meaning) BENCH_##name = (code),
    BENCH_EXIT_MAP(BENCH_EXIT_ENUM)
#undef BENCH_EXIT_ENUM
};

/* ---- The command line ------------------------------------------------------------------------ */

/* clang-format off */
enum bench_option {
    OPT_WORKLOAD, OPT_TARGET, OPT_KEYS, OPT_KEY_SIZE, OPT_VALUE_SIZE, OPT_COMPRESSIBILITY,
    OPT_THREADS, OPT_PROCS, OPT_DISTRIBUTION, OPT_DURABILITY, OPT_PAGE_CACHE, OPT_COLD, OPT_RATE,
    OPT_DATA, OPT_FORMAT, OPT_KEY, OPT_CODECS, OPT_CIPHER,
    OPT_TTL, OPT_ROUNDS, OPT_POLICY, OPT_CAPACITY,
    OPT_READS, OPT_GOAL, OPT_SECRET, OPT_APPLY,
    OPT_ONLY, OPT_FAIL_ON_REGRESSION, OPT_NOISE,
    OPT_QUICK, OPT_TIME, OPT_SAMPLES, OPT_SEED, OPT_DIR, OPT_EXTENSION,
    OPT_JSON, OPT_HTML, OPT_CSV, OPT_OUTPUT, OPT_SAVE, OPT_BASELINE, OPT_NO_PROGRESS, OPT_HELP,
    OPT_COUNT
};
/* clang-format on */

#define OPT(name) (UINT64_C(1) << OPT_##name)

struct invocation;

struct verb {
    const char *name;
    const char *synopsis; /**< what follows the name, options left out */
    const char *summary;
    int min_args;
    int max_args; /**< -1: any number */
    uint64_t options;
    int (*run)(struct invocation *in); /**< returns a status */
    const char *notes;                 /**< NULL, or paragraphs of the verb's help */
};

#define BENCH_EXTENDED 16

/** A backend or codec that an extension brought; the name is borrowed from it. */
struct extended {
    int kind; /**< enum pdict_info_kind */
    const char *name;
};

/** One command line, parsed. Strings are borrowed from argv. */
struct invocation {
    const struct verb *verb;
    const char *values[OPT_COUNT]; /**< NULL: not given; a flag that was given is "" */
    char **args;
    int n_args;
    struct extended extended[BENCH_EXTENDED];
    size_t n_extended;
    bool is_missed; /**< the run came to its end, and its verdict is no */
    char **argv;    /**< the whole command line, for the report */
    int argc;
};

/* main.c */
extern const struct verb bench_verbs[]; /**< ends with a NULL name */

/* options.c */
extern const struct cli_option bench_options[OPT_COUNT];
int bench_parse(struct invocation *in, int argc, char **argv);
bool bench_has(const struct invocation *in, enum bench_option option);
const char *bench_text(const struct invocation *in, enum bench_option option, const char *fallback);
int bench_number(const struct invocation *in, enum bench_option option, uint64_t least,
                 uint64_t most, uint64_t *out);
int bench_size(const struct invocation *in, enum bench_option option, uint64_t *out);
int bench_duration(const struct invocation *in, enum bench_option option, uint64_t *out_ns);
int bench_fraction(const struct invocation *in, enum bench_option option, double least, double most,
                   double *out);
/** The place of the option's word among `names`; unchanged when it was not given. */
int bench_choice(const struct invocation *in, enum bench_option option, const char *const *names,
                 size_t count, int *out);
/** A list of numbers, "1,2,4". */
int bench_numbers(const struct invocation *in, enum bench_option option, uint64_t most,
                  uint64_t *out, size_t room, size_t *count);
/** Places of the words of a list among `names`; all of them when it was not given. */
int bench_choices(const struct invocation *in, enum bench_option option, const char *const *names,
                  size_t n_names, int *out, size_t room, size_t *count);

/* extension.c: lists as they were given, or made in `out`. */
int bench_extension_load(struct invocation *in, const char *path);
/** --target; not given: the verb's own, with those that extensions brought. */
const char *bench_targets(const struct invocation *in, const char *own, char *out, size_t size);
/** OPT_CODECS or OPT_CIPHER in the same way. */
const char *bench_codecs(const struct invocation *in, enum bench_option option, const char *own,
                         char *out, size_t size);

/* help.c */
void bench_help(FILE *out);
void bench_help_verb(FILE *out, const struct verb *verb);

/* progress.c: one line on standard error while it is a terminal. */
void bench_progress_begin(const struct invocation *in);
void bench_progress(const char *format, ...) PDICT_PRINTF(1, 2);
void bench_progress_end(void);
/** A line that stays, also where no terminal is: for runs that take many minutes. */
void bench_progress_note(const char *format, ...) PDICT_PRINTF(1, 2);
void bench_interrupt_catch(void);
/** PDICT_CANCELLED once the user has asked to stop. */
int bench_interrupted(void);

/* directory.c: a directory for this run under --dir, removed at its end. */
int bench_directory_make(const struct invocation *in, char *out, size_t size);
void bench_directory_remove(const char *path);
int bench_directory_sub(const char *parent, const char *name, char *out, size_t size);
/** Bytes of all files below. */
uint64_t bench_directory_bytes(const char *path);
/** Let the kernel forget all clean pages of the files below. */
void bench_directory_chill(const char *path);

/* ---- Verbs ----------------------------------------------------------------------------------- */

int bench_kv(struct invocation *in);
int bench_ycsb(struct invocation *in);
int bench_procs(struct invocation *in);
int bench_churn(struct invocation *in);
int bench_replay(struct invocation *in);
int bench_policies(struct invocation *in);
int bench_codec(struct invocation *in);
int bench_recommend(struct invocation *in);
int bench_goals(struct invocation *in);
int bench_compare_runs(struct invocation *in);
int bench_report(struct invocation *in);
int bench_list(struct invocation *in);
int bench_version(struct invocation *in);
int bench_help_run(struct invocation *in);

#endif
