/* SPDX-License-Identifier: MIT */
/* Choosing the format that `pdict load` reads, and what the text formats share. */
#include "source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct source_ops *const formats[] = { &source_jsonl, &source_deb822, &source_tsv,
                                                    &source_dir };

static const struct source_ops *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}

int source_open(struct source *source, const struct invocation *in, const char *path)
{
    const char *format = tool_has(in, OPT_FORMAT) ? in->values[OPT_FORMAT] : "jsonl";
    const struct source_ops *ops = find_format(format);

    if (!ops)
        return pdict_fail(PDICT_INVAL,
                          "there is no format %s, load takes jsonl, deb822, tsv and dir", format);
    if ((ops == &source_deb822) != tool_has(in, OPT_KEY))
        return pdict_fail(PDICT_INVAL, "--format deb822 and --key FIELD go together");
    source->ops = ops;
    source->path = path;
    source->key_field = in->values[OPT_KEY];
    return ops->open(source);
}

int source_open_lines(struct source *source)
{
    int status = reader_open(&source->reader, source->path);

    source->size = source->reader.size;
    return status;
}

int source_line(struct source *source, pdict_slice *out)
{
    int status = reader_line(&source->reader, out);

    source->position = source->reader.taken;
    snprintf(source->place, sizeof source->place, "line %" PRIu64, source->reader.line);
    return status;
}

int source_rewind_lines(struct source *source)
{
    source->position = 0;
    return reader_rewind(&source->reader);
}

void source_close_lines(struct source *source)
{
    reader_close(&source->reader);
}

void source_close(struct source *source)
{
    if (source->ops)
        source->ops->close(source);
    free(source->key.data);
    free(source->value.data);
    memset(source, 0, sizeof *source);
}
