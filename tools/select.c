/* SPDX-License-Identifier: MIT */
/* Which keys a verb is about: prefixes, bounds and globs, over keys of any bytes. */
#include "tool.h"

#include <string.h>

/* One bracket expression, [abc], [a-z] or [!abc]; *at stands behind its '['. */
static bool match_set(const unsigned char **at, const unsigned char *end, unsigned char byte)
{
    const unsigned char *p = *at;
    bool is_negated = p < end && (*p == '!' || *p == '^');
    bool found = false;
    const unsigned char *first = p += is_negated;

    while (p < end && (*p != ']' || p == first)) {
        unsigned char low = *p++;
        unsigned char high = low;

        if (end - p > 1 && p[0] == '-' && p[1] != ']') {
            high = p[1];
            p += 2;
        }
        found = found || (low <= byte && byte <= high);
    }
    *at = p < end ? p + 1 : end;
    return found != is_negated;
}

/* One element of a glob other than '*' against one byte; *at moves behind it. */
static bool match_one(const unsigned char **at, const unsigned char *end, unsigned char byte)
{
    unsigned char element = *(*at)++;

    if (element == '?')
        return true;
    if (element == '[')
        return match_set(at, end, byte);
    if (element == '\\' && *at < end)
        element = *(*at)++;
    return element == byte;
}

/* On a mismatch only the last star is tried again, so the cost is at most glob times key. */
static bool glob_matches(pdict_slice glob, pdict_slice key)
{
    const unsigned char *g = glob.data;
    const unsigned char *g_end = g + glob.size;
    const unsigned char *k = key.data;
    const unsigned char *k_end = k ? k + key.size : k;
    const unsigned char *star = NULL;
    const unsigned char *star_key = NULL;

    while (k < k_end) {
        if (g < g_end && *g == '*') {
            star = ++g;
            star_key = k;
        } else if (g < g_end && match_one(&g, g_end, *k)) {
            k++;
        } else if (star) {
            g = star;
            k = ++star_key;
        } else {
            return false;
        }
    }
    while (g < g_end && *g == '*')
        g++;
    return g == g_end;
}

/* `pattern` may be NULL. Everything is borrowed from the command line. */
int tool_select(const struct invocation *in, const char *pattern, struct selection *out)
{
    const char *const *values = in->values;

    if (pattern && values[OPT_PREFIX])
        return pdict_fail(PDICT_CONTRADICTION, "a pattern and --prefix are given, keep one");
    memset(out, 0, sizeof *out);
    out->range = (pdict_range)PDICT_RANGE_INIT;
    out->range.prefix = pdict_str(values[OPT_PREFIX]);
    out->range.from = pdict_str(values[OPT_FROM]);
    out->range.to = pdict_str(values[OPT_TO]);
    if (pattern && pattern[strcspn(pattern, "*?[")])
        out->glob = pdict_str(pattern);
    /* What stands before the first special character narrows the walk. */
    if (out->glob.data)
        out->range.prefix = pdict_bytes(pattern, strcspn(pattern, "*?[\\"));
    else if (pattern)
        out->range.prefix = pdict_str(pattern);
    if (values[OPT_REVERSE])
        out->range.flags |= PDICT_REVERSE;
    if (values[OPT_BY_KEY])
        out->range.flags |= PDICT_BY_KEY;
    return PDICT_OK;
}

/* Does the status speak of one record, behind which a walk can go on? */
bool tool_is_damage(int status)
{
    return status == PDICT_CHECKSUM || status == PDICT_AUTH || status == PDICT_FORMAT ||
           status == PDICT_DOWNGRADE || status == PDICT_TOO_BIG || status == PDICT_UNKNOWN_CODEC;
}

/* As pdict_iter_next(), without the entries that do not match. A damaged record may come back. */
int tool_select_next(const struct selection *selection, pdict_iter *iter, pdict_entry *out)
{
    int status;

    do {
        status = pdict_iter_next(iter, out);
    } while ((status == PDICT_OK || tool_is_damage(status)) && selection->glob.data &&
             !glob_matches(selection->glob, out->key));
    return status;
}

/* A key of the command line, as it is or out of base64. */
int tool_key(const struct invocation *in, const char *text, struct tool_buf *out)
{
    out->size = 0;
    if (!tool_has(in, OPT_BASE64)) {
        tool_buf_add(out, text, strlen(text));
        return PDICT_OK;
    }
    if (tool_base64_decode(text, strlen(text), out) != PDICT_OK)
        return pdict_fail(PDICT_INVAL, "the key %s is not base64, which --base64 asks for", text);
    return PDICT_OK;
}
