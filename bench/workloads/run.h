/* SPDX-License-Identifier: MIT */
/* What every run of a workload shares: settings, keys and values, slices, rows. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "drivers/driver.h"
#include "measure/measure.h"
#include "tool/tool.h"

#define RUN_TARGETS 16
#define RUN_THREADS 256
#define RUN_SAMPLES 200

/** Settings, all taken from the command line. */
struct run_settings {
    uint64_t keys;
    uint64_t key_size;
    uint64_t value_size;
    double compressibility;
    uint64_t seed;
    uint64_t time_ns; /**< of a row, over all its samples */
    uint64_t samples;
    uint64_t page_cache;
    uint64_t rate;    /**< operations a second, over all threads; 0: as fast as can be */
    int durability;   /**< enum driver_durability */
    int distribution; /**< enum bench_distribution; -1: the workload's own */
    bool is_cold;
    uint64_t threads[16];
    size_t n_threads; /**< 0: the workload's own */
};

int run_settings_read(const struct invocation *in, struct run_settings *out);

/* ---- data.c ---------------------------------------------------------------------------------- */

/** Keys in the random order of their loading, each followed by a zero byte, and a pool of values. */
struct run_data {
    size_t n_keys;
    size_t key_size;
    size_t stride; /**< key_size + 1 */
    size_t value_size;
    uint64_t seed;
    char *keys;
    unsigned char *pool;
};

#define RUN_POOL ((size_t)1 << 16) /* places where a value may begin */

int run_data_make(const struct run_settings *settings, struct run_data *out);
void run_data_free(struct run_data *data);
/** Key number `number`, also beyond those that are loaded. */
void run_data_key(const struct run_data *data, uint64_t number, char *out);
void run_fill(struct bench_rng *rng, unsigned char *out, size_t size, double compressibility);

static inline pdict_slice run_key(const struct run_data *data, const char *bytes)
{
    return pdict_bytes(bytes, data->key_size);
}

/** The value of version `version` of a key; odd, so that all places of the pool come. */
static inline pdict_slice run_value(const struct run_data *data, uint64_t version)
{
    return pdict_bytes(data->pool + (version * 40503u & (RUN_POOL - 1)), data->value_size);
}

/* ---- workload.c ------------------------------------------------------------------------------ */

enum run_operation {
    RUN_GET,
    RUN_MISS,
    RUN_UPDATE,
    RUN_INSERT,
    RUN_DELETE,
    RUN_SCAN,
    RUN_MODIFY, /**< get, then put */
    RUN_BATCH,
    RUN_OPERATIONS
};

enum run_phase {
    RUN_PLAIN,
    RUN_LOAD,  /**< all keys, once, in their order */
    RUN_REOPEN /**< close, open, first get */
};

/** A workload as data: what share of which operation, on which keys. */
struct workload {
    const char *name;
    const char *summary;
    int phase; /**< enum run_phase */
    unsigned char percent[RUN_OPERATIONS];
    int distribution;    /**< enum bench_distribution */
    unsigned hot_keys;   /**< 0: all keys; else drawn from so many only */
    unsigned threads;    /**< when none are asked for */
    bool is_durable;     /**< at full durability, whatever is asked for */
    bool is_uncached;    /**< no values kept in RAM by the target itself */
    unsigned scan_limit; /**< a scan visits 1 to so many */
    bool is_fixed_scan;  /**< it visits just so many */
};

extern const struct workload kv_workloads[];   /**< ends with a NULL name */
extern const struct workload ycsb_workloads[]; /**< ends with a NULL name */

#define RUN_BATCH_SIZE 100  /* keys of one RUN_BATCH */
#define RUN_LOAD_BATCH 1000 /* keys a commit while loading */

/* ---- slice.c --------------------------------------------------------------------------------- */

/** What one thread does in one slice: the same for every target, made before the clock starts. */
struct slice_thread {
    const char **keys;
    unsigned char *operations;
    size_t count;
    char *new_keys; /**< the bytes of keys that are not among the loaded ones */
    uint64_t seed;
};

struct slice {
    const struct workload *workload;
    const struct run_data *data;
    size_t n_threads;
    size_t room;     /**< operations a thread, at most */
    uint64_t number; /**< which slice of its workload this is */
    struct slice_thread threads[RUN_THREADS];
};

int slice_make(struct slice *slice, const struct workload *workload, const struct run_data *data,
               size_t n_threads, size_t room);
void slice_free(struct slice *slice);
/** Draw the operations of slice `number` of `of`. */
void slice_draw(struct slice *slice, const struct run_settings *settings, uint64_t number,
                uint64_t of, uint64_t first_new);

/* ---- pace.c ---------------------------------------------------------------------------------- */

/** How one slice is to be run, and what came of it. */
struct pace {
    uint64_t budget_ns;              /**< stop after so long; 0: do all */
    uint64_t rate;                   /**< operations a second a thread; 0: no waiting */
    unsigned every;                  /**< look at the clock for each so many operations */
    uint64_t clock_ns;               /**< what looking costs; taken off each latency */
    uint64_t ops;                    /**< out, all threads */
    uint64_t wall_ns;                /**< out */
    struct bench_histogram *latency; /**< out, added to; NULL: not wanted */
};

/** Run a slice with one session a thread. */
int pace_run(const struct slice *slice, const struct target *target, void *const *sessions,
             struct pace *pace);

/* ---- contest.c ------------------------------------------------------------------------------- */

/** One target in the run: its directory, its open store, its sessions. */
struct contestant {
    struct target target;
    char directory[512];
    void *store;
    void *sessions[RUN_THREADS];
    size_t n_sessions;
    enum driver_durability durability; /**< of the open sessions */
    bool is_uncached;
    bool is_out; /**< it failed, or cannot do what is asked */

    /* Of the row that is being measured. */
    double samples[RUN_SAMPLES];
    size_t n_samples;
    double curve_keys[RUN_SAMPLES]; /**< loads: how many keys were there, beside each sample */
    struct bench_histogram latency;
    uint64_t ops;
    uint64_t wall_ns;
    uint64_t cpu_ns;
    unsigned every;
};

struct contest {
    struct run_settings settings;
    struct run_data data;
    char directory[512];
    struct contestant *contestants;
    size_t count;
    uint64_t next_new; /**< number of the next key that was never used */
    uint64_t clock_ns;
    json_t *document;
    const char *kind; /**< of the rows: kv, ycsb */
    bool is_loaded;
};

int contest_open(struct contest *contest, const struct invocation *in, const char *kind,
                 const char *default_targets);
/** Measure one workload for all contestants, at each number of threads. */
int contest_run(struct contest *contest, const struct workload *workload);
void contest_close(struct contest *contest);

/* contestant.c: also for those who measure in their own way. */
/** Put keys from..to, `batch` a commit. */
int contestant_put(struct contest *contest, struct contestant *one, size_t from, size_t to,
                   size_t batch);
/** What was put is what comes back: a hundred keys of those that contest_fill() or a load put. */
int contestant_verify(struct contest *contest, struct contestant *one);
int contestant_open(struct contest *contest, struct contestant *one, bool is_uncached);
void contestant_close(struct contestant *one);
int contestant_sessions(struct contestant *one, size_t count, enum driver_durability durability);
/** All keys, in large batches, and a look at whether they came back. */
int contest_fill(struct contest *contest, struct contestant *one);

#endif
