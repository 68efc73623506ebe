/* SPDX-License-Identifier: MIT */
/* The maps of a store, in the order of their creation, and what they say about themselves. */
#include "upkeep/anew.h"

/* ---- the list ---- */

int pdict__map_list_add(struct map_list *list, uint32_t number, pdict_slice name)
{
    const pdict_allocator *allocator = list->allocator;
    size_t size = (list->count + 1) * sizeof(*list->maps);
    struct named_map *maps = allocator->reallocate(allocator->ctx, list->maps, size);

    if (!maps)
        return pdict__nomem(size);
    list->maps = maps;
    maps[list->count].number = number;
    maps[list->count].name = pdict__strdup(allocator, name.data, name.size);
    if (!maps[list->count].name)
        return PDICT_NOMEM;
    list->count++;
    return PDICT_OK;
}

static int add_all(struct store *store, void *txn, struct map_list *list)
{
    uint32_t number = 0;
    pdict_slice name;
    int status;

    for (;;) {
        status = store->backend->map_next(store->engine, txn, number, &number, &name);
        if (status == PDICT_OK)
            status = pdict__map_list_add(list, number, name);
        if (status != PDICT_OK)
            return status == PDICT_END ? PDICT_OK : status;
    }
}

static int add_one(struct store *store, void *txn, const char *name, struct map_list *list)
{
    uint32_t number;
    int status = store->backend->map_find(store->engine, txn, pdict_str(name), &number);

    if (status == PDICT_NO_MAP)
        return pdict_fail(PDICT_NO_MAP,
                          "%s has no map '%s'; see which ones there are with `pdict maps`",
                          store->path, name);
    return status == PDICT_OK ? pdict__map_list_add(list, number, pdict_str(name)) : status;
}

int pdict__map_list_read(struct store *store, void *txn, const char *only, struct map_list *out)
{
    int status;

    *out = (struct map_list){ .allocator = &store->allocator };
    status = only ? add_one(store, txn, only, out) : add_all(store, txn, out);
    if (status != PDICT_OK)
        pdict__map_list_free(out);
    return status;
}

void pdict__map_list_free(struct map_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        pdict__free(list->allocator, list->maps[i].name);
    if (list->allocator)
        pdict__free(list->allocator, list->maps);
    *list = (struct map_list){ 0 };
}

/* ---- SYSTEM values ---- */

static const char *const names[MAP_TEXTS] = {
    [TEXT_DESCRIPTOR] = SYSTEM_DESCRIPTOR,     [TEXT_CODECS] = SYSTEM_CODECS,
    [TEXT_KEYRING] = SYSTEM_KEYRING,           [TEXT_KEYRING_COPY] = SYSTEM_KEYRING_COPY,
    [TEXT_DICTIONARIES] = SYSTEM_DICTIONARIES, [TEXT_LIMITS] = SYSTEM_LIMITS,
    [TEXT_LIFETIMES] = SYSTEM_LIFETIMES,       [TEXT_RECODE] = SYSTEM_RECODE,
};

void pdict__map_texts_init(struct map_texts *texts, const pdict_allocator *allocator)
{
    for (size_t i = 0; i < MAP_TEXTS; i++)
        texts->texts[i] = (struct buf){ .allocator = allocator };
}

void pdict__map_texts_free(struct map_texts *texts)
{
    for (size_t i = 0; i < MAP_TEXTS; i++)
        pdict__buf_free(&texts->texts[i]);
}

int pdict__map_texts_read(struct store *store, void *txn, uint32_t map, struct map_texts *out)
{
    pdict_slice value;
    int status;

    for (size_t i = 0; i < MAP_TEXTS; i++) {
        out->texts[i].size = 0;
        status = store->backend->system_get(store->engine, txn, map, pdict_str(names[i]), &value);
        if (status == PDICT_OK)
            status = pdict__buf_append(&out->texts[i], value.data, value.size);
        if (status != PDICT_OK && status != PDICT_NOTFOUND)
            return status;
    }
    return PDICT_OK;
}

int pdict__map_texts_write(struct store *store, void *txn, uint32_t map,
                           const struct map_texts *texts)
{
    int status = PDICT_OK;

    for (size_t i = 0; status == PDICT_OK && i < MAP_TEXTS; i++) {
        pdict_slice text = map_text(texts, (enum map_text)i);

        if (text.size > 0)
            status = store->backend->system_put(store->engine, txn, map, pdict_str(names[i]), text);
    }
    return status;
}

bool pdict__map_texts_equal(const struct map_texts *a, const struct map_texts *b)
{
    for (size_t i = 0; i < MAP_TEXTS; i++) {
        if (!pdict__slice_equal(map_text(a, (enum map_text)i), map_text(b, (enum map_text)i)))
            return false;
    }
    return true;
}

int pdict__map_open_known(struct store *store, const struct named_map *map,
                          const struct map_texts *texts, const struct secret *secret,
                          struct map **out)
{
    struct map_wish wish = { .name = map->name, .has_checksum = -1, .hides_names = -1 };
    struct stored_map stored = {
        .number = map->number,
        .descriptor = texts->texts[TEXT_DESCRIPTOR],
        .codecs = texts->texts[TEXT_CODECS],
        .keyring = texts->texts[TEXT_KEYRING],
        .keyring_copy = texts->texts[TEXT_KEYRING_COPY],
    };
    struct descriptor descriptor;
    int status = pdict__descriptor_decode(map_text(texts, TEXT_DESCRIPTOR), &descriptor);

    if (status != PDICT_OK)
        return status;
    if (pdict__descriptor_cipher(&descriptor))
        wish.secret = *secret;
    return pdict__map_open_stored(store, &wish, &stored, out);
}
