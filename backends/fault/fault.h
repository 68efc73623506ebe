/* SPDX-License-Identifier: MIT */
/* The fault layer: which call is hit, and how tests change that while a store is open. */
#ifndef PDICT_BACKENDS_FAULT_FAULT_H
#define PDICT_BACKENDS_FAULT_FAULT_H

#include <pdict/ext/backend.h>
#include <pthread.h>

/* The calls that can fail, by their names in the vtable; the last stands for each of them. */
#define FAULT_CALL_MAP(X)                                                                          \
    X(open)                                                                                        \
    X(reader_open)                                                                                 \
    X(reader_begin)                                                                                \
    X(write_begin)                                                                                 \
    X(write_commit)                                                                                \
    X(map_find)                                                                                    \
    X(map_next)                                                                                    \
    X(map_create)                                                                                  \
    X(map_drop)                                                                                    \
    X(map_rename)                                                                                  \
    X(system_get)                                                                                  \
    X(system_put)                                                                                  \
    X(get)                                                                                         \
    X(apply)                                                                                       \
    X(reserve)                                                                                     \
    X(count)                                                                                       \
    X(scan_open)                                                                                   \
    X(scan_next)                                                                                   \
    X(stat)                                                                                        \
    X(watch)                                                                                       \
    X(checkpoint)                                                                                  \
    X(sync)                                                                                        \
    X(check)                                                                                       \
    X(backup)                                                                                      \
    X(compact)                                                                                     \
    X(access_put)                                                                                  \
    X(access_get)                                                                                  \
    X(any)

enum fault_call {
#define FAULT_CALL_ENUM(name) FAULT_CALL_##name,
    FAULT_CALL_MAP(FAULT_CALL_ENUM)
#undef FAULT_CALL_ENUM
};

/* In the order of the layer's options. */
enum fault_kind {
    FAULT_FAIL,
    FAULT_CORRUPT,
    FAULT_DELAY,
    FAULT_KINDS
};

struct fault_rule {
    bool is_on;
    int call;        /* enum fault_call */
    uint64_t at;     /* the call that is hit, from 1 */
    bool is_onward;  /* and all later ones */
    int64_t what;    /* the status, the bit or the milliseconds */
    uint64_t n_seen; /* calls that the rule is about */
    uint64_t n_hit;
};

struct fault_copy; /* a value with a wrong bit */

struct fault {
    const pdict_backend *next;
    void *below;
    pdict_allocator allocator;
    char *path;
    pthread_mutex_t lock; /* over what follows */
    struct fault_rule rules[FAULT_KINDS];
    struct fault_copy *copies; /* kept until the close, since values are borrowed */
    struct fault *older;       /* the next in the list of open layers */
};

/* ---- for the layer itself ---- */

int pdict__fault_rule_parse(int kind, const char *text, struct fault_rule *out);
int pdict__fault_new(const pdict_backend_args *args, struct fault **out);
void pdict__fault_free(struct fault *fault);
/* Count a call; delay it, or answer the status that it is to fail with. */
int pdict__fault_enter(struct fault *fault, int call);
/* Flip a bit of a value that a call returned, if its turn has come. */
int pdict__fault_corrupt(struct fault *fault, int call, pdict_slice *value);

/* ---- for tests, which link the static library ---- */

/* Give the layer that is open under this path another rule, as in the option, counted from now;
 * NULL: none. PDICT_NOTFOUND: no such layer is open. */
int pdict__fault_set(const char *path, int kind, const char *text);
/* The calls that a rule was about, and how many it hit; zero when no such layer is open. */
void pdict__fault_counts(const char *path, int kind, uint64_t *n_seen, uint64_t *n_hit);

#endif
