# SPDX-License-Identifier: MIT
# Typed values at the terminal: cbor is shown as JSON, and its bytes stay what they are.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

exits 0 "$p" info --json
grep -q '"name":"cbor"' out || { echo 'skip: cbor is not in this build'; exit 77; }
printf '\243aaC\0\1\2adaxff' >short
printf '\244\141a\001\141b\103\000\001\002\141c\371\176\000\141d\033\377\377\377\377\377\377\377\377' >value

exits 0 "$p" init a.db --codecs cbor,zstd:3
promise 'bytes that are no cbor are refused, and nothing is stored'
exits_from 2 short "$p" set a.db k -
says 'byte'
exits 1 "$p" get a.db k

promise 'get shows a cbor value as JSON, with what JSON has not as text'
exits_from 0 value "$p" set a.db k -
exits 0 "$p" get a.db k
prints '{"a":1,"b":"AAEC","c":"NaN","d":"18446744073709551615"}
'

promise 'get --raw and -o give the bytes'
exits 0 "$p" get a.db k --raw
same out value
exits 0 "$p" get a.db k -o file
same file value

promise 'a dump holds the bytes, and the JSON beside them, and loads again'
exits 0 "$p" dump a.db
holds grep -q '"v64":"' out
holds grep -q '"json":{"a":1,' out
mv out dump
exits 0 "$p" load b.db dump --codecs cbor
exits 0 "$p" get b.db k --raw
same out value

promise 'json and raw maps are shown as they are'
exits 0 "$p" init c.db --codecs json
exits 0 "$p" set c.db k '{"a": 1}'
exits 0 "$p" get c.db k --raw
prints '{"a": 1}'
exits 2 "$p" set c.db k '{"a": 1, "a": 2}'
says 'twice'
finish
