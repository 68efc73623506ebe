#!/bin/sh
# SPDX-License-Identifier: MIT
# Every C file is as clang-format leaves it; ./dev format makes it so.
# Usage: format.sh [ROOT]
set -u
cd "${1:-.}" || exit 99
formatter=${CLANG_FORMAT:-clang-format}
for folder in core include backends codecs tools examples bench tests; do
    [ -d "$folder" ] && find "$folder" -name '*.[ch]' -type f
done | sort | xargs "$formatter" --dry-run -Werror --ferror-limit=2
