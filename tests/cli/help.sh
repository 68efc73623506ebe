# SPDX-License-Identifier: MIT
# Help comes from the tables that drive the command, and wrong words name the near ones.
. "$SRC/tests/cli/support/cli.sh"
p=$PDICT
verbs='init get set add pop compute del ls count stat load dump maps verify repair backup compact train recode rekey migrate info version help'

promise 'help lists every verb, and each verb explains itself'
exits 0 "$p" help
cp out help
exits 0 "$p" --help
same out help
for verb in $verbs; do
    holds grep -q "^  $verb " help
    exits 0 "$p" "$verb" --help
    holds grep -q "^Usage: pdict $verb" out
    cp out verb_help
    exits 0 "$p" help "$verb"
    same out verb_help
done

promise 'help names every exit code'
for code in 0 1 2 3 10 11 12 13 14 15 130; do
    holds grep -Eq "^ +$code  " help
done

promise 'no line of help is wider than 100 columns'
for verb in $verbs; do
    "$p" help "$verb"
done | cat - help | awk 'length > 100 { exit 1 }' || fail 'a line is too wide'

promise 'the manual page of the command names every verb and every option'
exits 0 "$p" help
for verb in $verbs; do
    holds grep -q "pdict $verb" "$SRC/docs/cli.md"
    "$p" help "$verb"
done | grep -Eo -- '--[a-z][a-z0-9-]+' | sort -u >options
while read -r option; do
    holds grep -q -- "\`$option" "$SRC/docs/cli.md"
done <options

promise 'without arguments the help goes to stderr, as an error'
exits 2 "$p"
prints ''
says '^Usage: '

promise 'a mistyped verb or option names the near one'
exits 2 "$p" gte
says 'did you mean get'
exits 2 "$p" get a.db k --timeuot 1s
says 'did you mean --timeout'
exits 2 "$p" frobnicate
says 'pdict help'

promise 'the version is printed, with the libraries as JSON'
exits 0 "$p" --version
holds grep -Eq '^pdict [0-9]+\.[0-9]+\.[0-9]+$' out
exits 0 "$p" version --json
holds grep -q '"libraries":{' out

promise 'info lists backends and codecs with their options and libraries'
exits 0 "$p" info
for word in sqlite memory raw zlib zstd lz4 xchacha20; do
    holds grep -q "^$word: " out
done
exits 0 "$p" info --json
for member in '"backends":\[' '"codecs":\[' '"options":\[' '"library":"zstd '; do
    holds grep -q "$member" out
done
exits 0 "$p" info zstd
holds grep -q 'level=int' out
finish
