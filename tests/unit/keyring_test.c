/* SPDX-License-Identifier: MIT */
/* The promises of core/value/keyring.c: which secrets open a ring, and what is refused in it. */
#include "value_fixture.h"

#define OTHER_KEY "ffffffffffffffffffffffffffffffff"

static const uint8_t other_map_id[MAP_ID_SIZE] = "another map ...";

/* The text of a new ring, freed at the end of the test, with a terminating zero. */
static char *new_text(const struct secret *secret)
{
    struct keyring *ring = new_ring(test_map_id, secret);
    struct buf out = { .allocator = &test_allocator };
    char *text;

    CHECK_OK(pdict__keyring_encode(ring, &out));
    text = test_alloc(out.size + 1);
    memcpy(text, out.data, out.size);
    text[out.size] = '\0';
    pdict__buf_free(&out);
    pdict__keyring_free(ring);
    return text;
}

static char *new_key_text(void)
{
    struct secret secret = secret_key(TEST_KEY);

    return new_text(&secret);
}

static int open_with(const pdict_codec *codec, const uint8_t *map_id, pdict_slice text,
                     const struct secret *secret)
{
    struct keyring *ring;
    int status = pdict__keyring_open(codec, map_id, text, secret, &test_allocator, &ring);

    CHECK_INT(ring != NULL, status == PDICT_OK);
    pdict__keyring_free(ring);
    CHECK_INT(memory.live, 0);
    return status;
}

static int open_key(pdict_slice text, const char *key)
{
    struct secret secret = secret_key(key);

    return open_with(need_codec("xchacha20"), test_map_id, text, &secret);
}

static int open_text(const char *text)
{
    return open_key(slice_of(text), TEST_KEY);
}

static int open_passphrase(const char *text, const char *passphrase)
{
    struct secret secret = secret_passphrase(passphrase);

    return open_with(need_codec("xchacha20"), test_map_id, slice_of(text), &secret);
}

/* A cipher whose costly derivation is only counted. */
static int derive_calls;

static int counting_derive(const pdict_kdf *kdf, pdict_slice password, void *out, size_t out_size)
{
    (void)kdf;
    derive_calls++;
    return need_codec("xchacha20")->cipher->hash((pdict_slice){ 0 }, password, out, out_size);
}

/* Replace `old` by `new` in the first line that holds it, and make the check of the line right. */
static char *forge(const char *text, const char *old, const char *new)
{
    const pdict_cipher *cipher = need_codec("xchacha20")->cipher;
    char *out = test_alloc(strlen(text) + strlen(new) + 1);
    const char *at = strstr(text, old);
    char *line, *check_at, hex[33];
    uint8_t check[16];

    CHECK(at != NULL);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    line = strstr(out, "slot ");
    check_at = strstr(out, " check=");
    CHECK_OK(cipher->hash((pdict_slice){ 0 }, (pdict_slice){ line, (size_t)(check_at - line) },
                          check, sizeof(check)));
    pdict__hex_encode(check, sizeof(check), hex);
    memcpy(check_at + strlen(" check="), hex, 32);
    return out;
}

/* The text with the hex digit behind `field` changed. */
static char *change_digit(const char *text, const char *field, bool fix_check)
{
    char *copy = test_alloc(strlen(text) + 1), *at;

    strcpy(copy, text);
    at = strstr(copy, field);
    CHECK(at != NULL);
    at += strlen(field);
    *at = *at == '0' ? '1' : '0';
    return fix_check ? forge(copy, "slot ", "slot ") : copy;
}

TEST(keyring, created_ring_opens_with_the_same_key)
{
    struct secret secret = secret_key(TEST_KEY);
    struct keyring *ring = new_ring(test_map_id, &secret), *opened;
    struct buf text = { .allocator = &test_allocator };

    CHECK_OK(pdict__keyring_encode(ring, &text));
    CHECK_OK(pdict__keyring_open(need_codec("xchacha20"), test_map_id, slice_of_buf(&text), &secret,
                                 &test_allocator, &opened));
    CHECK_INT(pdict__keyring_active_epoch(opened), 1);
    CHECK_BYTES(pdict__keyring_data_key(opened, 1), 32, pdict__keyring_data_key(ring, 1), 32);
    CHECK(pdict__keyring_cipher(opened) == need_codec("xchacha20")->cipher);
    pdict__buf_free(&text);
    pdict__keyring_free(ring);
    pdict__keyring_free(opened);
    CHECK_INT(memory.live, 0);
}

TEST(keyring, created_ring_opens_with_the_same_passphrase)
{
    struct secret secret = secret_passphrase("open sesame");
    char *text = new_text(&secret);

    CHECK_OK(open_passphrase(text, "open sesame"));
}

