/* SPDX-License-Identifier: MIT */
/* One engine per file and process: open stores by device and inode, with a count of their users. */
#include "base/fork.h"
#include "open/open.h"

struct entry {
    struct store *store;
    uint64_t device, inode; /* of files */
    bool is_file;
    unsigned references;
    struct entry *next;
};

/* Held while an engine opens or closes: two opens of one new file must end with one engine. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;

/* A store that a fork could not hand over is dead in the child; its name is free again there only
 * for backends without files, since two engines on one file would not see each other's locks. */
static bool is_same(const struct entry *entry, const struct store_wish *wish)
{
    const struct place *place = wish->place;

    if (place->is_file)
        return entry->is_file && place->exists && entry->device == place->device &&
               entry->inode == place->inode;
    return !entry->is_file &&
           pdict__stack_base(&entry->store->stack) == pdict__stack_base(wish->stack) &&
           *place->path && strcmp(entry->store->path, place->path) == 0;
}

static struct entry *find(const struct store_wish *wish)
{
    struct entry *entry = entries;

    while (entry && !is_same(entry, wish))
        entry = entry->next;
    return entry;
}

/* ---- agreeing with a store that is open already ---- */

static int contradiction(const struct store *store, const char *what, const char *wanted,
                         const char *actual)
{
    return pdict_fail(PDICT_CONTRADICTION,
                      "%s is open in this process with %s=%s, but %s=%s was asked for; use the "
                      "same for all handles, or close the others first",
                      store->path, what, actual, what, wanted);
}

static int agree_options(const struct store *store, const struct option_set *actual,
                         const struct option_set *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const pdict_option_value *ours = &actual->values[i], *theirs = &wanted->values[i];
        bool is_text = wanted->specs[i].type == PDICT_OPTION_TEXT;

        if (!theirs->is_set)
            continue;
        if (is_text ? !ours->text || strcmp(ours->text, theirs->text) != 0
                    : ours->number != theirs->number)
            return contradiction(store, wanted->specs[i].name, theirs->text,
                                 ours->text ? ours->text : "");
    }
    return PDICT_OK;
}

static int agree(const struct store *store, const struct store_wish *wish)
{
    int status;

    if ((status = pdict__store_check(store)) != PDICT_OK)
        return status;
    if (strcmp(store->stack.name, wish->stack->name) != 0)
        return contradiction(store, "backend", wish->stack->name, store->stack.name);
    if (store->is_read_only && !wish->is_read_only)
        return contradiction(store, "mode", "rw", "ro");
    if (!pdict__allocator_same(&store->allocator, &wish->allocator))
        return contradiction(store, "allocator", "another one", "one");
    if (store->clock.now_ms != wish->clock.now_ms || store->clock.ctx != wish->clock.ctx)
        return contradiction(store, "clock", "another one", "one");
    if (wish->maintenance->is_set && (wish->maintenance->number != 0) != store->is_manual)
        return contradiction(store, "maintenance", wish->maintenance->text,
                             store->is_manual ? "manual" : "thread");
    if (wish->sweep->is_set && !store->is_read_only &&
        (wish->sweep->number == 0) != store->sweeper.is_auto)
        return contradiction(store, "sweep", wish->sweep->text,
                             store->sweeper.is_auto ? "auto" : "manual");
    for (size_t i = 0; status == PDICT_OK && i < wish->stack->count; i++)
        status = agree_options(store, &store->stack.options[i], &wish->stack->options[i]);
    return status;
}

/* ---- opening ---- */

static int no_store(const struct store_wish *wish)
{
    return pdict_fail(PDICT_NO_STORE,
                      "there is no store '%s'; create it with mode=rwc or `pdict init`",
                      wish->place->path);
}

static int make_file(struct store_wish *wish)
{
    if (!wish->place->is_file || wish->place->exists)
        return PDICT_OK;
    if (!wish->may_create)
        return no_store(wish);
    return pdict__place_create(wish->place, wish->is_private);
}

