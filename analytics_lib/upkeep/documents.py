"""The JSON documents of a file that may hold them pretty-printed, in an array, or one to a line; numbers as written."""

import json
import re
from collections.abc import Iterator
from typing import Any

from analytics_lib import numerals, record
from analytics_lib.record import Rejected

_BLANKS = re.compile(r"[ \t\n\r]*")


def documents(content: bytes) -> Iterator[tuple[Any, str]]:
    """Each document of the file, with numerals, an array as its entries; its own text where that is one line.

    Raises Rejected where it reaches something that is no JSON.
    """
    try:
        text = content.removeprefix(record.BYTE_ORDER_MARK).decode()
        position = _after_blanks(text, 0)
        while position < len(text):
            value, end = numerals.decode(text, position)
            own = text[position:end]
            if isinstance(value, list):
                yield from ((entry, "") for entry in value)
            else:
                yield value, own if "\n" not in own and "\r" not in own else ""
            position = _after_blanks(text, end)
    except UnicodeDecodeError as error:
        raise Rejected(f"not valid UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise Rejected(
            f"not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, character {error.colno}"
        ) from None
    except RecursionError:
        raise Rejected("not readable: nested too deeply") from None


def _after_blanks(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position
