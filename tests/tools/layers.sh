#!/usr/bin/env bash
# Are the layers what docs/HACKING.md says? Arrows point down only, and what belongs to one file
# (the allocator, file I/O, userspace RCU) is used there only.
#
#   tests/tools/layers.sh [root]        checks the tree, prints each violation as file:line: why
#   tests/tools/layers.sh --self-test   plants violations in a copy; each must be found
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)

urcu_files_max=2

# Directories a layer may include from. The public header is open to all.
allowed() {
    case $1 in
    base) echo base ;;
    commit) echo base commit ;;
    log) echo base commit log ;;
    store) echo base commit store ;;
    engine) echo base commit log store engine ;;
    *) echo "" ;;
    esac
}

violations=0
report() {
    echo "$1"
    violations=$((violations + 1))
}

# Prints "line name" for each included name; a name in angle brackets keeps its "<".
includes() {
    awk -f "$here/strip.awk" "$1" |
        sed -nE 's/^[ \t]*#[ \t]*include[ \t]*("([^"]+)"|(<[^>]+)>).*/\2\3/;T;=;p' | paste -d' ' - -
}

is_public() {
    case $1 in
    */*) return 1 ;;
    cellar.h | cellar_*.h) return 0 ;;
    *) return 1 ;;
    esac
}

check_lib_includes() {
    local file layer line name plain first='' own
    file=$1
    layer=$(cut -d/ -f2 <<<"$file")
    own=$layer/$(basename "${file%.c}").h
    if [ -z "$(allowed "$layer")" ]; then
        report "$file:1: lib/$layer is not a layer"
        return
    fi
    while read -r line name; do
        plain=${name#<}
        if [ -z "$first" ] && [[ $file == *.c ]]; then
            first=$plain
            if ! is_public "$plain" && [ "$plain" != "$own" ] &&
                { [ -e "lib/$own" ] || [[ $plain != "$layer"/* ]]; }; then
                report "$file:$line: the first include must be \"$own\" or \"cellar.h\""
            fi
        fi
        is_public "$plain" && continue
        if [[ $name == "<"* ]]; then
            [ ! -e "lib/$plain" ] || report "$file:$line: $plain is ours; include it with quotes"
            continue
        fi
        if [[ $plain != */* || $plain == *..* ]]; then
            report "$file:$line: \"$plain\" must be written as \"layer/file.h\""
        elif [[ " $(allowed "$layer") " != *" ${plain%%/*} "* ]]; then
            report "$file:$line: lib/$layer must not include \"$plain\""
        fi
    done < <(includes "$file")
}

