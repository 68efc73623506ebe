#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A reader of pdict stores made from docs/format.md and docs/backends/ alone: no pdict code.

usage: reader.py STORE [--key-file FILE | --passphrase TEXT]

Prints each record of each map as a line "MAP <tab> KEY <tab> VALUE <tab> EXPIRES_MS", keys and
values in hex, in insertion order. Exits 1 and says why when anything differs from the format.
"""
import argparse
import hashlib
import sqlite3
import struct
import sys
import zlib

import nacl.exceptions
import xxhash
import zstandard
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as aead_open,
    crypto_pwhash_ALG_ARGON2ID13 as ARGON2ID,
    crypto_pwhash_alg as argon2,
)


class Bad(Exception):
    """The store is not what the format says."""


def need(condition, text):
    if not condition:
        raise Bad(text)


# ---- engines: each gives maps, named values and rows ----


class Sqlite:
    def __init__(self, path):
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        need(self.one("PRAGMA application_id") == 1885627252, "another application's database")
        need(self.one("PRAGMA user_version") == 1, "a format version that this reader does not know")

    def one(self, sql, *arguments):
        row = self.db.execute(sql, arguments).fetchone()
        return row[0] if row else None

    def maps(self):
        return self.db.execute("SELECT id, name FROM pdict_map ORDER BY id").fetchall()

    def named(self, number, name):
        return self.one("SELECT value FROM pdict_system WHERE map = ? AND name = ?", number, name)

    def rows(self, number):
        sql = f"SELECT key, value, version, expires_ms FROM kv_{number} ORDER BY id"
        for key, value, version, expires_ms in self.db.execute(sql):
            found = self.one(f"SELECT count(*) FROM kvk_{number} WHERE key = ?", key)
            need(found == 1, "a row is not in the key table")
            yield as_bytes(key), as_bytes(value), version, expires_ms


class Lmdb:
    NUMBERS = 0x7FFFFFFE

    def __init__(self, path):
        import lmdb

        self.env = lmdb.open(path, subdir=False, readonly=True, lock=False, max_dbs=8)
        self.txn = self.env.begin()
        version = self.txn.get(b"pdict")
        need(version == struct.pack(">I", 1), "a layout that this reader does not know")
        self.tables = {n: self.env.open_db(n.encode(), self.txn, create=False)
                       for n in ("rows", "order", "system")}

    def walk(self, table, prefix):
        cursor = self.txn.cursor(self.tables[table])
        more = cursor.set_range(prefix)
        while more and cursor.key().startswith(prefix):
            yield cursor.key()[len(prefix):], cursor.value()
            more = cursor.next()

    def maps(self):
        for number, name in self.walk("system", struct.pack(">I", self.NUMBERS)):
            yield struct.unpack(">I", number)[0], name.decode()

    def named(self, number, name):
        return self.txn.get(struct.pack(">I", number) + name.encode(), db=self.tables["system"])

    def rows(self, number):
        prefix = struct.pack(">I", number)
        for _, record in self.walk("order", prefix):
            row = self.txn.get(record, db=self.tables["rows"])
            need(row is not None, "the order names a row that is not there")
            version, _, expires_ms, _ = struct.unpack(">QqqQ", row[:32])
            if record[0] & 0x80:  # a long key: the row repeats it
                size = struct.unpack(">I", row[32:36])[0]
                key, value = row[36:36 + size], row[36 + size:]
            else:
                key, value = record[4:], row[32:]
            yield key, value, version, expires_ms


def as_bytes(value):
    return value.encode() if isinstance(value, str) else bytes(value)


def open_store(path):
    with open(path, "rb") as file:
        head = file.read(16)
    return Sqlite(path) if head == b"SQLite format 3\0" else Lmdb(path)


# ---- keys ----


def hashed(key, data, size):
    return hashlib.blake2b(data, key=key, digest_size=size).digest()


def label(text):
    return text.encode().ljust(16, b"\0")


def fields(line):
    return dict(word.split("=", 1) for word in line.split(" ") if "=" in word)


class Keyring:
    """Opened with a key or a passphrase, both bytes, one of them None."""

    def __init__(self, text, map_id, key, passphrase):
        self.map_id = map_id
        lines = text.decode().split("\n")
        need(lines[0] == "pdict-keyring 1", "a keyring that this reader does not know")
        body, mac = text[:text.rindex(b"mac=")], lines[-2].removeprefix("mac=")
        slots = [line for line in lines if line.startswith("slot ")]
        for line in slots:
            self.check(line)
        master = self.master(slots, key, passphrase)
        derived = {n: hashed(master, label(f"pdict/{n}/1") + map_id, 32)
                   for n in ("wrap", "ring", "desc", "name")}
        need(hashed(derived["ring"], body, 32).hex() == mac, "the keyring was changed")
        self.describing, self.naming = derived["desc"], derived["name"]
        self.data = {int(line.split()[1]): self.unwrap(line, derived["wrap"])
                     for line in lines if line.startswith("epoch ")}

    @staticmethod
    def check(line):
        before, check = line.rsplit(" check=", 1)
        need(hashed(b"", before.encode(), 16).hex() == check, "a slot is damaged")

    def unwrap(self, line, key):
        values = fields(line)
        bound = self.map_id + line[:line.index(" nonce=")].encode()
        return aead_open(bytes.fromhex(values["sealed"]), bound, bytes.fromhex(values["nonce"]), key)

    def master(self, slots, key, passphrase):
        for line in slots:
            values, kind = fields(line), line.split(" ")[2]
            salt = bytes.fromhex(values["salt"])
            if kind == "passphrase" and passphrase is not None:
                need(int(values["memory"]) <= 1 << 30 and int(values["operations"]) <= 16,
                     "a slot asks for too much")
                made = argon2(64, passphrase, salt, int(values["operations"]),
                              int(values["memory"]), ARGON2ID)
            elif kind == "key" and key is not None:
                made = hashed(hashed(b"", key, 64), label("pdict/slot/1") + self.map_id + salt, 64)
            else:
                continue
            if made[32:].hex() == values["commitment"]:
                return self.unwrap(line, made[:32])
        raise Bad("the secret opens no slot")


# ---- records ----


def xxh(data, seed=0):
    return xxhash.xxh3_64_intdigest(data, seed)


class Map:
    def __init__(self, store, number, key, passphrase):
        text = as_bytes(store.named(number, "descriptor"))
        lines = text.decode().split("\n")
        need(lines[0] == "pdict-map 1", "a descriptor that this reader does not know")
        self.about = dict(line.split("=", 1) for line in lines[1:] if "=" in line)
        self.id = bytes.fromhex(self.about["id"])
        self.ring = None
        before = text[:max(text.rfind(b"check="), text.rfind(b"mac="))]
        older = self.about.get("converting", "none,none").split(",")
        # What a record may be sealed by, now and while it is converted.
        self.ciphers = {self.about["cipher"]}
        if "converting" in self.about:
            self.ciphers.add(older[1])
        if self.ciphers == {"none"}:
            need(self.about["check"] == f"{xxh(before):016x}", "the descriptor is damaged")
        else:
            need(self.ciphers <= {"none", "xchacha20"}, "an unknown cipher")
            self.ring = Keyring(as_bytes(store.named(number, "keyring")), self.id, key, passphrase)
            need(self.about["mac"] == hashed(self.ring.describing, before, 32).hex(),
                 "the descriptor was changed")

    def entry(self, key, record, version, expires_ms):
        need(len(record) >= 16, "a record is shorter than its header")
        magic, envelope, flags, serializer, compressor, cipher, checksum, epoch, dictionary, size = \
            struct.unpack("<BBHBBBBHHI", record[:16])
        need(magic == 0xD7 and envelope == 1, "not a record of version 1")
        hidden = self.about.get("names") == "hidden"
        need(flags & ~1 == 2 * hidden and serializer != 0, "a malformed header")
        need((cipher != 0) == (epoch != 0), "a cipher that should not be")
        need(("xchacha20" if cipher else "none") in self.ciphers, "a cipher that should not be")
        bound = (label("pdict/record/1") + self.id + record[:16] +
                 struct.pack("<qQI", expires_ms, version, len(key)) + key)
        payload = self.opened(record[16:], bound, cipher, checksum, epoch)
        if hidden:
            row_key, key, payload = key, *self.named(payload)
            need(row_key == hashed(self.ring.naming, key, 32), "a key is not that of its row")
        return key, self.unpacked(payload, compressor, dictionary, size)

    @staticmethod
    def named(payload):
        end = 4 + struct.unpack("<I", payload[:4])[0]
        need(end <= len(payload), "a record ends within its key")
        return payload[4:end], payload[end:]

    def opened(self, rest, bound, cipher, checksum, epoch):
        if cipher:
            return aead_open(rest[24:], bound, rest[:24], self.ring.data[epoch])
        if not checksum:
            return rest
        payload, stored = rest[:-8], struct.unpack("<Q", rest[-8:])[0]
        need(xxh(payload, xxh(bound)) == stored, "a record does not match its checksum")
        return payload

    @staticmethod
    def unpacked(payload, compressor, dictionary, size):
        need(dictionary == 0, "a dictionary, which this reader does not know")
        if compressor == 0:
            value = payload
        elif compressor == 1:
            value = zlib.decompress(payload)
        elif compressor == 2:
            value = zstandard.ZstdDecompressor().decompress(payload, max_output_size=size)
        else:
            raise Bad("an unknown compressor")
        need(len(value) == size, "a value has another size than stated")
        return value


def main():
    parser = argparse.ArgumentParser(description="print the records of a pdict store")
    parser.add_argument("store")
    parser.add_argument("--key-file")
    parser.add_argument("--passphrase")
    given = parser.parse_args()
    key = open(given.key_file, "rb").read() if given.key_file else None
    passphrase = given.passphrase.encode() if given.passphrase else None
    try:
        store = open_store(given.store)
        for number, name in store.maps():
            about = Map(store, number, key, passphrase)
            for key_, record, version, expires_ms in store.rows(number):
                key_, value = about.entry(key_, record, version, expires_ms)
                print(name, key_.hex(), value.hex(), expires_ms, sep="\t")
    except (Bad, nacl.exceptions.CryptoError) as error:
        sys.exit(f"reader.py: {given.store}: {error}")


main()
