# SPDX-License-Identifier: MIT
# pdict-bench codec and recommend: readers, Pareto front, a URI that works.
. "$SRC/tests/bench/support/bench.sh"

i=0
while [ $i -lt 60 ]; do
    printf 'Package: p%d\nVersion: 1.%d\nDescription: a package of the same kind as all others\n\n' $i $i
    i=$((i + 1))
done >status

promise 'deb822 paragraphs are records, and rows fit the schema'
exits 0 "$BENCH" codec --data status --format deb822 --codecs none,zlib:1,6-7,zstd:-3,3 \
    --cipher none,xchacha20 --quick --time 5ms --json c.json
valid c.json
prints '^60 records'
holds c.json '[.rows[].codec] | unique == ["none", "zlib:1", "zlib:6", "zlib:7", "zstd:-3", "zstd:3"]'
holds c.json '(.rows | length) == 12 and all(.rows[]; .records == 60)'

promise 'what none beats is on the front, and a copy always is'
holds c.json 'any(.rows[]; .codec == "none" and .cipher == "none" and .pareto)'

promise 'a library called directly is measured beside its codec, as large, and on no front'
exits 0 "$BENCH" codec --data status --format deb822 --codecs zstd:3,libzstd:3 \
    --cipher none,xchacha20,libsodium --quick --time 5ms --json b.json
valid b.json
holds b.json '[.rows[].baseline] == [false, false, true, true, true, true]'
holds b.json '[.rows[].bytes_out] | .[0] == .[3] and .[1] == .[2] and .[1] == .[4] and .[1] == .[5]'
holds b.json 'all(.rows[]; .baseline and .pareto | not)'
exits 2 "$BENCH" recommend --data status --format deb822 --codecs libzstd:3 --quick
says 'called directly'

promise 'ratio is bytes in over bytes out, and encryption makes nothing smaller'
holds c.json 'all(.rows[]; (.ratio - .bytes_in / .bytes_out | fabs) < 0.001)'
holds c.json 'all(.rows[] | select(.codec == "none" and .cipher == "xchacha20"); .ratio < 1)'

promise 'a dictionary is measured on records that it was not made of'
awk 'BEGIN { for (i = 0; i < 2000; i++) printf "Package: p%d\nVersion: 1.%d\nMaintainer: somebody number %d of many\nDescription: a package of the same kind as all others\n\n", i, i, i % 7 }' >many
exits 0 "$BENCH" codec --data many --format deb822 --codecs zstd:3,3+dict,none --quick --time 5ms --json c.json
valid c.json
holds c.json '[.rows[].codec] == ["zstd:3", "zstd:3+dict", "none"] and all(.rows[]; .records == 600)'
holds c.json '.rows[1].dictionary_bytes > 0 and .rows[0].dictionary_bytes == 0'
holds c.json '.rows[1].ratio > 1.5 * .rows[0].ratio'
exits 2 "$BENCH" codec --data many --format deb822 --codecs zlib:1+dict --quick
exits 0 "$BENCH" recommend --data many --format deb822 --codecs none,zstd:1+dict --goal size --quick --time 5ms
prints '^recommended .*zstd:1[+]dict'
prints '^confirmed     600 held-out records'

promise 'lines, files of a directory and an open store are records too'
exits 0 "$BENCH" codec --data status --format lines --codecs none --quick --time 2ms --json l.json
holds l.json '.rows[0].records == 180'
mkdir -p d/e && echo one >d/a && echo two >d/e/b
exits 0 "$BENCH" codec --data d --codecs none --quick --time 2ms --json l.json
holds l.json '.rows[0].records == 2'

promise 'recommend prints a URI, and --apply makes the store'
exits 0 "$BENCH" recommend --data status --format deb822 --quick --time 5ms --apply made --json r.json
valid r.json
prints '^recommended   (lmdb|sqlite):app'
prints '^confirmed     18 held-out records'
exits 0 "$BENCH" codec --data @made --codecs none --quick --time 2ms --json l.json
holds l.json '.rows[0].records == 60'

promise 'a secret is answered with a cipher, and never with a store without one'
exits 0 "$BENCH" recommend --data status --format deb822 --quick --time 5ms --secret
prints '^recommended .*xchacha20'
exits 2 "$BENCH" recommend --data status --format deb822 --quick --time 5ms --secret --apply other
[ ! -e other ] || fail "a store was made"

finish
