/* SPDX-License-Identifier: MIT */
/* What verification says of sealed records without their key: from outside, by their shape. */
#include "upkeep_fixture.h"

#include "map/map.h"
#include "value/value.h"

static pdict *sealed_map(void)
{
    pdict *d = map_open("memory:judged", "main", "raw,xchacha20", true);

    put(d, "k", "a value");
    return d;
}

/* The record of "k", with the header made to say something else, and `cut` bytes less. */
static void forge(pdict *d, void (*change_header)(struct record_header *header), size_t cut)
{
    pdict_change change = { .kind = PDICT_CHANGE_PUT };
    struct record_header header;
    uint8_t record[256];
    void *reader;

    CHECK_OK(pdict__begin(d, &reader));
    CHECK_OK(pdict__row_get(d, reader, pdict_str("k"), &change.row));
    CHECK(change.row.value.size <= sizeof(record));
    memcpy(record, change.row.value.data, change.row.value.size);
    CHECK_OK(pdict__record_header_read(change.row.value, &header));
    pdict__end(d, reader);
    change_header(&header);
    pdict__record_header_write(&header, record);
    change.row.key = pdict_str("k");
    change.row.value = pdict_bytes(record, change.row.value.size - cut);
    CHECK_OK(pdict__change(d, &change, 1, NULL, 0, NULL));
}

static void check_judged(void (*change_header)(struct record_header *header), size_t cut,
                         const char *expected)
{
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    struct findings findings = { .left = 10 };
    pdict *d = sealed_map();
    pdict_store *store;

    forge(d, change_header, cut);
    store = store_open("memory:judged");
    options.finding = note;
    options.finding_ctx = &findings;
    CHECK_OK(pdict_verify(store, &options, &result));
    CHECK_STR(findings.text, expected);
    CHECK_INT(result.findings, *expected != '\0');
    pdict_store_close(store);
    pdict_close(d);
}

static void need_cipher(void)
{
    if (!pdict__codec_find("xchacha20"))
        SKIP("xchacha20 is not in this build");
}

static void leave(struct record_header *header)
{
    (void)header;
}

static void make_plain(struct record_header *header)
{
    header->cipher = 0;
    header->key_epoch = 0;
    header->checksum = CHECKSUM_XXH3;
}

static void make_other_cipher(struct record_header *header)
{
    header->cipher = 77;
}

static void make_other_serializer(struct record_header *header)
{
    header->serializer = 77;
}

static void make_hidden(struct record_header *header)
{
    header->flags |= RECORD_HOLDS_KEY;
}

static void make_larger(struct record_header *header)
{
    header->plain_size++;
}

static void make_too_large(struct record_header *header)
{
    header->plain_size = UINT32_MAX;
}

TEST(judge, a_sealed_record_in_order_is_no_finding)
{
    need_cipher();
    check_judged(leave, 0, "");
}

TEST(judge, a_plain_record_in_a_sealed_map_is_a_downgrade)
{
    need_cipher();
    check_judged(make_plain, 0, "3 PDICT_DOWNGRADE main k\n");
}

TEST(judge, a_record_of_other_settings_than_the_map_is_malformed)
{
    need_cipher();
    check_judged(make_other_cipher, 0, "3 PDICT_FORMAT main k\n");
    check_judged(make_other_serializer, 0, "3 PDICT_FORMAT main k\n");
    check_judged(make_hidden, 0, "3 PDICT_FORMAT main k\n");
}

TEST(judge, a_record_that_cannot_have_its_size_is_found)
{
    need_cipher();
    check_judged(make_larger, 0, "3 PDICT_FORMAT main k\n");
    check_judged(make_too_large, 0, "3 PDICT_TOO_BIG main k\n");
    check_judged(leave, 1, "3 PDICT_FORMAT main k\n");
    check_judged(leave, 20, "3 PDICT_FORMAT main k\n");
}
