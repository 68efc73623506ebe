/* SPDX-License-Identifier: MIT */
/* The keyring as text: its lines written, and read back in that one form. */
#include <assert.h>
#include <stdio.h>

#include "value/keyring.h"
#include "value/scan.h"

#define FORMAT_VERSION 1
#define CHECK_SIZE     16

int pdict__keyring_damaged(const char *what)
{
    return pdict_fail(PDICT_DAMAGED,
                      "the keyring of the map is damaged (%s); restore the store from a backup",
                      what);
}

/* ---- writing ---- */

static int put_hex(struct buf *out, const char *name, const void *data, size_t size)
{
    char hex[2 * sizeof(((struct wrapped *)0)->sealed) + 1];

    assert(2 * size < sizeof(hex));
    pdict__hex_encode(data, size, hex);
    return pdict__buf_printf(out, " %s=%s", name, hex);
}

void pdict__slot_head(struct slot *slot)
{
    char salt[2 * sizeof(slot->kdf.salt) + 1], commitment[2 * COMMITMENT_SIZE + 1], costs[80] = "";

    pdict__hex_encode(slot->kdf.salt, sizeof(slot->kdf.salt), salt);
    pdict__hex_encode(slot->commitment, COMMITMENT_SIZE, commitment);
    if (slot->is_passphrase)
        snprintf(costs, sizeof(costs), " operations=%llu memory=%llu",
                 (unsigned long long)slot->kdf.operations,
                 (unsigned long long)slot->kdf.memory_bytes);
    snprintf(slot->master.head, sizeof(slot->master.head), "slot %u %s%s salt=%s commitment=%s",
             slot->number, slot->is_passphrase ? "passphrase" : "key", costs, salt, commitment);
}

void pdict__epoch_head(struct epoch *epoch)
{
    snprintf(epoch->key.head, sizeof(epoch->key.head), "epoch %u", epoch->number);
}

static int put_wrapped(const struct keyring *ring, const struct wrapped *key, size_t key_size,
                       struct buf *out)
{
    int status = pdict__buf_printf(out, "%s", key->head);

    if (status == PDICT_OK)
        status = put_hex(out, "nonce", key->nonce, ring->cipher->nonce_size);
    if (status == PDICT_OK)
        status = put_hex(out, "sealed", key->sealed, key_size + ring->cipher->tag_size);
    return status;
}

/* Without a key, so that a damaged slot is told from a wrong passphrase. */
static int slot_check(const struct keyring *ring, pdict_slice line, uint8_t *check)
{
    return ring->cipher->hash((pdict_slice){ 0 }, line, check, CHECK_SIZE);
}

static int put_slot(const struct keyring *ring, const struct slot *slot, struct buf *out)
{
    uint8_t check[CHECK_SIZE];
    size_t start = out->size;
    int status;

    if ((status = put_wrapped(ring, &slot->master, MASTER_KEY_SIZE, out)) != PDICT_OK)
        return status;
    status = slot_check(ring, (pdict_slice){ out->data + start, out->size - start }, check);
    if (status == PDICT_OK)
        status = put_hex(out, "check", check, sizeof(check));
    return status == PDICT_OK ? pdict__buf_append(out, "\n", 1) : status;
}

static int put_epoch(const struct keyring *ring, const struct epoch *epoch, struct buf *out)
{
    int status = put_wrapped(ring, &epoch->key, ring->cipher->key_size, out);

    return status == PDICT_OK ? pdict__buf_append(out, "\n", 1) : status;
}

int pdict__keyring_print(const struct keyring *ring, struct buf *out)
{
    int status = pdict__buf_printf(out, "pdict-keyring %d\n", FORMAT_VERSION);

    for (size_t i = 0; i < ring->slot_count && status == PDICT_OK; i++)
        status = put_slot(ring, &ring->slots[i], out);
    for (size_t i = 0; i < ring->epoch_count && status == PDICT_OK; i++)
        status = put_epoch(ring, &ring->epochs[i], out);
    return status == PDICT_OK ? pdict__buf_printf(out, "active=%u\n", ring->active_epoch) : status;
}

