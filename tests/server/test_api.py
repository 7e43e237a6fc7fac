"""Does each area of the interface do what it says: answers, refusals, conditions, repetition?"""
import uuid

from harness import Server, cases, expect, order, run

server = Server()


def test_product_is_created_read_and_replaced_on_condition():
    put = {"name": "Green tea", "category": "drinks", "unit_price": 450,
           "attributes": '{"origin":"Uji"}'}
    expect(server.put("/v1/products/a1", put).problem, "condition-required")
    made = server.put("/v1/products/a1", put, if_none_match="*")
    expect(made.status, 201)
    expect(made.etag, f'"{made.json()["lsn"]}"')
    expect(server.put("/v1/products/a1", put, if_none_match="*").status, 412)
    read = server.get("/v1/products/a1")
    expect(read.status, 200)
    expect(read.etag, made.etag)
    expect(read.json()["attributes"], put["attributes"])
    expect(read.json()["category"], "drinks")
    put["unit_price"] = 460
    changed = server.put("/v1/products/a1", put, if_match=read.etag)
    expect(changed.status, 200)
    late = server.put("/v1/products/a1", put, if_match=read.etag)
    expect((late.status, late.problem), (412, "version-changed"))
    expect(late.json()["version"], changed.json()["lsn"])
    expect(server.put("/v1/products/a1", put, if_match="*").status, 200)
    expect(server.put("/v1/products/none", put, if_match="*").problem, "changed")
    expect(server.put("/v1/products/a1", put, if_match='W/"1234"').problem, "changed")


def test_unchanged_product_answers_304():
    server.sell("cached", 1)
    first = server.get("/v1/products/cached")
    again = server.get("/v1/products/cached", if_none_match=first.etag)
    expect((again.status, again.body, again.etag), (304, b"", first.etag))
    expect(server.get("/v1/products/cached", if_none_match='"64"').status, 200)


def test_sku_may_hold_any_character():
    for sku, path in (("a/b", "a%2Fb"), ("ü %", "%C3%BC%20%25"), ("A1", "A1"), ('"\\', "%22%5C")):
        expect(server.put("/v1/products/" + path, {"unit_price": 1},
                          if_none_match="*").status, 201, sku)
        expect(server.get("/v1/products/" + path).json()["sku"], sku)
    expect(server.get("/v1/products/a").status, 404)


def test_products_are_listed_page_by_page():
    for number in range(7):
        server.put(f"/v1/products/list{number}", {"unit_price": number, "category": "listed"},
                   if_none_match="*")
    last = server.get("/v1/products/list6").headers["cellar-lsn"]
    seen = []
    path = "/v1/products?category=listed&limit=3"
    after = ""
    for _ in range(4):
        page = server.get(path + after, cellar_lsn=last).json()
        seen += [item["sku"] for item in page["items"]]
        if "next" not in page:
            break
        after = "&before=" + page["next"]
    expect(seen, [f"list{number}" for number in range(6, -1, -1)])
    expect(server.get("/v1/products?category=unknown").json(), {"items": []})


def test_list_includes_the_commit_that_was_named():
    for number in range(50):
        made = server.put(f"/v1/products/named{number}", {"unit_price": 1, "category": "named"},
                          if_none_match="*")
        page = server.get("/v1/products?category=named&limit=1",
                          cellar_lsn=made.headers["cellar-lsn"])
        expect(page.json()["items"][0]["sku"], f"named{number}")
    ahead = str(made.lsn + (1 << 40))
    expect(server.get("/v1/products", cellar_lsn=ahead).status, 400)


def test_stock_changes_and_history():
    server.sell("s1", 100)
    stock = server.get("/v1/products/s1/stock")
    expect(stock.json()["available"], 100)
    line = {"sku": "s1", "quantity": -4}
    key = str(uuid.uuid4())
    body = {"lines": [line], "reason": 7, "reference": "broken on the way"}
    first = server.post("/v1/stock/adjustments", body, idempotency_key=key)
    expect((first.status, first.json()["available"]), (201, 96))
    again = server.post("/v1/stock/adjustments", body, idempotency_key=key)
    expect((again.status, again.json()["repeated"], again.json()["lsn"]),
           (200, True, first.json()["lsn"]))
    body["reason"] = 8
    expect(server.post("/v1/stock/adjustments", body, idempotency_key=key).problem, "id-reused")
    expect(server.post("/v1/stock/set-asides",
                       {"lines": [{"sku": "s1", "quantity": 6}]}).json()["available"], 90)
    expect(server.post("/v1/stock/announcements",
                       {"lines": [{"sku": "s1", "quantity": 50}]}).status, 201)
    expect(server.post("/v1/stock/moves",
                       {"sku": "s1", "from": 0, "to": 3, "quantity": 40}).json()["available"], 50)
    expect(server.post("/v1/stock/takes", {"sku": "s1", "quantity": 5}).json()["available"], 45)
    no = server.post("/v1/stock/takes", {"sku": "s1", "quantity": 46})
    expect((no.status, no.problem, no.json()["available"], no.json()["needed"]),
           (409, "out-of-stock", 45, 46))
    expect(server.get("/v1/products/s1/stock?location=3").json()["available"], 40)
    stock = server.get("/v1/products/s1/stock").json()
    expect((stock["available"], stock["unsellable"], stock["incoming"], stock["on_hand"]),
           (45, 6, 50, 51))
    moves = server.get("/v1/products/s1/movements?limit=4").json()
    expect([entry["kind"] for entry in moves["items"]],
           ["taken", "moved", "announced", "set-aside"])
    rest = server.get("/v1/products/s1/movements?before=" + moves["next"]).json()["items"]
    expect([entry["kind"] for entry in rest], ["adjusted", "received", "opened"])
    expect((rest[0]["reference"], rest[0]["reason"], rest[0]["id"]),
           ("broken on the way", 7, key))


