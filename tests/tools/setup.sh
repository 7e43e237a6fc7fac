#!/usr/bin/env bash
# Installs what a build needs and this machine lacks.
#
#   tests/tools/setup.sh base     to build the library and the examples
#   tests/tools/setup.sh bench    the same, and what the benchmark needs
#   tests/tools/setup.sh check    the same and everything `make check` uses
#   tests/tools/setup.sh coverage what `make coverage` uses
#   tests/tools/setup.sh counts   what `make bench-counts` uses
#   tests/tools/setup.sh draw     what `make bench-draw` uses
#   tests/tools/setup.sh load     what a build uses and what `make load` uses
#
# Does nothing when all is there. On Debian and its kin missing packages come through apt-get, as
# root or with sudo; elsewhere the script names what is missing and fails.
set -euo pipefail

# package | what it provides: a command, or a file (a pattern is allowed)
base_packages='
make|make
gcc|gcc
libc6-dev|/usr/include/stdio.h
liburcu-dev|/usr/include/urcu-bp.h /usr/include/*/urcu-bp.h
libxxhash-dev|/usr/include/xxhash.h
libjemalloc-dev|/usr/include/jemalloc/jemalloc.h
zlib1g-dev|/usr/include/zlib.h
libmicrohttpd-dev|/usr/include/microhttpd.h
libjansson-dev|/usr/include/jansson.h
'
bench_packages='
libsqlite3-dev|/usr/include/sqlite3.h
liblmdb-dev|/usr/include/lmdb.h
python3|python3
'
check_packages='
g++|g++
clang-14|clang-14
libclang-rt-14-dev|/usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
clang-format-14|clang-format-14
clang-tidy-14|clang-tidy-14
cppcheck|cppcheck
shellcheck|shellcheck
pkg-config|pkg-config
python3|python3
patch|patch
valgrind|valgrind
libcmocka-dev|/usr/include/cmocka.h
spin|spin
curl|curl
'
coverage_packages='
gcovr|gcovr
'
counts_packages='
python3|python3
valgrind|valgrind
'
draw_packages='
gnuplot-nox|gnuplot
'
load_packages='
python3|python3
wrk|wrk
'
# On an aarch64 machine the native compiler is the one that is needed.
cross_packages='
gcc-aarch64-linux-gnu|aarch64-linux-gnu-gcc
libc6-dev-arm64-cross|/usr/aarch64-linux-gnu/include/stdio.h
'

provided() {
    local thing
    for thing in $1; do
        case $thing in
        /*) compgen -G "$thing" >/dev/null && return 0 ;;
        *) command -v "$thing" >/dev/null && return 0 ;;
        esac
    done
    return 1
}

installed() {
    command -v dpkg >/dev/null && dpkg -s "$1" 2>/dev/null | grep -q '^Status: .* installed$'
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: not root, and there is no sudo; run as root: $*" >&2
        return 1
    fi
}

case ${1:-} in
base) wanted=$base_packages ;;
bench) wanted=$base_packages$bench_packages ;;
check)
    wanted=$base_packages$bench_packages$check_packages
    [ "$(uname -m)" = aarch64 ] || wanted+=$cross_packages
    ;;
coverage) wanted=$base_packages$bench_packages$check_packages$coverage_packages ;;
counts) wanted=$base_packages$bench_packages$counts_packages ;;
draw) wanted=$base_packages$bench_packages$draw_packages ;;
load) wanted=$base_packages$bench_packages$load_packages ;;
*)
    echo "usage: $0 base|bench|check|coverage|counts|draw|load" >&2
    exit 2
    ;;
esac

missing=()
described=()
while IFS='|' read -r package things; do
    [ -n "$package" ] || continue
    if ! provided "$things" && ! installed "$package"; then
        missing+=("$package")
        described+=("  $things (Debian package $package)")
    fi
done <<<"$wanted"

[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: this machine lacks, and there is no apt-get to install it:" >&2
    printf '%s\n' "${described[@]}" >&2
    exit 1
fi
echo "setup: installing ${missing[*]}"
as_root apt-get -q update
as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q install -y --no-install-recommends "${missing[@]}"
