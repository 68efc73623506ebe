# SPDX-License-Identifier: MIT
# pdict-bench compare, report, goals, policies: verdicts, and a picture that is not empty.
. "$SRC/tests/bench/support/bench.sh"

small='--quick --keys 400 --time 30ms --no-progress'
exits 0 "$BENCH" kv $small -w load,get-hot,scan -t pdict:memory,raw:sqlite --threads 1,2 --json r.json

promise 'a run compared with itself is the same within noise'
exits 0 "$BENCH" compare r.json r.json --fail-on-regression 5
prints 'same within noise|too noisy to tell'
! grep -Eq 'slower|faster' out || fail "verdicts: $(cat out)"

promise 'a run made slower is called slower, and fails when asked to'
jq '(.rows[].samples_ns[]) |= . * 100' r.json >slow.json
exits 0 "$BENCH" compare r.json slow.json
prints 'slower$'
exits 1 "$BENCH" compare r.json slow.json --fail-on-regression 5
exits 0 "$BENCH" compare slow.json r.json --fail-on-regression 5
prints 'faster$'

promise 'a saved run is a baseline'
exits 0 "$BENCH" kv $small -w get-hot -t pdict:memory --save before
exits 0 "$BENCH" kv $small -w get-hot -t pdict:memory --baseline before
prints 'after/before'

promise 'goals prints its rows, and its verdict is the exit code'
"$BENCH" goals --quick --keys 1000 --only P8,P14 --json g.json >out 2>err
code=$?
[ $code -le 1 ] || fail "exit $code: $(cat err)"
valid g.json
holds g.json '[.rows[].goal] | unique == ["P14", "P8"]'
holds g.json 'any(.warnings[]; test("1000 a run"))'
holds g.json 'all(.rows[]; .seconds >= 0)'
holds g.json "all(.rows[]; .met) == $([ $code -eq 0 ] && echo true || echo false)"

promise 'policies know that a walk hurts LRU more than SIEVE'
exits 0 "$BENCH" policies --quick --json p.json
valid p.json
holds p.json '[.rows[] | select(.trace == "zipf with scans" and .capacity == 1000)]
    | (map(select(.policy == "sieve"))[0].hit_ratio > map(select(.policy == "lru"))[0].hit_ratio)'
i=0
while [ $i -lt 200 ]; do
    echo "key $((i % 4))"
    i=$((i + 1))
done >trace
exits 0 "$BENCH" policies trace --capacity 4 --json q.json
holds q.json 'all(.rows[]; .hit_ratio == 1)'
exits 0 "$BENCH" policies trace --capacity 3 --policy lru --json q.json
holds q.json '.rows[0].hit_ratio == 0'

promise 'a report is one file without scripts to run, and nothing in it is fetched'
exits 0 "$BENCH" report r.json g.json p.json -o report.html
! grep -Eq '<script>|src=|href=' report.html || fail 'it runs or fetches something'
grep -q '<svg' report.html || fail 'no picture'

promise 'a goal is a row with its bound and a mark beyond it or short of it'
[ "$(grep -c '<td class="plot"><svg' report.html)" -eq "$(jq '.rows | length' g.json)" ] ||
    fail "goals drawn: $(grep -c 'class="plot"><svg' report.html)"
jq '.rows[0].measured = 1e9 | .rows[0].met = false | .rows[1].measured = -1 | .rows[1].bound = 0' g.json >odd.json
exits 0 "$BENCH" report odd.json -o odd.html
! grep -Eq 'nan|inf"' odd.html || fail 'a mark lies nowhere'

promise 'hostile names in a run cannot become markup'
jq '.rows[].target = "</script><b>" ' r.json >hostile.json
exits 0 "$BENCH" report hostile.json -o hostile.html
! grep -q '</script><b>' hostile.html || fail 'a name was written as it was'

promise 'a browser renders it, light and narrow'
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || browser=
if [ -n "$browser" ]; then
    timeout 90 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir=profile \
        --window-size=500,1600 --screenshot=shot.png "file://$PWD/report.html" >log 2>&1
    size=$(wc -c <shot.png 2>/dev/null || echo 0)
    # An empty page of this size is some 6 KB.
    [ "$size" -gt 40000 ] || fail "the picture has $size bytes: $(tail -n 3 log)"
else
    echo 'the picture was not looked at: no browser here'
fi

finish
