/* SPDX-License-Identifier: MIT */
/* The options of pdict_open() itself, and sorting what was given into core's and the backend's. */
#include <stdio.h>

#include "open/open.h"

/* An ordered commit that nobody asks about is on the disk after this time. */
#define SYNC_WITHIN_MS 1000

/* A thousand years. */
#define LIFETIME_MOST ((int64_t)365250 * 86400000)

/* In the order of enum core_option. */
const pdict_option_spec pdict__core_options[] = {
    [OPTION_MAP] = { .name = "map",
                     .type = PDICT_OPTION_TEXT,
                     .fallback = "main",
                     .help = "which map of the store" },
    [OPTION_MODE] = { .name = "mode",
                      .type = PDICT_OPTION_CHOICE,
                      .fallback = "rwc",
                      .choices = "ro|rw|rwc",
                      .help = "read-only, existing only, or create what is absent" },
    [OPTION_CODECS] = { .name = "codecs",
                        .type = PDICT_OPTION_TEXT,
                        .fallback = "raw",
                        .help = "serializer, compressor, cipher, each optional" },
    [OPTION_DURABILITY] = { .name = "durability",
                            .type = PDICT_OPTION_TEXT,
                            .fallback = "full",
                            .help = "what a returned write survives: full, ordered[:TIME], "
                                    "unsafe" },
    [OPTION_COMMIT_DELAY] = { .name = "commit_delay",
                              .type = PDICT_OPTION_INT,
                              .fallback = "0",
                              .max = 1000000,
                              .help = "microseconds that a write waits for others to share its "
                                      "sync" },
    [OPTION_TIMEOUT] = { .name = "timeout",
                         .type = PDICT_OPTION_DURATION,
                         .fallback = "10s",
                         .max = 86400000,
                         .help = "longest wait for another writer" },
    [OPTION_MAX_VALUE] = { .name = "max_value",
                           .type = PDICT_OPTION_SIZE,
                           .fallback = "64MiB",
                           .min = 1,
                           .max = 1 << 30,
                           .help = "largest value, fixed when the map is created" },
    [OPTION_CHECKSUM] = { .name = "checksum",
                          .type = PDICT_OPTION_FLAG,
                          .fallback = "on",
                          .help =
                              "a checksum in each plain record, fixed when the map is created" },
    [OPTION_MAX_ENTRIES] = { .name = "max_entries",
                             .type = PDICT_OPTION_INT,
                             .fallback = "0",
                             .max = INT64_MAX,
                             .help = "most entries that the map holds, given when it is created; "
                                     "0: no limit" },
    [OPTION_MAX_BYTES] = { .name = "max_bytes",
                           .type = PDICT_OPTION_SIZE,
                           .fallback = "0",
                           .max = INT64_MAX,
                           .help = "most bytes of keys and records, given when the map is created; "
                                   "0: no limit" },
    [OPTION_EVICT] = { .name = "evict",
                       .type = PDICT_OPTION_CHOICE,
                       .fallback = "lru",
                       .choices = "lru|fifo|ttl",
                       .help = "who goes from a full map: longest unused, first inserted, soonest "
                               "to expire" },
    [OPTION_ON_FULL] = { .name = "on_full",
                         .type = PDICT_OPTION_CHOICE,
                         .fallback = "evict",
                         .choices = "evict|error",
                         .help = "what a put into a full map does" },
    [OPTION_NAMES] = { .name = "names",
                       .type = PDICT_OPTION_CHOICE,
                       .fallback = "plain",
                       .choices = "plain|hidden",
                       .help = "hidden: keys are sealed too, and have no order; fixed when the map "
                               "is created" },
    [OPTION_KDF] = { .name = "kdf",
                     .type = PDICT_OPTION_CHOICE,
                     .fallback = "moderate",
                     .choices = KDF_NAMES,
                     .help = "cost of a passphrase, chosen when the map is created" },
    [OPTION_KEY_CACHE] = { .name = "key_cache",
                           .type = PDICT_OPTION_FLAG,
                           .fallback = "on",
                           .help = "what a passphrase turns into is kept in this process, so that "
                                   "reopening costs nothing" },
    [OPTION_MAINTENANCE] = { .name = "maintenance",
                             .type = PDICT_OPTION_CHOICE,
                             .fallback = "thread",
                             .choices = "thread|manual",
                             .help = "in the background, or in pdict_maintain() only" },
    [OPTION_SWEEP] = { .name = "sweep",
                       .type = PDICT_OPTION_CHOICE,
                       .fallback = "auto",
                       .choices = "auto|manual",
                       .help = "remove expired entries as part of maintenance, or on request" },
    [OPTION_STALE_OK] = { .name = "stale_ok",
                          .type = PDICT_OPTION_DURATION,
                          .fallback = "0",
                          .max = INT64_C(366) * 86400000,
                          .help = "pdict_get_or_compute may return a value for so long after its "
                                  "expiry" },
    [OPTION_CACHE] = { .name = "cache",
                       .type = PDICT_OPTION_TEXT,
                       .fallback = "64MiB",
                       .help = "off, a size, sealed or sealed:SIZE; the largest of a map's handles "
                               "counts" },
    [OPTION_COHERENCE] = { .name = "coherence",
                           .type = PDICT_OPTION_TEXT,
                           .fallback = "strict",
                           .help = "strict, bounded:MS or private; the same for all handles" },
    [OPTION_ACCESS] = { .name = "access",
                        .type = PDICT_OPTION_TEXT,
                        .fallback = "60s",
                        .help = "how far stored access times may lag behind, or off" },
    [OPTION_TTL] = { .name = "ttl",
                     .type = PDICT_OPTION_DURATION,
                     .fallback = "0s",
                     .max = LIFETIME_MOST,
                     .help = "of entries put without a deadline, fixed when the map is created" },
    [OPTION_IDLE] = { .name = "idle",
                      .type = PDICT_OPTION_DURATION,
                      .fallback = "0s",
                      .max = LIFETIME_MOST,
                      .help = "entries unused for so long expire, fixed when the map is created" },
    { .name = NULL },
};

