"""Starts cellard on a free loopback port and talks to it. Every server is ended by its own pid and
lives two minutes at most, whatever becomes of the test."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

BINARY = os.environ.get("CELLARD", "build/bin/cellard")


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def lsn(self):
        return int(self.headers["cellar-lsn"])

    @property
    def etag(self):
        return self.headers.get("etag")

    @property
    def problem(self):
        """The name of the problem, or None when it is none."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        problem = self.json()
        expect(problem["status"], self.status, "status in the problem")
        return problem["type"].removeprefix("/problems/")


class Server:
    def __init__(self, *options, data=None, tokens=None):
        self.place = tempfile.mkdtemp(prefix="cellard-")
        self.data = data or os.path.join(self.place, "data")
        self.options = list(options)
        if tokens is not None:
            path = os.path.join(self.place, "tokens")
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(tokens)
            self.options.append("--tokens=" + path)
        self.process = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen(
            ["timeout", "-s", "KILL", "120", BINARY, "--listen=127.0.0.1:0", "--data=" + self.data,
             "--products=65536", "--stocks=65536", "--accounts=65536", "--orders=1048576",
             *self.options],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.match(r"cellard: listening on 127\.0\.0\.1:(\d+),", line)
        if match is None:
            raise AssertionError(f"the server did not start: {line!r}")
        self.port = int(match.group(1))
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            self.pid = int(children.read().split()[0])

    def stop(self):
        """Ends it as Ctrl-C does. Returns its exit status."""
        os.kill(self.pid, signal.SIGINT)
        status = self.process.wait(30)
        self.process.stdout.close()
        return status

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(30)
        self.process.stdout.close()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def call(self, method, path, body=None, headers=None, connection=None):
        """One request. A body that is no text goes as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        own = connection or self.connect()
        own.request(method, path, body, headers)
        response = own.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read())
        if connection is None:
            own.close()
        return answer

    def get(self, path, **headers):
        return self.call("GET", path, headers=with_dashes(headers))

    def post(self, path, body=None, **headers):
        return self.call("POST", path, body, with_dashes(headers))

    def put(self, path, body=None, **headers):
        return self.call("PUT", path, body, with_dashes(headers))

    def raw(self, data, seconds=5):
        """Sends bytes as they are; returns all that comes back until the server closes, or until
        nothing has come for `seconds`, and whether it closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
            except TimeoutError:
                return received, False
            except ConnectionResetError:
                pass
            return received, True

    def sell(self, sku, units, price=450):
        """Puts a product on sale."""
        made = self.put("/v1/products/" + urllib.parse.quote(sku, ""),
                        {"name": sku.title(), "unit_price": price}, if_none_match="*")
        expect(made.status, 201, "product")
        expect(self.post("/v1/stock/receipts",
                         {"lines": [{"sku": sku, "quantity": units}]}).status, 201, "receipt")
        return made


def with_dashes(headers):
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


def order(sku, quantity, price=450, **more):
    return {"id": str(uuid.uuid4()),
            "lines": [{"sku": sku, "quantity": quantity, "unit_price": price}], **more}


def expect(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what}: found {found!r}, expected {wanted!r}")


def wait_for(condition, seconds=5):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def run(tests):
    """Runs functions as cases; prints TAP. The exit status tells whether all passed."""
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception as error:  # a case that fails must not stop the others
            failed += 1
            print(f"not ok {number} - {test.__name__}", flush=True)
            print(f"# {type(error).__name__}: {error}", flush=True)
            if os.environ.get("TRACE"):
                raise
    sys.exit(1 if failed else 0)


def cases(module):
    """The functions of a module whose names start with test_, in their order."""
    return [value for name, value in module.items() if name.startswith("test_")]