TEST(keyring, key_of_any_size_from_32_bytes_opens)
{
    struct secret secret = { .bytes = slice_of(TEST_KEY TEST_KEY TEST_KEY) };
    char *text = new_text(&secret);

    CHECK_OK(open_key(slice_of(text), TEST_KEY TEST_KEY TEST_KEY));
    CHECK_STATUS(open_key(slice_of(text), TEST_KEY TEST_KEY), PDICT_WRONG_KEY);
}

TEST(keyring, free_takes_null)
{
    pdict__keyring_free(NULL);
}

TEST(keyring, unknown_epoch_has_no_key)
{
    struct secret secret = secret_key(TEST_KEY);
    struct keyring *ring = new_ring(test_map_id, &secret);

    CHECK(pdict__keyring_data_key(ring, 0) == NULL);
    CHECK(pdict__keyring_data_key(ring, 2) == NULL);
    pdict__keyring_free(ring);
}

TEST(keyring, two_rings_of_one_secret_share_nothing)
{
    struct secret secret = secret_key(TEST_KEY);
    struct keyring *a = new_ring(test_map_id, &secret), *b = new_ring(test_map_id, &secret);
    uint8_t mac_a[KEYRING_MAC_SIZE], mac_b[KEYRING_MAC_SIZE];

    CHECK(memcmp(pdict__keyring_data_key(a, 1), pdict__keyring_data_key(b, 1), 32) != 0);
    CHECK_OK(pdict__keyring_mac(a, slice_of("text"), mac_a));
    CHECK_OK(pdict__keyring_mac(b, slice_of("text"), mac_b));
    CHECK(memcmp(mac_a, mac_b, sizeof(mac_a)) != 0);
    pdict__keyring_free(a);
    pdict__keyring_free(b);
}

TEST(keyring, mac_depends_on_every_byte)
{
    struct secret secret = secret_key(TEST_KEY);
    struct keyring *ring = new_ring(test_map_id, &secret);
    uint8_t mac[KEYRING_MAC_SIZE], again[KEYRING_MAC_SIZE], other[KEYRING_MAC_SIZE];

    CHECK_OK(pdict__keyring_mac(ring, slice_of("text"), mac));
    CHECK_OK(pdict__keyring_mac(ring, slice_of("text"), again));
    CHECK_OK(pdict__keyring_mac(ring, slice_of("texu"), other));
    CHECK_BYTES(mac, sizeof(mac), again, sizeof(again));
    CHECK(memcmp(mac, other, sizeof(mac)) != 0);
    pdict__keyring_free(ring);
}

TEST(keyring, text_holds_no_secret)
{
    struct secret secret = secret_passphrase("open sesame");
    struct keyring *ring = new_ring(test_map_id, &secret);
    struct buf text = { .allocator = &test_allocator };
    char hex[65];

    CHECK_OK(pdict__keyring_encode(ring, &text));
    CHECK_OK(pdict__buf_append(&text, "", 1));
    pdict__hex_encode(pdict__keyring_data_key(ring, 1), 32, hex);
    CHECK(strstr((char *)text.data, hex) == NULL);
    CHECK(strstr((char *)text.data, "sesame") == NULL);
    pdict__buf_free(&text);
    pdict__keyring_free(ring);
}

TEST(keyring, encoding_an_opened_ring_gives_the_same_text)
{
    struct secret secret = secret_key(TEST_KEY);
    struct buf again = { .allocator = &test_allocator };
    char *text = new_key_text();
    struct keyring *ring;

    CHECK_OK(pdict__keyring_open(need_codec("xchacha20"), test_map_id, slice_of(text), &secret,
                                 &test_allocator, &ring));
    CHECK_OK(pdict__keyring_encode(ring, &again));
    CHECK_BYTES(again.data, again.size, text, strlen(text));
    pdict__buf_free(&again);
    pdict__keyring_free(ring);
}

TEST(keyring, wrong_secret_is_told_from_damage)
{
    struct secret secret = secret_passphrase("open sesame");
    char *by_passphrase = new_text(&secret), *by_key = new_key_text();

    CHECK_STATUS(open_passphrase(by_passphrase, "open sesam"), PDICT_WRONG_KEY);
    CHECK_STATUS(open_key(slice_of(by_key), OTHER_KEY), PDICT_WRONG_KEY);
    CHECK(!error_mentions(OTHER_KEY));
}

