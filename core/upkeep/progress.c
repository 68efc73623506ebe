/* SPDX-License-Identifier: MIT */
/* How far the work is, and whether to go on; and the structs that grow from version to version. */
#include "base/calls.h"
#include "upkeep/upkeep.h"

/* Between two calls of the caller's function: about a millisecond's work. */
#define STEPS 1024

static int tell(const struct progress *progress)
{
    int answer = 0;

    if (progress->fn) {
        pdict__callback_begin();
        answer = progress->fn(progress->ctx, progress->phase, progress->done, progress->total);
        pdict__callback_end();
    }
    if (answer == 0)
        return PDICT_OK;
    return pdict_fail(PDICT_CANCELLED, "the caller ended the work while it was at \"%s\"",
                      progress->phase);
}

int pdict__progress_begin(struct progress *progress, const char *phase, uint64_t total)
{
    progress->phase = phase;
    progress->done = 0;
    progress->total = total;
    return tell(progress);
}

int pdict__progress_at(struct progress *progress, uint64_t done, uint64_t total)
{
    progress->done = done;
    progress->total = total;
    return tell(progress);
}

int pdict__progress_step(struct progress *progress)
{
    return ++progress->done % STEPS == 0 ? tell(progress) : PDICT_OK;
}

int pdict__progress_end(struct progress *progress)
{
    return tell(progress);
}

int pdict__struct_take(void *out, size_t out_size, const void *in, const char *name)
{
    size_t size;

    if (!in)
        return PDICT_OK;
    memcpy(&size, in, sizeof(size));
    if (size < sizeof(size))
        return pdict_fail(PDICT_INVAL, "%s: set struct_size, see its _INIT macro", name);
    memcpy(out, in, size < out_size ? size : out_size);
    return PDICT_OK;
}

void pdict__struct_give(void *out, const void *result, size_t size)
{
    size_t known;

    if (!out)
        return;
    memcpy(&known, out, sizeof(known));
    if (known <= sizeof(known))
        return;
    memcpy((char *)out + sizeof(known), (const char *)result + sizeof(known),
           (known < size ? known : size) - sizeof(known));
}

int pdict__secret_take(pdict_slice passphrase, pdict_slice key, struct secret *out)
{
    if (passphrase.data && key.data)
        return pdict_fail(PDICT_CONTRADICTION, "give a passphrase or a key, not both");
    *out = (struct secret){ passphrase.data ? passphrase : key,
                            .is_passphrase = passphrase.data != NULL };
    return PDICT_OK;
}
