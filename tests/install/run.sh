#!/usr/bin/env bash
# Can a stranger build against what `make install` leaves behind, with pkg-config and nothing else?
# Installs to build/install-root and builds the programs of this directory there, outside of the
# source tree's include paths. Reports in TAP.
#
# Most functions are run by try(), which shellcheck cannot see:
# shellcheck disable=SC2317
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
unset MAKEFLAGS MFLAGS MAKELEVEL

root=$PWD/build/install-root
work=$PWD/build/install-work
library=$root/lib
cc=${CC:-gcc}
cxx=${CXX:-g++}
warnings=(-Wall -Wextra -Wpedantic -Werror)
export PKG_CONFIG_PATH=$library/pkgconfig

number=0
failed=0
# Runs a command and reports it as one case.
try() {
    local what=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number - $what"
    else
        echo "not ok $number - $what"
        failed=1
    fi
}

# Each run gets a store directory of its own.
sell() {
    rm -rf "$work/store"
    "$@" "$work/store"
}

flags() { pkg-config --cflags cellar; }
shared_libs() { pkg-config --libs cellar; }
# Everything but libcellar itself is taken as it comes: shared.
static_libs() {
    pkg-config --static --libs cellar | sed 's/-lcellar/-Wl,-Bstatic -lcellar -Wl,-Bdynamic/'
}

installed_files() {
    local file
    for file in include/cellar.h lib/libcellar.a lib/libcellar.so.0.1.0 lib/libcellar.so.0 \
        lib/libcellar.so lib/pkgconfig/cellar.pc; do
        [ -e "$root/$file" ] || return 1
    done
    # Nothing internal may come along.
    [ "$(cd "$root/include" && ls)" = "$(cd include && ls -- *.h)" ]
}

same_under_destdir() {
    "${MAKE:-make}" --no-print-directory install PREFIX=/opt/cellar DESTDIR="$work/stage" &&
        [ -e "$work/stage/opt/cellar/include/cellar.h" ] &&
        grep -qx 'prefix=/opt/cellar' "$work/stage/opt/cellar/lib/pkgconfig/cellar.pc"
}

# The flags are lists of words.
# shellcheck disable=SC2046
build_all() {
    local source=tests/install
    try "C11 program builds, shared" "$cc" -std=c11 "${warnings[@]}" $(flags) $source/sell.c \
        -o "$work/c-shared" $(shared_libs)
    try "C11 program builds, static" "$cc" -std=c11 "${warnings[@]}" $(flags) $source/sell.c \
        -o "$work/c-static" $(static_libs)
    try "C++17 program builds, shared" "$cxx" -std=c++17 "${warnings[@]}" $(flags) \
        $source/sell.cpp -o "$work/cxx-shared" $(shared_libs)
    try "C++17 program builds, static" "$cxx" -std=c++17 "${warnings[@]}" $(flags) \
        $source/sell.cpp -o "$work/cxx-static" $(static_libs)
    try "static program with jemalloc builds" "$cc" -std=c11 "${warnings[@]}" $(flags) \
        $source/sell.c -o "$work/c-jemalloc" $(static_libs) -ljemalloc
    try "fully static program builds" "$cc" -std=c11 -static "${warnings[@]}" $(flags) \
        $source/sell.c -o "$work/c-full" $(pkg-config --static --libs cellar)
    try "program that loads the library builds" "$cc" -std=c11 -Wall -Wextra -Werror $(flags) \
        $source/load.c -o "$work/load"
}

rm -rf "$root" "$work"
mkdir -p "$work"
try "make install" "${MAKE:-make}" --no-print-directory install PREFIX="$root"
try "the installed files" installed_files
try "make install below DESTDIR" same_under_destdir
build_all
try "C11 program runs, shared" sell env LD_LIBRARY_PATH="$library" "$work/c-shared"
try "C11 program runs, static" sell "$work/c-static"
try "C++17 program runs, shared" sell env LD_LIBRARY_PATH="$library" "$work/cxx-shared"
try "C++17 program runs, static" sell "$work/cxx-static"
try "static program with jemalloc runs" sell "$work/c-jemalloc"
try "fully static program runs" sell "$work/c-full"
try "loaded, unloaded and loaded again" sell "$work/load" "$library/libcellar.so.0"
exit "$failed"
