#!/usr/bin/env bash
# Does the built library show cellar_* and nothing else, and is the shared one what a host can
# load and never unload? Reports in TAP.
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 2
static=build/lib/libcellar.a
shared=build/lib/libcellar.so.0.1.0

number=0
failed=0
result() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        failed=1
    fi
}

for file in "$static" "$shared"; do
    if [ ! -e "$file" ]; then
        echo "not ok 1 - $file is built"
        exit 1
    fi
done

dynamic=$(nm -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }')
global=$(nm -g --defined-only "$static" | awk 'NF == 3 { print $3 }')
exported=$(grep -c . <<<"$dynamic")
sections=$(readelf -dW "$shared")

[ "$exported" -gt 0 ]
result $? "the shared library exports something"
foreign=$(grep -v '^cellar_' <<<"$dynamic")
[ -z "$foreign" ]
result $? "the shared library exports cellar_* only${foreign:+, not: ${foreign//$'\n'/ }}"
foreign=$(grep -v '^cellar_' <<<"$global")
[ -z "$foreign" ]
result $? "the static library shows cellar_* only${foreign:+, not: ${foreign//$'\n'/ }}"
[ "$(sort <<<"$dynamic")" = "$(sort <<<"$global")" ]
result $? "both show the same symbols"
declared=$(grep -ohE '\bcellar_[a-z0-9_]+\(' include/*.h | tr -d '(' | sort -u)
undeclared=$(comm -13 <(echo "$declared") <(sort -u <<<"$dynamic"))
[ -z "$undeclared" ]
result $? "every symbol is declared in include/${undeclared:+, but: ${undeclared//$'\n'/ }}"
# What takes no handle is not in that table.
handles=$(grep -vxE 'cellar_(open|retry|version_string|status_(name|text|is_refusal))' \
    <<<"$dynamic" | sort)
untried=$(comm -23 <(echo "$handles") \
    <(grep -ohE '\bcellar_[a-z_]+\(' tests/unit/test_engine_door.c | tr -d '(' | sort -u))
[ -z "$untried" ]
result $? "test_engine_door tries every call${untried:+, but not: ${untried//$'\n'/ }}"
grep -q 'SONAME.*\[libcellar.so.0\]' <<<"$sections"
result $? "the soname is libcellar.so.0"
grep -q 'FLAGS_1.*NODELETE' <<<"$sections"
result $? "the shared library stays loaded (nodelete)"
! grep -q 'NEEDED.*jemalloc' <<<"$sections"
result $? "the shared library does not need jemalloc"
exit "$failed"
