#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles every public header alone, included twice, in one language.
# Usage: check.sh INCLUDE_DIR c|c++ COMPILER [FLAG...]
set -u
include=$1
language=$2
shift 2
failed=0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

for header in $(cd "$include" && find pdict -name '*.h' | sort); do
    printf '#include <%s>\n#include <%s>\nint pdict_headers_dummy;\n' "$header" "$header" >"$work/unit"
    if ! "$@" -I"$include" -x "$language" -fsyntax-only "$work/unit"; then
        echo "<$header> does not compile alone: $*"
        failed=1
    fi
done
exit $failed
