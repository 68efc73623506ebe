#!/bin/sh
# SPDX-License-Identifier: MIT
# Run a command in a directory of its own, removed afterwards unless PDICT_KEEP is set.
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/pdict-test-XXXXXX") || exit 99
cd "$dir" || exit 99
"$@"
status=$?
if [ -n "${PDICT_KEEP:-}" ]; then
    echo "kept $dir"
else
    rm -rf "$dir"
fi
exit $status
