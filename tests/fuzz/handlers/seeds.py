#!/usr/bin/env python3
"""Writes first inputs for fuzz_handlers: the calls that tests/server makes of every operation, those of
an area one after the other.

    tests/fuzz/handlers/seeds.py <directory>
"""
import json
import os
import re
import sys
import uuid

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
sys.path.insert(0, os.path.join(ROOT, "tests/server"))
from calls import CALLS, QUERIES, fill  # noqa: E402

SEPARATOR = "\x1e"
CLIENTS = {"none": "N", "read": "R", "sell": "S", "admin": "A"}
AREAS = {"goods": ("products", "stock"), "money": ("accounts", "transfers"), "holds": ("holds",),
         "leases": ("leases",), "orders": ("orders", "returns"), "bulk": ("transactions", "bulk"),
         "coupons": ("campaigns", "coupons", "redemptions", "codes"),
         "service": ("audit", "live", "page", "openapi", "problems", "livez", "readyz", "health",
                     "metrics")}
# The fuzzer puts the token that was answered last in its place.
LEASE_TOKEN = "~"


def read_routes():
    with open(os.path.join(ROOT, "docs/SERVER.md"), encoding="utf-8") as page:
        rows = re.findall(r"^\| ([a-z_.]+) \| ([A-Z]+) (/\S*) \| (\w+) \| (.*)\|$", page.read(), re.M)
    return {name: rest for name, *rest in rows}


def write_body(body, next_id):
    """Ids that are made anew each time the calls are read become others, always the same."""
    text = json.dumps(body, separators=(",", ":"))
    return re.sub(r'[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}', lambda _: next_id(), text)


def requests():
    """The name of each operation that is called, and the request."""
    routes = read_routes()
    count = 0

    def next_id():
        nonlocal count
        count += 1
        return str(uuid.UUID(int=(count << 64) + count))

    for name, values, body in CALLS:
        method, path, role, note = routes[name]
        lines = [f"{CLIENTS[role]} {method} {fill(path, values)}{QUERIES.get(name, '')}"]
        if "If-Match" in note:
            lines.append("If-Match: *")
        if "Idempotency-Key" in note and "id" not in (body or {}):
            lines.append(f"Idempotency-Key: {next_id()}")
        if name in ("leases.renew", "leases.release"):
            body = {**body, "token": LEASE_TOKEN}
        text = "\n".join(lines) + "\n"
        yield name, text if body is None else f"{text}\n{write_body(body, next_id)}"


def main(directory):
    made = list(requests())
    for area, kinds in AREAS.items():
        texts = [text for name, text in made if name.split(".")[0] in kinds]
        with open(os.path.join(directory, f"area-{area}"), "w", encoding="utf-8") as file:
            file.write(SEPARATOR.join(texts))


if __name__ == "__main__":
    main(sys.argv[1])
