"""As much of JSON Schema 2020-12 as /openapi.json uses. A word it does not know is an error, so
that nothing in the description goes unchecked."""
import datetime
import re
import uuid

KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "pattern",
         "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format", "$ref",
         "minProperties", "maxProperties", "description"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


class Mismatch(AssertionError):
    pass


def resolve(description, schema):
    while "$ref" in schema:
        at = description
        for step in schema["$ref"].removeprefix("#/").split("/"):
            at = at[step]
        schema = at
    return schema


def require(condition, at, what):
    if not condition:
        raise Mismatch(f"{at or '/'}: {what}")


def check_format(value, name, at):
    try:
        if name == "uuid":
            require(str(uuid.UUID(value)) == value.lower(), at, "is no UUID")
        elif name == "date-time":
            datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", value).replace("Z",
                                                                                        "+00:00"))
        else:
            raise Mismatch(f"{at}: unknown format {name}")
    except ValueError as error:
        raise Mismatch(f"{at}: {error}") from error


def check(description, schema, value, at="", closed=False):
    """Raises Mismatch unless `value` is what `schema` says. `closed`: fields that are not described
    are an error even where the description would allow them."""
    schema = resolve(description, schema)
    unknown = set(schema) - KNOWN
    require(not unknown, at, f"the schema uses {unknown}")
    kind = schema.get("type")
    if kind is not None:
        good = isinstance(value, TYPES[kind]) and not (kind == "integer" and value is True)
        require(good and not (kind == "integer" and isinstance(value, bool)), at, f"is no {kind}")
    require("enum" not in schema or value in schema["enum"], at, f"{value!r} is not in the enum")
    if kind == "string":
        require(re.search(schema.get("pattern", ""), value), at, f"{value!r} against the pattern")
        require(len(value) <= schema.get("maxLength", len(value)), at, "too long")
        if "format" in schema:
            check_format(value, schema["format"], at)
    elif kind == "integer":
        require(schema.get("minimum", value) <= value <= schema.get("maximum", value), at,
                f"{value} is out of range")
    elif kind == "array":
        count = len(value)
        require(schema.get("minItems", count) <= count <= schema.get("maxItems", count), at,
                f"{count} entries")
        for number, entry in enumerate(value):
            check(description, schema["items"], entry, f"{at}/{number}", closed)
    elif kind == "object":
        properties = schema.get("properties", {})
        count = len(value)
        require(schema.get("minProperties", 0) <= count <= schema.get("maxProperties", count), at,
                f"{count} fields")
        for name in schema.get("required", []):
            require(name in value, at, f"{name} is missing")
        for name, entry in value.items():
            allowed = not closed and schema.get("additionalProperties", True)
            require(name in properties or allowed, at, f"{name} is not described")
            if name in properties:
                check(description, properties[name], entry, f"{at}/{name}", closed)
