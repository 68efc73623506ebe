/* SPDX-License-Identifier: MIT */
/* The change token of a store, and what the caches above it belong to. */
#include "store/store.h"

static const volatile uint64_t still;

void pdict__coherence_init(struct coherence *coherence, const volatile uint64_t *const words[2])
{
    atomic_init(&coherence->floor, FLOOR_NEVER + 1);
    for (int i = 0; i < 2; i++)
        coherence->engine_words[i] = words[i];
    pdict__coherence_choose(coherence, COHERENCE_STRICT, 0);
}

void pdict__coherence_destroy(struct coherence *coherence)
{
    pthread_mutex_destroy(&coherence->advance);
}

void pdict__coherence_move(struct coherence *coherence, const volatile uint64_t *const words[2])
{
    for (int i = 0; i < 2; i++) {
        if (coherence->engine_words[i] == words[i])
            continue;
        coherence->engine_words[i] = words[i];
        if (coherence->mode != COHERENCE_PRIVATE)
            coherence->words[i] = words[i];
    }
}

void pdict__coherence_choose(struct coherence *coherence, unsigned mode, int64_t bound_ms)
{
    uint64_t token[2];

    coherence->mode = mode;
    coherence->bound_ms = bound_ms;
    for (int i = 0; i < 2; i++)
        coherence->words[i] = mode == COHERENCE_PRIVATE ? &still : coherence->engine_words[i];
    if (coherence->words[0]) {
        pdict__gen_odd(coherence);
        pdict__peek(coherence, token);
        pdict__gen_even(coherence, token);
    }
}
