/* SPDX-License-Identifier: MIT */
/* What a map says about itself: written, read without belief, and checked against its last line. */
#include <assert.h>

#include "value/scan.h"
#include "value/value.h"

#define FORMAT_VERSION 1
#define CHECK_DIGITS   16
#define MAC_DIGITS     (2 * KEYRING_MAC_SIZE)

/* Far above any descriptor: a hostile text is refused before it is read. */
#define MAX_TEXT_SIZE 4096

#define NO_CIPHER "none"

static const char hidden_line[] = "names=hidden";
static const char check_name[] = "check=";
static const char mac_name[] = "mac=";
static const char converting_name[] = "converting=";

static int damaged(const char *what)
{
    return pdict_fail(PDICT_DAMAGED,
                      "the descriptor of the map is damaged (%s); restore the store from a backup",
                      what);
}

/* ---- writing ---- */

static int put_body(const struct descriptor *descriptor, struct buf *out)
{
    char id[2 * MAP_ID_SIZE + 1];

    pdict__hex_encode(descriptor->map_id, MAP_ID_SIZE, id);
    return pdict__buf_printf(
        out,
        "pdict-map %d\nid=%s\ncreated_ms=%lld\nserializer=%s\ncipher=%s\nchecksum=%s\n"
        "max_value=%llu\n%s%s",
        FORMAT_VERSION, id, (long long)descriptor->created_ms, descriptor->serializer->name,
        descriptor->cipher ? descriptor->cipher->name : NO_CIPHER,
        descriptor->has_checksum ? "xxh3" : "none", (unsigned long long)descriptor->max_value,
        descriptor->hides_names ? hidden_line : "", descriptor->hides_names ? "\n" : "");
}

static int put_converting(const struct descriptor *descriptor, struct buf *out)
{
    if (!descriptor->is_converting)
        return PDICT_OK;
    return pdict__buf_printf(out, "%s%s,%s\n", converting_name, descriptor->from_serializer->name,
                             descriptor->from_cipher ? descriptor->from_cipher->name : NO_CIPHER);
}

static int put_check(pdict_slice body, struct buf *out)
{
    return pdict__buf_printf(out, "%s%016llx\n", check_name,
                             (unsigned long long)pdict__hash64(body.data, body.size, 0));
}

static int put_mac(pdict_slice body, const struct keyring *ring, struct buf *out)
{
    uint8_t mac[KEYRING_MAC_SIZE];
    char hex[MAC_DIGITS + 1];
    int status = pdict__keyring_mac(ring, body, mac);

    if (status != PDICT_OK)
        return status;
    pdict__hex_encode(mac, sizeof(mac), hex);
    return pdict__buf_printf(out, "%s%s\n", mac_name, hex);
}

/* What decode would refuse is not written. */
static int check_numbers(const struct descriptor *descriptor)
{
    if (descriptor->created_ms < 0)
        return pdict_fail(PDICT_INVAL, "the clock says a time before 1970; set the clock");
    if (descriptor->max_value > UINT32_MAX)
        return pdict_fail(PDICT_TOO_BIG, "max_value=%llu is over %u bytes; choose less",
                          (unsigned long long)descriptor->max_value, UINT32_MAX);
    return PDICT_OK;
}

int pdict__descriptor_encode(const struct descriptor *descriptor, const struct keyring *ring,
                             struct buf *out)
{
    size_t start = out->size;
    pdict_slice body;
    int status;

    assert((ring != NULL) == (pdict__descriptor_cipher(descriptor) != NULL));
    if ((status = check_numbers(descriptor)) != PDICT_OK)
        return status;
    if ((status = put_body(descriptor, out)) != PDICT_OK)
        return status;
    if ((status = put_converting(descriptor, out)) != PDICT_OK)
        return status;
    body = (pdict_slice){ out->data + start, out->size - start };
    return ring ? put_mac(body, ring, out) : put_check(body, out);
}

/* ---- reading ---- */

static int scan_version(struct scan *scan)
{
    uint64_t version;

    if (!scan_literal(scan, "pdict-map ") || !scan_number(scan, UINT32_MAX, &version) ||
        !scan_literal(scan, "\n") || version == 0)
        return damaged("its first line is not that of a descriptor");
    if (version > FORMAT_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "the map has descriptor version %llu, this build reads %d; open it with "
                          "a newer pdict",
                          (unsigned long long)version, FORMAT_VERSION);
    return PDICT_OK;
}

