# Sourced by checks of the tree: how their self-tests count. Each case is a tree with something
# planted in it, and what the check must say about that.
# shellcheck shell=bash

planted=0
missed=0

# Judges the answer $3 to a case named $2: the text $1 must be in it ("sound": no complaint).
judge() {
    local expected=$1 what=$2 answer=$3
    planted=$((planted + 1))
    if [ "$expected" = sound ] && [ -n "$answer" ]; then
        echo "self-test: complaint about $what, which is sound: $answer"
        missed=$((missed + 1))
    elif [ "$expected" != sound ] && [[ $answer != *"$expected"* ]]; then
        echo "self-test: not found in $what: $expected (got: ${answer:-nothing})"
        missed=$((missed + 1))
    fi
}

# Prints the result; false when any case was judged wrong.
judged() {
    echo "self-test: $planted cases, $missed wrong"
    [ "$missed" -eq 0 ]
}
