/* SPDX-License-Identifier: MIT */
/* The pdict command: one table of verbs, from which dispatch and help both come. */
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What every verb takes, and what every verb that opens a map takes. */
#define OPTIONS_ALL   (OPT(JSON) | OPT(HELP))
#define OPTIONS_STORE (OPTIONS_ALL | OPT(OPTION) | OPT(TIMEOUT) | OPT(NOW) | OPT(VERBOSE))
#define OPTIONS_SECRET                                                                             \
    (OPT(KEY_FILE) | OPT(PASSPHRASE_FILE) | OPT(PASSPHRASE_FD) | OPT(PASSPHRASE_COMMAND) |         \
     OPT(STRICT))
#define OPTIONS_NEW_SECRET                                                                         \
    (OPT(NEW_KEY_FILE) | OPT(NEW_PASSPHRASE_FILE) | OPT(NEW_PASSPHRASE_FD) |                       \
     OPT(NEW_PASSPHRASE_COMMAND) | OPT(KDF))
#define OPTIONS_MAP   (OPTIONS_STORE | OPTIONS_SECRET | OPT(MAP) | OPT(CODECS))
#define OPTIONS_RANGE (OPT(PREFIX) | OPT(FROM) | OPT(TO))

const struct verb tool_verbs[] = {
    { "init", "STORE", "make a map, and the store when it is new", 1, 1,
      OPTIONS_MAP | OPT(IF_MISSING) | OPT(QUIET), tool_init,
      "A map that is there already is a usage error (exit 2) unless --if-missing is given;\n"
      "options that contradict what it is made of are refused in either case.\n" },
    { "get", "STORE KEY | STORE --keys-from FILE", "print the value of a key", 1, 2,
      OPTIONS_MAP | OPT(OUTPUT) | OPT(RAW) | OPT(KEYS_FROM) | OPT(NULL) | OPT(MEASURE) |
          OPT(BASE64),
      tool_get,
      "The bytes come as they are into a pipe or a file, and escaped (\\xNN) on a terminal.\n"
      "An absent key prints nothing and exits 1. --json prints {\"k\":..,\"v\":..}.\n"
      "--keys-from prints each value that is there, followed by a newline (or NUL, with -0);\n"
      "with --measure it reads them, discards them, and reports the rate.\n" },
    { "set", "STORE KEY VALUE|-", "write a value, replacing the one that is there", 3, 3,
      OPTIONS_MAP | OPT(TTL) | OPT(NX) | OPT(XX) | OPT(BASE64), tool_set,
      "VALUE - reads standard input to its end before anything is written.\n"
      "Write -- before a key or value that begins with a dash.\n" },
    { "add", "STORE KEY [DELTA]", "add to the number that is kept under a key", 2, 3,
      OPTIONS_MAP | OPT(TTL) | OPT(BASE64), tool_add,
      "DELTA is 1 when left out; write -- before a negative one. Prints the sum. An absent key\n"
      "counts as 0; --ttl is for a new one, an expiry that is there stays. However many add at\n"
      "the same time, nothing is lost.\n" },
    { "pop", "STORE KEY", "print the value of a key and delete it", 2, 2,
      OPTIONS_MAP | OPT(RAW) | OPT(BASE64), tool_pop,
      "Of several that pop one key at the same time, one gets it. An absent key exits 1.\n" },
    { "compute", "STORE KEY -- COMMAND [ARG]...",
      "print the value of a key; when it is absent, that which a command prints", 3, -1,
      OPTIONS_MAP | OPT(TTL) | OPT(RAW) | OPT(BASE64), tool_compute,
      "  pdict compute cache.db weather --ttl 10m -- curl -sf https://example.org/weather\n"
      "However many ask at the same time, COMMAND runs once, and the others wait for it, at most\n"
      "so long as --timeout says. What it prints is stored and printed. When it fails nothing is\n"
      "stored, and the exit code is 1. With -O stale_ok=1h an expired value is printed for an "
      "hour\n"
      "while another computes it anew, or when COMMAND fails.\n" },
    { "del", "STORE KEY... | STORE --prefix TEXT", "delete keys", 1, -1,
      OPTIONS_MAP | OPT(PREFIX) | OPT(FORCE) | OPT(BASE64) | OPT(QUIET), tool_del,
      "When a key was absent the others are deleted all the same, and the exit code is 1.\n"
      "--prefix asks on a terminal, and needs --force elsewhere.\n" },
    { "ls", "STORE [PREFIX|GLOB]", "list keys", 1, 2,
      OPTIONS_MAP | OPTIONS_RANGE | OPT(BY_KEY) | OPT(REVERSE) | OPT(LIMIT) | OPT(LONG) | OPT(NULL),
      tool_ls,
      "A pattern with *, ? or [ is a glob over the whole key; anything else is a prefix, and\n"
      "--prefix takes those characters literally. Without either, keys come in the order in\n"
      "which they were inserted. Values are not read.\n" },
    { "count", "STORE [PREFIX|GLOB]", "count keys", 1, 2, OPTIONS_MAP | OPTIONS_RANGE, tool_count,
      NULL },
    { "stat", "STORE [KEY]", "print facts about a map, or about an entry", 1, 2,
      OPTIONS_MAP | OPT(BASE64), tool_stat,
      "Of a map: codecs, counts and sizes, which are added up by one walk. Of an entry: its "
      "sizes,\n"
      "and when it was created, last used, and expires; an absent key exits 1. Values are not\n"
      "decoded.\n" },
    { "load", "STORE [FILE|DIR|-]", "put the records of a file into a map", 1, 2,
      OPTIONS_MAP | OPT(FORMAT) | OPT(KEY) | OPT(TTL) | OPT(SKIP_EXISTING) | OPT(KEEP_GOING) |
          OPT(BATCH) | OPT(QUIET),
      tool_load,
      "The input is read twice: first it is checked to its end, then it is stored. A bad record\n"
      "is reported with its line, and nothing is stored unless --keep-going is given.\n"
      "\n"
      "Formats:\n"
      "  jsonl   {\"k\":..,\"v\":..} a line, as dump writes it; k64, v64 for bytes in base64\n"
      "  deb822  paragraphs between blank lines; --key names the field that holds the key\n"
      "  tsv     KEY, a tab, VALUE; \\t \\n \\r \\0 \\\\ stand for tab, newline, return, NUL,\n"
      "          backslash\n"
      "  dir     files below a directory; the key is the path within it; links are not "
      "followed\n" },
    { "dump", "STORE [PREFIX|GLOB]", "print every record, for load or for other programs", 1, 2,
      OPTIONS_MAP | OPTIONS_RANGE | OPT(BY_KEY) | OPT(FORMAT) | OPT(KEEP_GOING) | OPT(PLAINTEXT) |
          OPT(QUIET),
      tool_dump,
      "The dump is of one moment, whatever is written meanwhile, and it is plain text, whatever\n"
      "the map is. A damaged record ends it with exit 13 and without its trailer, so that it\n"
      "cannot pass for a whole one; --keep-going leaves such records out and exits 3.\n"
      "deb822 prints the values alone, a blank line behind each.\n" },
    { "maps", "STORE", "list, drop or rename the maps of a store", 1, 1,
      OPTIONS_STORE | OPT(DROP) | OPT(RENAME) | OPT(TO) | OPT(FORCE), tool_maps,
      "  pdict maps STORE --drop NAME --force\n"
      "  pdict maps STORE --rename NAME --to NEW\n"
      "No passphrase is needed for any of them.\n" },
    { "verify", "STORE", "look at everything that is stored, and report what is wrong", 1, 1,
      OPTIONS_STORE | OPTIONS_SECRET | OPT(MAP) | OPT(SUBSET) | OPT(QUIET), tool_verify,
      "Looks at all maps, or at that of --map: every record through checksum or tag, that keys\n"
      "and records belong together, counts, and the file itself. Exits 13 when anything is\n"
      "wrong, and changes nothing. Without their passphrase or key sealed records are looked at\n"
      "from outside. --subset 1/7, 2/7.. spread the work over a week.\n" },
    { "repair", "STORE NEW", "copy what is sound of a damaged store into a new one", 2, 2,
      OPTIONS_STORE | OPTIONS_SECRET | OPT(QUIET), tool_repair,
      "A damaged record is set aside, as it is, as the value of its key in the map NAME.damaged\n"
      "of the new store; exits 3 when there are any. STORE is only read.\n" },
    { "backup", "STORE FILE", "copy a store into a file, while others write to it", 2, 2,
      OPTIONS_STORE | OPT(QUIET), tool_backup,
      "The copy is of one moment, and has its name only once it is whole. FILE must be new.\n" },
    { "compact", "STORE", "give back the space that deleted entries have left", 1, 1,
      OPTIONS_STORE | OPT(QUIET), tool_compact,
      "With sqlite others go on reading and writing; lmdb has to be alone with the store.\n" },
    { "train", "STORE", "train a dictionary for the compressor, from the values of a map", 1, 1,
      OPTIONS_MAP | OPT(QUIET), tool_train,
      "New records use it; those that are there stay as they are. A map whose codecs say\n"
      "zstd:3+dict does this by itself. The dictionary holds parts of values: in an encrypted\n"
      "map it is sealed.\n" },
    { "recode", "STORE", "make the records of a map anew, by other codecs, while it is in use", 1,
      1, OPTIONS_MAP | OPT(KDF) | OPT(RATE) | OPT(QUIET), tool_recode,
      "  pdict recode app.db --codecs raw,zstd:9\n"
      "  pdict recode app.db --codecs zstd:3,xchacha20 --passphrase-file secret.txt\n"
      "Others read and write meanwhile, new records are of the new codecs at once; after an\n"
      "interruption the same command goes on. A cipher in --codecs encrypts a plain map: the\n"
      "secret is then the one it is to have, and the file is rewritten in the end. Without\n"
      "--codecs the records get the newest dictionary.\n" },
    { "rekey", "STORE", "give an encrypted map a new data key, while it is in use", 1, 1,
      OPTIONS_STORE | OPTIONS_SECRET | OPT(MAP) | OPT(RATE) | OPT(QUIET), tool_rekey,
      "New records are sealed under it at once, all others are sealed anew, then the old key is\n"
      "dropped; after an interruption the same command goes on. Passphrases stay, see passwd.\n" },
    { "expire", "STORE", "remove expired entries of all maps", 1, 1, OPTIONS_STORE | OPT(QUIET),
      tool_expire,
      "Expired entries are absent in any case; this gives their space back, in short steps, while\n"
      "others read and write. Programs that put entries with a time to live do so themselves.\n" },
    { "limit", "STORE [NAME=VALUE]...", "how large a map may grow, and what goes when it is full",
      1, -1, OPTIONS_STORE | OPT(MAP) | OPT(QUIET), tool_limit,
      "  pdict limit app.db max_entries=1000000 max_bytes=2GiB evict=lru\n"
      "Prints the limits of the map and how full it is; with NAME=VALUE those are changed, and\n"
      "what is above them goes. max_entries and max_bytes: 0 is no limit. evict: lru, fifo, ttl.\n"
      "on_full: evict, or error, with which puts into a full map fail. All programs that use the\n"
      "map keep to them from then on. No passphrase is needed.\n" },
    { "migrate", "STORE NEW", "copy maps into a new store, by another backend or other codecs", 2,
      2, OPTIONS_STORE | OPTIONS_SECRET | OPT(MAP) | OPT(CODECS) | OPT(VERIFY) | OPT(QUIET),
      tool_migrate,
      "  pdict migrate app.db lmdb:app.lmdb --verify\n"
      "Copies all maps, or that of --map, as of one moment: versions, creation, expiry and order\n"
      "are kept. Without --codecs records are copied as they are, and no passphrase is needed.\n"
      "NEW must be new, and has its name only once it is whole; after an interruption the same\n"
      "command goes on where it was. What is written to STORE meanwhile is not carried over.\n" },
    { "passwd", "STORE", "change the passphrase or key of an encrypted map", 1, 1,
      OPTIONS_MAP | OPTIONS_NEW_SECRET | OPT(QUIET), tool_passwd,
      "Changes the slot that the present one opens; others stay as they are. Writes a few\n"
      "hundred bytes, whatever the size of the map. It takes nothing from those who have a copy\n"
      "of the store and the old passphrase.\n" },
    { "slot", "STORE list | add | remove N", "which passphrases and keys open an encrypted map", 2,
      3, OPTIONS_MAP | OPTIONS_NEW_SECRET | OPT(QUIET), tool_slot,
      "Up to 16 slots, each with a passphrase or key of its own. A passphrase or key that opens\n"
      "the map now is needed for all of it; the last slot cannot be removed.\n" },
    { "info", "[NAME]", "list the backends and codecs of this build, with their options", 0, 1,
      OPTIONS_ALL, tool_info, NULL },
    { "version", "", "print the version", 0, 0, OPTIONS_ALL, tool_version, NULL },
    { "help", "[VERB]", "explain pdict, or one verb", 0, 1, OPTIONS_ALL, tool_help_run, NULL },
    { NULL, NULL, NULL, 0, 0, 0, NULL, NULL },
};

