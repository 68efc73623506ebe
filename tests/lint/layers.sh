#!/bin/sh
# SPDX-License-Identifier: MIT
# Walks the #include lines: arrows between the parts of the tree, and between core's rooms, run down only.
# Usage: layers.sh [ROOT]
set -u
cd "${1:-.}" || exit 99
failed=0

bad() {
    echo "$file:$line: includes $target: $1"
    failed=1
}

# C11, POSIX and Linux; anything else in angle brackets is somebody's library.
is_system() {
    case $1 in
    sys/* | linux/* | assert.h | ctype.h | dirent.h | dlfcn.h | endian.h | errno.h | fcntl.h | \
        float.h | inttypes.h | limits.h | malloc.h | math.h | poll.h | pthread.h | sched.h | \
        semaphore.h | setjmp.h | signal.h | stdalign.h | stdarg.h | stdatomic.h | stdbool.h | \
        stddef.h | stdint.h | stdio.h | stdlib.h | stdnoreturn.h | string.h | strings.h | \
        threads.h | time.h | unistd.h | wchar.h) return 0 ;;
    esac
    return 1
}

# The rooms that files of a room may see.
rooms_below() {
    case $1 in
    base) echo " base " ;;
    value) echo " base value " ;;
    store) echo " base store " ;;
    map) echo " base value store map " ;;
    open) echo " base value store map open " ;;
    upkeep) echo " base value store map upkeep " ;;
    *) echo " " ;;
    esac
}

check_core() {
    room=${file#core/}
    room=${room%%/*}
    case $(rooms_below "$room") in
    " ") bad "core/$room is no room; base, value, store, map, open and upkeep are" && return ;;
    esac
    case $target in
    '<pdict/'*) ;;
    '<xxhash.h>') [ "$file" = core/base/hash.c ] || bad "only core/base/hash.c uses xxHash" ;;
    '<'*) is_system "$name" || bad "core uses nothing but libc and threads" ;;
    *..* | '"backends/'* | '"codecs/'* | '"tools/'* | '"pdict/'*) bad "not a header of core" ;;
    */*)
        case $(rooms_below "$room") in
        *" ${name%%/*} "*) ;;
        *) bad "core/$room may see only:$(rooms_below "$room")" ;;
        esac
        ;;
    *) [ -f "core/$room/$name" ] || bad "write \"room/header.h\"" ;;
    esac
}

check_extension() {
    case $target in
    '<pdict/ext/'*) ;;
    '<pdict/'*) bad "extensions see only <pdict/ext/*.h> of ours" ;;
    '<'*) ;;
    */*) bad "extensions see neither core/ nor each other" ;;
    *)
        # A header of its own folder; files lying side by side are different extensions.
        case $file in
        */*/*) [ -f "${file%/*}/$name" ] || bad "not in its own folder" ;;
        *) bad "an extension of more than one file lives in its own folder" ;;
        esac
        ;;
    esac
}

check_user() {
    case $target in
    '<pdict/ext/'*)
        # Some examples show how to write an extension, and a bench may measure an altered one.
        case ${file%%/*} in
        examples | bench) ;;
        *) bad "only examples and benches may use <pdict/ext/>" ;;
        esac
        ;;
    '<'*) ;;
    *..*) bad "leaves its folder" ;;
    '"cli/'*) [ -f "tools/$name" ] || bad "not a header of tools/cli" ;;
    *) [ -f "${file%/*}/$name" ] || [ -f "${file%%/*}/$name" ] || bad "not a header of its own" ;;
    esac
}

check_public() {
    case $target in
    '<pdict/'*) ;;
    '<'*) is_system "$name" || bad "public headers include no third-party header" ;;
    *) bad "public headers write <pdict/...>" ;;
    esac
}

list=$(mktemp) || exit 99
trap 'rm -f "$list"' EXIT
for folder in core include backends codecs tools examples bench; do
    [ -d "$folder" ] && find "$folder" -name '*.[ch]' -type f
done | sort | xargs grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null |
    sed -E 's/^([^:]*):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*(<[^>]*>|"[^"]*"|[^ ]*).*/\1 \2 \3/' >"$list"

while read -r file line target; do
    name=${target#[<\"]}
    name=${name%[>\"]}
    case $file in
    core/*) check_core ;;
    include/*) check_public ;;
    backends/* | codecs/*) check_extension ;;
    *) check_user ;;
    esac
done <"$list"
exit $failed
