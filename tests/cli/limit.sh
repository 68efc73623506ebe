# SPDX-License-Identifier: MIT
# limit: what a map may hold, printed and changed.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

exits 0 "$p" init a.db
for i in 1 2 3 4 5; do
    exits 0 "$p" set a.db k$i v$i
done

promise 'a map has no limits, and says how full it is'
exits 0 "$p" limit a.db --json
holds grep -q '"max_entries":0,"max_bytes":0,' out
holds grep -q '"entries":5,' out

promise 'what is above new limits goes'
exits 0 "$p" limit a.db max_entries=3 evict=fifo --json
holds grep -q '"max_entries":3,.*"evict":"fifo".*"entries":3,.*"evictions":2' out
exits 1 "$p" get a.db k2
exits 0 "$p" get a.db k3
exits 0 "$p" limit a.db
holds grep -q '^entries  *3 of  *3$' out

promise 'every later command keeps to them'
exits 0 "$p" set a.db k6 v6
exits 1 "$p" get a.db k3
exits 0 "$p" count a.db
printf '3\n' >three
same out three

promise 'on_full=error refuses instead, and what is not named stays'
exits 0 "$p" limit a.db on_full=error --json
holds grep -q '"max_entries":3,.*"evict":"fifo","on_full":"error"' out
exits 15 "$p" set a.db k7 v7
says 'full'
exits 0 "$p" set a.db k6 v7
exits 2 "$p" set a.db k1 v1 -O max_entries=4
says 'pdict limit'

promise 'what is malformed changes nothing'
exits 2 "$p" limit a.db max_entries=3MiB
exits 2 "$p" limit a.db max_bytes=many
exits 2 "$p" limit a.db evict=some
exits 2 "$p" limit a.db something=1
exits 10 "$p" limit a.db --map none max_entries=1
exits 0 "$p" limit a.db max_entries=0 max_bytes=1MiB --quiet
exits 0 "$p" limit a.db --json
holds grep -q '"max_entries":0,"max_bytes":1048576,' out

promise 'a map can be made with limits'
exits 0 "$p" init b.db -O max_entries=2 -O evict=ttl
exits 0 "$p" limit b.db --json
holds grep -q '"max_entries":2,"max_bytes":0,"evict":"ttl"' out

promise 'verify finds an account that other tools have falsified'
command -v sqlite3 >/dev/null || finish
exits 0 "$p" set a.db k1 v1
exits 0 sqlite3 a.db 'DELETE FROM kv_1 WHERE id = (SELECT min(id) FROM kv_1)'
exits 13 "$p" verify a.db
holds grep -q 'for its limits' out
exits 0 "$p" limit a.db max_bytes=1MiB
exits 0 "$p" verify a.db
finish
