#!/usr/bin/env python3
"""The load tests of the stack that cellar stands in for, run against cellard: product lookup,
concurrent orders, coupon spike, mixed load, and durable orders at 300 connections. Its figures
beside ours, refusals apart from errors. The spike's 300 users come within 5 s, as there.

    bench/load/run.py [--seconds 6] [--full] [NAME...]

--full: as long as there (7, 2 and 13 minutes; the spike 60 s). Needs wrk. The server and wrk share
the processors; beside each result stand the share of processor time that was the server's, and, for
orders, what the library alone does in the same minute with as many threads that wait for the disk."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

from shop import Shop, one_each, ranks_once

PRODUCTS = 10000
COUPONS = 100
RAMP_SECONDS = 5  # within which the users of the spike come
WRK_THREADS = 2
# name, script, connections, seconds with --full, their figures
TESTS = {
    "lookup": ("lookup.lua", 100, 420, "385 req/s, mean 245 ms, p95 487, p99 892, 0.8 % errors"),
    "orders": ("orders.lua", 50, 120, "78 % sold, 22 % out of stock, mean 623 ms, no oversell"),
    "coupon": ("coupon.lua", 300, 60, "100 issued, mean 1234 ms, p95 1987, max 3421"),
    "mixed": ("mixed.lua", 150, 780, "287 req/s, mean 512 ms, p95 1423, 8.7 % errors"),
    "durable": ("orders.lua", 300, 60, "(not among its tests)"),
}


def wrk(shop, script, connections, seconds, arguments):
    ran = subprocess.run(
        ["wrk", f"-t{WRK_THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s",
         "bench/load/" + script, "http://" + shop.host, "--", *arguments],
        capture_output=True, text=True, check=True, timeout=seconds + 60)
    return json.loads(ran.stdout.strip().splitlines()[-1])


def bare_orders(threads, seconds):
    """Orders of one line a second by the library alone, each call waiting for the disk."""
    ran = subprocess.run(
        ["build/bench/cellar-bench", "order", "--threads", str(threads), "--durability", "wait",
         "--lines", "1", "--skus", str(PRODUCTS), "--seconds", str(min(3, seconds)), "--json"],
        capture_output=True, text=True, check=False, timeout=300)
    for line in ran.stdout.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            for key in ("per_second", "a_second", "rate"):
                if key in row:
                    return row[key]
    return None


def percent(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def run_test(name, seconds, full):
    script, connections, full_seconds, theirs = TESTS[name]
    seconds = full_seconds if full else seconds
    units = {"orders": lambda n: 2000 if n <= 5 else 0,
             "coupon": lambda n: 0}.get(name, lambda n: 10**9)
    ramp = [str(connections // WRK_THREADS), str(1000 * RAMP_SECONDS)]
    arguments = {"orders": ["5"], "durable": [str(PRODUCTS)], "coupon": ramp}.get(name, [])
    if name == "coupon":
        seconds += RAMP_SECONDS
    with tempfile.TemporaryDirectory(prefix="cellard-load-", dir="build") as place:
        shop = Shop(place + "/data")
        try:
            shop.stock(PRODUCTS, units)
            shop.open_campaign(1, COUPONS)
            before, cpu = shop.statuses(), shop.cpu_seconds()
            result = wrk(shop, script, connections, seconds, arguments)
            cpu = shop.cpu_seconds() - cpu
            after = shop.statuses()
            issued = shop.coupons(1)
            audit = shop.close()
        finally:
            shop.kill()
    count = {status: after[status] - before.get(status, 0) for status in after}
    total = sum(count.values())
    refused = count.get(409, 0)
    errors = result["socket_errors"] + sum(n for status, n in count.items()
                                           if status >= 400 and status != 409)
    took = result["us"] / 1e6
    print(f"\n{name}: {connections} connections, {took:.1f} s")
    print(f"  there   {theirs}")
    print(f"  cellard {result['requests'] / took:,.0f} req/s, mean {result['mean'] / 1000:.2f} ms, "
          f"p50 {result['p50'] / 1000:.2f}, p95 {result['p95'] / 1000:.2f}, "
          f"p99 {result['p99'] / 1000:.2f}, max {result['max'] / 1000:.1f}")
    print(f"          {total:,} answers, {percent(refused, total)} refused (none left), "
          f"{errors} errors; server's own processor time {1e6 * cpu / max(1, total):.1f} us each")
    sold = int(audit["units_ordered"])
    received = int(audit["units_received"])
    exact = name != "coupon" or (ranks_once(issued, COUPONS) and one_each(issued))
    exact = (exact and sold + int(audit["units_available"]) == received
             and audit["violations"] == "0")
    if name == "coupon":
        what = f"{audit['coupons_claimed']} coupons of {COUPONS} issued"
    else:
        what = f"{sold:,} units sold, {int(audit['units_available']):,} left of {received:,}"
    print(f"          {what}: {'exact' if exact else 'WRONG'}")
    if name == "durable" and os.path.exists("build/bench/cellar-bench"):
        bare = bare_orders(connections, seconds)
        if bare is not None:
            print(f"          the library alone, {connections} threads that wait: {bare:,.0f} "
                  "orders/s, in the same minute")
    return exact and errors == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="*", help=", ".join(TESTS))
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed (Debian package wrk)")
    with open("/proc/loadavg") as load:
        print(f"{os.cpu_count()} processors, load before {load.read().split()[0]}; "
              "server and wrk share them")
    good = [run_test(name, options.seconds, options.full) for name in options.tests or TESTS]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
