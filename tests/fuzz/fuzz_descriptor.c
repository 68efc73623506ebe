/* SPDX-License-Identifier: MIT */
/* Any bytes as a descriptor: refused, or written again as exactly these bytes. */
#include "fuzz.h"
#include "value/value.h"

/* The last line may be wrong: decode looks at its form only. */
static void encode_again(pdict_slice text, const struct descriptor *descriptor)
{
    pdict_allocator none = { 0 }, allocator;
    struct buf again = { .allocator = &allocator };
    size_t last_size = strlen("check=0123456789abcdef\n");

    expect(pdict__allocator_choose(&none, &allocator) == PDICT_OK);
    expect(pdict__descriptor_encode(descriptor, NULL, &again) == PDICT_OK);
    expect(again.size == text.size);
    expect(memcmp(again.data, text.data, text.size - last_size) == 0);
    expect((pdict__descriptor_verify(text, NULL) == PDICT_OK) ==
           (memcmp(again.data, text.data, text.size) == 0));
    pdict__buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pdict_slice text = { data, size };
    struct descriptor descriptor;

    (void)pdict__descriptor_verify(text, NULL);
    if (pdict__descriptor_decode(text, &descriptor) != PDICT_OK)
        expect(descriptor.serializer == NULL);
    else if (!descriptor.cipher)
        encode_again(text, &descriptor);
    return 0;
}
