#!/usr/bin/env bash
# Which of the library's calls to the disk and for memory did the gate `fault` reach, and fail?
#
#   tests/tools/fault_places.sh <program> [places]
#
# The places that the program wrote down (addresses) are turned into lines of source, and compared
# with the calls that the source holds. Prints a line for each: calls made, calls failed, where.
# Fails when a call was never failed, unless tests/tools/fault_places.allow names it with a reason.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."

program=$1
places=${2:-build/tmp/places}
allow=tests/tools/fault_places.allow

io='io->(open|close|pread|pwrite|fdatasync|truncate|size|rename|unlink|make_directory'
io+='|sync_directory|list|lock|free_bytes)\(|[^a-z_]io_(read|write)_all\('
memory='[^a-z_](memory_(create|allocate|allocate_zeroed|allocate_aligned|map_lazy|map_reserve'
memory+='|map_enable|map_twice|map_fork_guard)|thread_start)\('

# "file line" of every call in the library; the two layers below it make and wrap them.
calls() {
    grep -nE "$io|$memory" lib/*/*.c | grep -v '^lib/base/' |
        grep -vE ':[0-9]+:(/\*| \*)' | cut -d: -f1,2 | tr : ' '
}

# "file line calls failed" of every place reached.
reached() {
    local kind address calls failed where
    while read -r kind address calls failed; do
        where=$(addr2line -e "$program" "$address")
        where=${where%% (*}
        where=lib/${where##*/lib/}
        echo "${where%:*} ${where##*:} $calls $failed $kind"
    done <"$places"
}

# A call that is laid out over several lines may be known by any of them.
missing=0
allowed=0
total=0
found=$(reached)
while read -r file line; do
    total=$((total + 1))
    hit=$(awk -v f="$file" -v l="$line" \
        '$1 == f && $2 >= l - 1 && $2 <= l + 3 { c += $3; n += $4 }
         END { if (n > 0) print c, n }' <<<"$found")
    text=$(sed -n "${line}p" "$file" | sed 's/^ *//' | cut -c1-60)
    if [ -n "$hit" ]; then
        read -r calls failed <<<"$hit"
        printf '# %9d %7d  %s:%s %s\n' "$calls" "$failed" "$file" "$line" "$text"
    elif grep -qF -- "$file: $text" "$allow"; then
        allowed=$((allowed + 1))
        printf '#   allowed          %s:%s %s\n' "$file" "$line" "$text"
    else
        printf '#   NEVER FAILED     %s:%s %s\n' "$file" "$line" "$text"
        missing=$((missing + 1))
    fi
done < <(calls)
if [ "$missing" -eq 0 ]; then
    echo "ok 2 - $total calls to the disk or for memory, all failed but $allowed allowed"
else
    echo "not ok 2 - $missing of $total places were never failed"
    exit 1
fi
