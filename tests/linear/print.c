/* SPDX-License-Identifier: MIT */
/* A history as a table that a person can follow. */
#include <inttypes.h>
#include <stdio.h>

#include "linear.h"

void print_history(const struct event *events, size_t count)
{
    static const char *const kinds[] = { "get", "put", "put if absent", "put if same",
                                         "del", "pop", "modify" };
    static const char *const outcomes[] = { "?", "done", "absent", "present", "other" };
    int64_t start = INT64_MAX;

    for (size_t i = 0; i < count; i++)
        start = events[i].called_ns < start ? events[i].called_ns : start;
    printf("thread  called ns  returned ns  operation\n");
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &events[i];

        printf("%6u %10" PRId64 " ", event->thread, event->called_ns - start);
        if (event->returned_ns == INT64_MAX)
            printf("%12s  ", "never");
        else
            printf("%12" PRId64 "  ", event->returned_ns - start);
        printf("key %u %s", event->key, kinds[event->kind]);
        if (event->kind != DEL)
            printf(" %" PRIu32, event->id);
        if (event->kind == PUT_IF_SAME || event->kind == MODIFY)
            printf(" over %" PRIu32, event->if_id);
        if (event->expires_ms)
            printf(" until %" PRId64, event->expires_ms);
        printf(" -> %s (clock %" PRId64 "..%" PRId64 ")\n", outcomes[event->outcome],
               event->clock_called, event->clock_returned);
    }
}
