/* SPDX-License-Identifier: MIT */
/* Spans of equal pieces, cut from chunks that the system may back with huge pages. */
#include "map/slab.h"

#include <sys/mman.h>

#define SPAN_SIZE ((size_t)16 << 10)
#define SPANS     (CHUNK_SIZE / SPAN_SIZE)

/* So many chunks are had in small pages first, so that a small cache stays small. */
#define SMALL_CHUNKS 8

/* Header and rounding of a usual malloc. */
#define PLAIN_OVERHEAD 16

struct piece {
    struct piece *next;
};

struct span {
    struct piece *free;
    struct span *next, *previous; /* among the partial ones of its class, or the unused */
    uint32_t size;                /* of a piece; 0: unused */
    uint16_t used;
    uint16_t cut; /* pieces that were ever handed out since a class has it */
};

/* Lies in the first span of its 2 MiB, which are aligned to their size. */
struct chunk {
    struct chunk *next, *previous;
    size_t used; /* spans */
    struct span spans[SPANS];
};

_Static_assert(sizeof(struct chunk) <= SPAN_SIZE, "the header of a chunk takes its first span");

/* Steps of 8 bytes up to 1 KiB, then 16 steps to the next power of two. */
static size_t class_of(size_t size, size_t *rounded)
{
    size_t step = 8, base = 0, limit = 1024, class = 0;

    if (size <= 1024) {
        *rounded = size > 8 ? (size + 7) & ~(size_t)7 : 8;
        return *rounded / 8 - 1;
    }
    for (class = 128, base = 1024, step = 64, limit = 2048; size > limit; class += 16) {
        base = limit;
        limit *= 2;
        step *= 2;
    }
    *rounded = base + (size - base + step - 1) / step * step;
    return class + (*rounded - base) / step - 1;
}

static bool is_large(const struct slab *slab, size_t size)
{
    return slab->is_plain || size > SLAB_MOST;
}

size_t pdict__slab_charge(const struct slab *slab, size_t size)
{
    size_t rounded;

    if (is_large(slab, size))
        return size + PLAIN_OVERHEAD;
    class_of(size, &rounded);
    return rounded;
}

/* ---- spans ---- */

static void push(struct span **list, struct span *span)
{
    span->previous = NULL;
    span->next = *list;
    if (*list)
        (*list)->previous = span;
    *list = span;
}

static void take_out(struct span **list, struct span *span)
{
    if (span->previous)
        span->previous->next = span->next;
    else
        *list = span->next;
    if (span->next)
        span->next->previous = span->previous;
}

static struct chunk *chunk_of(const void *piece)
{
    return (struct chunk *)((uintptr_t)piece & ~(uintptr_t)(CHUNK_SIZE - 1));
}

static struct span *span_of(const void *piece)
{
    struct chunk *chunk = chunk_of(piece);

    return &chunk->spans[((uintptr_t)piece - (uintptr_t)chunk) / SPAN_SIZE];
}

static char *memory_of(const struct span *span)
{
    struct chunk *chunk = chunk_of(span);

    return (char *)chunk + (size_t)(span - chunk->spans) * SPAN_SIZE;
}

/* ---- chunks ---- */

/* Twice the size, and what is not aligned given back. */
void *pdict__chunk_map(void)
{
    char *memory =
        mmap(NULL, 2 * CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (memory == MAP_FAILED)
        return NULL;
    before = -(uintptr_t)memory & (CHUNK_SIZE - 1);
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + CHUNK_SIZE, CHUNK_SIZE - before);
    return memory + before;
}

static bool add_chunk(struct slab *slab)
{
    struct chunk *chunk = pdict__chunk_map();

    if (!chunk)
        return false;
    if (slab->n_chunks >= SMALL_CHUNKS)
        madvise(chunk, CHUNK_SIZE, MADV_HUGEPAGE);
    chunk->next = slab->chunks;
    if (slab->chunks)
        slab->chunks->previous = chunk;
    slab->chunks = chunk;
    slab->n_chunks++;
    for (size_t i = SPANS - 1; i > 0; i--)
        push(&slab->unused, &chunk->spans[i]);
    return true;
}

