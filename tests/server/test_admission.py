"""Is too much turned away before any work, with a time to come back, and are tokens asked for?"""
import os
import socket
import stat
import subprocess
import tempfile
import threading
import time

from harness import BINARY, Server, cases, expect, order, run

TOKENS = """# role token actor
read  read-token-0123456789
sell  sell-token-0123456789 42
admin admin-token-0123456789 7
admin """ + "x" * 128 + "\n"


def bearer(role):
    return {"Authorization": f"Bearer {role}-token-0123456789"}


def test_roles():
    with Server(tokens=TOKENS) as server:
        put = {"unit_price": 1}
        create = {"If-None-Match": "*"}
        path = "/v1/products/a"
        no = server.call("PUT", path, put, create)
        expect((no.status, no.headers["www-authenticate"]), (401, 'Bearer realm="cellard"'))
        for wrong in ("Bearer x", "Bearer ", "Basic YTpi", "Bearer admin-token-012345678",
                      "Bearer admin-token-01234567890", "bearer", "Bearer read-token-0123456789 "):
            if wrong == wrong.strip():
                expect(server.call("GET", path, None, {"Authorization": wrong}).status, 401, wrong)
        expect(server.call("PUT", path, put, {**create, **bearer("sell")}).problem, "role-required")
        expect(server.call("PUT", path, put, {**create, **bearer("admin")}).status, 201)
        expect(server.call("GET", path, None, bearer("read")).status, 200)
        expect(server.call("POST", "/v1/orders", order("a", 1), bearer("read")).status, 403)
        expect(server.call("POST", "/v1/orders", order("a", 1), bearer("sell")).problem,
               "out-of-stock")
        long = "Bearer " + "x" * 128
        expect(server.call("GET", path, None, {"Authorization": long}).status, 200)
        expect(server.call("GET", path, None, {"Authorization": long + "x"}).status, 401)
        expect(server.call("GET", "/metrics").status, 401)
        expect(server.call("GET", "/livez").status, 200)
        expect(server.call("GET", "/").status, 200)
        # With tokens any host name is fine: a foreign page has no token.
        expect(server.call("GET", path, None, {**bearer("read"), "Host": "shop.example"}).status,
               200)
        moves = server.call("GET", path + "/movements", None, bearer("read")).json()
        expect(moves["items"][0]["actor"], "7")


