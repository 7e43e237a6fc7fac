"""Is /openapi.json true? Every operation it describes is called, with what the schema allows and
with what it does not; every answer must be as described; and nothing is missing from it."""
import json

import schema
from calls import CALLS, QUERIES, VALUES, fill
from harness import Server, cases, expect, run

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
    if entry is not None and "content" not in entry:
        expect((answer.status, answer.body), (304, b""), operation["operationId"])
        return
    if entry is None:
        entry = operation["responses"]["default"]
        expect(answer.status >= 400, True, f"{operation['operationId']} gave {answer.status}")
    kind = answer.headers["content-type"].split(";")[0]
    described = entry["content"][kind]
    if "schema" in described:
        schema.check(description, described["schema"], answer.json(), closed=True)
    expect("cellar-lsn" in answer.headers, True, "Cellar-Lsn")


def find(name):
    for path, method, operation in operations():
        if operation["operationId"] == name:
            return path, method, operation
    raise AssertionError(f"{name} is not described")


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
        at = fill(path, VALUES)
        queries = [entry for entry in operation["parameters"] if entry["in"] == "query"]
        for entry in queries:
            answer = server.get(f"{at}?{entry['name']}=%ff")
            expect(answer.status, 400, f"{at} {entry['name']}")
            expect(answer.json()["pointer"], "/" + entry["name"])
        expect(server.get(at + "?surprise=1").json()["pointer"], "/surprise")


def test_what_is_unchanged_is_described():
    tried = 0
    for path, method, operation in operations():
        names = {entry["name"] for entry in operation["parameters"]}
        takes = method == "get" and "If-None-Match" in names
        expect("304" in operation["responses"], takes, operation["operationId"])
        if takes:
            at = fill(path, VALUES)
            answer = server.get(at, if_none_match=server.get(at).etag)
            expect(answer.status, 304, at)
            check_answer(operation, answer)
            tried += 1
    expect(tried >= 5, True, f"{tried} operations")


def test_nothing_else_is_served():
    for path in ("/v1", "/v1/", "/v1/campaign", "/v1/products/tea/", "/v1/orders/quote/x",
                 "/index.html", "/../etc/passwd", "//livez", "/v1/products/tea/stock/none"):
        expect(server.get(path).status, 404, path)
    for path, methods in description["paths"].items():
        at = fill(path, VALUES)
        for method in {"get", "put", "post", "delete", "patch"} - set(methods):
            answer = server.call(method.upper(), at)
            # A path with a variable may match another's literal path; then that one answers.
            expect(answer.status in (400, 404, 405), True, f"{method} {at}: {answer.status}")


if __name__ == "__main__":
    with server:
        run(cases(globals()))
