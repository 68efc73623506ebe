/* SPDX-License-Identifier: MIT */
/* Errors: which status ends the command with which code, and the one line that goes to stderr. */
#include "tool.h"

#include <stdarg.h>

int tool_exit_code(int status)
{
    switch (status) {
    case PDICT_OK:
    case PDICT_END:
        return TOOL_OK;
    case PDICT_NOTFOUND:
    case PDICT_EXISTS:
    case PDICT_CONFLICT:
        return TOOL_FALSE;
    case PDICT_INVAL:
    case PDICT_MISUSE:
    case PDICT_UNKNOWN_OPTION:
    case PDICT_CONTRADICTION:
    case PDICT_TOO_BIG:
        return TOOL_USAGE;
    case PDICT_NO_STORE:
    case PDICT_NO_DIRECTORY:
    case PDICT_NOT_A_STORE:
    case PDICT_NO_MAP:
        return TOOL_NO_STORE;
    case PDICT_BUSY:
        return TOOL_LOCKED;
    case PDICT_WRONG_KEY:
    case PDICT_NEED_KEY:
    case PDICT_NOT_ENCRYPTED:
        return TOOL_KEY;
    case PDICT_DAMAGED:
    case PDICT_CHECKSUM:
    case PDICT_AUTH:
    case PDICT_FORMAT:
    case PDICT_DOWNGRADE:
        return TOOL_DAMAGED;
    case PDICT_UNKNOWN_BACKEND:
    case PDICT_UNKNOWN_CODEC:
    case PDICT_NEWER_FORMAT:
    case PDICT_UNSUPPORTED:
        return TOOL_UNSUPPORTED;
    case PDICT_CANCELLED:
        return TOOL_INTERRUPTED;
    default:
        return TOOL_IO;
    }
}

static void report(const struct invocation *in, int code, const char *status, const char *text)
{
    const char *verb = in->verb ? in->verb->name : NULL;
    json_t *error;

    fflush(stdout);
    if (!tool_has(in, OPT_JSON)) {
        fprintf(stderr, "pdict: %s%s%s\n", verb ? verb : "", verb ? ": " : "", text);
        return;
    }
    error =
        json_pack("{s:{s:s*, s:i, s:s*}}", "error", "verb", verb, "exit", code, "status", status);
    tool_json_slice(json_object_get(error, "error"), "text", pdict_str(text));
    json_dumpf(error, stderr, JSON_COMPACT);
    putc('\n', stderr);
    json_decref(error);
}

int tool_fail(const struct invocation *in, int code, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report(in, code, NULL, text);
    return code;
}

/* Outcomes that a script asks about are told by the exit code alone, as grep does. */
int tool_fail_status(const struct invocation *in, int status)
{
    int code = tool_exit_code(status);
    const char *text = pdict_error_text();

    if (code != TOOL_OK && code != TOOL_FALSE)
        report(in, code, pdict_status_name(status), *text ? text : pdict_status_text(status));
    return code;
}

void tool_warn(const struct invocation *in, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "pdict: %s: ", in->verb->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    putc('\n', stderr);
}
