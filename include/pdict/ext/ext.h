/* SPDX-License-Identifier: MIT */
/* What every extension shares: the ABI number, the head of a vtable, the option values core parsed. */
#ifndef PDICT_EXT_EXT_H
#define PDICT_EXT_EXT_H

#include <pdict/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Raised when a contract in ext/ changes in a way that `struct_size` cannot express. */
#define PDICT_EXT_ABI 1u

/** One parsed option; an array of them runs parallel to the table of specs. Reading cannot fail. */
typedef struct pdict_option_value {
    int64_t number;   /**< by the type above; 0 for TEXT */
    const char *text; /**< as the user wrote it, or the fallback; borrowed as long as the array */
    bool is_set;      /**< the user gave it */
} pdict_option_value;

/**
 * The first bytes of every vtable: core refuses a table whose ABI it does not know and copies
 * min(their struct_size, its own), so members may be appended and older extensions keep working.
 */
#define PDICT_EXT_HEAD(type) .struct_size = sizeof(type), .abi_version = PDICT_EXT_ABI

#ifdef __cplusplus
}
#endif

#endif
