"""Are accounts, holds of money, transactions, bulk operations and leases through HTTP what
docs/ACCOUNTS.md, TRANSACTIONS.md and LEASES.md say: exact, once, and refused with the reason?"""
import datetime
import threading
import uuid

from harness import Server, cases, expect, order, run, wait_for

server = Server("--leases=8")


def new_id():
    return str(uuid.uuid4())


def account(name, amount=0, **more):
    expect(server.post("/v1/accounts", {"id": name, **more}).status, 201)
    if amount:
        expect(server.post(f"/v1/accounts/{name}/credits", {"amount": amount}).status, 201)


def balance(name):
    found = server.get("/v1/accounts/" + name).json()
    return found["balance"], found["held"], found["available"]


def soon(milliseconds):
    moment = (datetime.datetime.now(datetime.timezone.utc) +
              datetime.timedelta(milliseconds=milliseconds))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "000000Z"


def test_hold_is_posted_in_part():
    account("1", 1000)
    account("2")
    wanted = {"id": new_id(), "account": "1", "amount": 600}
    path = "/v1/holds/" + wanted["id"]
    made = server.post("/v1/holds", wanted)
    expect((made.status, made.json()["id"], made.json()["available"]), (201, wanted["id"], 400))
    again = server.post("/v1/holds", wanted).json()
    expect((again["repeated"], again["lsn"]), (True, made.json()["lsn"]))
    expect(server.post("/v1/holds", dict(wanted, amount=601)).problem, "id-reused")
    expect(balance("1"), (1000, 600, 400))
    no = server.post("/v1/accounts/1/debits", {"amount": 401})
    expect((no.problem, no.json()["available"], no.json()["needed"]),
           ("insufficient-funds", 400, 401))
    no = server.post(path + "/post", {"amount": 601, "to": "2"})
    expect((no.problem, no.json()["available"]), ("insufficient-funds", 600))
    expect(server.post(path + "/post", {"amount": 1, "to": "404"}).status, 404)
    read = server.get(path)
    expect((read.etag, read.json()["state"]), (made.etag, "held"))
    posted = server.post(path + "/post", {"amount": 250, "to": "2"})
    expect((posted.status, posted.json()["balance"]), (200, 750))
    expect(server.post(path + "/post", {"amount": 250, "to": "2"}).json()["repeated"], True)
    no = server.post(path + "/void")
    expect((no.problem, no.json()["state"]), ("illegal-step", "posted"))
    found = server.get(path).json()
    expect((found["state"], found["posted"], found["to"], found["amount"], found["account"]),
           ("posted", 250, "2", 600, "1"))
    expect((balance("1"), balance("2")), ((750, 0, 750), (250, 0, 250)))
    expect(server.get(path, if_none_match=server.get(path).etag).status, 304)


def test_hold_is_voided_or_runs_out():
    account("3", 100)
    wanted = {"account": "3", "amount": 60}
    expect(server.post("/v1/holds", wanted).problem, "bad-field")
    name = new_id()
    expect(server.post("/v1/holds", wanted, idempotency_key=name).status, 201)
    voided = server.post(f"/v1/holds/{name}/void")
    expect((voided.status, voided.json()["repeated"]), (200, False))
    expect(server.post(f"/v1/holds/{name}/void").json()["repeated"], True)
    expect(server.post("/v1/holds", dict(wanted, id=new_id(),
                                         deadline="2026-01-01T00:00:00Z")).problem, "hold-expired")
    end = soon(250)
    name = new_id()
    expect(server.post("/v1/holds", dict(wanted, id=name, deadline=end)).status, 201)
    expect(server.get("/v1/holds/" + name).json()["deadline"], end)
    expect(wait_for(lambda: server.get("/v1/holds/" + name).json()["state"] == "expired"), True)
    expect(server.post(f"/v1/holds/{name}/post", {"amount": 1}).problem in
           ("hold-expired", "illegal-step"), True)
    expect(balance("3"), (100, 0, 100))
    expect(server.get("/v1/holds/" + new_id()).status, 404)
    expect(server.get("/v1/holds/3").status, 400)