static const struct verb *find_verb(const char *name)
{
    for (const struct verb *verb = tool_verbs; verb->name; verb++) {
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
    struct invocation in = { 0 };

    for (const struct verb *verb = tool_verbs; verb->name; verb++)
        names[count++] = verb->name;
    nearest = cli_nearest(name, names, count);
    if (nearest)
        return tool_fail(&in, TOOL_USAGE, "there is no verb %s, did you mean %s?", name, nearest);
    return tool_fail(&in, TOOL_USAGE, "there is no verb %s, `pdict help` lists them", name);
}

/* A full disk behind standard output is found here, when the last bytes leave the buffer. */
static int close_output(const struct invocation *in, int code)
{
    bool was_bad = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !was_bad)
        return code;
    return tool_fail(in, TOOL_IO, "standard output cannot be written: %s",
                     errno ? strerror(errno) : "an earlier write failed");
}

static int run(const struct verb *verb, int argc, char **argv)
{
    struct invocation in = { .verb = verb };
    int code = tool_parse(&in, argc, argv);

    if (code == TOOL_OK && tool_has(&in, OPT_HELP))
        tool_help_verb(stdout, verb);
    else if (code == TOOL_OK)
        code = verb->run(&in);
    code = close_output(&in, code);
    free(in.settings);
    return code;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    signal(SIGPIPE, SIG_DFL);
    if (!name) {
        tool_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (!find_verb(name))
        return unknown_verb(name);
    return run(find_verb(name), argc - 1, argv + 1);
}
