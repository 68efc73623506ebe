/* SPDX-License-Identifier: MIT */
/* The rows as CSV (RFC 4180): every plain member that any row has is a column. */
#include "report/report.h"

#include <string.h>

#define MOST_COLUMNS 64

static void field(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void value(FILE *out, const json_t *member)
{
    if (json_is_string(member))
        field(out, json_string_value(member));
    else if (json_is_integer(member))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(member));
    else if (json_is_real(member))
        fprintf(out, "%.10g", json_real_value(member));
    else if (json_is_boolean(member))
        fputs(json_is_true(member) ? "true" : "false", out);
}

static size_t columns_of(const json_t *rows, const char **columns)
{
    size_t count = 0;
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const char *name;
        json_t *member;

        json_object_foreach((json_t *)(uintptr_t)row, name, member)
        {
            size_t at = 0;

            if (json_is_array(member) || json_is_object(member))
                continue;
            while (at < count && strcmp(columns[at], name) != 0)
                at++;
            if (at == count && count < MOST_COLUMNS)
                columns[count++] = name;
        }
    }
    return count;
}

void report_csv(FILE *out, const json_t *document)
{
    const json_t *rows = json_object_get(document, "rows");
    const char *columns[MOST_COLUMNS];
    size_t count = columns_of(rows, columns);
    const json_t *row;
    size_t i;

    for (size_t j = 0; j < count; j++)
        fprintf(out, "%s%s", j ? "," : "", columns[j]);
    fputs("\r\n", out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t j = 0; j < count; j++) {
            if (j > 0)
                fputc(',', out);
            value(out, json_object_get(row, columns[j]));
        }
        fputs("\r\n", out);
    }
}
