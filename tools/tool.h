/* SPDX-License-Identifier: MIT */
/* What the files of the pdict command share: verbs, options, exit codes, and small tools. */
#ifndef PDICT_TOOL_H
#define PDICT_TOOL_H

#include <pdict/pdict.h>

#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"

/* ---- Exit codes: a promise to scripts, printed by `pdict help` ------------------------------- */

#define TOOL_EXIT_MAP(X)                                                                           \
    X(OK, 0, "done")                                                                               \
    X(FALSE, 1, "the key is absent, or the condition does not hold")                               \
    X(USAGE, 2, "the command line is wrong")                                                       \
    X(PARTIAL, 3, "some records failed, the others are done")                                      \
    X(NO_STORE, 10, "no such store or map")                                                        \
    X(LOCKED, 11, "somebody else holds the store, and the timeout passed")                         \
    X(KEY, 12, "the passphrase or key is wrong, missing, or not wanted")                           \
    X(DAMAGED, 13, "damage was found")                                                             \
    X(UNSUPPORTED, 14, "this build or backend cannot do that")                                     \
    X(IO, 15, "input or output failed: disk full, read-only, permission")                          \
    X(INTERRUPTED, 130, "interrupted from the keyboard")

enum tool_exit {
#define TOOL_EXIT_ENUM(name, code, meaning) TOOL_##name = (code),
    TOOL_EXIT_MAP(TOOL_EXIT_ENUM)
#undef TOOL_EXIT_ENUM
};

/* ---- The command line ------------------------------------------------------------------------ */

/* clang-format off */
enum tool_option {
    OPT_MAP, OPT_CODECS, OPT_OPTION, OPT_TIMEOUT, OPT_NOW,
    OPT_KEY_FILE, OPT_PASSPHRASE_FILE, OPT_PASSPHRASE_FD, OPT_PASSPHRASE_COMMAND, OPT_STRICT,
    OPT_NEW_KEY_FILE, OPT_NEW_PASSPHRASE_FILE, OPT_NEW_PASSPHRASE_FD, OPT_NEW_PASSPHRASE_COMMAND,
    OPT_KDF,
    OPT_TTL, OPT_NX, OPT_XX, OPT_BASE64,
    OPT_OUTPUT, OPT_RAW, OPT_KEYS_FROM, OPT_MEASURE,
    OPT_PREFIX, OPT_FROM, OPT_TO, OPT_BY_KEY, OPT_REVERSE, OPT_LIMIT, OPT_LONG, OPT_NULL,
    OPT_FORMAT, OPT_KEY, OPT_SKIP_EXISTING, OPT_KEEP_GOING, OPT_BATCH, OPT_PLAINTEXT,
    OPT_IF_MISSING, OPT_DROP, OPT_RENAME, OPT_FORCE, OPT_SUBSET, OPT_VERIFY, OPT_RATE,
    OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP,
    OPT_COUNT
};
/* clang-format on */

#define OPT(name) (UINT64_C(1) << OPT_##name)

struct invocation;

/** One verb: how it is called, what it takes, what runs it. */
struct verb {
    const char *name;
    const char *synopsis; /**< what follows the name, options left out */
    const char *summary;
    int min_args;
    int max_args; /**< -1: any number */
    uint64_t options;
    int (*run)(struct invocation *in); /**< returns an exit code */
    const char *notes;                 /**< NULL, or paragraphs of `pdict help VERB` */
};

/** One command line, parsed. Strings are borrowed from argv. */
struct invocation {
    const struct verb *verb;
    const char *values[OPT_COUNT]; /**< NULL: not given; a flag that was given is "" */
    const char **settings;         /**< each --option as typed, NAME=VALUE; owned array */
    size_t n_settings;
    int64_t now_ms; /**< with --now */
    char **args;    /**< args[0] is STORE where the verb has one */
    int n_args;
};

