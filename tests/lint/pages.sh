#!/bin/sh
# SPDX-License-Identifier: MIT
# Every built-in extension has its page, and every page the same headings in the same order.
# Usage: pages.sh [ROOT]
set -u
cd "${1:-.}" || exit 99
failed=0
wanted='Synopsis|Options|Guarantees|Threads|Files on disk|Limits|Failure modes|Since'

for kind in backend codec; do
    for name in $(sed -n "s/^ *pdict_$kind(\([a-z0-9_]*\).*/\1/p" ${kind}s/CMakeLists.txt); do
        if [ ! -f "docs/${kind}s/$name.md" ]; then
            echo "docs/${kind}s/$name.md is missing"
            failed=1
        fi
    done
    for page in docs/${kind}s/*.md; do
        [ -f "$page" ] || continue
        got=$(sed -n 's/^## *//p' "$page" | sed 's/ *$//' | grep -xE "$wanted" | paste -s -d '|')
        if [ "$got" != "$wanted" ]; then
            echo "$page: its ## headings must be, in this order: $wanted"
            echo "$page: found: $got"
            failed=1
        fi
    done
done
exit $failed
