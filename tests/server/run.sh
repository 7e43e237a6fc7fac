#!/usr/bin/env bash
# Does the example server do what docs/SERVER.md says? Builds it and runs the tests of this
# directory against it, and those that send it malformed requests against a build with
# AddressSanitizer as well; and the coupon event of bench/load/, in its short form. Loopback only;
# every server is ended by its own pid.
#
#   tests/server/run.sh            all
#   tests/server/run.sh api docs   only these
set -euo pipefail
cd "$(dirname "$0")/../.."

tests=(api lists life money coupons openapi strict admission durable disk page docs rules)
asan_tests=(api lists life money coupons openapi strict)
seconds_max=120
status=0

run() {
    local name=$1 binary=$2
    echo "# $name, $binary"
    CELLARD=$binary timeout -k 5 "$seconds_max" python3 "tests/server/test_$name.py" || status=1
}

"${MAKE:-make}" --no-print-directory build/bin/cellard build/bin/cellard-asan build/bench/paced
for name in "${@:-${tests[@]}}"; do
    run "$name" build/bin/cellard
done
for name in "${asan_tests[@]}"; do
    [ $# -ne 0 ] || run "$name" build/bin/cellard-asan
done
if [ $# -eq 0 ]; then
    echo "# the coupon event, short"
    timeout -k 5 "$seconds_max" bench/load/drill_coupon.py --short || status=1
fi
exit "$status"
