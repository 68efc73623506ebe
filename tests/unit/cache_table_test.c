/* SPDX-License-Identifier: MIT */
/* The table of a cache by itself: finding, replacing, evicting, freeing what readers let go. */
#include <pdict/pdict.h>

#include "map/cache.h"
#include "map/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static const volatile uint64_t word;
static struct coherence coherence;
static pdict_allocator allocator;

static struct cache *new_cache(size_t budget)
{
    static const struct clock clock = { pdict__system_now_ms, NULL };
    static uint8_t secret[HASH_SECRET_SIZE];
    struct cache_config config = { .allocator = &allocator,
                                   .coherence = &coherence,
                                   .clock = &clock,
                                   .secret = secret,
                                   .budget = budget };
    struct cache *cache;

    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)(i * 151 + i * i * 37 + (i >> 3) * 91);
    coherence.words[0] = coherence.words[1] = &word;
    CHECK_OK(pdict__allocator_choose(&allocator, &allocator));
    CHECK_OK(pdict__cache_new(&config, &cache));
    return cache;
}

static pdict_slice key_of(int i)
{
    static _Thread_local char text[24];

    return pdict_bytes(text, (size_t)snprintf(text, sizeof(text), "key %d", i));
}

static bool insert(struct cache *cache, pdict_slice key, const void *value, size_t size)
{
    struct entry_plan plan = { .key = key, .value = { value, size }, .version = 7 };
    struct entry *entry = pdict__entry_new(cache, &plan);

    if (!entry)
        return false;
    pdict__entry_stamp(entry, 1, 1);
    if (pdict__cache_insert(cache, pdict__cache_hash(cache, key), entry, NULL))
        return true;
    pdict__entry_free(cache, entry);
    return false;
}

static const struct entry *find(struct cache *cache, pdict_slice key, hazard_slot **slot)
{
    *slot = pdict__hazard_take();
    CHECK(*slot != NULL);
    return pdict__cache_find(cache, pdict__cache_hash(cache, key), key, *slot);
}

static bool is_there(struct cache *cache, pdict_slice key)
{
    hazard_slot *slot;
    bool is_found = find(cache, key, &slot) != NULL;

    pdict__hazard_release(slot);
    return is_found;
}

TEST(cache_table, what_was_inserted_is_found_with_its_bytes)
{
    struct cache *cache = new_cache((size_t)64 << 20);
    const struct entry *entry;
    hazard_slot *slot;
    char value[300];

    for (int i = 0; i < 20000; i++) {
        memset(value, i, sizeof(value));
        CHECK(insert(cache, key_of(i), value, (size_t)i % sizeof(value)));
    }
    for (int i = 0; i < 20000; i++) {
        memset(value, i, sizeof(value));
        entry = find(cache, key_of(i), &slot);
        CHECK(entry != NULL);
        CHECK_BYTES(entry_value(entry), entry->value_size, value, (size_t)i % sizeof(value));
        CHECK_INT((uintptr_t)entry_value(entry) % 8, 0);
        pdict__hazard_release(slot);
    }
    CHECK(!is_there(cache, pdict_str("another")));
    CHECK_INT(cache->entries, 20000);
    pdict__cache_free(cache);
}

TEST(cache_table, keys_of_every_length_are_told_apart)
{
    struct cache *cache = new_cache((size_t)64 << 20);
    char key[300];

    memset(key, 'k', sizeof(key));
    for (size_t size = 0; size < sizeof(key); size++)
        CHECK(insert(cache, pdict_bytes(key, size), &size, sizeof(size)));
    for (size_t size = 0; size < sizeof(key); size++) {
        hazard_slot *slot;
        const struct entry *entry = find(cache, pdict_bytes(key, size), &slot);

        CHECK(entry != NULL);
        CHECK_BYTES(entry_value(entry), entry->value_size, &size, sizeof(size));
        pdict__hazard_release(slot);
        if (size > 0) {
            key[size / 2] = 'x';
            CHECK(!is_there(cache, pdict_bytes(key, size)));
            key[size / 2] = 'k';
        }
    }
    pdict__cache_free(cache);
}

TEST(cache_table, a_key_put_again_has_its_new_value_and_one_entry)
{
    struct cache *cache = new_cache((size_t)1 << 20);
    hazard_slot *slot;

    for (int i = 0; i < 5000; i++)
        CHECK(insert(cache, pdict_str("k"), &i, sizeof(i)));
    CHECK_INT(cache->entries, 1);
    CHECK_INT(*(const int *)entry_value(find(cache, pdict_str("k"), &slot)), 4999);
    pdict__hazard_release(slot);
    pdict__cache_free(cache);
}

