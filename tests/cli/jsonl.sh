# SPDX-License-Identifier: MIT
# JSON lines: what dump writes load takes, and nothing that is cut short or changed.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

exits 0 "$p" init a.db
exits 0 "$p" set a.db text 'say "hi", café'
exits 0 "$p" set a.db short lived --ttl 1h
exits 0 "$p" dump a.db
mv out dump

promise 'a dump has a header, its records, and a trailer with count and checksum'
holds grep -Eq '^\{"pdict_dump":1' dump
holds grep -Eq '^\{"k":"text","ct":[0-9]+,"at":[0-9]+,"v":"say \\"hi\\", caf' dump
holds grep -Eq '^\{"k":"short","ct":[0-9]+,"exp":[0-9]+,"at":[0-9]+,"v":"lived"\}$' dump
holds grep -Eq '^\{"end":true,"records":2,"xxh3":"[0-9a-f]{16}"\}$' dump

promise 'load gives back values and expiry times'
exits 0 "$p" load b.db dump --json
holds grep -q '"loaded":2,"skipped":0,"expired":0,"failed":0' out
exits 0 "$p" dump b.db
sed 's/"ct":[0-9]*,//' dump | sed '$d' >wanted_lines
sed 's/"ct":[0-9]*,//' out | sed '$d' >got_lines
same wanted_lines got_lines

promise 'load reads standard input, with or without a dash'
exits_from 0 dump "$p" load c.db
exits_from 0 dump "$p" load d.db -
(cat dump) | "$p" load e.db - >out 2>err || fail 'a pipe is not loaded'
exits 0 "$p" count e.db
prints '2
'

promise 'a dump without its trailer exits 3 and stores nothing'
sed '$d' dump >cut.jsonl
exits 3 "$p" load cut.db cut.jsonl
says 'cut short'
says 'nothing was stored'
exits 0 "$p" init cut2.db
exits 3 "$p" load cut2.db cut.jsonl
exits 0 "$p" count cut2.db
prints '0
'
exits 3 "$p" load cut2.db cut.jsonl --keep-going
exits 0 "$p" count cut2.db
prints '2
'

promise 'a dump that was changed is refused'
sed 's/lived/livid/' dump >changed
exits 13 "$p" load changed.db changed
says 'checksum'
sed 2d dump >missing
exits 13 "$p" load changed.db missing
says 'records'
{ cat dump; echo '{"k":"x","v":"y"}'; } >longer
exits 13 "$p" load changed.db longer

promise 'a dump of a newer format is refused'
sed 's/"pdict_dump":1/"pdict_dump":2/' dump >newer
exits 14 "$p" load newer.db newer

promise 'lines written by hand need no header and no trailer'
printf '{"k":"a","v":"1"}\n{"v":"2","k":"b","note":"ignored"}' >hand
exits 0 "$p" load hand.db hand
exits 0 "$p" get hand.db b
prints '2'

promise 'a bad line is named, and nothing of the file is stored'
printf '{"k":"a","v":"1"}\n{"k":"b"}\n{"k":"c","v":"3"}\n' >bad
exits 0 "$p" init bad.db
exits 2 "$p" load bad.db bad
says 'bad: line 2: .*"v"'
says 'nothing was stored'
exits 0 "$p" count bad.db
prints '0
'

promise 'with --keep-going the good lines are stored, and the exit code is 3'
exits 3 "$p" load bad.db bad --keep-going
says 'line 2'
says '1 records were left out'
exits 0 "$p" ls bad.db
prints 'a
c
'

promise 'each kind of bad line is refused'
while read -r line; do
    printf '%s\n' "$line" >one
    exits 2 "$p" load bad.db one
    says 'one: line 1: '
done <<'LINES'
not json
[]
{"k":"a"
{"k":1,"v":"b"}
{"k":"a","k64":"YQ==","v":"b"}
{"k64":"*","v":"b"}
{"k":"a","v":"b","exp":"soon"}
{"k":"a","v":"b","exp":-1}
{"k":"a","v":"b","exp":99999999999999999999}
{"k":"a","k":"b","v":"c"}
LINES

promise 'what expired before the load is left out'
printf '{"k":"old","v":"1","exp":1000}\n{"k":"new","v":"2"}\n' >old
exits 0 "$p" load old.db old --json
holds grep -q '"loaded":1,"skipped":0,"expired":1' out
exits 0 "$p" ls old.db
prints 'new
'

promise 'keys that are present can be left as they are'
printf '{"k":"new","v":"other"}\n{"k":"newer","v":"3"}\n' >again
exits 0 "$p" load old.db again --skip-existing --json
holds grep -q '"loaded":1,"skipped":1' out
exits 0 "$p" get old.db new
prints '2'

promise 'small batches store the same'
exits 0 "$p" load batch.db dump --batch 1
exits 0 "$p" count batch.db
prints '2
'
exits 2 "$p" load batch.db dump --batch 0
finish
