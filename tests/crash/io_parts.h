/* SPDX-License-Identifier: MIT */
/* What io.c, where file calls arrive, asks of io_plan.c and io_log.c. */
#ifndef PDICT_CRASH_IO_PARTS_H
#define PDICT_CRASH_IO_PARTS_H

#include <sys/uio.h>

#include "io.h"

/* ---- io_plan.c ---- */

/* Count a call; what is to become of it. errno is set for IO_FAIL. */
enum io_action io_judge(enum io_call call);
/* End or stop this process by a signal. */
void io_end_by(int signal);

/* ---- io_log.c ---- */

/* Held over a call and its note, so that notes are in the order of the calls. */
void io_lock(void);
void io_unlock(void);

/* Files are known by number; 0: none has the name. */
uint32_t io_number_of(const char *name);
/* A number is given twice only while nothing is recorded. */
uint32_t io_new_number(const char *name);
void io_set_name(uint32_t file, const char *name);
void io_forget_name(uint32_t file);

/* Two payloads, since a rename has two names and a gathered write any number of parts. */
void io_note(struct io_event event, const struct iovec *parts, int n_parts);
void io_note_name(uint32_t kind, uint32_t file, const char *name);

#endif
