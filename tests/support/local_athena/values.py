"""Athena's texts for types and values, from Trino's JSON."""

import base64
from typing import Any

_NAMES = {"real": "float", "unknown": "unknown"}


def type_name(signature: dict[str, Any]) -> str:
    """The name of a column's type in ResultSetMetadata: varchar, bigint, timestamp, array, row ..."""
    raw: str = signature["rawType"]
    return _NAMES.get(raw, raw)


def text(value: Any, signature: dict[str, Any]) -> str | None:
    """A value as Athena writes it into its CSV and its rows, None for NULL."""
    if value is None:
        return None
    raw, arguments = signature["rawType"], [argument["value"] for argument in signature["arguments"]]
    if raw == "array":
        return "[" + ", ".join(_nested(one, arguments[0]) for one in value) + "]"
    if raw == "map":
        pairs = (f"{key}={_nested(one, arguments[1])}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if raw == "row":
        fields = (f"{_field(a)}{_nested(one, a['typeSignature'])}" for a, one in zip(arguments, value, strict=True))
        return "{" + ", ".join(fields) + "}"
    if raw == "boolean":
        return "true" if value else "false"
    if raw == "varbinary":
        return base64.b64decode(value).hex(" ")
    return str(value)


def _nested(value: Any, signature: dict[str, Any]) -> str:
    written = text(value, signature)
    return "null" if written is None else written


def _field(argument: dict[str, Any]) -> str:
    name = argument.get("fieldName")
    return f"{name['name']}=" if name else ""


def csv_line(values: list[str | None]) -> str:
    """A line of a result file: every value quoted, NULL a bare empty field."""
    return ",".join("" if one is None else '"' + one.replace('"', '""') + '"' for one in values) + "\n"
