"""Is everything that is not a correct request answered with a clear 4xx, or the connection closed,
in bounded time and memory, and with the server as well as before?"""
import os
import socket
import time
import uuid

from harness import BINARY, Server, cases, expect, order, run, wait_for

server = Server("--request-timeout=1", "--idle-timeout=2", "--body=20000", "--bulk-body=40000")
HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
FIRST = b"POST /v1/orders/quote HTTP/1.1\r\n"


def status_of(received):
    return int(received.split(b" ", 2)[1]) if received else None


def refused(body, problem, path="/v1/orders/quote", pointer=None):
    answer = server.post(path, body)
    expect((answer.status, answer.problem), (400, problem), repr(body)[:80])
    if pointer is not None:
        expect(answer.json()["pointer"], pointer)


def test_json_that_is_none():
    for body in ('', '[', '{', '{"lines":[}', '{"lines":[1,]}', '{} x', "{'a':1}", '{"a":NaN}',
                 '{"a":01}', '{"a":1.}', '{"a":.5}', '{/**/}', '\ufeff{}', 'null x', '{"a"}',
                 '{"a":"\x01"}', '{"a":"\\u0000"}', '{"a":"\\ud800"}', '{"a":"\\x"}', '{"a":tru}'):
        answer = server.post("/v1/orders/quote", body.encode())
        expect(answer.status, 400, body)
        expect(answer.problem in ("bad-json", "bad-field"), True, body)


def test_top_level_must_be_an_object():
    for body in ('null', '1', '"text"', '[]', 'true'):
        expect(server.post("/v1/orders/quote", body).status, 400, body)


def test_duplicate_keys():
    refused('{"customer":"1","customer":"2","lines":[]}', "bad-json")
    refused('{"lines":[{"sku":"a","sku":"b","quantity":1,"unit_price":1}]}', "bad-json")
    refused('{"lines":[],"l\\u0069nes":[]}', "bad-json")


def test_unknown_and_missing_fields():
    refused('{"lines":[{"sku":"a","quantity":1,"unit_price":1,"price":1}]}', "bad-field",
            pointer="/lines/0/price")
    refused('{"line":[]}', "bad-field", pointer="/line")
    refused('{"lines":[{"sku":"a","unit_price":1}]}', "bad-field", pointer="/lines/0/quantity")
    refused('{}', "bad-field", pointer="/lines")


def test_wrong_types_and_ranges():
    line = '{"lines":[{"sku":"a","quantity":%s,"unit_price":1}]}'
    for wrong in ("1.5", "1.0", "1e2", '"1"', "true", "null", "0", "-1", "[]", "{}",
                  "1000000000000001", "9223372036854775807"):
        refused(line % wrong, "bad-field", pointer="/lines/0/quantity")
    refused(line % "9223372036854775808", "bad-json")
    refused(line % "1e999", "bad-json")
    for wrong in ('1', '"01"', '"-1"', '"+1"', '" 1"', '"1 "', '"0x1"', '""',
                  '"18446744073709551616"'):
        refused('{"customer":%s,"lines":[{"sku":"a","quantity":1,"unit_price":1}]}' % wrong,
                "bad-field", pointer="/customer")
    for wrong in ('2026-02-29T00:00:00Z', '2026-11-24', '2026-11-24T18:40:18',
                  '1969-12-31T23:59:59Z', '2026-11-24T24:00:00Z', '2026-11-24T18:40:18.Z',
                  '2026-11-24 18:40:18Z'):
        refused('{"business_time":"%s","lines":[{"sku":"a","quantity":1,"unit_price":1}]}' % wrong,
                "bad-field", pointer="/business_time")
    for wrong in ("6f1d3c52", "00000000-0000-0000-0000-000000000000",
                  "6f1d3c52-9a41-4c7e-8f0b-1d2e3f40516", "6f1d3c52-9a41-4c7e-8f0b-1d2e3f40516g"):
        refused({"id": wrong, "lines": []}, "bad-field", pointer="/id")
    refused('{"lines":[{"sku":"%s","quantity":1,"unit_price":1}]}' % ("s" * 65), "bad-field")
    refused('{"lines":[{"sku":"a","product":"1","quantity":1,"unit_price":1}]}', "bad-field")


def test_total_beyond_the_range():
    server.sell("dear", 10)
    answer = server.post("/v1/orders/quote", order("dear", 10, 10**15))
    expect((answer.status, answer.problem), (400, "overflow"))


