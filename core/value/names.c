/* SPDX-License-Identifier: MIT */
/* Maps that hide names: a row has a keyed hash as its key, and the true key lies sealed in it. */
#include "value/pipeline.h"

#define SIZE_FIELD 4

static int malformed(const char *what)
{
    return pdict_fail(PDICT_FORMAT,
                      "malformed record: %s; restore the entry from a backup or delete it", what);
}

bool pdict__hides_names(const struct pipeline *pipeline)
{
    return (pdict__generation_of(pipeline)->header.flags & RECORD_HOLDS_KEY) != 0;
}

int pdict__hidden_key(const struct pipeline *pipeline, pdict_slice name, struct hidden_key *out)
{
    out->name = name;
    return pdict__keyring_name(pdict__generation_of(pipeline)->ring, name, out->bytes);
}

size_t pdict__name_room(const struct pipeline *pipeline, pdict_slice name)
{
    return pdict__hides_names(pipeline) ? SIZE_FIELD + name.size : 0;
}

void pdict__name_write(pdict_slice name, uint8_t *out)
{
    pdict__put32(out, (uint32_t)name.size);
    pdict__copy(out + SIZE_FIELD, name.data, name.size);
}

static int check_name(const struct pipeline *pipeline, pdict_slice key, pdict_slice name)
{
    uint8_t expected[HIDDEN_KEY_SIZE];
    int status = pdict__keyring_name(pdict__generation_of(pipeline)->ring, name, expected);

    if (status != PDICT_OK)
        return status;
    return pdict__slice_equal(key, (pdict_slice){ expected, sizeof(expected) })
               ? PDICT_OK
               : malformed("the key in it is not that of its row");
}

int pdict__name_read(const struct pipeline *pipeline, const struct record_header *header,
                     pdict_slice key, pdict_slice *payload, pdict_slice *name)
{
    const uint8_t *bytes = payload->data;
    size_t left = payload->size;
    int status;

    if (left < SIZE_FIELD || left - SIZE_FIELD < pdict__get32(bytes))
        return malformed("it ends within its key");
    *name = (pdict_slice){ bytes + SIZE_FIELD, pdict__get32(bytes) };
    left -= SIZE_FIELD + name->size;
    *payload = (pdict_slice){ bytes + SIZE_FIELD + name->size, left };
    if ((status = pdict__record_check_sizes(header, left)) != PDICT_OK)
        return status;
    return check_name(pipeline, key, *name);
}
