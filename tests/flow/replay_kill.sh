#!/usr/bin/env bash
# Is a replay that was killed at random moments, and started again each time, right in the end?
# ROUNDS= sets how many stores are tried, alternately with the one and the other durability.
# shellcheck source=tests/flow/replay_common.sh
. "$(dirname "$0")/replay_common.sh"

rounds=${ROUNDS:-4}
plan $((rounds * 2))
data=$(find_data) || exit 1
"$totals_py" "$data" >"$scratch/expected" 2>/dev/null || exit 1
RANDOM=$((seed % 32768))

# How long a whole run takes, so that the kills fall anywhere in it.
begin=$(date +%s%N)
"$replay" "$data" --dir "$scratch/whole" >/dev/null 2>&1
run_ms=$((($(date +%s%N) - begin) / 1000000 + 1))
rm -rf "$scratch/whole"
echo "# a whole run takes $run_ms ms"

for ((round = 0; round < rounds; round++)); do
    mode=$([ $((round % 2)) -eq 0 ] && echo wait || echo relaxed)
    kills=0
    status=0
    # Ten starts are killed at a random moment; the eleventh may end.
    for ((start = 0; start < 10; start++)); do
        "$replay" "$data" --dir "$scratch/store" --threads 4 --durability "$mode" \
            >"$scratch/out" 2>"$scratch/err" &
        child=$!
        sleep "$(printf '%d.%03d' $((RANDOM % run_ms / 1000)) $((RANDOM % run_ms % 1000)))"
        kill -KILL "$child" 2>/dev/null && kills=$((kills + 1))
        # A run that ended before its kill must have ended well.
        wait "$child" 2>/dev/null
        ended=$?
        if [ "$ended" -ne 0 ] && [ "$ended" -ne 137 ]; then
            status=1
            cp "$scratch/err" "$scratch/bad"
        fi
    done
    "$replay" "$data" --dir "$scratch/store" --threads 4 --durability "$mode" \
        >"$scratch/out" 2>&1 || status=1
    cat "$scratch/bad" >>"$scratch/out" 2>/dev/null
    result "$status" "killed_${mode}_${round}_goes_on" "$scratch/out"
    echo "# $kills kills"
    figures "$scratch/out" | diff "$scratch/expected" - >"$scratch/diff"
    result $? "killed_${mode}_${round}_totals" "$scratch/diff"
    rm -rf "$scratch/store" "$scratch/bad"
done
finish
