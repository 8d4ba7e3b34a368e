"""Ready rules that take personal data out of a text: e-mail addresses, card numbers, phone numbers.

They rather take out a number too many than one too few. Every pattern is linear in the length of the text.
"""

import re
from collections.abc import Iterator

_EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]+(?:\s{0,2}@\s{0,2}|%40)[\w-]+(?:\.[\w-]+)+")
_GAP = r"\s.\u2010-\u2015-"  # between groups of digits: blanks, points, hyphens and dashes of any kind
_DIGIT_GROUPS = re.compile(rf"[0-9]+(?:(?:[{_GAP}]{{1,3}}|(?<=[0-9]{{4}}),\s?(?=[0-9]{{4}}))[0-9]+)*")
_CARD_DIGITS = range(13, 20)  # ISO/IEC 7812
_DOUBLED = str.maketrans("0123456789", "0246813579")  # the digits of twice the digit, added up
_PHONE = re.compile(
    r"(?<![0-9])(?P<date>(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?!-?[0-9]))"
    rf"|(?<![0-9])(?:\+\s?)?\(?[0-9](?:[{_GAP}()/]{{0,3}}[0-9])+"
)
_PHONE_DIGITS = 7  # fewer are a local number that nobody can call from elsewhere; more than 15 are two, or a card
_BARE_PHONE_DIGITS = 9  # without a plus, a leading zero or separators: shorter ones are amounts and order numbers
_NO_PHONE = re.compile(
    r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{2,4}"  # a date
    rf"|(?:19|20)[0-9]{{2}}[{_GAP}/]{{1,3}}(?:19|20)[0-9]{{2}}"  # years from, to
    r"|[1-9][0-9]{0,5}\.[0-9]{1,4}|[0-9]\.[0-9]{1,8}"  # a decimal
    r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"  # an IP address
    r"|[1-9][0-9]{0,1}(?:[\s.][0-9]{3}){2}"  # millions
)


def personal(text: str) -> str:
    """The text with `[email]`, `[card]` and `[phone]` in place of what looks like one; the Recorder's default."""
    return phones(cards(emails(text)))


def emails(text: str) -> str:
    """The text with `[email]` in place of every e-mail address."""
    return _EMAIL.sub("[email]", text) if "@" in text or "%40" in text else text


def cards(text: str) -> str:
    """The text with `[card]` in place of every payment card number (13 to 19 digits that pass the Luhn check)."""
    return _DIGIT_GROUPS.sub(lambda found: "".join(_without_cards(found[0])), text)


def phones(text: str) -> str:
    """The text with `[phone]` in place of every phone number, national or international, and every longer number."""
    return _PHONE.sub(lambda found: "[phone]" if not found["date"] and _is_phone(found[0]) else found[0], text)


def _without_cards(run: str) -> Iterator[str]:
    """The run in pieces. A card begins and ends with a group of digits: `4111 1111 1111 1111 12/26` has five."""
    groups = list(re.finditer("[0-9]+", run))
    position = first = 0
    while first < len(groups):
        digits = ""
        for last in range(first, min(first + _CARD_DIGITS[-1], len(groups))):
            digits += groups[last][0]
            if len(digits) > _CARD_DIGITS[-1]:
                break
            if len(digits) in _CARD_DIGITS and _passes_luhn(digits):
                yield run[position : groups[first].start()]
                yield "[card]"
                position, first = groups[last].end(), last
                break
        first += 1
    yield run[position:]


def _passes_luhn(digits: str) -> bool:
    """True where the check digit is right (ISO/IEC 7812-1, annex B)."""
    return (sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def _is_phone(found: str) -> bool:
    digits = sum(map(str.isdigit, found))
    if digits < _PHONE_DIGITS or _NO_PHONE.fullmatch(found):
        return False
    return found[0] in "+(0" or digits >= _BARE_PHONE_DIGITS or not found.isdigit()
