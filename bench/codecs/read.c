/* SPDX-License-Identifier: MIT */
/* Reading --data: a file of many records, a directory of files, or a store. */
#include "codecs/codec.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum format {
    FORMAT_WHOLE,
    FORMAT_LINES,
    FORMAT_JSONL,
    FORMAT_DEB822,
    FORMATS
};

static const char *const formats[FORMATS] = { "whole", "lines", "jsonl", "deb822" };

#define MOST_BYTES ((size_t)1 << 30) /* of one file */

static int read_file(const char *path, char **out, size_t *size)
{
    FILE *file = fopen(path, "r");
    struct stat facts;
    int status = PDICT_OK;

    *out = NULL;
    if (!file || fstat(fileno(file), &facts) != 0)
        status = pdict_fail(PDICT_IO, "--data: %s: %s", path, strerror(errno));
    else if ((uint64_t)facts.st_size > MOST_BYTES)
        status = pdict_fail(PDICT_TOO_BIG, "--data: %s is over 1 GiB; give a part of it", path);
    else if (!(*out = malloc((size_t)facts.st_size + 1)))
        status = pdict_fail(PDICT_NOMEM, "--data: out of memory for %s", path);
    if (status == PDICT_OK) {
        *size = fread(*out, 1, (size_t)facts.st_size, file);
        (*out)[*size] = '\0';
        if (ferror(file))
            status = pdict_fail(PDICT_IO, "--data: %s: %s", path, strerror(errno));
    }
    if (file)
        fclose(file);
    return status;
}

/* ---- Formats ---- */

static pdict_slice line_at(const char *text, size_t size, size_t *at)
{
    const char *begin = text + *at;
    const char *end = memchr(begin, '\n', size - *at);
    size_t length = end ? (size_t)(end - begin) : size - *at;

    *at += length + (end != NULL);
    return pdict_bytes(begin, length);
}

static int add_lines(struct records *records, const char *text, size_t size)
{
    int status = PDICT_OK;
    char key[24];

    for (size_t at = 0; at < size && status == PDICT_OK;) {
        pdict_slice line = line_at(text, size, &at);

        snprintf(key, sizeof key, "%llu", (unsigned long long)records->offered);
        if (line.size > 0)
            status = records_add(records, pdict_str(key), line);
    }
    return status;
}

/* As `pdict dump` writes: "k" and "v" hold key and value. Any other object is a value as a whole. */
static int add_object(struct records *records, pdict_slice line)
{
    json_t *object = json_loadb(line.data, line.size, 0, NULL);
    json_t *key = json_object_get(object, "k");
    json_t *value = json_object_get(object, "v");
    char number[24];
    int status;

    snprintf(number, sizeof number, "%llu", (unsigned long long)records->offered);
    if (json_is_string(key) && json_is_string(value))
        status = records_add(records, pdict_bytes(json_string_value(key), json_string_length(key)),
                             pdict_bytes(json_string_value(value), json_string_length(value)));
    else
        status = records_add(records, pdict_str(number), line);
    json_decref(object);
    return status;
}

static int add_jsonl(struct records *records, const char *text, size_t size)
{
    int status = PDICT_OK;

    for (size_t at = 0; at < size && status == PDICT_OK;) {
        pdict_slice line = line_at(text, size, &at);

        if (line.size > 0 && *(const char *)line.data == '{')
            status = add_object(records, line);
    }
    return status;
}

static bool is_blank(pdict_slice line)
{
    const char *text = line.data;

    for (size_t i = 0; i < line.size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    }
    return true;
}

/* Field names are told apart without regard to case (Debian policy 5.1). */
static bool key_of(pdict_slice line, const char *field, pdict_slice *key)
{
    const char *text = line.data;
    size_t size = strlen(field);

    if (line.size <= size || text[size] != ':' || strncasecmp(text, field, size) != 0)
        return false;
    for (size++; size < line.size && text[size] == ' ';)
        size++;
    *key = pdict_bytes(text + size, line.size - size);
    return true;
}