/* The near match among all tables; "" when there is none. */
static const char *suggestion(const struct option_set *core, const struct stack *stack,
                              const char *name, char *out, size_t size)
{
    enum {
        MOST = 64
    };
    const char *names[MOST + 1] = { NULL }, *match;
    size_t n = 0;

    for (size_t i = 0; i < core->count && n < MOST; i++)
        names[n++] = core->specs[i].name;
    for (size_t level = 0; level < stack->count; level++) {
        for (size_t i = 0; i < stack->options[level].count && n < MOST; i++)
            names[n++] = stack->options[level].specs[i].name;
    }
    match = pdict__near_match(name, names);
    if (!match)
        return "";
    snprintf(out, size, "; did you mean '%s'", match);
    return out;
}

static int set_option(struct option_set *core, struct stack *stack, const char *name,
                      const char *value)
{
    int at = pdict__options_find(core, name);
    size_t level;
    char hint[64];

    if (at >= 0)
        return pdict__options_set(core, (size_t)at, value, "open");
    at = pdict__stack_option(stack, name, &level);
    if (at >= 0)
        return pdict__options_set(&stack->options[level], (size_t)at, value,
                                  stack->backends[level]->name);
    return pdict_fail(PDICT_UNKNOWN_OPTION,
                      "open: there is no option '%s' for %s%s; see `pdict info`", name, stack->name,
                      suggestion(core, stack, name, hint, sizeof(hint)));
}

static int set_all(struct option_set *core, struct stack *stack, const struct uri *uri,
                   const pdict_options *options)
{
    int status = PDICT_OK;

    for (size_t i = 0; status == PDICT_OK && i < uri->n_options; i++)
        status = set_option(core, stack, uri->options[i].name, uri->options[i].value);
    for (size_t i = 0; status == PDICT_OK && i < options->n_settings; i++)
        status = set_option(core, stack, options->settings[i].name, options->settings[i].value);
    if (status == PDICT_OK)
        status = pdict__map_name_check(core->values[OPTION_MAP].text);
    return status;
}

int pdict__settings_read(const struct uri *uri, const pdict_options *options, struct stack *stack,
                         const pdict_allocator *allocator, struct option_set *out)
{
    int status;

    status = pdict__options_init(out, pdict__core_options, allocator);
    if (status == PDICT_OK)
        status = set_all(out, stack, uri, options);
    if (status != PDICT_OK)
        pdict__options_free(out);
    return status;
}

int pdict__settings_durability(const char *text, int *durability, int64_t *sync_within_ms)
{
    const char *time = strncmp(text, "ordered:", 8) == 0 ? text + 8 : NULL;

    *sync_within_ms = SYNC_WITHIN_MS;
    *durability = time || strcmp(text, "ordered") == 0 ? PDICT_ORDERED
                  : strcmp(text, "full") == 0          ? PDICT_FULL_SYNC
                  : strcmp(text, "unsafe") == 0        ? PDICT_UNSAFE
                                                       : 0;
    if (time && (!pdict__parse_duration(time, sync_within_ms) || *sync_within_ms < 1))
        return pdict_fail(PDICT_INVAL,
                          "open: durability=%s: behind ordered: comes a time of at least 1ms, such "
                          "as ordered:250ms",
                          text);
    if (*durability == 0)
        return pdict_fail(PDICT_INVAL,
                          "open: durability=%s is none of full, ordered, ordered:TIME, unsafe",
                          text);
    return PDICT_OK;
}

