#!/usr/bin/env bash
# How much of lib/ do the unit and flow tests reach? Builds the variant `coverage`, runs them, and
# prints lines and branches for each layer and file, then every branch that was never taken, but of
# lib/base. Branches of ASSERT are left out: docs/TESTING.md says why.
#
#   tests/tools/coverage.sh            builds and runs the tests first
#   tests/tools/coverage.sh report     of what ran last
set -euo pipefail
cd "$(dirname "$0")/../.."

objects=build/obj/coverage
work=build/coverage

if [ "${1:-}" != report ]; then
    # Counts of an earlier run, which may be those of other sources.
    [ ! -d "$objects" ] || find "$objects" -name '*.gcda' -delete
    tests/run.sh coverage
fi
mkdir -p "$work"
gcovr --root . --object-directory "$objects" --filter lib/ "$objects" \
    --exclude-branches-by-pattern '\s*ASSERT\(.*' --json "$work/coverage.json" >"$work/gcovr.log"
python3 tests/tools/coverage.py "$work/coverage.json" lib/commit lib/log lib/store lib/engine
