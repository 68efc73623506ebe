#!/bin/sh
# SPDX-License-Identifier: MIT
# The record of file calls is complete: strace sees the same calls, and not one sync beside it.
# Usage: recorder.sh POWERLOSS_TEST BACKEND
set -u
program=$1
backend=$2
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

strace -o /dev/null true 2>"$work/reason" || {
    echo "skipped: strace cannot trace here: $(head -n 1 "$work/reason")"
    exit 77
}
# The leak checker of a sanitized build traces its own process, so it cannot be traced.
ASAN_OPTIONS=detect_leaks=0 strace -f -y -qq -o "$work/trace" \
    -e trace=write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,rename,renameat,renameat2,fsync,fdatasync,sync_file_range,msync,copy_file_range,sendfile \
    "$program" --mode record --backend "$backend" --durability full >"$work/out" || {
    cat "$work/out"
    exit 1
}

# Calls on files of the store: those whose descriptor or path is in the watched directory.
grep -E 'pdict-crash-[^/>"]*/' "$work/trace" | grep -v ' = -1 ' >"$work/store"
count() {
    grep -cE "^[0-9]+ +($1)\(" "$work/store"
}
seen="writes $(count 'write|pwrite64|writev|pwritev|pwritev2') cuts $(count 'ftruncate|truncate|fallocate') renames $(count 'rename|renameat|renameat2')"
others=$(count 'sync_file_range|msync|copy_file_range|sendfile|fsync|fdatasync')
recorded=$(sed -n 's/^recorded //p' "$work/out")

echo "recorded: $recorded"
echo "strace:   $seen, others $others"
[ "$seen" = "$recorded" ] && [ "$others" -eq 0 ]
