# SPDX-License-Identifier: MIT
# Instructions of three fixed pieces of work under callgrind, held to within 2 % of the noted ones.
#   instructions.sh PROGRAM COMPILER [--update]
# The noted ones are those of one toolchain and build; on another there is nothing to hold them to.
set -u
program=$1
compiler=$2
noted=$SRC/tests/bench/support/instructions.txt
tolerance=2 # percent
count=400

command -v valgrind >/dev/null || {
    echo "skip valgrind is not installed"
    exit 77
}
toolchain="$("$compiler" -dumpfullversion) $(uname -m) sqlite $(sqlite3 --version | cut -d ' ' -f 1)"

# Instructions of one run.
counted() {
    rm -f instructions.db*
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>log ||
        { cat log >&2 && exit 99; }
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' log
}

per_operation() {
    once=$(counted "$1" $count)
    twice=$(counted "$1" $((2 * count)))
    echo $(((twice - once) / count))
}

if [ "${3:-}" = --update ]; then
    {
        echo "# Instructions an operation; made by tests/bench/support/instructions.sh --update."
        echo "toolchain $toolchain"
        for work in get put codec; do
            echo "$work $(per_operation $work)"
        done
    } >"$noted"
    cat "$noted"
    exit 0
fi

[ -f "$noted" ] && [ "$(sed -n 's/^toolchain //p' "$noted")" = "$toolchain" ] || {
    echo "skip no instructions are noted for $toolchain"
    exit 77
}
failed=0
for work in get put codec; do
    now=$(per_operation $work)
    then=$(sed -n "s/^$work //p" "$noted")
    echo "$work: $now instructions an operation, $then noted"
    if [ $((now * 100)) -gt $((then * (100 + tolerance))) ]; then
        echo "$work costs over $tolerance % more than noted"
        failed=1
    fi
done
exit $failed