def test_count_and_safety_need_the_version():
    server.sell("s2", 10)
    path = "/v1/products/s2/stock/"
    expect(server.put(path + "count", {"quantity": 9}).status, 428)
    etag = server.get("/v1/products/s2/stock").etag
    expect(server.put(path + "count", {"quantity": 9}, if_match=etag).status, 200)
    expect(server.put(path + "count", {"quantity": 9}, if_match=etag).status, 412)
    etag = server.get("/v1/products/s2/stock").etag
    expect(server.put(path + "safety", {"quantity": 4}, if_match=etag).status, 200)
    no = server.post("/v1/orders", order("s2", 6))
    expect((no.problem, no.json()["available"]), ("out-of-stock", 5))


def test_accounts():
    expect(server.post("/v1/accounts", {"id": "17850"}).status, 201)
    expect(server.post("/v1/accounts", {"id": "17850"}).status, 200)
    expect(server.post("/v1/accounts", {"id": "17850", "floor": -5}).problem, "already-exists")
    big = "18446744073709551615"
    expect(server.post("/v1/accounts", {"id": big}).status, 201)
    expect(server.get("/v1/accounts/" + big).json()["id"], big)
    key = str(uuid.uuid4())
    for repeated in (False, True):
        credit = server.post("/v1/accounts/17850/credits", {"amount": 5000}, idempotency_key=key)
        expect(credit.json()["repeated"], repeated)
    expect(server.get("/v1/accounts/17850").json()["balance"], 5000)
    no = server.post("/v1/accounts/17850/debits", {"amount": 5001})
    expect((no.status, no.problem, no.json()["available"]), (409, "insufficient-funds", 5000))
    moved = server.post("/v1/transfers", {"from": "17850", "to": big, "amount": 2000})
    expect(moved.json()["balance"], 3000)
    etag = server.get("/v1/accounts/17850").etag
    expect(server.put("/v1/accounts/17850/floor", {"floor": -100}, if_match=etag).status, 200)
    expect(server.put("/v1/accounts/17850/floor", {"floor": -200}, if_match='"64"').status, 412)
    expect(server.post("/v1/accounts/17850/debits", {"amount": 3100}).json()["balance"], -100)
    expect(server.get("/v1/accounts/4").status, 404)


def test_order_from_quote_to_return():
    server.sell("o1", 10)
    server.post("/v1/accounts", {"id": "9"})
    server.post("/v1/accounts/9/credits", {"amount": 10000})
    wanted = order("o1", 3, customer="77", reference="web 12",
                   business_time="2026-11-24T18:40:18+09:00")
    expect(server.post("/v1/orders/quote", wanted).json(), {"total": 1350})
    placed = server.post("/v1/orders", wanted)
    expect((placed.status, placed.json()["total"]), (201, 1350))
    again = server.post("/v1/orders", wanted)
    expect((again.status, again.json()["repeated"], again.json()["lsn"]),
           (200, True, placed.json()["lsn"]))
    other = dict(wanted, reference="web 13")
    expect(server.post("/v1/orders", other).problem, "id-reused")
    path = "/v1/orders/" + wanted["id"]
    read = server.get(path)
    found = read.json()
    expect((found["state"], found["customer"], found["total"], found["business_time"]),
           ("placed", "77", 1350, "2026-11-24T09:40:18.000000000Z"))
    expect(found["lines"][0]["quantity"], 3)
    expect(read.etag, placed.etag)
    expect(server.post(path + "/pay", {"account": "9"}).status, 200)
    expect(server.get("/v1/accounts/9").json()["balance"], 8650)
    expect(server.post(path + "/pay", {"account": "9"}).json()["repeated"], True)
    expect(server.post(path + "/fulfil").status, 200)
    no = server.post(path + "/cancel")
    expect((no.status, no.problem, no.json()["state"]), (409, "illegal-step", "fulfilled"))
    back = order("o1", 1, customer="77", account="9")
    made = server.post("/v1/returns", back)
    expect((made.status, made.json()["total"]), (201, -450))
    expect(server.get("/v1/accounts/9").json()["balance"], 9100)
    listed = server.get("/v1/orders?customer=77&lines=true", cellar_lsn=str(made.lsn)).json()
    expect([entry["state"] for entry in listed["items"]], ["returned", "fulfilled"])
    expect(listed["items"][1]["lines"][0]["unit_price"], 450)


