/* SPDX-License-Identifier: MIT */
/* Reads the line texts of keyring and descriptor: one legal form each, never past the end. */
#ifndef PDICT_VALUE_SCAN_H
#define PDICT_VALUE_SCAN_H

#include "base/base.h"

/* What is left of a text. A scan_ function takes what it names, or answers false and the text is
 * refused as a whole, so how far it came does not matter. */
struct scan {
    const char *at;
    size_t left;
};

static inline struct scan scan_begin(pdict_slice text)
{
    return (struct scan){ .at = text.data, .left = text.size };
}

static inline void scan_skip(struct scan *scan, size_t size)
{
    scan->at += size;
    scan->left -= size;
}

static inline bool scan_literal(struct scan *scan, const char *literal)
{
    size_t size = strlen(literal);

    if (scan->left < size || memcmp(scan->at, literal, size) != 0)
        return false;
    scan_skip(scan, size);
    return true;
}

/* Decimal, without sign or leading zeros, up to `max`. */
static inline bool scan_number(struct scan *scan, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    size_t digits = 0;

    while (digits < scan->left && scan->at[digits] >= '0' && scan->at[digits] <= '9') {
        unsigned digit = (unsigned)(scan->at[digits] - '0');

        if (digit > max || number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
        digits++;
    }
    if (digits == 0 || (digits > 1 && scan->at[0] == '0'))
        return false;
    scan_skip(scan, digits);
    *out = number;
    return true;
}

/* Exactly 2 * size lower-case hex digits. */
static inline bool scan_hex(struct scan *scan, void *out, size_t size)
{
    if (scan->left < 2 * size || !pdict__hex_decode((pdict_slice){ scan->at, 2 * size }, out, size))
        return false;
    scan_skip(scan, 2 * size);
    return true;
}

/* Up to the end of the line, which is taken too. */
static inline bool scan_line(struct scan *scan, pdict_slice *out)
{
    const char *end = scan->left > 0 ? memchr(scan->at, '\n', scan->left) : NULL;

    if (end == NULL)
        return false;
    *out = (pdict_slice){ scan->at, (size_t)(end - scan->at) };
    scan_skip(scan, out->size + 1);
    return true;
}

#endif
