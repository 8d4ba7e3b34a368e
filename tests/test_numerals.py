"""Numbers survive reading and writing as they were spelled, and nothing else passes for one."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_lib import numerals
from analytics_lib.record import Rejected

SPELLED = ["1769940120.50", "1.0", "1e2", "-0", "0.1000000000000000055511151231257827", "1E400", "9" * 5000, "5e-324"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | TEXT | st.sampled_from(SPELLED).map(numerals.numeral),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@pytest.mark.parametrize("spelled", SPELLED)
def test_a_number_is_written_as_it_was_spelled(spelled: str) -> None:
    text = f'{{"a": [{spelled}, {{"{spelled}": {spelled}}}], "b": "{spelled}"}}'
    assert numerals.written(numerals.parse(text.encode())) == text
    assert numerals.written(numerals.decode(f" {text}", 1)[0], compact=True) == text.replace(", ", ",").replace(
        ": ", ":"
    )


@given(JSON, st.booleans())
def test_every_document_survives_writing_and_reading(document: Any, compact: bool) -> None:
    text = numerals.written(document, compact=compact)
    assert numerals.parse(text.encode()) == document
    assert numerals.decode(text + "]", 0) == (document, len(text))


def test_the_value_of_a_numeral_is_its_number_and_of_all_else_itself() -> None:
    document = numerals.parse(b'[1.50, -0, 1e400, "1.50", null, true, [7]]')
    assert isinstance(document, list)
    *values, nested = map(numerals.value, document)
    assert values == [1.5, 0.0, float("inf"), "1.50", None, True]
    assert nested == [numerals.numeral("7")]


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', '["\\ud800"]', "[1,]", "1 2", "[" * 99_999])
def test_a_line_that_is_no_json_is_rejected(text: str) -> None:
    with pytest.raises(Rejected, match=r"^not (JSON|readable): "):
        numerals.parse(text.encode())


def test_a_document_that_is_nested_too_deeply_is_not_written() -> None:
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(Rejected, match=r"^not readable: nested too deeply$"):
        numerals.written(deep)
    while deep:  # or the interpreter takes it down in one breath
        deep = deep.pop()


def test_each_process_marks_its_numbers_anew() -> None:
    program = "from analytics_lib import numerals; print(numerals.numeral('1'))"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert len(other) == len(numerals.numeral("1")) and other != numerals.numeral("1")