def test_journal_page_by_page_and_the_past():
    account("4", 500)
    account("5")
    key = new_id()
    server.post("/v1/transfers", {"from": "4", "to": "5", "amount": 120}, idempotency_key=key,
                cellar_reference="rent")
    middle = server.get("/v1/accounts/4").json()
    server.post("/v1/accounts/4/debits", {"amount": 80, "reference": "cash"}, cellar_actor="9",
                cellar_reference="not this")
    seen = []
    after = ""
    for _ in range(4):
        page = server.get("/v1/accounts/4/journal?limit=3" + after).json()
        seen += page["items"]
        if "next" not in page:
            break
        after = "&before=" + page["next"]
    expect([(entry["kind"], entry["amount"], entry["balance"]) for entry in seen],
           [("debited", -80, 300), ("sent", -120, 380), ("credited", 500, 500), ("opened", 0, 0)])
    expect((seen[0]["actor"], seen[0]["reference"]), ("9", "cash"))
    expect((seen[1]["counterpart"], seen[1]["id"], seen[1]["reference"]), ("5", key, "rent"))
    path = "/v1/accounts/4/past"
    past = server.get(f"{path}?lsn={middle['version']}").json()
    expect((past["balance"], past["version"]), (380, middle["version"]))
    expect(server.get(f"{path}?time={seen[2]['time']}").json()["balance"], 500)
    expect(server.get(path + "?lsn=1").status, 404)
    for wrong in ("", "?lsn=0", f"?lsn=64&time={seen[2]['time']}", "?lsn=x", "?time=now"):
        expect(server.get(path + wrong).problem, "bad-field", wrong)
    expect(server.get("/v1/accounts/4/journal?before=1").status, 400)
    expect(server.get("/v1/accounts/404/journal").status, 404)


def test_currencies_are_not_mixed():
    account("6", 100, currency=978)
    account("7", currency=840)
    expect(server.post("/v1/accounts", {"id": "6", "currency": 978}).json()["repeated"], True)
    expect(server.post("/v1/accounts", {"id": "6"}).problem, "already-exists")
    expect(server.post("/v1/transfers", {"from": "6", "to": "7", "amount": 1}).problem,
           "currency-mismatch")
    expect(server.get("/v1/accounts/6").json()["currency"], 978)
    for wrong in (-1, 2**32, "978"):
        expect(server.post("/v1/accounts", {"id": "8", "currency": wrong}).problem, "bad-field")


def test_collecting_account():
    account("10", 1000)
    account("11", collecting=True)
    for _ in range(10):
        server.post("/v1/transfers", {"from": "10", "to": "11", "amount": 7})
    expect(wait_for(lambda: server.get("/v1/accounts/11").json()["balance"] == 70), True)
    settled = server.post("/v1/accounts/11/settle").json()
    expect((settled["repeated"], settled["balance"]), (False, 70))
    found = server.get("/v1/accounts/11").json()
    expect((found["available"], found["unsettled"], found["collecting"]), (70, 0, True))
    expect(server.post("/v1/accounts/11/settle").json()["repeated"], True)
    expect(server.post("/v1/accounts/10/settle").problem, "invalid-argument")
    expect(server.post("/v1/accounts/404/settle").status, 404)
    paid = server.get("/v1/accounts/11/collected").json()["items"]
    expect(sum(entry["amount"] for entry in paid), paid[0]["balance"])
    first = server.get("/v1/accounts/11/collected?limit=1").json()
    expect((first["items"], first["next"]), (paid[:1], paid[0]["lsn"]))
    rest = server.get("/v1/accounts/11/collected?before=" + first["next"]).json()["items"]
    expect(rest, paid[1:])
    past = server.get(f"/v1/accounts/11/past?lsn={paid[0]['lsn']}").json()
    expect((past["balance"], past["available"], past["unsettled"]),
           (paid[0]["balance"], 0, paid[0]["balance"]))
    expect(server.get("/v1/accounts/10/collected").status, 400)
    expect(server.get("/v1/accounts/404/collected").status, 404)


def transaction(name, units=2):
    return {"id": name, "reference": "gift card", "operations": [
        {"credit": {"account": "20", "amount": 1000}},
        {"place": order("gift", units, state="paid", account="20")},
        {"transfer": {"from": "20", "to": "21", "amount": 100}},
        {"receive": {"lines": [{"sku": "gift", "quantity": 1}]}}]}


