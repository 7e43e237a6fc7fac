# shellcheck shell=bash
# replay_common.sh - what the tests of the replay share. Sourced, not run.
#
# The tests speak TAP: a plan, then "ok N - name" or "not ok N - name". Files go to TMPDIR, below
# build/tmp unless set. They use build/bin/replay, which `make all` builds; REPLAY= names another.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
replay=${REPLAY:-build/bin/replay}
totals_py=tests/tools/shop_totals.py
seed=${SEED:-$(date +%s)}
export replay totals_py seed # for the scripts that source this one
case_count=0
failures=0

mkdir -p "${TMPDIR:-build/tmp}"
scratch=$(mktemp -d "${TMPDIR:-$PWD/build/tmp}/replay.XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT

if [ ! -x "$replay" ]; then
    echo "Bail out! there is no $replay; run make first"
    exit 1
fi
# A build that runs beside the test must not change the program under it.
cp "$replay" "$scratch/program" || exit 2
replay=$scratch/program

plan() {
    echo "1..$1"
    echo "# seed $seed; SEED=$seed runs it again"
}

# The result of a case: its status, its name, and a file to show when it is bad.
result() {
    case_count=$((case_count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $case_count - $2"
    else
        echo "not ok $case_count - $2"
        failures=$((failures + 1))
        [ -z "${3:-}" ] || tail -n 25 "$3" | sed 's/^/# /'
    fi
}

finish() {
    [ "$failures" -eq 0 ]
    exit
}

# The figures in an output of replay, or all of one of shop_totals.py, a line each.
figures() {
    sed -n '/^File /,/^$/p; /^Totals/,/^$/p' "$1" |
        grep -E '^  (rows|invoices skipped)|^  .* [0-9.,-]+( GBP)?$' | grep -v '^  prices'
}

# The real file when it is there, else a generated one; CELLAR_DATA names another.
find_data() {
    local file=${CELLAR_DATA:-}
    # shellcheck disable=SC2012 # the names are ours
    [ -n "$file" ] || file=$(ls -t ../shared/data/*.csv.gz 2>/dev/null | head -n 1)
    if [ -z "$file" ]; then
        file=$scratch/generated.csv
        "$replay" --generate 60000 --seed "$seed" >"$file" || return 1
    fi
    echo "$file"
}