/* main.c */
extern const struct verb tool_verbs[]; /**< ends with a NULL name */

/* options.c */
extern const struct cli_option tool_options[OPT_COUNT];
int tool_parse(struct invocation *in, int argc, char **argv);
bool tool_has(const struct invocation *in, enum tool_option option);
int tool_number(const struct invocation *in, enum tool_option option, uint64_t *out);
int tool_duration(const struct invocation *in, enum tool_option option, int64_t *out_ms);

/* help.c */
void tool_help(FILE *out);
void tool_help_verb(FILE *out, const struct verb *verb);

/* ---- Reporting ------------------------------------------------------------------------------- */

/* report.c: each prints one error on stderr, as JSON with --json, and returns an exit code. */
int tool_fail(const struct invocation *in, int code, const char *format, ...) PDICT_PRINTF(3, 4);
int tool_fail_status(const struct invocation *in, int status);
int tool_exit_code(int status);
void tool_warn(const struct invocation *in, const char *format, ...) PDICT_PRINTF(2, 3);

/* json.c: objects are consumed. */
void tool_json_slice(json_t *object, const char *name, pdict_slice bytes);
void tool_json_int(json_t *object, const char *name, uint64_t number);
char *tool_json_line(json_t *object, size_t *out_size);
void tool_json_print(json_t *object);
json_t *tool_json_entry(pdict_slice key, int64_t created_ms, int64_t expires_ms);

/* value.c */

/** The map itself when its values are binary and typed; NULL: people read them as they are. */
pdict *tool_typed(pdict *d);
/** What the bytes of a value stand for, owned; NULL when `typed` is NULL. */
json_t *tool_value_json(pdict *typed, pdict_slice bytes);
/** The same as the member "json" of an object. */
void tool_json_value(json_t *object, pdict *typed, pdict_slice bytes);

/** One entry as a line of JSON; one value: as it is, or as people read it on a terminal. */
void tool_value_print_json(pdict *typed, pdict_slice key, const pdict_view *view);
void tool_value_print(const struct invocation *in, pdict *typed, const pdict_view *view);

/* ---- Bytes and text -------------------------------------------------------------------------- */

/** Bytes that grow; free(data) ends it. Running out of memory ends the program with code 15. */
struct tool_buf {
    unsigned char *data;
    size_t size;
    size_t capacity;
};

/* text.c */
void *tool_alloc(void *memory, size_t size);
void tool_buf_reserve(struct tool_buf *buf, size_t more);
void tool_buf_add(struct tool_buf *buf, const void *bytes, size_t size);
pdict_slice tool_buf_slice(const struct tool_buf *buf);
int tool_base64_decode(const char *text, size_t size, struct tool_buf *out);
void tool_base64_encode(pdict_slice bytes, struct tool_buf *out);
void tool_print_escaped(FILE *out, pdict_slice bytes, bool is_value);
void tool_print_key(FILE *out, pdict_slice key);
char *tool_grouped(uint64_t number, char out[32]);
char *tool_size_text(uint64_t bytes, char out[32]);
char *tool_time_text(int64_t ms, char out[32]);
double tool_seconds(void);
int64_t tool_now_ms(const struct invocation *in);

/* checksum.c */
struct tool_checksum;

struct tool_checksum *tool_checksum_new(void);
void tool_checksum_reset(struct tool_checksum *checksum);
void tool_checksum_add(struct tool_checksum *checksum, pdict_slice bytes);
void tool_checksum_text(const struct tool_checksum *checksum, char out[17]);
void tool_checksum_free(struct tool_checksum *checksum);

/* progress.c */
/** One line on stderr that says how far a long verb is; silent unless stderr is a terminal. */
struct progress {
    const char *verb; /**< borrowed; NULL: silent */
    double began;     /**< seconds, monotonic */
    double shown;
    int width;     /**< of the line on the screen now */
    bool is_bytes; /**< what is counted; else records */
};

