/* SPDX-License-Identifier: MIT */
/* The runs codec: run-length encoding, for values with long stretches of one byte. */
#include <pdict/ext/register.h>
#include <string.h>

/*
 * A control byte n, then bytes:
 *   n < 128   n + 1 bytes as they are
 *   128       none: this is the end, so that a record that is cut short is noticed
 *   n > 128   one byte, to be repeated n - 126 times: 3 to 129
 */
#define MOST_LITERALS 128
#define END           128
#define LEAST_RUN     3
#define MOST_RUN      129

/* What is written so far; nothing is written beyond the capacity. */
struct output {
    unsigned char *data;
    size_t size, capacity;
};

/* There are no options and no working memory, so there is no state: any pointer will do. */
static char no_state;

static int runs_open(const pdict_codec_args *args, void **self)
{
    (void)args;
    *self = &no_state;
    return PDICT_OK;
}

static void runs_close(void *self)
{
    (void)self;
}

static int runs_context_new(void *self, void **context)
{
    (void)self;
    *context = &no_state;
    return PDICT_OK;
}

static void runs_context_free(void *self, void *context)
{
    (void)self;
    (void)context;
}

/* One control byte for each started 128 bytes, when there is no run at all, and the end. */
static size_t runs_bound(void *self, size_t size)
{
    (void)self;
    return size > SIZE_MAX / 2 ? 0 : size + size / MOST_LITERALS + 2;
}

static size_t run_at(const unsigned char *in, size_t size)
{
    size_t run = 1;

    while (run < size && run < MOST_RUN && in[run] == in[0])
        run++;
    return run;
}

/* Bytes up to the next run. */
static size_t literals_at(const unsigned char *in, size_t size)
{
    size_t count = 0;

    while (count < size && count < MOST_LITERALS && run_at(in + count, size - count) < LEAST_RUN)
        count++;
    return count;
}

static int put(struct output *out, unsigned control, const unsigned char *bytes, size_t size)
{
    if (out->capacity - out->size < size + 1)
        return PDICT_SKIP;
    out->data[out->size++] = (unsigned char)control;
    if (size > 0)
        memcpy(out->data + out->size, bytes, size);
    out->size += size;
    return PDICT_OK;
}

/* [encode] */
static int runs_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size)
{
    struct output output = { .data = out, .capacity = capacity };
    const unsigned char *at = in.data;
    size_t left = in.size;
    int status = PDICT_OK;

    (void)self;
    (void)context;
    while (left > 0 && status == PDICT_OK) {
        size_t step = run_at(at, left);

        if (step >= LEAST_RUN) {
            status = put(&output, (unsigned)(step + 126), at, 1);
        } else {
            step = literals_at(at, left);
            status = put(&output, (unsigned)(step - 1), at, step);
        }
        at += step;
        left -= step;
    }
    if (status == PDICT_OK)
        status = put(&output, END, NULL, 0);
    *out_size = output.size;
    return status;
}
/* [encode] */

static int malformed(const char *what)
{
    return pdict_fail(PDICT_FORMAT, "runs: the record is malformed: it %s", what);
}

/* [decode] */
static int runs_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    const unsigned char *at = in.data;
    unsigned char *to = out;
    size_t left = in.size;

    (void)self;
    (void)context;
    while (left > 0 && *at != END) {
        bool is_run = *at > END;
        size_t count = is_run ? (size_t)*at - 126 : (size_t)*at + 1;
        size_t taken = is_run ? 1 : count;

        if (left - 1 < taken)
            return malformed("ends early");
        if (out_size < count)
            return malformed("holds more than it says");
        if (is_run)
            memset(to, at[1], count);
        else
            memcpy(to, at + 1, count);
        at += 1 + taken;
        left -= 1 + taken;
        to += count;
        out_size -= count;
    }
    if (left != 1)
        return malformed(left == 0 ? "has no end" : "goes on behind its end");
    return out_size == 0 ? PDICT_OK : malformed("holds less than it says");
}
/* [decode] */

/* [table] */
static const pdict_compressor compressor = {
    .struct_size = sizeof(compressor),
    .open = runs_open,
    .close = runs_close,
    .context_new = runs_context_new,
    .context_free = runs_context_free,
    .bound = runs_bound,
    .encode = runs_encode,
    .decode = runs_decode,
};

static const pdict_codec runs = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_COMPRESSOR,
    .id = 128, /* 128 to 255 are free for applications */
    .name = "runs",
    .summary = "example: run-length encoding",
    .compressor = &compressor,
};

static const pdict_codec *const codecs[] = { &runs, NULL };

const pdict_extension pdict_this_extension = {
    PDICT_EXT_HEAD(pdict_extension),
    .name = "runs",
    .version = "1.0",
    .codecs = codecs,
};
/* [table] */
