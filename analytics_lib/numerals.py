"""JSON whose numbers are written again as they were spelled: as a float, or rounded, not every one survives.

While a document is in memory, a numeral is a text between two marks that are drawn anew in every process, so that no
text from outside can pass for one.
"""

import json
import os

from analytics_lib import record
from analytics_lib.record import Rejected

_MARK = os.urandom(8).hex()
_SPACED = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
_COMPACT = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def numeral(spelled: str) -> str:
    """A number with this spelling, as the documents of `parse` and `decode` hold it."""
    return f"{_MARK}{spelled}{_MARK}"


def value(held: object) -> object:
    """The number of a numeral; anything else as it is, also what holds numerals."""
    return float(held[len(_MARK) : -len(_MARK)]) if isinstance(held, str) and held.startswith(_MARK) else held


def spelled(held: object) -> str:
    """How a numeral is spelled; empty for anything else."""
    return held[len(_MARK) : -len(_MARK)] if isinstance(held, str) and held.startswith(_MARK) else ""


def parse(line: bytes) -> object:
    """The document of one line by RFC 8259, with numerals. Raises Rejected with the reason."""
    return record.parse_json(line, numeral)


_decode = json.JSONDecoder(parse_int=numeral, parse_float=numeral, parse_constant=numeral).raw_decode


def decode(text: str, at: int) -> tuple[object, int]:
    """The document that begins at `at`, with numerals, and where it ends.

    NaN and Infinity are numerals here, and unpaired surrogates pass: who judges the document's text refuses them.
    Raises json.JSONDecodeError, RecursionError.
    """
    return _decode(text, at)


def written(document: object, *, compact: bool = False) -> str:
    """The document as JSON text, each numeral as it was spelled. Raises Rejected where it is nested too deeply."""
    try:
        text = (_COMPACT if compact else _SPACED)(document)
    except RecursionError:
        raise Rejected("not readable: nested too deeply") from None
    return text.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")
