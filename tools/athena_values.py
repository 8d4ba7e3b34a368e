"""How a value of the record is read on Athena, by the rules of `record.py`: NULL where it is unknown or mistyped.

Trino has neither variables nor functions of one's own: what is needed twice is the argument of a lambda, or the one
entry of an array that is filtered.
"""

from textwrap import indent

from analytics_lib.record import NO_TEXT
from analytics_lib.schema import Field, Group, Kind
from tools.athena_views import listed

_OBJECT = "MAP(VARCHAR, JSON)"
_TRIMMED = r"'(?s)[^ \t\n\r](?:.*[^ \t\n\r])?'"
# A JSON number or boolean, or a string of one with blanks around it, as json_format writes them.
_NUMBER = r"""'\A"?(?: |\\[tnr])*(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?: |\\[tnr])*"?\z'"""
_FLAG = r"""'\A"?(?: |\\[tnr])*(true|false)(?: |\\[tnr])*"?\z'"""

# A string (its text is read already), or nothing, as json_format writes them.
_TELLS_NOTHING = r"""'\A("|(null|false|\[\]|\{\})\z)'"""


def read(field: Field, parent: str) -> str:
    """The field's value in the object `parent`."""
    value = _of(parent, field.name)
    if field.kind is Kind.TEXTS:
        return _texts(value)
    if field.kind is Kind.TEXT:
        text = _told(value) if field.always_told else _text(value)
        return f"lower({text})" if field.lower_case else text
    if field.kind is Kind.FLAG:
        return f"regexp_extract(\n    lower(json_format({value})),\n    {_FLAG},\n    1\n) = 'true'"
    return _number(field, value)


def opened(group: Group) -> str:
    """The group's object, or its array of objects with NULL for any other entry."""
    value = _of("fields", group.name)
    if not group.repeated:
        return f"TRY_CAST({value} AS {_OBJECT})"
    # A lambda that gives a map takes Trino longer than all the rest: the objects are cast as one array.
    return f"""CAST(CAST(transform(
    TRY_CAST({value} AS ARRAY(JSON)),
    entry -> IF(starts_with(json_format(entry), '{{'), entry)
) AS JSON) AS ARRAY({_OBJECT}))"""


def rows(group: Group) -> str:
    """The opened array with every value read."""
    return f"""transform(
    {group.name},
    entry -> CAST(
        ROW(
{listed((read(field, "entry") for field in group.fields), 3)}
        ) AS ROW(
{listed((f"{field.name} {field.kind.trino_type.upper()}" for field in group.fields), 3)}
        )
    )
)"""


def complete(group: Group) -> str:
    """The array of rows with NULL where a required value is unknown."""
    required = " AND ".join(f"call.{field.name} IS NOT NULL" for field in group.fields if field.required)
    return f"transform({group.name}, call -> IF({required}, call))"


def _of(parent: str, name: str) -> str:
    return f"element_at({parent}, '{name}')"


def _text(value: str) -> str:
    return f"""regexp_extract(
    IF(
        starts_with(json_format({value}), '"'),
        CAST({value} AS VARCHAR)
    ),
    {_TRIMMED}
)"""


def _told(value: str) -> str:
    """The text; of another value an object's `message`, else that it has none, unless it is empty, false or null."""
    return f"""COALESCE(
{listed((_text(value), _text(f"json_extract({value}, '$.message')")))},
    IF(
        NOT regexp_like(json_format({value}), {_TELLS_NOTHING}),
        '{NO_TEXT}'
    )
)"""


def _texts(value: str) -> str:
    return f"""COALESCE(filter(
    transform(
        TRY_CAST({value} AS ARRAY(JSON)),
        item -> {indent(_text("item"), " " * 8).lstrip()}
    ),
    item -> item IS NOT NULL
), ARRAY[])"""


def _number(field: Field, value: str) -> str:
    number = f"CAST(regexp_extract(\n    json_format({value}),\n    {_NUMBER},\n    1\n) AS DOUBLE)"
    valid = "number BETWEEN 0E0 AND 1E15" if field.not_negative else "abs(number) <= 1E15"
    if field.kind is Kind.INTEGER:
        valid += " AND number = floor(number)"
    if field.name == "duration_seconds":
        valid += " AND number * 1E3 <= ended_ms"
    found = f"element_at(filter(ARRAY[{number}], number -> {valid}), 1)"
    if field.zero_is_unknown:
        found = f"NULLIF({found}, 0E0)"
    return f"CAST({found} AS BIGINT)" if field.kind is Kind.INTEGER else found
