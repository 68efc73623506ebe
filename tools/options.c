/* SPDX-License-Identifier: MIT */
/* Every option of every verb, the parsing of a command line, and "did you mean". */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct cli_option tool_options[OPT_COUNT] = {
    [OPT_MAP] = { "map", 'm', "NAME", "which map of the store (default: main)" },
    [OPT_CODECS] = { "codecs", 'c', "LIST", "serializer, compressor, cipher: zstd:3,xchacha20" },
    [OPT_OPTION] = { "option", 'O', "NAME=VALUE", "any other option of the store; repeatable" },
    [OPT_TIMEOUT] = { "timeout", 0, "DURATION", "longest wait for another writer (default: 10s)" },
    [OPT_NOW] = { "now", 0, "TIME", "the present, as Unix time in milliseconds, for tests" },
    [OPT_KEY_FILE] = { "key-file", 0, "FILE", "32 bytes or more of randomness, used as the key" },
    [OPT_PASSPHRASE_FILE] = { "passphrase-file", 0, "FILE", "read the passphrase from FILE" },
    [OPT_PASSPHRASE_FD] = { "passphrase-fd", 0, "N", "read the passphrase from file descriptor N" },
    [OPT_PASSPHRASE_COMMAND] = { "passphrase-command", 0, "CMD", "read the passphrase from CMD" },
    [OPT_STRICT] = { "strict", 0, NULL, "refuse secret files that others can read" },
    [OPT_NEW_KEY_FILE] = { "new-key-file", 0, "FILE", "the new secret: a key, see --key-file" },
    [OPT_NEW_PASSPHRASE_FILE] = { "new-passphrase-file", 0, "FILE", "read the new one from FILE" },
    [OPT_NEW_PASSPHRASE_FD] = { "new-passphrase-fd", 0, "N", "read the new one from descriptor N" },
    [OPT_NEW_PASSPHRASE_COMMAND] = { "new-passphrase-command", 0, "CMD",
                                     "read the new one from CMD" },
    [OPT_KDF] = { "kdf", 0, "NAME", "cost of the new one: interactive, moderate, sensitive" },
    [OPT_TTL] = { "ttl", 0, "DURATION", "expire after so long: 500ms, 30s, 5m, 1h, 7d, 2w" },
    [OPT_NX] = { "nx", 0, NULL, "only if the key is absent, else exit 1" },
    [OPT_XX] = { "xx", 0, NULL, "only if the key is present, else exit 1" },
    [OPT_BASE64] = { "base64", 0, NULL, "keys on the command line are in base64" },
    [OPT_OUTPUT] = { "output", 'o', "FILE", "write the value to FILE instead of standard output" },
    [OPT_RAW] = { "raw", 0, NULL, "write the bytes as they are, to a terminal too" },
    [OPT_KEYS_FROM] = { "keys-from", 0, "FILE", "get each key of FILE, one a line (or -0)" },
    [OPT_MEASURE] = { "measure", 0, NULL, "with --keys-from: print how fast, not the values" },
    [OPT_PREFIX] = { "prefix", 0, "TEXT", "only keys that begin so" },
    [OPT_FROM] = { "from", 0, "KEY", "start at KEY, in key order" },
    [OPT_TO] = { "to", 0, "KEY", "stop before KEY, in key order; with --rename: the new name" },
    [OPT_BY_KEY] = { "by-key", 'k', NULL, "in key order instead of insertion order" },
    [OPT_REVERSE] = { "reverse", 'r', NULL, "from the other end" },
    [OPT_LIMIT] = { "limit", 'n', "N", "at most N" },
    [OPT_LONG] = { "long", 'l', NULL, "size, stored size, creation and expiry beside each key" },
    [OPT_NULL] = { "null", '0', NULL, "keys end with a NUL byte instead of a newline" },
    [OPT_FORMAT] = { "format", 'f', "NAME", "jsonl (default), deb822, tsv; load also takes dir" },
    [OPT_KEY] = { "key", 0, "FIELD", "deb822: the field that holds the key" },
    [OPT_SKIP_EXISTING] = { "skip-existing", 0, NULL, "leave keys that are present as they are" },
    [OPT_KEEP_GOING] = { "keep-going", 0, NULL, "leave bad records out, do the others, exit 3" },
    [OPT_BATCH] = { "batch", 0, "N", "records to store at once (default: 100000, or 64 MiB)" },
    [OPT_PLAINTEXT] = { "plaintext", 0, NULL, "yes, show an encrypted map on this terminal" },
    [OPT_IF_MISSING] = { "if-missing", 0, NULL, "a map that is there already is fine" },
    [OPT_DROP] = { "drop", 0, "NAME", "delete this map with everything in it; needs --force" },
    [OPT_RENAME] = { "rename", 0, "NAME", "give this map the name that --to says" },
    [OPT_FORCE] = { "force", 0, NULL, "yes, delete" },
    [OPT_SUBSET] = { "subset", 0, "N/T", "look at part N of T of the records, by hash of the key" },
    [OPT_VERIFY] = { "verify", 0, NULL, "read everything back before the new store has its name" },
    [OPT_RATE] = { "rate", 0, "N", "read at most about N MiB a second" },
    [OPT_JSON] = { "json", 'j', NULL, "report, and fail, in JSON" },
    [OPT_QUIET] = { "quiet", 'q', NULL, "no progress and no summary" },
    [OPT_VERBOSE] = { "verbose", 'v', NULL, "print the library's log on standard error" },
    [OPT_HELP] = { "help", 'h', NULL, "print this" },
};
/* clang-format on */

