/* SPDX-License-Identifier: MIT */
/* Small tools: growing buffers, base64, escaped output, numbers and times as text. */
#include "tool.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void *tool_alloc(void *memory, size_t size)
{
    memory = realloc(memory, size ? size : 1);
    if (!memory) {
        fputs("pdict: out of memory\n", stderr);
        exit(TOOL_IO);
    }
    return memory;
}

void tool_buf_reserve(struct tool_buf *buf, size_t more)
{
    size_t capacity = buf->capacity ? buf->capacity : 256;

    if (more > SIZE_MAX / 4 - buf->size)
        more = SIZE_MAX / 4;
    while (capacity - buf->size < more)
        capacity *= 2;
    if (capacity != buf->capacity || !buf->data)
        buf->data = tool_alloc(buf->data, capacity);
    buf->capacity = capacity;
}

void tool_buf_add(struct tool_buf *buf, const void *bytes, size_t size)
{
    tool_buf_reserve(buf, size);
    if (size)
        memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
}

pdict_slice tool_buf_slice(const struct tool_buf *buf)
{
    return pdict_bytes(buf->data, buf->size);
}

int tool_base64_decode(const char *text, size_t size, struct tool_buf *out)
{
    size_t decoded = 0;

    out->size = 0;
    tool_buf_reserve(out, size / 4 * 3 + 3);
    if (sodium_base642bin(out->data, out->capacity, text, size, NULL, &decoded, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return PDICT_INVAL;
    out->size = decoded;
    return PDICT_OK;
}

void tool_base64_encode(pdict_slice bytes, struct tool_buf *out)
{
    size_t size = sodium_base64_encoded_len(bytes.size, sodium_base64_VARIANT_ORIGINAL);

    out->size = 0;
    tool_buf_reserve(out, size);
    sodium_bin2base64((char *)out->data, size, bytes.data, bytes.size,
                      sodium_base64_VARIANT_ORIGINAL);
    out->size = size - 1;
}

/* Bytes of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7); 0: there is none. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;

    if ((at[0] >= 0x80 && at[0] < 0xC2) || at[0] > 0xF4 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

/* A terminal obeys the C1 controls, U+0080 to U+009F, as it obeys the ASCII ones. */
static bool is_control(const unsigned char *at, size_t length)
{
    if (length == 1)
        return at[0] < 0x20 || at[0] == 0x7F;
    return length == 2 && at[0] == 0xC2 && at[1] < 0xA0;
}

void tool_print_escaped(FILE *out, pdict_slice bytes, bool is_value)
{
    const unsigned char *at = bytes.data;
    size_t left = bytes.size;
    size_t length;

    for (; left > 0; at += length, left -= length) {
        length = utf8_length(at, left);
        if (is_value && (at[0] == '\n' || at[0] == '\t')) {
            putc(at[0], out);
        } else if (at[0] == '\\') {
            fputs("\\\\", out);
        } else if (length == 0 || is_control(at, length)) {
            length = 1;
            fprintf(out, "\\x%02x", at[0]);
        } else {
            fwrite(at, 1, length, out);
        }
    }
}

void tool_print_key(FILE *out, pdict_slice key)
{
    tool_print_escaped(out, key, false);
}

char *tool_grouped(uint64_t number, char out[32])
{
    char digits[24];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            out[size++] = ',';
        out[size++] = digits[i];
    }
    out[size] = '\0';
    return out;
}

char *tool_size_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        amount /= 1024;
        unit++;
    }
    snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
    return out;
}

char *tool_time_text(int64_t ms, char out[32])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;

    if (!ms)
        strcpy(out, "never");
    else if (!localtime_r(&seconds, &parts) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &parts))
        snprintf(out, 32, "%" PRId64 " ms", ms);
    return out;
}

double tool_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int64_t tool_now_ms(const struct invocation *in)
{
    struct timespec now;

    if (tool_has(in, OPT_NOW))
        return in->now_ms;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
