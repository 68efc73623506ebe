/* SPDX-License-Identifier: MIT */
/* What users and extenders share: slices, status codes, error text, option specs, hooks. */
#ifndef PDICT_TYPES_H
#define PDICT_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PDICT_API                        __attribute__((visibility("default")))
#define PDICT_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#else
#define PDICT_API
#define PDICT_PRINTF(format_at, args_at)
#endif

#define PDICT_VERSION_MAJOR  0
#define PDICT_VERSION_MINOR  1
#define PDICT_VERSION_PATCH  0
#define PDICT_VERSION_STRING "0.1.0"

/**
 * Bytes that belong to somebody else. Whether they are borrowed (valid during the call), pinned
 * (valid until a release function) or owned is said where a slice is used. `data` may be NULL
 * only when `size` is 0; for keys that is the empty key, which is a key like any other.
 */
typedef struct pdict_slice {
    const void *data;
    size_t size; /**< bytes */
} pdict_slice;

/**
 * Every status, its value and its one-line meaning. 0 is success, everything else is negative and
 * never changes its number. Expected outcomes (NOTFOUND, EXISTS, CONFLICT, END) set no error text;
 * all others do, see pdict_error_text().
 */
/* clang-format off */
#define PDICT_STATUS_MAP(X)                                                                          \
    X(OK,               0, "success")                                                                \
    X(NOTFOUND,        -1, "the key is absent or has expired")                                       \
    X(EXISTS,          -2, "the key is present and the call asked for it to be absent")              \
    X(CONFLICT,        -3, "the entry is not at the version the call asked for")                     \
    X(END,             -4, "the iteration is over")                                                  \
    X(INVAL,           -5, "an argument is malformed")                                               \
    X(MISUSE,          -6, "the call is not allowed in this state")                                  \
    X(NOMEM,           -7, "out of memory")                                                          \
    X(UNKNOWN_OPTION,  -8, "no such option")                                                         \
    X(CONTRADICTION,   -9, "two settings contradict each other")                                     \
    X(UNKNOWN_BACKEND,-10, "no such backend in this build")                                          \
    X(UNKNOWN_CODEC,  -11, "no such codec in this build")                                            \
    X(NO_STORE,       -12, "there is no store at this path")                                         \
    X(NO_DIRECTORY,   -13, "the directory of the store does not exist")                              \
    X(NOT_A_STORE,    -14, "the path is something other than a pdict store")                         \
    X(NO_MAP,         -15, "the store has no map of this name")                                      \
    X(NEWER_FORMAT,   -16, "the store was written in a newer format than this build reads")          \
    X(DAMAGED,        -17, "the store is damaged")                                                   \
    X(CHECKSUM,       -18, "the record does not match its checksum")                                 \
    X(AUTH,           -19, "the record was not sealed with this key, or was changed since")          \
    X(FORMAT,         -20, "the record is malformed")                                                \
    X(DOWNGRADE,      -21, "a plain record was found where only sealed ones are allowed")            \
    X(WRONG_KEY,      -22, "the passphrase or key opens no slot of this map")                        \
    X(NEED_KEY,       -23, "the map is encrypted and no passphrase or key was given")                \
    X(NOT_ENCRYPTED,  -24, "a passphrase or key was given for a map that is not encrypted")          \
    X(TOO_BIG,        -25, "a value, key or setting is over its limit")                              \
    X(READ_ONLY,      -26, "the store or this handle is read-only")                                  \
    X(FULL,           -27, "no space is left on the device or in the quota")                         \
    X(IO,             -28, "the operating system reported an input or output error")                 \
    X(BUSY,           -29, "somebody else holds what the call needs, and the timeout passed")        \
    X(POISONED,       -30, "a sync failed earlier; writes are refused until the store is reopened")  \
    X(UNKNOWN_OUTCOME,-31, "the commit failed midway; the write may or may not have happened")       \
    X(UNSUPPORTED,    -32, "this backend or build cannot do that")                                   \
    X(FORKED,         -33, "the handle was open in a parent whose fork could not hand it over")      \
    X(CANCELLED,      -34, "a callback of the caller asked to stop")                                 \
    X(PERMISSION,     -35, "the operating system denies access to the path")                         \
    X(SKIP,           -36, "extensions only: nothing was gained, keep the input as it is")           \
    X(LIMIT,          -37, "the map is full, and nothing of it may go")
/* clang-format on */