static const struct cli_options all_options = { tool_options, OPT_COUNT };

bool tool_has(const struct invocation *in, enum tool_option option)
{
    return in->values[option] != NULL;
}

int tool_number(const struct invocation *in, enum tool_option option, uint64_t *out)
{
    const char *text = in->values[option];
    char *end;

    if (!text)
        return PDICT_OK;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || *out > INT64_MAX)
        return pdict_fail(PDICT_INVAL, "--%s %s is not a number, write digits only",
                          tool_options[option].name, text);
    return PDICT_OK;
}

int tool_duration(const struct invocation *in, enum tool_option option, int64_t *out_ms)
{
    static const struct {
        const char *suffix;
        int64_t ms;
    } units[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
                  { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 } };
    const char *text = in->values[option];
    char *end;
    long long amount;

    if (!text)
        return PDICT_OK;
    errno = 0;
    amount = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (*text >= '0' && *text <= '9' && !errno && strcmp(end, units[i].suffix) == 0 &&
            amount > 0 && amount <= INT64_MAX / 4 / units[i].ms) {
            *out_ms = amount * units[i].ms;
            return PDICT_OK;
        }
    }
    return pdict_fail(PDICT_INVAL, "--%s %s is not a duration, write one like 500ms, 30s, 1h or 7d",
                      tool_options[option].name, text);
}

static int unknown_option(const struct invocation *in, const char *text)
{
    const char *nearest = cli_option_nearest(all_options, in->verb->options, text);
    int size = (int)strcspn(text, "=");

    if (nearest)
        return tool_fail(in, TOOL_USAGE, "there is no option %.*s, did you mean --%s?", size, text,
                         nearest);
    return tool_fail(in, TOOL_USAGE, "there is no option %.*s, `pdict help %s` lists them", size,
                     text, in->verb->name);
}

static int bad_option(const struct invocation *in, int result, char **argv)
{
    char letter[3] = { '-', (char)optopt, '\0' };
    const char *text = argv[optind - 1];

    if (result == ':') {
        const char *name =
            optopt >= CLI_OPTION_CODE ? tool_options[optopt - CLI_OPTION_CODE].name : NULL;

        return tool_fail(in, TOOL_USAGE, "option %s%s needs an argument", name ? "--" : letter,
                         name ? name : "");
    }
    if (optopt >= CLI_OPTION_CODE)
        return tool_fail(in, TOOL_USAGE, "option --%s takes no argument",
                         tool_options[optopt - CLI_OPTION_CODE].name);
    return unknown_option(in, optopt ? letter : text);
}

static void take_option(struct invocation *in, int option)
{
    in->values[option] = optarg ? optarg : "";
    if (option == OPT_OPTION)
        in->settings[in->n_settings++] = optarg;
}

static int check_args(const struct invocation *in)
{
    const struct verb *verb = in->verb;

    if (in->n_args < verb->min_args)
        return tool_fail(in, TOOL_USAGE, "something is missing, the form is: pdict %s %s",
                         verb->name, verb->synopsis);
    if (verb->max_args >= 0 && in->n_args > verb->max_args)
        return tool_fail(in, TOOL_USAGE, "\"%s\" is one too many, the form is: pdict %s %s",
                         in->args[verb->max_args], verb->name, verb->synopsis);
    return TOOL_OK;
}

/* argv[0] is the verb. --help is seen before the arguments are counted. */
int tool_parse(struct invocation *in, int argc, char **argv)
{
    struct cli_tables tables;
    uint64_t now_ms = 0;
    int result, status;

    in->settings = tool_alloc(NULL, (size_t)argc * sizeof *in->settings);
    for (int i = 1; i < argc; i++) {
        /* Known before parsing, so that a usage error is JSON too. */
        if (strcmp(argv[i], "--json") == 0)
            in->values[OPT_JSON] = "";
    }
    cli_tables_make(all_options, in->verb->options, &tables);
    opterr = 0;
    while ((result = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        if (result == '?' || result == ':')
            return bad_option(in, result, argv);
        take_option(in, cli_option_of(all_options, result));
    }
    in->args = argv + optind;
    in->n_args = argc - optind;
    if ((status = tool_number(in, OPT_NOW, &now_ms)) != PDICT_OK)
        return tool_fail_status(in, status);
    in->now_ms = (int64_t)now_ms;
    return tool_has(in, OPT_HELP) ? TOOL_OK : check_args(in);
}