TEST(cache_table, bytes_never_exceed_the_budget_and_what_is_used_stays)
{
    struct cache *cache = new_cache((size_t)1 << 20);
    char value[200] = { 0 };

    for (int i = 0; i < 100000; i++) {
        hazard_slot *slot;
        const struct entry *entry;

        CHECK(insert(cache, key_of(i), value, sizeof(value)));
        CHECK(cache->bytes <= (size_t)1 << 20);
        entry = find(cache, key_of(3), &slot);
        if (i >= 3) {
            CHECK(entry != NULL);
            ((struct entry *)entry)->visited = 1;
        }
        pdict__hazard_release(slot);
    }
    CHECK(cache->entries > 3000);
    CHECK(cache->evictions > 90000);
    pdict__cache_free(cache);
}

/* How many of `count` keys from `first` on are there. */
static int count_of_those(struct cache *cache, int first, int count)
{
    int there = 0;

    for (int i = first; i < first + count; i++)
        there += is_there(cache, key_of(i));
    return there;
}

static void insert_those(struct cache *cache, int first, int count)
{
    for (int i = first; i < first + count; i++)
        CHECK(insert(cache, key_of(i), "value", 5));
}

TEST(cache_table, what_comes_back_soon_outlives_what_is_new)
{
    enum {
        SOME = 300,
        NEW = 1000000
    };
    struct cache *cache = new_cache((size_t)1 << 20);
    int room;

    insert_those(cache, NEW, 100000);
    room = (int)cache->entries;
    CHECK(room > 10 * SOME);
    /* Out of the cache, as the last that went; and in again, beside as many new ones. */
    insert_those(cache, 0, SOME);
    insert_those(cache, 2 * NEW, room + room / 5);
    CHECK(count_of_those(cache, 0, SOME) < SOME / 4);
    insert_those(cache, 0, SOME);
    insert_those(cache, SOME, SOME);
    insert_those(cache, 3 * NEW, room + room / 5);
    CHECK(count_of_those(cache, 0, SOME) > 3 * count_of_those(cache, SOME, SOME));
    pdict__cache_free(cache);
}

TEST(cache_table, memory_stays_near_the_budget_when_sizes_change)
{
    size_t budget = (size_t)8 << 20;
    struct cache *cache = new_cache(budget);
    static char value[4096];

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 20000; i++)
            insert(cache, key_of(round * 20000 + i), value, (size_t)(round * 200 + i % 100));
        CHECK(cache->bytes <= budget);
        CHECK(cache->slab.held <= budget + budget / 2 + ((size_t)4 << 20));
    }
    pdict__cache_free(cache);
}

TEST(cache_table, an_entry_larger_than_its_shard_takes_room_from_the_others)
{
    struct cache *cache = new_cache((size_t)4 << 20);
    char *large = test_alloc((size_t)400 << 10);

    memset(large, 1, (size_t)400 << 10);
    for (int i = 0; i < 30000; i++)
        insert(cache, key_of(i), large, 100);
    CHECK(insert(cache, pdict_str("large"), large, (size_t)400 << 10));
    CHECK(is_there(cache, pdict_str("large")));
    CHECK(cache->bytes <= (size_t)4 << 20);
    CHECK(!insert(cache, pdict_str("too large"), large, ((size_t)4 << 20) / 8));
    pdict__cache_free(cache);
}

TEST(cache_table, a_pinned_entry_stays_while_it_is_replaced_and_evicted)
{
    struct cache *cache = new_cache((size_t)1 << 20);
    const struct entry *entry;
    hazard_slot *slot;
    char value[64];

    memset(value, 'a', sizeof(value));
    CHECK(insert(cache, pdict_str("k"), value, sizeof(value)));
    entry = find(cache, pdict_str("k"), &slot);
    CHECK(entry != NULL);
    for (int i = 0; i < 100000; i++)
        insert(cache, i % 2 ? pdict_str("k") : key_of(i), "bbbb", 4);
    CHECK_BYTES(entry_value(entry), entry->value_size, value, sizeof(value));
    pdict__cache_clear(cache);
    CHECK_INT(cache->entries, 0);
    CHECK_INT(cache->n_retired, 1);
    CHECK_BYTES(entry_value(entry), entry->value_size, value, sizeof(value));
    pdict__hazard_release(slot);
    pdict__cache_clear(cache);
    CHECK_INT(cache->n_retired, 0);
    pdict__cache_free(cache);
}

TEST(cache_table, a_cache_freed_under_a_pin_goes_when_the_pin_does)
{
    struct cache *cache = new_cache((size_t)1 << 20);
    const struct entry *entry;
    hazard_slot *slot;

    CHECK(insert(cache, pdict_str("k"), "value", 5));
    entry = find(cache, pdict_str("k"), &slot);
    pdict__cache_free(cache);
    CHECK(pdict__cache_has_orphans);
    CHECK_BYTES(entry_value(entry), entry->value_size, "value", 5);
    pdict__hazard_release(slot);
    pdict__cache_reap();
    CHECK(!pdict__cache_has_orphans);
}

