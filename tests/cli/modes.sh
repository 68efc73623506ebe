# SPDX-License-Identifier: MIT
# Who creates and who writes: only init and load make anything, and readers change nothing.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT

promise 'no verb but init and load creates a store'
for verb in 'get x.db k' 'set x.db k v' 'del x.db k' 'ls x.db' 'count x.db' 'stat x.db' \
    'dump x.db' 'maps x.db'; do
    # The words are the point.
    # shellcheck disable=SC2086
    exits 10 "$p" $verb
    [ ! -e x.db ] || fail "$verb made a store"
done

promise 'nor does it create a map'
exits 0 "$p" init x.db
exits 10 "$p" set x.db k v --map other
exits 0 "$p" maps x.db --json
[ "$(wc -l <out)" -eq 1 ] || fail 'there is another map'

promise 'init says when a map is there already'
exits 2 "$p" init x.db
says 'already'
exits 0 "$p" init x.db --if-missing
exits 0 "$p" init x.db --map other
exits 2 "$p" init x.db --if-missing --codecs zlib

promise 'load makes the store, with codecs'
printf '{"k":"a","v":"b"}\n' >one
exits 0 "$p" load y.db one --codecs zlib
exits 0 "$p" stat y.db --json
holds grep -q 'zlib' out

promise 'a load that fails its check makes no store'
echo nonsense >bad
exits 2 "$p" load z.db bad
[ ! -e z.db ] || fail 'a store was left behind'

promise 'a mode in the URI is kept to'
exits 15 "$p" set 'y.db?mode=ro' a c
exits 10 "$p" load 'new.db?mode=rw' one
[ ! -e new.db ] || fail 'mode=rw created'
exits 0 "$p" get 'y.db?mode=rw' a
exits 2 "$p" get 'y.db?mode=rwc' a
exits 0 "$p" init 'w.db?mode=rwc'
exits 0 "$p" get y.db a -O mode=ro

promise 'options in the URI and on the command line are the same thing'
exits 0 "$p" init 'sqlite:u.db?map=users&codecs=zstd:5'
exits 0 "$p" set u.db k v --map users --codecs zstd:5
exits 0 "$p" get 'u.db?map=users' k -O timeout=1s
prints 'v'
exits 2 "$p" get 'u.db?map=users' k --map others

promise 'readers leave the file as it was'
sqlite3 y.db 'pragma wal_checkpoint(truncate)' >/dev/null
before=$(sha256sum <y.db)
for verb in 'get y.db a' 'ls y.db -l' 'count y.db' 'stat y.db' 'dump y.db' 'maps y.db'; do
    # shellcheck disable=SC2086
    exits 0 "$p" $verb
done
[ "$before" = "$(sha256sum <y.db)" ] || fail 'a reader changed the file'
finish
