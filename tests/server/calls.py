"""A call of every operation of the example server, in an order in which all of them succeed that are
to. The tests of /openapi.json make them, and the first inputs of tests/fuzz/fuzz_handlers.c are made
of them."""
import uuid

from harness import order

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
    ("orders.sources", {"order": ID[0]}, None),
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
# What may stand in any path.
VALUES = {"sku": "tea", "account": "7", "order": ID[0], "name": "bad-field", "hold": HOLD,
          "lease": "job", "campaign": "5", "coupon": "5.9.0", "code": "SPRING"}


def fill(path, values):
    for name, value in values.items():
        path = path.replace("{" + name + "}", value)
    return path
