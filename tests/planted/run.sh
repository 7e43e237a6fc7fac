#!/usr/bin/env bash
# Plants known bugs, one at a time, in a copy of the tree, and runs the tests in rising cost until
# one of them fails: a bug that no test notices is a hole in the tests.
#
#   tests/planted/run.sh                  all bugs; ends with a table
#   tests/planted/run.sh store-unmerged   only these
#   tests/planted/run.sh --list           their names, and what each breaks
#   tests/planted/run.sh --apply          only whether every patch applies to the tree as it is
#
# A bug is tests/planted/<name>.patch, for `patch -p1`, and begins with two lines:
#
#   Breaks: what goes wrong, in a sentence
#   Rule: which promise or rule that is
#
# and may have a third, "Gates:", with the only gates to try. A gate is variant:kind, where kind is
# a folder of tests, or fuzz:corpus. What caught a bug must pass once the bug is taken out.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
unset MAKEFLAGS MFLAGS MAKELEVEL

here=$PWD
tree=$here/build/planted/tree
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
gates_default='test:unit test:flow test:gate test:stress fuzz:corpus asan:unit asan:flow tsan:unit
    tsan:stress'
declare -A seconds_max_of=([unit]=120 [flow]=120 [gate]=120 [stress]=180 [corpus]=120)

header() {
    sed -n "s/^$2: //p" "tests/planted/$1.patch" | head -n 1
}

names() {
    local file
    for file in tests/planted/*.patch; do
        basename "$file" .patch
    done
}

apply() {
    patch -p1 -s -F0 -d "$2" "${@:3}" <"$here/tests/planted/$1.patch"
}

check_applies() {
    local name number=0 status=0
    echo "1..$(names | wc -l)"
    for name in $(names); do
        number=$((number + 1))
        if [ -n "$(header "$name" Breaks)" ] && [ -n "$(header "$name" Rule)" ] &&
            apply "$name" . --dry-run; then
            echo "ok $number - $name applies"
        else
            echo "not ok $number - $name does not apply, or lacks its header"
            status=1
        fi
    done
    return "$status"
}

# --- One test ----------------------------------------------------------------------------------

programs_of() {
    local variant=$1 kind=$2 file
    if [ "$variant" = fuzz ]; then
        for file in "$tree"/tests/fuzz/fuzz_*.c; do
            echo "build/fuzz/$(basename "${file%.c}")"
        done
        return
    fi
    for file in "$tree/tests/$kind"/*.c; do
        [ ! -e "$file" ] || echo "build/test/$variant/$kind/$(basename "${file%.c}")"
    done
}

# The same for one bug: those of the layer it is planted in come first, being likely to notice it.
programs_for() {
    local layer=${1%%-*} programs
    programs=$(programs_of "$2" "$3")
    [ "$layer" != store ] || layer=engine
    grep "_$layer" <<<"$programs"
    grep -v "_$layer" <<<"$programs"
}

# Builds the program in the copy; a bug that does not build is no bug.
build() {
    nice -n 10 make -C "$tree" --no-print-directory -j "$jobs" "$1" >"$tree/../build.log" 2>&1 ||
        { tail -n 5 "$tree/../build.log" >&2 && return 1; }
}

# Does the program pass?
passes() {
    local program=$1 kind=$2 arguments=() prefix=()
    if [ "$kind" = corpus ]; then
        arguments=("$tree/tests/fuzz/corpus/${program#build/fuzz/fuzz_}"/*)
    fi
    if [[ $program == build/test/tsan* ]] && setarch -R true 2>/dev/null; then
        prefix=(setarch -R)
    fi
    rm -rf "$tree/../tmp"
    mkdir -p "$tree/../tmp"
    # The braces keep bash's own words about a program that was killed out of the output.
    { (cd "$tree" && TMPDIR=$tree/../tmp TSAN_OPTIONS=suppressions=$tree/tests/tsan.supp \
        nice -n 10 "${prefix[@]}" timeout -k 5 "${seconds_max_of[$kind]:-120}" "$program" \
        "${arguments[@]}") >"$tree/../test.log" 2>&1 </dev/null; } 2>/dev/null
}

# --- One bug -----------------------------------------------------------------------------------

caught_by=
bug_seconds=0

# Sets caught_by to the program that notices the bug; empty: none does.
try() {
    local name=$1 gates gate variant kind program start=$SECONDS
    gates=$(header "$name" Gates)
    caught_by=
    for gate in ${gates:-$gates_default}; do
        variant=${gate%%:*}
        kind=${gate##*:}
        for program in $(programs_for "$name" "$variant" "$kind"); do
            build "$program" || return 1
            if ! passes "$program" "$kind"; then
                caught_by="$variant:$kind/$(basename "$program")"
                bug_seconds=$((SECONDS - start))
                return 0
            fi
        done
    done
    bug_seconds=$((SECONDS - start))
}

# The one that noticed, without the bug.
confirm() {
    local gate=${caught_by%%/*} program=${caught_by##*/} kind
    kind=${gate##*:}
    if [ "$kind" = corpus ]; then
        program=build/fuzz/$program
    else
        program=build/test/${gate%%:*}/$kind/$program
    fi
    build "$program" && passes "$program" "$kind"
}

prepare() {
    if [ -e "$tree/.patched" ]; then
        rm -rf "$tree"
    fi
    mkdir -p "$tree"
    rm -rf "${tree:?}"/{include,lib,tests,examples,bench,docs}
    cp -a Makefile include lib tests examples bench docs "$tree/"
}

run_bug() {
    local name=$1 number=$2 result
    touch "$tree/.patched"
    if ! apply "$name" "$tree"; then
        echo "not ok $number - $name does not apply"
        return 1
    fi
    if ! try "$name"; then
        result='does not build'
        caught_by=
    elif [ -z "$caught_by" ]; then
        result='noticed by no test'
    fi
    apply "$name" "$tree" -R
    if [ -n "$caught_by" ] && ! confirm; then
        result="$caught_by fails without it, too"
        caught_by=
    fi
    rm -f "$tree/.patched"
    if [ -z "$caught_by" ]; then
        echo "not ok $number - $name: $result, $bug_seconds s"
        rows+=("| $name | $(header "$name" Breaks) | **$result** | $bug_seconds |")
        return 1
    fi
    echo "ok $number - $name: $caught_by, $bug_seconds s"
    rows+=("| $name | $(header "$name" Breaks) | $caught_by | $bug_seconds |")
}

case ${1:-} in
--list)
    for name in $(names); do
        printf '%-28s %s (%s)\n' "$name" "$(header "$name" Breaks)" "$(header "$name" Rule)"
    done
    exit 0
    ;;
--apply)
    check_applies
    exit
    ;;
esac

rows=()
status=0
number=0
[ $# -gt 0 ] || mapfile -t bugs < <(names)
[ $# -eq 0 ] || bugs=("$@")
prepare
echo "1..${#bugs[@]}"
for name in "${bugs[@]}"; do
    run_bug "$name" $((++number)) || status=1
done
echo
printf '%s\n' '| bug | what it breaks | caught by | s |' '|---|---|---|---|' "${rows[@]}"
exit "$status"