/* ---- reading ---- */

static int scan_version(struct scan *scan)
{
    uint64_t version;

    if (!scan_literal(scan, "pdict-keyring ") || !scan_number(scan, UINT32_MAX, &version) ||
        !scan_literal(scan, "\n") || version == 0)
        return pdict__keyring_damaged("its first line is not that of a keyring");
    if (version > FORMAT_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "the map has keyring version %llu, this build reads %d; open it with a "
                          "newer pdict",
                          (unsigned long long)version, FORMAT_VERSION);
    return PDICT_OK;
}

static bool scan_field(struct scan *scan, const char *name, void *out, size_t size)
{
    return scan_literal(scan, " ") && scan_literal(scan, name) && scan_literal(scan, "=") &&
           scan_hex(scan, out, size);
}

/* `head_size` bytes of the line are taken; the sealed key follows. */
static bool scan_wrapped(const struct keyring *ring, struct scan *scan, size_t head_size,
                         size_t key_size, struct wrapped *out)
{
    if (head_size > MAX_HEAD_SIZE)
        return false;
    memcpy(out->head, scan->at - head_size, head_size);
    out->head[head_size] = '\0';
    return scan_field(scan, "nonce", out->nonce, ring->cipher->nonce_size) &&
           scan_field(scan, "sealed", out->sealed, key_size + ring->cipher->tag_size);
}

static bool scan_kind(struct scan *scan, struct slot *slot)
{
    slot->is_passphrase = scan_literal(scan, " passphrase");
    if (!slot->is_passphrase)
        return scan_literal(scan, " key");
    return scan_literal(scan, " operations=") &&
           scan_number(scan, UINT64_MAX, &slot->kdf.operations) && scan_literal(scan, " memory=") &&
           scan_number(scan, UINT64_MAX, &slot->kdf.memory_bytes);
}

/* All but the check. */
static bool scan_slot(const struct keyring *ring, struct scan *line, struct slot *slot)
{
    size_t size = line->left;
    uint64_t number;

    if (!scan_literal(line, "slot ") || !scan_number(line, KEYRING_MAX_SLOTS, &number) ||
        !scan_kind(line, slot))
        return false;
    slot->number = (unsigned)number;
    return scan_field(line, "salt", slot->kdf.salt, sizeof(slot->kdf.salt)) &&
           scan_field(line, "commitment", slot->commitment, COMMITMENT_SIZE) &&
           scan_wrapped(ring, line, size - line->left, MASTER_KEY_SIZE, &slot->master);
}

static bool scan_epoch(const struct keyring *ring, struct scan *line, struct epoch *epoch)
{
    size_t size = line->left;
    uint64_t number;

    if (!scan_literal(line, "epoch ") || !scan_number(line, UINT16_MAX, &number))
        return false;
    epoch->number = (uint16_t)number;
    return scan_wrapped(ring, line, size - line->left, ring->cipher->key_size, &epoch->key) &&
           line->left == 0;
}

static int check_cost(const struct slot *slot)
{
    if (slot->kdf.operations <= MAX_OPERATIONS && slot->kdf.memory_bytes <= MAX_MEMORY_BYTES)
        return PDICT_OK;
    return pdict_fail(PDICT_TOO_BIG,
                      "slot %u of the keyring asks for %llu operations over %llu bytes, the limit "
                      "is %d over %llu; restore the store from a backup you trust",
                      slot->number, (unsigned long long)slot->kdf.operations,
                      (unsigned long long)slot->kdf.memory_bytes, MAX_OPERATIONS,
                      (unsigned long long)MAX_MEMORY_BYTES);
}

