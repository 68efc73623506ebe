# SPDX-License-Identifier: MIT
# The machine's own package records, byte for byte, through codecs and cipher and back.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
[ -s /var/lib/dpkg/status ] || exit 77
# The machine may install something meanwhile.
cp /var/lib/dpkg/status status
status=status
make_secrets
paragraphs=$(grep -c '^Package:' "$status")

promise 'every package record comes back from an encrypted map'
exits 0 "$p" init a.db --codecs raw,zstd:3,xchacha20 --passphrase-file pass -O kdf=test
exits 0 "$p" load a.db "$status" --format deb822 --key Package --passphrase-file pass
exits 0 "$p" count a.db --passphrase-file pass
prints "$paragraphs
"
exits 0 "$p" dump a.db --passphrase-file pass --format deb822
same out "$status"

promise 'one record is its paragraph with its last newline'
awk -v RS= '/^Package: dpkg\n/ { print; exit }' "$status" >record
exits 0 "$p" get a.db dpkg --passphrase-file pass
same out record

promise 'nothing of the records can be read in the file'
sqlite3 a.db 'pragma wal_checkpoint(truncate)' >/dev/null
if grep -aq 'Maintainer' a.db || grep -aq 'Depends' a.db; then
    fail 'known text stands in the encrypted file'
fi
[ "$(sqlite3 a.db 'pragma integrity_check')" = ok ] || fail 'a.db is damaged'

promise 'the dump of one map loads into another to the same records'
exits 0 "$p" dump a.db --passphrase-file pass
mv out a.jsonl
exits 0 "$p" load b.db a.jsonl --codecs zlib
exits 0 "$p" dump b.db --format deb822
same out "$status"

promise 'paragraphs keep comments, continuation lines and spaces; blank lines only divide'
printf '\n\n# one\nPackage:  a \nText: x\n  y\n .\n\n\n \npackage: b\nVersion: 1' >small
exits 0 "$p" load s.db small --format deb822 --key Package
exits 0 "$p" get s.db a
prints '# one
Package:  a 
Text: x
  y
 .
'
exits 0 "$p" get s.db b
prints 'package: b
Version: 1'

promise 'a paragraph without the field is named by its line, and nothing is stored'
printf 'Package: a\n\nSource: x\nVersion: 2\n' >bad
exits 2 "$p" load bad.db bad --format deb822 --key Package
says 'bad: line 3: .*no field Package'
exits 2 "$p" load bad.db bad --format deb822
says 'go together'

promise 'tsv unescapes on the way in and escapes on the way out'
printf 'a\\tb\tline\\none\\\\\\0\nplain\tvalue\n' >t.tsv
exits 0 "$p" load t.db t.tsv --format tsv
exits 0 "$p" dump t.db --format tsv
same out t.tsv
printf 'a\tb\nno tab\n' >bad.tsv
exits 2 "$p" load t.db bad.tsv --format tsv
says 'line 2: there is no tab'
printf 'a\tb\tc\n' >bad.tsv
exits 2 "$p" load t.db bad.tsv --format tsv
printf 'a\tb\\x\n' >bad.tsv
exits 2 "$p" load t.db bad.tsv --format tsv

promise 'dir takes files by their path, in order of names, and follows no link'
mkdir -p tree/sub
printf one >tree/b
printf two >tree/sub/a
: >tree/empty
ln -s /etc/passwd tree/link
exits 0 "$p" load dir.db tree/ --format dir
exits 0 "$p" ls dir.db
prints 'b
empty
sub/a
'
exits 0 "$p" get dir.db sub/a
prints 'two'
exits 2 "$p" load dir.db t.tsv --format dir
exits 2 "$p" load dir.db tree
says 'format dir'
finish
