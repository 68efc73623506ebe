/* SPDX-License-Identifier: MIT */
/* A growable run of bytes. */
#include <stdio.h>

#include "base/base.h"

/* Growing in place would leave a copy behind. */
static void *move(const struct buf *buf, size_t capacity)
{
    void *data;

    if (!buf->wipe || !buf->data)
        return buf->allocator->reallocate(buf->allocator->ctx, buf->data, capacity);
    data = buf->allocator->allocate(buf->allocator->ctx, capacity);
    if (!data)
        return NULL;
    pdict__copy(data, buf->data, buf->size);
    buf->wipe(buf->data, buf->capacity);
    pdict__free(buf->allocator, buf->data);
    return data;
}

int pdict__buf_reserve(struct buf *buf, size_t size)
{
    size_t capacity = buf->capacity;
    void *data;

    if (size <= capacity)
        return PDICT_OK;
    /* Grow by half, so that appending n bytes one by one stays linear. */
    capacity += capacity / 2;
    if (capacity < size)
        capacity = size;
    data = move(buf, capacity);
    if (!data)
        return pdict__nomem(capacity);
    buf->data = data;
    buf->capacity = capacity;
    return PDICT_OK;
}

int pdict__buf_append(struct buf *buf, const void *data, size_t size)
{
    int status;

    /* An empty buffer may have no memory, and that of a null pointer has no place 0 either. */
    if (size == 0)
        return PDICT_OK;
    if (size > SIZE_MAX - buf->size)
        return pdict__nomem(SIZE_MAX);
    if ((status = pdict__buf_reserve(buf, buf->size + size)) != PDICT_OK)
        return status;
    pdict__copy(buf->data + buf->size, data, size);
    buf->size += size;
    return PDICT_OK;
}

int pdict__buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int status, needed;

    va_start(args, format);
    needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (needed < 0)
        return pdict_fail(PDICT_INVAL, "text cannot be formatted");
    /* One more for the terminating zero, which is not counted in size. */
    if ((status = pdict__buf_reserve(buf, buf->size + (size_t)needed + 1)) != PDICT_OK)
        return status;
    va_start(args, format);
    vsnprintf((char *)buf->data + buf->size, (size_t)needed + 1, format, args);
    va_end(args);
    buf->size += (size_t)needed;
    return PDICT_OK;
}

void pdict__buf_free(struct buf *buf)
{
    if (buf->wipe && buf->data)
        buf->wipe(buf->data, buf->capacity);
    pdict__free(buf->allocator, buf->data);
    buf->data = NULL;
    buf->size = buf->capacity = 0;
}
