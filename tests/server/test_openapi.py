"""Is /openapi.json true? Every operation it describes is called, with what the schema allows and
with what it does not; every answer must be as described; and nothing is missing from it."""
import json
import uuid

import schema
from harness import Server, cases, expect, order, run

server = Server()
description = json.loads(server.get("/openapi.json").body)
answered = {}  # operation: the statuses seen


def operations():
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def check_answer(operation, answer):
    """The answer against the description."""
    statuses = answered.setdefault(operation["operationId"], set())
    statuses.add(answer.status)
    entry = operation["responses"].get(str(answer.status))
    if answer.status == 304:
        return
    if entry is None:
        entry = operation["responses"]["default"]
        expect(answer.status >= 400, True, f"{operation['operationId']} gave {answer.status}")
    kind = answer.headers["content-type"].split(";")[0]
    described = entry["content"][kind]
    if "schema" in described:
        schema.check(description, described["schema"], answer.json(), closed=True)
    expect("cellar-lsn" in answer.headers, True, "Cellar-Lsn")


# What each operation is to be called with: path parameters and body.
ID = [str(uuid.UUID(int=number + (1 << 100))) for number in range(8)]
HOLD = str(uuid.UUID(int=9 + (1 << 100)))
LINES = {"lines": [{"sku": "tea", "quantity": 5}]}
CALLS = [
    ("products.put", {"sku": "tea"}, {"name": "Tea", "category": "drinks", "unit_price": 450,
                                      "status": "active", "attributes": "{}"}),
    ("products.get", {"sku": "tea"}, None),
    ("products.list", {}, None),
    ("stock.receive", {}, LINES),
    ("stock.adjust", {}, {**LINES, "reason": 1, "reference": "count"}),
    ("stock.set_aside", {}, {"lines": [{"product": "1", "quantity": 1}]}),
    ("stock.announce", {}, LINES),
    ("stock.take", {}, {"sku": "tea", "quantity": 1}),
    ("stock.move", {}, {"sku": "tea", "from": 0, "to": 1, "quantity": 1}),
    ("stock.get", {"sku": "tea"}, None),
    ("stock.locations", {"sku": "tea"}, None),
    ("stock.count", {"sku": "tea"}, {"quantity": 500, "location": 0}),
    ("stock.safety", {"sku": "tea"}, {"quantity": 2}),
    ("stock.snapshot", {}, {"lines": [{"sku": "tea"}, {"product": "1", "location": 1}]}),
    ("stock.movements", {"sku": "tea"}, None),
    ("accounts.open", {}, {"id": "7", "floor": -100}),
    ("accounts.open", {}, {"id": "8"}),
    ("accounts.credit", {"account": "7"}, {"amount": 100000, "reference": "gift"}),
    ("accounts.debit", {"account": "7"}, {"amount": 1}),
    ("accounts.floor", {"account": "7"}, {"floor": -50}),
    ("accounts.get", {"account": "7"}, None),
    ("accounts.open", {}, {"id": "9", "currency": 0, "collecting": True}),
    ("accounts.settle", {"account": "9"}, {}),
    ("accounts.journal", {"account": "7"}, None),
    ("accounts.collected", {"account": "9"}, None),
    ("accounts.past", {"account": "7"}, None),
    ("holds.make", {}, {"id": ID[7], "account": "7", "amount": 9,
                        "deadline": "2099-01-01T00:00:00Z"}),
    ("holds.get", {"hold": ID[7]}, None),
    ("holds.list", {"account": "7"}, None),
    ("holds.post", {"hold": ID[7]}, {"amount": 4, "to": "8"}),
    ("holds.void", {"hold": ID[7]}, {}),
    ("holds.make", {}, {"id": HOLD, "account": "7", "amount": 9}),
    ("holds.void", {"hold": HOLD}, {}),
    ("leases.acquire", {"lease": "job"}, {"holder": "1", "ttl_ms": 60000}),
    ("leases.get", {"lease": "job"}, None),
    ("leases.renew", {"lease": "job"}, {"token": "64", "ttl_ms": 60000}),
    ("leases.release", {"lease": "job"}, {"token": "64"}),
    ("transactions.make", {}, {"operations": [{"receive": LINES}, {"credit": {
        "account": "7", "amount": 5}}], "reference": "both"}),
    ("bulk.operations", {}, {"operations": [{"receive": LINES}, {"debit": {
        "account": "7", "amount": 5}}]}),
    ("transfers.make", {}, {"from": "7", "to": "8", "amount": 3}),
    ("orders.quote", {}, order("tea", 1)),
    ("orders.place", {}, {"id": ID[0], "customer": "7", "reference": "r", "account": "7",
                          "lines": [{"sku": "tea", "quantity": 1, "unit_price": 450,
                                     "location": 0}],
                          "business_time": "2026-11-24T18:40:18Z", "state": "paid"}),
    ("orders.place", {}, {**order("tea", 2), "id": ID[1]}),
    ("orders.place", {}, {**order("tea", 2), "id": ID[1]}),
    ("orders.place", {}, {**order("tea", 10**6), "id": ID[2]}),
    ("orders.place", {}, {**order("tea", 1), "id": ID[5], "hold_until": "2099-01-01T00:00:00Z",
                          "locations": [1, 0], "split": True}),
    ("orders.pay", {"order": ID[1]}, {"account": "7"}),
    ("orders.extend", {"order": ID[5]}, {"hold_until": "2100-01-01T00:00:00Z"}),
    ("orders.fulfil", {"order": ID[0]}, None),
    ("orders.return", {"order": ID[0]}, {"id": ID[6], "parts": [{"line": 0, "quantity": 1}],
                                         "damaged": True}),
    ("orders.cancel", {"order": ID[1]}, {}),
    ("orders.cancel", {"order": ID[0]}, {}),
    ("returns.make", {}, {**order("tea", 1), "id": ID[3], "damaged": True, "account": "8"}),
    ("orders.get", {"order": ID[0]}, None),
    ("orders.list", {}, None),
    ("bulk.products", {}, {"products": [{"sku": "b1", "name": "B", "category": "c",
                                         "unit_price": 1, "attributes": "x"}]}),
    ("bulk.orders", {}, {"orders": [{**order("tea", 1), "id": ID[4]}, order("none", 1)]}),
    ("campaigns.put", {"campaign": "5"}, {
        "name": "Spring", "quota": 50, "customer_limit": 2, "status": "open", "waitlist": 5,
        "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2226-01-01T00:00:00Z",
        "redeem_until": "2226-01-01T00:00:00Z", "period_seconds": 3600,
        "period_offset_seconds": 0, "period_count": 100,
        "customer_period_seconds": 3600, "customer_period_offset_seconds": 0,
        "customer_period_count": 1, "budget": 10000, "discount": "amount",
        "discount_value": 10, "discount_cap": 10, "discount_minimum": 0,
        "discount_targets": [{"sku": "tea"}, {"category": "drinks"}], "restore_on_cancel": True}),
    ("campaigns.get", {"campaign": "5"}, None),
    ("campaigns.list", {}, None),
    ("coupons.claim", {"campaign": "5"}, {"customer": "9"}),
    ("coupons.claim", {"campaign": "5"}, {"customer": "9"}),
    ("coupons.claim", {"campaign": "6"}, {"customer": "9"}),
    ("coupons.get", {"coupon": "5.9.0"}, None),
    ("coupons.list", {}, None),
    ("redemptions.make", {}, {"coupon": "5.9.0", "lines": [
        {"sku": "tea", "quantity": 1, "unit_price": 450}]}),
    ("redemptions.restore", {}, {"coupon": "5.9.0"}),
    ("coupons.revoke", {"coupon": "5.9.0"}, {}),
    ("codes.add", {"campaign": "5"}, {"codes": [{"code": "SPRING", "uses": 7}]}),
    ("codes.get", {"code": "SPRING"}, None),
    ("orders.quote", {}, {**order("tea", 1), "code": "SPRING"}),
    ("orders.place", {}, {**order("tea", 1), "code": "SPRING"}),
    ("orders.place", {}, {**order("tea", 1), "campaign": "5", "customer": "9"}),
    ("audit.run", {}, None),
    ("live.get", {}, None),
    ("page", {}, None),
    ("openapi", {}, None),
    ("problems.get", {"name": "out-of-stock"}, None),
    ("livez", {}, None),
    ("readyz", {}, None),
    ("health", {}, None),
    ("metrics", {}, None),
]
QUERIES = {"orders.list": "?customer=7&lines=true&limit=10",
           "accounts.past": "?time=2100-01-01T00:00:00Z",
           "coupons.list": "?campaign=5"}


