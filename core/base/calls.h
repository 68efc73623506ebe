/* SPDX-License-Identifier: MIT */
/* Who is inside: the calls that a fork has to wait for, and the threads that let it pass. */
#ifndef PDICT_BASE_CALLS_H
#define PDICT_BASE_CALLS_H

#include "base/base.h"

/*
 * Whatever uses an engine or takes a lock happens inside: between begin and end, which may be
 * nested. A fork stops the calls: those that are inside come to their end, those that begin wait
 * until it has passed. Reads that take no lock and touch no engine need not be inside.
 */
void pdict__call_begin(void);
void pdict__call_end(void);

/* Of this thread, which is inside: a small number that it shares with few others. */
unsigned pdict__call_number(void);

/* Around the use of an engine that must not be closed meanwhile: a snapshot, a transaction. The
 * thread is inside. */
void pdict__engine_hold(void);
void pdict__engine_let_go(void);

/* Around waiting for others, so that a fork need not wait too. False: this thread holds an engine,
 * and stays inside. After resume the engine may have been closed. No lock is held in resume. */
bool pdict__call_pause(void);
void pdict__call_resume(void);
/* Somebody waits for this call to pause or to end. */
bool pdict__call_is_in_the_way(void);

/* Around a user's function that runs outside, where a fork cannot be served either. */
void pdict__callback_begin(void);
void pdict__callback_end(void);

/* ---- for fork.c ---- */

/* This thread is inside, or in a user's function that was called from there. */
bool pdict__calls_is_inside(void);
/* Stop the calls; false: one was still inside when the time was up, and they go on. */
bool pdict__calls_stop(int64_t until_ms);
void pdict__calls_go_on(void);
/* In the child there is one thread. */
void pdict__calls_child(void);

#endif
