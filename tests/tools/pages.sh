#!/usr/bin/env bash
# Do the programs in README.md and docs/*.md build without a warning, and does what they show hold?
# A program is a block of C with an `int main` in it, at most 50 lines long; it may use cellar.h and
# the C library, gets an empty directory, in which it runs, as its argument, and returns 0 only if
# what it shows held. Other blocks are fragments, and not looked at. A page that has a section
# "Guarantees" must have a program. Each page is one case; reports in TAP.
#
#   tests/tools/pages.sh [root]        checks the pages of the tree, with the library of this one
#   tests/tools/pages.sh --self-test   plants faulty pages in a copy; each must be found
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
unset MAKEFLAGS MFLAGS MAKELEVEL

lines_max=50
seconds_max=60

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Writes the programs of a page to files named by the lines they begin at; to the compiler these
# are lines of the page. False when the last block has no end.
extract() {
    awk -v page="$1" -v directory="$2" '
        !inside && /^```/ {
            inside = FNR
            is_c = /^```c[ \t]*$/
            is_program = 0
            text = ""
            next
        }
        inside && /^```[ \t]*$/ {
            if (is_c && is_program) {
                file = sprintf("%s/line-%05d.c", directory, inside + 1)
                printf "#line %d \"%s\"\n%s", inside + 1, page, text >file
                close(file)
            }
            inside = 0
            next
        }
        inside {
            text = text $0 "\n"
            is_program = is_program || /(^|[^A-Za-z0-9_])int main/
        }
        END {
            if (inside) {
                print page ":" inside ": this block has no end"
                exit 1
            }
        }' "$1"
}

# One program: its length, its build, its run.
check_program() {
    local source=$1 where=$2 program=${1%.c} scratch=${1%.c}.d lines status=0
    lines=$(($(wc -l <"$source") - 1))
    if [ "$lines" -gt "$lines_max" ]; then
        echo "$where: $lines lines, the limit is $lines_max"
        return 1
    fi
    "${CC:-gcc}" -std=c11 -Wall -Wextra -Werror -I"$top/include" "$source" -o "$program" \
        -L"$top/build/lib" -Wl,-rpath,"$top/build/lib" -lcellar || return 1
    mkdir "$scratch"
    (cd "$scratch" && timeout -k 10 "$seconds_max" "$program" "$scratch") </dev/null || status=$?
    [ "$status" -eq 0 ] || echo "$where: exit status $status"
    return "$status"
}

# All programs of a page; how many there are is left in `programs`.
check_page() {
    local page=$1 directory=$work/${1//\//-} source line status=0
    mkdir "$directory"
    programs=0
    extract "$page" "$directory" || status=1
    for source in "$directory"/line-*.c; do
        [ -e "$source" ] || break
        programs=$((programs + 1))
        line=${source##*/line-}
        line=${line%.c}
        check_program "$source" "$page:$((10#$line))" || status=1
    done
    if [ "$programs" -eq 0 ] && grep -qE '^#+ Guarantees' "$page"; then
        echo "$page: guarantees, and no program that shows them"
        status=1
    fi
    return "$status"
}

check_tree() {
    local page status number=0 failed=0 programs
    for page in README.md docs/*.md; do
        [ -e "$page" ] || continue
        status=0
        check_page "$page" 2>&1 || status=1
        [ "$programs" -gt 0 ] || [ "$status" -ne 0 ] || continue
        number=$((number + 1))
        if [ "$status" -eq 0 ]; then
            echo "ok $number - $page"
        else
            echo "not ok $number - $page"
            failed=1
        fi
    done
    if [ "$number" -eq 0 ]; then
        echo "not ok 1 - no page has a program"
        failed=1
    fi
    return "$failed"
}

# --- Self-test ---------------------------------------------------------------------------------

# Expects the check of a tree with standard input as docs/STOCK.md to answer with the text $1
# ("sound": no complaint).
plant() {
    local tree answer
    tree=$(mktemp -d)
    mkdir "$tree/docs"
    program 'return 0;' >"$tree/README.md"
    cat >"$tree/docs/STOCK.md"
    answer=$("$here/pages.sh" "$tree" 2>&1) && answer=
    judge "$1" "a page" "$answer"
    rm -rf "$tree"
}

# A page with a program whose main() is made of the arguments, a line each.
program() {
    echo '```c'
    printf '%s\n' '#include <cellar.h>' 'int main(void) {' "$@" '}' '```'
}

# A program of $1 lines.
program_of() {
    local -a lines
    mapfile -t lines < <(for ((i = 4; i < $1; i++)); do echo ';'; done)
    program "${lines[@]}" 'return 0;'
}

self_test() {
    plant sound < <(program 'return 0;')
    plant sound < <(program 'return cellar_version_string()[0] == 0;')
    plant sound <<<$'```c\nthis is a fragment;\n```'
    plant sound < <(echo '## Guarantees' && program 'return 0;')
    plant sound < <(program_of "$lines_max")
    plant "$((lines_max + 1)) lines" < <(program_of "$((lines_max + 1))")
    plant 'docs/STOCK.md:2: exit status 1' < <(program 'return 1;')
    plant 'docs/STOCK.md:8: exit status 3' < <(program 'return 0;' && program 'return 3;')
    plant 'exit status 13' < <(program '__builtin_trap();')
    plant 'docs/STOCK.md:4' < <(program 'int unused;' 'return 0;')
    plant 'CELLAR_NO_SUCH' < <(program 'return CELLAR_NO_SUCH;')
    plant 'commit/cell.h' < <(program 'return 0;' | sed 's,<cellar.h>,"commit/cell.h",')
    plant 'commit_read' < <(program 'extern int commit_read(void);' 'return commit_read();')
    plant 'STOCK.md:1: this block has no end' < <(program 'return 0;' | sed '$d')
    plant 'no program that shows them' <<<$'## Guarantees\n```c\nfragment;\n```'
    judged
}

"${MAKE:-make}" -C "$top" --no-print-directory library || exit 1
if [ "${1:-}" = --self-test ]; then
    # shellcheck source=tests/tools/self_test.sh
    . "$here/self_test.sh"
    self_test
else
    cd "${1:-$top}" || exit 2
    check_tree
fi
