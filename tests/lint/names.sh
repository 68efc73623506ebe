#!/bin/sh
# SPDX-License-Identifier: MIT
# core/ names no engine and no algorithm, except in comments.
# Usage: names.sh [ROOT]
set -u
cd "${1:-.}" || exit 99

# The built-ins by the symbols of their tables, and the libraries behind them by any name.
symbols=$(for kind in backend codec; do
    for source in ${kind}s/*.c ${kind}s/*/; do
        [ -e "$source" ] && basename "$source" .c | sed "s/^/pdict__${kind}_/"
    done
done | paste -s -d '|')
words='sqlite|lmdb|mdb_|zstd|zlib|deflate|lz4|sodium|argon2|chacha|libcbor|jansson'

find core -name '*.[ch]' -type f | sort | xargs awk -v "symbols=(${symbols:-pdict__backend_})([^a-z0-9_]|\$)" \
    -v "words=$words" '
# Code without comments: a small machine over characters, so that strings stay code.
FNR == 1 { in_comment = 0 }
{
    code = ""
    for (i = 1; i <= length($0); i++) {
        c = substr($0, i, 1)
        two = substr($0, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
        } else if (quote != "") {
            code = code c
            if (c == "\\") code = code substr($0, ++i, 1)
            else if (c == quote) quote = ""
        } else if (two == "/*") { in_comment = 1; i++ }
        else if (two == "//") break
        else {
            code = code c
            if (c == "\"" || c == "\047") quote = c
        }
    }
    quote = ""
    if (code ~ symbols || tolower(code) ~ words) {
        print FILENAME ":" FNR ": core names an extension: " $0
        failed = 1
    }
}
END { exit failed }'
