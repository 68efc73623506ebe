/* SPDX-License-Identifier: MIT */
/* Structs in a map: a table of fields, nested structs, and a struct that has grown since. */
#include <pdict/object.h>
#include <stdio.h>

struct place {
    char city[32];
    double latitude;
};

struct user {
    const char *name;
    int32_t born;
    struct place home;
    const char *const *papers;
    size_t n_papers;
    int32_t level; /* added later: older records do not have it */
};

static const pdict_field place_fields[] = {
    PDICT_FIELD(struct place, city, PDICT_CHARS),
    PDICT_FIELD(struct place, latitude, PDICT_DOUBLE),
    PDICT_FIELD_END,
};

static const pdict_field user_fields[] = {
    PDICT_FIELD(struct user, name, PDICT_STRING),
    PDICT_FIELD(struct user, born, PDICT_INT32),
    PDICT_FIELD_STRUCT(struct user, home, place_fields),
    PDICT_FIELD_ARRAY(struct user, papers, n_papers, PDICT_STRING),
    PDICT_FIELD(struct user, level, PDICT_INT32),
    PDICT_FIELD_END,
};

static const struct user user_defaults = { .level = 1 };
static const pdict_type user_type = PDICT_TYPE_DEFAULTS(struct user, user_fields, &user_defaults);

static void put_structs(pdict *d)
{
    const char *papers[] = { "Notes on the Analytical Engine" };
    struct user ada = { "Ada", 1815, { "London", 51.5 }, papers, 1, 9 };

    pdict_put_object(d, pdict_str("ada"), &user_type, &ada, NULL);
}

/* What a program of last year has written: the same fields, but for `level`. */
static void put_an_old_record(pdict *d)
{
    pdict_tree *tree;
    pdict_value *user;

    if (pdict_tree_new(NULL, &tree) != PDICT_OK)
        return;
    user = pdict_tree_map(tree);
    pdict_value_set(user, "name", pdict_tree_text(tree, "Charles"));
    pdict_value_set(user, "born", pdict_tree_int(tree, 1791));
    pdict_put_value(d, pdict_str("charles"), user, NULL);
    pdict_tree_free(tree);
}

static int show(pdict *d, const char *key)
{
    const struct user *user;
    pdict_view view;

    if (pdict_get_object(d, pdict_str(key), &user_type, &view) != PDICT_OK)
        return 1;
    user = view.data;
    printf("%s, born %d in '%s', %zu papers, level %d\n", user->name, (int)user->born,
           user->home.city, user->n_papers, (int)user->level);
    pdict_view_release(&view);
    return 0;
}

int main(int argc, char **argv)
{
    const char *uri = argc > 1 ? argv[1] : "sqlite:users.db?codecs=cbor,zstd:3";
    int failed;
    pdict *d;

    if (pdict_open(uri, NULL, &d) != PDICT_OK)
        return fprintf(stderr, "structs: %s\n", pdict_error_text()), 1;
    put_structs(d);
    put_an_old_record(d);
    failed = show(d, "ada") + show(d, "charles");
    if (failed)
        fprintf(stderr, "structs: %s\n", pdict_error_text());
    pdict_close(d);
    return failed != 0;
}
