"""Are lists whole and in order, page by page: what sells most, a customer's orders that have left
memory, the locations of a product, the holds of an account? And do the settings that bound what is
remembered arrive in the store?"""
import subprocess
import uuid

from harness import BINARY, Server, cases, expect, order, run, wait_for

server = Server()


def pages(at, path, links, after="", **headers):
    """All items; `links` names, for each parameter, the field of the page before. `after`: those of
    the first page."""
    seen = []
    for _ in range(100):
        page = at.get(path + after, **headers).json()
        seen += page["items"]
        if "next" not in page:
            return seen
        after = "".join(f"&{name}={page[field]}" for name, field in links.items())
    raise AssertionError("the pages do not end")


POPULAR = {"before": "next", "before_sold": "next_sold"}


def test_popular_products():
    sales = {"pop1": 5, "pop2": 9, "pop3": 5, "pop4": 0, "pop5": 12}
    for sku, units in sales.items():
        server.put("/v1/products/" + sku, {"unit_price": 1, "category": "pop"}, if_none_match="*")
        server.post("/v1/stock/receipts", {"lines": [{"sku": sku, "quantity": 100}]})
        if units:
            made = server.post("/v1/orders", order(sku, units))
            expect(made.status, 201)
    server.post("/v1/stock/takes", {"sku": "pop1", "quantity": 1})
    gone = order("pop4", 50)
    server.post("/v1/orders", gone)
    last = server.post(f"/v1/orders/{gone['id']}/cancel", {})
    path = "/v1/products?category=pop&order=popular"
    wanted = [("pop5", "12"), ("pop2", "9"), ("pop1", "6"), ("pop3", "5")]
    for limit in (1, 2, 3, 4, 5, 1000):
        items = pages(server, f"{path}&limit={limit}", POPULAR, cellar_lsn=str(last.lsn))
        expect([(item["sku"], item["units_sold"]) for item in items], wanted, str(limit))
    newest = server.get("/v1/products?category=pop&order=newest").json()
    expect([item["sku"] for item in newest["items"]], [f"pop{n}" for n in (5, 4, 3, 2, 1)])
    expect([item["units_sold"] for item in newest["items"]], ["12", "0", "5", "9", "6"])
    expect("next_sold" in server.get("/v1/products?category=pop&limit=2").json(), False)
    for wrong in ("&before=3", "&before_sold=3", "&before=3&before_sold=x", "&before=3&before_sold=-1",
                  f"&before=3&before_sold={2**63}", "&order=newest"):
        expect(server.get(path + wrong).problem, "bad-field", wrong)
    expect(server.get("/v1/products?before=3&before_sold=1").problem, "bad-field")
    expect(server.get("/v1/products?order=best").problem, "bad-field")
    expect(server.get(f"{path}&before=9&before_sold={2**63 - 1}").json()["items"][0]["sku"], "pop5")


def test_orders_that_have_left_memory():
    with Server("--remember-closed=1") as small:
        small.sell("tea", 100)
        ids = []
        for _ in range(5):
            wanted = order("tea", 1, customer="7", state="fulfilled")
            made = small.post("/v1/orders", wanted)
            expect(made.status, 201)
            ids.insert(0, wanted["id"])
        path = "/v1/orders?customer=7&limit=2"
        first = small.get(path, cellar_lsn=str(made.lsn)).json()
        expect([item["id"] for item in first["items"]], ids[:2])
        expect(wait_for(lambda: all(small.get("/v1/orders/" + name).status == 404 for name in ids)),
               True, "they are retired")
        behind = f"&before={first['next']}"
        expect(small.get(path + behind).status, 404, "without the cursor")
        links = {"before": "next", "cursor": "next_cursor"}
        rest = pages(small, path, links, behind + f"&cursor={first['next_cursor']}")
        # What was seen before it was retired may be seen again among the retired; nothing is missed.
        expect([item["id"] for item in rest], ids, "the retired come behind those in memory")
        both = pages(small, path, links)
        expect([item["id"] for item in both], ids)
        expect([item["id"] for item in pages(small, path + "&lines=true", {"cursor": "next_cursor"})],
               ids, "a cursor suffices")
        expect(both[0]["total"], 450)
        for wrong in ("&cursor=x", "&cursor=1.5", f"&cursor={2**64}"):
            expect(small.get(path + wrong).problem, "bad-field", wrong)
        expect(small.get(f"{path}&cursor={2**63 + 1}").status, 400, "no such place")


def test_as_many_customers_as_were_allowed():
    with Server("--customers=2") as small:
        small.sell("tea", 100)
        for customer in ("1", "2", "1"):
            expect(small.post("/v1/orders", order("tea", 1, customer=customer)).status, 201)
        made = small.post("/v1/orders", order("tea", 1))
        expect(made.status, 201, "a guest")
        expect(small.get("/v1/orders?customer=2", cellar_lsn=str(made.lsn)).status, 200)
        no = small.post("/v1/orders", order("tea", 1, customer="3"))
        expect((no.status, no.problem), (507, "store-full"))
        expect(small.post("/v1/orders", order("tea", 1, customer="2")).status, 201)


