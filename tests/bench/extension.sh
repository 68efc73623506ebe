# SPDX-License-Identifier: MIT
# pdict-bench: a user's own backend and codec stand in every table, loaded from shared objects.
. "$SRC/tests/bench/support/bench.sh"

cc=${CC:-cc}
if ! command -v "$cc" >/dev/null || [ -n "${SANITIZE:-}" ]; then
    echo "skip no compiler to make an extension with, or one that would lack the sanitizer"
    exit 77
fi
make_extension() {
    "$cc" -std=c11 -D_GNU_SOURCE -O1 -fPIC -fvisibility=hidden -shared -I"$SRC/include" \
        -o "$1" "$SRC/examples/$2"/*.c || fail "$2 does not compile"
}
make_extension shelf.so 05-own-backend
make_extension runs.so 06-own-codec

promise 'they are listed'
exits 0 "$BENCH" list -x ./shelf.so -x ./runs.so
prints 'pdict:shelf'
prints '^  runs '

promise 'a backend is a target'
exits 0 "$BENCH" kv -x ./shelf.so -t pdict:shelf,pdict:memory -w load,get-hot,put --quick \
    --keys 300 --time 20ms --json r.json
valid r.json
holds r.json '[.rows[] | select(.target == "pdict:shelf")] | length == 3'

small='--quick --keys 300 --time 20ms --no-progress'
both='-x ./shelf.so -x ./runs.so'
# Nobody names them: that they were loaded is enough.
own='["pdict:shelf", "pdict:sqlite?codecs=raw,runs"]'

promise 'what is loaded is measured without being named'
exits 0 "$BENCH" kv $both $small -w get-hot --json r.json
valid r.json
holds r.json "($own - [.rows[].target]) == []"
holds r.json 'any(.rows[]; .target == "raw:sqlite")'
exits 0 "$BENCH" ycsb $both $small -w B,E --json r.json
valid r.json
holds r.json "[.rows[] | select(.target == $own[])] | length == 4"
exits 0 "$BENCH" churn $both $small --ttl 40ms --rounds 10 --json r.json
valid r.json
holds r.json "($own - [.rows[].target]) == []"
i=0
while [ $i -lt 20 ]; do
    printf '{"op":"get","key":"k%s","size":50}\n' $((i % 5))
    i=$((i + 1))
done >trace.jsonl
exits 0 "$BENCH" replay trace.jsonl $both --no-progress --json r.json
valid r.json
holds r.json "[.rows[] | select(.target == $own[]) | .hit_ratio] == [0.75, 0.75]"

promise 'a store for one process is named with the reason why it cannot be in a row'
exits 0 "$BENCH" procs $both $small --procs 1,2 --json r.json
valid r.json
holds r.json '[.rows[] | select(.target == "pdict:sqlite?codecs=raw,runs") | .threads] == [1, 2]'
holds r.json 'any(.skipped[]; .target == "pdict:shelf" and .reason != "")'

promise 'who is named stands alone'
exits 0 "$BENCH" kv $both $small -w get-hot -t raw:null --json r.json
holds r.json '[.rows[].target] == ["raw:null"]'

promise 'a codec is measured beside the others'
mkdir d
for i in 1 2 3 4 5 6 7 8 9 10; do
    head -c $((4000 + i)) /dev/zero | tr '\0' "$((i % 10))" >d/$i
done
exits 0 "$BENCH" codec $both --data d --codecs none,runs,zlib:1 --quick --time 5ms --json c.json
valid c.json
holds c.json 'any(.rows[]; .codec == "runs" and .ratio > 10)'
exits 0 "$BENCH" codec $both --data d --quick --time 2ms --json c.json
holds c.json 'any(.rows[]; .codec == "runs") and any(.rows[]; .codec == "zstd:3")'

promise 'it may be what is recommended'
exits 0 "$BENCH" recommend $both --data d --quick --time 5ms --json c.json
valid c.json
holds c.json 'any(.rows[]; .codec == "runs")'
exits 0 "$BENCH" recommend $both --data d --codecs none,runs --goal size --quick --time 5ms
prints '^recommended .*codecs=raw,runs$'
prints '^confirmed '
prints '^note .*--extension'

promise 'goals names it with the reason why no goal is set for it'
"$BENCH" goals $both --quick --keys 1000 --only P8 --no-progress --json g.json >out 2>err
[ $? -le 1 ] || fail "goals: $(cat err)"
valid g.json
holds g.json '[.skipped[].target] == ["shelf", "runs"]'
prints '^n/a .*shelf'

finish