static void drop_chunk(struct slab *slab, struct chunk *chunk)
{
    for (size_t i = 1; i < SPANS; i++)
        take_out(&slab->unused, &chunk->spans[i]);
    if (chunk->previous)
        chunk->previous->next = chunk->next;
    else
        slab->chunks = chunk->next;
    if (chunk->next)
        chunk->next->previous = chunk->previous;
    slab->n_chunks--;
    munmap(chunk, CHUNK_SIZE);
}

/* ---- pieces ---- */

static struct span *new_span(struct slab *slab, size_t class, size_t size)
{
    struct span *span;

    if (!slab->unused && !add_chunk(slab))
        return NULL;
    span = slab->unused;
    take_out(&slab->unused, span);
    span->size = (uint32_t)size;
    span->free = NULL;
    span->used = span->cut = 0;
    push(&slab->partial[class], span);
    chunk_of(span)->used++;
    atomic_fetch_add_explicit(&slab->held, SPAN_SIZE, memory_order_relaxed);
    return span;
}

static bool is_full(const struct span *span)
{
    return !span->free && (size_t)(span->cut + 1) * span->size > SPAN_SIZE;
}

static void *take_small(struct slab *slab, size_t size)
{
    size_t rounded, class = class_of(size, &rounded);
    struct span *span = slab->partial[class];
    void *piece;

    if (!span && !(span = new_span(slab, class, rounded)))
        return NULL;
    piece = span->free;
    if (piece)
        span->free = span->free->next;
    else
        piece = memory_of(span) + (size_t)span->cut++ * rounded;
    span->used++;
    if (is_full(span))
        take_out(&slab->partial[class], span);
    return piece;
}

static void give_small(struct slab *slab, void *piece, size_t size)
{
    size_t rounded, class = class_of(size, &rounded);
    struct span *span = span_of(piece);
    struct chunk *chunk = chunk_of(piece);
    bool was_full = is_full(span);

    ((struct piece *)piece)->next = span->free;
    span->free = piece;
    if (was_full)
        push(&slab->partial[class], span);
    if (--span->used > 0)
        return;
    take_out(&slab->partial[class], span);
    span->size = 0;
    push(&slab->unused, span);
    atomic_fetch_sub_explicit(&slab->held, SPAN_SIZE, memory_order_relaxed);
    /* The last one stays for what comes next. */
    if (--chunk->used == 0 && slab->n_chunks > 1)
        drop_chunk(slab, chunk);
}

void *pdict__slab_take(struct slab *slab, size_t size)
{
    void *piece;

    if (is_large(slab, size)) {
        piece = slab->allocator->allocate(slab->allocator->ctx, size);
        if (piece)
            atomic_fetch_add_explicit(&slab->held, size + PLAIN_OVERHEAD, memory_order_relaxed);
        return piece;
    }
    pthread_mutex_lock(&slab->lock);
    piece = take_small(slab, size);
    pthread_mutex_unlock(&slab->lock);
    return piece;
}

void pdict__slab_give(struct slab *slab, void *piece, size_t size)
{
    if (is_large(slab, size)) {
        atomic_fetch_sub_explicit(&slab->held, size + PLAIN_OVERHEAD, memory_order_relaxed);
        pdict__free(slab->allocator, piece);
        return;
    }
    pthread_mutex_lock(&slab->lock);
    give_small(slab, piece, size);
    pthread_mutex_unlock(&slab->lock);
}

/* ---- the whole ---- */

/* Where AddressSanitizer looks, every piece is one that it knows. */
#if defined(__SANITIZE_ADDRESS__)
#define ALWAYS_PLAIN true
#else
#define ALWAYS_PLAIN false
#endif

void pdict__slab_init(struct slab *slab, const pdict_allocator *allocator)
{
    memset(slab, 0, sizeof(*slab));
    pthread_mutex_init(&slab->lock, NULL);
    slab->allocator = allocator;
    slab->is_plain = ALWAYS_PLAIN || !pdict__allocator_is_system(allocator);
}

void pdict__slab_destroy(struct slab *slab)
{
    struct chunk *chunk;

    while ((chunk = slab->chunks)) {
        slab->chunks = chunk->next;
        munmap(chunk, CHUNK_SIZE);
    }
    pthread_mutex_destroy(&slab->lock);
}
