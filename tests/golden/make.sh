#!/bin/sh
# SPDX-License-Identifier: MIT
# Make the golden stores of the present format: tests/golden/make.sh PDICT OUTPUT-DIRECTORY.
# What is in tests/golden/vN/ is never made again: every later pdict has to read it as it is.
set -eu
pdict=$1
out=$2
mkdir -p "$out"
cd "$out"
printf 'golden key of thirty-two bytes!!' >key
chmod 600 key
printf 'golden passphrase\n' >passphrase
chmod 600 passphrase

# map, codecs, and how it is opened
maps() {
    cat <<'EOF'
plain raw -O checksum=on
unchecked raw -O checksum=off
text str,zlib:9 -O checksum=on
zstd raw,zstd:19 -O checksum=on
sealed raw,xchacha20 --key-file key
packed str,zstd:3,xchacha20 --passphrase-file passphrase -O kdf=test
EOF
}

records() {
    long=$(head -c 600 /dev/zero | tr '\0' k)
    printf '{"k":"","v":"the empty key"}\n'
    printf '{"k":"a key","v":"value"}\n'
    printf '{"k":"empty","v":""}\n'
    printf '{"k":"gr\\u00fc\\u00df","v":"\\u20ac"}\n'
    printf '{"k":"%s","v":"a long key"}\n' "$long"
    printf '{"k":"%s2","v":"another"}\n' "$long"
    printf '{"k":"text","v":"%s"}\n' "$(head -c 3000 /dev/zero | tr '\0' v)"
}

for backend in sqlite lmdb; do
    rm -f "golden.$backend"*
    maps | while read -r map codecs secret; do
        # shellcheck disable=SC2086 # the options are words
        "$pdict" init "$backend:golden.$backend" -m "$map" -c "$codecs" $secret -q
        case $secret in *kdf*) secret=${secret% -O *} ;; *checksum*) secret= ;; esac
        # shellcheck disable=SC2086
        records | "$pdict" load "golden.$backend" - -m "$map" $secret -q
        # shellcheck disable=SC2086
        "$pdict" set "golden.$backend" expiring later -m "$map" --ttl 5000w $secret
        # shellcheck disable=SC2086
        "$pdict" set "golden.$backend" gone soon -m "$map" $secret
        # shellcheck disable=SC2086
        "$pdict" del "golden.$backend" gone -m "$map" $secret
    done
    rm -f "golden.$backend-lock" "golden.$backend-pdict"
done
