/* SPDX-License-Identifier: MIT */
/* What the files of the HTML report share. Lists of rows are owned by the caller. */
#ifndef BENCH_HTML_H
#define BENCH_HTML_H

#include "report/svg.h"

/* html_parts.c */
void html_tag(FILE *out, const char *open, const char *text,
              const char *close); /**< text escaped */
void html_card_begin(FILE *out, const char *title, const char *note);
void html_card_end(FILE *out);
void html_cell_time(FILE *out, const json_t *row, const char *member);
json_t *html_rows_where(const json_t *rows, const char *member, const char *text);
/** The different values of a member, in the order of their first coming. */
json_t *html_different(const json_t *rows, const char *member);

/* html_goals.c */
void html_goals(FILE *out, const json_t *rows);

/* html_targets.c */
void html_operations(FILE *out, const json_t *rows);
void html_overhead(FILE *out, const json_t *document);

#endif
