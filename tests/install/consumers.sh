#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs into an empty prefix, moves it, and builds and runs programs outside the tree against it.
# Usage: consumers.sh SOURCE_DIR BUILD_DIR
# CC is the compiler. Each consumer is a copy of examples/01-hello.c.
set -eu
source=$1
build=$2
cc=${CC:-cc}
CMAKE_GENERATOR=Ninja
export CMAKE_GENERATOR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() {
    printf '== %s\n' "$*"
}

# Each program runs in a directory of its own; what they print must agree.
run() {
    mkdir "$work/run-$1"
    (cd "$work/run-$1" && shift && "$@") >"$work/printed-$1"
    if [ -f "$work/expected" ]; then
        diff "$work/expected" "$work/printed-$1"
    else
        cp "$work/printed-$1" "$work/expected"
        cat "$work/expected"
    fi
}

say "install, and move what was installed"
cmake --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/prefix"
pc=$(find "$work/prefix" -name pdict.pc)
PKG_CONFIG_PATH=${pc%/*}
LD_LIBRARY_PATH=${PKG_CONFIG_PATH%/pkgconfig}
export PKG_CONFIG_PATH LD_LIBRARY_PATH

for linkage in shared static; do
    say "find_package, $linkage"
    cp -r "$source/tests/install/consumer" "$work/$linkage"
    cp "$source/examples/01-hello.c" "$work/$linkage/hello.c"
    cmake -S "$work/$linkage" -B "$work/$linkage/build" -D CMAKE_C_COMPILER="$cc" \
        -D CMAKE_PREFIX_PATH="$work/prefix" -D LINKAGE=$linkage >"$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
    cmake --build "$work/$linkage/build" >"$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
    run $linkage "$work/$linkage/build/hello"
done
if ldd "$work/static/build/hello" | grep libpdict; then
    echo "the static consumer uses the shared library"
    exit 1
fi

say "cc \$(pkg-config --cflags --libs pdict)"
cp "$source/examples/01-hello.c" "$work/hello.c"
# shellcheck disable=SC2046
$cc -Wall -Wextra -Werror -o "$work/hello" "$work/hello.c" $(pkg-config --cflags --libs pdict)
run pkg-config "$work/hello"

say "add_subdirectory"
cp -r "$source/tests/install/embedder" "$work/embedder"
cp "$source/examples/01-hello.c" "$work/embedder/hello.c"
cmake -S "$work/embedder" -B "$work/embedder/build" -D CMAKE_C_COMPILER="$cc" \
    -D PDICT_SOURCE="$source" >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
cmake --build "$work/embedder/build" --parallel 2 >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
run embedder "$work/embedder/build/hello"

if [ -x "$work/prefix/bin/pdict" ]; then
    say "the installed command finds its library"
    unset LD_LIBRARY_PATH
    "$work/prefix/bin/pdict" --help >"$work/log" || exit 1
fi
