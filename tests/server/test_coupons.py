"""Do campaigns, claims, waiting lists, codes and discounts do over HTTP what docs/COUPONS.md says?"""
import threading
import time
import uuid

from harness import Server, cases, expect, order, run

server = Server()
RULES = {"name": "First ten", "quota": 10, "discount": "percent", "discount_value": 1000}


def campaign(number, **rules):
    made = server.put(f"/v1/campaigns/{number}", {**RULES, **rules}, if_none_match="*")
    expect(made.status, 201, made.body)
    return f"/v1/campaigns/{number}"


def claim(path, customer, **headers):
    return server.post(path + "/claims", {"customer": str(customer)}, **headers)


def test_campaign_is_created_read_and_changed_on_condition():
    server.sell("scarf", 10)
    rules = {"name": "Spring", "quota": 5, "customer_limit": 2, "waitlist": 3, "budget": 10000,
             "valid_from": "2026-01-01T00:00:00.000000000Z",
             "valid_until": "2126-01-01T00:00:00.000000000Z",
             "redeem_until": "2127-01-01T00:00:00.000000000Z",
             "period_seconds": 86400, "period_offset_seconds": 32400, "period_count": 4,
             "customer_period_seconds": 3600, "customer_period_offset_seconds": -3600,
             "customer_period_count": 1,
             "discount": "amount", "discount_value": 300, "discount_cap": 200,
             "discount_minimum": 500, "restore_on_cancel": True, "status": "open",
             "discount_targets": [{"product": "1"}, {"category": "tea"}]}
    expect(server.put("/v1/campaigns/1", rules).problem, "condition-required")
    made = server.put("/v1/campaigns/1", rules, if_none_match="*")
    expect((made.status, made.etag), (201, f'"{made.lsn}"'))
    expect(server.put("/v1/campaigns/1", rules, if_none_match="*").problem, "changed")
    read = server.get("/v1/campaigns/1")
    found = read.json()
    expect({name: found[name] for name in rules}, rules)
    expect((read.etag, found["left"], found["claimed"]), (made.etag, 5, 0))
    by_sku = {**rules, "discount_targets": [{"sku": "scarf"}], "status": "paused"}
    expect(server.put("/v1/campaigns/1", by_sku, if_match=read.etag).status, 200)
    expect(server.put("/v1/campaigns/1", by_sku, if_match=read.etag).problem, "version-changed")
    expect(server.get("/v1/campaigns/1").json()["discount_targets"], [{"product": "1"}])
    expect(claim("/v1/campaigns/1", 1).problem, "paused")
    expect(server.put("/v1/campaigns/1", {**rules, "status": "closed"}, if_match="*").status, 200)
    expect(claim("/v1/campaigns/1", 1).problem, "ended")
    expect(server.put("/v1/campaigns/99", rules, if_match="*").problem, "changed")
    no = server.put("/v1/campaigns/1", {**rules, "discount_targets": [{"sku": "none"}]},
                    if_match="*")
    expect((no.status, no.json()["line"]), (404, 0))
    both = {**rules, "discount_targets": [{"sku": "scarf", "category": "tea"}]}
    expect(server.put("/v1/campaigns/1", both, if_match="*").problem, "bad-field")
    many = [{"category": f"c{number}"} for number in range(17)]
    expect(server.put("/v1/campaigns/1", {**rules, "discount_targets": many},
                      if_match="*").json()["pointer"], "/discount_targets")
    expect(server.get("/v1/campaigns/98").status, 404)
    expect(server.get("/v1/campaigns/0").status, 400)


def test_claims_are_numbered_and_end_with_the_quota():
    path = campaign(2, quota=3)
    for number in (1, 2, 3):
        got = claim(path, 100 + number)
        found = got.json()
        expect((got.status, found["rank"], found["state"], found["repeated"]),
               (201, str(number), "granted", False))
        expect(found["id"], f"2.{100 + number}.0")
    no = claim(path, 104)
    expect((no.status, no.problem, no.json()["available"], no.json()["needed"]),
           (409, "sold-out", 0, 1))
    again = claim(path, 102)
    expect((again.status, again.json()["repeated"], again.json()["rank"]), (200, True, "2"))
    expect(server.get(path).json()["left"], 0)
    expect(claim("/v1/campaigns/98", 1).status, 404)
    expect(claim(path, 0).status, 400)


