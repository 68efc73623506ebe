# SPDX-License-Identifier: MIT
# time: entries that expire, go unused, and say when they were used.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
start=1700000000000

at() { # SECONDS VERB...: run it so long after the start
    seconds=$1
    verb=$2
    shift 2
    "$p" "$verb" --now $((start + seconds * 1000)) "$@"
}

promise 'an entry says when it was created, used and expires'
exits 0 at 0 init a.db
exits 0 at 0 set a.db k v --ttl 100s
exits 0 at 10 stat a.db k --json
holds grep -q "\"ct\":$start,\"exp\":$((start + 100000)),\"at\":$start,\"size\":1,\"stored\":" out
exits 0 at 10 stat a.db k
holds grep -q '^accessed ' out
exits 0 at 10 ls a.db -l --json
holds grep -q "\"at\":$start," out
exits 1 at 10 stat a.db none
exits 0 at 99 get a.db k
exits 1 at 100 get a.db k
exits 1 at 100 stat a.db k
exits 2 at 0 get a.db k --now soon
says 'digits'

promise 'a put much later moves the access time and keeps the creation'
exits 0 at 0 init b.db
exits 0 at 0 set b.db k v
exits 0 at 1000 set b.db k w
exits 0 at 1001 stat b.db k --json
holds grep -q "\"ct\":$start,\"at\":$((start + 1000000))," out

promise 'ttl= is for what is put without a deadline'
exits 0 at 0 init c.db -O ttl=1h
exits 0 at 0 set c.db k v
exits 0 at 0 set c.db short v --ttl 1s
exits 0 at 3599 get c.db k
exits 1 at 1 get c.db short
exits 1 at 3600 get c.db k
exits 2 at 0 set c.db k v -O ttl=2h
says 'ttl'

promise 'idle= lets go what nobody uses'
exits 0 at 0 init d.db -O idle=1000s -O access=60s
exits 0 at 0 set d.db cold v
exits 0 at 0 set d.db hot v
exits 0 at 900 set d.db hot w
exits 0 at 1059 count d.db
printf '2\n' >two
same out two
exits 0 at 1060 count d.db
printf '1\n' >one
same out one
exits 1 at 1060 get d.db cold
exits 0 at 1900 get d.db hot
exits 0 at 1060 expire d.db --json
holds grep -q '"removed":1' out
exits 0 at 1060 verify d.db

promise 'a dump takes the last use along, and load gives it back'
exits 0 at 5000 dump b.db
holds grep -q "\"ct\":$start,\"at\":$((start + 1000000)),\"v\":\"w\"" out
mv out b.dump
exits 0 at 5000 load e.db b.dump
exits 0 at 5000 stat e.db k --json
holds grep -q "\"ct\":$start,\"at\":$((start + 1000000))," out
exits 0 at 0 init f.db -O idle=1000s -O access=60s
exits 0 at 0 set f.db cold v
exits 0 at 900 set f.db hot v
exits 0 at 1000 dump f.db
mv out f.dump
exits 0 at 1000 init g.db -O idle=1000s -O access=60s
exits 0 at 1000 load g.db f.dump
exits 0 at 1059 count g.db
same out two
exits 0 at 1060 count g.db
same out one
finish
