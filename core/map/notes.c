/* SPDX-License-Identifier: MIT */
/* Notes of what was used: put into rings, gathered in logs, and searched when somebody asks. */
#include "base/hash.h"
#include "map/access.h"

/* Of an index at first. */
#define SLOTS_FIRST 64

/* ---- notes ---- */

bool pdict__note_append(struct notes *notes, pdict_slice key, int64_t now_ms)
{
    uint64_t head[2] = { (uint64_t)now_ms, key.size };

    if (pdict__buf_reserve(&notes->log, notes->log.size + sizeof(head) + key.size) != PDICT_OK)
        return false;
    memcpy(notes->log.data + notes->log.size, head, sizeof(head));
    pdict__copy(notes->log.data + notes->log.size + sizeof(head), key.data, key.size);
    notes->log.size += sizeof(head) + key.size;
    notes->count++;
    return true;
}

/* ---- rings ---- */

static struct note_ring *ring_of(const struct access_shard *shard)
{
    return atomic_load_explicit(&shard->ring, memory_order_relaxed);
}

bool pdict__note_put(struct access_shard *shard, pdict_slice key, int64_t now_ms)
{
    struct note_ring *ring = ring_of(shard);
    size_t n_put, at;

    if (!ring || key.size > RING_KEY_MOST)
        return false;
    n_put = atomic_load_explicit(&ring->n_put, memory_order_relaxed);
    if (n_put - atomic_load_explicit(&ring->n_taken, memory_order_acquire) == RING_NOTES)
        return false;
    at = n_put % RING_NOTES;
    ring->notes[at].at_ms = now_ms;
    ring->notes[at].key_size = key.size;
    pdict__copy(ring->notes[at].key, key.data, key.size);
    atomic_store_explicit(&ring->n_put, n_put + 1, memory_order_release);
    return true;
}

void pdict__notes_drain(struct access_shard *shard)
{
    struct note_ring *ring = ring_of(shard);
    size_t n_put, n_taken;

    if (!ring)
        return;
    n_put = atomic_load_explicit(&ring->n_put, memory_order_acquire);
    n_taken = atomic_load_explicit(&ring->n_taken, memory_order_relaxed);
    for (; n_taken != n_put; n_taken++) {
        size_t at = n_taken % RING_NOTES;
        pdict_slice key = { ring->notes[at].key, ring->notes[at].key_size };

        if (!pdict__note_append(&shard->notes, key, ring->notes[at].at_ms))
            break;
    }
    atomic_store_explicit(&ring->n_taken, n_taken, memory_order_release);
}

void pdict__note_ring_new(struct access_shard *shard)
{
    const pdict_allocator *allocator = shard->notes.log.allocator;
    struct note_ring *ring;

    if (ring_of(shard))
        return;
    ring = allocator->allocate(allocator->ctx, sizeof(*ring));
    if (!ring)
        return;
    atomic_init(&ring->n_put, 0);
    atomic_init(&ring->n_taken, 0);
    atomic_store_explicit(&shard->ring, ring, memory_order_relaxed);
}

/* ---- asking ---- */

static size_t *slot_for(const struct notes *notes, const uint8_t *secret, pdict_slice key)
{
    size_t mask = notes->n_slots - 1, at = pdict__hash_keyed(secret, key.data, key.size) & mask;
    struct note note;

    for (;; at = (at + 1) & mask) {
        if (notes->index[at] == 0)
            return &notes->index[at];
        pdict__note_read(notes, notes->index[at] - 1, &note);
        if (pdict__slice_equal(note.key, key))
            return &notes->index[at];
    }
}

/* At most half of the slots are in use. */
static bool make_room(struct notes *notes)
{
    size_t n_slots = notes->n_slots ? notes->n_slots : SLOTS_FIRST, *index;

    if (notes->count * 2 <= notes->n_slots)
        return true;
    while (n_slots < notes->count * 2)
        n_slots *= 2;
    index = pdict__calloc(notes->log.allocator, n_slots, sizeof(*index));
    if (!index)
        return false;
    pdict__free(notes->log.allocator, notes->index);
    notes->index = index;
    notes->n_slots = n_slots;
    notes->indexed = 0;
    return true;
}

/* Of several notes of a key the latest counts. */
static void index_rest(struct notes *notes, const uint8_t *secret)
{
    struct note note, known;

    while (notes->indexed < notes->log.size) {
        size_t at = notes->indexed, *slot;

        notes->indexed = pdict__note_read(notes, at, &note);
        slot = slot_for(notes, secret, note.key);
        if (*slot)
            pdict__note_read(notes, *slot - 1, &known);
        if (!*slot || known.at_ms <= note.at_ms)
            *slot = at + 1;
    }
}

static int64_t search_all(const struct notes *notes, pdict_slice key)
{
    struct note note;
    int64_t at_ms = 0;

    for (size_t at = 0; at < notes->log.size;) {
        at = pdict__note_read(notes, at, &note);
        if (note.at_ms > at_ms && pdict__slice_equal(note.key, key))
            at_ms = note.at_ms;
    }
    return at_ms;
}

int64_t pdict__notes_search(struct notes *notes, const uint8_t *secret, pdict_slice key)
{
    struct note note = { 0 };
    const size_t *slot;

    if (notes->count == 0)
        return 0;
    if (!make_room(notes))
        return search_all(notes, key);
    index_rest(notes, secret);
    slot = slot_for(notes, secret, key);
    if (*slot)
        pdict__note_read(notes, *slot - 1, &note);
    return note.at_ms;
}

void pdict__notes_free(struct notes *notes)
{
    const pdict_allocator *allocator = notes->log.allocator;

    pdict__free(allocator, notes->index);
    pdict__buf_free(&notes->log);
    *notes = (struct notes){ .log.allocator = allocator };
}