def test_transaction_is_one_commit():
    server.sell("gift", 3)
    account("20")
    account("21")
    wanted = transaction(new_id())
    made = server.post("/v1/transactions", wanted)
    expect((made.status, made.json()["id"]), (201, wanted["id"]))
    again = server.post("/v1/transactions", wanted)
    expect((again.status, again.json()["repeated"], again.json()["lsn"]),
           (200, True, made.json()["lsn"]))
    expect(server.post("/v1/transactions", dict(wanted, operations=wanted["operations"][:1])).
           problem, "id-reused")
    expect((balance("20")[0], balance("21")[0]), (0, 100))
    expect(server.get("/v1/products/gift/stock").json()["available"], 2)
    placed = wanted["operations"][1]["place"]["id"]
    expect(server.get("/v1/orders/" + placed).json()["placed_lsn"], made.json()["lsn"])
    entry = server.get("/v1/accounts/21/journal?limit=1").json()["items"][0]
    expect((entry["lsn"], entry["reference"]), (made.json()["lsn"], "gift card"))


def test_a_refused_transaction_says_which_step_and_changes_nothing():
    before = server.get("/v1/accounts/20"), server.get("/v1/products/gift/stock")
    rich = transaction(new_id(), 3)
    rich["operations"][0]["credit"]["amount"] = 5000
    no = server.post("/v1/transactions", rich)
    expect((no.status, no.problem, no.json()["step"], no.json()["available"]),
           (409, "out-of-stock", 1, 2))
    wanted = transaction(new_id(), 2)
    wanted["operations"][2]["transfer"]["to"] = "404"
    no = server.post("/v1/transactions", wanted)
    expect((no.status, no.json()["step"]), (404, 2))
    expect(server.get("/v1/accounts/20").etag, before[0].etag)
    expect(server.get("/v1/products/gift/stock").etag, before[1].etag)
    expect(server.get("/v1/orders/" + wanted["operations"][1]["place"]["id"]).status, 404)


def test_every_kind_of_operation():
    server.sell("kinds", 20)
    account("30", 100)
    wanted = order("kinds", 4)
    server.post("/v1/orders", wanted)
    line = {"lines": [{"sku": "kinds", "quantity": 1}]}
    operations = [
        {"step": {"order": wanted["id"], "event": "pay"}},
        {"return": dict(order("kinds", 2), damaged=True)},
        {"adjust": line}, {"set_aside": line}, {"announce": line}, {"take": line},
        {"debit": {"account": "30", "amount": 40}}]
    expect(server.post("/v1/transactions", {"operations": operations}).status, 201)
    found = server.get("/v1/products/kinds/stock").json()
    expect((found["available"], found["unsellable"], found["incoming"]), (15, 3, 1))
    expect((balance("30")[0], server.get("/v1/orders/" + wanted["id"]).json()["state"]),
           (60, "paid"))
    for name in ("claim", "revoke"):
        no = server.post("/v1/transactions",
                         {"operations": [{name: {"campaign": "404", "customer": "1"}}]})
        expect((no.status, no.problem, no.json()["step"]), (404, "not-found", 0))


def test_transactions_are_read_strictly():
    one = {"credit": {"account": "20", "amount": 1}}
    for wrong, pointer in (([], "/operations"), ([one] * 65, "/operations"),
                           ([one, {}], "/operations/1"), ([{**one, "debit": one["credit"]}],
                                                          "/operations/0"),
                           ([{"steal": one["credit"]}], "/operations/0/steal"),
                           ([{"credit": {"account": "20"}}], "/operations/0/credit/amount"),
                           ([{"credit": None}], "/operations/0/credit"),
                           ([{"place": {"lines": [{"sku": "gift", "quantity": 0,
                                                   "unit_price": 1}]}}],
                            "/operations/0/place/lines/0/quantity")):
        no = server.post("/v1/transactions", {"operations": wrong})
        expect((no.status, no.problem, no.json()["pointer"]), (400, "bad-field", pointer))
    expect(server.post("/v1/transactions", {"operations": [one] * 64}).status, 201)
    deep = '{"operations":[{"place":{"lines":[[[[[' + "]]]]]}}]}"
    expect(server.post("/v1/transactions", deep).problem, "bad-json")