check_example_includes() {
    local file=$1 line name plain
    while read -r line name; do
        plain=${name#<}
        is_public "$plain" && continue
        if [[ $plain == *..* || -e lib/$plain ]]; then
            report "$file:$line: an example must not reach into the library: $plain"
        elif [[ $name != "<"* && ! -e $(dirname "$file")/$plain ]]; then
            report "$file:$line: \"$plain\" is neither cellar.h nor in the example's directory"
        fi
    done < <(includes "$file")
}

# Reports the direct calls of the functions $2 in the file $1; calls through a table do not count.
check_calls() {
    local file=$1 functions=$2 why=$3 line
    while read -r line; do
        report "$file:$line: $why"
    done < <(awk -f "$here/strip.awk" "$file" |
        sed -E 's/(->|\.)[ ]*[A-Za-z_]+[ ]*\(/(/g' |
        grep -nE "(^|[^A-Za-z0-9_])($functions)[ ]*\(" | cut -d: -f1)
}

allocator='malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign|memalign|valloc'
allocator+='|mallocx|rallocx|xallocx|dallocx|sdallocx|strdup|strndup|asprintf|vasprintf'
file_io='pwrite|pwritev|pread|preadv|fsync|fdatasync|sync_file_range|open|openat|creat|fopen'
file_io+='|rename|renameat|renameat2|unlink|unlinkat|truncate|ftruncate|fallocate|posix_fallocate'

check_tree() {
    local file urcu
    while read -r file; do
        check_lib_includes "$file"
        [ "$file" = lib/base/memory.c ] || check_calls "$file" "$allocator" \
            "only lib/base/memory.c calls the allocator"
        [[ $file == lib/base/* ]] || check_calls "$file" "$file_io" \
            "file I/O goes through the table in base/io.h"
    done < <(find lib -name '*.[ch]' | sort)
    while read -r file; do
        check_example_includes "$file"
    done < <(find examples -name '*.[ch]' 2>/dev/null | sort)
    urcu=$(grep -rlE '^[ \t]*#[ \t]*include[ \t]*[<"]urcu' lib --include='*.[ch]' | sort || true)
    if [ "$(grep -c . <<<"$urcu")" -gt "$urcu_files_max" ]; then
        report "lib: <urcu...> is included by more than $urcu_files_max files:" \
            "$(tr '\n' ' ' <<<"$urcu")"
    fi
    [ "$violations" -eq 0 ]
}

# --- Self-test ---------------------------------------------------------------------------------

# Writes the rest of the arguments as lines of the file $2 in a small sound tree, and expects the
# check to answer with the text $1 ("sound": no complaint).
plant() {
    local expected=$1 file=$2 output tree
    shift 2
    tree=$(mktemp -d)
    mkdir -p "$tree"/lib/{base,commit,log,store,engine} "$tree/examples/shop"
    touch "$tree"/lib/{base,commit,log,store,engine}/thing.h "$tree/examples/shop/own.h"
    printf '%s\n' '#include <urcu-bp.h>' >"$tree/lib/base/grace.h"
    printf '%s\n' '#include <urcu/rculfhash.h>' >"$tree/lib/store/table.h"
    printf '%s\n' "$@" >"$tree/$file"
    output=$("$here/layers.sh" "$tree" 2>&1) || true
    judge "$expected" "$file" "$output"
    rm -rf "$tree"
}

self_test() {
    local first='#include "base/thing.h"'
    plant sound lib/base/thing.c "$first" '#include "cellar.h"' '#include <stdio.h>'
    plant sound lib/base/memory.c '#include "cellar.h"' 'void *f(void) { return malloc(1); }'
    plant sound lib/base/thing.c "$first" 'int f(void) { return open("x", 0); }'
    plant sound lib/log/thing.c '#include "log/thing.h"' '#include "commit/thing.h"' \
        '/* malloc() and' ' * free() */' 'int f(struct io *io) { return io->open("free(x)"); }'
    plant sound lib/engine/thing.c '#include "engine/thing.h"' '#include "store/thing.h"' \
        '#include "log/thing.h"' 'void f(void) { memory_free(0); list.free(0); }'
    plant sound lib/engine/other.c '#include "cellar.h"' '#include "engine/thing.h"'
    plant sound examples/shop/main.c '#include <cellar.h>' '#include "own.h"' '#include <zlib.h>'

    plant 'lib/base must not include' lib/base/thing.c "$first" '#include "commit/thing.h"'
    plant 'lib/base must not include' lib/base/extra.h '#include "store/thing.h"'
    plant 'lib/commit must not include' lib/commit/thing.c '#include "commit/thing.h"' \
        '#include "log/thing.h"'
    plant 'lib/log must not include' lib/log/thing.c '#include "log/thing.h"' \
        '#include "store/thing.h"'
    plant 'lib/store must not include' lib/store/thing.c '#include "store/thing.h"' \
        '# include "log/thing.h"'
    plant 'lib/store must not include' lib/store/thing.c '#include "store/thing.h"' \
        '#include "engine/thing.h"'
    plant 'must be written as' lib/store/thing.c '#include "store/thing.h"' '#include "table.h"'
    plant 'with quotes' lib/base/thing.c "$first" '#include <engine/thing.h>'
    plant 'is not a layer' lib/base/../extra.c 'int x;'
    plant 'the first include' lib/base/thing.c '#include <stdio.h>' "$first"
    plant 'the first include' lib/log/thing.c '#include "base/thing.h"' '#include "log/thing.h"'
    plant 'more than 2 files' lib/commit/thing.c '#include "commit/thing.h"' '#include <urcu-bp.h>'
    plant 'calls the allocator' lib/store/thing.c '#include "store/thing.h"' \
        'void f(void *p) { free(p); }'
    plant 'calls the allocator' lib/base/thing.c "$first" 'void *f(void) { return mallocx(1, 0); }'
    plant 'file I/O goes' lib/log/thing.c '#include "log/thing.h"' \
        'int f(void) { return fdatasync (3); }'
    plant 'must not reach' examples/shop/main.c '#include "base/thing.h"'
    plant 'must not reach' examples/shop/main.c '#include "../../lib/base/thing.h"'
    plant 'is neither' examples/shop/main.c '#include "other.h"'
    judged
}

if [ "${1:-}" = --self-test ]; then
    # shellcheck source=tests/tools/self_test.sh
    . "$here/self_test.sh"
    self_test
else
    cd "${1:-$here/../..}"
    check_tree
fi
