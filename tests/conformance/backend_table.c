/* SPDX-License-Identifier: MIT */
/* The vtable itself and what it says of the backend: facts, options, probe. */
#include "conformance.h"

#include <ctype.h>

static void the_table_states_its_size_and_abi(struct subject *t)
{
    const unsigned known =
        PDICT_CAP_FILE | PDICT_CAP_MULTI_PROCESS | PDICT_CAP_SHRINKS | PDICT_CAP_DEAR_SNAPSHOTS;

    CHECK_INT(t->backend->struct_size, sizeof(pdict_backend));
    CHECK_INT(t->backend->abi_version, PDICT_EXT_ABI);
    CHECK_INT(t->backend->capabilities & ~known, 0);
    CHECK(!(t->backend->capabilities & PDICT_CAP_SHRINKS) || t->backend->compact != NULL);
    CHECK(!(t->backend->capabilities & PDICT_CAP_DEAR_SNAPSHOTS) || t->backend->watch != NULL);
    CHECK((t->backend->reader_rest == NULL) == (t->backend->reader_resume == NULL));
}

static void the_name_is_lower_case_letters_and_digits(struct subject *t)
{
    CHECK(t->backend->name != NULL && t->backend->name[0] != '\0');
    for (const char *at = t->backend->name; *at != '\0'; at++)
        CHECK(islower((unsigned char)*at) || isdigit((unsigned char)*at));
}

static void the_summary_is_one_line(struct subject *t)
{
    CHECK(t->backend->summary != NULL && t->backend->summary[0] != '\0');
    CHECK(strchr(t->backend->summary, '\n') == NULL);
}

static void required_members_are_there(struct subject *t)
{
    const pdict_backend *b = t->backend;

    CHECK(b->open && b->close && b->reader_open && b->reader_close && b->reader_begin);
    CHECK(b->reader_end && b->write_begin && b->write_commit && b->write_abort && b->map_find);
    CHECK(b->map_next && b->map_create && b->map_drop && b->map_rename && b->system_get);
    CHECK(b->system_put && b->get && b->apply && b->count && b->scan_open && b->scan_next);
    CHECK(b->scan_close && b->stat);
    CHECK((b->log_bytes == NULL) == (b->checkpoint == NULL));
}

static void check_option(const pdict_option_spec *spec, const pdict_option_value *value)
{
    CHECK(spec->name[0] != '\0');
    CHECK(spec->type >= PDICT_OPTION_FLAG && spec->type <= PDICT_OPTION_TEXT);
    CHECK(spec->help != NULL && spec->help[0] != '\0' && !isupper((unsigned char)spec->help[0]));
    CHECK(spec->help[strlen(spec->help) - 1] != '.' && strchr(spec->help, '\n') == NULL);
    if (spec->type == PDICT_OPTION_CHOICE)
        CHECK(spec->choices != NULL && value->number >= 0);
    if (spec->type == PDICT_OPTION_INT || spec->type == PDICT_OPTION_SIZE ||
        spec->type == PDICT_OPTION_DURATION)
        CHECK(spec->min <= value->number && value->number <= spec->max);
}

static void options_are_described_and_their_defaults_are_legal(struct subject *t)
{
    const pdict_option_spec *options = t->backend->options;

    for (size_t i = 0; options != NULL && options[i].name != NULL; i++) {
        check_option(&options[i], &t->options[i]);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(options[i].name, options[j].name) != 0);
    }
}

static void library_names_the_engine_and_its_version(struct subject *t)
{
    const char *name = t->backend->library();

    CHECK(name != NULL && isalpha((unsigned char)name[0]) && strpbrk(name, "0123456789") != NULL);
}

static void file_in_directory_is_a_plain_file_name(struct subject *t)
{
    const char *name = t->backend->file_in_directory;

    CHECK(name == NULL || (name[0] != '\0' && strchr(name, '/') == NULL));
    CHECK(name == NULL || t->backend->capabilities & PDICT_CAP_FILE);
}

static void stat_fills_what_it_knows(struct subject *t)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    fill_store(t);
    CHECK_OK(t->backend->stat(t->self, &stat));
    CHECK_INT(stat.struct_size, sizeof(stat));
    CHECK(memchr(stat.detail, '\0', sizeof(stat.detail)) != NULL);
    CHECK(stat.log_bytes <= stat.file_bytes);
}

static void stat_counts_the_bytes_of_all_files(struct subject *t)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    fill_store(t);
    CHECK_OK(t->backend->stat(t->self, &stat));
    CHECK(stat.file_bytes >= 100000);
    CHECK(stat.file_bytes >= read_file(t->path).size);
}

static void probe_knows_a_store_of_its_own(struct subject *t)
{
    pdict_slice bytes;

    fill_store(t);
    close_store(t);
    bytes = read_file(t->path);
    CHECK(t->backend->probe(bytes.data, bytes.size < 64 ? bytes.size : 64));
}

static void probe_refuses_what_is_not_its_own(struct subject *t)
{
    CHECK(!t->backend->probe("", 0));
    CHECK(!t->backend->probe("S", 1));
    CHECK(!t->backend->probe(long_bytes(64, 0, 0).data, 64));
    CHECK(!t->backend->probe(long_bytes(64, 'x', 0).data, 64));
    CHECK(!t->backend->probe(long_bytes(64, 0xff, 0xffffffff).data, 64));
}

const struct test_case backend_table_cases[] = {
    CASE(the_table_states_its_size_and_abi, NEED_CLOSED),
    CASE(the_name_is_lower_case_letters_and_digits, NEED_CLOSED),
    CASE(the_summary_is_one_line, NEED_CLOSED),
    CASE(required_members_are_there, NEED_CLOSED),
    CASE(options_are_described_and_their_defaults_are_legal, NEED_CLOSED),
    CASE(library_names_the_engine_and_its_version, NEED_CLOSED | NEED_LIBRARY),
    CASE(file_in_directory_is_a_plain_file_name, NEED_CLOSED),
    CASE(stat_fills_what_it_knows, 0),
    CASE(stat_counts_the_bytes_of_all_files, NEED_FILE),
    CASE(probe_knows_a_store_of_its_own, NEED_PROBE | NEED_FILE),
    CASE(probe_refuses_what_is_not_its_own, NEED_CLOSED | NEED_PROBE),
    { .name = NULL },
};