def test_bad_utf8():
    for wrong in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
        refused(b'{"reference":"' + wrong + b'","lines":[]}', "bad-json")
        path = "/v1/products/" + "".join(f"%{byte:02X}" for byte in wrong)
        expect(server.get(path).status, 400, path)
    for path in ("%00", "a%0", "a%", "%zz", "a" * 65):
        expect(server.get("/v1/products/" + path).status, 400, path)


def test_depth():
    for body in ('[' * 9 + ']' * 9, '{"a":' * 9 + '1' + '}' * 9, '[' * 19000):
        refused(body, "bad-json")
    refused('{"reference":"[[[[[[[[[[[{{{{{{","lines":[]}', "bad-field")


def test_query_is_as_strict():
    for query, pointer in (("limit=0", "/limit"), ("limit=1001", "/limit"), ("limit=x", "/limit"),
                           ("limit=1&limit=2", "/limit"), ("limits=1", "/limits"),
                           ("status=Active", "/status"), ("before=1e3", "/before"),
                           ("durability=maybe", "/durability"), ("category=%ff", "/category"),
                           ("limit", "/limit")):
        answer = server.get("/v1/products?" + query)
        expect((answer.status, answer.problem), (400, "bad-field"), query)
        expect(answer.json()["pointer"], pointer)
    expect(server.get("/v1/products/dear?durability=relaxed").status, 200)


def test_paths_methods_and_types():
    expect(server.get("/v1/product").problem, "no-such-path")
    expect(server.get("/v1/products/").problem, "no-such-path")
    answer = server.call("DELETE", "/v1/products/dear")
    expect((answer.problem, answer.headers["allow"]), ("method-not-allowed", "GET, PUT"))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        expect(server.call("POST", "/v1/orders/quote", "{}", {"Content-Type": kind}).status, 415)
    expect(server.call("GET", "/v1/products/dear", "{}").status, 400)
    expect(server.call("HEAD", "/v1/products/dear").body, b"")
    for key in ("1", "6f1d3c52", "6f1d3c52-9a41-4c7e-8f0b-1d2e3f405162 "):
        if key == key.strip():
            expect(server.post("/v1/orders", {}, idempotency_key=key).status, 400)


def test_smuggling():
    chunk = b"5\r\n{\"a\":\r\n0\r\n\r\n"
    hidden = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    for headers in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                    b"Transfer-Encoding: chunked\r\nContent-Length: 30\r\n",
                    b"Content-Length: 4\r\nContent-Length: 5\r\n",
                    b"Content-Length: 4\r\nContent-Length: 4\r\n",
                    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                    b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: identity\r\n",
                    b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Length: +5\r\n",
                    b"Content-Length: 5, 5\r\n", b"Content-Length: -1\r\n",
                    b"Content-Length: 99999999999999999999\r\n", b"Content-Length: 0x5\r\n",
                    b"Content-Length:\r\n"):
        received, closed = server.raw(FIRST + HOST + JSON + headers + b"\r\n" + chunk + hidden, 3)
        expect(closed, True, headers)
        # Not "one answer": libmicrohttpd 0.9.75 sends the head of its own 400 twice.
        expect(received.count(b" 200 OK"), 0, headers)
        expect(status_of(received) in (400, 413, None), True, (headers, received[:60]))
    for first in (b"GET", b"DELETE", b"HEAD"):
        received, closed = server.raw(first + b" /v1/products/dear HTTP/1.1\r\n" + HOST +
                                      b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden, 1)
        expect((received.count(b"HTTP/1.1 4"), received.count(b"HTTP/1.1")), (1, 1), first)
        expect(closed, first != b"DELETE", "no such route: its body is thrown away")


def test_headers_that_stand_there_twice():
    for header in (b"Content-Length: 4\r\nContent-Length: 4", b"Host: 127.0.0.1",
                   b"If-Match: \"64\"\r\nIf-Match: *", b"Cellar-Lsn: 1\r\ncellar-lsn: 1",
                   b"Authorization: a\r\nAuthorization: b", JSON.strip(),
                   b"Idempotency-Key: a\r\nIdempotency-Key: b"):
        received, closed = server.raw(FIRST + HOST + JSON + header + b"\r\n\r\n{}{}", 3)
        expect((closed, status_of(received)), (True, 400), header)
        expect(b"twice" in received, True, (header, received[-200:]))


