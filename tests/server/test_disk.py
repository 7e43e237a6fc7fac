"""A disk that is slow, or fails: are answers held back until it has them, is nothing else held back
with them, and is a failure told as what it is?"""
import os
import re
import subprocess
import tempfile
import threading
import time

from harness import Server, cases, expect, order, run, wait_for

SYNC_S = 0.3  # of slow_disk.c


class Disk:
    """Servers started within it sync as `mode` says."""

    def __init__(self):
        self.place = tempfile.TemporaryDirectory()
        shim = self.place.name + "/slow_disk.so"
        subprocess.run([os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1",
                        "-o", shim, "tests/server/slow_disk.c"], check=True)
        self.file = self.place.name + "/mode"
        self.mode("-")
        os.environ["SLOW_DISK"] = self.file
        os.environ["LD_PRELOAD"] = shim

    def mode(self, mode):
        with open(self.file, "w", encoding="ascii") as file:
            file.write(mode)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        del os.environ["LD_PRELOAD"], os.environ["SLOW_DISK"]
        self.place.cleanup()


def timed(call, *arguments, **named):
    start = time.monotonic()
    answer = call(*arguments, **named)
    return answer, time.monotonic() - start


def quickest(call, *arguments, tries=5):
    """The shortest of some tries: a busy machine makes single ones long."""
    return min(timed(call, *arguments)[1] for _ in range(tries))


def test_answers_wait_for_the_disk_and_threads_do_not():
    with Disk() as disk, Server("--threads=1") as server:
        server.sell("tea", 1000)
        server.sell("other", 1000)
        time.sleep(0.1)
        disk.mode("s")
        placed, seconds = timed(server.post, "/v1/orders", order("tea", 1))
        expect(placed.status, 201)
        expect(seconds > SYNC_S * 0.8, True, f"a durable order took {seconds:.3f} s")
        wanted = order("tea", 1)
        relaxed, seconds = timed(server.post, "/v1/orders?durability=relaxed", wanted)
        expect(relaxed.status, 201)
        expect(seconds < SYNC_S * 0.6, True, f"a relaxed order took {seconds:.3f} s")
        # It has been seen by nobody who asked for what is durable.
        path = "/v1/orders/" + wanted["id"]
        read, seconds = timed(server.get, path + "?durability=relaxed")
        expect(read.status, 200)
        expect(seconds < SYNC_S * 0.6, True, f"reading it at once took {seconds:.3f} s")
        read, seconds = timed(server.get, path)
        expect(read.status, 200)
        expect(seconds > SYNC_S * 0.3, True, f"reading it took {seconds:.3f} s")
        # One thread serves; others wait for the disk, and whoever reads what is on it does not.
        crowd = [threading.Thread(target=server.post, args=("/v1/orders", order("tea", 1)))
                 for _ in range(8)]
        for buyer in crowd:
            buyer.start()
        time.sleep(0.05)
        seconds = quickest(server.get, "/v1/products/other")
        expect(seconds < SYNC_S * 0.4, True, f"a read meanwhile took {seconds:.3f} s")
        for buyer in crowd:
            buyer.join()
        metrics = server.get("/metrics").body.decode()
        disk.mode("-")
    count = {le: int(count) for le, count in re.findall(
        r'cellard_request_seconds_bucket\{route="orders.place",le="([^"]+)"\} (\d+)', metrics)}
    expect(count["0.1"] <= 3 and count["10"] == 10, True, count)


def test_client_that_leaves_while_it_waits():
    with Disk() as disk, Server("--threads=1") as server:
        server.sell("tea", 1000)
        disk.mode("s")
        for _ in range(20):
            connection = server.connect()
            connection.request("POST", "/v1/orders", '{"id":"%s","lines":[{"sku":"tea",'
                               '"quantity":1,"unit_price":1}]}' % order("tea", 1)["id"],
                               {"Content-Type": "application/json"})
            connection.close()
        disk.mode("-")
        expect(wait_for(lambda: "cellard_requests_waiting 0\n" in
                        server.get("/metrics").body.decode()), True)
        expect(server.get("/livez").status, 200)
        expect(server.stop(), 0)


def test_stop_without_drain_while_requests_wait():
    with Disk() as disk, Server("--drain=0") as server:
        server.sell("tea", 1000)
        disk.mode("s")
        answers = []
        crowd = [threading.Thread(target=lambda: answers.append(
            server.post("/v1/orders", order("tea", 1)).status)) for _ in range(8)]
        for buyer in crowd:
            buyer.start()
        expect(wait_for(lambda: "cellard_requests_waiting 8\n" in
                        server.get("/metrics").body.decode()), True)
        expect(server.stop(), 0)
        for buyer in crowd:
            buyer.join()
        disk.mode("-")
        expect(answers, [201] * 8)


def test_failed_disk_is_told_as_unknown_and_then_as_failed():
    with Disk() as disk, Server() as server:
        server.sell("tea", 1000)
        disk.mode("f")
        wanted = order("tea", 1)
        first = server.post("/v1/orders", wanted)
        expect((first.status, first.problem), (503, "outcome-unknown"))
        expect("retry-after" in first.headers, False)
        expect(server.post("/v1/orders", order("tea", 1)).problem, "failed")
        expect(server.get("/v1/products/tea").status, 200)
        expect(server.get("/readyz").status, 503)
        expect(server.get("/livez").status, 200)
        health = server.get("/health")
        expect((health.status, health.json()["components"][0]["level"]), (503, "down"))
        expect('cellard_component_level{component="log"} 4' in
               server.get("/metrics").body.decode(), True)
        expect(server.stop(), 1)
        disk.mode("-")
        # The next start tells: the same request again gets one order, whatever became of the first.
        server.start()
        expect(server.post("/v1/orders", wanted).status in (200, 201), True)
        expect(server.get("/v1/products/tea/stock").json()["available"], 999)


if __name__ == "__main__":
    run(cases(globals()))
