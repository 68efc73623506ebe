/* SPDX-License-Identifier: MIT */
/* Parts that the sections of the HTML report share: tags, cards, rows that belong together. */
#include "report/html.h"

#include <string.h>

void html_tag(FILE *out, const char *open, const char *text, const char *close)
{
    fputs(open, out);
    svg_text(out, text);
    fputs(close, out);
}

/* ---- Rows that belong together; lists are owned by the caller ---- */

json_t *html_rows_where(const json_t *rows, const char *member, const char *text)
{
    json_t *list = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (strcmp(report_string(row, member), text) == 0)
            json_array_append(list, (json_t *)(uintptr_t)row);
    }
    return list;
}

/* The different texts or numbers of a member, in the order of their first coming. */
json_t *html_different(const json_t *rows, const char *member)
{
    json_t *list = json_array();
    const json_t *row;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        json_t *value = json_object_get(row, member);
        json_t *known;

        json_array_foreach(list, j, known)
        {
            if (json_equal(known, value))
                break;
        }
        if (value && j == json_array_size(list))
            json_array_append(list, value);
    }
    return list;
}

void html_card_begin(FILE *out, const char *title, const char *note)
{
    fputs("<section class=\"card\">", out);
    html_tag(out, "<h3>", title, "</h3>");
    html_tag(out, "<p>", note, "</p>\n");
}

void html_card_end(FILE *out)
{
    fputs("</section>\n", out);
}

void html_cell_time(FILE *out, const json_t *row, const char *member)
{
    char text[32];

    if (json_object_get(row, member))
        html_tag(out, "<td>", svg_time(report_number(row, member), text), "</td>");
    else
        fputs("<td>\342\200\223</td>", out);
}
