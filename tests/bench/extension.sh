# SPDX-License-Identifier: MIT
# pdict-bench: a user's own backend and codec stand in every table, loaded from shared objects.
. "$SRC/tests/bench/support/bench.sh"

cc=${CC:-cc}
if ! command -v "$cc" >/dev/null || [ -n "${SANITIZE:-}" ]; then
    echo "skip no compiler to make an extension with, or one that would lack the sanitizer"
    exit 77
fi
make_extension() {
    "$cc" -std=c11 -D_GNU_SOURCE -O1 -fPIC -fvisibility=hidden -shared -I"$SRC/include" \
        -o "$1" "$SRC/examples/$2"/*.c || fail "$2 does not compile"
}
make_extension shelf.so 05-own-backend
make_extension runs.so 06-own-codec

promise 'they are listed'
exits 0 "$BENCH" list -x ./shelf.so -x ./runs.so
prints 'pdict:shelf'
prints '^  runs '

promise 'a backend is a target'
exits 0 "$BENCH" kv -x ./shelf.so -t pdict:shelf,pdict:memory -w load,get-hot,put --quick \
    --keys 300 --time 20ms --json r.json
valid r.json
holds r.json '[.rows[] | select(.target == "pdict:shelf")] | length == 3'

promise 'a codec is measured beside the others'
head -c 4000 /dev/zero | tr '\0' 'a' >data
cp data data2 && mkdir d && mv data data2 d
exits 0 "$BENCH" codec -x ./runs.so --data d --codecs none,runs,zlib:1 --quick --time 5ms --json c.json
holds c.json 'any(.rows[]; .codec == "runs" and .ratio > 10)'

finish
