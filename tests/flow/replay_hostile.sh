#!/usr/bin/env bash
# Does replay read what can be read of hostile files, skip and report the rest, and refuse what
# cannot be read at all? Figures and lines of skipped rows must equal those of shop_totals.py, which
# uses another parser.
# shellcheck source=tests/flow/replay_common.sh
. "$(dirname "$0")/replay_common.sh"

mkdir "$scratch/files"
tests/flow/replay_hostile.py "$scratch/files" "$seed" || exit 1
files=("$scratch"/files/*)
plan $((${#files[@]} + 6))

# A file that must be read: same figures, same lines skipped.
read_whole() {
    local file=$1 name=$2 status=0
    "$replay" "$file" --dir "$scratch/store" --threads 2 --durability relaxed >"$scratch/out" \
        2>"$scratch/err" || status=1
    "$totals_py" "$file" >"$scratch/expected" 2>"$scratch/expected-err" || status=1
    {
        figures "$scratch/out" | diff "$scratch/expected" - &&
            sed -n 's/^.*:\([0-9]*\): skipped:.*/\1/p' "$scratch/err" |
            diff <(sed 's/:.*//' "$scratch/expected-err") -
    } >"$scratch/diff" || status=1
    grep '^replay:' "$scratch/err" >>"$scratch/diff"
    result "$status" "$name" "$scratch/diff"
}

# A file that must be refused, before a store is made of it.
refused() {
    local status=0
    "$replay" "$1" --dir "$scratch/store" >"$scratch/out" 2>"$scratch/err" || status=$?
    [ "$status" -eq 1 ] && [ -s "$scratch/err" ] && [ ! -e "$scratch/store" ]
    result $? "$2" "$scratch/err"
}

for file in "${files[@]}"; do
    rm -rf "$scratch/store"
    name=$(basename "$file" | tr '. ' '__')
    case $name in
    refused-*) refused "$file" "$name" ;;
    *) read_whole "$file" "$name" ;;
    esac
done

# Wrong usage: a word on stderr, nothing on stdout, status 2.
while read -r name arguments; do
    status=0
    # shellcheck disable=SC2086 # to be split
    "$replay" $arguments >"$scratch/out" 2>"$scratch/err" || status=$?
    [ "$status" -eq 2 ] && grep -q '^usage:' "$scratch/err" && [ ! -s "$scratch/out" ]
    result $? "usage_$name" "$scratch/err"
done <<END
no_arguments
no_directory $scratch/files/plain
unknown_option $scratch/files/plain --dir $scratch/store --speed 9
no_threads $scratch/files/plain --dir $scratch/store --threads 0
odd_durability $scratch/files/plain --dir $scratch/store --durability maybe
two_files $scratch/files/plain $scratch/files/crlf --dir $scratch/store
END
finish