def test_cancel_gives_everything_back():
    server.sell("o2", 5)
    wanted = order("o2", 5)
    expect(server.post("/v1/orders", wanted).status, 201)
    no = server.post("/v1/orders", order("o2", 1))
    expect((no.status, no.problem, no.json()["line"], no.json()["available"]),
           (409, "out-of-stock", 0, 0))
    expect(server.post(f"/v1/orders/{wanted['id']}/cancel").status, 200)
    expect(server.get("/v1/products/o2/stock").json()["available"], 5)
    expect(server.post(f"/v1/orders/{uuid.uuid4()}/cancel").status, 404)


def test_order_id_may_stand_in_the_header():
    server.sell("o3", 5)
    wanted = order("o3", 1)
    name = wanted.pop("id")
    expect(server.post("/v1/orders", wanted).problem, "bad-field")
    expect(server.post("/v1/orders", wanted, idempotency_key=name).json()["id"], name)
    expect(server.post("/v1/orders", dict(wanted, id=name)).json()["repeated"], True)
    expect(server.post("/v1/orders", dict(wanted, id=str(uuid.uuid4())),
                       idempotency_key=name).problem, "bad-field")


def test_orders_are_listed_page_by_page():
    server.sell("o4", 100)
    ids = []
    for _ in range(7):
        wanted = order("o4", 1, customer="4711")
        ids.append(wanted["id"])
        last = server.post("/v1/orders", wanted)
    seen = []
    after = ""
    for _ in range(9):
        page = server.get(f"/v1/orders?customer=4711&limit=3{after}",
                          cellar_lsn=str(last.lsn)).json()
        seen += [item["id"] for item in page["items"]]
        if "next" not in page:
            break
        after = "&before=" + page["next"]
    expect(seen, ids[::-1])
    expect(server.get("/v1/orders").problem, "bad-field")


def test_bulk():
    products = [{"sku": f"b{number}", "unit_price": 100} for number in range(300)]
    done = server.post("/v1/bulk/products", {"products": products}).json()
    expect((done["done"], len(done["results"])), (300, 300))
    lines = [{"sku": f"b{number}", "quantity": 1} for number in range(300)]
    expect(server.post("/v1/stock/receipts", {"lines": lines}).status, 201)
    orders = [order(f"b{number}", 1 + (number % 3 == 0)) for number in range(300)]
    answer = server.post("/v1/bulk/orders", {"orders": orders}).json()
    expect(answer["done"], 200)
    for number, entry in enumerate(answer["results"]):
        expect(entry["outcome"], "ok" if number % 3 else "out-of-stock")
        expect(entry["id"], orders[number]["id"])
    expect((answer["results"][0]["line_number"], answer["results"][0]["available"]), (1, 1))


def test_wide_order():
    products = [{"sku": f"w{number}", "unit_price": 1} for number in range(1000)]
    server.post("/v1/bulk/products", {"products": products})
    lines = [{"sku": f"w{number % 1000}", "quantity": 1, "unit_price": 1}
             for number in range(4096)]
    server.post("/v1/stock/receipts",
                {"lines": [{"sku": f"w{number}", "quantity": 5} for number in range(1000)]})
    wanted = {"id": str(uuid.uuid4()), "lines": lines}
    expect(server.post("/v1/orders", wanted).json()["total"], 4096)
    expect(len(server.get("/v1/orders/" + wanted["id"]).json()["lines"]), 4096)
    lines.append(lines[0])
    expect(server.post("/v1/orders/quote", wanted).json()["pointer"], "/lines")


def test_every_problem_explains_itself():
    for name in ("out-of-stock", "version-changed", "bad-field", "overloaded"):
        expect(server.get("/problems/" + name).json()["name"], name)
    expect(server.get("/problems/nothing").problem, "no-such-path")


def test_audit_finds_nothing():
    audit = server.post("/v1/audit").json()
    expect(audit["violations"], "0")
    expect(audit["customers"], "2")


def test_probes_and_numbers():
    expect(server.get("/livez").body, b"ok\n")
    expect(server.get("/readyz").status, 200)
    expect(server.get("/health").json()["level"] in ("up", "warning"), True)
    metrics = server.get("/metrics").body.decode()
    placed = [line for line in metrics.splitlines() if line.startswith("cellard_orders_placed")]
    expect(int(placed[0].split()[1]) >= 200, True, placed[0])
    for line in metrics.splitlines():
        if not line.startswith("#"):
            float(line.rsplit(" ", 1)[1])


def test_stops_cleanly():
    expect(server.stop(), 0)


if __name__ == "__main__":
    with server:
        run(cases(globals()))
