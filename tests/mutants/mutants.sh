#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts one defect after the other into a copy of the tree, and shows which test catches it.
# Usage: mutants.sh [--quick] [NAME-PATTERN]; --quick does not run those of the model test, and only
# looks whether their lines are still there.
# PDICT_MUTANTS_DIR: where to build, kept for the next run; otherwise a temporary directory.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
quick=false
[ "${1:-}" = --quick ] && quick=true && shift
pattern=${1:-}
work=${PDICT_MUTANTS_DIR:-$(mktemp -d)}
tree=$work/tree
build=$work/build
longest=120 # seconds; a test that hangs has failed
caught=0
missed=0

die() {
    echo "mutants: $*" >&2
    exit 2
}

# Only what differs is copied, so that only that is compiled again.
copy_tree() {
    mkdir -p "$tree"
    (cd "$src" && find . \( -path ./build -o -path ./.git \) -prune -o -type f -print) |
        LC_ALL=C sort >"$work/files"
    (cd "$tree" && find . -type f) | LC_ALL=C sort | LC_ALL=C comm -13 "$work/files" - |
        while read -r file; do rm "$tree/$file"; done
    while read -r file; do
        cmp -s "$src/$file" "$tree/$file" && continue
        mkdir -p "$(dirname "$tree/$file")"
        cp -p "$src/$file" "$tree/$file"
        touch "$tree/$file"
    done <"$work/files"
}

configure() {
    cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1 \
        -DPDICT_PLAIN_RUNNER=ON -DPDICT_TOOLS=OFF -DPDICT_EXAMPLES=OFF -DPDICT_BENCH=OFF \
        -DPDICT_INSTALL=OFF -DPDICT_WERROR=OFF >"$work/log" 2>&1 || { cat "$work/log"; die "cmake failed"; }
}

# The program of a test: unit.gate, fault.calls, model, powerloss.
target_of() {
    case $1 in
    model) echo model_test ;;
    powerloss) echo powerloss_test ;;
    *) echo "test_$1" | tr . _ ;;
    esac
}

compile() {
    ninja -C "$build" "$(target_of "$1")" >"$work/log" 2>&1 && return
    tail -20 "$work/log"
    die "the tree does not build; see $work"
}

# run KIND ARGUMENT: 0 passed; otherwise failed, or took too long.
run() {
    case $1 in
    model) set -- tests/model/model_test --backend "$2" --ops 30000 ;;
    powerloss) set -- tests/crash/powerloss_test --backend "$2" --states 300 --durability full ;;
    *) set -- "tests/$(target_of "$1")" "$2" ;;
    esac
    program=$build/$1
    shift
    # From a directory of its own, without a way back to the terminal.
    timeout "$longest" "$program" "$@" </dev/null >"$work/log" 2>&1
}

# A test that fails without a defect, or is skipped, proves nothing.
check_sound() {
    key=$(echo "$1.$2" | tr -c 'a-z0-9_\n' _)
    [ -e "$work/sound/$key" ] && return
    run "$1" "$2" || { cat "$work/log"; die "$1 $2 does not pass as it is"; }
    mkdir -p "$work/sound"
    : >"$work/sound/$key"
}

report() {
    if [ "$1" -eq 0 ]; then
        missed=$((missed + 1))
        echo "MISSED  $2"
    else
        caught=$((caught + 1))
        printf 'caught  %5d ms  %s: %s\n' "$3" "$2" "$4"
    fi
}

# mutant NAME FILE SED-SCRIPT TEST ARGUMENT
mutant() {
    name=$1 file=$2
    case $name in
    *"$pattern"*) ;;
    *) return ;;
    esac
    sed "$3" "$src/$file" >"$work/mutated"
    if cmp -s "$src/$file" "$work/mutated"; then
        echo "STALE   $name: the line is no longer in $file"
        missed=$((missed + 1))
        return
    fi
    $quick && [ "$4" = model ] && return
    compile "$4"
    check_sound "$4" "$5"
    cp "$work/mutated" "$tree/$file"
    compile "$4"
    began=$(date +%s%N)
    run "$4" "$5"
    result=$?
    report $result "$name" $((($(date +%s%N) - began) / 1000000)) "$4 $5"
    cp -p "$src/$file" "$tree/$file"
    touch "$tree/$file"
}

copy_tree
configure
rm -rf "$work/sound"
for list in named model; do
    . "$src/tests/mutants/$list.list"
done
[ -n "${PDICT_MUTANTS_DIR:-}" ] || rm -rf "$work"
echo "$caught caught, $missed missed"
[ "$missed" -eq 0 ] && [ "$caught" -gt 0 ]
