#!/usr/bin/env bash
# Does the commit protocol hold in every interleaving, and does the model notice when it does not?
# Has spin check the configurations of configurations.txt and reports in TAP, a line for each.
#
#   tests/model/run.sh quick               what the gate runs: under a minute on one processor
#   tests/model/run.sh long                all of them
#   tests/model/run.sh 'late claims' ...   those named
#
# A run counts only if it was exhaustive: stopped by time, depth or memory is a failure. MEGABYTES=
# and SECONDS_MAX= set how much one may use. Logs and the traces of errors are in build/model.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

source=$PWD/tests/model
work=$PWD/build/model
megabytes_max=${MEGABYTES:-8000}
seconds_max=${SECONDS_MAX:-900}
# No run is deeper than a few hundred steps: more would be found, not cut off.
depth_max=20000

number=0
failed=0
selected=()

trim() {
    local text=$1
    text=${text#"${text%%[![:space:]]*}"}
    printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# Prints the first number that stands before $2 in the log $1.
figure() {
    grep -oE "[0-9]+ $2" "$1" | head -n 1 | cut -d ' ' -f 1
}

# What pan found: "nothing", "cycle", the assertion that failed, or why the search is not complete.
found_in() {
    local log=$1 status=$2 assertion
    if [ "$status" -eq 124 ]; then
        echo "no end after $seconds_max s"
    elif grep -q 'non-progress cycle (at' "$log"; then
        echo cycle
    elif assertion=$(grep -m 1 -oP 'assertion violated \K.*(?= \(at depth)' "$log"); then
        echo "$assertion"
    elif grep -q 'invalid end state (at' "$log"; then
        echo 'invalid end state'
    elif grep -qE 'max search depth too small|out of memory|Search not completed' "$log"; then
        echo 'search not complete'
    elif [ "$status" -eq 0 ] && grep -q 'errors: 0$' "$log"; then
        echo nothing
    else
        echo "no result, exit status $status"
    fi
}

# Builds and runs the checker of one configuration in $work/$1.
check() {
    local place=$1 search=$2
    local -a pan_flags=(-DSAFETY) run_flags=()
    shift 2
    if [ "$search" = yes ]; then
        pan_flags=(-DNP)
        run_flags=(-l)
    fi
    rm -rf "$place"
    mkdir -p "$place"
    cd "$place" || return 2
    spin "$@" -a "$source/commit.pml" >spin.log 2>&1 || return 2
    "${CC:-gcc}" -O1 -w "${pan_flags[@]}" -DCOLLAPSE -DVECTORSZ=1024 \
        "-DMEMLIM=$megabytes_max" -o pan pan.c 2>spin.log || return 2
    timeout -k 5 "$seconds_max" ./pan "-m$depth_max" "${run_flags[@]}" >pan.log 2>&1
}

# One line of configurations.txt.
run_one() {
    local name=$1 sets=$2 expected=$3 callers=$4 sizes=$5 more=$6
    local place=$work/${1//[ ,]/-} search=no start status=0 found tenths index=0 verdict=ok role
    local -a defines words
    read -ra words <<<"$callers"
    defines=("-DCALLERS=${#words[@]}" "-DRING=${sizes% *}" "-DLAST=${sizes#* }")
    for role in "${words[@]}"; do
        defines+=("-DCALLER_$index=$role")
        index=$((index + 1))
    done
    read -ra words <<<"$more"
    defines+=("${words[@]/#/-D}")
    [[ $sets != *search* ]] || search=yes
    start=$(date +%s%N)
    (check "$place" "$search" "${defines[@]}") </dev/null || status=$?
    found=$(found_in "$place/pan.log" "$status" 2>/dev/null)
    tenths=$((($(date +%s%N) - start) / 100000000))
    if [ "$expected" = nothing ] || [ "$expected" = cycle ]; then
        [ "$found" = "$expected" ] || verdict='not ok'
    else
        [[ $found == *"$expected"* ]] || verdict='not ok'
    fi
    number=$((number + 1))
    [ "$verdict" = ok ] || failed=$((failed + 1))
    printf '%s %d - %-19s %10s states, depth %3s, %4d.%d s; expected %-13s found %s\n' \
        "$verdict" "$number" "$name" "$(figure "$place/pan.log" 'states, stored')" \
        "$(grep -oP 'depth reached \K[0-9]+' "$place/pan.log")" \
        $((tenths / 10)) $((tenths % 10)) "$expected;" "$found"
    # The checkers take more room than they are worth; the trace of an error stays.
    rm -f "$place"/pan "$place"/pan.?
}

is_selected() {
    local name=$1 sets=$2 word
    for word in "${selected[@]}"; do
        case $word in
        long) return 0 ;;
        quick) [[ $sets == *quick* ]] && return 0 ;;
        "$name") return 0 ;;
        esac
    done
    return 1
}

selected=("${@:-quick}")
mkdir -p "$work"
start=$SECONDS
while IFS='|' read -r name sets expected callers sizes more; do
    name=$(trim "$name")
    case $name in
    '' | '#'*) continue ;;
    esac
    sets=$(trim "$sets")
    is_selected "$name" "$sets" || continue
    run_one "$name" "$sets" "$(trim "$expected")" "$(trim "$callers")" "$(trim "$sizes")" \
        "$(trim "$more")"
done <"$source/configurations.txt"
echo "1..$number"
echo "# $((SECONDS - start)) s"
[ "$number" -gt 0 ] && [ "$failed" -eq 0 ]
