#!/bin/sh
# SPDX-License-Identifier: MIT
# What libpdict.so exports is exactly the list, and what its objects import surprises no host program.
# Usage: symbols.sh LIBRARY LIST [OBJECT...]     symbols.sh --update LIBRARY LIST
set -u
update=false
if [ "${1:-}" = --update ]; then
    update=true
    shift
fi
[ $# -ge 2 ] || { sed -n 's/^# Usage: //p' "$0"; exit 99; }
library=$1
list=$2
shift 2
failed=0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    LC_ALL=C sort -u >"$work/exported"
[ -s "$work/exported" ] || { echo "$library exports nothing"; exit 1; }
if $update; then
    cp "$work/exported" "$list"
    exit 0
fi

if ! diff -u "$list" "$work/exported" >"$work/diff"; then
    tail -n +3 "$work/diff"
    echo "The exported symbols are not those of $list. If that is meant:"
    echo "  sh tests/lint/symbols.sh --update $library $list"
    failed=1
fi
if grep -vE '^pdict_[a-z]' "$work/exported"; then
    echo "The above must not be exported: public names are pdict_ and a letter."
    failed=1
fi

# A library leaves the process alone: its streams, signals, environment, locale, directory and life.
forbidden='exit|_exit|_Exit|quick_exit|abort|atexit|signal|sigaction|printf|puts|putchar|perror|__printf_chk|stdout|stderr|setlocale|chdir|fchdir|getenv|secure_getenv|setenv|putenv'
for object in "$@"; do
    nm -u "$object" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -xE "$forbidden" |
        sed "s|^|$object uses |" >>"$work/uses"
done
if [ -s "$work/uses" ]; then
    cat "$work/uses"
    failed=1
fi
exit $failed
