# SPDX-License-Identifier: MIT
# What the scripts of tests/cli share: a directory of their own, promises, and their checks.
#
#   promise 'an absent key exits 1'     names what the next checks are about
#   exits 1 "$PDICT" get a.db k         runs; the output is then in the files out and err
#   prints 'text'                       what out holds, to the byte
#   says 'pattern'                      an extended regular expression that err matches
#   same file file                      equal bytes
#   holds command...                    a command that succeeds
#   finish                              last line: the exit code
set -u
: "${PDICT:?PDICT names the tool}" "${SRC:?SRC names the source tree}"
unset PDICT_PASSPHRASE PDICT_PASSPHRASE_FILE
"$PDICT" version >/dev/null || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/pdict-cli-XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
umask 077
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

# As exits, with standard input from the file named second.
exits_from() {
    expected=$1
    input=$2
    shift 2
    "$@" >out 2>err <"$input"
    code=$?
    [ "$code" -eq "$expected" ] || fail "exit $code, not $expected: $* ($(head -c 400 err))"
}

prints() {
    printf '%s' "$1" >wanted
    cmp -s wanted out || fail "printed \"$(head -c 400 out)\", not \"$1\""
}

says() {
    grep -Eq -- "$1" err || fail "stderr \"$(head -c 400 err)\" does not match \"$1\""
}

same() {
    cmp "$1" "$2" >/dev/null 2>&1 || fail "$1 and $2 differ"
}

holds() {
    "$@" >/dev/null 2>&1 || fail "does not hold: $*"
}

# A secret and a cheap derivation: what encrypted maps need here.
make_secrets() {
    printf 'correct horse\n' >pass
    printf 'battery staple\n' >wrong
    head -c 32 /dev/urandom >key
}

# Flip one bit of the stored bytes of a key; the file is SQLite's.
flip_bit() {
    row=$(sqlite3 "$1" "select hex(value) from kv_1 where key = cast('$2' as blob)")
    [ -n "$row" ] || fail "no row for $2"
    last=${row#"${row%?}"}
    case $last in
    0) other=1 ;;
    *) other=0 ;;
    esac
    sqlite3 "$1" "update kv_1 set value = x'${row%?}$other' where key = cast('$2' as blob)"
}

finish() {
    [ "$failures" -eq 0 ] || echo "$failures checks failed" >&2
    [ "$failures" -eq 0 ]
}
