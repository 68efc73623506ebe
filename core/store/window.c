/* SPDX-License-Identifier: MIT */
/* Maps pages of shared memory a second time, without a descriptor of their file. */
#include "store/window.h"

#include <sys/mman.h>
#include <unistd.h>

/* Anonymous pages, at an address of the system's choice or in place of what is there. */
static void *map_zeros(void *at, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0);
    void *pages = mmap(at, size, PROT_READ, flags, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static bool make(struct window *window)
{
    if (window->pages)
        return true;
    window->page_size = (size_t)sysconf(_SC_PAGESIZE);
    window->pages = map_zeros(NULL, 2 * window->page_size);
    return window->pages != NULL;
}

/* An old size of 0 asks for a second mapping of shared pages. */
static void *map_again(const struct window *window, uintptr_t page)
{
    void *copy = mremap((void *)page, 0, window->page_size, MREMAP_MAYMOVE); // NOLINT

    return copy == MAP_FAILED ? NULL : copy;
}

/* Put it in the place of the page that is shown there, which is unmapped with it. */
static bool put(const struct window *window, int i, void *copy)
{
    unsigned char *at = window->pages + (size_t)i * window->page_size;

    return mremap(copy, window->page_size, window->page_size, MREMAP_MAYMOVE | MREMAP_FIXED, at) !=
           MAP_FAILED;
}

bool pdict__window_show(struct window *window, const volatile uint64_t *const words[2],
                        const volatile uint64_t *shown[2])
{
    void *copies[2] = { NULL, NULL };
    bool is_shown = make(window);

    for (int i = 0; i < 2 && is_shown; i++) {
        uintptr_t offset = (uintptr_t)words[i] % window->page_size;

        copies[i] = map_again(window, (uintptr_t)words[i] - offset);
        shown[i] = (const volatile uint64_t *)(window->pages + (size_t)i * window->page_size +
                                               offset); // NOLINT
        is_shown = copies[i] != NULL;
    }
    for (int i = 0; i < 2 && is_shown; i++) {
        is_shown = put(window, i, copies[i]);
        copies[i] = is_shown ? NULL : copies[i];
    }
    for (int i = 0; i < 2; i++) {
        if (copies[i])
            munmap(copies[i], window->page_size);
    }
    return is_shown;
}

void pdict__window_blank(struct window *window)
{
    if (window->pages)
        map_zeros(window->pages, 2 * window->page_size);
}

void pdict__window_close(struct window *window)
{
    if (window->pages)
        munmap(window->pages, 2 * window->page_size);
    window->pages = NULL;
}
