/* SPDX-License-Identifier: MIT */
/* BACKEND:PATH?NAME=VALUE&NAME=VALUE, with %XX escapes; or a bare path with options. */
#include "open/open.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undo %XX. A NUL byte has no place in a path or an option. */
static int unescape(const struct uri *uri, const char *text, size_t size, char **out)
{
    char *copy = pdict__alloc(uri->allocator, size + 1), *to = copy;

    if (!copy)
        return PDICT_NOMEM;
    for (size_t i = 0; i < size; i++) {
        int high, low;

        if (text[i] != '%') {
            *to++ = text[i];
            continue;
        }
        high = size - i > 2 ? hex_digit(text[i + 1]) : -1;
        low = size - i > 2 ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            pdict__free(uri->allocator, copy);
            return pdict_fail(PDICT_INVAL,
                              "uri: '%%' is followed by two hex digits other than 00; write %%25 "
                              "for a percent sign");
        }
        *to++ = (char)(high << 4 | low);
        i += 2;
    }
    *to = '\0';
    *out = copy;
    return PDICT_OK;
}

/* Length of "scheme" in "scheme:...", 0 if the text is a bare path. */
static size_t scheme_size(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+");

    return text[size] == ':' ? size : 0;
}

static int parse_option(struct uri *uri, const char *text, size_t size)
{
    const char *equals = memchr(text, '=', size);
    struct uri_option *option = &uri->options[uri->n_options];
    size_t name_size;
    int status;

    if (!equals || equals == text)
        return pdict_fail(PDICT_INVAL, "uri: option '%.*s' is not NAME=VALUE", (int)size, text);
    name_size = (size_t)(equals - text);
    /* Counted first, so that a failure frees what there is. */
    uri->n_options++;
    if ((status = unescape(uri, text, name_size, &option->name)) != PDICT_OK)
        return status;
    return unescape(uri, equals + 1, size - name_size - 1, &option->value);
}

static int parse_query(struct uri *uri, const char *query)
{
    size_t most = 1;
    int status;

    for (const char *c = query; *c; c++)
        most += *c == '&';
    uri->options = pdict__calloc(uri->allocator, most, sizeof(*uri->options));
    if (!uri->options)
        return PDICT_NOMEM;
    while (*query) {
        size_t size = strcspn(query, "&");

        if (size > 0 && (status = parse_option(uri, query, size)) != PDICT_OK)
            return status;
        query += size + (query[size] == '&');
    }
    return PDICT_OK;
}

/* A bare path is taken as it stands: only a URI has escapes. */
static int parse_path(struct uri *uri, const char *text, size_t size)
{
    if (uri->scheme)
        return unescape(uri, text, size, &uri->path);
    if (size == 0)
        return pdict_fail(PDICT_INVAL, "uri: the path is empty");
    uri->path = pdict__strdup(uri->allocator, text, size);
    return uri->path ? PDICT_OK : PDICT_NOMEM;
}

static int parse(struct uri *uri, const char *text)
{
    size_t size = scheme_size(text), path_size;
    int status;

    if (size > 0) {
        uri->scheme = pdict__strdup(uri->allocator, text, size);
        if (!uri->scheme)
            return PDICT_NOMEM;
        text += size + 1;
    }
    path_size = strcspn(text, "?");
    if ((status = parse_path(uri, text, path_size)) != PDICT_OK)
        return status;
    return text[path_size] ? parse_query(uri, text + path_size + 1) : PDICT_OK;
}

int pdict__uri_parse(const char *text, const pdict_allocator *allocator, struct uri *out)
{
    struct uri uri = { .allocator = allocator };
    int status;

    if (!text)
        return pdict_fail(PDICT_INVAL, "uri: NULL is not a URI");
    status = parse(&uri, text);
    if (status != PDICT_OK) {
        pdict__uri_free(&uri);
        return status;
    }
    *out = uri;
    return PDICT_OK;
}

void pdict__uri_free(struct uri *uri)
{
    for (size_t i = 0; i < uri->n_options; i++) {
        pdict__free(uri->allocator, uri->options[i].name);
        pdict__free(uri->allocator, uri->options[i].value);
    }
    pdict__free(uri->allocator, uri->options);
    pdict__free(uri->allocator, uri->scheme);
    pdict__free(uri->allocator, uri->path);
    *uri = (struct uri){ 0 };
}
