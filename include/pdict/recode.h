/* SPDX-License-Identifier: MIT */
/* Other codecs and other keys for a map that is in use. */
#ifndef PDICT_RECODE_H
#define PDICT_RECODE_H

#include <pdict/upkeep.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to make the records of a map anew. Zero: the default. */
typedef struct pdict_recode_options {
    size_t struct_size;
    const char *codecs;     /**< as the option `codecs`; NULL: those the map has */
    pdict_slice passphrase; /**< of a plain map that is to be encrypted: exactly one of the two */
    pdict_slice key;
    const char *kdf;            /**< as the option `kdf`; NULL: "moderate"; of a passphrase only */
    uint64_t bytes_per_second;  /**< of records read, about; 0: as fast as it goes */
    pdict_progress_fn progress; /**< phases "check", "recode", "verify", "rewrite" */
    void *progress_ctx;
} pdict_recode_options;

#define PDICT_RECODE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        .struct_size = sizeof(pdict_recode_options)                                                \
    }

/** What was done by this call. */
typedef struct pdict_recode_result {
    size_t struct_size;
    uint64_t records;      /**< looked at */
    uint64_t rewritten;    /**< of these; the others were new enough, or changed meanwhile */
    uint64_t before_bytes; /**< of the records that were rewritten */
    uint64_t after_bytes;
    bool is_resumed; /**< an earlier call had not come to its end */
} pdict_recode_result;

#define PDICT_RECODE_RESULT_INIT                                                                   \
    {                                                                                              \
        .struct_size = sizeof(pdict_recode_result)                                                 \
    }

/**
 * Make all records of a map anew, by other codecs, while others read and write it, in any process.
 * Nothing that a caller sees changes but, with another serializer, the bytes of the values: version,
 * times and order stay. From the first moment every handle writes by the new codecs, and reads both.
 *
 * The work goes in short commits. A call that is cancelled or killed leaves a map that is whole and
 * usable, and the same call again goes on with it.
 *
 * Compressor, level and dictionary may be any. From one serializer to another the typed values are
 * carried over, as pdict_get_value() and pdict_put_value() would. All of them are tried before
 * anything is changed: PDICT_INVAL if one has no form in the new serializer.
 *
 * With a cipher for a map that has none, the map is encrypted: `passphrase` or `key` opens its first
 * slot, all other handles get PDICT_NEED_KEY from their next call, and this one goes on. When all
 * records are sealed a plain one is PDICT_DOWNGRADE, and the file is rewritten so that nothing of
 * the old ones is left in it; nobody may hold a snapshot then and, where the engine wants to be
 * alone to compact, have the store open. Without the cipher that it has, a map is decrypted.
 *
 * @param options      Borrowed; NULL: all defaults, and records are made anew by the newest
 *                     dictionary.
 * @param[in,out] out  NULL, or struct_size set by the caller; filled however the call ends, with how
 *                     far it came.
 * @return PDICT_OK: all is done, and was read back; PDICT_INVAL; PDICT_NEED_KEY; PDICT_UNSUPPORTED:
 *         from one cipher to another; PDICT_CONTRADICTION: an earlier call is on its way to other
 *         codecs; PDICT_BUSY: another call has taken over or, with all records sealed, somebody is
 *         in the way of the rewriting; PDICT_CANCELLED; PDICT_MISUSE: inside a transaction; as
 *         pdict_get() for damaged records: all others are done, and it ends with the first of these;
 *         else as pdict_put().
 *
 * Threads: one call for a map at a time; others use the handle meanwhile.
 * Cost: reads everything twice, writes everything once; short commits of some milliseconds.
 * Since 0.1.
 */
PDICT_API int pdict_recode(pdict *d, const pdict_recode_options *options, pdict_recode_result *out);

/**
 * Give an encrypted map a new data key: new records are sealed under it at once, in all processes,
 * the others are sealed anew as in pdict_recode(), and the old key is dropped at the end.
 *
 * It shuts out who has got hold of a data key. It does not shut out who knows a passphrase or key of
 * the map, or has a copy of the store.
 *
 * @param options  As in pdict_recode(), without codecs and secret.
 * @return As pdict_recode(); PDICT_NOT_ENCRYPTED, with a text.
 *
 * Since 0.1.
 */
PDICT_API int pdict_rekey(pdict *d, const pdict_recode_options *options, pdict_recode_result *out);

#ifdef __cplusplus
}
#endif

#endif