def test_broken_http():
    for request in (b"GET /livez HTTP/1.1\r\n\r\n", b"GET /livez\r\n\r\n", b"\x16\x03\x01\r\n\r\n",
                    b"GET /livez HTTP/3.9\r\n\r\n",
                    b"GET /livez HTTP/1.1\r\n" + HOST + b"Bad\r\n\r\n",
                    b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n\r\n",
                    b"GET /livez HTTP/1.1\r\n" + b"X: " + b"a" * 40000 + b"\r\n\r\n",
                    b"G" * 100000):
        received, closed = server.raw(request, 4)
        expect(closed, True, request[:40])
        expect(status_of(received) in (None, 400, 404, 414, 431, 505), True,
               (request[:40], received[:60]))


def test_chunked_body():
    body = b'{"lines":[{"sku":"dear","quantity":1,"unit_price":3}]}'
    pieces = b"".join(b"%x\r\n%s\r\n" % (1, body[i:i + 1]) for i in range(len(body)))
    request = FIRST + HOST + JSON + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    received, _ = server.raw(request + pieces + b"0\r\n\r\n")
    expect(received.endswith(b'{"total":3}'), True, received[-80:])


def test_too_large():
    big = b"{" + b" " * 25000 + b"}"
    answer = server.call("POST", "/v1/orders/quote", big)
    expect((answer.status, answer.problem), (413, "too-large"))
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    received, closed = server.raw(FIRST + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n" +
                                  chunk * 8, 3)
    expect((closed, status_of(received) in (None, 413)), (True, True), received[:60])


def test_small_refused_body_keeps_the_connection():
    connection = server.connect()
    expect(server.call("POST", "/v1/nothing", "{}", connection=connection).status, 404)
    port = connection.sock.getsockname()
    expect(server.call("GET", "/livez", connection=connection).status, 200)
    expect(connection.sock.getsockname(), port)
    connection.close()


def seconds_until_closed(pieces, pause, seconds_max):
    """Sends pieces with pauses; tells when the server hung up."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(pause)
        while time.monotonic() - start < seconds_max:
            try:
                connection.sendall(next(pieces, b""))
                if connection.recv(1000) == b"":
                    break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
    return time.monotonic() - start


def test_slow_senders_are_ended():
    def drops(first):
        yield first
        while True:
            yield b" "

    def header_drops():
        yield FIRST
        while True:
            yield b"X-A: b\r\n"

    slow_body = FIRST + HOST + JSON + b"Content-Length: 1000\r\n\r\n"
    body = seconds_until_closed(drops(slow_body), 0.2, 12)
    expect(body < 6, True, f"slow body: {body:.1f} s")
    header = seconds_until_closed(header_drops(), 0.2, 12)
    expect(header < 8, True, f"slow headers: {header:.1f} s")
    silent = seconds_until_closed(iter([b""]), 0.5, 12)
    expect(silent < 8, True, f"silent: {silent:.1f} s")


def test_foreign_web_pages_are_kept_out():
    answer = server.get("/v1/products", host="shop.example")
    expect((answer.status, answer.problem), (403, "role-required"))
    expect(server.get("/v1/products", host="localhost:8080").status, 200)


def resident_kib():
    with open(f"/proc/{server.pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def test_garbage_leaves_memory_flat():
    for _ in range(100):
        server.raw(os.urandom(300) + b"\r\n\r\n", 0.2)
    before = resident_kib()
    body = '{"lines":[' + ",".join(['{"sku":"x"}'] * 1500) + "]}"
    connection = server.connect()
    for _ in range(400):
        server.call("POST", "/v1/orders/quote", body, connection=connection)
    after = resident_kib()
    # AddressSanitizer keeps what was freed for a while, to catch who still uses it.
    kib_max = 600000 if "asan" in BINARY else 20000
    expect(after - before < kib_max, True, f"{before} KiB, then {after} KiB")


def test_serves_on():
    server.sell("after", 5)
    expect(server.post("/v1/orders", order("after", 1)).status, 201)
    expect(wait_for(lambda: server.post("/v1/audit").json()["violations"] == "0"), True)
    expect(server.get(f"/v1/orders/{uuid.uuid4()}").status, 404)
    expect(server.stop(), 0)


if __name__ == "__main__":
    with server:
        run(cases(globals()))
