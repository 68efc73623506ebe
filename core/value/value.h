/* SPDX-License-Identifier: MIT */
/* What a value becomes: the record, the codecs it passes, the keys that seal it. Knows no store. */
#ifndef PDICT_VALUE_VALUE_H
#define PDICT_VALUE_VALUE_H

#include <pdict/value.h>

#include "base/base.h"
#include "value/counters.h"

#define MAP_ID_SIZE 16

/* ---- record.c: the envelope every stored value lies in ---- */

#define RECORD_HEADER_SIZE   16
#define RECORD_CHECKSUM_SIZE 8

enum record_flags {
    RECORD_NOT_COMPRESSED = 1 << 0, /* a compressor was asked for, but the value did not shrink */
    RECORD_HOLDS_KEY = 1 << 1,      /* the row is named by a hash: its key lies before the value */
    RECORD_KNOWN_FLAGS = RECORD_NOT_COMPRESSED | RECORD_HOLDS_KEY
};

enum record_checksum {
    CHECKSUM_NONE = 0,
    CHECKSUM_XXH3 = 1
};

struct record_header {
    uint16_t flags;
    uint8_t serializer; /* codec ids; 0 = none */
    uint8_t compressor;
    uint8_t cipher;
    uint8_t checksum;
    uint16_t key_epoch;  /* 0 = no cipher */
    uint16_t dictionary; /* 0 = none */
    uint32_t plain_size; /* bytes of the value */
};

/* What a record is bound to besides its map and header: it is refused anywhere else. */
struct binding {
    pdict_slice key; /* of the row */
    uint64_t version;
    int64_t expires_ms;
};

void pdict__record_header_write(const struct record_header *header, uint8_t *out);
/* PDICT_FORMAT: shorter than a header, wrong magic, unknown flags, contradicting fields;
 * PDICT_NEWER_FORMAT: a later envelope version. */
int pdict__record_header_read(pdict_slice record, struct record_header *header);
/* Of the value as it lies in the payload: PDICT_FORMAT when no writer makes that. */
int pdict__record_check_sizes(const struct record_header *header, size_t size);
/* The bytes that tag or checksum bind: "pdict/record/1", map id, header, expiry, version, key. */
int pdict__record_bound(const uint8_t *map_id, const uint8_t *header_bytes,
                        const struct binding *binding, struct buf *out);
/* XXH3-64 of the payload, seeded with the XXH3-64 of the bound bytes. */
uint64_t pdict__record_checksum(pdict_slice bound, pdict_slice payload);

/* ---- codecs.c: the pipeline as people write it: "raw,zstd:3,xchacha20" ---- */

/* Which values a compressor is to work on; options of every compressor beside its own. */
enum worth_option {
    WORTH_SMALLEST, /* bytes; what is smaller is stored as it is */
    WORTH_GAIN      /* percent; what shrinks by less is stored as it is */
};

struct codec_choice {
    const pdict_codec *codec; /* NULL: this stage is left out */
    struct option_set options;
    struct option_set worth; /* of a compressor, in the order of enum worth_option; else empty */
    bool has_dictionary;     /* "+dict": dictionaries are trained without being asked for */
};

struct codecs {
    struct codec_choice serializer; /* codec never NULL once parsed */
    struct codec_choice compressor;
    struct codec_choice cipher;
};

/* Parse; stages in order, each optional and told apart by name. "" and "none" mean raw.
 * PDICT_UNKNOWN_CODEC, PDICT_UNKNOWN_OPTION (with the near match), PDICT_INVAL (order, twice). */
int pdict__codecs_parse(const char *text, const pdict_allocator *allocator, struct codecs *out);
void pdict__codecs_free(struct codecs *codecs);
/* The shortest text that parses to the same: options are written only where they were set. */
int pdict__codecs_format(const struct codecs *codecs, struct buf *out);
/* Does `wanted` contradict `actual`? Same codecs, and every option set in wanted is equal. */
bool pdict__codecs_agree(const struct codecs *wanted, const struct codecs *actual);

/* ---- secrets.c: memory for keys ---- */

/* Of the cipher's guarded memory, wiped in children that cannot use the stores of their parent. */
void *pdict__secret_alloc(const pdict_cipher *cipher, size_t size);
void pdict__secret_free(const pdict_cipher *cipher, void *memory); /* wipes; NULL is fine */

/* ---- keyring.c: passphrases and keys open slots, slots hold the master key, it wraps data keys */

