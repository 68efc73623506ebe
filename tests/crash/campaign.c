/* SPDX-License-Identifier: MIT */
/* Arguments, setups and totals of a campaign. */
#include "campaign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"

/* ---- arguments ---- */

bool campaign_read(struct campaign *campaign, int argc, char **argv, const char *usage)
{
    const struct argument known[] = {
        { "seed", .number = &campaign->seed },
        { "kills", .number = &campaign->wanted },
        { "states", .number = &campaign->wanted },
        { "first", .number = &campaign->first },
        { "ops", .number = &campaign->ops },
        { "step", .number = &campaign->step },
        { "backend", .text = &campaign->backend },
        { "codecs", .text = &campaign->codecs },
        { "durability", .text = &campaign->durability },
        { "totals", .text = &campaign->file },
        { "mode", .text = &campaign->selected },
        { "resume", .flag = &campaign->is_resumed },
        { 0 },
    };

    return arguments_read(known, usage, argc, argv);
}

/* ---- setups ---- */

/* Every backend meets every durability and every pipeline as the parts go on. */
void campaign_setup(const struct campaign *campaign, uint64_t part, struct setup *out)
{
    static const char *const backends[] = { "sqlite", "lmdb" };
    static const char *const durabilities[] = { "full", "ordered", "unsafe" };
    static const char *const codecs[] = { "raw", "raw,zlib:6", "raw,zstd:3,xchacha20", "raw,zstd:3",
                                          "raw,xchacha20" };

    part += campaign->seed;
    memset(out, 0, sizeof(*out));
    out->backend = backends[part % 2];
    out->durability = durabilities[part / 2 % 3];
    out->codecs = codecs[part / 6 % 5];
    if (!is_built(out->backend))
        out->backend = backends[(part + 1) % 2];
    if (!are_built(out->codecs))
        out->codecs = "raw";
    if (campaign->backend)
        out->backend = campaign->backend;
    if (campaign->durability)
        out->durability = campaign->durability;
    if (campaign->codecs)
        out->codecs = campaign->codecs;
}

/* ---- totals ---- */

void campaign_add(struct campaign *campaign, const char *name, uint64_t value)
{
    for (unsigned i = 0; i < MOST_TOTALS; i++) {
        char *own = campaign->totals[i].name;

        if (own[0] == '\0')
            snprintf(own, sizeof(campaign->totals[i].name), "%s", name);
        if (strcmp(own, name) == 0) {
            campaign->totals[i].value += value;
            return;
        }
    }
    abort();
}

static void load(struct campaign *campaign)
{
    FILE *in = campaign->file ? fopen(campaign->file, "r") : NULL;
    char name[32];
    uint64_t value;

    while (in && fscanf(in, "%" SCNu64 " %31[^\n]", &value, name) == 2) {
        if (strcmp(name, "(seed)") == 0)
            campaign->seed = value;
        else if (strcmp(name, "(next)") == 0)
            campaign->first = value;
        else
            campaign_add(campaign, name, value);
    }
    if (in)
        fclose(in);
}

void campaign_save(struct campaign *campaign, uint64_t next)
{
    FILE *out = campaign->file ? fopen(campaign->file, "w") : NULL;

    if (!out)
        return;
    fprintf(out, "%" PRIu64 " (seed)\n%" PRIu64 " (next)\n", campaign->seed, next);
    for (unsigned i = 0; i < MOST_TOTALS && campaign->totals[i].name[0]; i++)
        fprintf(out, "%" PRIu64 " %s\n", campaign->totals[i].value, campaign->totals[i].name);
    fclose(out);
}

/* Memory is as good as a disk here: what a disk does is worked out, or does not matter. */
static const char *place_for_files(void)
{
    const char *place = getenv("TMPDIR");

    if (place)
        return place;
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

bool campaign_begin(struct campaign *campaign)
{
    char path[sizeof(campaign->directory)], *real;

    if (campaign->is_resumed)
        load(campaign);
    snprintf(path, sizeof(path), "%s/pdict-crash-XXXXXX", place_for_files());
    if (!mkdtemp(path) || !(real = realpath(path, NULL)))
        return false;
    snprintf(campaign->directory, sizeof(campaign->directory), "%s", real);
    free(real);
    printf("seed %" PRIu64 ", part %" PRIu64 " and on, %" PRIu64 " %s\n", campaign->seed,
           campaign->first, campaign->wanted, campaign->unit);
    return true;
}

void campaign_end(struct campaign *campaign, bool is_right)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/", campaign->directory);
    remove_files(path);
    rmdir(campaign->directory);
    for (unsigned i = 0; i < MOST_TOTALS && campaign->totals[i].name[0]; i++)
        printf("%12" PRIu64 " %s\n", campaign->totals[i].value, campaign->totals[i].name);
    printf("%s\n", is_right ? "no violation" : "VIOLATION");
}
