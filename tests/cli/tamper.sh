# SPDX-License-Identifier: MIT
# What a program without the key can do to an encrypted store with the sqlite3 shell, and cannot.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
command -v sqlite3 >/dev/null || finish
"$p" info sqlite >/dev/null 2>&1 || finish
make_secrets

# Keys are text or bytes.
alice="key in ('alice', cast('alice' as blob))"
robert="key in ('robert', cast('robert' as blob))"
short="key in ('short', cast('short' as blob))"

new_store() {
    rm -f s.db*
    exits 0 "$p" init s.db --codecs raw,zstd,xchacha20 --key-file key
    exits 0 "$p" set s.db alice 'the secret of alice' --key-file key
    exits 0 "$p" set s.db robert 'the secret of robert' --key-file key
    exits 0 "$p" set s.db short 'lived' --ttl 1h --key-file key
}

refused() {
    exits 13 "$p" get s.db "$1" --key-file key
    says 'do not belong to this key and place'
}

change() {
    exits 0 sqlite3 s.db "$1"
}

promise 'two values that were swapped are refused under both keys'
new_store
change "create temp table was as select * from kv_1 where $alice or $robert;
    update kv_1 set value = (select value from was where was.key <> kv_1.key) where $alice or $robert"
refused alice
refused robert
exits 0 "$p" get s.db short --key-file key
prints 'lived'

promise 'a record with all that belongs to it is refused under another key'
new_store
change "update kv_1 set (value, version, expires_ms) =
    (select value, version, expires_ms from kv_1 where $robert) where $alice"
refused alice

promise 'a life that was made longer is refused, and so is another version'
new_store
change "update kv_1 set expires_ms = expires_ms + 3600000 where $short"
refused short
change "update kv_1 set version = version + 1 where $robert"
refused robert
exits 0 "$p" get s.db alice --key-file key

promise 'a record of another map with the same key is refused'
new_store
exits 0 "$p" init s.db -m other --codecs raw,zstd,xchacha20 --key-file key
exits 0 "$p" set s.db alice 'of the other map' -m other --key-file key
change "update kv_1 set (value, version) = (select value, version from kv_2 where $alice) where $alice"
refused alice

promise 'no file holds a value, a passphrase or a key'
rm -f s.db*
exits 0 "$p" init s.db --codecs raw,xchacha20 --passphrase-file pass -O kdf=test
exits 0 "$p" slot s.db add --passphrase-file pass --new-key-file key
exits 0 "$p" set s.db alice 'the secret of alice' --passphrase-file pass
exits 0 "$p" backup s.db b.db
exits 0 "$p" migrate s.db lmdb:m.db
head -c 16 key | od -An -tx1 | tr -d ' \n' >key.hex
for file in s.db* b.db* m.db*; do
    ! grep -aq 'secret of' "$file" || fail "$file holds a value"
    ! grep -aq 'correct horse' "$file" || fail "$file holds the passphrase"
    ! od -An -v -tx1 "$file" | tr -d ' \n' | grep -q "$(cat key.hex)" || fail "$file holds the key"
    ! grep -q "$(cat key.hex)" "$file" || fail "$file holds the key, written out"
done

promise 'with hidden names no file holds a key of an entry'
rm -f s.db* b.db*
exits 0 "$p" init s.db --codecs raw,xchacha20 --key-file key -O names=hidden
exits 0 "$p" set s.db alice 'the secret of alice' --key-file key
exits 0 "$p" backup s.db b.db
for file in s.db* b.db*; do
    ! grep -aq alice "$file" || fail "$file holds the name"
done
exits 0 "$p" ls s.db --key-file key
prints 'alice
'
exits 14 "$p" ls s.db --by-key --key-file key
says 'names=hidden'

finish