def find(name):
    for path, method, operation in operations():
        if operation["operationId"] == name:
            return path, method, operation
    raise AssertionError(f"{name} is not described")


def fill(path, values):
    for name, value in values.items():
        path = path.replace("{" + name + "}", value)
    return path


def headers_for(operation):
    names = {entry["name"]: entry for entry in operation["parameters"] if entry["in"] == "header"}
    headers = {}
    if "If-Match" in names:
        headers = {"If-Match": "*"} if names["If-Match"]["required"] else {"If-None-Match": "*"}
    return headers


def test_description_is_well_formed():
    expect(description["openapi"], "3.1.0")
    names = [operation["operationId"] for _, _, operation in operations()]
    expect(len(names), len(set(names)), "operationIds")
    for path, _, operation in operations():
        given = {entry["name"] for entry in operation["parameters"] if entry["in"] == "path"}
        braces = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        expect(given, braces, path)
    for name, shape in description["components"]["schemas"].items():
        for required in shape.get("required", []):
            expect(required in shape["properties"], True, f"{name}.{required}")


def test_every_operation_answers_as_described():
    for name, values, body in CALLS:
        path, method, operation = find(name)
        if body is not None:
            described = operation["requestBody"]["content"]["application/json"]["schema"]
            schema.check(description, described, body)
        if name in ("leases.renew", "leases.release"):
            body = {**body, "token": server.get("/v1/leases/job").json()["token"]}
        answer = server.call(method.upper(), fill(path, values) + QUERIES.get(name, ""), body,
                             headers_for(operation))
        try:
            check_answer(operation, answer)
        except AssertionError as error:
            what = f"{name} ({answer.status} {answer.body[:200]})"
            raise AssertionError(f"{what}: {error}") from error


