# SPDX-License-Identifier: MIT
# migrate: the new store dumps the same, and appears only when it is whole.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
make_secrets
head -c 32 /dev/urandom >wrong_key

dumps_same() {
    "$p" dump "$1" --map "$3" --key-file "${4:-/dev/null}" >1 2>/dev/null || "$p" dump "$1" --map "$3" >1
    "$p" dump "$2" --map "$3" --key-file "${4:-/dev/null}" >2 2>/dev/null || "$p" dump "$2" --map "$3" >2
    [ -s 1 ] || fail "$1 has no dump of $3"
    same 1 2
}

promise 'all maps come over, with expiry and order, without any key'
i=0
while [ $i -lt 500 ]; do
    printf '{"k":"key %d","ct":1763836800000,"exp":%d,"v":"value %d"}\n' $((i * 7919 % 10007)) \
        $((4000000000000 + i)) $i
    i=$((i + 1))
done >in.jsonl
exits 0 "$p" load a.db in.jsonl --quiet
exits 0 "$p" init a.db --map packed --codecs zstd:3
exits 0 "$p" load a.db --map packed in.jsonl --quiet
exits 0 "$p" init a.db --map sealed --codecs xchacha20 --key-file key
exits 0 "$p" load a.db --map sealed --key-file key in.jsonl --quiet
exits 0 "$p" migrate a.db b.db --verify --json
prints '{"maps":3,"records":1500,"copied":1500,"kept":0,"removed":0,"expired":0}
'
dumps_same a.db b.db main
dumps_same a.db b.db packed
dumps_same a.db b.db sealed key
exits 0 "$p" verify b.db --key-file key --quiet
holds test ! -e b.db.migrating

promise 'by way of another backend it is the same'
if "$p" info --json | jq -e '.backends[] | select(.name == "lmdb")' >/dev/null; then
    exits 0 "$p" migrate a.db lmdb:c.lmdb --verify --quiet
    exits 0 "$p" migrate lmdb:c.lmdb sqlite:c.db --verify --quiet
    dumps_same a.db c.db main
    dumps_same a.db c.db packed
    dumps_same a.db c.db sealed key
fi

promise 'other codecs keep what is stored'
exits 0 "$p" migrate a.db d.db --map packed --codecs zlib:9 --quiet
"$p" dump a.db --map packed | sed '1d' >1
"$p" dump d.db --map packed | sed '1d' >2
same 1 2
exits 0 "$p" stat d.db --map packed --json
holds jq -e '.codecs == "raw,zlib:9"' out
exits 0 "$p" migrate a.db e.db --map main --codecs zstd,xchacha20 --key-file key --quiet
exits 12 "$p" get e.db 'key 0'
exits 0 "$p" get e.db --key-file key 'key 0'
prints 'value 0'

promise 'a missing or wrong secret is told, and nothing appears'
exits 12 "$p" migrate a.db f.db --codecs raw
exits 12 "$p" migrate a.db f.db --codecs raw --key-file wrong_key
holds test ! -e f.db

promise 'what is there is left alone'
cp b.db before.db
exits 2 "$p" migrate a.db b.db
says 'b.db exists'
same b.db before.db
echo text >text
exits 10 "$p" migrate a.db sqlite:text
exits 10 "$p" migrate a.db sqlite:nowhere/x.db
exits 14 "$p" migrate a.db nonsense:x
exits 10 "$p" migrate absent.db g.db
exits 10 "$p" migrate a.db g.db --map absent
holds test ! -e g.db

promise 'killed at any moment it goes on, and shows no half store'
round=0
while [ $round -lt 10 ]; do
    rm -f k.db
    "$p" migrate a.db k.db --quiet &
    job=$!
    # A little more each time, in units of what starting a process takes.
    n=0
    while [ $n -lt $round ]; do
        /bin/true
        n=$((n + 1))
    done
    kill -9 $job 2>/dev/null
    wait $job 2>/dev/null
    if [ -e k.db ]; then
        exits 0 "$p" verify k.db --key-file key --quiet
    else
        exits 0 "$p" migrate a.db k.db --quiet --verify
    fi
    dumps_same a.db k.db main
    dumps_same a.db k.db sealed key
    holds test ! -e k.db.migrating
    round=$((round + 1))
done
finish
