#!/usr/bin/env python3
"""Incident 1 of the stack that cellar stands in for, again: 1,000 coupons, and within 5 seconds the
claims go from 50 to 2,000 a second; later 20,000 a second want the 1,000 of another campaign.
Meanwhile others look at products, at a steady rate; their p99 is what must not suffer. Every loader
sends at its rate whatever the server does.

    bench/load/drill_coupon.py [--short]

In a second variant the server is killed (SIGKILL) while coupons are being given out, and started
again. Leaves with 0 only if exactly 1,000 coupons of each campaign were issued, no customer has two
of one, each rank exists once, every grant that was acknowledged is there, and whoever was turned
away was told when to come back. Times are printed, not judged: the machine is shared with the
loaders. --short: in a few seconds, for the gate."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from shop import Shop, one_each, ranks_once

COUPONS = 1000
# The phases of the claims: from, to, seconds, campaign.
FULL = {"event": [(50, 2000, 5, 1), (2000, 2000, 3, 1), (20000, 20000, 3, 2)],
        "killed": [(50, 2000, 5, 1), (2000, 2000, 2, 1)]}
SHORT = {"event": [(50, 2000, 1, 1), (2000, 2000, 1, 1), (20000, 20000, 1, 2)],
         "killed": [(50, 2000, 3, 1), (2000, 2000, 1, 1)]}
LABELS = ("claims, ramp", "claims, 2,000/s", "claims, 20,000/s")
CUSTOMERS = 1000000
PRODUCTS = 1000
PRODUCT_RATE = 2000
CLAIMS_UNDER_WAY = 16  # what is beyond is shed: of 20,000 claims a second, some are
REFUSED, SHED = ("409",), ("429", "503")


def shop_open(place, campaigns):
    shop = Shop(place + "/data", f"--limit=coupons.claim={CLAIMS_UNDER_WAY}")
    shop.stock(PRODUCTS, lambda n: 0)
    for campaign in campaigns:
        shop.open_campaign(campaign, COUPONS)
    return shop


def paced(shop, place, name, connections, phases):
    """Starts a loader; its phases are (from, to, seconds, campaign)."""
    return subprocess.Popen(
        ["build/bench/paced", shop.host, str(connections), str(CUSTOMERS),
         f"{place}/{name}", *(":".join(map(str, phase)) for phase in phases)],
        stdout=subprocess.PIPE, text=True)


def rows_of(loader, seconds_max):
    text = loader.communicate(timeout=seconds_max)[0]
    if loader.returncode != 0:
        sys.exit("a loader failed")
    return [json.loads(line) for line in text.splitlines()]


def count(row, statuses):
    return sum(row["statuses"].get(status, 0) for status in statuses)


def show(label, row):
    print(f"  {label:<34}{row['sent']:>8}  {count(row, ('200', '201')):>8}"
          f"{count(row, REFUSED):>9}{count(row, SHED):>8}{row['unknown'] + row['late']:>8}"
          f"{row['p50']:>9.2f}{row['p99']:>9.2f}{row['max']:>9.1f}")


def campaign_checks(shop, place, campaign):
    """What must hold of a campaign whose coupons are all gone, and whether it does."""
    items = shop.coupons(campaign)
    issued = {(item["customer"], item["rank"]) for item in items}
    with open(f"{place}/claims") as file:
        grants = [line.split() for line in file]
    told = [(customer, rank) for of, customer, rank in grants if of == str(campaign)]
    return {
        f"campaign {campaign}: {what}": holds for what, holds in (
            (f"{len(items)} coupons of {COUPONS} issued", len(items) == COUPONS),
            ("no customer has two", bool(items) and one_each(items)),
            ("each rank once", ranks_once(items, COUPONS)),
            (f"all {len(told)} acknowledged grants are there",
             bool(told) and issued.issuperset(told)))
    }


def judge(shop, place, rows, campaigns):
    """Prints what holds and what does not; true when all does."""
    checks = {}
    for campaign in campaigns:
        checks |= campaign_checks(shop, place, campaign)
    audit = shop.call("POST", "/v1/audit", {})
    checks |= {
        "no coupon besides": int(audit["coupons_claimed"]) == COUPONS * len(campaigns),
        "the audit finds nothing": audit["violations"] == "0",
        "who is turned away is told when to come back": not any(r["without_retry"] for r in rows),
        "no other answer": not any(
            count(row, set(row["statuses"]) - {"200", "201", *REFUSED, *SHED}) for row in rows),
    }
    for what, holds in checks.items():
        print(f"  {'held  ' if holds else 'BROKEN'}  {what}")
    return all(checks.values())


HEADER = (f"  {'':<34}{'sent':>8}  {'done':>8}{'refused':>9}{'shed':>8}{'lost':>8}"
          f"{'p50 ms':>9}{'p99 ms':>9}{'max':>9}")


def event(place, plan):
    """Products alone; then with the ramp and 2,000 claims a second; then with 20,000."""
    shop = shop_open(place, (1, 2))
    ramp, steady, flood = (phase[2] for phase in plan["event"])
    try:
        lookers = paced(shop, place, "looks", 64,
                        [(PRODUCT_RATE, PRODUCT_RATE, seconds, 0)
                         for seconds in (flood, ramp + steady, flood)])
        time.sleep(flood)
        claimers = paced(shop, place, "claims", 300, plan["event"])
        claims, looks = rows_of(claimers, 60), rows_of(lookers, 60)
        print(HEADER)
        for label, row in zip(("products, no claims", "products, up to 2,000 claims/s",
                               "products, 20,000 claims/s"), looks):
            show(label, row)
        for label, row in zip(LABELS, claims):
            show(label, row)
        return judge(shop, place, claims + looks, (1, 2))
    finally:
        shop.kill()


def claimed(shop):
    return int(shop.call("GET", "/v1/campaigns/1")["claimed"])


def killed(place, plan):
    """The same event; the server dies when a part of the coupons is gone, and comes back."""
    shop = shop_open(place, (1,))
    try:
        claimers = paced(shop, place, "claims", 300, plan["killed"])
        until = time.monotonic() + 20
        while claimed(shop) < COUPONS // 10 and time.monotonic() < until:
            time.sleep(0.01)
        shop.kill()
        shop.start()
        given = claimed(shop)
        claims = rows_of(claimers, 60)
        print(HEADER)
        for label, row in zip(LABELS, claims):
            show(label, row)
        print(f"  after the kill, about {given} of {COUPONS} had been given out")
        return judge(shop, place, claims, (1,)) and 0 < given < COUPONS
    finally:
        shop.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--short", action="store_true", help="a few seconds, for the gate")
    plan = SHORT if parser.parse_args().short else FULL
    with open("/proc/loadavg") as load:
        print(f"{os.cpu_count()} processors, load before {load.read().split()[0]}; the server and "
              f"the loaders share them; at most {CLAIMS_UNDER_WAY} claims under way at a time")
    good = True
    for title, variant in (("The coupon event", event), ("The same, killed in the middle", killed)):
        print(f"\n{title}")
        with tempfile.TemporaryDirectory(prefix="cellard-drill-", dir="build") as place:
            good = variant(place, plan) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
