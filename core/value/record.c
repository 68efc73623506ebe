/* SPDX-License-Identifier: MIT */
/* The envelope of a stored value: its header, the bytes it is bound to, its checksum. */
#include "value/value.h"

#define RECORD_MAGIC   0xD7
#define RECORD_VERSION 1
#define LABEL_SIZE     16

/* Label, map id, header, expiry, version and key size: everything bound but the key itself. */
#define BOUND_FIXED_SIZE (LABEL_SIZE + MAP_ID_SIZE + RECORD_HEADER_SIZE + 8 + 8 + 4)

enum header_offset {
    AT_MAGIC = 0,
    AT_VERSION = 1,
    AT_FLAGS = 2,
    AT_SERIALIZER = 4,
    AT_COMPRESSOR = 5,
    AT_CIPHER = 6,
    AT_CHECKSUM = 7,
    AT_KEY_EPOCH = 8,
    AT_DICTIONARY = 10,
    AT_PLAIN_SIZE = 12
};

static const char label[LABEL_SIZE] = "pdict/record/1";

static int malformed(const char *what)
{
    return pdict_fail(PDICT_FORMAT,
                      "malformed record: %s; restore the entry from a backup or delete it", what);
}

static void header_unpack(const uint8_t *in, struct record_header *out)
{
    out->flags = pdict__get16(in + AT_FLAGS);
    out->serializer = in[AT_SERIALIZER];
    out->compressor = in[AT_COMPRESSOR];
    out->cipher = in[AT_CIPHER];
    out->checksum = in[AT_CHECKSUM];
    out->key_epoch = pdict__get16(in + AT_KEY_EPOCH);
    out->dictionary = pdict__get16(in + AT_DICTIONARY);
    out->plain_size = pdict__get32(in + AT_PLAIN_SIZE);
}

/* NULL, or which fields contradict each other: no writer makes these, so nothing may read them. */
static const char *header_contradiction(const struct record_header *header)
{
    if ((header->flags & ~RECORD_KNOWN_FLAGS) != 0)
        return "unknown flags";
    if (header->serializer == 0)
        return "no serializer";
    if (header->checksum != CHECKSUM_NONE && header->checksum != CHECKSUM_XXH3)
        return "unknown checksum";
    if (header->cipher != 0 && header->checksum != CHECKSUM_NONE)
        return "cipher and checksum together";
    if ((header->cipher != 0) != (header->key_epoch != 0))
        return "cipher and key epoch contradict each other";
    if (header->compressor != 0 && (header->flags & RECORD_NOT_COMPRESSED) != 0)
        return "compressed and not compressed";
    if (header->compressor != 0 && header->plain_size == 0)
        return "compressed from nothing";
    if (header->compressor == 0 && header->dictionary != 0)
        return "dictionary without a compressor";
    if (header->cipher == 0 && (header->flags & RECORD_HOLDS_KEY) != 0)
        return "hidden key without a cipher";
    return NULL;
}

void pdict__record_header_write(const struct record_header *header, uint8_t *out)
{
    out[AT_MAGIC] = RECORD_MAGIC;
    out[AT_VERSION] = RECORD_VERSION;
    pdict__put16(out + AT_FLAGS, header->flags);
    out[AT_SERIALIZER] = header->serializer;
    out[AT_COMPRESSOR] = header->compressor;
    out[AT_CIPHER] = header->cipher;
    out[AT_CHECKSUM] = header->checksum;
    pdict__put16(out + AT_KEY_EPOCH, header->key_epoch);
    pdict__put16(out + AT_DICTIONARY, header->dictionary);
    pdict__put32(out + AT_PLAIN_SIZE, header->plain_size);
}

int pdict__record_header_read(pdict_slice record, struct record_header *header)
{
    const uint8_t *in = record.data;
    const char *contradiction;

    memset(header, 0, sizeof *header);
    if (record.size < RECORD_HEADER_SIZE)
        return malformed("shorter than its header");
    if (in[AT_MAGIC] != RECORD_MAGIC)
        return malformed("wrong first byte");
    if (in[AT_VERSION] > RECORD_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "the record has envelope version %u, this build reads %u; read it with a "
                          "newer pdict",
                          in[AT_VERSION], RECORD_VERSION);
    if (in[AT_VERSION] != RECORD_VERSION)
        return malformed("envelope version 0");
    header_unpack(in, header);
    contradiction = header_contradiction(header);
    return contradiction == NULL ? PDICT_OK : malformed(contradiction);
}

int pdict__record_check_sizes(const struct record_header *header, size_t size)
{
    if (header->compressor == 0 && size != header->plain_size)
        return malformed("its size is not the one it states");
    /* No writer keeps what did not shrink, so scratch memory never needs more than a value. */
    if (header->compressor != 0 && size >= header->plain_size)
        return malformed("it is compressed to more than its value");
    return PDICT_OK;
}

int pdict__record_bound(const uint8_t *map_id, const uint8_t *header_bytes,
                        const struct binding *binding, struct buf *out)
{
    uint8_t *at;
    int status;

    if (binding->key.size > UINT32_MAX)
        return pdict_fail(PDICT_TOO_BIG, "the key has %zu bytes, a key has at most %u",
                          binding->key.size, UINT32_MAX);
    status = pdict__buf_reserve(out, out->size + BOUND_FIXED_SIZE + binding->key.size);
    if (status != PDICT_OK)
        return status;
    at = out->data + out->size;
    memcpy(at, label, LABEL_SIZE);
    memcpy(at += LABEL_SIZE, map_id, MAP_ID_SIZE);
    memcpy(at += MAP_ID_SIZE, header_bytes, RECORD_HEADER_SIZE);
    pdict__put64(at += RECORD_HEADER_SIZE, (uint64_t)binding->expires_ms);
    pdict__put64(at += 8, binding->version);
    pdict__put32(at += 8, (uint32_t)binding->key.size);
    pdict__copy(at + 4, binding->key.data, binding->key.size);
    out->size += BOUND_FIXED_SIZE + binding->key.size;
    return PDICT_OK;
}

uint64_t pdict__record_checksum(pdict_slice bound, pdict_slice payload)
{
    return pdict__hash64(payload.data, payload.size, pdict__hash64(bound.data, bound.size, 0));
}
