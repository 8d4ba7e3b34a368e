"""CloudWatch's pattern language, as far as it is about terms: which lines a filter passes on.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html: a term is a word of letters,
digits and `_`, or any text in double quotes, in which a backslash escapes a quote or a backslash. It is found anywhere
in a line, in that case. All plain terms have to be there, one of those after `?`, and none of those after `-`.


A pattern for JSON reads fields of lines that are JSON objects, others it passes over.
"""

import json
import re
from typing import Any

_TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\["\\])*)"|(?P<word>\w+))(?=\s|\Z)', re.ASCII)

_POSITIVE = re.compile(r"\{ \$\.(\w+) > 0 \}", re.ASCII)


def terms(pattern: str) -> list[tuple[str, str]]:
    """Sign and text of every term. Raises ValueError for what is no pattern of terms."""
    found, place = [], 0
    while place < len(pattern.rstrip()):
        term = _TERM.match(pattern, place)
        if not term:
            raise ValueError(f"no term at {pattern[place:]!r}")
        quoted = re.sub(r"\\(.)", r"\1", term["quoted"] or "")
        found.append((term["sign"], term["word"] or quoted))
        place = term.end()
    return found


def matches(pattern: str, line: str) -> bool:
    signed = terms(pattern)
    wanted = [text in line for sign, text in signed if not sign]
    optional = [text in line for sign, text in signed if sign == "?"]
    unwanted = [text in line for sign, text in signed if sign == "-"]
    return all(wanted) and not any(unwanted) and (any(optional) or not optional)


def metric(filtered: dict[str, Any], lines: list[str]) -> list[float]:
    """What a metric filter of one positive field makes of the lines."""
    field, (made,) = _POSITIVE.fullmatch(filtered["FilterPattern"]), filtered["MetricTransformations"]
    assert field
    documents = [json.loads(line) for line in lines if line.startswith("{")]
    found = [each for each in documents if isinstance(each.get(field[1]), int) and each[field[1]] > 0]
    return [each[made["MetricValue"].removeprefix("$.")] for each in found]
