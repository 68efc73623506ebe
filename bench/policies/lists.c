/* SPDX-License-Identifier: MIT */
/* Doubly linked lists of ids; any number of lists share one pair of arrays. */
#include "policies/policy.h"

#include <stdlib.h>

bool links_make(struct links *links, uint32_t n_ids)
{
    links->next = malloc(((size_t)n_ids + 1) * sizeof *links->next);
    links->prev = malloc(((size_t)n_ids + 1) * sizeof *links->prev);
    return links->next && links->prev;
}

void links_free(struct links *links)
{
    free(links->next);
    free(links->prev);
}

void list_init(struct list *list)
{
    *list = (struct list){ NO_ID, NO_ID, 0 };
}

void list_push(struct links *links, struct list *list, uint32_t id)
{
    links->next[id] = list->head;
    links->prev[id] = NO_ID;
    if (list->head != NO_ID)
        links->prev[list->head] = id;
    else
        list->tail = id;
    list->head = id;
    list->count++;
}

void list_remove(struct links *links, struct list *list, uint32_t id)
{
    uint32_t next = links->next[id];
    uint32_t prev = links->prev[id];

    if (prev != NO_ID)
        links->next[prev] = next;
    else
        list->head = next;
    if (next != NO_ID)
        links->prev[next] = prev;
    else
        list->tail = prev;
    list->count--;
}