def test_key_gets_the_first_ticket():
    path = campaign(3, customer_limit=2)
    key = str(uuid.uuid4())
    first = claim(path, 7, idempotency_key=key)
    again = claim(path, 7, idempotency_key=key)
    expect((again.status, again.json()["lsn"], again.json()["rank"]),
           (200, first.json()["lsn"], "1"))
    expect(claim(path, 8, idempotency_key=key).problem, "id-reused")
    second = claim(path, 7, idempotency_key=str(uuid.uuid4())).json()
    expect((second["ordinal"], second["id"]), (1, "3.7.1"))
    no = claim(path, 7, idempotency_key=str(uuid.uuid4()))
    expect((no.status, no.problem, no.json()["rank"], no.json()["waiting"]),
           (409, "already-claimed", "2", False))
    expect(claim(path, 7).json()["rank"], "2")


def test_waiting_list_moves_up_when_a_coupon_is_given_back():
    path = campaign(4, quota=2, waitlist=2)
    states = [claim(path, number).json()["state"] for number in (1, 2, 3, 4)]
    expect(states, ["granted", "granted", "waiting", "waiting"])
    full = claim(path, 5)
    expect((full.status, full.problem), (409, "waitlist-full"))
    expect(claim(path, 4).json()["state"], "waiting")
    back = server.post("/v1/coupons/4.1.0/revoke")
    expect((back.status, back.json()["repeated"]), (200, False))
    expect(server.post("/v1/coupons/4.1.0/revoke").json()["repeated"], True)
    server.get("/v1/coupons?campaign=4", cellar_lsn=str(back.lsn))
    expect(server.get("/v1/coupons/4.3.0").json()["state"], "granted")
    found = server.get("/v1/coupons/4.4.0").json()
    expect((found["state"], found["ahead"]), ("waiting", 0))
    expect(server.get("/v1/coupons/4.1.0").json()["state"], "revoked")
    numbers = server.get(path).json()
    expect((numbers["claimed"], numbers["admitted"], numbers["waiting"]), (4, 3, 1))
    expect(server.post("/v1/coupons/4.9.0/revoke").status, 404)
    for wrong in ("4.1", "4.1.0.0", "4..0", "0.1.0", "4.1.255", "x", "4.1.-1", "4.1." + "0" * 60):
        expect(server.get("/v1/coupons/" + wrong).status, 400, wrong)


def test_times_say_when_to_come_back():
    later = time.time() + 3600
    path = campaign(5, valid_from=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(later)))
    no = claim(path, 1)
    expect(no.problem, "not-started")
    expect(3590 <= int(no.headers["retry-after"]) <= 3600, True, no.headers["retry-after"])
    expect(no.json()["retry_at"], server.get(path).json()["valid_from"])
    path = campaign(6, period_seconds=86400, period_count=1)
    expect(claim(path, 1).status, 201)
    no = claim(path, 2)
    expect((no.status, no.problem, no.json()["retry_at"][11:]), (409, "period-cap",
                                                             "00:00:00.000000000Z"))
    expect(0 < int(no.headers["retry-after"]) <= 86401, True)
    path = campaign(7, valid_until="2026-01-01T00:00:00Z")
    expect(claim(path, 1).problem, "expired")


def test_coupons_are_listed_page_by_page():
    path = campaign(8)
    for number in range(1, 8):
        last = claim(path, 500 + number)
    claim(campaign(9), 507)
    last = claim(campaign(10), 507)
    seen = []
    after = ""
    for _ in range(4):
        page = server.get("/v1/coupons?campaign=8&limit=3" + after,
                          cellar_lsn=str(last.lsn)).json()
        seen += [item["customer"] for item in page["items"]]
        if "next" not in page:
            break
        after = "&before=" + page["next"]
    expect(seen, [str(number) for number in range(507, 500, -1)])
    mine = server.get("/v1/coupons?customer=507").json()["items"]
    expect([item["campaign"] for item in mine], ["10", "9", "8"])
    expect(server.get("/v1/coupons").problem, "bad-field")
    expect(server.get("/v1/coupons?campaign=8&customer=1").problem, "bad-field")
    expect(server.get("/v1/coupons?campaign=8&before=x").json()["pointer"], "/before")
    expect(server.get("/v1/coupons?campaign=8&before=8.1.0").status, 404)
    first = server.get("/v1/campaigns?limit=2").json()
    expect([item["id"] for item in first["items"]], ["10", "9"])
    rest = server.get("/v1/campaigns?before=" + first["next"]).json()["items"]
    expect([item["id"] for item in rest], [str(number) for number in range(8, 0, -1)])


