/* SPDX-License-Identifier: MIT */
/* Any bytes as json: refused the same way by check and decode, or a value that is written and read back. */
#include <stdlib.h>

#include <pdict/ext/register.h>

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void write_and_read(const pdict_serializer *serializer, const pdict_value *value)
{
    pdict_value *back = NULL;
    pdict_tree *tree;
    void *out;
    size_t size, again;

    expect(serializer->encode(value, NULL, 0, &size) == PDICT_OK);
    expect((out = malloc(size)) != NULL);
    expect(serializer->encode(value, out, size, &again) == PDICT_OK && again == size);
    expect(pdict_tree_new(NULL, &tree) == PDICT_OK);
    expect(serializer->decode((pdict_slice){ out, size }, tree, &back) == PDICT_OK);
    expect(pdict_value_equal(value, back));
    pdict_tree_free(tree);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pdict_codec *codec = pdict_codec_find("json");
    pdict_slice bytes = { data, size };
    pdict_value *value = NULL;
    pdict_tree *tree;
    int status;

    if (!codec)
        return 0;
    expect(pdict_tree_new(NULL, &tree) == PDICT_OK);
    status = codec->serializer->decode(bytes, tree, &value);
    expect((codec->serializer->check(bytes) == PDICT_OK) == (status == PDICT_OK));
    if (status == PDICT_OK)
        write_and_read(codec->serializer, value);
    pdict_tree_free(tree);
    return 0;
}