def test_bulk_operations():
    server.sell("bulk", 5)
    wanted = [{"place": order("bulk", 2)} for _ in range(4)] + \
             [{"credit": {"account": "20", "amount": 5}}, {"debit": {"account": "404",
                                                                     "amount": 1}}]
    answer = server.post("/v1/bulk/operations", {"operations": wanted}).json()
    expect((answer["done"], [entry["outcome"] for entry in answer["results"]]),
           (3, ["ok", "ok", "out-of-stock", "out-of-stock", "ok", "not-found"]))
    expect((answer["results"][2]["line_number"], answer["results"][2]["available"]), (1, 1))
    expect(answer["results"][0]["id"], wanted[0]["place"]["id"])
    again = server.post("/v1/bulk/operations", {"operations": wanted[:2]}).json()
    expect([(entry["repeated"], entry["lsn"]) for entry in again["results"]],
           [(True, entry["lsn"]) for entry in answer["results"][:2]])
    one = {"credit": {"account": "20", "amount": 1}}
    expect(server.post("/v1/bulk/operations", {"operations": [one] * 1000}).json()["done"], 1000)
    expect(server.post("/v1/bulk/operations", {"operations": [one] * 1001}).problem, "bad-field")


def test_lease():
    path = "/v1/leases/nightly%20job"
    expect(server.get(path).status, 404)
    got = server.post(path + "/acquire", {"holder": "1", "ttl_ms": 60000})
    token = got.json()["token"]
    expect((got.status, token), (200, got.json()["lsn"]))
    again = server.post(path + "/acquire", {"holder": "1", "ttl_ms": 60000}).json()
    expect((again["repeated"], again["token"]), (True, token))
    no = server.post(path + "/acquire", {"holder": "2", "ttl_ms": 1})
    found = server.get(path).json()
    expect((no.status, no.problem, no.json()["retry_at"]), (409, "lease-held", found["until"]))
    expect((found["holder"], found["held"], found["token"]), ("1", True, token))
    expect(server.get(f"{path}?token={token}").status, 200)
    expect(server.get(f"{path}?token=64").problem, "lease-lost")
    expect(server.post(path + "/renew", {"token": token, "ttl_ms": 30000}).status, 200)
    expect(server.post(path + "/renew", {"token": "64", "ttl_ms": 1}).problem, "lease-lost")
    expect(server.post(path + "/release", {"token": token}).status, 200)
    expect(server.post(path + "/release", {"token": token}).json()["repeated"], True)
    next_token = server.post(path + "/acquire", {"holder": "2", "ttl_ms": 100}).json()["token"]
    expect(int(next_token) > int(token), True)
    expect(server.post(path + "/release", {"token": token}).problem, "lease-lost")
    expect(wait_for(lambda: not server.get(path).json()["held"]), True)
    expect(server.get(f"{path}?token={next_token}").problem, "lease-lost")


def test_lease_names_and_limits():
    good = {"holder": "1", "ttl_ms": 1000}
    expect(server.post(f"/v1/leases/{'n' * 64}/acquire", good).status, 200)
    expect(server.post(f"/v1/leases/{'n' * 65}/acquire", good).status, 400)
    expect(server.post("/v1/leases/%ff/acquire", good).status, 400)
    for wrong in ({"ttl_ms": 0}, {"ttl_ms": 31622400001}, {"holder": 1}):
        expect(server.post("/v1/leases/x/acquire", {**good, **wrong}).problem, "bad-field")
    expect(server.post("/v1/leases/x/acquire", {"holder": "0", "ttl_ms": 1}).problem,
           "invalid-argument")
    expect(server.post("/v1/leases/x/acquire", {**good, "ttl_ms": 31622400000}).status, 200)
    statuses = [server.post(f"/v1/leases/full{number}/acquire", good).status
                for number in range(8)]
    expect((statuses[:5], statuses[5:]), ([200] * 5, [507] * 3))


def test_one_of_many_has_the_lease():
    tokens = []

    def contend(holder):
        got = server.post("/v1/leases/x/release", {"token": "64"})
        expect(got.problem, "lease-lost")
        got = server.post("/v1/leases/full0/acquire", {"holder": holder, "ttl_ms": 60000})
        if got.status == 200:
            tokens.append(got.json()["token"])

    wait_for(lambda: not server.get("/v1/leases/full0").json()["held"])
    threads = [threading.Thread(target=contend, args=(str(number + 2),)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(len(tokens), 1)


def test_audit_and_restart():
    audit = server.post("/v1/audit").json()
    expect((audit["violations"], audit["account_holds"], audit["held"], audit["unsettled"],
            audit["leases"]), ("0", "0", "0", "0", "8"))
    before = server.get("/v1/accounts/4/journal").json()
    server.kill()
    server.start()
    expect(server.get("/v1/accounts/4/journal").json(), before)
    expect(server.get("/v1/leases/full0").json()["held"], True)
    expect(server.stop(), 0)


if __name__ == "__main__":
    with server:
        run(cases(globals()))
