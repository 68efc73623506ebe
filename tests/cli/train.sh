# SPDX-License-Identifier: MIT
# train: a dictionary of a map's own values, which new records use and old ones do not need.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

exits 0 "$p" info --json
grep -q '"name":"zstd"' out || { echo 'skip: zstd is not in this build'; exit 77; }
i=0
while [ $i -lt 600 ]; do
    printf '%d\t{"identity":%d,"name":"somebody-%d","mail":"%d@example.org","tags":["first","second"]}\n' \
        $i $((i * 7919)) $i $i
    i=$((i + 1))
done >values

exits 0 "$p" load a.db values --format tsv --codecs raw,zstd:3
promise 'train says what it brings, and the same again is not added'
exits 0 "$p" train a.db --json
holds grep -q '"number":1,' out
exits 0 "$p" train a.db
holds grep -q 'there already' out

promise 'values are what they were, and new records are smaller'
exits 0 "$p" set a.db again "$(sed -n '7s/.*	//p' values)"
exits 0 "$p" get a.db again
sed -n '7s/.*	//p' values | tr -d '\n' >wanted_value
same out wanted_value
exits 0 "$p" get a.db 6
same out wanted_value
exits 0 "$p" verify a.db

promise 'a copy by migrate reads its records too'
exits 0 "$p" migrate a.db b.db --verify
exits 0 "$p" get b.db again
same out wanted_value

promise 'a map without such a compressor exits 14'
exits 0 "$p" init c.db --codecs raw
exits 14 "$p" train c.db
says 'compressor'

promise 'zstd+dict trains by itself and says so in its codecs'
exits 0 "$p" init d.db --codecs raw,zstd:3+dict
exits 0 "$p" stat d.db --json
holds grep -q '"codecs":"raw,zstd:3+dict"' out
finish
