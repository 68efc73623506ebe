/* SPDX-License-Identifier: MIT */
/* One run of a stream: the store, its model, and what was found. */
#ifndef PDICT_TEST_MODEL_RUN_H
#define PDICT_TEST_MODEL_RUN_H

#include "model.h"
#include "test.h"

struct held {
    pdict_view view;
    struct value value;
    bool is_held;
};

struct run {
    const struct setup *setup;
    const struct op *ops;
    size_t count;
    struct model model;
    pdict *maps[N_MAPS];
    struct held held[N_HELD];
    char dir[64];     /* of the store */
    const char *file; /* of it in there, or its copy */
    const struct op *limiting;
    struct report *report;
};

extern const pdict_slice run_key; /* of sealed maps */

/* Every check answers whether it holds; the first that does not is what the report says. */
bool run_fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool run_expect(struct run *run, const char *what, int actual, int expected);
bool run_same_value(struct run *run, const char *what, pdict_slice actual, struct value expected);
/* A version that was read: new ones are noted, known ones compared. */
bool run_same_version(struct run *run, const char *what, struct row *row, uint64_t version);

bool run_same_number(struct run *run, const char *what, int64_t actual, int64_t expected);
bool run_same_text(struct run *run, const char *what, const char *actual, const char *expected);
bool run_same_view(struct run *run, const char *what, const pdict_view *view, struct row *row);
bool run_is_zeroed(struct run *run, const char *what, const pdict_view *view);
/* What a read of this row says; NULL: there is none. */
int run_presence(const struct row *row);

/* One operation each; they tell the model themselves. */
bool run_get(struct run *run, const struct op *op);
bool run_get_with(struct run *run, const struct op *op);
bool run_contains(struct run *run, const struct op *op);
bool run_meta(struct run *run, const struct op *op);
bool run_count(struct run *run, const struct op *op);
bool run_stats(struct run *run, const struct op *op);
bool run_get_many(struct run *run, const struct op *op);
bool run_hold(struct run *run, const struct op *op);
bool run_let(struct run *run, const struct op *op);
bool run_walk(struct run *run, const struct op *op);
bool run_put(struct run *run, const struct op *op);
bool run_del(struct run *run, const struct op *op);
bool run_put_many(struct run *run, const struct op *op);
bool run_del_many(struct run *run, const struct op *op);
bool run_add(struct run *run, const struct op *op);
bool run_pop(struct run *run, const struct op *op);
bool run_modify(struct run *run, const struct op *op);
bool run_touch(struct run *run, const struct op *op);
bool run_clear(struct run *run, const struct op *op);
bool run_bad_put(struct run *run, const struct op *op);
bool run_reopen(struct run *run, const struct op *op);
/* Moves report->at behind the operations that were done inside. */
bool run_txn(struct run *run, const struct op *op);
/* Moves report->at behind the operations that the child did. */
bool run_crash(struct run *run, const struct op *op);

/* Work on the store behind the maps. */
bool run_with_store(struct run *run, bool (*work)(struct run *run, pdict_store *store));
bool run_list(struct run *run, pdict_store *store);
bool run_rename_map(struct run *run, pdict_store *store);
bool run_drop_map(struct run *run, pdict_store *store);
bool run_sweep(struct run *run, pdict_store *store);
/* That of run->limiting. */
bool run_limit(struct run *run, pdict_store *store);
bool run_compact(struct run *run, pdict_store *store);
bool run_backup(struct run *run, pdict_store *store);

bool run_open(struct run *run, const char *mode);
void run_close(struct run *run);
bool run_op(struct run *run, const struct op *op);

/* Everything in both maps, in both orders. */
bool run_check_all(struct run *run);

#endif
