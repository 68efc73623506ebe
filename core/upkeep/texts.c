/* SPDX-License-Identifier: MIT */
/* What a map with other codecs says about itself. */
#include "upkeep/upkeep.h"

/* As kdf=moderate makes it. */
static const pdict_kdf new_slot_kdf = { .operations = 3, .memory_bytes = (uint64_t)256 << 20 };

static int copy_text(const struct buf *from, struct buf *to)
{
    to->size = 0;
    return pdict__buf_append(to, from->data, from->size);
}

/* `ring` is made here only when the cipher is new; else it is the one of `from`. */
static int choose_ring(const struct map *from, const struct map_texts *from_texts,
                       const struct descriptor *descriptor, const struct secret *secret,
                       struct keyring **made, struct map_texts *out)
{
    struct buf *ring_text = &out->texts[TEXT_KEYRING], *copy = &out->texts[TEXT_KEYRING_COPY];
    int status;

    if (!descriptor->cipher)
        return PDICT_OK;
    if (descriptor->cipher == pdict__settings(from)->descriptor.cipher) {
        status = copy_text(&from_texts->texts[TEXT_KEYRING], ring_text);
        return status == PDICT_OK ? copy_text(&from_texts->texts[TEXT_KEYRING_COPY], copy) : status;
    }
    status = pdict__keyring_create(descriptor->cipher, descriptor->map_id, secret, &new_slot_kdf,
                                   &from->store->allocator, made);
    if (status == PDICT_OK)
        status = pdict__keyring_encode(*made, ring_text);
    return status == PDICT_OK ? copy_text(ring_text, copy) : status;
}

int pdict__texts_for_codecs(const struct map *from, const struct map_texts *from_texts,
                            const struct codecs *codecs, const struct secret *secret,
                            struct map_texts *out)
{
    struct descriptor descriptor = pdict__settings(from)->descriptor;
    struct keyring *made = NULL;
    const struct keyring *ring;
    int status;

    /* Rows are named by a hash under the key of this keyring. */
    if (descriptor.hides_names && codecs->cipher.codec != descriptor.cipher)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "%s: a map that hides its keys (names=hidden) keeps its cipher, and this "
                          "asks for another or none; dump the map and load it into a new one",
                          from->store->path);
    descriptor.is_converting = false;
    descriptor.from_serializer = descriptor.from_cipher = NULL;
    descriptor.serializer = codecs->serializer.codec;
    descriptor.cipher = codecs->cipher.codec;
    status = choose_ring(from, from_texts, &descriptor, secret, &made, out);
    if (status != PDICT_OK)
        goto done;
    ring = made || !descriptor.cipher ? made : pdict__pipeline_ring(from->pipeline);
    status = pdict__descriptor_encode(&descriptor, ring, &out->texts[TEXT_DESCRIPTOR]);
    if (status == PDICT_OK)
        status = pdict__codecs_format(codecs, &out->texts[TEXT_CODECS]);
done:
    pdict__keyring_free(made);
    return status;
}
