/* SPDX-License-Identifier: MIT */
/* Rules of the fault layer: CALL[:N[+]][:WHAT], who is hit, and the list of open layers. */
#include "fault.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fault_copy {
    struct fault_copy *next;
    unsigned char bytes[];
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault *newest;

static const char *const call_names[] = {
#define CALL_NAME(name) #name,
    FAULT_CALL_MAP(CALL_NAME)
#undef CALL_NAME
};

static const char *const option_names[] = { "fail", "corrupt", "delay" };

/* ---- reading a rule ---- */

static bool read_number(const char **text, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

static bool read_call(const char **text, int *out)
{
    size_t size = strcspn(*text, ":");

    for (int i = 0; i <= FAULT_CALL_any; i++) {
        if (strlen(call_names[i]) == size && memcmp(call_names[i], *text, size) == 0) {
            *text += size;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool read_status(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        int status;
    } statuses[] = {
#define STATUS_ROW(name, value, meaning) { #name, value },
        PDICT_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
    };

    for (size_t i = 1; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (strcmp(statuses[i].name, text) == 0) {
            *out = statuses[i].status;
            return true;
        }
    }
    return false;
}

static bool read_what(int kind, const char *text, int64_t *out)
{
    uint64_t number;

    if (kind == FAULT_FAIL)
        return read_status(text, out);
    if (!read_number(&text, &number) || *text || number > INT64_MAX)
        return false;
    *out = (int64_t)number;
    return true;
}

static bool has_value(int call)
{
    return call == FAULT_CALL_get || call == FAULT_CALL_scan_next || call == FAULT_CALL_system_get;
}

static bool read_rule(int kind, const char *text, struct fault_rule *rule)
{
    if (!read_call(&text, &rule->call))
        return false;
    if (kind == FAULT_CORRUPT && !has_value(rule->call))
        return false;
    if (*text == ':' && isdigit((unsigned char)text[1])) {
        text++;
        if (!read_number(&text, &rule->at) || rule->at == 0)
            return false;
        rule->is_onward = *text == '+';
        text += rule->is_onward;
    }
    return !*text || (*text == ':' && read_what(kind, text + 1, &rule->what));
}

int pdict__fault_rule_parse(int kind, const char *text, struct fault_rule *out)
{
    static const int64_t fallbacks[] = { PDICT_IO, -1, 100 };
    struct fault_rule rule = { .is_on = text != NULL, .at = 1, .what = fallbacks[kind] };

    if (text && !read_rule(kind, text, &rule))
        return pdict_fail(PDICT_INVAL,
                          "fault: %s=%s is not CALL[:N[+]][:%s], with the name of a call%s",
                          option_names[kind], text,
                          kind == FAULT_FAIL      ? "STATUS"
                          : kind == FAULT_CORRUPT ? "BIT"
                                                  : "MILLISECONDS",
                          kind == FAULT_CORRUPT ? " that returns a value" : " or any");
    *out = rule;
    return PDICT_OK;
}

/* ---- hitting ---- */

/* Count a call for one rule; the lock is held. */
static bool is_hit(struct fault_rule *rule, int call)
{
    bool is_turn;

    if (!rule->is_on || (rule->call != FAULT_CALL_any && rule->call != call))
        return false;
    rule->n_seen++;
    is_turn = rule->n_seen == rule->at || (rule->is_onward && rule->n_seen > rule->at);
    rule->n_hit += is_turn;
    return is_turn;
}

static void wait_ms(int64_t ms)
{
    struct timespec left = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = ms % 1000 * 1000000 };

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

int pdict__fault_enter(struct fault *fault, int call)
{
    struct fault_rule *fail = &fault->rules[FAULT_FAIL], *delay = &fault->rules[FAULT_DELAY];
    bool is_failed, is_delayed;
    int64_t status, ms;

    pthread_mutex_lock(&fault->lock);
    is_failed = is_hit(fail, call);
    is_delayed = is_hit(delay, call);
    status = fail->what;
    ms = delay->what;
    pthread_mutex_unlock(&fault->lock);
    if (is_delayed)
        wait_ms(ms);
    return is_failed ? pdict_fail((int)status, "fault: %s fails because fail= asked for it",
                                  call_names[call])
                     : PDICT_OK;
}

/* The bit to flip: as asked, else one in the middle. */
static size_t bit_of(const struct fault_rule *rule, size_t size)
{
    return rule->what < 0 ? size * 4 : (size_t)((uint64_t)rule->what % (size * 8));
}

static int flip(struct fault *fault, pdict_slice *value)
{
    size_t bit = bit_of(&fault->rules[FAULT_CORRUPT], value->size);
    struct fault_copy *copy =
        fault->allocator.allocate(fault->allocator.ctx, sizeof(*copy) + value->size);

    if (!copy)
        return pdict_fail(PDICT_NOMEM, "fault: no memory for a copy of the value");
    memcpy(copy->bytes, value->data, value->size);
    copy->bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    copy->next = fault->copies;
    fault->copies = copy;
    value->data = copy->bytes;
    return PDICT_OK;
}

int pdict__fault_corrupt(struct fault *fault, int call, pdict_slice *value)
{
    int status = PDICT_OK;

    if (value->size == 0)
        return PDICT_OK;
    pthread_mutex_lock(&fault->lock);
    if (is_hit(&fault->rules[FAULT_CORRUPT], call))
        status = flip(fault, value);
    pthread_mutex_unlock(&fault->lock);
    return status;
}

/* ---- open layers ---- */

static int init(struct fault *fault, const pdict_backend_args *args)
{
    size_t size = strlen(args->path) + 1;
    int status = PDICT_OK;

    fault->next = args->next;
    fault->allocator = args->allocator;
    for (int kind = 0; kind < FAULT_KINDS && status == PDICT_OK; kind++)
        status = pdict__fault_rule_parse(kind, args->options[kind].text, &fault->rules[kind]);
    if (status != PDICT_OK)
        return status;
    fault->path = args->allocator.allocate(args->allocator.ctx, size);
    if (!fault->path)
        return pdict_fail(PDICT_NOMEM, "fault: no memory to open the store");
    memcpy(fault->path, args->path, size);
    pthread_mutex_init(&fault->lock, NULL);
    return PDICT_OK;
}

int pdict__fault_new(const pdict_backend_args *args, struct fault **out)
{
    struct fault *fault = args->allocator.allocate(args->allocator.ctx, sizeof(*fault));
    int status;

    if (!fault)
        return pdict_fail(PDICT_NOMEM, "fault: no memory to open the store");
    *fault = (struct fault){ .next = NULL };
    if ((status = init(fault, args)) != PDICT_OK) {
        args->allocator.release(args->allocator.ctx, fault);
        return status;
    }
    pthread_mutex_lock(&list_lock);
    fault->older = newest;
    newest = fault;
    pthread_mutex_unlock(&list_lock);
    *out = fault;
    return PDICT_OK;
}

void pdict__fault_free(struct fault *fault)
{
    pdict_allocator allocator = fault->allocator;
    struct fault **link;

    pthread_mutex_lock(&list_lock);
    for (link = &newest; *link != fault; link = &(*link)->older)
        ;
    *link = fault->older;
    pthread_mutex_unlock(&list_lock);
    while (fault->copies) {
        struct fault_copy *copy = fault->copies;

        fault->copies = copy->next;
        allocator.release(allocator.ctx, copy);
    }
    pthread_mutex_destroy(&fault->lock);
    allocator.release(allocator.ctx, fault->path);
    allocator.release(allocator.ctx, fault);
}

/* The list lock is held. */
static struct fault *find(const char *path)
{
    struct fault *fault = newest;

    while (fault && strcmp(fault->path, path) != 0)
        fault = fault->older;
    return fault;
}

int pdict__fault_set(const char *path, int kind, const char *text)
{
    struct fault_rule rule;
    struct fault *fault;
    int status = pdict__fault_rule_parse(kind, text, &rule);

    if (status != PDICT_OK)
        return status;
    pthread_mutex_lock(&list_lock);
    fault = find(path);
    if (fault) {
        pthread_mutex_lock(&fault->lock);
        fault->rules[kind] = rule;
        pthread_mutex_unlock(&fault->lock);
    }
    pthread_mutex_unlock(&list_lock);
    return fault ? PDICT_OK : PDICT_NOTFOUND;
}

void pdict__fault_counts(const char *path, int kind, uint64_t *n_seen, uint64_t *n_hit)
{
    struct fault *fault;

    *n_seen = *n_hit = 0;
    pthread_mutex_lock(&list_lock);
    fault = find(path);
    if (fault) {
        pthread_mutex_lock(&fault->lock);
        *n_seen = fault->rules[kind].n_seen;
        *n_hit = fault->rules[kind].n_hit;
        pthread_mutex_unlock(&fault->lock);
    }
    pthread_mutex_unlock(&list_lock);
}