def test_order_takes_the_coupon_and_gives_it_back():
    server.sell("cup", 100, 2005)
    path = campaign(20, restore_on_cancel=True, budget=1000)
    expect(claim(path, 30).status, 201)
    wanted = order("cup", 2, 2005, customer="30", campaign="20")
    expect(server.post("/v1/orders/quote", wanted).json(), {"total": 3609, "discount": 401})
    expect(server.post("/v1/orders/quote", order("cup", 2, 2005)).json(),
           {"total": 4010})
    placed = server.post("/v1/orders", wanted)
    expect((placed.status, placed.json()["total"]), (201, 3609))
    again = server.post("/v1/orders", wanted).json()
    expect((again["repeated"], again["total"]), (True, 3609))
    expect(server.get("/v1/orders/" + wanted["id"]).json()["lines"][0]["discount"], 401)
    other = order("cup", 1, 2005, customer="30", campaign="20")
    no = server.post("/v1/orders", other)
    expect((no.status, no.problem), (409, "already-redeemed"))
    cancelled = server.post(f"/v1/orders/{wanted['id']}/cancel")
    expect(cancelled.status, 200)
    server.get("/v1/coupons?campaign=20", cellar_lsn=str(cancelled.lsn))
    expect(server.get("/v1/coupons/20.30.0").json()["state"], "granted")
    expect(server.post("/v1/orders", other).json()["total"], 1805)
    expect(server.get(path).json()["spent"], 200)
    none = server.post("/v1/orders", order("cup", 1, 2005, customer="31", campaign="20"))
    expect(none.status, 404)


def test_codes_are_used_once_or_shared():
    path = campaign(21, quota=0, discount="amount", discount_value=100, restore_on_cancel=True)
    added = server.post(path + "/codes", {"codes": [{"code": "ONCE", "uses": 1},
                                                    {"code": "a/ü", "uses": 3}]}).json()
    expect((added["done"], [entry["outcome"] for entry in added["results"]]), (2, ["ok", "ok"]))
    again = server.post(path + "/codes", {"codes": [{"code": "ONCE", "uses": 1},
                                                    {"code": "ONCE", "uses": 2}]}).json()
    expect([entry["outcome"] for entry in again["results"]], ["ok", "already-exists"])
    expect(server.post("/v1/orders", order("cup", 1, 2005, code="ONCE")).json()["total"], 1905)
    no = server.post("/v1/orders", order("cup", 1, 2005, code="ONCE"))
    expect((no.status, no.problem, no.json()["available"]), (409, "sold-out", 0))
    for left in (2, 1):
        expect(server.post("/v1/orders", order("cup", 1, 2005, code="a/ü")).status, 201)
        expect(server.get("/v1/codes/a%2F%C3%BC").json()["left"], left)
    longest = "x" * 64
    added = server.post(path + "/codes", {"codes": [{"code": longest, "uses": 1}]})
    expect(added.json()["done"], 1)
    expect(server.get("/v1/codes/" + longest).json()["campaign"], "21")
    expect(server.get("/v1/codes/" + longest + "x").status, 400)
    expect(server.get("/v1/codes/none").status, 404)


def test_redeemed_outside_of_an_order():
    path = campaign(22, restore_on_cancel=True)
    claim(path, 40)
    body = {"coupon": "22.40.0", "lines": [{"sku": "cup", "quantity": 1, "unit_price": 2006},
                                           {"sku": "scarf", "quantity": 1, "unit_price": 2004}]}
    key = str(uuid.uuid4())
    made = server.post("/v1/redemptions", body, idempotency_key=key)
    expect((made.status, made.json()["discount"], made.json()["lines"]),
           (201, 401, [{"discount": 201}, {"discount": 200}]))
    again = server.post("/v1/redemptions", body, idempotency_key=key)
    expect((again.status, again.json()["lsn"], again.json()["discount"]),
           (200, made.json()["lsn"], 401))
    expect(server.post("/v1/redemptions", body).problem, "already-redeemed")
    back = server.post("/v1/redemptions/restore", {"coupon": "22.40.0"})
    expect((back.status, back.json()["discount"]), (200, 401))
    expect(server.post("/v1/redemptions/restore", {"coupon": "22.40.0"}).problem, "not-redeemed")
    any_one = {**body, "campaign": "22", "customer": "40"}
    del any_one["coupon"]
    expect(server.post("/v1/redemptions", any_one).status, 201)
    expect(server.post("/v1/redemptions", {"lines": body["lines"]}).problem, "bad-field")
    expect(server.post("/v1/redemptions", {"campaign": "22"}).problem, "bad-field")
    expect(server.post("/v1/redemptions", {"coupon": "22.40"}).json()["pointer"], "/coupon")
    expect(server.post("/v1/redemptions/restore", {}).problem, "bad-field")


