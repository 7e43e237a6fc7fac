#!/usr/bin/env bash
# Shows the library at work, in less than a minute: a flash sale, two load tests of the back end it
# stands in for, a shop's file, kill -9 in mid-sale; then one table. Leaves with 0 only if every
# invariant held. `make demo` builds first.
#
#   CELLAR_DATA   the shop's file, FILE.csv or FILE.csv.gz; unless set, the newest *.csv.gz in
#                 ../shared/data; when there is none, a shop is generated, and that is said
#   SEED          of the moments at which the sale is killed, and of a generated shop
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

bin=build/bin
seed=${SEED:-$(date +%s)}
mkdir -p build/tmp
scratch=$(mktemp -d "$PWD/build/tmp/demo.XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT
summary=$scratch/summary
failed=0
export TMPDIR=$scratch

# Runs one part. A part that fails before it has written its result still gets a line in the table.
part() {
    local what=$1
    shift
    printf '\n=== %s\n\n' "$what"
    if ! "$@"; then
        failed=1
        if ! grep -q FAILED "$summary" 2>/dev/null; then
            printf '%s\tFAILED\tsee above\n' "$what" >>"$summary"
        fi
    fi
}

# Prints the file to sell; generates one when there is none.
find_data() {
    local file
    if [ -n "${CELLAR_DATA:-}" ]; then
        echo "$CELLAR_DATA"
        return
    fi
    # shellcheck disable=SC2012 # the names are ours
    file=$(ls -t ../shared/data/*.csv.gz 2>/dev/null | head -n 1)
    if [ -z "$file" ]; then
        file=$scratch/generated.csv
        "$bin/replay" --generate 150000 --seed "$seed" >"$file" || return 1
        echo "*** There is no shop's file: this one is GENERATED (seed $seed), not real sales." >&2
        echo "*** Set CELLAR_DATA=FILE.csv[.gz] to sell a real one." >&2
    fi
    echo "$file"
}

# The second run must change nothing, which replay itself checks and says.
replay_twice() {
    "$bin/replay" "$data" --dir "$scratch/replay" --threads 4 --summary "$summary" || return 1
    printf '\n--- the same file again\n\n'
    if "$bin/replay" "$data" --dir "$scratch/replay" --threads 4 >"$scratch/again" &&
        tail -n 1 "$scratch/again" | grep '^Nothing was changed'; then
        printf 'replay: the same file again\theld\tnothing was changed\n' >>"$summary"
    else
        cat "$scratch/again"
        printf 'replay: the same file again\tFAILED\tsee above\n' >>"$summary"
        return 1
    fi
}

start=$SECONDS
part "1. A flash sale" "$bin/flash_sale" --threads 16 --units 1000 --seconds 6 --summary "$summary"
part "2. Two load tests, theirs and ours" "$bin/incumbent_load" --seconds 8 \
    --summary "$summary"
if data=$(find_data); then
    part "3. A shop's file" replay_twice
else
    failed=1
    printf "a shop's file\tFAILED\tnone could be made\n" >>"$summary"
fi
part "4. kill -9 in mid-sale" "$bin/crash_sale" --threads 8 --rounds 5 --seed "$seed" \
    --summary "$summary"

printf '\n=== Summary, after %d s\n\n' $((SECONDS - start))
awk -F '\t' '
    BEGIN { printf "  %-30s  %-6s  %s\n", "what", "result", "figures" }
    BEGIN { printf "  %-30s  %-6s  %s\n", "------------------------------", "------", "-------" }
    { printf "  %-30s  %-6s  %s\n", $1, $2, $3 }' "$summary"
printf '\n'
if [ "$failed" -ne 0 ] || grep -q "$(printf '\tFAILED\t')" "$summary"; then
    echo "demo: NOT every invariant held"
    exit 1
fi
echo "demo: every invariant held"
