# SPDX-License-Identifier: MIT
# Everything a store path, a secret or an option can be but should not: one message and code each.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
make_secrets

exits 0 "$p" init plain.db --codecs raw,zstd:3
exits 0 "$p" set plain.db k "$(head -c 2000 /dev/zero | tr '\0' x)"
exits 0 "$p" init sealed.db --codecs xchacha20 --passphrase-file pass -O kdf=test
exits 0 "$p" set sealed.db k secret --passphrase-file pass

# Runs a command that must leave a file as it was.
untouched() {
    before=$(sha256sum <"$1")
    file=$1
    shift
    exits "$@"
    [ "$before" = "$(sha256sum <"$file")" ] || fail "$file was changed by: $*"
}

promise 'a missing directory'
exits 10 "$p" init nowhere/a.db
says 'nowhere'

promise 'a directory instead of a file'
mkdir folder
exits 10 "$p" init folder
says 'folder'

promise 'a text file is refused and left as it is'
echo 'just some notes, and rather more of them than a header' >notes
untouched notes 10 "$p" init notes
untouched notes 10 "$p" get notes k
says 'notes'

promise 'a database of somebody else is refused and left as it is'
sqlite3 foreign.db 'create table t(a); insert into t values (1)'
untouched foreign.db 10 "$p" init foreign.db
untouched foreign.db 10 "$p" set foreign.db k v
says 'foreign\.db'

promise 'an empty file becomes a store'
: >empty.db
exits 0 "$p" init empty.db

promise 'a truncated store is damage'
exits 0 "$p" load cut.db /var/lib/dpkg/status --format deb822 --key Package
sqlite3 cut.db 'pragma wal_checkpoint(truncate)' >/dev/null
size=$(wc -c <cut.db)
head -c $((size / 2)) cut.db >half.db
exits 13 "$p" dump half.db
says 'half\.db'

promise 'a wrong passphrase is refused before anything is written'
untouched sealed.db 12 "$p" set sealed.db k other --passphrase-file wrong
untouched sealed.db 12 "$p" load sealed.db notes --passphrase-file wrong

promise 'no passphrase, and no terminal to ask on'
untouched sealed.db 12 setsid "$p" get sealed.db k
says 'passphrase-file'

promise 'a passphrase for a plain map'
untouched plain.db 12 "$p" set plain.db k v --passphrase-file pass

promise 'an unknown codec, and an unknown level'
exits 14 "$p" init x.db --codecs raw,zstf
exits 2 "$p" init x.db --codecs zstd:99
[ ! -e x.db ] || fail 'a store was left behind'

promise 'an unknown option names its near match'
exits 2 "$p" get plain.db k -O timeuot=1s
says 'timeout'
exits 2 "$p" get 'plain.db?timeuot=1s' k
says 'timeout'

promise 'options that contradict the map are refused with both sides named'
exits 2 "$p" get plain.db k --codecs zlib
says 'zlib'
says 'zstd'

promise 'a value over max_value'
exits 0 "$p" init small.db -O max_value=1KiB
head -c 1025 /dev/zero >large
exits_from 2 large "$p" set small.db k -
says '1024|1 ?KiB'
mkdir tree
cp large tree/
printf fits >tree/a
exits 2 "$p" load small.db tree --format dir
says 'large'
exits 0 "$p" count small.db
prints '0
'
exits 3 "$p" load small.db tree --format dir --keep-going
exits 0 "$p" count small.db
prints '1
'

promise 'one flipped bit is never wrong data'
flip_bit plain.db k
exits 13 "$p" get plain.db k
prints ''
flip_bit sealed.db k
exits 13 "$p" get sealed.db k --passphrase-file pass
prints ''

promise 'a file of a newer format'
cp small.db newer.db
sqlite3 newer.db 'pragma user_version = 9999' >/dev/null
exits 14 "$p" get newer.db k
says 'newer'

promise 'a file that cannot be read or written'
if [ "$(id -u)" -ne 0 ]; then
    chmod 0 small.db
    exits 15 "$p" get small.db k
    chmod 400 small.db
    exits 15 "$p" set small.db k v
    chmod 600 small.db
fi

promise 'a full disk stores nothing and says so'
if command -v prlimit >/dev/null; then
    exits 0 "$p" init full.db
    head -c 4000000 /dev/urandom >huge
    (trap '' XFSZ; prlimit --fsize=1000000 "$p" set full.db k - <huge >out 2>err)
    code=$?
    [ "$code" -eq 15 ] || fail "exit $code, not 15 ($(cat err))"
    exits 0 "$p" count full.db
    prints '0
'
    [ "$(sqlite3 full.db 'pragma integrity_check')" = ok ] || fail 'full.db is damaged'
fi
finish