def test_settings_at_their_limits():
    for wrong in ("--customers=-1", f"--customers={2**27 + 1}", "--remember-closed=-1",
                  "--remember-closed=3155760001", "--remember-closed=1s"):
        ran = subprocess.run([BINARY, wrong, "--help"], capture_output=True, timeout=20)
        expect(ran.returncode, 2, wrong)
    for right in ("--customers=0", f"--customers={2**27}", "--remember-closed=3155760000"):
        ran = subprocess.run([BINARY, right, "--help"], capture_output=True, timeout=20)
        expect(ran.returncode, 0, right)
    with Server("--remember-closed=3155760000", "--customers=0") as widest:
        widest.sell("tea", 1)


def test_locations_of_a_product():
    server.sell("place", 5)
    for location in (7, 2, 2**31 - 1):
        server.post("/v1/stock/receipts",
                    {"lines": [{"sku": "place", "location": location, "quantity": location % 10}]})
    server.post("/v1/stock/moves", {"sku": "place", "from": 7, "to": 0, "quantity": 7})
    path = "/v1/products/place/locations"
    wanted = [(0, 12), (2, 2), (7, 0), (2**31 - 1, 7)]
    for limit in (1, 2, 3, 4, 5):
        items = pages(server, f"{path}?limit={limit}", {"from": "next"})
        expect([(item["location"], item["available"]) for item in items], wanted, str(limit))
    one = server.get("/v1/products/place/stock?location=2").json()
    expect(server.get(path + "?from=1&limit=1").json()["items"], [{"location": 2, **one}])
    expect(server.get("/v1/products/none/locations").status, 404)
    for wrong in ("?from=-1", f"?from={2**31}", "?limit=0", "?limit=1001", "?before=1"):
        expect(server.get(path + wrong).problem, "bad-field", wrong)


def hold(account, amount, **more):
    wanted = {"id": str(uuid.uuid4()), "account": account, "amount": amount, **more}
    expect(server.post("/v1/holds", wanted).status, 201)
    return wanted["id"]


def test_holds_of_an_account():
    for name in ("71", "72"):
        expect(server.post("/v1/accounts", {"id": name}).status, 201)
        server.post(f"/v1/accounts/{name}/credits", {"amount": 100000})
    made = []
    for number in range(7):
        made.insert(0, hold("71", 100 + number))
        server.post("/v1/accounts/71/debits", {"amount": 1})
        hold("72", 1)
    path = "/v1/accounts/71/holds"
    server.post(f"/v1/holds/{made[0]}/void", {})
    server.post(f"/v1/holds/{made[3]}/post", {"amount": 5, "to": "72"})
    for limit in (1, 2, 6, 7, 8):
        items = pages(server, f"{path}?limit={limit}", {"before": "next"})
        expect([item["id"] for item in items], made, str(limit))
        opened = pages(server, f"{path}?limit={limit}&open=true", {"before": "next"})
        expect([item["id"] for item in opened], made[1:3] + made[4:], str(limit))
    expect([item["state"] for item in items], ["voided"] + 2 * ["held"] + ["posted"] + 3 * ["held"])
    expect(items[1], server.get("/v1/holds/" + made[1]).json())
    for name in made[1:3] + made[4:]:
        server.post(f"/v1/holds/{name}/void", {})
    expect(server.get(path + "?open=true").json(), {"items": []})
    newest = hold("71", 1)
    expect([item["id"] for item in server.get(path + "?open=true").json()["items"]], [newest])
    expect(server.get("/v1/accounts/404/holds").status, 404)
    expect(server.get(path + "?before=1").status, 400)
    for wrong in ("?open=yes", "?limit=0", "?before=x", "?state=held"):
        expect(server.get(path + wrong).problem, "bad-field", wrong)


def test_holds_deep_in_a_journal():
    """A page looks at a thousand entries: it may be short, even empty, and still lead on."""
    expect(server.post("/v1/accounts", {"id": "73"}).status, 201)
    server.post("/v1/accounts/73/credits", {"amount": 100000})
    oldest = hold("73", 9)
    operations = [{"debit": {"account": "73", "amount": 1}}] * 1000
    for _ in range(2):
        expect(server.post("/v1/bulk/operations", {"operations": operations}).json()["done"], 1000)
    newest = hold("73", 8)
    path = "/v1/accounts/73/holds?open=true"
    first = server.get(path).json()
    expect([item["id"] for item in first["items"]], [newest])
    second = server.get(f"{path}&before={first['next']}").json()
    expect(second["items"], [])
    expect([item["id"] for item in pages(server, path, {"before": "next"})], [newest, oldest])


if __name__ == "__main__":
    with server:
        run(cases(globals()))
