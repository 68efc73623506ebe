# SPDX-License-Identifier: MIT
# What is set is what is got, listed, counted and deleted, whatever the bytes.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

promise 'a value comes back byte for byte'
exits 0 "$p" init a.db --codecs raw,zstd:3
exits 0 "$p" set a.db user:1 Ada
prints ''
exits 0 "$p" get a.db user:1
prints 'Ada'

promise 'a value from standard input may hold any bytes'
head -c 300000 /dev/urandom >blob
exits_from 0 blob "$p" set a.db blob -
exits 0 "$p" get a.db blob
same out blob
exits 0 "$p" get a.db blob -o copy
same copy blob

promise 'the empty key and the empty value are like any other'
exits 0 "$p" set a.db '' nothing
exits 0 "$p" get a.db ''
prints 'nothing'
exits 0 "$p" set a.db hollow ''
exits 0 "$p" get a.db hollow
prints ''

promise 'keys and values with NUL bytes survive dump and load'
printf '{"k":"nul\\u0000key","v":"a\\u0000b"}\n{"k64":"/wD+","v64":"gP8="}\n' >nul.jsonl
exits 0 "$p" load b.db nul.jsonl
exits 0 "$p" get b.db --base64 bnVsAGtleQ==
printf 'a\0b' >wanted_bytes
same out wanted_bytes
exits 0 "$p" get b.db --base64 /wD+
printf '\200\377' >wanted_bytes
same out wanted_bytes
exits 0 "$p" set b.db --base64 AP8= x
exits 0 "$p" del b.db --base64 AP8=
exits 0 "$p" dump b.db
mv out b.jsonl
exits 0 "$p" load c.db b.jsonl
exits 0 "$p" dump c.db
same out b.jsonl

promise 'times of creation and expiry survive dump and load, whatever the record beside has'
printf '{"k":"a","v":"1","ct":1000,"exp":99999999999999}\n{"k":"b","v":"2"}\n{"k":"c","v":"3","ct":2000}\n' >times.jsonl
exits 0 "$p" load t.db times.jsonl
exits 0 "$p" dump t.db
mv out t.jsonl
grep -q '"k":"a","ct":1000,"exp":99999999999999' t.jsonl || fail 'the times of a are lost'
grep -q '"k":"c","ct":2000' t.jsonl || fail 'the times of c are lost'
exits 0 "$p" load u.db t.jsonl
exits 0 "$p" dump u.db
same out t.jsonl

promise 'add counts, and pop takes a value away'
exits 0 "$p" add a.db hits
prints '1
'
exits 0 "$p" add a.db hits 41
prints '42
'
exits 0 "$p" add a.db hits --json -- -2
prints '{"sum":40}
'
exits 2 "$p" add a.db hits two
exits 2 "$p" add a.db user:1
exits 0 "$p" pop a.db hits
prints '40'
exits 1 "$p" pop a.db hits
prints ''

promise 'keys are listed in insertion order, or in key order, forward and backward'
exits 0 "$p" init order.db
for key in m:2 m:1 z a; do
    exits 0 "$p" set order.db "$key" "$key"
done
exits 0 "$p" ls order.db
prints 'm:2
m:1
z
a
'
exits 0 "$p" ls order.db --by-key
prints 'a
m:1
m:2
z
'
exits 0 "$p" ls order.db --reverse --limit 2
prints 'a
z
'
exits 0 "$p" ls order.db m:
prints 'm:1
m:2
'
exits 0 "$p" ls order.db 'm:[!1]'
prints 'm:2
'
exits 0 "$p" ls order.db '*1'
prints 'm:1
'
exits 0 "$p" ls order.db --from b --to z
prints 'm:1
m:2
'
exits 0 "$p" ls order.db -0 --limit 1
printf 'm:2\0' >wanted_bytes
same out wanted_bytes

promise 'a pattern that matches nothing is an empty list, not an error'
exits 0 "$p" ls order.db nothing
prints ''

promise 'count counts all, a prefix, a glob'
exits 0 "$p" count order.db
prints '4
'
exits 0 "$p" count order.db m:
prints '2
'
exits 0 "$p" count order.db '?' --json
prints '{"count":2}
'

promise 'set --nx and --xx answer by exit code and change nothing'
exits 1 "$p" set order.db a other --nx
exits 1 "$p" set order.db absent other --xx
exits 0 "$p" get order.db a
prints 'a'
exits 1 "$p" get order.db absent
exits 0 "$p" set order.db a newer --xx
exits 0 "$p" get order.db a
prints 'newer'

promise 'a key with a ttl says when it ends, and lists its creation'
exits 0 "$p" set order.db soon gone --ttl 1h
exits 0 "$p" ls order.db soon --json -l
holds grep -Eq '^\{"k":"soon","ct":[0-9]{13},"exp":[0-9]{13},"at":[0-9]{13},"size":4,"stored":[0-9]+\}$' out

promise 'del deletes what is there and exits 1 when something was not'
exits 1 "$p" del order.db z nowhere
says '1 deleted, 1 absent'
exits 1 "$p" get order.db z
exits 2 "$p" del order.db --prefix m:
exits 0 "$p" count order.db m:
prints '2
'
exits 0 "$p" del order.db --prefix m: --force --json
prints '{"deleted":2,"absent":0}
'
exits 0 "$p" count order.db m:
prints '0
'

promise 'many keys are read in one run, raw or as JSON lines'
printf 'a\nabsent\nsoon\n' >keys
exits 1 "$p" get order.db --keys-from keys
prints 'newer
gone
'
exits 1 "$p" get order.db --keys-from keys --measure --json
holds grep -Eq '"gets":3,"absent":1,"bytes":9,"seconds":' out

printf 'a\0soon\0' >keys
exits 0 "$p" get order.db --keys-from keys -0
printf 'newer\0gone\0' >wanted_bytes
same out wanted_bytes
exits 0 "$p" get order.db soon --json
holds grep -Eq '^\{"k":"soon","ct":[0-9]+,"exp":[0-9]+,"v":"gone"\}$' out

promise 'stat names backend, map, codecs, counts, sizes and format'
exits 0 "$p" stat a.db --json
for member in backend map count codecs logical_bytes stored_bytes file_bytes format_version; do
    holds grep -q "\"$member\":" out
done
holds grep -q '"codecs":"raw,zstd:3"' out
holds grep -q '"backend":"sqlite"' out

promise 'maps are kept apart, listed, renamed and dropped'
exits 0 "$p" init order.db --map users --codecs zlib
exits 0 "$p" set order.db -m users ada 1
exits 1 "$p" get order.db ada
exits 0 "$p" maps order.db --json
holds grep -q '"map":"main"' out
holds grep -q '"map":"users","count":1' out
exits 0 "$p" maps order.db --rename users --to people
exits 0 "$p" get order.db ada --map people
prints '1'
exits 1 "$p" maps order.db --rename people --to main
exits 2 "$p" maps order.db --drop people
exits 0 "$p" maps order.db --drop people --force
exits 10 "$p" get order.db ada --map people

promise 'the file is a sound SQLite database all along'
for db in a.db b.db c.db order.db; do
    [ "$(sqlite3 "$db" 'pragma integrity_check')" = ok ] || fail "$db is damaged"
done
finish