struct keyring;

struct secret {
    pdict_slice bytes; /* data NULL: none was given */
    bool is_passphrase;
    bool may_keep; /* what a passphrase turns into, see keycache.c */
};

#define KEYRING_MAX_SLOTS 16
#define KEYRING_MAC_SIZE  32

/* A new keyring with a random master key, one slot for `secret` and data-key epoch 1. */
int pdict__keyring_create(const pdict_codec *cipher, const uint8_t *map_id,
                          const struct secret *secret, const pdict_kdf *kdf,
                          const pdict_allocator *allocator, struct keyring **out);
/* The text to store, which holds no secret in the clear. */
int pdict__keyring_encode(const struct keyring *ring, struct buf *out);
/* Open a stored keyring. PDICT_NEED_KEY; PDICT_WRONG_KEY: intact, but no slot fits;
 * PDICT_DAMAGED: a slot or the ring does not match its own check; PDICT_TOO_BIG: a slot asks for
 * more work or memory than is allowed; PDICT_NEWER_FORMAT. */
int pdict__keyring_open(const pdict_codec *cipher, const uint8_t *map_id, pdict_slice text,
                        const struct secret *secret, const pdict_allocator *allocator,
                        struct keyring **out);
/* Open a later text of a keyring that is open, without a secret. PDICT_DAMAGED. */
int pdict__keyring_reopen(const struct keyring *opened, pdict_slice text, struct keyring **out);
void pdict__keyring_free(struct keyring *ring); /* wipes; NULL is fine */
/* Keyed hash of descriptor bytes, so that they cannot be changed without the key. */
int pdict__keyring_mac(const struct keyring *ring, pdict_slice data, uint8_t *out);
unsigned pdict__keyring_opened_slot(const struct keyring *ring);
/* The key that seals the map's dictionaries, into memory for secrets. */
int pdict__keyring_dictionary_key(const struct keyring *ring, void *out);
/* The keyed hash that a row is named by where names are hidden. */
#define HIDDEN_KEY_SIZE 32
int pdict__keyring_name(const struct keyring *ring, pdict_slice name, uint8_t *out);
uint16_t pdict__keyring_active_epoch(const struct keyring *ring);
/* NULL: this ring has no such epoch. Lives as long as the ring. */
const void *pdict__keyring_data_key(const struct keyring *ring, uint16_t epoch);
const pdict_cipher *pdict__keyring_cipher(const struct keyring *ring);
size_t pdict__keyring_epochs(const struct keyring *ring); /* how many it has */
/* A new data key, active from now on. PDICT_TOO_BIG: there are as many as can be. */
int pdict__keyring_add_epoch(struct keyring *ring);
/* Only the active one stays. */
void pdict__keyring_drop_epochs(struct keyring *ring);

/* ---- keyring_slots.c: the passphrases and keys that open a keyring ---- */

struct slot_facts {
    unsigned number; /* 1 to KEYRING_MAX_SLOTS */
    bool is_passphrase;
    bool is_ours; /* this ring was opened through it */
    uint64_t operations, memory_bytes;
};

/* The cost of that name, without salt: interactive, moderate, sensitive, test. PDICT_INVAL. */
int pdict__kdf_find(const char *name, pdict_kdf *out);
#define KDF_NAMES "interactive|moderate|sensitive|test"

/* A slot to be, its secret derived, which may take seconds; in guarded memory. */
struct slot_draft;

/* PDICT_NEED_KEY, PDICT_INVAL: no secret or a bad one; PDICT_TOO_BIG: a kdf over the limits. */
int pdict__slot_draft(const struct keyring *ring, const struct secret *secret, const pdict_kdf *kdf,
                      struct slot_draft **out);
void pdict__slot_draft_free(struct slot_draft *draft); /* wipes; NULL is fine */
/* Put a slot at a number, replacing the one there; *number 0: the lowest that is free.
 * PDICT_NOTFOUND: there is none at this number; PDICT_TOO_BIG: all are taken. */
int pdict__keyring_slot_put(struct keyring *ring, const struct slot_draft *draft, unsigned *number);
/* PDICT_NOTFOUND; PDICT_MISUSE: it is the last. */
int pdict__keyring_slot_remove(struct keyring *ring, unsigned number);
/* False behind the last; in the order of their numbers. */
bool pdict__keyring_slot_at(const struct keyring *ring, size_t index, struct slot_facts *out);

