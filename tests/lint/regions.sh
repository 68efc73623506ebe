#!/bin/sh
# SPDX-License-Identifier: MIT
# The code in docs/ that names a region of a file is that region, to the letter; --update makes it so.
# Usage: regions.sh [--update] [ROOT]
#
# In a page: <!-- region FILE NAME -->, then a ```c block. In the file: /* [NAME] */ before and after.
set -u
update=false
if [ "${1:-}" = --update ]; then
    update=true
    shift
fi
cd "${1:-.}" || exit 99
failed=0
fresh=$(mktemp) || exit 99
trap 'rm -f "$fresh"' EXIT

for page in docs/*.md; do
    [ -f "$page" ] || continue
    awk '
    function region(file, name,    line, inside, found) {
        while ((getline line < file) > 0) {
            if (line == "/* [" name "] */") { inside = !inside; found = 1 }
            else if (inside) print line
        }
        close(file)
        if (!found || inside) print "no region " name " in " file
    }
    /^<!-- region / { file = $3; name = $4 }
    in_block && /^```/ { in_block = 0 }
    !in_block { print }
    /^```c$/ && file != "" { region(file, name); in_block = 1; file = "" }' "$page" >"$fresh"
    cmp -s "$page" "$fresh" && continue
    if $update; then
        cp "$fresh" "$page"
    else
        diff -u "$page" "$fresh"
        echo "$page: run sh tests/lint/regions.sh --update"
        failed=1
    fi
done
exit $failed
