/* SPDX-License-Identifier: MIT */
/* pdict_recode() and pdict_rekey(): the records of a map in use, made anew from first to last. */
#include <stdio.h>

#include "base/fork.h"
#include "store/snapshots.h"
#include "upkeep/anew.h"

/* Rounds of rewriting, if what was read back is not all new. Nothing makes a second one necessary
 * but somebody who writes around this library. */
#define ROUNDS_MOST 3

/* Others of this process may write again as soon as the engine is open. */
#define REWRITES_MOST 3

/* ---- the file, once all records are sealed ---- */

struct rewriting {
    int64_t timeout_ms;
};

static int rewrite_file(void *ctx, struct store *store)
{
    const struct rewriting *rewriting = ctx;
    uint64_t left_bytes;
    int status;

    pdict__readers_trim(store);
    status = store->backend->compact(store->engine, PDICT_COMPACT_WHOLE, rewriting->timeout_ms,
                                     &left_bytes);
    return status == PDICT_OK ? pdict__checkpoint(store, true) : status;
}

static int forget_inside(void *ctx, struct store *store, void *txn)
{
    struct anew *anew = ctx;
    uint32_t map = anew->d->map->number;
    int status = pdict__anew_state_check(store, txn, map, &anew->state);

    return status == PDICT_OK ? pdict__anew_state_write(store, txn, map, NULL) : status;
}

static int fail_in_the_way(void)
{
    char why[256];

    snprintf(why, sizeof(why), "%s", pdict_error_text());
    return pdict_fail(PDICT_BUSY,
                      "all records are sealed, but the file may hold plain ones until it is "
                      "rewritten; call again for that: %s",
                      why);
}

/* Snapshots that somebody has would be lost. */
static bool close_engine(void *ctx)
{
    struct store *store = ctx;

    if (store->holds)
        return false;
    pdict__maps_park(store);
    return true;
}

/* An engine may write its buffers again with old bytes between the new ones, and refuse for that to
 * make a file that it has written to. Opened anew it has none. */
static int rewrite_with_clean_buffers(struct anew *anew)
{
    struct rewriting rewriting = { anew->d->timeout_ms };
    struct store *store = anew->d->map->store;
    int64_t until_ms = pdict__time_add(pdict__steady_ms(), rewriting.timeout_ms);
    int status, tries = 0;

    do
        status = pdict__between_commits(store, rewriting.timeout_ms, rewrite_file, &rewriting);
    while (status == PDICT_BUSY && ++tries < REWRITES_MOST && pdict__steady_ms() < until_ms &&
           pdict__at_rest(close_engine, store));
    return status;
}

static int clear(struct anew *anew)
{
    struct commit commit = { .work = forget_inside, .keeps_rows = true, .ctx = anew };
    int status = pdict__progress_begin(&anew->progress, "rewrite", 0);

    if (status == PDICT_OK && anew->d->map->store->backend->compact)
        status = rewrite_with_clean_buffers(anew);
    if (status == PDICT_BUSY)
        return fail_in_the_way();
    return status == PDICT_OK ? pdict__commit_for(anew->d, &commit, PDICT_COMMIT_FULL) : status;
}

/* ---- from first to last ---- */

static int make_rows(struct anew *anew)
{
    bool is_done = false;
    int status = PDICT_OK;

    for (int round = 0; status == PDICT_OK && !is_done && round < ROUNDS_MOST; round++) {
        if ((status = pdict__anew_rewrite_rows(anew)) == PDICT_OK)
            status = pdict__anew_verify(anew, &is_done);
    }
    if (status != PDICT_OK)
        return status;
    if (anew->damage != PDICT_OK)
        return pdict_fail(anew->damage, "%s", anew->damage_text);
    return is_done ? PDICT_OK
                   : pdict_fail(PDICT_DAMAGED,
                                "%s: records of the old kind keep coming back to map '%s'; find "
                                "out who writes them, and call again",
                                anew->d->map->store->path, anew->d->name);
}

static int run(struct anew *anew)
{
    int status = pdict__anew_begin(anew);

    if (status == PDICT_OK && !anew->state.is_sealed) {
        status = make_rows(anew);
        if (status == PDICT_OK)
            status = pdict__anew_end(anew);
    }
    if (status == PDICT_OK && anew->state.clears)
        status = clear(anew);
    return status == PDICT_OK ? pdict__progress_end(&anew->progress) : status;
}

static int take_options(struct anew *anew, const pdict_recode_options *options)
{
    const pdict_allocator *allocator = &anew->d->map->store->allocator;
    pdict_recode_options full = PDICT_RECODE_OPTIONS_INIT;
    int status;

    status = pdict__struct_take(&full, sizeof(full), options, "pdict_recode_options");
    if (status == PDICT_OK && anew->is_rekey && full.codecs)
        status = pdict_fail(PDICT_INVAL, "rekey: the codecs stay; change them by pdict_recode()");
    if (status == PDICT_OK)
        status = pdict__secret_take(full.passphrase, full.key, &anew->secret);
    if (status == PDICT_OK)
        status = pdict__kdf_find(full.kdf ? full.kdf : "moderate", &anew->kdf);
    anew->bytes_per_second = full.bytes_per_second;
    anew->progress = (struct progress){ .fn = full.progress, .ctx = full.progress_ctx };
    if (status == PDICT_OK && full.codecs) {
        status = pdict__codecs_parse(full.codecs, allocator, &anew->codecs);
        anew->has_codecs = status == PDICT_OK;
    }
    return status;
}

static int begin(struct anew *anew, const char *call, const pdict_recode_options *options,
                 pdict_recode_result *out)
{
    int status = pdict__not_inside(anew->d, call);

    if (status == PDICT_OK && anew->d->is_read_only)
        status = pdict_fail(PDICT_READ_ONLY, "%s: this handle was opened with mode=ro",
                            anew->d->map->store->path);
    if (status == PDICT_OK)
        status = take_options(anew, options);
    if (status == PDICT_OK)
        status = run(anew);
    pdict__struct_give(out, &anew->result, sizeof(anew->result));
    pdict__keyring_free(anew->made);
    if (anew->has_codecs)
        pdict__codecs_free(&anew->codecs);
    return status;
}

int pdict_recode(pdict *d, const pdict_recode_options *options, pdict_recode_result *out)
{
    struct anew anew = { .d = d };

    return begin(&anew, "pdict_recode", options, out);
}

int pdict_rekey(pdict *d, const pdict_recode_options *options, pdict_recode_result *out)
{
    struct anew anew = { .d = d, .is_rekey = true };

    return begin(&anew, "pdict_rekey", options, out);
}
