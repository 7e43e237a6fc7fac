#!/usr/bin/env bash
# Runs the gate, or the steps named on the command line, and ends with one line that counts
# everything that ran: "N passed, N failed". A step counts one, and so does each case that a test
# program reports (TAP: "ok 1 - name", which is how cmocka reports here). A test program that
# reports no case, or dies after its last one, counts one as well.
#
#   tests/run.sh                 everything, as in `make check`
#   tests/run.sh unit flow       only these steps (--list prints their names)
#
# Each step's output is in build/check/<step>.log. JOBS= sets how many programs run at a time;
# SEED= reaches the test programs through the environment.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
unset MAKEFLAGS MFLAGS MAKELEVEL

MAKE=${MAKE:-make}
JOBS=${JOBS:-$(nproc 2>/dev/null || echo 2)}
logs=build/check

# Seconds after which one test program is stopped and counts as failed.
declare -A seconds_max_of=([unit]=120 [flow]=300 [stress]=300)

passed=0
failed=0
skipped=0
failures=()

# --- Counting ----------------------------------------------------------------------------------

# Adds the cases in the log of one program that left with the status $2.
count_cases() {
    local log=$1 status=$2 ok not_ok skips
    # cmocka writes "not ok 3 # SKIP name" for a skipped case, others "ok 3 - name # SKIP".
    skips=$(grep -cE '^(not )?ok [0-9]+ .*# SKIP' "$log")
    ok=$(grep -E '^ok [0-9]+' "$log" | grep -vc '# SKIP')
    not_ok=$(grep -E '^not ok [0-9]+' "$log" | grep -vc '# SKIP')
    if [ "$status" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
        not_ok=1
    elif [ "$status" -eq 0 ] && [ $((ok + not_ok + skips)) -eq 0 ]; then
        ok=1
    fi
    passed=$((passed + ok))
    failed=$((failed + not_ok))
    skipped=$((skipped + skips))
    [ "$status" -eq 0 ] && [ "$not_ok" -eq 0 ]
}

# Prints the line of a step, with the end of its log when it failed, and counts it.
finish() {
    local step=$1 status=$2 seconds=$3 log=${4:-}
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
        printf 'pass  %-28s %4d s\n' "$step" "$seconds"
    else
        failed=$((failed + 1))
        failures+=("$step")
        printf 'FAIL  %-28s %4d s\n' "$step" "$seconds"
        [ -z "$log" ] || tail -n 30 "$log" | sed 's/^/      | /'
    fi
}

# Why a test program failed: the cases that did, each with its message, then the end of its log.
why_failed() {
    local log=$1
    {
        grep -E -A 4 '^not ok' "$log" | head -n 30
        echo '[the end of its log]'
        grep -vE '^((not )?ok |1\.\.)' "$log" | tail -n 30
    } | sed 's/^/      | /'
}

# One command that passes or fails.
step() {
    local name=$1 start=$SECONDS status=0
    shift
    "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
    finish "$name" "$status" $((SECONDS - start)) "$logs/$name.log"
}

# One command that reports cases.
step_with_cases() {
    local name=$1 start=$SECONDS status=0
    shift
    "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
    count_cases "$logs/$name.log" "$status" || status=1
    finish "$name" "$status" $((SECONDS - start)) "$logs/$name.log"
}

# --- Test programs -----------------------------------------------------------------------------

# Runs one test program of a variant; its log, status and seconds are left in $logs/programs.
run_program() {
    local variant=$1 test=$2 seconds_max start=$SECONDS status=0 place scratch
    local -a prefix=()
    seconds_max=${seconds_max_of[${test%%/*}]}
    # Without optimisation and with every line counted, the longest takes as many times longer.
    [ "$variant" != coverage ] || seconds_max=$((seconds_max * 4))
    place=$logs/programs/$variant-${test//\//-}
    scratch=$PWD/build/tmp/$variant-${test//\//-}
    rm -rf "$scratch"
    mkdir -p "$scratch"
    # ThreadSanitizer needs its addresses free; some kernels randomise too widely for it.
    if [[ $variant == tsan* ]] && setarch -R true 2>/dev/null; then
        prefix=(setarch -R)
    fi
    # The braces keep bash's own words about a program that was killed out of the output.
    {
        TMPDIR=$scratch CMOCKA_MESSAGE_OUTPUT=TAP \
            ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 \
            UBSAN_OPTIONS=print_stacktrace=1 \
            TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp:second_deadlock_stack=1 \
            "${prefix[@]}" timeout -k 10 "$seconds_max" "build/test/$variant/$test" \
            >"$place.log" 2>&1 </dev/null || status=$?
    } 2>/dev/null
    [ "$status" -ne 124 ] || echo "stopped after $seconds_max s" >>"$place.log"
    [ "$status" -ne 0 ] || rm -rf "$scratch"
    echo "$status $((SECONDS - start))" >"$place.status"
}

test_names() {
    local file
    for file in tests/"$1"/*.c; do
        [ ! -e "$file" ] || echo "$1/$(basename "${file%.c}")"
    done
}

# Runs all tests of a kind in a variant. Stress tests use every processor, so they run alone.
run_kind() {
    local variant=$1 kind=$2 test place status seconds
    local -a names
    mapfile -t names < <(test_names "$kind")
    [ ${#names[@]} -gt 0 ] || return 0
    for test in "${names[@]}"; do
        if [ "$kind" = stress ]; then
            run_program "$variant" "$test"
        else
            while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n; done
            run_program "$variant" "$test" &
        fi
    done
    wait
    for test in "${names[@]}"; do
        place=$logs/programs/$variant-${test//\//-}
        read -r status seconds <"$place.status"
        if count_cases "$place.log" "$status"; then
            printf 'pass    %-26s %4d s\n' "$test" "$seconds"
        else
            printf 'FAIL    %-26s %4d s, exit status %d\n' "$test" "$seconds" "$status"
            why_failed "$place.log"
            failures+=("$variant/$test")
            broken=1
        fi
    done
}

# A step made of test programs: builds them, runs them, counts them.
step_of_tests() {
    local name=$1 variant=$2 start=$SECONDS kind
    local -a targets=()
    shift 2
    broken=0
    for kind in "$@"; do
        mapfile -t -O ${#targets[@]} targets < <(test_names "$kind")
    done
    if [ ${#targets[@]} -eq 0 ]; then
        echo "none  $name"
        return
    fi
    mkdir -p "$logs/programs"
    if ! "$MAKE" -k -j "$JOBS" "${targets[@]/#/build/test/$variant/}" >"$logs/$name.log" 2>&1; then
        finish "$name (does not build)" 1 $((SECONDS - start)) "$logs/$name.log"
        return
    fi
    for kind in "$@"; do
        run_kind "$variant" "$kind"
    done
    finish "$name" "$broken" $((SECONDS - start))
}

# --- Steps, quick ones first -------------------------------------------------------------------

steps=(format layers layers-self-test limits limits-self-test shellcheck build symbols pages
    pages-self-test clang aarch64 planted-apply model unit flow crash fault corrupt sim
    replay-totals replay-hostile replay-kill server demo fuzz soak stress asan tsan install
    clang-tidy cppcheck)

make_step() {
    local name=$1
    shift
    step "$name" "$MAKE" --no-print-directory -k -j "$JOBS" "$@"
}

# A gate of its own (docs/TESTING.md), whose figures are worth seeing.
gate_step() {
    step_with_cases "$1" "$MAKE" --no-print-directory -j "$JOBS" "$1"
    sed -nE 's/^(not )?ok [0-9]+ - /        /p' "$logs/$1.log"
}

run_step() {
    case $1 in
    format) make_step format format-check ;;
    layers) step layers tests/tools/layers.sh ;;
    layers-self-test) step layers-self-test tests/tools/layers.sh --self-test ;;
    limits) step limits tests/tools/limits.sh ;;
    limits-self-test) step limits-self-test tests/tools/limits.sh --self-test ;;
    shellcheck) make_step shellcheck shellcheck ;;
    build) make_step build all build-bench ;;
    symbols) step_with_cases symbols tests/tools/symbols.sh ;;
    pages) step_with_cases pages tests/tools/pages.sh ;;
    pages-self-test) step pages-self-test tests/tools/pages.sh --self-test ;;
    clang) make_step clang lib-clang ;;
    aarch64) make_step aarch64 lib-aarch64 sim-aarch64 ;;
    model) step_with_cases model tests/model/run.sh quick ;;
    server) step_with_cases server tests/server/run.sh ;;
    unit | flow | stress) step_of_tests "$1" test "$1" ;;
    crash | fault | corrupt) gate_step "$1" ;;
    replay-*) step_with_cases "$1" "tests/flow/${1//-/_}.sh" ;;
    sim) step_with_cases sim "$MAKE" --no-print-directory sim ;;
    demo) step demo "$MAKE" --no-print-directory demo ;;
    asan) step_of_tests asan asan unit flow stress ;;
    # Not part of the gate: tests/tools/coverage.sh asks for it.
    coverage) step_of_tests coverage coverage unit flow ;;
    tsan) step_of_tests tsan tsan unit flow stress ;;
    # Not part of the gate by default: `make asan-clang`, `make tsan-clang`.
    asan-clang | tsan-clang) step_of_tests "$1" "$1" unit flow stress ;;
    planted-apply) step_with_cases planted-apply tests/planted/run.sh --apply ;;
    fuzz)
        make_step fuzz-build build-fuzz
        step_with_cases fuzz tests/fuzz/run.sh
        ;;
    soak)
        make_step soak-build build/test/test/soak/soak
        SECONDS_TO_RUN=20 step_with_cases soak build/test/test/soak/soak
        ;;
    install) step_with_cases install tests/install/run.sh ;;
    clang-tidy) make_step clang-tidy clang-tidy ;;
    cppcheck) make_step cppcheck cppcheck ;;
    *)
        echo "tests/run.sh: no such step: $1 (--list prints their names)" >&2
        exit 2
        ;;
    esac
}

if [ "${1:-}" = --list ]; then
    printf '%s\n' "${steps[@]}"
    exit 0
fi
mkdir -p "$logs"
rm -rf "$logs"/programs
[ $# -gt 0 ] || set -- "${steps[@]}"
for name in "$@"; do
    run_step "$name"
done

echo
[ "$skipped" -eq 0 ] || echo "$skipped skipped (not counted below)"
if [ ${#failures[@]} -gt 0 ]; then
    echo "failed: ${failures[*]}; the logs are in $logs/"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