static int add_deb822(struct records *records, const char *text, size_t size, const char *field)
{
    int status = PDICT_OK;

    for (size_t at = 0; at < size && status == PDICT_OK;) {
        const char *begin = text + at;
        const char *end = begin;
        pdict_slice key = pdict_str("");

        while (at < size) {
            pdict_slice line = line_at(text, size, &at);

            if (is_blank(line))
                break;
            key_of(line, field, &key);
            end = text + at;
        }
        if (end > begin)
            status = records_add(records, key, pdict_bytes(begin, (size_t)(end - begin)));
    }
    return status;
}

static int add_file(const struct invocation *in, struct records *records, const char *path,
                    int format)
{
    char *text;
    size_t size = 0;
    int status = read_file(path, &text, &size);

    if (status == PDICT_OK) {
        switch (format) {
        case FORMAT_LINES:
            status = add_lines(records, text, size);
            break;
        case FORMAT_JSONL:
            status = add_jsonl(records, text, size);
            break;
        case FORMAT_DEB822:
            status = add_deb822(records, text, size, bench_text(in, OPT_KEY, "Package"));
            break;
        default:
            status = records_add(records, pdict_str(path), pdict_bytes(text, size));
        }
    }
    free(text);
    return status;
}

/* ---- Places ---- */

/* Links are not followed, so no file comes twice. */
static int add_folder(const struct invocation *in, struct records *records, const char *path,
                      int format)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    int status = PDICT_OK;

    if (!folder)
        return pdict_fail(PDICT_IO, "--data: %s: %s", path, strerror(errno));
    while (status == PDICT_OK && (entry = readdir(folder))) {
        char below[4096];
        struct stat facts;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%.3000s/%.255s", path, entry->d_name);
        if (lstat(below, &facts) != 0)
            continue;
        if (S_ISDIR(facts.st_mode))
            status = add_folder(in, records, below, format);
        else if (S_ISREG(facts.st_mode))
            status = add_file(in, records, below, format);
    }
    closedir(folder);
    return status;
}

static int add_store(struct records *records, const char *uri)
{
    pdict_setting read_only = { "mode", "ro" };
    pdict_options options = PDICT_OPTIONS_INIT;
    pdict_iter *iter = NULL;
    pdict_entry entry;
    pdict *map = NULL;
    int status;

    options.settings = &read_only;
    options.n_settings = 1;
    if ((status = pdict_open(uri, &options, &map)) != PDICT_OK ||
        (status = pdict_iter_open(map, NULL, &iter)) != PDICT_OK)
        goto done;
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        if ((status = records_add(records, entry.key, entry.value)) != PDICT_OK)
            goto done;
    }
    status = status == PDICT_END ? PDICT_OK : status;
done:
    pdict_iter_close(iter);
    pdict_close(map);
    return status;
}

int records_read(const struct invocation *in, struct records *out)
{
    const char *path = bench_text(in, OPT_DATA, "");
    int format = FORMAT_WHOLE;
    struct stat facts;
    int status;

    *out = (struct records){ 0 };
    if (!*path)
        return pdict_fail(PDICT_INVAL, "%s: --data is missing: a file, a directory, or @STORE",
                          in->verb->name);
    if ((status = bench_choice(in, OPT_FORMAT, formats, FORMATS, &format)) != PDICT_OK)
        return status;
    if (*path == '@')
        status = add_store(out, path + 1);
    else if (stat(path, &facts) != 0)
        status = pdict_fail(PDICT_INVAL, "--data: %s: %s", path, strerror(errno));
    else if (S_ISDIR(facts.st_mode))
        status = add_folder(in, out, path, format);
    else
        status = add_file(in, out, path, format);
    if (status == PDICT_OK && out->count < 2)
        status = pdict_fail(PDICT_INVAL, "--data: %s holds %zu record%s; two are needed at least%s",
                            path, out->count, out->count == 1 ? "" : "s",
                            bench_has(in, OPT_FORMAT) ? "" : ", --format says how to split a file");
    if (status != PDICT_OK)
        records_free(out);
    return status;
}
