/* SPDX-License-Identifier: MIT */
/* When an entry expires: change it without writing the value anew. */
#ifndef PDICT_EXPIRY_H
#define PDICT_EXPIRY_H

#include <pdict/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Let an entry expire so long from now, whether it had a deadline or not. Value, version, time of
 * creation and place stay. The deadline is bound to the record, so that is sealed anew.
 *
 * @param ttl_ms  1 or more; a sum beyond the end of time is the end of time.
 * @return PDICT_OK; PDICT_NOTFOUND: absent or expired; PDICT_INVAL; a status as from pdict_get()
 *         when the record cannot be read; else as pdict_put().
 *
 * Cost: a get and a put.
 * Since 0.1.
 */
PDICT_API int pdict_touch(pdict *d, pdict_slice key, int64_t ttl_ms);

/** The same with a Unix time in milliseconds, above 0; one that has passed deletes. Since 0.1. */
PDICT_API int pdict_touch_until(pdict *d, pdict_slice key, int64_t expires_ms);

/** The same, so that the entry never expires. Since 0.1. */
PDICT_API int pdict_persist(pdict *d, pdict_slice key);

/**
 * Read a value and let it expire so long from now, in one step.
 *
 * @param[out] out  As from pdict_get(), with the new deadline.
 * @return As pdict_touch().
 *
 * Since 0.1.
 */
PDICT_API int pdict_get_and_touch(pdict *d, pdict_slice key, int64_t ttl_ms, pdict_view *out);

#ifdef __cplusplus
}
#endif

#endif
