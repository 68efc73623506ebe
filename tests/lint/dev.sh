#!/bin/sh
# SPDX-License-Identifier: MIT
# Each verb of ./dev explains itself, and a wrong argument is refused before anything is touched.
# Usage: dev.sh SOURCE-ROOT
set -u
dev=$1/dev
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# Whoever is called here has begun to work.
for tool in cmake ctest dpkg-query apt-get sudo rm xargs; do
    printf '#!/bin/sh\necho %s >>"%s/touched"\nexit 1\n' "$tool" "$work" >"$work/$tool"
    chmod +x "$work/$tool"
done

fail() {
    echo "dev: $*"
    cat "$work/out" "$work/err"
    failures=$((failures + 1))
}

# check STATUS PATTERN ARGUMENTS: it ends so, says so, and touches nothing.
check() {
    status=$1 pattern=$2
    shift 2
    PATH=$work:$PATH "$dev" "$@" >"$work/out" 2>"$work/err" </dev/null
    result=$?
    [ "$result" -eq "$status" ] || fail "./dev $* ended with $result, not $status"
    cat "$work/out" "$work/err" | grep -qe "$pattern" || fail "./dev $* does not say '$pattern'"
    [ ! -e "$work/touched" ] || fail "./dev $* called $(cat "$work/touched")"
    [ ! -e "$work/touched" ] || unlink "$work/touched"
}

verbs='demo test build bench lint format coverage fuzz crash powerloss faults soak mutants clean'
for verb in $verbs help; do
    check 0 "^usage: ./dev $verb" "$verb" --help
    check 0 "^usage: ./dev $verb" "$verb" -h
    check 0 "^usage: ./dev $verb" help "$verb"
done
for verb in demo test lint format coverage clean; do
    check 2 "$verb takes no arguments" "$verb" everything
done

check 0 '^  soak \[SECONDS\] \[OPTIONS\]' --help
check 0 '^  --kills N ' crash --help
check 0 '^  --states N ' powerloss --help
check 0 '^  --step N ' faults --help
check 0 '^  --threads N ' soak --help
check 2 'seconds are a number, not soon' soak soon
check 2 '^usage: ./dev soak \[SECONDS\] \[OPTIONS\]$' soak 5x --seed 3
check 2 '^usage: ./dev crash \[OPTIONS\]$' crash 200
check 2 'there is no preset fast, only: dev release' build fast
check 2 'there is no parser html, only: ' fuzz html
check 2 'seconds are a number, not long' fuzz cbor long
check 2 'no defect has' mutants 'no such defect'
check 1 'unknown verb tset' tset
check 1 'unknown verb tset' help tset
check 1 'unknown option --fast' --fast test
check 2 '^usage: ./dev'

[ "$failures" -eq 0 ]
