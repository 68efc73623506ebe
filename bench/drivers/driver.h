/* SPDX-License-Identifier: MIT */
/* What is measured: one small vtable for pdict, for engines used raw, and for peers. */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <pdict/pdict.h>

/*
 * Every function returns a status and explains failures by pdict_fail(). A value that get() hands
 * out stays as it is until the next call with the same session, whatever is written meanwhile: where
 * an engine's own pointer does not live so long, the driver copies, as a user of it would have to.
 *
 * Keys are followed by a zero byte that does not count, for engines that want C strings.
 */

enum driver_flags {
    DRIVER_THREADS = 1 << 0,   /**< sessions of one store may be used by different threads */
    DRIVER_ORDERED = 1 << 1,   /**< scan() can begin at a key */
    DRIVER_PROCESSES = 1 << 2, /**< several processes may open one store */
    DRIVER_PERSISTS = 1 << 3,  /**< it can be closed and opened again */
    DRIVER_TTL = 1 << 4        /**< put_ttl() is there */
};

/** What a returned put survives; the words are those of pdict's option `durability`. */
enum driver_durability {
    DRIVER_FULL,    /**< power loss */
    DRIVER_CRASH,   /**< a crash of the process; power loss may undo the newest puts */
    DRIVER_UNSAFE,  /**< a crash of the process; power loss may damage the store */
    DRIVER_NOTHING, /**< the end of the process is the end of the store */
    DRIVER_DURABILITIES
};

extern const char *const driver_durability_names[DRIVER_DURABILITIES];

struct driver_args {
    const char *directory;             /**< its own; may hold what an earlier open left */
    const char *name;                  /**< what follows the family: "sqlite" */
    const char *options;               /**< what follows the '?'; "" when nothing does */
    enum driver_durability durability; /**< of writes that no session is asked for */
    size_t page_cache; /**< bytes an engine may keep of its file, where that can be set */
    uint64_t keys;     /**< about so many will come */
    bool is_uncached;  /**< keep no values in RAM, where that is a choice */
};

struct driver {
    const char *family; /**< raw, pdict or peer */
    const char *name;   /**< NULL: any name that `knows` */
    const char *summary;
    unsigned flags;
    /** The strictest durability it can give, and the loosest that it knows to tell apart. */
    enum driver_durability strictest;
    enum driver_durability loosest;
    const char *(*library)(void); /**< name and version; NULL: none */
    bool (*knows)(const char *name, unsigned *flags, enum driver_durability *strictest);

    int (*open)(const struct driver_args *args, void **self);
    void (*close)(void *self);
    /** One for each thread; the durability is that of its writes. */
    int (*session_open)(void *self, enum driver_durability durability, void **session);
    void (*session_close)(void *session);

    int (*get)(void *session, pdict_slice key, pdict_slice *value); /**< PDICT_NOTFOUND: absent */
    int (*put)(void *session, pdict_slice key, pdict_slice value);  /**< one commit */
    int (*put_many)(void *session, const pdict_pair *pairs, size_t count); /**< one commit */
    int (*del)(void *session, pdict_slice key);
    /** Visit up to `limit` entries with their values, from `from` (data NULL: from the first). */
    int (*scan)(void *session, pdict_slice from, size_t limit, size_t *count);

    /* Optional from here on. */
    /** As get, but the value need only live until this returns; adds its first byte to *seen. */
    int (*visit)(void *session, pdict_slice key, unsigned *seen);
    int (*put_ttl)(void *session, pdict_slice key, pdict_slice value, int64_t ttl_ms);
    /** Forget what is kept in RAM of values. */
    int (*drop_cache)(void *self);
};

/** One target of a run: a driver with a name and options. */
struct target {
    char label[128]; /**< as the user wrote it */
    char name[64];
    const char *options; /**< within label, behind the '?'; "" */
    const struct driver *driver;
    unsigned flags;
    enum driver_durability strictest;
};

extern const struct driver *const drivers[]; /**< ends with NULL */

/* table.c */
int target_parse(const char *text, struct target *out);
/** Split at the commas that stand before a family; `out` receives up to `most`. */
int target_list(const char *text, struct target *out, size_t most, size_t *count);
/** What the target gives when asked for `wanted`: never less strict where it can be stricter. */
enum driver_durability target_durability(const struct target *target,
                                         enum driver_durability wanted);

/** A buffer for values that have to be copied. */
struct driver_copy {
    void *data;
    size_t capacity;
};

int driver_copy(struct driver_copy *copy, const void *data, size_t size, pdict_slice *value);
int driver_no_memory(const char *what);
int driver_path(char *out, size_t size, const char *directory, const char *name);

extern const struct driver driver_null;
extern const struct driver driver_sqlite;
extern const struct driver driver_lmdb;
extern const struct driver driver_ghash;
extern const struct driver driver_files;
extern const struct driver driver_pdict;
extern const struct driver driver_rocksdb;
extern const struct driver driver_leveldb;
extern const struct driver driver_wiredtiger;
extern const struct driver driver_tkrzw;

/* A walk looks at each value, as who asked for it would. */
static inline void driver_look(const void *value, size_t size)
{
    if (size > 0)
        (void)*(const volatile unsigned char *)value;
}

#endif
