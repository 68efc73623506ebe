/* SPDX-License-Identifier: MIT */
/* Who wants to hear of removals, and the telling, with no lock held. */
#include "base/calls.h"
#include "store/store.h"

void pdict__listeners_init(struct listeners *listeners)
{
    /* Default mutexes and conditions do not fail to initialise on Linux. */
    pthread_mutex_init(&listeners->lock, NULL);
    pthread_cond_init(&listeners->idle, NULL);
}

void pdict__listeners_destroy(struct listeners *listeners)
{
    pthread_cond_destroy(&listeners->idle);
    pthread_mutex_destroy(&listeners->lock);
}

/* Who was telling is a thread of the parent. */
void pdict__listeners_fork_child(struct listeners *listeners)
{
    pdict__listeners_init(listeners);
    for (struct listener *listener = listeners->first; listener; listener = listener->next)
        listener->running = 0;
}

void pdict__listeners_join(struct listeners *listeners, struct listener *listener)
{
    pthread_mutex_lock(&listeners->lock);
    listener->next = listeners->first;
    listeners->first = listener;
    pthread_mutex_unlock(&listeners->lock);
    atomic_fetch_add(&listeners->count, 1);
}

void pdict__listeners_leave(struct listeners *listeners, struct listener *listener)
{
    struct listener **link = &listeners->first;

    pthread_mutex_lock(&listeners->lock);
    while (listener->running > 0)
        pthread_cond_wait(&listeners->idle, &listeners->lock);
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    pthread_mutex_unlock(&listeners->lock);
    atomic_fetch_sub(&listeners->count, 1);
}

bool pdict__listeners_hear(struct listeners *listeners, uint32_t map)
{
    const struct listener *listener;

    if (atomic_load_explicit(&listeners->count, memory_order_relaxed) == 0)
        return false;
    pthread_mutex_lock(&listeners->lock);
    for (listener = listeners->first; listener && listener->map != map; listener = listener->next)
        ;
    pthread_mutex_unlock(&listeners->lock);
    return listener != NULL;
}

static void tell_one(const struct listener *listener, const struct telling *telling)
{
    const struct removal *removals = (const struct removal *)(const void *)telling->removals.data;
    size_t count = telling->removals.size / sizeof(*removals);
    const uint8_t *key = telling->keys.data;

    for (size_t i = 0; i < count; i++) {
        if (removals[i].map == listener->map)
            listener->fn(listener->ctx, (pdict_slice){ key, removals[i].key_size },
                         removals[i].why);
        if (removals[i].key_size > 0)
            key += removals[i].key_size;
    }
}

void pdict__listeners_tell(struct listeners *listeners, struct telling *telling)
{
    if (telling->removals.size == 0)
        return;
    pthread_mutex_lock(&listeners->lock);
    /* Who is running does not leave the list. */
    for (struct listener *listener = listeners->first; listener; listener = listener->next) {
        listener->running++;
        pthread_mutex_unlock(&listeners->lock);
        pdict__callback_begin();
        tell_one(listener, telling);
        pdict__callback_end();
        pthread_mutex_lock(&listeners->lock);
        listener->running--;
        pthread_cond_broadcast(&listeners->idle);
    }
    pthread_mutex_unlock(&listeners->lock);
    pdict__buf_free(&telling->removals);
    pdict__buf_free(&telling->keys);
}
