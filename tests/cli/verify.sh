# SPDX-License-Identifier: MIT
# verify finds what is wrong and says where; repair, backup and compact do what they say.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
make_secrets
head -c 32 /dev/urandom >wrong_key

promise 'a sound store is verified without a finding'
exits 0 "$p" init a.db
for i in 1 2 3 4 5 6 7 8 9; do
    exits 0 "$p" set a.db "key $i" "the value of $i"
done
exits 0 "$p" init a.db --map sealed --codecs zstd,xchacha20 --key-file key
exits 0 "$p" set a.db --map sealed --key-file key hidden treasure
exits 0 "$p" verify a.db --key-file key
prints '10 records, 0 findings
'
exits 0 "$p" verify a.db --quiet --map main
prints ''
cp a.db sound.db

promise 'expired entries are removed on request, the others stay'
exits 0 "$p" init e.db
exits 0 "$p" set e.db a 1
exits 0 "$p" set e.db b 2 --ttl 1ms
until [ "$("$p" count e.db)" -eq 1 ]; do :; done
exits 0 "$p" expire e.db
prints '1 expired entries removed
'
exits 0 "$p" expire e.db --json
prints '{"removed":0}
'
exits 0 "$p" get e.db a
prints '1'

promise 'sealed records are looked at from outside without their key, and that is said'
exits 0 "$p" verify a.db --json
prints '{"end":true,"maps":2,"records":10,"bytes":'"$(jq .bytes out)"',"unproven":1,"findings":0}
'
exits 12 "$p" verify a.db --map sealed --key-file wrong_key
exits 12 "$p" verify a.db --map sealed --passphrase-file wrong
exits 2 "$p" verify a.db --map sealed --key-file wrong

promise 'subsets make up the whole, and others are refused'
sum=0
for n in 1 2 3; do
    exits 0 "$p" verify a.db --subset $n/3 --json
    sum=$((sum + $(jq .records out)))
done
[ "$sum" -eq 10 ] || fail "the subsets have $sum records"
for subset in 0/3 4/3 3 x/3 3/x 1/0 -1/3; do
    exits 2 "$p" verify a.db --subset $subset
done

promise 'a flipped bit is one line, as JSON if asked, and exit 13'
flip_bit a.db 'key 3'
exits 13 "$p" verify a.db
holds grep -q '^record  main  key 3  ' out
exits 13 "$p" verify a.db --json
[ "$(wc -l <out)" -eq 2 ] || fail 'not one finding and the end'
[ "$(head -1 out | jq -r '.kind + " " + .status + " " + .map + " " + .k')" = \
    'record PDICT_CHECKSUM main key 3' ] || fail "the finding is $(head -1 out)"

promise 'repair makes a sound store and keeps the damaged record aside'
exits 3 "$p" repair a.db b.db --key-file key --json
holds jq -e '.records == 9 and .quarantined == 1 and .gaps == 0' out
exits 0 "$p" verify b.db --key-file key
exits 1 "$p" get b.db 'key 3'
exits 0 "$p" get b.db --map main.damaged 'key 3'
exits 0 "$p" get b.db --map sealed --key-file key hidden
prints 'treasure'
exits 2 "$p" repair a.db b.db
says 'exists'

promise 'backup copies the store into a new file, and into none that is there'
exits 0 "$p" backup sound.db copy.db
for map in main sealed; do
    "$p" dump sound.db --map $map --key-file key >1 2>/dev/null
    "$p" dump copy.db --map $map --key-file key >2 2>/dev/null
    same 1 2
done
exits 2 "$p" backup sound.db copy.db
exits 10 "$p" backup sound.db nowhere/copy.db
exits 10 "$p" backup absent.db other.db
holds test ! -e other.db

promise 'compact makes the file smaller'
head -c 2000000 /dev/zero | tr '\0' x >large
exits_from 0 large "$p" set sound.db large -
exits 0 "$p" del sound.db large
exits 0 "$p" compact sound.db --json
holds jq -e '.after_bytes < .before_bytes / 4' out
exits 0 "$p" verify sound.db --quiet

promise 'what is not a store is refused'
echo text >text
exits 10 "$p" verify text
exits 10 "$p" verify absent.db
exits 10 "$p" compact text
finish