static bool is_known_name(pdict_slice line)
{
    static const char *const names[] = { "id=",      "created_ms=", "serializer=",
                                         "cipher=",  "checksum=",   "max_value=",
                                         check_name, mac_name,      converting_name };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct scan scan = scan_begin(line);

        if (scan_literal(&scan, names[i]))
            return true;
    }
    return false;
}

/* The next line must be the one of this name: another known one is damage, an unknown one comes
 * from a later version and may mean anything. */
static int expect(struct scan *scan, const char *name, struct scan *value)
{
    pdict_slice line;

    if (!scan_line(scan, &line))
        return damaged("it ends early");
    *value = scan_begin(line);
    if (scan_literal(value, name))
        return PDICT_OK;
    if (is_known_name(line) || line.size == 0 || !memchr(line.data, '=', line.size))
        return damaged("its lines are out of order");
    return pdict_fail(PDICT_NEWER_FORMAT,
                      "the descriptor of the map has a line that this build does not know; open "
                      "it with a newer pdict");
}

static int expect_number(struct scan *scan, const char *name, uint64_t max, uint64_t *out)
{
    struct scan value;
    int status = expect(scan, name, &value);

    if (status != PDICT_OK)
        return status;
    if (!scan_number(&value, max, out) || value.left > 0)
        return damaged("a number is malformed");
    return PDICT_OK;
}

static int expect_id(struct scan *scan, uint8_t *out)
{
    struct scan value;
    int status = expect(scan, "id=", &value);

    if (status != PDICT_OK)
        return status;
    if (!scan_hex(&value, out, MAP_ID_SIZE) || value.left > 0)
        return damaged("its id is malformed");
    return PDICT_OK;
}

static int expect_checksum(struct scan *scan, bool *out)
{
    struct scan value;
    int status = expect(scan, "checksum=", &value);

    if (status != PDICT_OK)
        return status;
    *out = scan_literal(&value, "xxh3");
    if ((!*out && !scan_literal(&value, "none")) || value.left > 0)
        return damaged("its checksum is malformed");
    return PDICT_OK;
}

