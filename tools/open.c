/* SPDX-License-Identifier: MIT */
/* From a command line to an open map or store: options, mode, secret, log. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static void log_line(void *ctx, int level, const char *component, int status, const char *message)
{
    static const char *const levels[] = { "", "error", "warning", "info", "debug" };

    (void)ctx;
    fprintf(stderr, "pdict: %s: %s: %s%s%s%s\n", component,
            level >= PDICT_LOG_ERROR && level <= PDICT_LOG_DEBUG ? levels[level] : "", message,
            status ? " (" : "", status ? pdict_status_name(status) : "", status ? ")" : "");
}

/* Settings as the library takes them; `names` is the memory behind the --option ones. */
struct settings {
    pdict_setting *items;
    size_t count;
    char **names;
    size_t n_names;
    char *uri;
    char mode[16];
};

static void settings_free(struct settings *settings)
{
    for (size_t i = 0; i < settings->n_names; i++)
        free(settings->names[i]);
    free(settings->names);
    free(settings->items);
    free(settings->uri);
}

static void settings_add(struct settings *settings, const char *name, const char *value)
{
    settings->items[settings->count].name = name;
    settings->items[settings->count++].value = value;
}

static int settings_add_text(struct settings *settings, const char *text)
{
    const char *equals = strchr(text, '=');
    char *copy;

    if (!equals || equals == text)
        return pdict_fail(PDICT_INVAL, "--option %s has no value, write NAME=VALUE", text);
    copy = tool_alloc(NULL, strlen(text) + 1);
    strcpy(copy, text);
    copy[equals - text] = '\0';
    settings->names[settings->n_names++] = copy;
    settings_add(settings, copy, copy + (equals - text) + 1);
    return PDICT_OK;
}

/*
 * The URI without its mode, which travels as a setting: owned, end it with free(). The mode that
 * the user asked for, in the URI or by --option, goes to `mode`; "" when there is none.
 */
static char *take_mode(const struct invocation *in, char mode[16])
{
    const char *from = in->args[0] + strcspn(in->args[0], "?");
    char *uri = tool_alloc(NULL, strlen(in->args[0]) + 1);
    char *to = uri + (from - in->args[0]);
    char separator = '?';

    memcpy(uri, in->args[0], (size_t)(to - uri));
    mode[0] = '\0';
    while (*from) {
        size_t size = strcspn(++from, "&");

        if (strncmp(from, "mode=", 5) == 0) {
            snprintf(mode, 16, "%.*s", (int)(size - 5), from + 5);
        } else {
            *to++ = separator;
            memcpy(to, from, size);
            to += size;
            separator = '&';
        }
        from += size;
    }
    *to = '\0';
    for (size_t i = 0; i < in->n_settings; i++) {
        if (strncmp(in->settings[i], "mode=", 5) == 0)
            snprintf(mode, 16, "%s", in->settings[i] + 5);
    }
    return uri;
}

static int settings_make(const struct invocation *in, const char *mode, struct settings *out)
{
    static const int direct[] = { OPT_MAP, OPT_CODECS, OPT_TIMEOUT };
    int status;

    memset(out, 0, sizeof *out);
    out->items = tool_alloc(NULL, (in->n_settings + 4) * sizeof *out->items);
    out->names = tool_alloc(NULL, (in->n_settings + 1) * sizeof *out->names);
    out->uri = take_mode(in, out->mode);
    if (strcmp(out->mode, "rwc") == 0 && strcmp(mode, "rwc") != 0)
        return pdict_fail(PDICT_CONTRADICTION,
                          "mode=rwc would create, and %s never does, leave the mode out",
                          in->verb->name);
    settings_add(out, "mode", out->mode[0] ? out->mode : mode);
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) {
        if (in->values[direct[i]])
            settings_add(out, tool_options[direct[i]].name, in->values[direct[i]]);
    }
    for (size_t i = 0; i < in->n_settings; i++) {
        if (strncmp(in->settings[i], "mode=", 5) == 0)
            continue;
        if ((status = settings_add_text(out, in->settings[i])) != PDICT_OK)
            return status;
    }
    return PDICT_OK;
}

/* With --now time stands still. */
static int64_t told_time(void *ctx)
{
    return *(const int64_t *)ctx;
}

static void options_make(const struct invocation *in, const struct settings *settings,
                         pdict_options *out)
{
    *out = (pdict_options)PDICT_OPTIONS_INIT;
    out->settings = settings->items;
    out->n_settings = settings->count;
    if (tool_has(in, OPT_NOW)) {
        out->clock = told_time;
        out->clock_ctx = (void *)&in->now_ms;
    }
    if (tool_has(in, OPT_VERBOSE)) {
        out->logger.fn = log_line;
        out->logger.level = PDICT_LOG_DEBUG;
    }
}

int tool_open_with(const struct invocation *in, const char *mode, const struct secret *secret,
                   pdict **out)
{
    struct settings settings;
    pdict_options options;
    int status;

    *out = NULL;
    if ((status = settings_make(in, mode, &settings)) != PDICT_OK)
        goto done;
    options_make(in, &settings, &options);
    if (secret && secret->bytes && secret->is_key)
        options.key = pdict_bytes(secret->bytes, secret->size);
    else if (secret && secret->bytes)
        options.passphrase = pdict_bytes(secret->bytes, secret->size);
    status = pdict_open(settings.uri, &options, out);
done:
    settings_free(&settings);
    return status;
}

/*
 * Is the map there? PDICT_OK: yes, though it may need a secret; else why not. Nothing is created.
 * The codecs of the command line are left out: contradictions are for the real opening to tell.
 */
int tool_probe(const struct invocation *in)
{
    struct invocation bare = *in;
    struct settings settings;
    pdict_options options;
    pdict *d = NULL;
    int status;

    bare.values[OPT_CODECS] = NULL;
    if ((status = settings_make(&bare, "rwc", &settings)) != PDICT_OK)
        goto done;
    settings.items[0].value = "ro";
    options_make(in, &settings, &options);
    status = pdict_open(settings.uri, &options, &d);
    pdict_close(d);
done:
    settings_free(&settings);
    return status == PDICT_NEED_KEY ? PDICT_OK : status;
}

/* Whether a secret is needed only the map can tell, so the first attempt goes without one. */
int tool_open(const struct invocation *in, const char *mode, pdict **out)
{
    struct secret secret = { 0 };
    bool is_new;
    int status;

    *out = NULL;
    if ((status = tool_secret_given(in, &secret)) != PDICT_OK)
        goto done;
    status = tool_open_with(in, mode, &secret, out);
    if (status != PDICT_NEED_KEY || secret.bytes)
        goto done;
    is_new = strcmp(mode, "rwc") == 0 && tool_probe(in) != PDICT_OK;
    if ((status = tool_secret_found(is_new, &secret)) != PDICT_OK)
        goto done;
    status = tool_open_with(in, mode, &secret, out);
    /* At the prompt, or during the derivation behind it. */
    if (status == PDICT_OK && tool_interrupted()) {
        pdict_close(*out);
        *out = NULL;
        status = pdict_fail(PDICT_CANCELLED, "interrupted");
    }
done:
    tool_secret_wipe(&secret);
    return status;
}

int tool_open_store(const struct invocation *in, const char *mode, pdict_store **out)
{
    struct settings settings;
    pdict_options options;
    int status;

    *out = NULL;
    if ((status = settings_make(in, mode, &settings)) != PDICT_OK)
        goto done;
    options_make(in, &settings, &options);
    status = pdict_store_open(settings.uri, &options, out);
done:
    settings_free(&settings);
    return status;
}
