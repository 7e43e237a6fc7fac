#!/usr/bin/env bash
# Runs the unit and flow tests under valgrind's memcheck: no error, no leak. `make memcheck`.
#
#   tests/memcheck/run.sh                       all of them
#   tests/memcheck/run.sh unit/test_base_hash   only these
#
# Suppressions are named one by one in tests/memcheck/valgrind.supp, each with its reason; so are
# the tests that are left out, below. The library is built with fewer cells (CELL_SLOT_BITS), since
# valgrind hands out less than the 64 GiB of address space that it usually reserves.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
seconds_max=${MEMCHECK_SECONDS:-300}
logs=build/memcheck

# test | why it is left out
left_out='
unit/test_base_memory_map|maps more address space than valgrind has
unit/test_engine_config|opens stores of the greatest limits, which need all cells
unit/test_engine_door|forks: in the child the memory of the threads that it lacks counts as lost
unit/test_engine_open|forks, see above
unit/test_log_crash|takes more than ten minutes; test_log_tail goes the same ways
unit/test_log_error|waits with deadlines that valgrind exceeds
unit/test_log_writer|counts batches, which a slow machine groups otherwise
unit/test_store_index_readers|two threads in turns on one processor: takes more than ten minutes
unit/test_store_table|three million entries: takes more than five minutes
flow/flow_crash_disk|takes more than ten minutes; fuzz and asan run the same
flow/flow_crash_kill|its processes are killed before valgrind can say anything
'

reason_of() {
    sed -n "s#^$1|##p" <<<"$left_out"
}

names() {
    local file
    for file in tests/{unit,flow}/*.c; do
        file=${file#tests/}
        echo "${file%.c}"
    done
}

run_one() {
    local name=$1 place=$logs/${1//\//-} status=0 start=$SECONDS
    rm -rf "$place"
    mkdir -p "$place"
    TMPDIR=$PWD/$place CMOCKA_MESSAGE_OUTPUT=TAP nice -n 10 timeout -k 10 "$seconds_max" \
        valgrind -q --error-exitcode=99 --leak-check=full --child-silent-after-fork=yes \
        --errors-for-leak-kinds=definite,indirect,possible \
        --suppressions=tests/memcheck/valgrind.supp \
        "build/test/memcheck/$name" >"$place.log" 2>&1 </dev/null || status=$?
    echo "$status $((SECONDS - start))" >"$place.status"
    [ "$status" -ne 0 ] || rm -rf "$place"
}

[ $# -gt 0 ] || mapfile -t wanted < <(names)
[ $# -eq 0 ] || wanted=("$@")
mkdir -p "$logs"
tests=()
for name in "${wanted[@]}"; do
    [ -n "$(reason_of "$name")" ] || tests+=("$name")
done
echo "1..${#wanted[@]}"
for name in "${tests[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    run_one "$name" &
done
wait
number=0
failed=0
for name in "${wanted[@]}"; do
    number=$((number + 1))
    reason=$(reason_of "$name")
    if [ -n "$reason" ]; then
        echo "ok $number - $name # SKIP $reason"
        continue
    fi
    read -r status seconds <"$logs/${name//\//-}.status"
    if [ "$status" -eq 0 ]; then
        echo "ok $number - $name, $seconds s"
    else
        echo "not ok $number - $name: exit status $status, $seconds s"
        grep -vE '^(ok |1\.\.)' "$logs/${name//\//-}.log" | tail -n 40 | sed 's/^/# /'
        failed=1
    fi
done
exit "$failed"
