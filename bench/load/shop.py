"""A cellard of their own, for the load tests and the drill of this directory."""
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request


class Shop:
    """A server on a free port; ended by its pid. It may be killed, and started again on its port."""

    def __init__(self, data, *options):
        self.command = ["build/bin/cellard", "--data=" + data, *options]
        self.port = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, f"--listen=127.0.0.1:{self.port}"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        match = re.search(r"listening on 127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        if match is None:
            sys.exit("the server did not start")
        self.port = int(match.group(1))
        self.host = f"127.0.0.1:{self.port}"

    def kill(self):
        """Whatever has become of it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def close(self):
        audit = self.call("POST", "/v1/audit", {})
        self.process.terminate()
        self.process.wait(60)
        return audit

    def read(self, method, path, body=None, headers=()):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.host}{path}", data,
                                         {"Content-Type": "application/json", **dict(headers)},
                                         method=method)
        return urllib.request.urlopen(request, timeout=60).read()

    def call(self, method, path, body=None, headers=()):
        return json.loads(self.read(method, path, body, headers))

    def stock(self, products, units_of):
        """Puts p1, p2, ... on sale, with so many units of each."""
        for first in range(1, products + 1, 1000):
            numbers = range(first, first + 1000)
            self.call("POST", "/v1/bulk/products", {"products": [
                {"sku": f"p{n}", "name": f"Product {n}", "category": f"c{n % 10}",
                 "unit_price": 450} for n in numbers]})
            lines = [{"sku": f"p{n}", "quantity": units_of(n)} for n in numbers if units_of(n)]
            if lines:
                self.call("POST", "/v1/stock/receipts", {"lines": lines})

    def open_campaign(self, campaign, quota):
        self.call("PUT", f"/v1/campaigns/{campaign}", {"name": "Event", "quota": quota},
                  {"If-None-Match": "*"})

    def coupons(self, campaign):
        """All claims of the campaign."""
        path = f"/v1/coupons?campaign={campaign}&limit=1000"
        page = self.call("GET", path)
        items = page["items"]
        while "next" in page:
            page = self.call("GET", f"{path}&before={page['next']}")
            items += page["items"]
        return items

    def statuses(self):
        """Answers of the shop's routes by status, from /metrics."""
        counts = {}
        for route, status, count in re.findall(
                r'cellard_requests_total\{route="([\w.]+)",status="(\d+)"\} (\d+)',
                self.read("GET", "/metrics").decode()):
            if route.startswith(("orders.", "products.", "stock.", "coupons.")):
                counts[int(status)] = counts.get(int(status), 0) + int(count)
        return counts

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one_each(items):
    """No customer twice."""
    return len({item["customer"] for item in items}) == len(items)


def ranks_once(items, quota):
    """Each rank from 1 to the quota once, and no other."""
    return sorted(int(item["rank"]) for item in items) == list(range(1, quota + 1))
