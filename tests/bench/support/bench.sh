# SPDX-License-Identifier: MIT
# What the scripts of tests/bench share: small runs of pdict-bench, and the checks on what they write.
#
#   promise 'a run names its seed'     names what the next checks are about
#   exits 2 "$BENCH" kv --keys x       runs; the output is then in the files out and err
#   says 'pattern'                     an extended regular expression that err matches
#   prints 'pattern'                   one that out matches
#   valid FILE                         JSON that fits bench/schema.json
#   holds FILE 'jq expression'         true of the JSON
#   finish                             last line: the exit code
set -u
: "${BENCH:?BENCH names pdict-bench}" "${SRC:?SRC names the source tree}"
command -v jq >/dev/null || {
    echo "skip jq is not installed"
    exit 77
}
[ -x "$BENCH" ] || {
    echo "skip pdict-bench is not in this build"
    exit 77
}
failures=0
name=setup

promise() {
    name=$1
}

fail() {
    failures=$((failures + 1))
    printf 'FAILED  %s\n        %s\n' "$name" "$*" >&2
}

exits() {
    expected=$1
    shift
    "$@" >out 2>err </dev/null
    code=$?
    [ "$code" -eq "$expected" ] || fail "exit $code, not $expected: $* ($(head -c 400 err))"
}

says() {
    grep -Eq -- "$1" err || fail "stderr \"$(head -c 400 err)\" does not match \"$1\""
}

prints() {
    grep -Eq -- "$1" out || fail "stdout does not match \"$1\": $(head -c 400 out)"
}

valid() {
    jq -r --slurpfile schema "$SRC/bench/schema.json" -f "$SRC/tests/bench/support/validate.jq" \
        "$1" >violations 2>&1 || fail "$1 cannot be validated: $(head -c 400 violations)"
    [ ! -s violations ] || fail "$1 does not fit the schema: $(head -n 5 violations)"
}

holds() {
    [ "$(jq "$2" "$1")" = true ] || fail "$1: does not hold: $2"
}

finish() {
    [ "$failures" -eq 0 ] || echo "$failures checks failed" >&2
    [ "$failures" -eq 0 ]
    exit $?
}
