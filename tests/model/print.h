/* SPDX-License-Identifier: MIT */
/* Printing operations as a test: what its parts share. */
#ifndef PDICT_TEST_MODEL_PRINT_H
#define PDICT_TEST_MODEL_PRINT_H

#include "model.h"

struct printer {
    FILE *out;
    const struct setup *setup;
    const struct op *ops;
    size_t count;
    struct model model;
};

/* print_store.c */
void print_count(struct printer *p, unsigned map);
/* What is done with the store behind the maps. */
void print_with_store(struct printer *p, const struct op *op);

#endif
