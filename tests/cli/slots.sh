# SPDX-License-Identifier: MIT
# Changing which passphrases and keys open a map, with passwd and slot.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
make_secrets

exits 0 "$p" init a.db --codecs xchacha20 --passphrase-file pass -O kdf=test
exits 0 "$p" set a.db k v --passphrase-file pass
echo 'another one' >new
chmod 600 new

promise 'passwd makes the new passphrase open the map, and the old one not'
exits 0 "$p" passwd a.db --passphrase-file pass --new-passphrase-file new --kdf test
says 'slot 1 changed'
exits 12 "$p" get a.db k --passphrase-file pass
exits 0 "$p" get a.db k --passphrase-file new
prints 'v'

promise 'slot add, list and remove'
exits 0 "$p" slot a.db add --passphrase-file new --new-key-file key
says 'slot 2 added'
exits 0 "$p" slot a.db list --key-file key
holds grep -qx ' 1  passphrase  Argon2id 1 x 8.0 KiB' out
holds grep -qx ' 2  key  (this one)' out
exits 0 "$p" slot a.db list --key-file key --json
holds grep -qx '{"slot":1,"kind":"passphrase","own":false,"operations":1,"memory_bytes":8192}' out
holds grep -qx '{"slot":2,"kind":"key","own":true}' out
exits 0 "$p" slot a.db remove 1 --key-file key
exits 12 "$p" get a.db k --passphrase-file new
exits 0 "$p" get a.db k --key-file key

promise 'the last slot stays, and an absent one is exit 1'
exits 2 "$p" slot a.db remove 2 --key-file key
says 'the last one'
exits 1 "$p" slot a.db remove 9 --key-file key
says 'no slot 9'

promise 'words that are no command say what is'
exits 2 "$p" slot a.db delete 1 --key-file key
says 'pdict slot STORE list'
exits 2 "$p" slot a.db remove one --key-file key
exits 2 "$p" slot a.db list 1 --key-file key

promise 'without a terminal the new secret has to be given, and only once'
exits 12 setsid -w "$p" passwd a.db --key-file key
says 'new-passphrase-file'
exits 2 "$p" passwd a.db --key-file key --new-key-file key --new-passphrase-file new
says 'keep one of --new-key-file'

promise 'a plain map has no slots'
exits 0 "$p" init plain.db
exits 12 "$p" slot plain.db list
says 'not encrypted'

finish