TEST(keyring, other_kind_of_secret_is_named)
{
    struct secret secret = secret_passphrase(TEST_KEY);
    char *by_passphrase = new_text(&secret), *by_key = new_key_text();

    CHECK_STATUS(open_key(slice_of(by_passphrase), TEST_KEY), PDICT_WRONG_KEY);
    CHECK(error_mentions("give its passphrase"));
    CHECK_STATUS(open_passphrase(by_key, TEST_KEY), PDICT_WRONG_KEY);
    CHECK(error_mentions("give its key"));
}

TEST(keyring, no_secret_is_asked_for)
{
    const pdict_codec *codec = need_codec("xchacha20");
    struct secret none = { 0 };
    struct keyring *ring;
    char *text = new_key_text();

    CHECK_STATUS(open_with(codec, test_map_id, slice_of(text), NULL), PDICT_NEED_KEY);
    CHECK(error_mentions("give its key"));
    CHECK_STATUS(open_with(codec, test_map_id, slice_of(text), &none), PDICT_NEED_KEY);
    CHECK_STATUS(
        pdict__keyring_create(codec, test_map_id, NULL, &cheap_kdf, &test_allocator, &ring),
        PDICT_NEED_KEY);
    CHECK(ring == NULL);
}

TEST(keyring, weak_secrets_are_refused)
{
    const pdict_codec *codec = need_codec("xchacha20");
    struct secret short_key = { .bytes = slice_of("31 bytes are one byte too few..") };
    struct secret empty = { .bytes = slice_of(""), .is_passphrase = true };
    struct keyring *ring;
    char *text = new_key_text();

    CHECK_STATUS(
        pdict__keyring_create(codec, test_map_id, &short_key, &cheap_kdf, &test_allocator, &ring),
        PDICT_INVAL);
    CHECK_STATUS(
        pdict__keyring_create(codec, test_map_id, &empty, &cheap_kdf, &test_allocator, &ring),
        PDICT_INVAL);
    CHECK_STATUS(open_with(codec, test_map_id, slice_of(text), &short_key), PDICT_INVAL);
}

TEST(keyring, ring_of_another_map_does_not_open)
{
    const pdict_codec *codec = need_codec("xchacha20");
    struct secret passphrase = secret_passphrase("open sesame"), key = secret_key(TEST_KEY);

    CHECK_STATUS(open_with(codec, other_map_id, slice_of(new_text(&key)), &key), PDICT_WRONG_KEY);
    CHECK_STATUS(open_with(codec, other_map_id, slice_of(new_text(&passphrase)), &passphrase),
                 PDICT_DAMAGED);
}

TEST(keyring, every_flipped_bit_is_refused)
{
    char *text = new_key_text();
    size_t size = strlen(text);

    for (size_t bit = 0; bit < 8 * size; bit++) {
        int status;

        text[bit / 8] ^= (char)(1 << bit % 8);
        status = open_key((pdict_slice){ text, size }, TEST_KEY);
        text[bit / 8] ^= (char)(1 << bit % 8);
        if (status != PDICT_DAMAGED && status != PDICT_NEWER_FORMAT)
            FAIL("bit %zu gives %s", bit, pdict_status_name(status));
    }
    CHECK_OK(open_text(text));
}

TEST(keyring, every_truncation_is_damage)
{
    char *text = new_key_text();

    for (size_t size = 0; size < strlen(text); size++)
        CHECK_STATUS(open_key((pdict_slice){ text, size }, TEST_KEY), PDICT_DAMAGED);
    CHECK_STATUS(open_key((pdict_slice){ 0 }, TEST_KEY), PDICT_DAMAGED);
}

TEST(keyring, anything_behind_the_mac_is_damage)
{
    char *text = new_key_text(), *longer = test_alloc(strlen(text) + 2);

    sprintf(longer, "%s\n", text);
    CHECK_STATUS(open_text(longer), PDICT_DAMAGED);
}

TEST(keyring, later_version_is_a_newer_format)
{
    char *text = new_key_text();

    memcpy(text, "pdict-keyring 2", 15);
    CHECK_STATUS(open_text(text), PDICT_NEWER_FORMAT);
}

TEST(keyring, damaged_slot_is_damage_whatever_the_secret)
{
    char *text = change_digit(new_key_text(), "salt=", false);

    CHECK_STATUS(open_text(text), PDICT_DAMAGED);
    CHECK_STATUS(open_key(slice_of(text), OTHER_KEY), PDICT_DAMAGED);
}