def test_refuses_to_start_unsafely():
    with tempfile.TemporaryDirectory() as place:
        loose = os.path.join(place, "loose")
        with open(loose, "w") as file:
            file.write(TOKENS)
        os.chmod(loose, stat.S_IRUSR | stat.S_IWUSR | stat.S_IROTH)
        short = os.path.join(place, "short")
        with open(os.open(short, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write("read short\n")
        for option, why in (("--listen=0.0.0.0:0", "without --tokens"),
                            (f"--tokens={loose}", "mode 600"), (f"--tokens={short}", "16 to 128"),
                            ("--listen=localhost:1", "numeric"), ("--rate=x", "must be 0"),
                            ("--surprise=1", "no setting"), ("--limit=orders.plaice=3", "no route"),
                            ("--connections=999999", "open files")):
            tried = subprocess.run(["timeout", "20", BINARY, "--data=" + place + "/d",
                                    "--listen=127.0.0.1:0", option],
                                   capture_output=True, text=True, check=False)
            if option.startswith("--connections") and tried.returncode == 124:
                continue  # this machine allows that many
            expect(tried.returncode in (1, 2), True, f"{option}: {tried.returncode}")
            expect(why in tried.stderr, True, tried.stderr)


def test_client_is_held_to_its_rate():
    """The incumbent's first aid: 10 requests a second, a burst of 5."""
    with Server("--rate=10", "--burst=5") as server:
        connection = server.connect()
        start = time.monotonic()
        statuses = []
        while time.monotonic() - start < 2:
            answer = server.call("GET", "/v1/products", connection=connection)
            statuses.append(answer.status)
            if answer.status == 429:
                expect((answer.problem, answer.headers["retry-after"]), ("too-many-requests", "1"))
            time.sleep(0.01)
        seconds = time.monotonic() - start
        good = statuses.count(200)
        expect(statuses[:5], [200] * 5)
        expect(set(statuses), {200, 429})
        expect(5 + 10 * seconds - 2 <= good <= 5 + 10 * seconds + 1, True, f"{good}, {seconds:.2f}")
        expect(server.get("/livez").status, 200, "probes are not limited")


def test_each_token_has_its_own_rate():
    with Server("--rate=1", "--burst=2", tokens=TOKENS) as server:
        for role in ("read", "sell"):
            statuses = [server.call("GET", "/v1/products", None, bearer(role)).status
                        for _ in range(3)]
            expect(statuses, [200, 200, 429], role)


def test_route_sheds_beyond_its_limit_and_others_go_on():
    """Bodies that come slowly keep requests under way; a third one is turned away at once."""
    with Server("--limit=orders.place=2", "--request-timeout=20") as server:
        server.sell("tea", 10)
        head = (b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 500\r\n\r\n{")
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        for connection in slow:
            connection.sendall(head)
        time.sleep(0.3)
        answer = server.post("/v1/orders", order("tea", 1))
        expect((answer.status, answer.problem, answer.headers["retry-after"]),
               (503, "overloaded", "1"))
        expect(server.post("/v1/orders/quote", order("tea", 1)).status, 200)
        for connection in slow:
            connection.close()
        time.sleep(0.3)
        expect(server.post("/v1/orders", order("tea", 1)).status, 201)
        metrics = server.get("/metrics").body.decode()
        expect("cellard_shed_total 1\n" in metrics, True)


def test_bodies_have_a_budget_together():
    with Server("--body-budget=1048576", "--request-timeout=20", "--bulk-body=2000000") as server:
        head = (b"POST /v1/bulk/orders HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port)) as slow:
            slow.sendall(head + b" " * 900000)
            time.sleep(0.5)
            answer = server.post("/v1/bulk/orders", " " * 300000)
            expect((answer.status, answer.problem), (503, "overloaded"))
            expect(server.post("/v1/orders/quote", {}).status, 400)
            # What comes in beyond that is thrown away, but not for ever.
            endless = head.replace(b"Content-Length: 1000000", b"Transfer-Encoding: chunked")
            _, closed = server.raw(endless + (b"40000\r\n" + b" " * 0x40000 + b"\r\n") * 8, 5)
            expect(closed, True, "an endless body")
        time.sleep(0.3)
        expect(server.post("/v1/bulk/orders", " " * 300000).problem, "bad-json")


def test_connections_have_a_limit():
    with Server("--connections=40", "--threads=1") as server:
        held = [server.connect() for _ in range(39)]
        for connection in held:
            expect(server.call("GET", "/livez", connection=connection).status, 200)
        levels = {entry["name"]: entry["level"]
                  for entry in server.call("GET", "/health", connection=held[-1]).json()
                  ["components"]}
        expect(levels["connections"], "critical")
        # At 95 % and more each answer asks to close, so that places become free.
        answer = server.call("GET", "/livez", connection=held[-2])
        expect(answer.headers["connection"].lower(), "close")
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        time.sleep(0.3)
        received, _ = server.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 1)
        expect(received, b"", "beyond the limit")
        for connection in held + idle:
            connection.close()
        time.sleep(0.3)
        expect(server.get("/health").status, 200)


def test_under_a_crowd_the_stock_is_exact():
    """More buyers than goods, more requests than the route's limit; every answer is one of three,
    and exactly the stock is sold."""
    with Server("--limit=orders.place=8") as server:
        server.sell("hot", 100)
        counts = {}
        lock = threading.Lock()

        def buy():
            connection = server.connect()
            for _ in range(20):
                answer = server.call("POST", "/v1/orders", order("hot", 1), connection=connection)
                with lock:
                    counts[answer.status] = counts.get(answer.status, 0) + 1

        threads = [threading.Thread(target=buy) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect(sum(counts.values()), 480)
        expect(set(counts) <= {201, 409, 503}, True, counts)
        left = server.get("/v1/products/hot/stock").json()["available"]
        expect(counts[201] + left, 100, counts)


if __name__ == "__main__":
    run(cases(globals()))
