#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job on real data: every package record of this machine, through four codec pipelines.
#
# PDICT names the tool; HELLO, if set, the built examples/01-hello; STATUS another deb822 file.
set -eu
: "${PDICT:?PDICT names the pdict tool}"
status=${STATUS:-/var/lib/dpkg/status}
source=$(cd "$(dirname "$0")/.." && pwd)
unset PDICT_PASSPHRASE PDICT_PASSPHRASE_FILE

work=$(mktemp -d "${TMPDIR:-/tmp}/pdict-demo-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
umask 077

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
fi

title() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# Show a command as a user types it, then run it.
show() {
    printf '%s$ pdict %s%s\n' "$dim" "$*" "$plain"
    "$PDICT" "$@"
}

# One number of the JSON report on standard input.
number() {
    sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"
}

grouped() {
    printf '%.0f' "$1" | sed -e ':a' -e 's/^\([0-9]\{1,\}\)\([0-9]\{3\}\)/\1,\2/' -e 'ta'
}

# Of three numbers, one a line.
median() {
    sort -n "$1" | sed -n 2p
}

fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

[ -s "$status" ] || fail "$status has no records, name another deb822 file by STATUS"
# The machine may install something meanwhile.
cp "$status" records
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >password
printf 'not the password\n' >wrong
sed -n 's/^Package: //p' records >names
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    shuf names
done >keys

title "$("$PDICT" version): every record of $status in SQLite, key Package"
printf '\n  %-18s %7s %11s %11s %11s %7s %11s %11s\n' codecs records 'bytes in' 'as stored' \
    'file' ratio 'load/s' 'get/s'

for codecs in none zlib zstd zstd,xchacha20; do
    name=$(echo "$codecs" | tr , -)
    secret=
    case $codecs in
    *xchacha20) secret='--passphrase-file password' ;;
    esac
    : >loads
    : >gets
    # An empty $secret is no argument.
    # shellcheck disable=SC2086
    for _ in 1 2 3; do
        rm -f "$name".db*
        "$PDICT" init "$name.db" --codecs "$codecs" $secret --quiet
        "$PDICT" load "$name.db" records --format deb822 --key Package $secret --json >load.json
        "$PDICT" get "$name.db" --keys-from keys --measure $secret --json >get.json
        number records_per_second <load.json >>loads
        number gets_per_second <get.json >>gets
    done
    # shellcheck disable=SC2086
    "$PDICT" stat "$name.db" $secret --json >stat.json
    # shellcheck disable=SC2086
    "$PDICT" dump "$name.db" $secret --format deb822 >back
    cmp -s back records || fail "$codecs: the records that came back differ from $status"
    logical=$(number logical_bytes <stat.json)
    stored=$(number stored_bytes <stat.json)
    printf '  %-18s %7s %11s %11s %11s %6sx %11s %11s\n' "$codecs" \
        "$(grouped "$(number count <stat.json)")" "$(grouped "$logical")" "$(grouped "$stored")" \
        "$(grouped "$(number file_bytes <stat.json)")" \
        "$(awk "BEGIN { printf \"%.2f\", $logical / $stored }")" \
        "$(grouped "$(median loads)")" \
        "$(grouped "$(median gets)")"
done
printf '\n'
printf '  Every record came back byte for byte. Load: read, checked, put in one commit, synced;\n'
printf '  get: each key 20 times in random order, one thread, decoded, discarded. Medians of 3.\n'
printf '  Opening the encrypted map is not in them: its password costs %.2f s and 256 MiB.\n' \
    "$(number open_seconds <load.json)"

title 'One record, and the keys that share a prefix'
show get zstd.db dpkg | sed -n '1,6p'
echo '...'
show ls zstd.db libs --long --limit 5

title 'The same file in the sqlite3 shell: keys and times are plain columns'
query='select key, created, size from main limit 4'
printf '%s$ sqlite3 -box zstd.db "%s"%s\n' "$dim" "$query" "$plain"
sqlite3 -box zstd.db "$query"
printf '%s$ sqlite3 zstd.db "pragma integrity_check"%s\n' "$dim" "$plain"
sqlite3 zstd.db 'pragma integrity_check'

title 'Without its password the encrypted map gives nothing away'
for word in Package: Maintainer Description; do
    printf '  %-14s %6s lines in none.db %6s in zstd-xchacha20.db\n' "$word" \
        "$(strings -n 4 none.db | grep -c "$word")" \
        "$(strings -n 4 zstd-xchacha20.db* | grep -c "$word" || true)"
done
before=$(sha256sum zstd-xchacha20.db)
code=0
show set zstd-xchacha20.db dpkg gone --passphrase-file wrong 2>&1 || code=$?
[ "$code" -eq 12 ] || fail "a wrong password exits $code, not 12"
[ "$before" = "$(sha256sum zstd-xchacha20.db)" ] || fail 'a wrong password changed the file'
echo 'exit 12, and the file is as it was, to the bit.'

title 'The same in C'
if [ -f "$source/examples/01-hello.c" ]; then
    sed -n '/^int main/,/^}/p' "$source/examples/01-hello.c" | sed 's/^/  /'
fi
if [ -n "${HELLO:-}" ]; then
    printf '%s$ %s%s\n' "$dim" "$(basename "$HELLO")" "$plain"
    "$HELLO"
fi
