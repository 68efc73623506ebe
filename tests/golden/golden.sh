# SPDX-License-Identifier: MIT
# Stores of earlier versions: read by pdict, and by a reader made from the documentation alone.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
reader=$SRC/tests/golden/reader.py

# The python of the distribution: another one on the path would not see the packages.
can_read() {
    /usr/bin/python3 -c 'import nacl, zstandard, lmdb, xxhash' 2>/dev/null
}

secret_of() {
    case $1 in
    sealed) echo --key-file key ;;
    packed) echo --passphrase-file passphrase ;;
    esac
}

unpack() {
    rm -rf ./golden.* key passphrase
    cp "$1/key" "$1/passphrase" .
    chmod 600 key passphrase
    gunzip -c "$1/golden.$2.gz" >"golden.$2"
}

read_independently() {
    exits 0 /usr/bin/python3 "$reader" "$1" --key-file key --passphrase 'golden passphrase'
}

for version in "$SRC"/tests/golden/v*; do
    for packed in "$version"/golden.*.gz; do
        backend=${packed%.gz}
        backend=${backend##*.}
        "$p" info "$backend" >/dev/null 2>&1 || continue
        unpack "$version" "$backend"
        store=golden.$backend

        promise "${version##*/}, $backend: the independent reader finds every record"
        if can_read; then
            read_independently "$store"
            same out "$version/$backend.tsv"
        else
            echo "no independent reader: python3-nacl, -zstandard, -lmdb or -xxhash is missing"
        fi

        promise "${version##*/}, $backend: nothing is found wrong, and every map has its records"
        for map in plain unchecked text zstd sealed packed; do
            # shellcheck disable=SC2046 # options are words
            exits 0 "$p" verify "$store" -m $map $(secret_of $map)
            # shellcheck disable=SC2046
            exits 0 "$p" dump "$store" -m $map $(secret_of $map)
            mv out "$map.dump"
            sed '/"pdict"/d; s/,"c":[0-9]*//' "$map.dump" >"$map.lines"
            [ "$(grep -c '"k' "$map.lines")" -eq 8 ] || fail "$map has not 8 records"
        done
        exits 0 "$p" get "$store" '' -m sealed --key-file key
        prints 'the empty key'

        promise "${version##*/}, $backend: it can be written, and the reader reads that too"
        exits 0 "$p" set "$store" new value -m sealed --key-file key
        exits 0 "$p" passwd "$store" -m packed --passphrase-file passphrase \
            --new-passphrase-file passphrase --kdf test
        if can_read; then
            read_independently "$store"
            [ "$(wc -l <out)" -eq $(($(wc -l <"$version/$backend.tsv") + 1)) ] ||
                fail 'the reader does not see the new record'
        fi
    done
done

for backend in sqlite lmdb; do
    "$p" info "$backend" >/dev/null 2>&1 || continue
    promise "$backend: the independent reader finds the keys of a map that hides them"
    unpack "$SRC/tests/golden/v1" "$backend"
    exits 0 "$p" init "$backend:hidden.$backend" -c raw,zstd,xchacha20 --key-file key -O names=hidden
    exits 0 "$p" dump "golden.$backend" -m sealed --key-file key
    cp out sealed.dump
    exits 0 "$p" load "hidden.$backend" sealed.dump --key-file key
    if can_read; then
        read_independently "hidden.$backend"
        cut -f 2- out | sort >hidden.tsv
        grep '^sealed' "$SRC/tests/golden/v1/$backend.tsv" | cut -f 2- | sort >sealed.tsv
        holds cmp hidden.tsv sealed.tsv
    fi
done

finish