static int accept_slot(struct keyring *ring, pdict_slice line)
{
    unsigned last = ring->slot_count > 0 ? ring->slots[ring->slot_count - 1].number : 0;
    uint8_t stored[CHECK_SIZE], check[CHECK_SIZE];
    struct scan scan = scan_begin(line);
    struct slot slot = { 0 };
    size_t checked;
    int status;

    if (!scan_slot(ring, &scan, &slot))
        return pdict__keyring_damaged("a slot is malformed");
    checked = line.size - scan.left;
    if (!scan_field(&scan, "check", stored, sizeof(stored)) || scan.left > 0)
        return pdict__keyring_damaged("a slot is malformed");
    if ((status = slot_check(ring, (pdict_slice){ line.data, checked }, check)) != PDICT_OK)
        return status;
    if (memcmp(check, stored, sizeof(check)) != 0)
        return pdict__keyring_damaged("a slot does not match its check");
    if (slot.number <= last)
        return pdict__keyring_damaged("its slots are out of order");
    if ((status = check_cost(&slot)) != PDICT_OK)
        return status;
    /* Numbers grow and end at KEYRING_MAX_SLOTS, so there is room. */
    ring->slots[ring->slot_count++] = slot;
    return PDICT_OK;
}

static int accept_epoch(struct keyring *ring, pdict_slice line)
{
    unsigned last = ring->epoch_count > 0 ? ring->epochs[ring->epoch_count - 1].number : 0;
    struct scan scan = scan_begin(line);
    struct epoch epoch = { 0 };

    if (!scan_epoch(ring, &scan, &epoch))
        return pdict__keyring_damaged("a key epoch is malformed");
    if (epoch.number <= last)
        return pdict__keyring_damaged("its key epochs are out of order");
    if (ring->epoch_count == MAX_EPOCHS)
        return pdict__keyring_damaged("it has too many key epochs");
    ring->epochs[ring->epoch_count++] = epoch;
    return PDICT_OK;
}

static bool starts_with(const struct scan *scan, const char *literal)
{
    struct scan copy = *scan;

    return scan_literal(&copy, literal);
}

/* All lines in a row that begin with `name`. */
static int scan_lines(struct keyring *ring, struct scan *scan, const char *name,
                      int (*accept)(struct keyring *ring, pdict_slice line))
{
    int status = PDICT_OK;

    while (status == PDICT_OK && starts_with(scan, name)) {
        pdict_slice line;

        status =
            scan_line(scan, &line) ? accept(ring, line) : pdict__keyring_damaged("it ends early");
    }
    return status;
}

static int scan_active(struct keyring *ring, struct scan *scan)
{
    uint64_t number;

    if (!scan_literal(scan, "active=") || !scan_number(scan, UINT16_MAX, &number) ||
        !scan_literal(scan, "\n"))
        return pdict__keyring_damaged("its active key epoch is missing");
    for (size_t i = 0; i < ring->epoch_count; i++) {
        if (ring->epochs[i].number == number) {
            ring->active_epoch = (uint16_t)number;
            return PDICT_OK;
        }
    }
    return pdict__keyring_damaged("its active key epoch is missing");
}

int pdict__keyring_scan(struct keyring *ring, pdict_slice text, pdict_slice *body, uint8_t *mac)
{
    struct scan scan = scan_begin(text);
    int status;

    if ((status = scan_version(&scan)) != PDICT_OK)
        return status;
    if ((status = scan_lines(ring, &scan, "slot ", accept_slot)) != PDICT_OK)
        return status;
    if ((status = scan_lines(ring, &scan, "epoch ", accept_epoch)) != PDICT_OK)
        return status;
    if ((status = scan_active(ring, &scan)) != PDICT_OK)
        return status;
    *body = (pdict_slice){ text.data, text.size - scan.left };
    if (!scan_literal(&scan, "mac=") || !scan_hex(&scan, mac, KEYRING_MAC_SIZE) ||
        !scan_literal(&scan, "\n") || scan.left > 0)
        return pdict__keyring_damaged("its last line is malformed");
    return PDICT_OK;
}
