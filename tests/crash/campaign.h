/* SPDX-License-Identifier: MIT */
/* What all campaigns have: arguments, setups that rotate with the seed, totals that add up. */
#ifndef PDICT_CRASH_CAMPAIGN_H
#define PDICT_CRASH_CAMPAIGN_H

#include "ops.h"

#define MOST_TOTALS 32

struct campaign {
    const char *unit; /* what is counted: "kills" */
    uint64_t seed;
    uint64_t wanted;     /* of the unit, in this run */
    uint64_t first;      /* the part to begin with; what a part is depends on the seed and it */
    uint64_t ops;        /* of one workload, where the program lets it be chosen */
    uint64_t step;       /* every so manieth of what is tried in turn; likewise */
    const char *backend; /* NULL: all in turn, as codecs and durability */
    const char *codecs;
    const char *durability;
    const char *file;     /* the totals are kept in, or NULL */
    const char *selected; /* of the modes of the program; NULL: the first */
    bool is_resumed;
    char directory[256]; /* for all files; removed at the end */
    struct {
        char name[32];
        uint64_t value;
    } totals[MOST_TOTALS];
};

/* Fill in what the arguments say; prints how it is used, and false, when they are wrong. */
bool campaign_read(struct campaign *campaign, int argc, char **argv, const char *usage);
/* With --resume the seed, the part that is next and the totals come from the file. */
bool campaign_begin(struct campaign *campaign);
/* Print the totals and keep them. */
void campaign_end(struct campaign *campaign, bool is_right);
void campaign_add(struct campaign *campaign, const char *name, uint64_t value);
/* Keep where to go on. */
void campaign_save(struct campaign *campaign, uint64_t next);

/* The setup of a part, all but its path. */
void campaign_setup(const struct campaign *campaign, uint64_t part, struct setup *out);

#endif
