# SPDX-License-Identifier: MIT
# pdict-bench: bad command lines and files end with code 2 and a sentence that says what to do.
. "$SRC/tests/bench/support/bench.sh"

refused() {
    wanted=$1
    shift
    promise "refused: $*"
    exits 2 "$BENCH" "$@"
    says "$wanted"
}

refused 'did you mean codec' codecc
refused 'did you mean --target' kv --tarket raw:null
refused 'did you mean raw:sqlite' kv -t raw:sqlitr
refused 'did you mean pdict:memory' kv -t pdict:memorry
refused 'did you mean get-cold' kv -w get-kold
refused 'did you mean zstd' codec --data . --codecs zstdd:3
refused 'not a level' codec --data . --codecs zstd:99
refused 'did you mean xchacha20' codec --data . --cipher xchacha
refused 'whole number' kv --keys 3
refused 'not a number' kv --keys many
refused 'duration' kv --time soon
refused 'given twice' kv --keys 1000 --keys 2000
refused 'wants an argument' kv --keys
refused 'only pdict: targets' kv -t 'raw:sqlite?cache=1'
refused 'did you mean full' kv --durability ful
refused 'did you mean P13' goals --only P133
refused 'No such file' codec --data nowhere
refused 'data is missing' codec
refused 'nothing.so' kv --extension ./nothing.so
refused 'usage: pdict-bench compare' compare one.json
echo '{"schema_version": 9, "rows": []}' >future.json
refused 'schema_version' report future.json
echo 'not json' >broken.json
refused 'broken.json' report broken.json
echo '{"op":"sing","key":"a"}' >song.jsonl
refused 'line 1.*none of get' replay song.jsonl
refused 'two are needed' codec --data song.jsonl

promise 'the help of every verb names its options'
for verb in kv ycsb procs churn replay policies codec recommend goals compare report list; do
    exits 0 "$BENCH" $verb --help
    prints "^Usage: pdict-bench $verb"
done

promise 'a directory that is not there is an error of its own'
exits 3 "$BENCH" kv --quick --dir /nowhere/at/all
says '/nowhere/at/all'

finish
