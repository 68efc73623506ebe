/* SPDX-License-Identifier: MIT */
/* pdict train: a dictionary for the compressor of a map, made of its own values. */
#include "tool.h"

static void print_json(const pdict_train_result *result)
{
    json_t *object = json_object();

    tool_json_int(object, "number", result->number);
    tool_json_int(object, "dictionary_bytes", result->dictionary_bytes);
    tool_json_int(object, "samples", result->samples);
    tool_json_int(object, "sample_bytes", result->sample_bytes);
    tool_json_int(object, "held_out_bytes", result->held_out_bytes);
    tool_json_int(object, "without_bytes", result->without_bytes);
    tool_json_int(object, "with_bytes", result->with_bytes);
    tool_json_print(object);
}

static void print_text(const pdict_train_result *result)
{
    char texts[4][32];

    if (result->number == 0 && result->dictionary_bytes > 0)
        printf("this dictionary is there already\n");
    else if (result->number == 0)
        printf("no dictionary: with %s values it would not make them smaller\n",
               tool_grouped(result->samples, texts[0]));
    else
        printf("dictionary %u of %s; values that it has not seen: %s, compressed %s without it, "
               "%s with it\n",
               result->number, tool_size_text(result->dictionary_bytes, texts[0]),
               tool_size_text(result->held_out_bytes, texts[1]),
               tool_size_text(result->without_bytes, texts[2]),
               tool_size_text(result->with_bytes, texts[3]));
}

int tool_train(struct invocation *in)
{
    pdict_train_options options = PDICT_TRAIN_OPTIONS_INIT;
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;
    struct progress progress;
    pdict *d = NULL;
    int status = tool_open(in, "rw", &d);

    if (status == PDICT_OK) {
        options.progress = tool_upkeep_progress;
        options.progress_ctx = &progress;
        tool_upkeep_begin(&progress, in);
        status = pdict_train(d, &options, &result);
        tool_progress_end(&progress);
    }
    pdict_close(d);
    if (status == PDICT_OK && tool_has(in, OPT_JSON))
        print_json(&result);
    else if (status == PDICT_OK && !tool_has(in, OPT_QUIET))
        print_text(&result);
    return tool_fail_status(in, status);
}