TEST(cache_table, a_void_ticket_keeps_an_entry_out)
{
    struct cache *cache = new_cache((size_t)1 << 20);
    struct ticket ticket = { .gen = 0, .floor = 1 };
    struct entry_plan plan = { .key = pdict_str("k") };
    struct entry *entry = pdict__entry_new(cache, &plan);
    uint64_t hash = pdict__cache_hash(cache, plan.key);

    ticket.gen = 2;
    CHECK(!pdict__cache_insert(cache, hash, entry, &ticket));
    ticket.gen = 0;
    ticket.token[1] = 5;
    CHECK(!pdict__cache_insert(cache, hash, entry, &ticket));
    ticket.token[1] = 0;
    CHECK(pdict__cache_insert(cache, hash, entry, &ticket));
    pdict__cache_doubt(cache, hash);
    CHECK_INT((uint16_t)entry->stamp, FLOOR_NEVER);
    pdict__cache_confirm(cache, hash, entry, &ticket);
    CHECK_INT((uint16_t)entry->stamp, 1);
    pdict__cache_free(cache);
}

TEST(cache_table, an_entry_takes_at_most_56_bytes_beside_key_and_value)
{
    struct cache *cache = new_cache((size_t)1 << 30);
    char value[128] = { 0 }, key[21];
    int count = TEST_IS_SLOW ? 100000 : 200000;
    bool is_plain = cache->slab.is_plain;

    if (is_plain)
        pdict__cache_free(cache);
    if (is_plain)
        SKIP("every entry is an allocation of its own here");
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "%020d", i);
        CHECK(insert(cache, pdict_str(key), value, sizeof(value)));
    }
    CHECK(cache->bytes / (size_t)count - sizeof(value) - 20 <= 56);
    pdict__cache_free(cache);
}

/* ---- threads ---- */

enum {
    STRESS_KEYS = 4,
    STRESS_VALUE = 64,
    FAR_SIZE = 1 << 26
};

struct stress {
    pdict *d;
    atomic_bool stop;
    atomic_size_t reads, bad;
};

static const char stress_keys[STRESS_KEYS][21] = { "a key of twenty byte", "b key of twenty byte",
                                                   "c key of twenty byte", "d key of twenty byte" };

/* Every value is one byte repeated, and never 0, which is what freed memory is overwritten with. */
static bool is_whole(const pdict_view *view)
{
    const uint8_t *value = view->data;

    for (size_t i = 1; i < view->size; i++) {
        if (value[i] != value[0])
            return false;
    }
    return view->size == STRESS_VALUE && value[0] != 0;
}

/* Stores that miss the caches: what is stored next waits behind them, and other processors see it
 * microseconds late. That is what the barrier is for. */
static void hold_up_stores(volatile uint8_t *far, uint64_t *random)
{
    for (int i = 0; i < 40; i++) {
        *random = *random * 6364136223846793005U + 1442695040888963407U;
        far[*random >> 33 & (FAR_SIZE - 1)] = 1;
    }
}

static void *read_keys(void *ctx)
{
    struct stress *stress = ctx;
    uint8_t *far = test_alloc(FAR_SIZE);
    uint64_t random = (uintptr_t)&random;

    for (unsigned i = 0; !atomic_load_explicit(&stress->stop, memory_order_relaxed); i++) {
        pdict_view view;

        hold_up_stores(far, &random);
        CHECK_OK(pdict_get(stress->d, pdict_bytes(stress_keys[i % STRESS_KEYS], 20), &view));
        /* Long enough for somebody to free it. */
        for (volatile int pause = 0; pause < 1000; pause++)
            ;
        if (!is_whole(&view))
            atomic_fetch_add(&stress->bad, 1);
        pdict_view_release(&view);
        if (i % 1024 == 0)
            atomic_fetch_add(&stress->reads, 1);
    }
    return NULL;
}

/* Around the map: a commit would move the token long before the entry goes, and so protect it. */
static void change_keys(struct stress *stress, int rounds)
{
    uint8_t value[STRESS_VALUE];

    for (int i = 0; i < rounds; i++) {
        memset(value, i % 255 + 1, sizeof(value));
        CHECK(insert(stress->d->cache, pdict_bytes(stress_keys[i % STRESS_KEYS], 20), value,
                     sizeof(value)));
    }
}

/* With the barrier taken out this fails nearly always, on two processors or more. */
TEST(cache_table, readers_never_see_an_entry_that_was_freed)
{
    struct stress stress = { .d = NULL };
    pthread_t threads[2];
    struct cache *cache;

    CHECK_OK(pdict_open("memory:stress?checksum=off", NULL, &stress.d));
    cache = stress.d->cache;
    /* Freed at once, and overwritten: a late reader sees it. */
    cache->wipes = true;
    cache->reclaim_at = cache->reclaim_batch = 1;
    change_keys(&stress, STRESS_KEYS);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, read_keys, &stress) == 0);
    change_keys(&stress, TEST_IS_SLOW ? 5000 : 2000000);
    while (!atomic_load(&stress.reads))
        ;
    atomic_store(&stress.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(stress.bad, 0);
    pdict_close(stress.d);
}