enum pdict_status {
#define PDICT_STATUS_ENUM(name, value, meaning) PDICT_##name = (value),
    PDICT_STATUS_MAP(PDICT_STATUS_ENUM)
#undef PDICT_STATUS_ENUM
    PDICT_STATUS_LOWEST = -37
};

/**
 * The name of a status, such as "PDICT_NOTFOUND".
 *
 * @param status  Any number.
 * @return A static string; "PDICT_?" for a number that is no status.
 *
 * Threads: any. Cost: none. Since 0.1.
 */
PDICT_API const char *pdict_status_name(int status);

/**
 * The one-line meaning of a status, for people; pdict_error_text() says more about a failure.
 *
 * @param status  Any number.
 * @return A static string; "not a pdict status" for a number that is none.
 *
 * Threads: any. Cost: none. Since 0.1.
 */
PDICT_API const char *pdict_status_text(int status);

/**
 * What went wrong in the last call of this thread that failed: what, where, and what to do next.
 *
 * @return A string that belongs to this thread, valid until its next call into the library; ""
 *         when nothing failed yet. Meaningful only after a failure; it never holds a secret.
 *
 * Threads: each has its own text. Cost: none. Since 0.1.
 */
PDICT_API const char *pdict_error_text(void);

/**
 * Set this thread's error text and pass a status on: `return pdict_fail(PDICT_IO, "...", ...);`
 * For extensions and for callbacks that return a status.
 *
 * @param status  Returned unchanged.
 * @param format  As printf; the text is cut at 511 bytes. Borrowed.
 * @return `status`.
 *
 * Threads: any. Cost: one vsnprintf, no allocation. Since 0.1.
 */
PDICT_API int pdict_fail(int status, const char *format, ...) PDICT_PRINTF(2, 3);

enum pdict_option_type {
    PDICT_OPTION_FLAG = 1,     /**< on, off; number is 1 or 0 */
    PDICT_OPTION_INT = 2,      /**< decimal, within min..max */
    PDICT_OPTION_SIZE = 3,     /**< bytes; suffixes B KiB MiB GiB TiB; within min..max */
    PDICT_OPTION_DURATION = 4, /**< milliseconds; suffixes ms s m h d w; within min..max */
    PDICT_OPTION_CHOICE = 5,   /**< one of `choices`; number is its place, from 0 */
    PDICT_OPTION_TEXT = 6      /**< any text */
};

/**
 * One option as data: parsing, defaults, `pdict info` and the check of the documentation all come
 * from this table. A table ends with an entry whose name is NULL.
 */
typedef struct pdict_option_spec {
    const char *name;
    int type;             /**< enum pdict_option_type */
    const char *fallback; /**< text of the default, parsed like the user's; NULL: 0 or NULL */
    int64_t min;          /**< INT, SIZE and DURATION: smallest legal number */
    int64_t max;          /**< INT, SIZE and DURATION: largest legal number */
    const char *choices;  /**< CHOICE: "full|ordered|unsafe" */
    const char *help;     /**< one line, lower case, no full stop */
} pdict_option_spec;

/**
 * Where memory of one store comes from. All four members are copied; the functions must be
 * thread-safe and stay callable until the store is closed and every view of it is released.
 * `allocate` and `reallocate` answer NULL when there is no memory; `reallocate(ctx, NULL, n)`
 * allocates and `release(ctx, NULL)` does nothing.
 */
typedef struct pdict_allocator {
    void *(*allocate)(void *ctx, size_t size);
    void *(*reallocate)(void *ctx, void *memory, size_t size);
    void (*release)(void *ctx, void *memory);
    void *ctx;
} pdict_allocator;

enum pdict_log_level {
    PDICT_LOG_ERROR = 1,
    PDICT_LOG_WARN = 2,
    PDICT_LOG_INFO = 3,
    PDICT_LOG_DEBUG = 4
};

/**
 * Receives one log line. Called on any thread that uses the store, outside locks of core; it must
 * not call into the library. No line holds a key, a value or a secret.
 */
typedef void (*pdict_log_fn)(void *ctx, int level, const char *component, int status,
                             const char *message);

/** A log hook with its context; `fn` may be NULL. */
typedef struct pdict_logger {
    pdict_log_fn fn;
    void *ctx;
    int level; /**< lines above this level are not sent */
} pdict_logger;

#ifdef __cplusplus
}
#endif

#endif
