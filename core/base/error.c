/* SPDX-License-Identifier: MIT */
/* Status names and texts, and the error text of each thread. */
#include <pdict/pdict.h>
#include <stdio.h>

#include "base/base.h"

#define ERROR_TEXT_SIZE 512

/* initial-exec is not asked for: the text is only touched when something failed. */
static _Thread_local char error_text[ERROR_TEXT_SIZE];

const char *pdict_version(void)
{
    return PDICT_VERSION_STRING;
}

const char *pdict_status_name(int status)
{
    switch (status) {
#define NAME_CASE(name, value, meaning)                                                            \
    case PDICT_##name:                                                                             \
        return "PDICT_" #name;
        PDICT_STATUS_MAP(NAME_CASE)
#undef NAME_CASE
    default:
        return "PDICT_?";
    }
}

const char *pdict_status_text(int status)
{
    switch (status) {
#define TEXT_CASE(name, value, meaning)                                                            \
    case PDICT_##name:                                                                             \
        return meaning;
        PDICT_STATUS_MAP(TEXT_CASE)
#undef TEXT_CASE
    default:
        return "not a pdict status";
    }
}

const char *pdict_error_text(void)
{
    return error_text;
}

int pdict_fail(int status, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE]; /* the arguments may point into the old text */
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    memcpy(error_text, text, sizeof(text));
    return status;
}
