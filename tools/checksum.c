/* SPDX-License-Identifier: MIT */
/* The checksum that closes a dump: XXH3, 64 bits, over the bytes of its record lines. */
#include "tool.h"

/* -Og keeps xxHash from inlining what it marks as always inlined, and gcc stops at that. */
#define XXH_NO_INLINE_HINTS 1
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdlib.h>

struct tool_checksum {
    XXH3_state_t *state;
};

/* Owned; end it with tool_checksum_free(). */
struct tool_checksum *tool_checksum_new(void)
{
    struct tool_checksum *checksum = tool_alloc(NULL, sizeof *checksum);

    checksum->state = XXH3_createState();
    if (!checksum->state) {
        fputs("pdict: out of memory\n", stderr);
        exit(TOOL_IO);
    }
    tool_checksum_reset(checksum);
    return checksum;
}

void tool_checksum_reset(struct tool_checksum *checksum)
{
    XXH3_64bits_reset(checksum->state);
}

void tool_checksum_add(struct tool_checksum *checksum, pdict_slice bytes)
{
    XXH3_64bits_update(checksum->state, bytes.data, bytes.size);
}

void tool_checksum_text(const struct tool_checksum *checksum, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(checksum->state));
}

void tool_checksum_free(struct tool_checksum *checksum)
{
    if (checksum)
        XXH3_freeState(checksum->state);
    free(checksum);
}
