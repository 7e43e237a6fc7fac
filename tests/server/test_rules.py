"""Do the alert rules speak of numbers that /metrics has, and fire where they should? The second
question needs promtool and is skipped without it."""
import re
import shutil
import subprocess

from harness import Server, cases, expect, order, run

RULES = "examples/cellard/deploy/cellard.rules.yml"
PROMTOOL = shutil.which("promtool")


def test_rules_name_numbers_that_exist():
    with open(RULES, encoding="utf-8") as file:
        named = set(re.findall(r"\bcellard?_[a-z_]+", file.read()))
    with Server() as server:
        server.sell("tea", 5)
        server.post("/v1/orders", order("tea", 1))
        metrics = server.get("/metrics").body.decode()
    there = set(re.findall(r"^(cellard?_[a-z_]+)", metrics, re.M))
    expect(named - there, set(), "named in the rules, not in /metrics")
    expect(len(named) > 6, True)
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", metrics, re.M):
        expect(name.endswith("_total"), kind == "counter", name)


def test_histograms_add_up():
    with Server() as server:
        for _ in range(20):
            server.get("/v1/products")
        metrics = server.get("/metrics").body.decode()
    buckets = [int(count) for count in re.findall(
        r'cellard_request_seconds_bucket\{route="products.list",le="[^"]+"\} (\d+)', metrics)]
    expect(buckets, sorted(buckets))
    expect(buckets[-1], 20)
    expect('cellard_request_seconds_count{route="products.list"} 20' in metrics, True)
    expect('cellard_requests_total{route="products.list",status="200"} 20' in metrics, True)


def test_alerts_fire_beyond_their_thresholds_and_only_there():
    if PROMTOOL is None:
        return
    for command in (["check", "rules", RULES], ["test", "rules", "tests/server/rules_test.yml"]):
        ran = subprocess.run([PROMTOOL, *command], capture_output=True, text=True, check=False)
        expect(ran.returncode, 0, ran.stdout + ran.stderr)


if __name__ == "__main__":
    if PROMTOOL is None:
        print("ok 0 - alerts # SKIP no promtool")
    run(cases(globals()))
