/* SPDX-License-Identifier: MIT */
/* Maps that are made anew while they are in use. */
#ifndef RECODE_FIXTURE_H
#define RECODE_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "map/map.h"
#include "maps.h"
#include "value/pipeline.h"

#define ENTRIES 600

/* Which store of this test the calls below are about. */
static unsigned store_number;

static inline const char *recode_uri(const char *backend, const char *codecs)
{
    char *uri = test_alloc(1024);

    snprintf(uri, 1024, "%s:%s?sweep=manual%s%s", backend, test_path("%u.store", store_number),
             codecs ? "&codecs=" : "", codecs ? codecs : "");
    return uri;
}

static inline bool is_sealed(const char *codecs)
{
    return codecs && strstr(codecs, "xchacha20");
}

static inline pdict *recode_open(const char *backend, const char *codecs, bool with_key)
{
    pdict_options options = test_options(with_key);
    pdict *d;

    CHECK_OK(pdict_open(recode_uri(backend, codecs), &options, &d));
    return d;
}

/* A secret that no file may hold in the clear, and some that compress. */
static inline pdict_slice value_of(unsigned i)
{
    char *text = test_alloc(160);
    int size = snprintf(text, 160,
                        "{\"name\":\"plaintext-%u\",\"text\":\"some words, some words, some words, "
                        "some words\",\"n\":%u}",
                        i, i * 7919u);

    return pdict_bytes(text, (size_t)size);
}

static inline const char *key_of(unsigned i)
{
    char *key = test_alloc(16);

    snprintf(key, 16, "%05u", i * 7 % 100000);
    return key;
}

static inline void fill(pdict *d, unsigned count)
{
    pdict_pair *pairs = test_alloc(count * sizeof(*pairs));

    for (unsigned i = 0; i < count; i++)
        pairs[i] = (pdict_pair){ pdict_str(key_of(i)), value_of(i) };
    CHECK_OK(pdict_put_many(d, pairs, count, NULL, NULL));
    put_ttl(d, "later", "expires later", 3600000);
    put_ttl(d, "soon", "expires soon", 1000);
}

/* All that a caller sees, in the order of insertion. */
static inline const char *picture_of(pdict *d)
{
    char *text = test_alloc((ENTRIES + 100) * 400), *at = text;
    pdict_iter *iter;
    pdict_entry entry;
    int status;

    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK)
        at += sprintf(at, "%.*s %.*s %llu %lld %lld\n", (int)entry.key.size,
                      (const char *)entry.key.data, (int)entry.value.size,
                      (const char *)entry.value.data, (unsigned long long)entry.version,
                      (long long)entry.created_ms, (long long)entry.expires_ms);
    CHECK_STATUS(status, PDICT_END);
    pdict_iter_close(iter);
    return text;
}

static inline void recode(pdict *d, const char *codecs, pdict_recode_result *result)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;

    options.codecs = codecs;
    if (is_sealed(codecs))
        options.key = test_key;
    CHECK_OK(pdict_recode(d, &options, result));
}

static inline void header_of(pdict *d, const char *key, struct record_header *out)
{
    void *reader;
    pdict_row row;

    CHECK_OK(pdict__begin(d, &reader));
    CHECK_OK(pdict__row_get(d, reader, pdict_str(key), &row));
    CHECK_OK(pdict__record_header_read(row.value, out));
    pdict__end(d, reader);
}

/* Ends a call after so many questions. */
static inline int stop_after(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    int *left = ctx;

    (void)done;
    (void)total;
    return strcmp(phase, "recode") == 0 && --*left <= 0;
}

/* How often the bytes come in any file beside the store. */
static inline unsigned occurrences(const char *bytes)
{
    DIR *dir = opendir(test_dir());
    struct dirent *entry;
    unsigned n = 0;

    CHECK(dir != NULL);
    while ((entry = readdir(dir))) {
        size_t size;
        char *content, *at;

        if (entry->d_type != DT_REG)
            continue;
        content = at = test_file(test_path("%s", entry->d_name), &size);
        while ((at = memmem(at, size - (size_t)(at - content), bytes, strlen(bytes)))) {
            at++;
            n++;
        }
    }
    closedir(dir);
    return n;
}

static inline void need_codecs(void)
{
    if (!pdict__codec_find("zstd") || !pdict__codec_find("zlib") ||
        !pdict__codec_find("xchacha20") || !pdict__codec_find("cbor") || !pdict__codec_find("json"))
        SKIP("a codec is not in this build");
}

#endif
