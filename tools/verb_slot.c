/* SPDX-License-Identifier: MIT */
/* pdict passwd, pdict slot: which passphrases and keys open an encrypted map. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static int done(const struct invocation *in, const char *what, unsigned number)
{
    if (tool_has(in, OPT_JSON))
        tool_json_print(json_pack("{s:i}", what, (int)number));
    else if (!tool_has(in, OPT_QUIET))
        fprintf(stderr, "slot %u %s\n", number, what);
    return PDICT_OK;
}

static void new_secret(const struct invocation *in, const struct secret *secret, pdict_secret *out)
{
    *out = (pdict_secret)PDICT_SECRET_INIT;
    out->kdf = in->values[OPT_KDF];
    tool_secret_slices(secret, &out->passphrase, &out->key);
}

static int find_own(void *ctx, const pdict_slot *slot)
{
    unsigned *number = ctx;

    if (slot->is_own)
        *number = slot->number;
    return PDICT_OK;
}

static int change(const struct invocation *in, pdict *d)
{
    struct secret secret = { 0 };
    pdict_secret given;
    unsigned number = 0;
    int status;

    if ((status = pdict_slots(d, find_own, &number)) != PDICT_OK)
        return status;
    if ((status = tool_secret_new(in, &secret)) == PDICT_OK) {
        new_secret(in, &secret, &given);
        status = pdict_slot_set(d, 0, &given);
    }
    tool_secret_wipe(&secret);
    return status == PDICT_OK ? done(in, "changed", number) : status;
}

static int add(const struct invocation *in, pdict *d)
{
    struct secret secret = { 0 };
    pdict_secret given;
    unsigned number = 0;
    int status;

    if ((status = tool_secret_new(in, &secret)) == PDICT_OK) {
        new_secret(in, &secret, &given);
        status = pdict_slot_add(d, &given, &number);
    }
    tool_secret_wipe(&secret);
    return status == PDICT_OK ? done(in, "added", number) : status;
}

static int remove_slot(const struct invocation *in, pdict *d)
{
    unsigned number = (unsigned)strtoul(in->args[2], NULL, 10);
    int status = pdict_slot_remove(d, number);

    return status == PDICT_OK ? done(in, "removed", number) : status;
}

static int print_slot(void *ctx, const pdict_slot *slot)
{
    const struct invocation *in = ctx;
    const char *kind = slot->is_passphrase ? "passphrase" : "key";
    char memory[32];

    if (tool_has(in, OPT_JSON)) {
        json_t *object = json_pack("{s:i, s:s, s:b}", "slot", (int)slot->number, "kind", kind,
                                   "own", slot->is_own);

        if (slot->is_passphrase) {
            tool_json_int(object, "operations", slot->operations);
            tool_json_int(object, "memory_bytes", slot->memory_bytes);
        }
        tool_json_print(object);
        return PDICT_OK;
    }
    printf("%2u  %s", slot->number, kind);
    if (slot->is_passphrase)
        printf("  Argon2id %llu x %s", (unsigned long long)slot->operations,
               tool_size_text(slot->memory_bytes, memory));
    printf("%s\n", slot->is_own ? "  (this one)" : "");
    return PDICT_OK;
}

static int list(const struct invocation *in, pdict *d)
{
    return pdict_slots(d, print_slot, (void *)in);
}

/* A slot that is not there is a false answer, one that has to stay a wrong command. */
static int exit_code(const struct invocation *in, int status)
{
    if (status == PDICT_NOTFOUND)
        return tool_fail(in, TOOL_FALSE, "%s", pdict_error_text());
    if (status == PDICT_MISUSE)
        return tool_fail(in, TOOL_USAGE, "%s", pdict_error_text());
    return tool_fail_status(in, status);
}

static int run(const struct invocation *in, const char *mode,
               int (*act)(const struct invocation *in, pdict *d))
{
    pdict *d = NULL;
    int status = tool_open(in, mode, &d);

    if (status == PDICT_OK)
        status = act(in, d);
    pdict_close(d);
    return exit_code(in, status);
}

int tool_passwd(struct invocation *in)
{
    return run(in, "rw", change);
}

static bool is_slot_number(const char *text)
{
    return strspn(text, "0123456789") == strlen(text) && strlen(text) <= 4 &&
           strtoul(text, NULL, 10);
}

int tool_slot(struct invocation *in)
{
    const char *what = in->args[1];

    if (strcmp(what, "list") == 0 && in->n_args == 2)
        return run(in, "ro", list);
    if (strcmp(what, "add") == 0 && in->n_args == 2)
        return run(in, "rw", add);
    if (strcmp(what, "remove") == 0 && in->n_args == 3 && is_slot_number(in->args[2]))
        return run(in, "rw", remove_slot);
    return tool_fail(in, TOOL_USAGE,
                     "write: pdict slot STORE list, or add, or remove N with the "
                     "number of a slot");
}