/* ---- keycache.c: what passphrases were turned into in this process ---- */

void pdict__keycache_forget(void);

/* ---- descriptor.c: what a map says about itself, as a text of name=value lines ---- */

struct descriptor {
    uint8_t map_id[MAP_ID_SIZE];
    int64_t created_ms;
    uint64_t max_value;
    bool has_checksum;
    bool hides_names; /* only with a cipher */
    const pdict_codec *serializer;
    const pdict_codec *cipher; /* NULL: not encrypted */
    /* Records of these codecs are taken too, until all are of those above. */
    bool is_converting;
    const pdict_codec *from_serializer;
    const pdict_codec *from_cipher; /* NULL: not encrypted */
};

/* The cipher of the map's keyring; NULL: it has none. */
static inline const pdict_codec *pdict__descriptor_cipher(const struct descriptor *descriptor)
{
    return descriptor->cipher ? descriptor->cipher : descriptor->from_cipher;
}

/* `ring` is NULL exactly when the map has no keyring: then the last line is an XXH3 check, else a MAC. */
int pdict__descriptor_encode(const struct descriptor *descriptor, const struct keyring *ring,
                             struct buf *out);
/* Read without believing: enough to know which cipher and id to open the keyring with.
 * PDICT_DAMAGED: malformed; PDICT_NEWER_FORMAT: a line or version this build does not know;
 * PDICT_UNKNOWN_CODEC. */
int pdict__descriptor_decode(pdict_slice text, struct descriptor *out);
/* Believe: PDICT_DAMAGED when check or MAC do not match. */
int pdict__descriptor_verify(pdict_slice text, const struct keyring *ring);

/* ---- encode.c, decode.c: values to records and back ---- */

struct pipeline_config {
    const struct descriptor *descriptor; /* borrowed */
    const struct codecs *codecs;      /* borrowed; the compressor and its options for new writes */
    struct keyring *ring;             /* taken over on success; NULL without cipher */
    const pdict_allocator *allocator; /* outlives the pipeline */
    uint64_t number;                  /* of these settings; see struct generation_ref */
    /* Reads what is stored as the dictionaries of the map, nothing: there are none; NULL: never. */
    int (*read_dictionaries)(void *ctx, struct buf *out);
    /* Renews the pipeline if its settings have changed; why they may not be had; NULL: never. */
    int (*refresh)(void *ctx);
    void *ctx; /* of both */
};

struct pipeline;
struct generation;
struct workbench; /* scratch memory and codec contexts; one thread at a time */

int pdict__pipeline_open(const struct pipeline_config *config, struct pipeline **out);
void pdict__pipeline_close(struct pipeline *pipeline); /* NULL is fine; all benches given back */
/* Other settings of the same map, for all benches that are taken from now on; by one thread at a
 * time. Takes the ring over on success. */
int pdict__pipeline_renew(struct pipeline *pipeline, const struct pipeline_config *config);
/* The settings have another number, and are the same. */
void pdict__pipeline_renumber(struct pipeline *pipeline, uint64_t number);
/* NULL without cipher; lives as long as the pipeline. */
const struct keyring *pdict__pipeline_ring(const struct pipeline *pipeline);
/* Give back the scratch memory of idle benches. */
void pdict__pipeline_trim(struct pipeline *pipeline);

/* What all benches have counted since the pipeline was opened: STAGES sums. */
void pdict__pipeline_sums(struct pipeline *pipeline, struct stage_sum *sums);

/* Take a warm bench, or make one; NULL when there is no memory. */
struct workbench *pdict__bench_take(struct pipeline *pipeline);
/* Settings of a pipeline, and the number they had when a bench took to them. */
struct generation_ref {
    struct generation *generation; /* lives as long as the pipeline */
    uint64_t number;
};

struct generation_ref pdict__pipeline_settings(const struct pipeline *pipeline);
/* What a bench keeps to: the settings of the moment when it was taken... */
struct generation_ref pdict__bench_settings(const struct workbench *bench);
/* ...or of this one, or earlier ones. */
void pdict__bench_renew(const struct pipeline *pipeline, struct workbench *bench);
void pdict__bench_keep_to(struct workbench *bench, struct generation_ref settings);
/* Wipes plaintext of encrypted maps; a bench that grew over 1 MiB gives the excess back. */
void pdict__bench_give(struct pipeline *pipeline, struct workbench *bench);

