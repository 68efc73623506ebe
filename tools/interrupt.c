/* SPDX-License-Identifier: MIT */
/* The interrupt key, for verbs that have something to tidy up before they stop. */
#include "tool.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t is_interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

/*
 * Without SA_RESTART, so that a read from the terminal or a pipe returns at once. A shell starts
 * its background jobs with the signal ignored, and that is kept.
 */
void tool_interrupt_catch(void)
{
    struct sigaction action;

    sigaction(SIGINT, NULL, &action);
    if (action.sa_handler == SIG_IGN)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = note_interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
}

bool tool_interrupted(void)
{
    return is_interrupted != 0;
}
