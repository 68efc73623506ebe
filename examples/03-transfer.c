/* SPDX-License-Identifier: MIT */
/* Money moves between accounts in transactions: whatever comes in between, none is made or lost. */
#include <inttypes.h>
#include <pdict/pdict.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define N_CLERKS    4
#define N_TRANSFERS 50

static pdict *bank;

struct transfer {
    const char *from, *to;
    int64_t amount;
};

static int64_t balance(pdict *d, const char *name)
{
    int64_t amount = 0;

    pdict_add(d, pdict_str(name), 0, NULL, &amount);
    return amount;
}

/* Runs again, with a new look at both accounts, when one of them has changed before the commit. */
static int move(void *ctx, pdict *txn)
{
    const struct transfer *t = ctx;
    int status;

    if (balance(txn, t->from) < t->amount)
        return pdict_fail(PDICT_CANCELLED, "%s has less than that", t->from);
    if ((status = pdict_add(txn, pdict_str(t->from), -t->amount, NULL, NULL)) != PDICT_OK)
        return status;
    return pdict_add(txn, pdict_str(t->to), t->amount, NULL, NULL);
}

static void *clerk(void *arg)
{
    struct transfer there = { "ada", "grace", 3 }, back = { "grace", "ada", 2 };

    (void)arg;
    for (int i = 0; i < N_TRANSFERS; i++) {
        int status = pdict_run(bank, move, i % 2 ? &back : &there, 1000);

        if (status != PDICT_OK && status != PDICT_CANCELLED)
            fprintf(stderr, "transfer: %s\n", pdict_error_text());
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *uri = argc > 1 ? argv[1] : "sqlite:bank.db";
    pthread_t clerks[N_CLERKS];
    int64_t before, after;

    if (pdict_open(uri, NULL, &bank) != PDICT_OK ||
        pdict_add(bank, pdict_str("ada"), 100, NULL, NULL) != PDICT_OK)
        return fprintf(stderr, "transfer: %s\n", pdict_error_text()), 1;
    before = balance(bank, "ada") + balance(bank, "grace");
    for (int i = 0; i < N_CLERKS; i++)
        pthread_create(&clerks[i], NULL, clerk, NULL);
    for (int i = 0; i < N_CLERKS; i++)
        pthread_join(clerks[i], NULL);
    after = balance(bank, "ada") + balance(bank, "grace");
    printf("ada %" PRId64 ", grace %" PRId64 "\n", balance(bank, "ada"), balance(bank, "grace"));
    pdict_close(bank);
    return before == after ? EXIT_SUCCESS : EXIT_FAILURE;
}
