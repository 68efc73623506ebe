# SPDX-License-Identifier: MIT
# Instructions of three fixed pieces of work under callgrind: none may cost 2 % more than noted.
#   instructions.sh PROGRAM COMPILER [--update]
# Counted is what runs in libpdict itself: what libc and the engines do depends on the processor, and
# on their packages. So the figures are those of a compiler and of the headers that are compiled in;
# with others there is nothing to hold them to.
set -u
program=$(realpath "$1")
compiler=$2
noted=$(realpath "$SRC")/tests/bench/support/instructions.txt
tolerance=2 # percent
count=2000
tries=3 # a map draws the seed of its hash

command -v valgrind >/dev/null || {
    echo "skip valgrind is not installed"
    exit 77
}
toolchain="gcc $("$compiler" -dumpfullversion) $(uname -m)"
for module in libxxhash sqlite3 libzstd libsodium; do
    toolchain="$toolchain $module $(pkg-config --modversion $module)"
done

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
cd "$room" || exit 1

# Of one operation; nothing: it failed. Lines of costs stand below the object they belong to; the one
# behind calls= counts what was called there once more.
per_operation() {
    rm -f instructions.db*
    valgrind --tool=callgrind --collect-atstart=no --toggle-collect=measured --compress-strings=no \
        --compress-pos=no --callgrind-out-file=counts "$program" "$1" "$count" >log 2>&1 || {
        cat log >&2
        return 1
    }
    awk -v count="$count" '
         /^ob=/ { is_ours = /libpdict/ }
         /^calls=/ { getline; next }
         /^[0-9]/ && is_ours { sum += $2 }
         END { printf "%.0f\n", sum / count }' counts
}

if [ "${3:-}" = --update ]; then
    {
        echo "# Instructions of libpdict for an operation; made by instructions.sh --update."
        echo "toolchain $toolchain"
        for work in hit put codec; do
            echo "$work $(per_operation $work)"
        done
    } >"$noted"
    cat "$noted"
    exit 0
fi

[ "$(sed -n 's/^toolchain //p' "$noted")" = "$toolchain" ] || {
    echo "skip no instructions are noted for $toolchain"
    exit 77
}

# held WORK NOTED: 0 as noted or less, 1 more in every try, 2 it cannot be counted.
held() {
    for _ in $(seq $tries); do
        now=$(per_operation "$1")
        [ -n "$now" ] && [ "$now" -gt 0 ] || return 2
        echo "$1: $now instructions an operation, $2 noted"
        [ $((now * 100)) -le $(($2 * (100 + tolerance))) ] && return 0
    done
    return 1
}

failed=0
for work in hit put codec; do
    held $work "$(sed -n "s/^$work //p" "$noted")"
    case $? in
    0) ;;
    1)
        echo "$work costs over $tolerance % more than noted; CONTRIBUTING.md says how to note a new figure"
        failed=1
        ;;
    *)
        echo "$work cannot be counted"
        failed=1
        ;;
    esac
done
exit $failed
