/* SPDX-License-Identifier: MIT */
/* Is a record what was once put? With the secret of its map by its seal, else by its shape. */
#include "upkeep/upkeep.h"

bool pdict__is_damage(int status)
{
    switch (status) {
    case PDICT_DAMAGED:
    case PDICT_CHECKSUM:
    case PDICT_AUTH:
    case PDICT_FORMAT:
    case PDICT_DOWNGRADE:
    case PDICT_TOO_BIG:
    case PDICT_NEWER_FORMAT:
    case PDICT_UNKNOWN_CODEC:
    case PDICT_UNKNOWN_OPTION:
        return true;
    default:
        return false;
    }
}

int pdict__judge_open(struct store *store, const struct named_map *map,
                      const struct map_texts *texts, const struct secret *secret,
                      struct judge *judge)
{
    int status;

    *judge = (struct judge){ 0 };
    status = pdict__descriptor_decode(map_text(texts, TEXT_DESCRIPTOR), &judge->descriptor);
    judge->has_descriptor = status == PDICT_OK;
    if (status == PDICT_OK)
        status = pdict__map_open_known(store, map, texts, secret, &judge->map);
    if (status != PDICT_OK)
        return status;
    judge->bench = pdict__bench_take(judge->map->pipeline);
    return judge->bench ? PDICT_OK : PDICT_NOMEM;
}

void pdict__judge_close(struct judge *judge)
{
    if (judge->bench)
        pdict__bench_give(judge->map->pipeline, judge->bench);
    if (judge->map)
        pdict__map_release(judge->map);
    *judge = (struct judge){ 0 };
}

static int misshapen(const char *what)
{
    return pdict_fail(PDICT_FORMAT, "malformed record: %s", what);
}

/* What can be asked of a sealed record without its key. */
static int judge_shape(const struct descriptor *descriptor, const pdict_row *row)
{
    const pdict_codec *codec = pdict__descriptor_cipher(descriptor);
    const struct pdict_cipher *cipher;
    struct record_header header;
    size_t least;
    bool holds_key;
    int status;

    if ((status = pdict__record_header_read(row->value, &header)) != PDICT_OK)
        return status;
    holds_key = (header.flags & RECORD_HOLDS_KEY) != 0;
    cipher = header.cipher != 0 && codec ? codec->cipher : NULL;
    least = RECORD_HEADER_SIZE + (cipher ? cipher->nonce_size + cipher->tag_size : 0);
    if (descriptor->cipher && header.cipher == 0 &&
        (!descriptor->is_converting || descriptor->from_cipher))
        return pdict_fail(PDICT_DOWNGRADE, "a plain record lies in an encrypted map");
    if (header.cipher != 0 && header.cipher != (codec ? codec->id : 0))
        return misshapen("it is sealed by another cipher than the map's");
    if (header.serializer != descriptor->serializer->id &&
        (!descriptor->is_converting || header.serializer != descriptor->from_serializer->id))
        return misshapen("it has another serializer than the map");
    if (holds_key != descriptor->hides_names)
        return misshapen("it names its key in another way than the map");
    if (header.plain_size > descriptor->max_value)
        return pdict_fail(PDICT_TOO_BIG, "the record claims to be larger than max_value");
    if (row->value.size < least)
        return misshapen("it ends early");
    if (header.compressor == 0 && cipher && !holds_key &&
        row->value.size - least != header.plain_size)
        return misshapen("its size is not the one it states");
    return PDICT_OK;
}

int pdict__judge_row(struct judge *judge, const pdict_row *row, bool *is_proven)
{
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_slice value;

    *is_proven = judge->map != NULL;
    if (judge->map)
        return pdict__decode(judge->map->pipeline, judge->bench, &binding, row->value, NULL,
                             &value);
    if (judge->has_descriptor)
        return judge_shape(&judge->descriptor, row);
    return pdict__record_header_read(row->value, &(struct record_header){ 0 });
}
