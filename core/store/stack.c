/* SPDX-License-Identifier: MIT */
/* A backend and the layers above it, as the scheme of a URI names them: "fault+trace+sqlite". */
#include "store/store.h"

static int unknown_backend(const char *name)
{
    enum {
        MOST = 64
    };
    const char *names[MOST + 1] = { NULL }, *match;
    const pdict_backend *backend;

    for (size_t i = 0; i < MOST && (backend = pdict__backend_at(i)); i++)
        names[i] = backend->name;
    match = pdict__near_match(name, names);
    return pdict_fail(PDICT_UNKNOWN_BACKEND,
                      "this build has no backend '%s'%s%s%s; see `pdict info`, or write ./%s:... "
                      "if it is a path",
                      name, match ? ", did you mean '" : "", match ? match : "", match ? "'" : "",
                      name);
}

static int check_place(const pdict_backend *backend, bool is_last)
{
    bool is_layer = (backend->capabilities & PDICT_CAP_LAYER) != 0;

    if (is_layer && is_last)
        return pdict_fail(PDICT_INVAL,
                          "uri: %s is a layer above another backend; write %s+BACKEND:...",
                          backend->name, backend->name);
    if (!is_layer && !is_last)
        return pdict_fail(PDICT_INVAL,
                          "uri: %s is no layer, so nothing can come below it; write it last",
                          backend->name);
    return PDICT_OK;
}

/* Put one backend below those there are. */
static int add(struct stack *stack, const char *name, bool is_last)
{
    const pdict_backend *backend = pdict__backend_find(name);
    int status;

    if (!backend)
        return unknown_backend(name);
    if (stack->count == STACK_MOST)
        return pdict_fail(PDICT_INVAL, "uri: '%s' has more than %d parts; leave some layers out",
                          stack->name, STACK_MOST);
    if ((status = check_place(backend, is_last)) != PDICT_OK)
        return status;
    status = pdict__options_init(&stack->options[stack->count], backend->options, stack->allocator);
    if (status == PDICT_OK)
        stack->backends[stack->count++] = backend;
    return status;
}

static int add_all(struct stack *stack, char *names)
{
    int status = PDICT_OK;

    while (names && status == PDICT_OK) {
        char *plus = strchr(names, '+');

        if (plus)
            *plus++ = '\0';
        status = add(stack, names, !plus);
        names = plus;
    }
    return status;
}

int pdict__stack_parse(const char *scheme, const pdict_allocator *allocator, struct stack *out)
{
    struct stack stack = { .allocator = allocator };
    char *names = pdict__strdup(allocator, scheme, strlen(scheme));
    int status;

    stack.name = pdict__strdup(allocator, scheme, strlen(scheme));
    status = names && stack.name ? add_all(&stack, names) : PDICT_NOMEM;
    pdict__free(allocator, names);
    if (status == PDICT_OK)
        *out = stack;
    else
        pdict__stack_free(&stack);
    return status;
}

void pdict__stack_move(struct stack *to, struct stack *from, const pdict_allocator *allocator)
{
    *to = *from;
    *from = (struct stack){ 0 };
    to->allocator = allocator;
    for (size_t i = 0; i < to->count; i++)
        to->options[i].allocator = allocator;
}

void pdict__stack_free(struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        pdict__options_free(&stack->options[i]);
    if (stack->allocator)
        pdict__free(stack->allocator, stack->name);
    *stack = (struct stack){ 0 };
}

int pdict__stack_option(const struct stack *stack, const char *name, size_t *level)
{
    for (size_t i = 0; i < stack->count; i++) {
        int at = pdict__options_find(&stack->options[i], name);

        if (at >= 0) {
            *level = i;
            return at;
        }
    }
    return -1;
}

int pdict__stack_open(const struct stack *stack, const pdict_backend_args *common, void **engine)
{
    pdict_backend_args args[STACK_MOST];

    for (size_t i = 0; i < stack->count; i++) {
        args[i] = *common;
        args[i].options = stack->options[i].values;
        if (i + 1 < stack->count) {
            args[i].next = stack->backends[i + 1];
            args[i].next_args = &args[i + 1];
        }
    }
    return stack->backends[0]->open(&args[0], engine);
}