static int open_store(struct store_wish *wish, struct store **out)
{
    struct store_config config = {
        .stack = wish->stack,
        .path = wish->place->path,
        .timeout_ms = wish->timeout_ms,
        .allocator = wish->allocator,
        .logger = wish->logger,
        .clock = wish->clock,
        .is_manual = wish->maintenance->number != 0,
        .is_swept = wish->sweep->number == 0,
    };

    if (wish->may_create)
        config.flags |= PDICT_BACKEND_CREATE;
    if (wish->is_read_only)
        config.flags |= PDICT_BACKEND_READ_ONLY;
    return pdict__store_new(&config, out);
}

/* ---- forks ---- */

static bool may_park_all(void)
{
    for (const struct entry *entry = entries; entry; entry = entry->next) {
        if (!pdict__store_may_park(entry->store))
            return false;
    }
    return true;
}

static void park_all(void)
{
    for (const struct entry *entry = entries; entry; entry = entry->next)
        pdict__maps_park(entry->store);
}

static void inherit_all(bool is_served)
{
    pthread_mutex_init(&lock, NULL);
    for (const struct entry *entry = entries; entry; entry = entry->next) {
        pdict__store_inherit(entry->store, is_served);
        for (struct map *map = entry->store->maps; map; map = map->next)
            pdict__flights_fork_child(&map->flights);
    }
}

static struct fork_hooks fork_hooks = {
    .is_ready = may_park_all,
    .prepare = park_all,
    .child = inherit_all,
};

static void watch_forks(void)
{
    pdict__fork_hook(&fork_hooks);
}

static int add(struct store_wish *wish, struct store **out)
{
    struct entry *entry = pdict__calloc(&wish->allocator, 1, sizeof(*entry));
    int status;

    if (!entry)
        return PDICT_NOMEM;
    if ((status = open_store(wish, &entry->store)) != PDICT_OK) {
        pdict__free(&wish->allocator, entry);
        return status;
    }
    entry->is_file = wish->place->is_file;
    entry->device = wish->place->device;
    entry->inode = wish->place->inode;
    entry->references = 1;
    entry->next = entries;
    entries = entry;
    *out = entry->store;
    return PDICT_OK;
}

static int acquire_locked(struct store_wish *wish, struct store **out)
{
    struct entry *entry;
    int status;

    if ((status = make_file(wish)) != PDICT_OK)
        return status;
    entry = find(wish);
    if (!entry && !wish->place->is_file && !wish->may_create)
        return no_store(wish);
    if (!entry)
        return add(wish, out);
    if ((status = agree(entry->store, wish)) != PDICT_OK)
        return status;
    entry->references++;
    *out = entry->store;
    return PDICT_OK;
}

int pdict__registry_acquire(struct store_wish *wish, struct store **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int status;

    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    status = acquire_locked(wish, out);
    pthread_mutex_unlock(&lock);
    return status;
}

void pdict__registry_release(struct store *store)
{
    struct entry **link, *entry;

    pthread_mutex_lock(&lock);
    for (link = &entries; (*link)->store != store; link = &(*link)->next)
        ;
    entry = *link;
    if (--entry->references == 0) {
        pdict_allocator allocator = store->allocator;

        *link = entry->next;
        pdict__store_free(store);
        pdict__free(&allocator, entry);
    }
    pthread_mutex_unlock(&lock);
}

int pdict__registry_stack(uint64_t device, uint64_t inode, const pdict_allocator *allocator,
                          struct stack *out)
{
    int status = PDICT_OK;

    *out = (struct stack){ 0 };
    pthread_mutex_lock(&lock);
    for (struct entry *entry = entries; entry; entry = entry->next) {
        if (entry->is_file && entry->device == device && entry->inode == inode) {
            status = pdict__stack_parse(entry->store->stack.name, allocator, out);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return status;
}
