#!/bin/sh
# SPDX-License-Identifier: MIT
# Seeds one defect after the other into a copy of the tree and shows that model_test catches each.
# Usage: defects.sh [DIRECTORY]; takes a few minutes, so it is not one of the CTest tests.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
work=${1:-$(mktemp -d)}
build=$work/build
missed=0

copy_tree() {
    mkdir -p "$work/tree"
    (cd "$src" && tar -cf - --exclude=./build --exclude=./.git .) | tar -xf - -C "$work/tree"
}

configure() {
    cmake -S "$work/tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DPDICT_PLAIN_RUNNER=ON -DPDICT_TOOLS=OFF -DPDICT_EXAMPLES=OFF -DPDICT_BENCH=OFF \
        -DPDICT_INSTALL=OFF -DPDICT_WERROR=OFF >"$work/log" 2>&1
}

compile() {
    ninja -C "$build" model_test >"$work/log" 2>&1 && return
    tail -20 "$work/log"
    echo "the tree does not build; see $work"
    exit 2
}

run() {
    "$build/tests/model/model_test" --backend "$1" --ops 30000 >"$work/log" 2>&1
}

# defect NAME BACKEND FILE SED-SCRIPT: sound without the change, caught with it.
defect() {
    name=$1 backend=$2 file=$work/tree/$3
    sed "$4" "$src/$3" >"$file"
    if cmp -s "$src/$3" "$file"; then
        echo "STALE   $name: the line is no longer in $3"
        missed=$((missed + 1))
        return
    fi
    compile
    if run "$backend"; then
        echo "MISSED  $name"
        missed=$((missed + 1))
    else
        printf 'caught  %-45s %-7s %s\n' "$name" "$backend" \
            "$(sed -n 's/^\([0-9]* operations that still fail: .*\)/\1/p' "$work/log")"
    fi
    cp "$src/$3" "$file"
}

copy_tree
configure
compile
for backend in memory sqlite lmdb; do
    run "$backend" || { cat "$work/log"; echo "$backend fails as it is"; exit 2; }
done

defect 'an expired value is returned' memory core/map/ops.c \
    's/row->expires_ms != 0 &&/row->expires_ms < 0 \&\&/'
defect 'a value lives a millisecond too long' sqlite core/base/base.h \
    's/now_ms >= expires_ms/now_ms > expires_ms/'
defect 'created_ms is lost on update' lmdb backends/lmdb/apply.c \
    's/^    change->row.created_ms = found->created_ms;//'
defect 'an update moves the entry to the end' memory backends/memory/rows.c \
    's/is_update ? old->row.id : store->last_id + 1/store->last_id + 1/
     s/if (!is_update)$/if (true)/'
defect 'a reverse walk repeats the chunk border' sqlite core/map/iter.c \
    's/scan.to_id = last->id;/scan.to_id = last->id + 1;/'
defect 'a walk loses the row behind the chunk border' lmdb core/map/iter.c \
    's/scan.from_id = last->id + 1;/scan.from_id = last->id + 2;/'
defect 'a prefix that ends in 255 ends too early' memory core/map/iter.c \
    's/while (size > 0 && bytes.size - 1. == 0xFF)/while (size > 1 \&\& bytes[size - 1] == 0xFF)/'
defect 'the version condition is ignored' sqlite include/pdict/ext/backend.h \
    's/change->if_version != version/version == 0/'
defect 'a batch has the status of its first entry' memory core/map/many.c \
    's/batch->changes\[i\].status/batch->changes[0].status/'
defect 'the first of equal keys in a batch wins' sqlite backends/sqlite/bulk.c \
    's/(a->change > b->change) - (a->change < b->change)/a->change > b->change ? -1 : 1/'
defect 'the count is off after an expired key is put' lmdb backends/lmdb/apply.c \
    's/work->tally.rows++;/work->tally.rows += !found->is_there;/'
defect 'the count in the file is not kept' sqlite backends/sqlite/apply.c \
    's/work->tally.live - before->live != work->tally.last_id - before->last_id/before == NULL/'
defect 'a crash loses the newest commits' sqlite backends/sqlite/store.c \
    's/^    if ((status = check_file(store)) != PDICT_OK)/    remove(store->files[FILE_WAL]);\n&/'
defect 'a walk runs on into the next map' memory backends/memory/rows.c \
    's/to = (struct item){ .map = map + 1 };/to = (struct item){ .map = map + 2 };/'
defect 'a backup lacks a page' lmdb backends/lmdb/upkeep.c \
    's/uint64_t at = 2 \* copy->store->page_size/uint64_t at = 3 * copy->store->page_size/'
defect 'compacting leaves the old meta pages' lmdb backends/lmdb/compact.c \
    's/uint64_t at = 0;/uint64_t at = 8192;/'
defect 'a count inside leaves out what was written over' memory core/map/txn_calls.c \
    's/count -= pdict__txn_is_live(&row->base, now_ms);//'
defect 'a key that went and came keeps its place' memory core/map/txn_calls.c \
    's/row->is_dropped = row->is_dropped || row->place == 0;//'
defect 'a walk inside meets deleted keys' sqlite core/map/txn_walk.c \
    's/if (row->now.is_there \&\& row->place == 0)/if (row->place == 0)/'
defect 'a transaction misses the keys that it has inserted' lmdb core/map/txn_calls.c \
    's/^    if (row->is_written)$/    if (row->is_written \&\& row->base.is_there)/'
defect 'add forgets the expiry' memory core/map/modify.c \
    's/is_there ? row.expires_ms : a->plan.expires_ms/a->plan.expires_ms/'

defect 'a sweep takes what has not expired yet' lmdb core/map/sweep.c \
    's/.to_ms = pdict__time_add(now_ms, 1)/.to_ms = pdict__time_add(now_ms, 100)/'
defect 'a swept entry stays in the cache' sqlite core/map/publish.c \
    's/count > 0 ? store->maps : NULL/count > 9999 ? store->maps : NULL/'
defect 'the account forgets what was deleted' memory core/store/account.c \
    's/^    account->usage.entries -= before->is_there;//'
defect 'the last inserted are evicted' sqlite core/store/account.c \
    's/evict_by(eviction, 0, 0, /evict_by(eviction, PDICT_SCAN_REVERSE, 0, /'
defect 'the living are evicted before the dead' lmdb core/store/account.c \
    's/pdict__time_add(now_ms, 1),/1,/'
defect 'limits are seen late' memory core/store/limits.c \
    's/if (memo->word != word)/if (memo->word != word \&\& word % 2 == 0)/'
defect 'a touched entry keeps its deadline' sqlite core/map/touch.c \
    's/change->if_version = change->row.version = row.version;/&\n    change->row.expires_ms = row.expires_ms;/'

[ $# -gt 0 ] || rm -rf "$work"
echo "$missed missed"
[ "$missed" -eq 0 ]
