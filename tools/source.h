/* SPDX-License-Identifier: MIT */
/* Where `pdict load` reads records from: one small vtable, one file a format. */
#ifndef PDICT_SOURCE_H
#define PDICT_SOURCE_H

#include "tool.h"

/** Lines of a file that can be read twice; standard input is copied to an unnamed file first. */
struct reader {
    int fd;
    const char *name; /**< for messages; borrowed */
    struct tool_buf buf;
    size_t start;   /**< of what is not yet handed out, in buf */
    uint64_t line;  /**< of the line handed out last, from 1 */
    uint64_t taken; /**< bytes handed out */
    uint64_t size;  /**< of the file */
};

/** The longest line, and so the longest record, of any text format. */
#define READER_LINE_MAX ((size_t)1 << 30)

/* reader.c */
int reader_open(struct reader *reader, const char *path);
int reader_line(struct reader *reader, pdict_slice *out);
int reader_rewind(struct reader *reader);
void reader_close(struct reader *reader);

/** One record; borrowed from the source until its next step. */
struct record {
    pdict_slice key;
    pdict_slice value;
    int64_t expires_ms;  /**< 0 = the source says nothing */
    int64_t created_ms;  /**< 0 = the source says nothing */
    int64_t accessed_ms; /**< 0 = the source says nothing */
};

struct source;

struct source_ops {
    const char *name;
    int (*open)(struct source *source);

    /**
     * PDICT_OK; PDICT_END; PDICT_INVAL: this record is bad, the next call goes on behind it;
     * PDICT_CHECKSUM, PDICT_MISUSE: at the end, it is not the whole (changed, or cut short), and
     * the next call says PDICT_END; anything else ends the reading.
     */
    int (*next)(struct source *source, struct record *out);
    int (*rewind)(struct source *source);
    void (*close)(struct source *source);
};

/** Records of one file or directory, which can be walked more than once. */
struct source {
    const struct source_ops *ops;
    const char *path;      /**< borrowed; "-" is standard input */
    const char *key_field; /**< deb822 only; borrowed */
    struct reader reader;  /**< of the text formats */
    struct tool_buf key;
    struct tool_buf value;
    void *state;       /**< of the format */
    char place[80];    /**< of the record handed out last, such as "line 12" */
    uint64_t position; /**< bytes read */
    uint64_t size;     /**< bytes in all; 0: not known */
};

extern const struct source_ops source_jsonl;
extern const struct source_ops source_deb822;
extern const struct source_ops source_tsv;
extern const struct source_ops source_dir;

/* source.c */
int source_open(struct source *source, const struct invocation *in, const char *path);
int source_open_lines(struct source *source);
int source_line(struct source *source, pdict_slice *out);
int source_rewind_lines(struct source *source);
void source_close_lines(struct source *source);
void source_close(struct source *source);

#endif