static bool is_word(struct scan word)
{
    for (size_t i = 0; i < word.left; i++) {
        char c = word.at[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
            return false;
    }
    return word.left > 0;
}

static int find_codec(const char *name, int kind, const pdict_codec **out)
{
    const pdict_codec *codec = pdict__codec_find(name);

    if (!codec)
        return pdict_fail(PDICT_UNKNOWN_CODEC,
                          "the map needs the codec '%s', which this build does not have; use a "
                          "build that has it",
                          name);
    if (codec->kind != kind)
        return damaged("a codec is of the wrong kind");
    *out = codec;
    return PDICT_OK;
}

static int codec_of(struct scan value, int kind, const pdict_codec **out)
{
    char name[32];

    if (!is_word(value) || value.left >= sizeof(name))
        return damaged("the name of a codec is malformed");
    memcpy(name, value.at, value.left);
    name[value.left] = '\0';
    *out = NULL;
    if (kind == PDICT_CIPHER && strcmp(name, NO_CIPHER) == 0)
        return PDICT_OK;
    return find_codec(name, kind, out);
}

static int expect_codec(struct scan *scan, const char *line, int kind, const pdict_codec **out)
{
    struct scan value;
    int status = expect(scan, line, &value);

    return status == PDICT_OK ? codec_of(value, kind, out) : status;
}

/* Only a map that hides names has this line. */
static int maybe_hidden(struct scan *scan, struct descriptor *out)
{
    struct scan line = *scan;

    out->hides_names = scan_literal(&line, hidden_line) && scan_literal(&line, "\n");
    if (out->hides_names)
        *scan = line;
    return out->hides_names && !out->cipher ? damaged("it hides names without a cipher") : PDICT_OK;
}

/* Only a map that is being converted has this one. */
static int accept_converting(struct scan *scan, struct descriptor *out)
{
    struct scan ahead = *scan, value;
    const char *comma;
    int status;

    if (!scan_literal(&ahead, converting_name))
        return PDICT_OK;
    if ((status = expect(scan, converting_name, &value)) != PDICT_OK)
        return status;
    if (!(comma = memchr(value.at, ',', value.left)))
        return damaged("what it is converted from is malformed");
    ahead = scan_begin((pdict_slice){ value.at, (size_t)(comma - value.at) });
    if ((status = codec_of(ahead, PDICT_SERIALIZER, &out->from_serializer)) != PDICT_OK)
        return status;
    ahead = scan_begin((pdict_slice){ comma + 1, value.left - (size_t)(comma + 1 - value.at) });
    if ((status = codec_of(ahead, PDICT_CIPHER, &out->from_cipher)) != PDICT_OK)
        return status;
    if (out->cipher && out->from_cipher && out->cipher != out->from_cipher)
        return damaged("it is converted from one cipher to another");
    out->is_converting = true;
    return PDICT_OK;
}

/* The form of the last line only; whether it is true is asked by verify. */
static int expect_last(struct scan *scan, bool is_mac)
{
    uint8_t bytes[KEYRING_MAC_SIZE];
    struct scan value;
    int status = expect(scan, is_mac ? mac_name : check_name, &value);

    if (status != PDICT_OK)
        return status;
    if (!scan_hex(&value, bytes, (is_mac ? MAC_DIGITS : CHECK_DIGITS) / 2) || value.left > 0)
        return damaged("its last line is malformed");
    return scan->left == 0 ? PDICT_OK : damaged("something follows its last line");
}

static int decode_lines(struct scan *scan, struct descriptor *out)
{
    uint64_t created_ms = 0;
    int status;

    if ((status = scan_version(scan)) != PDICT_OK)
        return status;
    if ((status = expect_id(scan, out->map_id)) != PDICT_OK)
        return status;
    if ((status = expect_number(scan, "created_ms=", INT64_MAX, &created_ms)) != PDICT_OK)
        return status;
    out->created_ms = (int64_t)created_ms;
    if ((status = expect_codec(scan, "serializer=", PDICT_SERIALIZER, &out->serializer)) !=
        PDICT_OK)
        return status;
    if ((status = expect_codec(scan, "cipher=", PDICT_CIPHER, &out->cipher)) != PDICT_OK)
        return status;
    if ((status = expect_checksum(scan, &out->has_checksum)) != PDICT_OK)
        return status;
    if ((status = expect_number(scan, "max_value=", UINT32_MAX, &out->max_value)) != PDICT_OK)
        return status;
    if ((status = maybe_hidden(scan, out)) != PDICT_OK)
        return status;
    if ((status = accept_converting(scan, out)) != PDICT_OK)
        return status;
    return expect_last(scan, pdict__descriptor_cipher(out) != NULL);
}

int pdict__descriptor_decode(pdict_slice text, struct descriptor *out)
{
    struct scan scan = scan_begin(text);
    int status;

    *out = (struct descriptor){ 0 };
    status = text.size > MAX_TEXT_SIZE ? damaged("it is too long") : decode_lines(&scan, out);
    if (status != PDICT_OK)
        *out = (struct descriptor){ 0 };
    return status;
}

static bool is_check_true(pdict_slice body, struct scan *last)
{
    uint8_t stored[CHECK_DIGITS / 2];
    uint64_t number = 0;

    if (!scan_literal(last, check_name) || !scan_hex(last, stored, sizeof(stored)))
        return false;
    for (size_t i = 0; i < sizeof(stored); i++)
        number = number << 8 | stored[i];
    return number == pdict__hash64(body.data, body.size, 0);
}

static int verify_mac(pdict_slice body, struct scan *last, const struct keyring *ring)
{
    uint8_t stored[KEYRING_MAC_SIZE], mac[KEYRING_MAC_SIZE];
    int status;

    if (!scan_literal(last, mac_name) || !scan_hex(last, stored, sizeof(stored)))
        return damaged("it has no seal");
    if ((status = pdict__keyring_mac(ring, body, mac)) != PDICT_OK)
        return status;
    return pdict__keyring_cipher(ring)->equal(mac, stored, sizeof(mac))
               ? PDICT_OK
               : damaged("it was changed without the key of the map");
}

int pdict__descriptor_verify(pdict_slice text, const struct keyring *ring)
{
    size_t last_size =
        ring ? strlen(mac_name) + MAC_DIGITS + 1 : strlen(check_name) + CHECK_DIGITS + 1;
    pdict_slice body;
    struct scan last;

    if (text.size < last_size)
        return damaged("it ends early");
    body = (pdict_slice){ text.data, text.size - last_size };
    last = scan_begin((pdict_slice){ (const char *)text.data + body.size, last_size });
    if (ring)
        return verify_mac(body, &last, ring);
    return is_check_true(body, &last) ? PDICT_OK : damaged("it does not match its check");
}
