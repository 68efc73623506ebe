# SPDX-License-Identifier: MIT
# One exit code for each kind of outcome, with one line on stderr that says what to do next.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
make_secrets

exits 0 "$p" init a.db
exits 0 "$p" set a.db k v

promise 'an absent key exits 1, prints nothing, says nothing'
exits 1 "$p" get a.db absent
prints ''
[ ! -s err ] || fail 'something was said'

promise 'a wrong command line exits 2'
exits 2 "$p"
exits 2 "$p" nosuchverb
exits 2 "$p" get a.db
exits 2 "$p" get a.db k extra
exits 2 "$p" get a.db k --nosuch
exits 2 "$p" set a.db k v --ttl soon
exits 2 "$p" set a.db k v --nx --xx
exits 2 "$p" ls a.db --limit many
exits 2 "$p" get a.db k -O nosuchoption=1
exits 2 "$p" get a.db k -O nothing
exits 2 "$p" load a.db /dev/null --format xml

promise 'no store and no map exit 10'
exits 10 "$p" get absent.db k
says '^pdict: get: .*absent\.db'
exits 10 "$p" get a.db k --map absent
exits 10 "$p" get nowhere/a.db k

promise 'a store that somebody else writes to exits 11 after the timeout'
mkfifo gate
{ printf 'begin immediate;\n'; cat gate; } | sqlite3 a.db &
locker=$!
exec 3>gate
tries=0
while [ $tries -lt 50 ] && sqlite3 a.db 'begin immediate; rollback' 2>/dev/null; do
    tries=$((tries + 1))
done
exits 11 "$p" set a.db k w --timeout 100ms
exec 3>&-
wait $locker
exits 0 "$p" get a.db k
prints 'v'

promise 'a wrong, missing or unwanted secret exits 12'
exits 0 "$p" init s.db --codecs xchacha20 --passphrase-file pass -O kdf=test
exits 12 "$p" get s.db k --passphrase-file wrong
exits 12 setsid "$p" get s.db k
exits 12 "$p" get a.db k --passphrase-file pass

promise 'a damaged record exits 13 and prints nothing'
exits 0 "$p" set a.db other 'another value'
flip_bit a.db k
exits 13 "$p" get a.db k
prints ''
says '^pdict: get: '
exits 13 "$p" dump a.db
if grep -q '"end":true' out; then
    fail 'a dump that failed has a trailer'
fi
exits 3 "$p" dump a.db --keep-going
says '1 damaged records were left out'
holds grep -q '"end":true,"records":1,' out
holds grep -q '"k":"other"' out

promise 'what this build lacks exits 14'
exits 14 "$p" init x.db --codecs nosuchcodec
exits 14 "$p" get nosuchbackend:x k
exits 14 "$p" info nosuch

promise 'output that cannot be written exits 15'
if [ -w /dev/full ]; then
    "$p" ls a.db >/dev/full 2>err
    code=$?
    [ "$code" -eq 15 ] || fail "exit $code on a full device"
    says 'standard output'
    exits 15 "$p" get a.db other -o /dev/full
fi
exits 15 "$p" get a.db other -o nowhere/file
exits 15 "$p" load a.db nosuchfile
exits 15 "$p" get a.db --keys-from nosuchfile

promise 'a reader that leaves early ends the command in silence'
i=0
while [ $i -lt 3000 ]; do
    printf '{"k":"%d","v":"%0100d"}\n' $i $i
    i=$((i + 1))
done >many
exits 0 "$p" load many.db many
{ "$p" dump many.db 2>err; echo $? >pipe_code; } | head -n 1 >/dev/null
[ "$(cat pipe_code)" -eq 141 ] || fail "exit $(cat pipe_code), not by SIGPIPE"
[ ! -s err ] || fail 'something was said about the pipe'

promise 'an interrupt exits 130 and stores nothing'
mkfifo slow
env --default-signal=INT "$p" load slow.db slow >out 2>err &
loader=$!
# Opens when the loader does, which is ready to be interrupted by then.
exec 3>slow
printf '{"k":"a","v":"b"}\n' >&3
kill -INT $loader
exec 3>&-
wait $loader
code=$?
[ "$code" -eq 130 ] || fail "exit $code after an interrupt"
says 'interrupted'
[ ! -e slow.db ] || fail 'a store was made'

promise 'with --json an error is one JSON object'
exits 10 "$p" get absent.db k --json
says '^\{"error":\{"verb":"get","exit":10,"status":"PDICT_NO_STORE","text":".*"\}\}$'
exits 2 "$p" get a.db --json --nosuch
says '^\{"error":\{"verb":"get","exit":2,'
finish
