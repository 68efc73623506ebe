# SPDX-License-Identifier: MIT
# pdict-bench kv and ycsb: small runs of every workload, JSON by the schema, the same order for all.
. "$SRC/tests/bench/support/bench.sh"

small='--quick --keys 400 --time 20ms --no-progress'

promise 'every workload of kv runs, and its rows fit the schema'
exits 0 "$BENCH" kv $small --target raw:null,raw:sqlite,pdict:memory,pdict:sqlite,raw:files --json r.json
valid r.json
holds r.json '[.rows[].workload] | unique | length == 14'
holds r.json 'all(.rows[]; (.samples_ns | length) == 10 or .workload == "delete")'
holds r.json 'all(.rows[]; .ci95_ns[0] <= .median_ns and .median_ns <= .ci95_ns[1])'

promise 'what a target cannot do is named with its reason, not left out silently'
holds r.json 'any(.skipped[]; .workload == "scan" and .target == "raw:files")'
holds r.json 'any(.skipped[]; .workload == "reopen" and .target == "pdict:memory")'

promise 'durability is part of a row, and never less than asked for'
holds r.json 'all(.rows[] | select(.workload == "put-durable" and .target == "raw:sqlite"); .durability == "full")'
exits 0 "$BENCH" kv $small -w put -t raw:sqlite --durability full --json f.json
holds f.json 'all(.rows[]; .durability == "full")'

promise 'each number of threads is a row of its own'
exits 0 "$BENCH" kv $small -w get-hot -t pdict:memory --threads 1,2,3 --json t.json
holds t.json '[.rows[].threads] == [1, 2, 3]'

promise 'with --rate no more is done than is offered'
exits 0 "$BENCH" kv $small -w get-hot -t raw:null --rate 10000 --json o.json
holds o.json 'all(.rows[]; .ops_per_s < 10500)'

promise 'a cold run drops the pages and says so'
exits 0 "$BENCH" kv $small -w get-cold -t raw:sqlite,pdict:sqlite --cold --json c.json
holds c.json 'all(.rows[]; .cold)'

promise 'options of a pdict target reach the map'
exits 0 "$BENCH" kv $small -w get-hot -t 'pdict:memory?codecs=raw,zstd:3,raw:null' --json p.json
holds p.json '[.rows[].target] == ["pdict:memory?codecs=raw,zstd:3", "raw:null"]'
exits 0 "$BENCH" kv $small -w get-hot -t 'pdict:memory?codecs=raw,nonsense' --json p.json
says 'nonsense'
holds p.json '.skipped | length > 0'

promise 'all YCSB workloads run, with either Zipf'
exits 0 "$BENCH" ycsb $small -t pdict:memory --json y.json
valid y.json
holds y.json '[.rows[].workload] == ["A", "B", "C", "D", "E", "F"]'
exits 0 "$BENCH" ycsb $small -t pdict:memory -w B --dist ycsb-zipf --json y.json

promise 'a CSV has one line a row and a heading'
exits 0 "$BENCH" kv $small -w get-hot,scan -t pdict:memory --csv r.csv
[ "$(wc -l <r.csv)" -eq 3 ] || fail "lines of CSV: $(wc -l <r.csv)"

promise 'processes, churn and replay run'
exits 0 "$BENCH" procs $small -t pdict:sqlite,pdict:memory --procs 1,2 --json procs.json
valid procs.json
holds procs.json '[.rows[].threads] == [1, 2] and .skipped[0].target == "pdict:memory"'
exits 0 "$BENCH" churn $small -t pdict:sqlite,raw:sqlite --ttl 40ms --rounds 10 --json churn.json
valid churn.json
holds churn.json '(.rows | length) == 1 and (.rows[0].sizes | length) == 10'
for i in 1 2 3 4 5 1 2 3 4 5; do
    printf '{"op":"get","key":"k%s","size":50}\n' $i
done >trace.jsonl
exits 0 "$BENCH" replay trace.jsonl -t pdict:memory --json replay.json
valid replay.json
holds replay.json '.rows[0].hit_ratio == 0.5'

promise 'nothing is left behind'
[ -z "$(find . -name 'pdict-bench-*')" ] || fail "left: $(find . -name 'pdict-bench-*')"

finish
