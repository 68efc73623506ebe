/* SPDX-License-Identifier: MIT */
/* Operations on the store behind the maps, as calls of the public API. */
#include "print.h"

void print_count(struct printer *p, unsigned map)
{
    fprintf(p->out, "    CHECK_INT(count_of(maps[%u]), %llu);\n", map,
            (unsigned long long)model_count(&p->model, map));
}

static void print_drop(struct printer *p)
{
    fprintf(p->out,
            "    {\n        pdict_store *store = open_store();\n\n"
            "        pdict_close(maps[1]);\n"
            "        CHECK_OK(pdict_store_drop(store, \"%s\"));\n"
            "        open_map(1, \"rwc\");\n"
            "        pdict_store_close(store);\n    }\n",
            model_map_name(&p->model, 1));
    p->model.maps[1] = (struct model_map){ .last_place = 0 };
}

static void print_rename(struct printer *p)
{
    const char *from = model_map_name(&p->model, 1);

    p->model.is_renamed = !p->model.is_renamed;
    fprintf(p->out,
            "    {\n        pdict_store *store = open_store();\n\n"
            "        names[1] = \"%s\";\n"
            "        CHECK_OK(pdict_store_rename(store, \"%s\", names[1]));\n"
            "        pdict_store_close(store);\n    }\n",
            model_map_name(&p->model, 1), from);
}

static void print_compact(struct printer *p)
{
    fputs("    {\n        pdict_store *store = open_store();\n\n"
          "        CHECK_OK(pdict_compact(store, NULL, NULL));\n"
          "        pdict_store_close(store);\n    }\n",
          p->out);
    print_count(p, 0);
    print_count(p, 1);
}

static void print_backup(struct printer *p)
{
    if (!p->setup->is_persistent)
        return;
    fputs("    {\n        pdict_store *store = open_store();\n"
          "        pdict *own[2] = { maps[0], maps[1] };\n\n"
          "        CHECK_OK(pdict_backup(store, test_path(\"copy\"), NULL));\n"
          "        pdict_store_close(store);\n"
          "        file = \"copy\";\n"
          "        open_maps(\"rw\");\n",
          p->out);
    print_count(p, 0);
    print_count(p, 1);
    fputs("        close_maps();\n"
          "        unlink(test_path(\"copy\"));\n"
          "        file = \"store\";\n"
          "        maps[0] = own[0];\n"
          "        maps[1] = own[1];\n    }\n",
          p->out);
}

static void print_sweep(struct printer *p)
{
    fprintf(p->out,
            "    {\n        pdict_store *store = open_store();\n"
            "        uint64_t removed;\n\n"
            "        CHECK_OK(pdict_expire(store, -1, &removed));\n"
            "        CHECK_INT(removed, %llu);\n"
            "        pdict_store_close(store);\n    }\n",
            (unsigned long long)model_sweep(&p->model));
    print_count(p, 0);
    print_count(p, 1);
}

static void print_limit(struct printer *p, const struct op *op)
{
    static const char *const evict[] = { "PDICT_EVICT_FIFO", "PDICT_EVICT_TTL", "PDICT_EVICT_LRU" };

    fprintf(p->out,
            "    {\n        pdict_limits limits = PDICT_LIMITS_INIT;\n"
            "        pdict_store *store = open_store();\n\n"
            "        limits.max_entries = %u;\n"
            "        limits.evict = %s;\n"
            "        CHECK_OK(pdict_limits_set(store, \"%s\", &limits));\n"
            "        pdict_store_close(store);\n    }\n",
            op->count, evict[model_limit_of(op)], model_map_name(&p->model, op->map));
    model_limit(&p->model, op);
    print_count(p, op->map);
}

void print_with_store(struct printer *p, const struct op *op)
{
    switch (op->kind) {
    case OP_DROP:
        print_drop(p);
        break;
    case OP_RENAME:
        print_rename(p);
        break;
    case OP_SWEEP:
        print_sweep(p);
        break;
    case OP_LIMIT:
        print_limit(p, op);
        break;
    case OP_COMPACT:
        print_compact(p);
        break;
    default:
        print_backup(p);
    }
}
