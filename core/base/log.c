/* SPDX-License-Identifier: MIT */
/* One line to the user's log hook. */
#include <stdio.h>

#include "base/base.h"

void pdict__log(const pdict_logger *logger, int level, const char *component, int status,
                const char *format, ...)
{
    char message[512];
    va_list args;

    if (!logger->fn || level > logger->level)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    logger->fn(logger->ctx, level, component, status, message);
}
