#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the examples of a backend and a codec outside the tree, against what is installed, and proves them.
# Usage: extensions.sh SOURCE_DIR BUILD_DIR
# CC is the compiler.
set -eu
source=$1
build=$2
cc=${CC:-cc}
CMAKE_GENERATOR=Ninja
export CMAKE_GENERATOR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Print the log of a command only when it fails.
quietly() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
}

# make_extension FOLDER
make_extension() {
    cp -r "$source/examples/$1" "$work/$1"
    quietly cmake -S "$work/$1" -B "$work/$1/build" -D CMAKE_C_COMPILER="$cc" \
        -D CMAKE_C_FLAGS=-Werror -D CMAKE_PREFIX_PATH="$work/prefix"
    quietly cmake --build "$work/$1/build"
}

# prove LIBRARY KIND NAME LEAST: no case fails, and at least so many pass.
prove() {
    "$work/prefix/bin/pdict-conformance" --extension "$1" "--$2" "$3" >"$work/log" || {
        grep -B 1 FAIL "$work/log"
        exit 1
    }
    tail -n 1 "$work/log"
    passed=$(tail -n 1 "$work/log" | sed 's/.*: \([0-9]*\) passed.*/\1/')
    [ "$passed" -ge "$4" ] || {
        echo "only $passed cases passed, at least $4 were expected"
        exit 1
    }
}

quietly cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix"
make_extension 05-own-backend
make_extension 06-own-codec
prove "$work/05-own-backend/build/libshelf.so" backend shelf 120
prove "$work/06-own-codec/build/libruns.so" codec runs 20

echo "== what is no extension is refused with a reason"
if "$work/prefix/bin/pdict-conformance" --extension "$work/prefix/lib/nothing.so" 2>"$work/log"; then
    echo "a library that is not there was loaded"
    exit 1
fi
grep "nothing.so" "$work/log"
