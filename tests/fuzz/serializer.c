/* SPDX-License-Identifier: MIT */
/* Any bytes to a serializer of typed values. */
#include <pdict/ext/register.h>
#include <string.h>

#include "fuzz.h"

static void write_and_read(const pdict_serializer *serializer, const pdict_value *value,
                           pdict_slice bytes, bool is_canonical)
{
    pdict_value *back = NULL;
    pdict_tree *tree;
    void *out;
    size_t size, again;

    expect(serializer->encode(value, NULL, 0, &size) == PDICT_OK);
    expect((out = malloc(size)) != NULL);
    expect(serializer->encode(value, out, size, &again) == PDICT_OK && again == size);
    if (is_canonical)
        expect(size == bytes.size && memcmp(out, bytes.data, size) == 0);
    expect(pdict_tree_new(NULL, &tree) == PDICT_OK);
    expect(serializer->decode((pdict_slice){ out, size }, tree, &back) == PDICT_OK);
    expect(pdict_value_equal(value, back));
    pdict_tree_free(tree);
    free(out);
}

void fuzz_serializer(const char *name, pdict_slice bytes, bool is_canonical)
{
    const pdict_codec *codec = pdict_codec_find(name);
    pdict_value *value = NULL;
    pdict_tree *tree;
    int status;

    if (!codec)
        return;
    expect(pdict_tree_new(NULL, &tree) == PDICT_OK);
    status = codec->serializer->decode(bytes, tree, &value);
    expect((codec->serializer->check(bytes) == PDICT_OK) == (status == PDICT_OK));
    if (status == PDICT_OK)
        write_and_read(codec->serializer, value, bytes, is_canonical);
    pdict_tree_free(tree);
}
