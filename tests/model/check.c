/* SPDX-License-Identifier: MIT */
/* What is compared, and what a difference is called. */
#include "run.h"

#include <stdarg.h>
#include <string.h>

bool run_fail(struct run *run, const char *format, ...)
{
    va_list args;

    if (run->report->is_failed)
        return false;
    run->report->is_failed = true;
    va_start(args, format);
    vsnprintf(run->report->text, sizeof(run->report->text), format, args);
    va_end(args);
    return false;
}

bool run_expect(struct run *run, const char *what, int actual, int expected)
{
    bool has_text = actual <= PDICT_INVAL;

    if (actual != expected)
        return run_fail(run, "%s: %s, not %s%s%s", what, pdict_status_name(actual),
                        pdict_status_name(expected), has_text ? ": " : "",
                        has_text ? pdict_error_text() : "");
    if (has_text && pdict_error_text()[0] == '\0')
        return run_fail(run, "%s: %s comes without a text", what, pdict_status_name(actual));
    return true;
}

bool run_same_number(struct run *run, const char *what, int64_t actual, int64_t expected)
{
    if (actual == expected)
        return true;
    return run_fail(run, "%s: %lld, not %lld", what, (long long)actual, (long long)expected);
}

bool run_same_text(struct run *run, const char *what, const char *actual, const char *expected)
{
    if (strcmp(actual, expected) == 0)
        return true;
    return run_fail(run, "%s: '%s', not '%s'", what, actual, expected);
}

bool run_same_value(struct run *run, const char *what, pdict_slice actual, struct value expected)
{
    if (compare_slices(actual, value_bytes(expected)) == 0)
        return true;
    return run_fail(run, "%s: another value of %zu bytes, not the one of %u", what, actual.size,
                    expected.size);
}

bool run_same_version(struct run *run, const char *what, struct row *row, uint64_t version)
{
    if (row->version == 0 && version != 0 && version != row->old_version)
        row->version = version;
    if (row->version == version)
        return true;
    return run_fail(run, "%s: the version is not that of the last put", what);
}

bool run_same_view(struct run *run, const char *what, const pdict_view *view, struct row *row)
{
    return run_same_value(run, what, pdict_bytes(view->data, view->size), row->value) &&
           (view->data || run_fail(run, "%s: data is NULL", what)) &&
           run_same_number(run, "created_ms", view->created_ms, row->created_ms) &&
           run_same_number(run, "expires_ms", view->expires_ms, row->expires_ms) &&
           run_same_version(run, what, row, view->version);
}

bool run_is_zeroed(struct run *run, const char *what, const pdict_view *view)
{
    if (!view->data && view->size == 0 && view->version == 0 && !view->pin)
        return true;
    return run_fail(run, "%s: the view of a failure is not zeroed", what);
}

int run_presence(const struct row *row)
{
    return row ? PDICT_OK : PDICT_NOTFOUND;
}
