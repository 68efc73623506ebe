#!/bin/sh
# SPDX-License-Identifier: MIT
# The options an extension declares and those its page lists are the same, both ways.
# Usage: docs.sh PDICT [ROOT]     PDICT is run as: PDICT info --json
set -u
pdict=$1
cd "${2:-.}" || exit 99
failed=0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

"$pdict" info --json >"$work/info.json" || { echo "$pdict info --json failed"; exit 1; }

for kind in backend codec; do
    jq -r ".${kind}s[].name" "$work/info.json" >"$work/names" || exit 1
    [ -s "$work/names" ] || { echo "info --json lists no ${kind}s"; failed=1; }
    while read -r name; do
        page=docs/${kind}s/$name.md
        if [ ! -f "$page" ]; then
            echo "$page is missing"
            failed=1
            continue
        fi
        jq -r --arg name "$name" ".${kind}s[] | select(.name == \$name) | .options[]?.name" \
            "$work/info.json" | LC_ALL=C sort >"$work/spec" || exit 1
        # First column of the tables under "## Options", when it is in backticks.
        awk '/^## / { in_options = ($0 ~ /^## *Options/) }
             in_options && match($0, /^\| *`[^`]+`/) {
                 option = substr($0, RSTART, RLENGTH); gsub(/[|` ]/, "", option); print option
             }' "$page" | LC_ALL=C sort >"$work/page"
        LC_ALL=C comm -23 "$work/spec" "$work/page" |
            sed "s|.*|$page: option & is not in the Options table|" >"$work/differences"
        LC_ALL=C comm -13 "$work/spec" "$work/page" |
            sed "s|.*|$page: option & does not exist in the code|" >>"$work/differences"
        if [ -s "$work/differences" ]; then
            cat "$work/differences"
            failed=1
        fi
    done <"$work/names"
done
exit $failed
