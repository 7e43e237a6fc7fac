#!/usr/bin/env bash
# Does the simulation bite? Plants each defect of tests/planted/commit-*.patch into a copy of the
# tree, builds the simulation of it, and counts the schedules until something is wrong: random ones
# of mixed work, of a crowd and of sleepers, scene by scene, and those with the real log. A defect
# that none finds is a failure.
#
#   tests/sim/planted.sh [name...]    all, or those named (one-grace-period); prints a table
#
# SCHEDULES= limits the random schedules of each [300000], a crowd's to four times as many,
# sleepers' to a third, those with the log to a fifteenth; each scene is stopped after 150,000.
# SEED= is where random ones begin.
set -euo pipefail
cd "$(dirname "$0")/../.."

schedules_max=${SCHEDULES:-300000}
scene_schedules_max=150000
work=build/planted
seconds_max=300

# A copy that has the objects of the sound build, so that only what changes is compiled again.
plant() {
    local patch=$1 tree=$2
    rm -rf "$tree"
    mkdir -p "$tree/build/obj"
    cp -a Makefile include lib "$tree/"
    mkdir -p "$tree/tests"
    cp -a tests/sim tests/support tests/tools "$tree/tests/"
    cp -a build/obj/sim "$tree/build/obj/"
    patch -s -p1 -d "$tree" <"$patch"
    make -s --no-print-directory -C "$tree" build/sim/cellar-sim >"$tree/build.log" 2>&1
}

# Prints how many schedules it took, or "-"; what was wrong goes to $2.
count_schedules() {
    local log=$1 why=$2
    if grep -q '^# WRONG after' "$log"; then
        sed -nE 's/^# WRONG after ([0-9]+) schedules.*/\1/p' "$log" | head -n 1
        sed -nE 's/^# WRONG after [0-9]+ schedules[^:]*: (.*)/\1/p' "$log" | head -n 1 >"$why"
    elif grep -qE '^(crash|no end): ' "$log"; then
        echo crash
        grep -E '^(crash|no end): ' "$log" | head -n 1 >"$why"
    else
        echo -
    fi
}

# Runs one kind of schedules of a planted tree.
run_kind() {
    local tree=$1 kind=$2 schedules=$3
    (cd "$tree" && SCHEDULES=$schedules SCENE_SCHEDULES=$scene_schedules_max \
        timeout "$seconds_max" build/sim/cellar-sim "$kind") \
        >"$tree/$kind.log" 2>&1 </dev/null || true
    count_schedules "$tree/$kind.log" "$tree/why-$kind"
}

run_one() {
    local name=$1 tree random crowd scene sleepers log what=''
    tree=$work/$name
    if ! plant "tests/planted/commit-$name.patch" "$tree"; then
        printf '| %s | does not build | | | | | |\n' "$name"
        return 1
    fi
    sleepers=$(run_kind "$tree" sleepers "$((schedules_max / 3))")
    log=$(run_kind "$tree" log "$((schedules_max / 15))")
    if [[ $name == log-* ]]; then
        # The others do not have the log.
        random='' crowd='' scene=''
    else
        random=$(run_kind "$tree" random "$schedules_max")
        crowd=$(run_kind "$tree" crowd "$((schedules_max * 4))")
        scene=$(run_kind "$tree" scenes 0)
    fi
    if [[ $scene != - && -n $scene ]]; then
        scene="$(sed -nE 's/^not ok [0-9]+ - (.*)/\1/p' "$tree/scenes.log" | head -n 1) $scene"
    fi
    what=$(cd "$tree" && cat why-random why-crowd why-scenes why-sleepers why-log 2>/dev/null |
        head -n 1)
    printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$name" "$random" "$crowd" "$scene" \
        "$sleepers" "$log" "${what:-not found}"
    rm -rf "$tree/build/obj"
    [[ $random$crowd$scene$sleepers$log == *[0-9a-z]* ]]
}

make -s --no-print-directory build/sim/cellar-sim
if [ $# -eq 0 ]; then
    for patch in tests/planted/commit-*.patch; do
        name=${patch#tests/planted/commit-}
        set -- "$@" "${name%.patch}"
    done
fi
echo '| planted | random | crowd | scene | sleepers | log | what was found first |'
echo '|---|---|---|---|---|---|---|'
missed=0
for name in "$@"; do
    run_one "$name" || missed=$((missed + 1))
done
echo "# $# planted, $missed not found"
[ "$missed" -eq 0 ]
