#!/usr/bin/env bash
# Is a replay that was killed at random moments, and started again each time, right in the end?
# ROUNDS= sets how many stores are tried, alternately with the one and the other durability.
# shellcheck source=tests/flow/replay_common.sh
. "$(dirname "$0")/replay_common.sh"

rounds=${ROUNDS:-2}
plan $((rounds * 2))
data=$(find_data) || exit 1
"$totals_py" "$data" >"$scratch/expected" 2>/dev/null || exit 1
RANDOM=$((seed % 32768))

# How long a whole sale takes, so that the kills fall anywhere in it: ten starts get a tenth of it
# each, on the average, after they have read the file.
begin=$(date +%s%N)
"$replay" "$data" --dir "$scratch/whole" >"$scratch/whole-out" 2>&1
span_ms=$((($(date +%s%N) - begin) / 5000000 + 1))
rm -rf "$scratch/whole"
# What was received and what is left is not in the data, so an uninterrupted run says it.
sed -n '/^Stock/,/^$/p' "$scratch/whole-out" >"$scratch/expected-stock"
echo "# kills come up to $span_ms ms after a start"

# Waits until the child has read the file, which it says, or has ended.
wait_until_read() {
    until [ -s "$scratch/out" ] || ! kill -0 "$1" 2>/dev/null; do
        sleep 0.005
    done
}

for ((round = 0; round < rounds; round++)); do
    mode=$([ $((round % 2)) -eq 0 ] && echo wait || echo relaxed)
    kills=0
    status=0
    # Ten starts are killed at a random moment, if they are still at it; the eleventh may end.
    for ((start = 0; start < 10; start++)); do
        : >"$scratch/out"
        "$replay" "$data" --dir "$scratch/store" --threads 4 --durability "$mode" \
            >"$scratch/out" 2>"$scratch/err" &
        child=$!
        wait_until_read "$child"
        delay_ms=$((RANDOM % span_ms))
        sleep "$((delay_ms / 1000)).$(printf '%03d' $((delay_ms % 1000)))"
        kill -KILL "$child" 2>/dev/null
        # A run that ended before its kill must have ended well.
        wait "$child" 2>/dev/null
        ended=$?
        kills=$((kills + (ended == 137)))
        if [ "$ended" -ne 0 ] && [ "$ended" -ne 137 ]; then
            status=1
            cp "$scratch/err" "$scratch/bad"
        fi
    done
    "$replay" "$data" --dir "$scratch/store" --threads 4 --durability "$mode" \
        >"$scratch/out" 2>&1 || status=1
    cat "$scratch/bad" >>"$scratch/out" 2>/dev/null
    # Without a kill nothing would have been shown.
    [ "$kills" -gt 0 ] || status=1
    echo "# $kills of 10 starts were killed"
    result "$status" "killed_${mode}_${round}_goes_on" "$scratch/out"
    {
        figures "$scratch/out" | diff "$scratch/expected" - &&
            sed -n '/^Stock/,/^$/p' "$scratch/out" | diff "$scratch/expected-stock" -
    } >"$scratch/diff"
    result $? "killed_${mode}_${round}_totals" "$scratch/diff"
    rm -rf "$scratch/store" "$scratch/bad"
done
finish
