# SPDX-License-Identifier: MIT
# Every way to give a secret, what wins, and that none of them is the command line.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
make_secrets

promise 'a passphrase comes from a file, a descriptor, a command or the environment'
exits 0 "$p" init a.db --codecs xchacha20 --passphrase-file pass -O kdf=test
exits 0 "$p" set a.db k v --passphrase-file pass
exits 0 "$p" get a.db k --passphrase-fd 7 7<pass
prints 'v'
exits 0 "$p" get a.db k --passphrase-command 'cat pass'
prints 'v'
exits 0 env PDICT_PASSPHRASE_FILE=pass "$p" get a.db k
prints 'v'
exits 0 env PDICT_PASSPHRASE='correct horse' "$p" get a.db k
prints 'v'

promise 'the newline behind a passphrase is not part of it'
printf 'correct horse' >bare
printf 'correct horse\r\n' >dos
exits 0 "$p" get a.db k --passphrase-file bare
exits 0 "$p" get a.db k --passphrase-file dos

promise 'the command line wins over the environment, the file over the variable'
exits 0 env PDICT_PASSPHRASE_FILE=wrong "$p" get a.db k --passphrase-file pass
exits 12 env PDICT_PASSPHRASE_FILE=pass "$p" get a.db k --passphrase-file wrong
exits 0 env PDICT_PASSPHRASE=wrong PDICT_PASSPHRASE_FILE=pass "$p" get a.db k

promise 'a secret in the environment does not disturb a plain map'
exits 0 "$p" init plain.db
exits 0 env PDICT_PASSPHRASE=x "$p" set plain.db k v

promise 'two secrets at once are a usage error'
exits 2 "$p" get a.db k --passphrase-file pass --key-file key
says 'keep one'

promise 'a key file works, and only that one'
exits 0 "$p" init k.db --codecs zstd,xchacha20 --key-file key
exits 0 "$p" set k.db k v --key-file key
exits 0 "$p" get k.db k --key-file key
prints 'v'
head -c 32 /dev/urandom >other
exits 12 "$p" get k.db k --key-file other
exits 12 "$p" get k.db k --passphrase-file pass

promise 'secrets that cannot be read, are empty or fail exit 12'
: >nothing
exits 12 "$p" get a.db k --passphrase-file absent
exits 12 "$p" get a.db k --passphrase-file nothing
exits 12 "$p" get a.db k --passphrase-command 'exit 5'
says 'exit code 5'
exits 2 "$p" get a.db k --passphrase-fd x

promise 'a secret file that others can read is warned of, and refused with --strict'
cp pass open
chmod 644 open
exits 0 "$p" get a.db k --passphrase-file open
says 'warning: open can be read by others'
exits 15 "$p" get a.db k --passphrase-file open --strict
says 'chmod 600'

promise 'there is no option that takes a passphrase itself'
exits 2 "$p" get a.db k --passphrase secret
says 'did you mean --passphrase-file'
if grep -q secret err; then
    fail 'what was typed for a passphrase is repeated'
fi

promise 'init with a cipher and no secret makes nothing'
exits 12 setsid "$p" init new.db --codecs xchacha20
[ ! -e new.db ] || fail 'a store was left behind'

promise 'on a terminal a passphrase is asked for, twice for a new map, and not shown'
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then # there are pseudo-terminals
    prompts() {
        grep -oi -e 'passphrase[^:]*: ' -e 'again: ' typed | wc -l
    }
    type_in() {
        { asked=0
        for line in "$@"; do
            asked=$((asked + 1))
            tries=0
            while [ $tries -lt 600 ] && [ "$(prompts)" -lt $asked ]; do
                sleep 0.05
                tries=$((tries + 1))
            done
            printf '%s\n' "$line"
        done; } | script -qefc "$command" typed >screen 2>&1
    }
    : >typed
    command="$p init t.db --codecs xchacha20 -O kdf=test"
    type_in hush hush || fail "init on a terminal: $(cat screen)"
    holds grep -q 'New passphrase: ' typed
    holds grep -q 'The same again: ' typed
    if grep -q hush typed; then
        fail 'the passphrase is on the screen'
    fi
    : >typed
    command="$p set t.db k v"
    type_in hush || fail "set on a terminal: $(cat screen)"
    printf 'hush' >hush
    exits 0 "$p" get t.db k --passphrase-file hush
    prints 'v'
    : >typed
    command="$p init u.db --codecs xchacha20 -O kdf=test"
    if type_in one two; then
        fail 'two different passphrases were taken'
    fi
    [ ! -e u.db ] || fail 'a store was left behind'
else
    echo 'SKIP: no pseudo-terminals here, so nothing is asked for on one'
fi
finish
