"""Is an answer a promise? The server is killed under load, and every order that was acknowledged is
there afterwards; ended by a signal it answers what is under way and closes."""
import os
import random
import signal
import socket
import tempfile
import threading
import time

from harness import Server, cases, expect, order, run

SEED = int(os.environ.get("SEED", "20261124"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
print(f"# SEED={SEED} ROUNDS={ROUNDS}")
draw = random.Random(SEED)


class Buyer(threading.Thread):
    """Places orders until the server is gone. A try whose answer got lost is kept apart."""

    def __init__(self, server, query=""):
        super().__init__()
        self.server = server
        self.query = query
        self.acknowledged = []
        self.unknown = []
        self.refused = 0
        self.others = []

    def run(self):
        connection = self.server.connect()
        while True:
            wanted = order("tea", 1, customer="1")
            try:
                answer = self.server.call("POST", "/v1/orders" + self.query, wanted,
                                          connection=connection)
            except Exception:
                self.unknown.append(wanted)
                return
            if answer.status == 201:
                self.acknowledged.append(wanted)
            elif answer.status == 503:
                self.refused += 1
                return
            else:
                self.others.append(answer.body)
                return


def crowd(server, count, query=""):
    buyers = [Buyer(server, query) for _ in range(count)]
    for buyer in buyers:
        buyer.start()
    return buyers


def check_sales(server, acknowledged, unknown, units):
    """Every acknowledged order is there once; of the unknown ones some may be."""
    for wanted in acknowledged:
        expect(server.get("/v1/orders/" + wanted["id"]).status, 200, wanted["id"])
    found = sum(server.get("/v1/orders/" + wanted["id"]).status == 200 for wanted in unknown)
    left = server.get("/v1/products/tea/stock").json()["available"]
    expect(units - left, len(acknowledged) + found, "units sold")
    expect(server.post("/v1/audit").json()["violations"], "0")


def test_killed_at_random():
    with Server() as server:
        server.sell("tea", 10**6)
        acknowledged = []
        unknown = []
        for _ in range(ROUNDS):
            buyers = crowd(server, 8)
            time.sleep(draw.uniform(0.1, 0.5))
            server.kill()
            for buyer in buyers:
                buyer.join()
                expect(buyer.others, [])
                acknowledged += buyer.acknowledged
                unknown += buyer.unknown
            server.start()
            # A client that did not hear back asks again, and gets one order, not two.
            for wanted in unknown[-8:]:
                answer = server.post("/v1/orders", wanted)
                expect(answer.status in (200, 201), True, answer.body)
                acknowledged.append(wanted)
            del unknown[-8:]
        expect(len(acknowledged) > 20 * ROUNDS, True, f"{len(acknowledged)} orders")
        check_sales(server, acknowledged, unknown, 10**6)


def test_interrupted_under_load():
    with Server() as server:
        server.sell("tea", 10**6)
        buyers = crowd(server, 8)
        time.sleep(0.5)
        os.kill(server.pid, signal.SIGTERM)
        status = server.process.wait(30)
        expect(status, 0)
        server.process.stdout.close()
        acknowledged = []
        unknown = []
        for buyer in buyers:
            buyer.join()
            expect(buyer.others, [])
            acknowledged += buyer.acknowledged
            unknown += buyer.unknown
        server.start()
        check_sales(server, acknowledged, unknown, 10**6)


def test_relaxed_answers_come_before_the_disk_and_follow_soon():
    with Server() as server:
        server.sell("tea", 1000)
        for _ in range(50):
            answer = server.post("/v1/orders?durability=relaxed", order("tea", 1))
            expect(answer.status, 201)
        last = answer.lsn
        durable = server.post("/v1/orders", order("tea", 1))
        # Without a write of its own an answer tells the durable LSN: all below it is on disk.
        expect(server.get("/readyz").lsn > max(last, durable.lsn), True)
        wanted = order("tea", 1)
        server.post("/v1/orders?durability=relaxed", wanted)
        # A read of it waits for the disk; then a kill cannot take it back.
        expect(server.get("/v1/orders/" + wanted["id"]).status, 200)
        server.kill()
        server.start()
        expect(server.get("/v1/orders/" + wanted["id"]).status, 200)


def test_tells_systemd_when_it_is_ready_and_when_it_stops():
    with tempfile.TemporaryDirectory() as place:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(place + "/notify")
            told.settimeout(10)
            os.environ["NOTIFY_SOCKET"] = place + "/notify"
            try:
                server = Server()
            finally:
                del os.environ["NOTIFY_SOCKET"]
            with server:
                expect(told.recv(100), b"READY=1")
                expect(server.get("/readyz").status, 200)
                expect(server.stop(), 0)
                expect(told.recv(100), b"STOPPING=1")


def test_same_id_gets_the_same_answer_after_a_restart():
    with Server() as server:
        server.sell("tea", 10)
        wanted = order("tea", 2)
        first = server.post("/v1/orders", wanted).json()
        server.kill()
        server.start()
        again = server.post("/v1/orders", wanted).json()
        expect((again["lsn"], again["time"], again["repeated"]),
               (first["lsn"], first["time"], True))


if __name__ == "__main__":
    run(cases(globals()))
