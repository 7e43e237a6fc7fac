#!/usr/bin/env python3
"""Counts the instructions of the hot paths with valgrind's callgrind and compares them with
bench/counts/counts.tsv. `make bench-counts`.

    bench/counts/run.py             fails when a path takes over 2 % more than the table says
    bench/counts/run.py --update    writes the table anew

Each kind of call is made CALLS and 2 * CALLS times by build/bench/cellar-counts; the difference of
the two runs, divided by CALLS, is what one call takes, whatever starting and ending cost. Counted
is what is executed inside the functions named below, and all they call, the C library included:
valgrind shows every program the same processor with AVX2, so that the C library's choice of its
copies does not depend on the machine's."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

CALLS = 5000
TOLERANCE = 0.02
PROGRAM = "build/bench/cellar-counts"
TABLE = "bench/counts/counts.tsv"
DATA = "build/bench-counts"

# path, kind of call, functions whose instructions are added up
PATHS = [
    ("stock take, 1 cell", "take", ["cellar_stock_take"]),
    ("stock adjust, 1 cell", "adjust", ["cellar_stock_adjust"]),
    ("order of 3 lines", "order", ["cellar_order_place"]),
    ("order of 3 lines, paid from an account", "paid-order", ["cellar_order_place"]),
    ("claim of a coupon", "claim", ["cellar_coupon_claim"]),
    ("redemption of a code, 3 lines", "redeem", ["cellar_coupon_redeem"]),
    ("read a product by SKU", "product-get", ["cellar_product_get"]),
    ("read a stock by SKU", "stock-get", ["cellar_stock_get"]),
    ("log writer, an order's record", "order", ["commit_decide", "batch_add"]),
    ("follower, an order's record", "order",
     ["commit_follow", "store_fetch", "store_fetch_more", "store_apply"]),
    ("recovery, an order's record", "recovery", ["log_replay"]),
]

INCLUSIVE = re.compile(r"^ *([0-9,]+) +\S*:([a-z_0-9]+)(?: \[.*\])?$")


def inclusive(kind, calls):
    """Instructions by function, with those of the functions it calls, in one run."""
    name = f"{DATA}/{kind}-{calls}"
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={name}.out",
                    PROGRAM, kind, str(calls), f"{name}.store"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100",
                           "--auto=no", "--show-percs=no", f"{name}.out"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {}
    for line in text.splitlines():
        match = INCLUSIVE.match(line)
        if match:
            # A function with code inlined from elsewhere has a line for each file; the largest is
            # that of the whole.
            count = int(match[1].replace(",", ""))
            found[match[2]] = max(found.get(match[2], 0), count)
    return found


def measure():
    """Instructions of one call, by path."""
    shutil.rmtree(DATA, ignore_errors=True)
    os.makedirs(DATA)
    runs = {}
    kinds = sorted({kind for _, kind, _ in PATHS})
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for kind in kinds:
            for calls in (CALLS, 2 * CALLS):
                runs[kind, calls] = pool.submit(inclusive, kind, calls)
    counts = {}
    for path, kind, functions in PATHS:
        once, twice = (runs[kind, calls].result() for calls in (CALLS, 2 * CALLS))
        missing = [name for name in functions if name not in twice]
        if missing:
            sys.exit(f"bench-counts: {', '.join(missing)} not found: was it renamed or inlined?")
        counts[path] = sum(twice[name] - once.get(name, 0) for name in functions) / CALLS
    shutil.rmtree(DATA)
    return counts


def table_read():
    with open(TABLE, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    return {path: int(count) for path, count in rows}


def table_write(counts):
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write("# Instructions of one call; written by bench/counts/run.py --update\n")
        for path, count in counts.items():
            file.write(f"{path}\t{count:.0f}\n")


def main():
    update = sys.argv[1:] == ["--update"]
    if sys.argv[1:] and not update:
        sys.exit(__doc__)
    try:
        counts = measure()
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench-counts: {error}\n{(error.stderr or b'').decode()[-2000:]}")
    noted = {} if update else table_read()
    grown = []
    print(f"{'instructions of one':<42} {'now':>7} {'noted':>7} {'change':>8}")
    for path, count in counts.items():
        if path not in noted:
            print(f"{path:<42} {count:>7.0f} {'-':>7}")
            if not update:
                grown.append(f"{path}: not in {TABLE}")
            continue
        change = count / noted[path] - 1
        print(f"{path:<42} {count:>7.0f} {noted[path]:>7} {100 * change:>+7.1f}%")
        if change > TOLERANCE:
            grown.append(f"{path}: {noted[path]} -> {count:.0f}")
    if update:
        table_write(counts)
    elif grown:
        print("More instructions than noted. If that is meant: make bench-counts UPDATE=1")
        sys.exit("\n".join(grown))


main()