def test_every_operation_was_called_and_succeeded():
    for _, _, operation in operations():
        name = operation["operationId"]
        expect(name in answered, True, f"{name} is described and was not called")
        expect(bool(answered[name] & {200, 201}), True, f"{name} only gave {answered[name]}")


def spoiled(described, value, at=""):
    """Copies of the value with one thing wrong, at any depth, and the object or entry it is in."""
    described = schema.resolve(description, described)
    if described.get("type") == "array":
        for number, entry in enumerate(value):
            before, behind, here = value[:number], value[number + 1:], f"{at}/{number}"
            yield before + [{"x": 1}] + behind, here
            for wrong, where in spoiled(described["items"], entry, here):
                yield before + [wrong] + behind, where
    elif described.get("type") == "object":
        yield {**value, "surprise": 1}, at
        for missing in described.get("required", []):
            yield {key: entry for key, entry in value.items() if key != missing}, at
        for key, property_of_it in described["properties"].items():
            yield {**value, key: {"x": 1}}, at
            if key in value:
                for wrong, where in spoiled(property_of_it, value[key], f"{at}/{key}"):
                    yield {**value, key: wrong}, where


def test_every_field_matters():
    """A field more, a required field less, a field of another type, also of what lies within lists
    and objects: each is refused, and the answer points there."""
    tried = 0
    for name, values, body in CALLS:
        path, method, operation = find(name)
        if body is None:
            continue
        described = operation["requestBody"]["content"]["application/json"]["schema"]
        for wrong, where in spoiled(described, body):
            answer = server.call(method.upper(), fill(path, values), wrong, headers_for(operation))
            expect((answer.status, answer.problem), (400, "bad-field"), f"{name}: {wrong}")
            expect(answer.json()["pointer"].startswith(where), True,
                   f"{name}: {wrong}: {answer.json()['pointer']} is not in {where or '/'}")
            check_answer(operation, answer)
            tried += where != ""
    expect(tried > 200, True, f"{tried} within")


def test_every_query_parameter_is_known():
    for path, method, operation in operations():
        if operation["x-role"] == "none" or method != "get":
            continue
        at = fill(path, {"sku": "tea", "account": "7", "order": ID[0], "name": "x", "hold": HOLD,
                         "lease": "job", "campaign": "5", "coupon": "5.9.0", "code": "SPRING"})
        queries = [entry for entry in operation["parameters"] if entry["in"] == "query"]
        for entry in queries:
            answer = server.get(f"{at}?{entry['name']}=%ff")
            expect(answer.status, 400, f"{at} {entry['name']}")
            expect(answer.json()["pointer"], "/" + entry["name"])
        expect(server.get(at + "?surprise=1").json()["pointer"], "/surprise")


def test_nothing_else_is_served():
    for path in ("/v1", "/v1/", "/v1/campaign", "/v1/products/tea/", "/v1/orders/quote/x",
                 "/index.html", "/../etc/passwd", "//livez", "/v1/products/tea/stock/none"):
        expect(server.get(path).status, 404, path)
    for path, methods in description["paths"].items():
        at = fill(path, {"sku": "tea", "account": "7", "order": ID[0], "name": "bad-field", "hold": HOLD,
                         "lease": "job", "campaign": "5", "coupon": "5.9.0", "code": "SPRING"})
        for method in {"get", "put", "post", "delete", "patch"} - set(methods):
            answer = server.call(method.upper(), at)
            # A path with a variable may match another's literal path; then that one answers.
            expect(answer.status in (400, 404, 405), True, f"{method} {at}: {answer.status}")


if __name__ == "__main__":
    with server:
        run(cases(globals()))
