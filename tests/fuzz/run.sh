#!/usr/bin/env bash
# Runs the fuzzers that `make build-fuzz` has built: first every input of the corpus, then new ones.
#
#   tests/fuzz/run.sh                     a short run, as in the gate
#   FUZZ_SECONDS=3600 tests/fuzz/run.sh   so long in all, shared by the fuzzers
#   tests/fuzz/run.sh calls log           only these
#   tests/fuzz/run.sh --keep [names]      puts the smallest set of inputs that reaches all that was
#                                         reached so far into the corpus (inputs up to 4 KiB)
#
# SEED= repeats a run as far as threads allow. What is found lies in build/fuzz/findings/; an input
# is tried again by naming it: build/fuzz/fuzz_calls build/fuzz/findings/calls-crash-...
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

seconds=${FUZZ_SECONDS:-20}
seed=${SEED:-20110917}
declare -A input_bytes_max=([log]=16384 [store]=16384 [calls]=900 [request]=2048 [handlers]=4096)
# Threads make an input of whole requests slow: of these only as many as reach every place once.
declare -A merge_options=([handlers]="-set_cover_merge=1 -use_counters=0")
options=(-timeout=30 -rss_limit_mb=2048 -verbosity=1 -print_final_stats=1)
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1

keep=0
if [ "${1:-}" = --keep ]; then
    keep=1
    shift
fi
if [ $# -gt 0 ]; then
    names=("$@")
else
    names=(log store calls request handlers)
fi

failed=0

# Prints the case, and the end of its log when it failed.
finish() {
    local number=$1 what=$2 log=$3 status=$4
    if [ "$status" -eq 0 ]; then
        echo "ok $number - $what"
    else
        echo "not ok $number - $what"
        grep -a -E 'assertion failed|wrong answer|ERROR|runtime error|Test unit written|succeeded' \
            "$log" |
            sed 's/^/# /' | head -n 20
        failed=1
    fi
}

# All inputs that are kept, each once.
run_corpus() {
    local name=$1 log=build/fuzz/$1-corpus.log status=0
    local -a inputs=(tests/fuzz/corpus/"$name"/*)
    "build/fuzz/fuzz_$name" "${options[@]}" "${inputs[@]}" >"$log" 2>&1 || status=$?
    # Of handlers: together the inputs have every route succeed.
    if ! awk '/^routes that succeeded:/ && $4 != $6 { exit 1 }' "$log"; then
        status=1
    fi
    finish "$2" "$name: ${#inputs[@]} inputs of the corpus" "$log" "$status"
}

run_fuzzer() {
    local name=$1 log=build/fuzz/$1.log status=0 runs covered work=build/fuzz/work/$1
    # A short run does not go through all that longer ones have left.
    if [ -z "${FUZZ_SECONDS:-}" ]; then
        work=build/fuzz/short/$name
        rm -rf "$work"
    fi
    mkdir -p "$work"
    nice -n 10 "build/fuzz/fuzz_$name" "${options[@]}" -seed="$seed" \
        -max_len="${input_bytes_max[$name]}" -max_total_time=$((seconds / ${#names[@]})) \
        -artifact_prefix="build/fuzz/findings/$name-" \
        "$work" "tests/fuzz/corpus/$name" >"$log" 2>&1 || status=$?
    runs=$(grep -a -oE 'number_of_executed_units: [0-9]+' "$log" | grep -oE '[0-9]+')
    covered=$(grep -a -oE 'cov: [0-9]+' "$log" | tail -n 1)
    finish "$2" "$name: ${runs:-0} runs in $((seconds / ${#names[@]})) s, ${covered:-cov: 0}" \
        "$log" "$status"
}

keep_inputs() {
    local name=$1
    mkdir -p "build/fuzz/work/$name" "build/fuzz/kept/$name"
    rm -f "build/fuzz/kept/$name"/*
    # shellcheck disable=SC2086
    nice -n 10 "build/fuzz/fuzz_$name" ${merge_options[$name]:--merge=1} -max_len=4096 \
        "build/fuzz/kept/$name" "tests/fuzz/corpus/$name" "build/fuzz/work/$name" \
        >"build/fuzz/$name-merge.log" 2>&1 || return 1
    # An input with a name of its own once found a defect, and stays.
    find "tests/fuzz/corpus/$name" -type f -regextype egrep -regex '.*/[0-9a-f]{40}' -delete
    cp "build/fuzz/kept/$name"/* "tests/fuzz/corpus/$name/"
    echo "$name: $(find "tests/fuzz/corpus/$name" -type f | wc -l) inputs"
}

mkdir -p build/fuzz/findings
if [ "$keep" -eq 1 ]; then
    for name in "${names[@]}"; do
        keep_inputs "$name" || failed=1
    done
    exit "$failed"
fi
echo "# SEED=$seed, $seconds s"
echo "1..$((2 * ${#names[@]}))"
number=0
for name in "${names[@]}"; do
    run_corpus "$name" $((++number))
    run_fuzzer "$name" $((++number))
done
exit "$failed"
