/* SPDX-License-Identifier: MIT */
/* Any bytes as a file for `pdict load`; the first byte says of which format. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "source.h"

/* What a walk has seen. */
struct seen {
    uint64_t good, bad;
    uint64_t sum; /* of sizes and some bytes: that they can be read, and are the same next time */
};

static void add(struct seen *seen, pdict_slice bytes)
{
    const unsigned char *at = bytes.data;

    seen->sum = seen->sum * 31 + bytes.size;
    for (size_t i = 0; i < bytes.size; i++)
        seen->sum = seen->sum * 31 + at[i];
}

/* To the end, as the verb goes on with --keep-going. */
static struct seen walk(struct source *source)
{
    struct seen seen = { 0 };
    struct record record;
    int status;

    while ((status = source->ops->next(source, &record)) != PDICT_END) {
        if (status == PDICT_OK) {
            expect(record.expires_ms >= 0 && record.created_ms >= 0);
            add(&seen, record.key);
            add(&seen, record.value);
            seen.good++;
        } else if (status == PDICT_INVAL || status == PDICT_CHECKSUM || status == PDICT_MISUSE) {
            expect(pdict_error_text()[0] != '\0');
            seen.bad++;
        } else {
            break;
        }
    }
    expect(source->position <= source->size);
    return seen;
}

static void read_twice(const char *format, const char *path)
{
    struct invocation in = { .values = { [OPT_FORMAT] = format } };
    struct source source = { 0 };
    struct seen first, second;

    if (strcmp(format, "deb822") == 0)
        in.values[OPT_KEY] = "Package";
    expect(source_open(&source, &in, path) == PDICT_OK);
    first = walk(&source);
    expect(source.ops->rewind(&source) == PDICT_OK);
    second = walk(&source);
    expect(first.good == second.good && first.bad == second.bad && first.sum == second.sum);
    source_close(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = { "jsonl", "deb822", "tsv" };
    static int file = -1;
    char path[64];

    if (size == 0)
        return 0;
    if (file < 0)
        expect((file = memfd_create("import", MFD_CLOEXEC)) >= 0);
    expect(ftruncate(file, 0) == 0);
    expect(pwrite(file, data + 1, size - 1, 0) == (ssize_t)(size - 1));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    read_twice(formats[data[0] % 3], path);
    return 0;
}