/* Make the record of a value; `name` is the key as the user gave it, looked at only where names are
 * hidden. `record` is borrowed from the bench until its next use.
 * PDICT_TOO_BIG: over max_value; PDICT_INVAL: the serializer refuses it. */
int pdict__encode_named(struct pipeline *pipeline, struct workbench *bench,
                        const struct binding *binding, pdict_slice name, pdict_slice value,
                        pdict_slice *record);
/* The same without a name: PDICT_UNSUPPORTED where names are hidden. */
int pdict__encode(struct pipeline *pipeline, struct workbench *bench, const struct binding *binding,
                  pdict_slice value, pdict_slice *record);

/* ---- dictionary.c, train.c: what compressors learn from values ---- */

/* Read the stored dictionaries; those that are new serve from now on. */
int pdict__dictionaries_load(struct pipeline *pipeline);

/* The same if they were read before. */
int pdict__dictionaries_reload(struct pipeline *pipeline);

/* Values, one behind the other. */
struct samples {
    struct buf bytes;
    struct buf sizes; /* of size_t */
    size_t count;
};

/* How the samples that were held out compress, in bytes of payload. */
struct trained {
    struct buf bytes; /* the dictionary; size 0: none gains enough */
    uint64_t held_out;
    uint64_t without;
    uint64_t with;
};

/* PDICT_UNSUPPORTED: new records have no compressor that has dictionaries. */
int pdict__train(struct pipeline *pipeline, const struct samples *samples, size_t most_size,
                 struct trained *out);
void pdict__train_free(struct samples *samples, struct trained *trained);
/* Is there one for new records? False when what is stored cannot be read. */
bool pdict__has_dictionary(struct pipeline *pipeline);
/* What is to be stored with this one added, whose number is set; 0: it is there already.
 * PDICT_TOO_BIG: there are as many as can be. */
int pdict__dictionaries_add(const struct pipeline *pipeline, pdict_slice stored, pdict_slice bytes,
                            struct buf *out, uint16_t *number);

/* What is stored, sealed by another ring; NULL: plain. */
int pdict__dictionaries_reseal(const struct pipeline *pipeline, pdict_slice stored,
                               const struct keyring *ring, struct buf *out);

/* ---- names.c: maps that hide the keys of their entries ---- */

bool pdict__hides_names(const struct pipeline *pipeline);

/* The key of a row, and the key that it stands for; borrowed. */
struct hidden_key {
    uint8_t bytes[HIDDEN_KEY_SIZE]; /* first: see pdict__name_of() */
    pdict_slice name;
};

int pdict__hidden_key(const struct pipeline *pipeline, pdict_slice name, struct hidden_key *out);
/* Of the last record that was decoded with this bench: the key as the user gave it, where names are
 * hidden; borrowed from the bench until its next use. */
pdict_slice pdict__bench_name(const struct workbench *bench);

/* ---- serialize.c: typed values to the bytes of a value, and back ---- */

/* `bytes` are borrowed from the bench until its next use. PDICT_TOO_BIG: over max_value;
 * PDICT_UNSUPPORTED: the serializer has no typed values; PDICT_INVAL: nor any for this one. */
int pdict__serialize(struct pipeline *pipeline, struct workbench *bench, const pdict_value *value,
                     pdict_slice *bytes);
/* What the bytes, of a value by these settings, stand for, made in `tree`. */
int pdict__deserialize(const struct generation *settings, pdict_slice bytes, pdict_tree *tree,
                       pdict_value **value);
/* An empty tree for values of this map: of its allocator, and wiped if the map is encrypted. */
int pdict__tree_for(struct pipeline *pipeline, pdict_tree **out);

/* Where a decoded value goes: `reserve` is called with a size that was checked against max_value, and
 * for compressed values only after tag or checksum were found right. It is called again, and what it
 * gave before is not needed any more, when newer settings are tried. */
struct sink {
    void *(*reserve)(void *ctx, size_t size); /* NULL: no memory, text set */
    void *ctx;
};

/* Get the value out of a record. What the settings of the bench do not allow is tried again with each
 * that came after them, so they are to be no newer than the record's snapshot. With a sink the value
 * is written there; without, `value` is borrowed: from the record itself if no codec had to change
 * bytes, else from the bench.
 * Statuses as pdict_get(). On failure nothing partial stays readable in sink or bench. */
int pdict__decode(struct pipeline *pipeline, struct workbench *bench, const struct binding *binding,
                  pdict_slice record, const struct sink *sink, pdict_slice *value);

#endif
