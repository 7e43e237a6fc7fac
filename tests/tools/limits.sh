#!/usr/bin/env bash
# Does every file keep to the limits of style? 500 lines a file, 70 lines a function, 100 columns a
# line, no unfinished-work marker. Exceptions are listed in tests/tools/limits.allow.
#
#   tests/tools/limits.sh [root]        checks the tree, prints each violation as file:line: why
#   tests/tools/limits.sh --self-test   plants violations in a copy; each must be found
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

file_lines_max=500
function_lines_max=70
columns_max=100
marker='TO''DO|FIX''ME|XX''X:'

violations=0
declare -A reason_of used

report() {
    local kind=$1 subject=$2
    if [ -n "${reason_of[$kind $subject]:-}" ]; then
        used[$kind $subject]=1
        return
    fi
    echo "$3"
    violations=$((violations + 1))
}

read_allowances() {
    local kind subject reason
    [ -e tests/tools/limits.allow ] || return 0
    while read -r kind subject reason; do
        case $kind in
        '' | '#'*) continue ;;
        lines | function | columns | marker) ;;
        *)
            report allow "$kind" "tests/tools/limits.allow: no such limit: $kind"
            continue
            ;;
        esac
        if [ -z "$reason" ]; then
            report allow "$subject" "tests/tools/limits.allow: $kind $subject gives no reason"
        else
            reason_of[$kind $subject]=$reason
        fi
    done <tests/tools/limits.allow
}

check_file() {
    local file=$1 count line name first
    count=$(wc -l <"$file")
    if [ "$count" -gt "$file_lines_max" ]; then
        report lines "$file" "$file:$count: $count lines, the limit is $file_lines_max"
    fi
    while IFS=: read -r line _; do
        report columns "$file" "$file:$line: more than $columns_max columns"
    done < <(LC_ALL=C.UTF-8 grep -nE "^.{$((columns_max + 1))}" "$file")
    while IFS=: read -r line _; do
        report marker "$file" "$file:$line: unfinished work must not stay in the tree"
    done < <(grep -nwE "$marker" "$file")
    [[ $file == *.[ch] ]] || return 0
    while read -r name count first; do
        [ "$count" -le "$function_lines_max" ] ||
            report function "$file:$name" \
                "$file:$first: $name has $count lines, the limit is $function_lines_max"
    done < <(awk -f "$here/strip.awk" "$file" | awk -f "$here/functions.awk")
}

check_tree() {
    local file entry
    read_allowances
    while read -r file; do
        check_file "${file#./}"
    done < <(find . \( -name build -o -name .git \) -prune -o -type f \
        \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.sh' -o -name '*.awk' -o -name '*.map' \
        -o -name Makefile -o -path ./.ci/run \) -print | sort)
    for entry in "${!reason_of[@]}"; do
        if [ -z "${used[$entry]:-}" ]; then
            echo "tests/tools/limits.allow: nothing needs this any more: $entry"
            violations=$((violations + 1))
        fi
    done
    [ "$violations" -eq 0 ]
}

# --- Self-test ---------------------------------------------------------------------------------

# Expects the check of a tree with standard input as lib/base/thing.c, and $2 as its exceptions, to
# answer with the text $1 ("sound": no complaint).
plant() {
    local expected=$1 allow=${2:-} output tree
    tree=$(mktemp -d)
    mkdir -p "$tree/lib/base" "$tree/tests/tools"
    cat >"$tree/lib/base/thing.c"
    echo "$allow" >"$tree/tests/tools/limits.allow"
    output=$("$here/limits.sh" "$tree" 2>&1) || true
    judge "$expected" "a file" "$output"
    rm -rf "$tree"
}

# A function whose lines, from its signature to its closing brace, are $1 in number.
function_of() {
    echo 'static __attribute__((unused)) int thing_do(int first,'
    echo '                                            int last) {'
    for ((i = 3; i < $1; i++)); do echo '    first += last;'; done
    echo '}'
}

times() { for ((i = 0; i < $1; i++)); do printf '%s' "$2"; done; }

self_test() {
    local file=lib/base/thing.c
    plant sound < <(times 500 $'int x;\n')
    plant '501 lines' < <(times 501 $'int x;\n')
    plant sound "lines $file generated" < <(times 501 $'int x;\n')
    plant 'gives no reason' "lines $file" < <(times 501 $'int x;\n')
    plant 'nothing needs this' "lines $file generated" <<<'int x;'
    plant 'no such limit' "colour $file green" <<<'int x;'
    plant sound < <(times 100 'x')
    plant sound < <(times 100 'é')
    plant 'more than 100 columns' < <(times 101 'x')
    plant sound < <(function_of 70)
    plant 'thing_do has 71 lines' < <(function_of 71)
    plant 'thing_do has 71 lines' < <(function_of 20; function_of 71)
    plant 'thing_do has 71 lines' < <(function_of 71 | sed '30s/.*/out:/')
    plant sound "function $file:thing_do one table" < <(function_of 71)
    plant sound < <(echo 'static const int table[] = {'; times 90 $'    1,\n'; echo '};')
    plant 'unfinished work' <<<"/* TO""DO: more */"
    plant 'unfinished work' <<<"/* FIX""ME */"
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
