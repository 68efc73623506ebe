#!/bin/sh
# SPDX-License-Identifier: MIT
# The first line of every source file (second, after #!) names the licence; the next says what it is for.
# Usage: spdx.sh [ROOT]
set -u
cd "${1:-.}" || exit 99
find . \( -name .git -o -name build \) -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.cmake' -o -name CMakeLists.txt -o -path ./dev -o -path ./.ci/run \) \
    -print | sort | while read -r file; do
    sed -e '1{/^#!/d;}' "$file" | awk -v "file=$file" '
        NR == 1 && !/SPDX-License-Identifier: MIT/ { print file ": no SPDX line first"; exit }
        NR == 2 && !/^(#|\/\*) [A-Za-z`.0-9]/ { print file ": no sentence on what the file is for" }
        NR == 2 { exit }'
done | { ! grep .; }
