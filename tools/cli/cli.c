/* SPDX-License-Identifier: MIT */
/* Tables for getopt_long(), help, and the nearest name. */
#include "cli/cli.h"

#include <string.h>

/* ---- options ---- */

void cli_tables_make(struct cli_options options, uint64_t taken, struct cli_tables *out)
{
    size_t letters = 0;
    size_t longs = 0;

    memset(out, 0, sizeof *out);
    out->letters[letters++] = ':';
    for (int i = 0; i < options.count; i++) {
        const struct cli_option *option = &options.list[i];

        if (!(taken >> i & 1))
            continue;
        out->longs[longs++] =
            (struct option){ option->name, option->argument ? required_argument : no_argument, NULL,
                             CLI_OPTION_CODE + i };
        if (option->letter) {
            out->letters[letters++] = option->letter;
            if (option->argument)
                out->letters[letters++] = ':';
        }
    }
}

int cli_option_of(struct cli_options options, int result)
{
    int i = 0;

    if (result >= CLI_OPTION_CODE)
        return result - CLI_OPTION_CODE;
    while (i < options.count && options.list[i].letter != result)
        i++;
    return i;
}

static void print_option(FILE *out, const struct cli_option *option)
{
    char left[64];
    char letter[] = "-x,";

    letter[1] = option->letter;
    snprintf(left, sizeof left, "%s --%s%s%s", option->letter ? letter : "   ", option->name,
             option->argument ? " " : "", option->argument ? option->argument : "");
    fprintf(out, strlen(left) > 31 ? "  %s\n%34s%s\n" : "  %-31s%s%s\n", left, " ", option->help);
}

void cli_options_print(FILE *out, struct cli_options options, uint64_t taken)
{
    for (int i = 0; i < options.count; i++) {
        if (taken >> i & 1)
            print_option(out, &options.list[i]);
    }
}

const char *cli_option_nearest(struct cli_options options, uint64_t taken, const char *text)
{
    const char *names[CLI_MOST_OPTIONS];
    size_t count = 0;
    char word[64];

    if (strncmp(text, "--", 2) != 0)
        return NULL;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(text + 2, "="), text + 2);
    for (int i = 0; i < options.count; i++) {
        if (taken >> i & 1)
            names[count++] = options.list[i].name;
    }
    return *word ? cli_nearest(word, names, count) : NULL;
}

/* ---- the nearest name ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits, swaps of neighbours included, that turn one word into the other: optimal alignment. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][129];
    size_t b_size = strlen(b);
    size_t i;

    if (b_size > 128)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (i = 1; a[i - 1]; i++) {
        const size_t *before = rows[(i + 1) % 3];
        const size_t *above = rows[(i + 2) % 3];
        size_t *row = rows[i % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            row[j] = least(above[j] + 1, row[j - 1] + 1);
            row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return rows[(i + 2) % 3][b_size];
}

const char *cli_nearest(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t limit = strlen(word) < 4 ? 1 : strlen(word) / 3 + 1;
    size_t best = limit + 1;

    for (size_t i = 0; i < count; i++) {
        size_t edits = distance(word, names[i]);

        if (strlen(word) > 2 && strncmp(word, names[i], strlen(word)) == 0)
            edits = 1;
        if (edits < best) {
            best = edits;
            nearest = names[i];
        }
    }
    return nearest;
}