TEST(keyring, forged_slot_with_a_true_check_does_not_open)
{
    char *text = new_key_text();

    CHECK_STATUS(open_text(change_digit(text, "salt=", true)), PDICT_WRONG_KEY);
    CHECK_STATUS(open_text(change_digit(text, "commitment=", true)), PDICT_WRONG_KEY);
    CHECK_STATUS(open_text(change_digit(text, "nonce=", true)), PDICT_DAMAGED);
    CHECK_STATUS(open_text(change_digit(text, "sealed=", true)), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "slot 1", "slot 2")), PDICT_DAMAGED);
}

TEST(keyring, slot_asking_for_too_much_is_refused_before_any_derivation)
{
    pdict_cipher cipher = *need_codec("xchacha20")->cipher;
    pdict_codec codec = *need_codec("xchacha20");
    struct secret secret = secret_passphrase("open sesame");
    char *text = new_text(&secret);

    cipher.derive = counting_derive;
    codec.cipher = &cipher;
    CHECK_STATUS(open_with(&codec, test_map_id,
                           slice_of(forge(text, "memory=8192", "memory=68719476736")), &secret),
                 PDICT_TOO_BIG);
    CHECK_STATUS(open_with(&codec, test_map_id,
                           slice_of(forge(text, "operations=1 ", "operations=17 ")), &secret),
                 PDICT_TOO_BIG);
    CHECK_INT(derive_calls, 0);
    CHECK_STATUS(open_with(&codec, test_map_id,
                           slice_of(forge(text, "operations=1 ", "operations=16 ")), &secret),
                 PDICT_WRONG_KEY);
    CHECK_INT(derive_calls, 1);
}

TEST(keyring, creating_what_could_not_be_opened_is_refused)
{
    pdict_kdf kdf = { .operations = 17, .memory_bytes = 8192 };
    struct secret secret = secret_passphrase("open sesame");
    struct keyring *ring;

    CHECK_STATUS(pdict__keyring_create(need_codec("xchacha20"), test_map_id, &secret, &kdf,
                                       &test_allocator, &ring),
                 PDICT_TOO_BIG);
}

TEST(keyring, second_forms_of_one_text_are_damage)
{
    char *text = new_key_text();

    CHECK_STATUS(open_text(forge(text, "slot 1", "slot 01")), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "slot 1", "slot  1")), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "slot 1", "slot 17")), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "active=1", "active=01")), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "active=1", "active=2")), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "epoch 1", "epoch 65536")), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "active=1\n", "active=1\r\n")), PDICT_DAMAGED);
}

TEST(keyring, lines_twice_or_missing_are_damage)
{
    char *text = new_key_text(), *epoch = strstr(text, "epoch"), *active = strstr(text, "active");
    char line[400];

    sprintf(line, "%.*s", (int)(active - epoch), epoch);
    CHECK_STATUS(open_text(forge(text, line, "")), PDICT_DAMAGED);
    CHECK_STATUS(open_text(forge(text, "active=1\n", "")), PDICT_DAMAGED);
    strcat(line, "active");
    CHECK_STATUS(open_text(forge(text, "active", line)), PDICT_DAMAGED);
    CHECK(error_mentions("out of order"));
}

TEST(keyring, cipher_with_keys_the_ring_cannot_give_is_unsupported)
{
    pdict_cipher cipher = *need_codec("xchacha20")->cipher;
    pdict_codec codec = *need_codec("xchacha20");
    struct secret secret = secret_key(TEST_KEY);
    struct keyring *ring;

    cipher.key_size = 64;
    codec.cipher = &cipher;
    CHECK_STATUS(
        pdict__keyring_create(&codec, test_map_id, &secret, &cheap_kdf, &test_allocator, &ring),
        PDICT_UNSUPPORTED);
    CHECK_INT(memory.live, 0);
}

TEST(keyring, missing_memory_leaves_nothing_behind)
{
    const pdict_codec *codec = need_codec("xchacha20");
    struct secret secret = secret_key(TEST_KEY);
    int status = PDICT_NOMEM;

    for (long nth = 1; status != PDICT_OK; nth++) {
        struct buf text = { .allocator = &test_allocator };
        struct keyring *ring, *opened = NULL;

        memory_fail_at(nth);
        status =
            pdict__keyring_create(codec, test_map_id, &secret, &cheap_kdf, &test_allocator, &ring);
        if (status == PDICT_OK)
            status = pdict__keyring_encode(ring, &text);
        if (status == PDICT_OK)
            status = pdict__keyring_open(codec, test_map_id, slice_of_buf(&text), &secret,
                                         &test_allocator, &opened);
        if (status != PDICT_OK)
            CHECK_STATUS(status, PDICT_NOMEM);
        pdict__buf_free(&text);
        pdict__keyring_free(ring);
        pdict__keyring_free(opened);
        CHECK_INT(memory.live, 0);
    }
}
