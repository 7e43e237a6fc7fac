"""Do orders go through their life by line, and do stocks of kits, locations and back-orders, as
docs/ORDERS.md and docs/STOCK.md say, through HTTP?"""
import datetime
import uuid

from harness import Server, cases, expect, order, run, wait_for

server = Server()


def new_id():
    return str(uuid.uuid4())


def after(**how):
    """A time from now on, to the millisecond."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**how)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "000000Z"


def stock(sku, location=0):
    return server.get(f"/v1/products/{sku}/stock?location={location}").json()


def two_lines(first, second, **more):
    return {"id": new_id(), "lines": [{"sku": first, "quantity": 6, "unit_price": 450},
                                      {"sku": second, "quantity": 2, "unit_price": 1999}], **more}


def part(line, quantity):
    return {"id": new_id(), "parts": [{"line": line, "quantity": quantity}]}


def lines_of(wanted):
    return server.get("/v1/orders/" + wanted["id"]).json()["lines"]


def sources_of(wanted):
    return server.get(f"/v1/orders/{wanted['id']}/sources").json()["items"]


def test_steps_by_line():
    server.sell("tea", 10)
    server.sell("pot", 2)
    wanted = two_lines("tea", "pot", customer="5")
    path = "/v1/orders/" + wanted["id"]
    expect(server.post("/v1/orders", wanted).status, 201)
    less = part(0, 2)
    first = server.post(path + "/cancel", less)
    expect((first.status, first.json()["id"]), (200, wanted["id"]))
    again = server.post(path + "/cancel", less).json()
    expect((again["repeated"], again["lsn"]), (True, first.json()["lsn"]))
    other = {"id": less["id"], "parts": [{"line": 0, "quantity": 1}]}
    expect(server.post(path + "/cancel", other).problem, "id-reused")
    expect(stock("tea")["available"], 6)
    expect(server.post(path + "/pay").status, 200)
    no = server.post(path + "/fulfil", part(0, 5))
    expect((no.status, no.problem, no.json()["line"], no.json()["available"], no.json()["needed"]),
           (409, "nothing-left", 0, 4, 5))
    expect(server.post(path + "/fulfil", part(0, 3)).status, 200)
    back = dict(part(0, 1), damaged=True)
    expect(server.post(path + "/return", back).status, 200)
    expect(server.post(path + "/return", {"parts": back["parts"]}).problem, "bad-field")
    read = server.get(path)
    found = read.json()
    expect([(line["cancelled"], line["fulfilled"], line["returned"], line["uncovered"])
            for line in found["lines"]], [(2, 3, 1, 0), (0, 0, 0, 0)])
    expect((found["state"], found["total"], found["cancelled_value"], found["returned_value"]),
           ("paid", 6 * 450 + 2 * 1999, 900, 450))
    expect((stock("tea")["available"], stock("tea")["unsellable"]), (6, 1))
    expect(server.post(path + "/fulfil").status, 200)
    expect(server.get(path).json()["state"], "fulfilled")
    no = server.post(path + "/fulfil", part(1, 1))
    expect((no.problem, no.json()["state"]), ("illegal-step", "fulfilled"))


def test_a_step_by_line_needs_an_id_and_takes_it_from_the_header():
    server.sell("header", 5)
    wanted = order("header", 3)
    path = "/v1/orders/" + wanted["id"]
    server.post("/v1/orders", wanted)
    step = part(0, 1)
    name = step.pop("id")
    expect(server.post(path + "/cancel", step).problem, "invalid-argument")
    expect(server.post(path + "/cancel", step, idempotency_key=name).status, 200)
    expect(server.post(path + "/cancel", dict(step, id=name)).json()["repeated"], True)
    expect(server.post(path + "/cancel", dict(step, id=new_id()),
                       idempotency_key=name).problem, "bad-field")
    twice = {"id": new_id(), "parts": [{"line": 0, "quantity": 1}, {"line": 0, "quantity": 1}]}
    expect(server.post(path + "/cancel", twice).problem, "invalid-argument")
    expect(server.post(path + "/cancel", {"id": new_id(), "parts": []}).problem, "bad-field")
    expect(lines_of(wanted)[0]["cancelled"], 1)


def test_capture_in_part_cancels_the_rest():
    server.sell("part", 5)
    server.post("/v1/accounts", {"id": "31"})
    server.post("/v1/accounts/31/credits", {"amount": 5000})
    wanted = order("part", 5)
    path = "/v1/orders/" + wanted["id"]
    server.post("/v1/orders", wanted)
    expect(server.post(path + "/pay", dict(part(0, 2), account="31")).status, 200)
    expect(server.get("/v1/accounts/31").json()["balance"], 5000 - 900)
    expect((stock("part")["available"], lines_of(wanted)[0]["cancelled"]), (3, 3))


def test_held_until_extended_expired():
    server.sell("held", 4)
    end = after(hours=1)
    wanted = order("held", 4, hold_until=end)
    path = "/v1/orders/" + wanted["id"]
    made = server.post("/v1/orders", wanted)
    expect(made.status, 201)
    expect(server.get(path).json()["hold_until"], end)
    no = server.post("/v1/orders", order("held", 1))
    expect((no.problem, no.json()["retry_at"]), ("out-of-stock", end))
    held = server.get("/v1/orders?state=placed", cellar_lsn=str(made.lsn)).json()["items"]
    expect([(entry["id"], entry["hold_until"]) for entry in held if "hold_until" in entry],
           [(wanted["id"], end)])
    later = after(hours=2)
    expect(server.post(path + "/extend", {"hold_until": later}).status, 200)
    expect(server.get(path).json()["hold_until"], later)
    expect(server.post(path + "/extend", {}).problem, "bad-field")
    expect(server.post(path + "/extend", {"hold_until": "2026-01-01T00:00:00Z"}).problem,
           "hold-expired")
    expect(server.post(path + "/extend", {"hold_until": after(milliseconds=300)}).status, 200)
    expect(wait_for(lambda: server.get(path).json()["state"] == "expired"), True)
    expect(stock("held")["available"], 4)
    expect(server.post(path + "/pay").problem, "illegal-step")
    moves = server.get("/v1/products/held/movements?limit=1").json()["items"]
    expect((moves[0]["kind"], moves[0]["change"]), ("expired", 4))


def test_back_orders_down_to_a_limit():
    server.sell("late", 1)
    path = "/v1/products/late/stock/safety"
    expect(server.put(path, {"quantity": -2}).problem, "condition-required")
    expect(server.put(path, {"quantity": -2}, if_match='"64"').problem, "version-changed")
    etag = server.get("/v1/products/late/stock").etag
    expect(server.put(path, {"quantity": -2}, if_match=etag).status, 200)
    wanted = order("late", 3, state="paid")
    expect(server.post("/v1/orders", wanted).status, 201)
    expect(server.post("/v1/orders", order("late", 1)).problem, "out-of-stock")
    expect(stock("late")["available"], -2)
    expect(wait_for(lambda: lines_of(wanted)[0]["uncovered"] == 2), True)
    expect(server.post(f"/v1/orders/{wanted['id']}/fulfil").problem, "out-of-stock")
    server.post("/v1/stock/receipts", {"lines": [{"sku": "late", "quantity": 2}]})
    expect(server.post(f"/v1/orders/{wanted['id']}/fulfil").status, 200)
    expect(server.put("/v1/products/late/stock/count", {"quantity": -1}, if_match="*").problem,
           "bad-field")


def test_kit():
    server.sell("bottle", 4)
    server.sell("glass", 7)
    kit = {"name": "Box", "unit_price": 4900, "components": [{"sku": "bottle", "quantity": 1},
                                                             {"sku": "glass", "quantity": 2}]}
    expect(server.put("/v1/products/box", kit, if_none_match="*").status, 201)
    found = server.get("/v1/products/box").json()["components"]
    bottle = server.get("/v1/products/bottle").json()
    expect(found[0], {"product": bottle["id"], "quantity": 1})
    expect("components" in bottle, False)
    boxes = order("box", 3)
    expect(server.post("/v1/orders", boxes).status, 201)
    expect((stock("bottle")["available"], stock("glass")["available"]), (1, 1))
    glass = server.get("/v1/products/glass").json()["id"]
    expect([(source["product"], source["per_unit"], source["quantity"])
            for source in sources_of(boxes)], [(bottle["id"], 1, 3), (glass, 2, 6)])
    no = server.post("/v1/orders", order("box", 1))
    expect((no.problem, no.json()["line"]), ("out-of-stock", 0))
    for wrong in ([], [{"sku": "glass", "quantity": 0}], [{"sku": "glass", "quantity": 1000001}],
                  [{"quantity": 1}], [{"sku": "glass", "product": "1", "quantity": 1}],
                  [{"sku": "glass", "quantity": 1}] * 33):
        expect(server.put("/v1/products/box", dict(kit, components=wrong),
                          if_match="*").problem, "bad-field", wrong)
    nested = dict(kit, components=[{"sku": "box", "quantity": 1}])
    expect(server.put("/v1/products/crate", nested, if_none_match="*").status in (400, 409), True)
    most = [{"sku": "glass", "quantity": 1000000}]
    expect(server.put("/v1/products/box", dict(kit, components=most), if_match="*").status, 200)


def test_locations():
    server.sell("spread", 1)
    for location in (1, 2):
        server.post("/v1/stock/receipts",
                    {"lines": [{"sku": "spread", "location": location, "quantity": 3}]})
    wanted = order("spread", 5, locations=[2, 1])
    no = server.post("/v1/orders/quote", wanted)
    expect((no.problem, no.json()["available"], no.json()["needed"]), ("out-of-stock", 3, 5))
    expect(server.post("/v1/orders", dict(wanted, split=True)).status, 201)
    expect([stock("spread", place)["available"] for place in (0, 1, 2)], [1, 1, 0])
    expect([(source["location"], source["quantity"]) for source in sources_of(wanted)],
           [(2, 3), (1, 2)])
    expect(server.get(f"/v1/orders/{new_id()}/sources").problem, "not-found")
    for wrong in ([], list(range(17)), [-1], [1.5], ["1"], [2**31], 1):
        expect(server.post("/v1/orders/quote", dict(wanted, locations=wrong)).problem, "bad-field",
               wrong)
    expect(server.post("/v1/orders/quote",
                       dict(order("spread", 1), locations=list(range(16)))).status, 200)
    key = new_id()
    move = {"product": server.get("/v1/products/spread").json()["id"], "from": 1, "to": 2,
            "quantity": 1}
    expect(server.post("/v1/stock/moves", move, idempotency_key=key).json()["available"], 0)
    expect(server.post("/v1/stock/moves", dict(move, id=key)).json()["repeated"], True)
    expect(server.post("/v1/stock/moves", move).problem, "out-of-stock")
    seen = server.post("/v1/stock/snapshot", {"lines": [
        {"sku": "spread"}, {"sku": "spread", "location": 1}, {"sku": "spread", "location": 2}]})
    expect([entry["available"] for entry in seen.json()["items"]], [1, 0, 1])
    no = server.post("/v1/stock/snapshot", {"lines": [{"sku": "spread"}, {"sku": "none"}]})
    expect((no.status, no.json()["line"]), (404, 1))
    server.put("/v1/products/spread/stock/count", {"location": 2, "quantity": 8}, if_match="*")
    moves = server.get("/v1/products/spread/movements?location=2").json()["items"]
    expect([entry["kind"] for entry in moves], ["counted", "moved", "ordered", "received",
                                                "opened"])


def test_who_did_it_and_why():
    server.sell("noted", 9)
    take = {"sku": "noted", "quantity": 1}
    expect(server.post("/v1/stock/takes", take, cellar_actor="12",
                       cellar_reference="till 4").status, 201)
    entry = server.get("/v1/products/noted/movements?limit=1").json()["items"][0]
    expect((entry["actor"], entry["reference"]), ("12", "till 4"))
    for headers in ({"cellar_actor": "x"}, {"cellar_actor": "-1"}, {"cellar_actor": ""},
                    {"cellar_reference": "r" * 65}, {"cellar_reference": "\xff"},
                    {"cellar_reference": "a\tb"}):
        expect(server.post("/v1/stock/takes", take, **headers).problem, "bad-request", headers)
    expect(server.post("/v1/stock/takes", take, cellar_reference="r" * 64).status, 201)
    expect(stock("noted")["available"], 7)
    with Server(tokens="sell sell-token-0123456789 77\nadmin admin-token-0123456789\n") as guarded:
        admin = {"Authorization": "Bearer admin-token-0123456789"}
        guarded.call("PUT", "/v1/products/x", {"unit_price": 1}, {**admin, "If-None-Match": "*"})
        guarded.call("POST", "/v1/stock/receipts", {"lines": [{"sku": "x", "quantity": 2}]},
                     {**admin, "Cellar-Actor": "5"})
        sell = {"Authorization": "Bearer sell-token-0123456789"}
        no = guarded.call("POST", "/v1/stock/takes", {"sku": "x", "quantity": 1},
                          {**sell, "Cellar-Actor": "5"})
        expect((no.status, no.problem), (403, "role-required"))
        guarded.call("POST", "/v1/stock/takes", {"sku": "x", "quantity": 1}, sell)
        seen = guarded.call("GET", "/v1/products/x/movements", headers=sell).json()["items"]
        expect([entry.get("actor") for entry in seen], ["77", "5", None])
        no = guarded.call("POST", "/v1/transactions", {"operations": []}, sell)
        expect(no.problem, "role-required")


def test_audit_finds_nothing():
    audit = server.post("/v1/audit").json()
    expect((audit["violations"], audit["orders_expired"]), ("0", "1"))
    expect(server.stop(), 0)


if __name__ == "__main__":
    with server:
        run(cases(globals()))