/* ---- cache and coherence ---- */

#define CACHE_LEAST ((int64_t)1 << 20)
#define CACHE_MOST  ((int64_t)1 << 40)
#define BOUND_MOST  86400000

/* The text behind a prefix, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

static int read_cache(const struct option_set *settings, struct cache_wish *out)
{
    const char *text = settings->values[OPTION_CACHE].text;
    const char *size = behind(text, "sealed:");
    int64_t budget;

    out->is_sealed = size || strcmp(text, "sealed") == 0;
    if (strcmp(text, "off") == 0)
        return PDICT_OK;
    if (!size)
        size = out->is_sealed ? settings->specs[OPTION_CACHE].fallback : text;
    if (!pdict__parse_size(size, &budget) || budget < CACHE_LEAST || budget > CACHE_MOST)
        return pdict_fail(PDICT_INVAL,
                          "open: cache=%s is none of off, sealed, sealed:SIZE and a size from "
                          "1MiB to 1TiB",
                          text);
    out->budget = (size_t)budget;
    return PDICT_OK;
}

static int read_coherence(const struct option_set *settings, struct cache_wish *out)
{
    const char *text = settings->values[OPTION_COHERENCE].text;
    const char *bound = behind(text, "bounded:");

    if (strcmp(text, "strict") == 0)
        out->coherence = COHERENCE_STRICT;
    else if (strcmp(text, "private") == 0)
        out->coherence = COHERENCE_PRIVATE;
    else if (bound &&
             (pdict__parse_duration(bound, &out->bound_ms) ||
              pdict__parse_int(bound, &out->bound_ms)) &&
             out->bound_ms >= 1 && out->bound_ms <= BOUND_MOST)
        out->coherence = COHERENCE_BOUNDED;
    else
        return pdict_fail(PDICT_INVAL,
                          "open: coherence=%s is none of strict, private and bounded:MS with 1 to "
                          "86400000 milliseconds",
                          text);
    return PDICT_OK;
}

int pdict__settings_cache(const struct option_set *settings, struct cache_wish *out)
{
    int status;

    *out = (struct cache_wish){ 0 };
    if ((status = read_cache(settings, out)) != PDICT_OK)
        return status;
    return read_coherence(settings, out);
}

/* ---- access times ---- */

#define GRANULARITY_LEAST 4
#define GRANULARITY_MOST  ((int64_t)366 * 86400000)

int pdict__settings_access(const struct option_set *settings, int64_t *granularity_ms)
{
    const char *text = settings->values[OPTION_ACCESS].text;

    *granularity_ms = 0;
    if (strcmp(text, "off") == 0)
        return PDICT_OK;
    if (pdict__parse_duration(text, granularity_ms) && *granularity_ms >= GRANULARITY_LEAST &&
        *granularity_ms <= GRANULARITY_MOST)
        return PDICT_OK;
    return pdict_fail(PDICT_INVAL, "open: access=%s is neither off nor a time from 4ms to 366d",
                      text);
}

/* ---- lifetimes ---- */

/* The granularity of access times is at most this part of idle=. */
#define IDLE_SHARE 16

int pdict__settings_lifetimes(const struct option_set *settings, struct lifetimes *out)
{
    int64_t idle_ms = settings->values[OPTION_IDLE].number, granularity_ms;
    int status = pdict__settings_access(settings, &granularity_ms);

    *out = (struct lifetimes){ .ttl_ms = settings->values[OPTION_TTL].number, .idle_ms = idle_ms };
    if (status != PDICT_OK || idle_ms == 0)
        return status;
    if (idle_ms < IDLE_SHARE * GRANULARITY_LEAST)
        return pdict_fail(PDICT_INVAL, "open: idle=%s is below 64ms",
                          settings->values[OPTION_IDLE].text);
    if (granularity_ms == 0)
        return pdict_fail(PDICT_CONTRADICTION,
                          "open: idle= needs access times; leave access=off out");
    out->granularity_ms =
        granularity_ms < idle_ms / IDLE_SHARE ? granularity_ms : idle_ms / IDLE_SHARE;
    return PDICT_OK;
}