void tool_progress_begin(struct progress *progress, const struct invocation *in, const char *verb);
void tool_progress_show(struct progress *progress, uint64_t records, uint64_t at, uint64_t of);
void tool_progress_clear(struct progress *progress);
void tool_progress_end(struct progress *progress);

/* ---- Stores ---------------------------------------------------------------------------------- */

/** A passphrase or key; wiped by tool_secret_wipe(). */
struct secret {
    unsigned char *bytes; /**< NULL: none was found */
    size_t size;
    size_t capacity;
    bool is_key;
};

/* secret.c */
int tool_secret_given(const struct invocation *in, struct secret *out);
int tool_secret_found(bool is_new, struct secret *out);
int tool_secret_new(const struct invocation *in, struct secret *out);
void tool_secret_wipe(struct secret *secret);

/* interrupt.c: after catch, the first ^C only raises the flag; a second one kills. */
void tool_interrupt_catch(void);
bool tool_interrupted(void);

/* open.c: `mode` is ro, rw or rwc; the user's own, in the URI or by --option, wins over it. */
int tool_open(const struct invocation *in, const char *mode, pdict **out);
/* The same with this secret, or without one where it is NULL; nothing is asked for. */
int tool_open_with(const struct invocation *in, const char *mode, const struct secret *secret,
                   pdict **out);
int tool_open_store(const struct invocation *in, const char *mode, pdict_store **out);
int tool_probe(const struct invocation *in);

/* upkeep.c: what the verbs for whole stores share; the progress function's ctx is the progress. */
/** A number of a summary, the name it has as JSON too, and what it means. */
struct tally {
    const char *name;
    uint64_t number;
    const char *note;
    bool is_rare; /**< shown to people only when it is not 0 */
};

void tool_upkeep_print(const struct invocation *in, const struct tally *tallies, size_t count);
void tool_upkeep_begin(struct progress *progress, const struct invocation *in);
int tool_upkeep_progress(void *ctx, const char *phase, uint64_t done, uint64_t total);
int tool_upkeep_fail(const struct invocation *in, int status);
int tool_open_shared(const struct invocation *in, pdict_store **out);
void tool_secret_slices(const struct secret *secret, pdict_slice *passphrase, pdict_slice *key);

/* select.c */
/** Which keys a verb walks. */
struct selection {
    pdict_range range;
    pdict_slice glob; /**< data NULL: the range is all there is to check */
};

int tool_select(const struct invocation *in, const char *pattern, struct selection *out);
bool tool_is_damage(int status);
int tool_select_next(const struct selection *selection, pdict_iter *iter, pdict_entry *out);
int tool_key(const struct invocation *in, const char *text, struct tool_buf *out);

/* ---- Verbs: each its file, verb_NAME.c ------------------------------------------------------- */

int tool_init(struct invocation *in);
int tool_get(struct invocation *in);
int tool_set(struct invocation *in);
int tool_add(struct invocation *in);
int tool_pop(struct invocation *in);
int tool_compute(struct invocation *in);
int tool_del(struct invocation *in);
int tool_ls(struct invocation *in);
int tool_count(struct invocation *in);
int tool_stat(struct invocation *in);
int tool_load(struct invocation *in);
int tool_dump(struct invocation *in);
int tool_info(struct invocation *in);
int tool_maps(struct invocation *in);
int tool_verify(struct invocation *in);
int tool_repair(struct invocation *in);
int tool_backup(struct invocation *in);
int tool_compact(struct invocation *in);
int tool_recode(struct invocation *in);
int tool_rekey(struct invocation *in);
int tool_train(struct invocation *in);
int tool_expire(struct invocation *in);
int tool_limit(struct invocation *in);
int tool_migrate(struct invocation *in);
int tool_passwd(struct invocation *in);
int tool_slot(struct invocation *in);
int tool_version(struct invocation *in);
int tool_help_run(struct invocation *in);

#endif
