#!/bin/sh
# SPDX-License-Identifier: MIT
# Proves each lint: it passes a small sound tree and fails when its one rule is broken.
# Usage: selftest.sh   (CC and CLANG_FORMAT from the environment)
set -u
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-cc}
failed=0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

sound_tree() {
    rm -rf tree
    mkdir -p tree/core/base tree/core/value tree/core/store tree/core/map tree/core/open \
        tree/include/pdict/ext tree/backends tree/codecs/two tree/tools tree/examples tree/bench \
        tree/docs/backends tree/docs/codecs
    cp "$here/../../.clang-format" tree/
    top='/* SPDX-License-Identifier: MIT */
/* A sound file. */'
    printf '%s\n#include <stddef.h>\n' "$top" >tree/include/pdict/pdict.h
    printf '%s\n#include <pdict/pdict.h>\n' "$top" >tree/include/pdict/ext/backend.h
    for room in base value store map open; do
        printf '%s\n#include <pdict/pdict.h>\n' "$top" >tree/core/$room/$room.h
        printf '%s\n#include "%s/%s.h"\n#include <sys/mman.h>\n' "$top" $room $room >tree/core/$room/$room.c
    done
    printf '%s\n/* Unlike sqlite. */\n#include "value/value.h"\n#include "store/store.h"\n' "$top" >tree/core/map/get.c
    printf '%s\n#include <pdict/ext/backend.h>\n#include <sqlite3.h>\n' "$top" >tree/backends/one.c
    printf '%s\n#include <pdict/ext/backend.h>\n' "$top" >tree/backends/other.c
    printf '%s\n#include "two.h"\n' "$top" >tree/codecs/two/two.c
    printf '%s\n#include <zstd.h>\n' "$top" >tree/codecs/two/two.h
    for user in tools examples bench; do
        printf '%s\n#include <pdict/pdict.h>\n#include <jansson.h>\n' "$top" >tree/$user/main.c
    done
    echo 'pdict_backend(one)' >tree/backends/CMakeLists.txt
    echo 'pdict_codec(two)' >tree/codecs/CMakeLists.txt
    sed -i '1i # SPDX-License-Identifier: MIT\n# Sound.' tree/*/CMakeLists.txt
    for page in tree/docs/backends/one.md tree/docs/codecs/two.md; do
        for heading in Synopsis Options Guarantees Threads 'Files on disk' Limits 'Failure modes' Since; do
            printf '## %s\n\ntext\n\n' "$heading"
            [ "$heading" = Options ] &&
                printf '| option | default | meaning |\n|---|---|---|\n| `level` | `3` | how hard |\n'
        done >"$page"
    done
    cat >tree/fake-pdict <<'EOF'
#!/bin/sh
echo '{"backends":[{"name":"one","options":[{"name":"level"}]}],
       "codecs":[{"name":"two","options":[{"name":"level"}]}]}'
EOF
    chmod +x tree/fake-pdict
}

run() {
    case $1 in
    docs) sh "$here/docs.sh" "$work/tree/fake-pdict" tree ;;
    *) sh "$here/$1.sh" tree ;;
    esac >output 2>&1
}

passes() {
    sound_tree
    if ! run "$1"; then
        echo "$1: fails on a sound tree:"
        cat output
        failed=1
    fi
}

# refuses LINT WHAT: the tree was just broken by the caller.
refuses() {
    if run "$1"; then
        echo "$1: does not see: $2"
        failed=1
    fi
    sound_tree
}

add() {
    echo "$2" >>"tree/$1"
}

passes layers
add core/base/base.c '#include "map/map.h"'          && refuses layers "base includes map"
add core/value/value.c '#include "store/store.h"'    && refuses layers "value includes store"
add core/store/store.c '# include "value/value.h"'   && refuses layers "store includes value"
add core/map/map.c '#include "open/open.h"'          && refuses layers "map includes open"
add core/map/map.c '#include "../open/open.h"'       && refuses layers "core goes by .."
add core/map/map.c '#include "backends/one.h"'       && refuses layers "core includes a backend"
add core/map/map.c '#include <sqlite3.h>'            && refuses layers "core includes a library"
add core/map/map.c '#include <xxhash.h>'             && refuses layers "xxHash outside core/base/hash.c"
mkdir tree/core/attic; add core/attic/a.c '#include <stddef.h>'; refuses layers "an unknown room"
add backends/one.c '#include "base/base.h"'          && refuses layers "a backend includes core"
add backends/one.c '#include "core/base/base.h"'     && refuses layers "a backend includes core by path"
add backends/one.c '#include "other.h"'              && refuses layers "a backend includes another"
add backends/one.c '#include <pdict/pdict.h>'        && refuses layers "a backend includes pdict.h"
add codecs/two/two.c '#include "../one.h"'           && refuses layers "a codec includes another"
add tools/main.c '#include "base/base.h"'            && refuses layers "a tool includes core"
add tools/main.c '#include <pdict/ext/backend.h>'    && refuses layers "a tool includes pdict/ext"
add bench/main.c '#include "../core/base/base.h"'    && refuses layers "a bench includes core"
add bench/main.c '#include "cli/other.h"'            && refuses layers "a bench includes what tools/cli has not"
add examples/main.c '#include "base/base.h"'         && refuses layers "an example includes core"
add include/pdict/pdict.h '#include <sqlite3.h>'     && refuses layers "a public header includes a library"

passes names
add core/map/map.c 'int a = ZSTD_maxCLevel();'            && refuses names "an algorithm in code"
add core/map/map.c 'const char *s = "sqlite"; /* ok */'   && refuses names "an engine in a string"
add core/map/map.c '/* c */ x = &pdict__backend_one;'     && refuses names "a backend's table"
add core/map/map.c 'const char *s = "/*"; x = zlib; '     && refuses names "code after a quoted comment"

passes pages
sed -i '/^## Limits/d' tree/docs/codecs/two.md            && refuses pages "a missing heading"
rm tree/docs/backends/one.md                              && refuses pages "a missing page"

region() {
    printf '%s\n' '/* [part] */' 'int part;' '/* [part] */' >>tree/examples/main.c
    printf '%s\n' '<!-- region examples/main.c part -->' '```c' 'int part;' '```' 'text' >tree/docs/page.md
}
passes regions
region; run regions || { echo "regions: fails on a page that is right:"; cat output; failed=1; }
sed -i 's/^int part;/int other;/' tree/docs/page.md       && refuses regions "code that differs"
region; sed -i 's/\[part\]/[no]/' tree/examples/main.c    && refuses regions "a region that is not there"

passes docs
sed -i 's/`level`/`depth`/' tree/docs/codecs/two.md       && refuses docs "an option of another name"
sed -i '/`level`/d' tree/docs/codecs/two.md               && refuses docs "an option that is not listed"
sed -i 's/^| `level`.*/&\n| `more` | | |/' tree/docs/backends/one.md && refuses docs "an option that is not there"

passes spdx
sed -i 1d tree/tools/main.c                               && refuses spdx "no licence line"
sed -i 2d tree/tools/main.c                               && refuses spdx "no purpose line"

passes format
add tools/main.c 'int  main( void ) {return 0;}'          && refuses format "a badly formatted line"

# lint.symbols, on a library made for it.
library() {
    printf '%s\n' "$1" >lib.c
    $cc -fPIC -O1 -c lib.c -o lib.o && $cc -shared lib.o -o lib.so
}
symbols() {
    sh "$here/symbols.sh" lib.so list lib.o >output 2>&1
}
sound='int pdict_get(void); int pdict_get(void) { return 0; }'
library "$sound"
sh "$here/symbols.sh" --update lib.so list
symbols || { echo "symbols: fails on a sound library:"; cat output; failed=1; }
library "$sound int pdict_new(void) { return 1; }"
symbols && { echo "symbols: does not see a new symbol"; failed=1; }
library "$sound int pdict__x(void) { return 1; }"
sh "$here/symbols.sh" --update lib.so list
symbols && { echo "symbols: does not see an exported private name"; failed=1; }
for call in 'exit(1)' 'puts("")' 'getenv("A")' 'abort()' 'fputs("x", stderr)' 'signal(1, 0)'; do
    library "#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
void pdict_get(void) { (void)$call; }"
    sh "$here/symbols.sh" --update lib.so list
    symbols && { echo "symbols: does not see $call"; failed=1; }
done

# lint.core_alone is a link; it fails when something is undefined.
printf 'extern int pdict__backend_one; int main(void) { return pdict__backend_one; }\n' >alone.c
$cc alone.c -o alone 2>/dev/null && { echo "core_alone: links with a name missing"; failed=1; }

[ $failed -eq 0 ] && echo "every lint fails when its rule is broken"
exit $failed
