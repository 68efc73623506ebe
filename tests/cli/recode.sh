# SPDX-License-Identifier: MIT
# recode and rekey: other codecs and keys in place, with nothing lost and nothing left behind.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

exits 0 "$p" info --json
cp out info
grep -q '"name":"zstd"' out && grep -q '"name":"xchacha20"' out ||
    { echo 'skip: zstd or xchacha20 is not in this build'; exit 77; }
i=0
while [ $i -lt 300 ]; do
    printf '%d\tplaintext-%d of some words, some words, some words and some more words\n' $i $i
    i=$((i + 1))
done >values
head -c 32 /dev/zero | tr '\0' k >key
head -c 32 /dev/zero | tr '\0' w >wrong_key

exits 0 "$p" load a.db values --format tsv --codecs raw
exits 0 "$p" dump a.db
grep -v pdict_dump out >before

same_entries() {
    grep -v pdict_dump out >now
    same now before
}

promise 'recode makes every record anew, and every entry stays'
exits 0 "$p" recode a.db --codecs raw,zstd:9 --json
holds grep -q '"rewritten":300' out
exits 0 "$p" stat a.db --json
holds grep -q '"codecs":"raw,zstd:9"' out
exits 0 "$p" dump a.db
same_entries
exits 0 "$p" verify a.db

promise 'a cipher encrypts the map, and no file holds a value any more'
exits 0 "$p" recode a.db --codecs raw --quiet
holds grep -q plaintext-7 a.db
exits 0 "$p" recode a.db --codecs raw,xchacha20 --key-file key --quiet
grep -q plaintext- a.db && fail 'plain values are left'
exits 12 "$p" get a.db 7
exits 12 "$p" get a.db 7 --key-file wrong_key
exits 0 "$p" dump a.db --key-file key
same_entries
exits 0 "$p" verify a.db --key-file key

promise 'rekey keeps the secret and every entry'
exits 0 "$p" rekey a.db --key-file key --json
holds grep -q '"rewritten":300' out
exits 0 "$p" dump a.db --key-file key
same_entries

promise 'codecs without the cipher decrypt the map'
exits 0 "$p" recode a.db --codecs raw,zstd:3 --key-file key --quiet
exits 0 "$p" dump a.db
same_entries

promise 'what was done is told, also where the engine is opened anew to rewrite its file'
if grep -q '"name":"lmdb"' info; then
    exits 0 "$p" load lmdb:a.mdb values --format tsv --codecs raw
    exits 0 "$p" recode lmdb:a.mdb --codecs raw,xchacha20 --key-file key --json
    holds grep -q '"records":300,"rewritten":300' out
    grep -q plaintext- a.mdb && fail 'plain values are left'
fi

promise 'what makes no sense is refused'
exits 12 "$p" recode a.db --codecs raw,xchacha20 </dev/null
exits 12 "$p" rekey a.db
exits 14 "$p" recode a.db --codecs nonsense
exits 2 "$p" rekey a.db --codecs raw
exits 10 "$p" recode absent.db --codecs raw

if "$p" info --json | grep -q '"name":"lmdb"'; then
    promise 'lmdb too is encrypted in place, and its file rewritten'
    exits 0 "$p" load lmdb:b.lmdb values --format tsv --codecs raw
    holds grep -q plaintext-7 b.lmdb
    exits 0 "$p" recode lmdb:b.lmdb --codecs raw,xchacha20 --key-file key --quiet
    grep -q plaintext- b.lmdb && fail 'plain values are left'
    exits 0 "$p" get lmdb:b.lmdb 7 --key-file key
fi
finish