def test_crowd_gets_exactly_the_quota():
    path = campaign(30, quota=100)
    got = [[] for _ in range(8)]

    def clamour(answers):
        connection = server.connect()
        for customer in range(1, 151):
            answers.append((customer, server.call("POST", path + "/claims",
                                                  {"customer": str(customer)},
                                                  connection=connection)))

    crowd = [threading.Thread(target=clamour, args=(answers,)) for answers in got]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    answers = [answer for one in got for answer in one]
    ranks = {}
    for customer, answer in answers:
        if answer.status in (200, 201):
            expect(ranks.setdefault(answer.json()["rank"], customer), customer, "one each")
        else:
            expect(answer.problem, "sold-out")
    expect(sorted(map(int, ranks)), list(range(1, 101)))
    expect(sum(answer.status == 201 for _, answer in answers), 100)
    metrics = server.get("/metrics").body.decode()
    expect('cellard_refusals_total{reason="sold-out"}' in metrics, True)
    live = [entry for entry in server.get("/v1/live").json()["campaigns"] if entry["id"] == "30"]
    expect((live[0]["quota"], live[0]["left"]), (100, 0))


def counted(kind):
    metrics = server.get("/metrics").body.decode()
    line = next(line for line in metrics.splitlines() if line.startswith(f"cellard_coupons_{kind} "))
    return int(line.split()[1])


def test_claims_are_counted_wherever_they_are_made():
    campaign(34, quota=3, waitlist=1)
    claims = [{"claim": {"campaign": "34", "customer": str(number)}} for number in range(1, 6)]
    issued, queued = counted("issued_total"), counted("queued_total")
    expect(server.post("/v1/transactions", {"operations": claims[:1]}).status, 201)
    expect((counted("issued_total"), counted("queued_total")), (issued + 1, queued))
    answer = server.post("/v1/bulk/operations", {"operations": claims}).json()
    expect([entry["outcome"] for entry in answer["results"]],
           ["already-claimed", "ok", "ok", "ok", "waitlist-full"])
    expect((counted("issued_total"), counted("queued_total")), (issued + 3, queued + 1))
    claim("/v1/campaigns/34", 2)
    expect((counted("issued_total"), counted("queued_total")), (issued + 3, queued + 1))


def test_refusal_does_not_wait_for_the_disk():
    """A sold-out claim names no commit: its Cellar-Lsn is what is durable."""
    path = campaign(31, quota=1)
    first = claim(path, 1)
    no = claim(path, 2)
    expect(no.problem, "sold-out")
    expect("etag" in no.headers, False)
    expect(no.lsn > first.lsn, True, "the durable position, which is beyond the first claim")


def test_customer_is_told_when_he_may_claim_again():
    rules = {"customer_limit": 3, "customer_period_seconds": 86400, "customer_period_count": 1}
    path = campaign(16, **rules)
    expect(claim(path, 1).json()["rank"], "1")
    expect(claim(path, 2).json()["rank"], "2")
    again = claim(path, 1)
    expect((again.status, again.json()["repeated"], again.json()["rank"]), (200, True, "1"))
    no = claim(path, 1, idempotency_key=str(uuid.uuid4()))
    expect((no.status, no.problem, no.json()["rank"], no.json()["retry_at"][11:]),
           (409, "customer-period-cap", "1", "00:00:00.000000000Z"))
    expect(0 < int(no.headers["retry-after"]) <= 86401, True)
    for wrong in ({"customer_period_count": 3}, {"customer_period_count": 0},
                  {"customer_period_seconds": 59}, {"customer_limit": 1},
                  {"customer_period_offset_seconds": 86401}):
        no = server.put(path, {**RULES, **rules, **wrong}, if_match="*")
        expect((no.status, no.problem in ("bad-field", "invalid-argument")), (400, True), no.body)


def test_audit_finds_nothing():
    audit = server.post("/v1/audit").json()
    expect(audit["violations"], "0")
    expect(audit["coupons_claimed"], str(3 + 2 + 4 + 1 + 7 + 2 + 1 + 1 + 100 + 4 + 1 + 2))


if __name__ == "__main__":
    with server:
        run(cases(globals()))
