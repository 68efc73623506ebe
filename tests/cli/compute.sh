# SPDX-License-Identifier: MIT
# compute: a command runs when a key is absent, once for all who ask, and what it prints is kept.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

exits 0 "$p" init a.db
cat >job <<'SCRIPT'
#!/bin/sh
echo run >>runs
cat "${1:-/dev/null}" -
SCRIPT
chmod +x job
runs() {
    [ "$(wc -l <runs)" -eq "$1" ] || fail "the command ran $(wc -l <runs) times, not $1"
}

promise 'what the command prints is printed and stored, and the next time it does not run'
printf 'a\0b\n' >data
exits 0 "$p" compute a.db k -- ./job data
same out data
exits 0 "$p" compute a.db k -- ./job data
same out data
runs 1
exits 0 "$p" get a.db k
same out data

promise 'the value may be empty, the command takes options of its own, and --json tells the entry'
exits 0 "$p" compute a.db empty --json -- printf '%s' ''
holds grep -q '"v":""' out
exits 0 "$p" compute a.db dash -- printf -- -x
prints '-x'

promise 'a command that fails stores nothing and exits 1'
exits 1 "$p" compute a.db bad -- sh -c 'echo half; exit 3'
prints ''
says 'sh failed with exit code 3; nothing is stored'
exits 1 "$p" compute a.db bad -- sh -c 'kill -9 $$'
says 'signal 9'
exits 1 "$p" get a.db bad
exits 2 "$p" compute a.db bad -- ./no-such-command
says 'no-such-command cannot be started'
exits 2 "$p" compute a.db bad
exits 10 "$p" compute none.db k -- true
holds test ! -e none.db

promise 'a value over max_value is refused, however much is printed'
exits 0 "$p" init small.db -O max_value=1000B
exits 2 "$p" compute small.db k -- yes
says 'max_value'
exits 1 "$p" get small.db k

promise 'a time to live is that of what is computed'
exits 0 "$p" compute a.db short --ttl 1ms -- echo first
until "$p" get a.db short >/dev/null; [ $? -eq 1 ]; do :; done
exits 0 "$p" compute a.db short --ttl 1h -- echo second
prints 'second
'

promise 'an expired value stands in for a command that fails, where that is allowed'
# Who opens the store without stale_ok may sweep it.
exits 0 "$p" compute a.db stale --ttl 1ms -O sweep=manual -- echo old
until "$p" get a.db stale -O sweep=manual >/dev/null; [ $? -eq 1 ]; do :; done
exits 0 "$p" compute a.db stale -O stale_ok=1h -- false
prints 'old
'
exits 1 "$p" compute a.db stale -- false

promise 'of many who ask at the same time one runs the command'
rm -f runs
mkfifo gate
for i in 1 2 3 4 5 6 7 8; do
    "$p" compute a.db shared -- sh -c 'echo run >>runs; cat gate' >"out.$i" 2>>err.all &
done
printf 'shared value\n' >gate
wait
runs 1
for i in 1 2 3 4 5 6 7 8; do
    printf 'shared value\n' | cmp -s - "out.$i" || fail "process $i printed \"$(cat "out.$i")\""
done
holds test ! -s err.all

promise 'who waits for another gives up after the timeout'
mkfifo begun hold
"$p" compute a.db slow -- sh -c 'echo >begun; cat hold' >slow.out &
read -r _ <begun
exits 11 "$p" compute a.db slow --timeout 50ms -- echo never
says 'still computing'
echo done >hold
wait
printf 'done\n' | cmp -s - slow.out || fail 'the slow one printed something else'
finish
