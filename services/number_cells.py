"""Takes off a cell what people and spreadsheets add around a number; knows spelling only, no numbering plan."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Reason(StrEnum):
    """Why a cell was not taken. The values are stored with rejects; the words people read are made elsewhere."""

    EMPTY = "empty"
    NOT_A_NUMBER = "not_a_number"
    EXTRA_TEXT = "extra_text"
    TWO_NUMBERS = "two_numbers"
    EXTENSION = "extension"
    LOST_DIGITS = "lost_digits"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    UNKNOWN_COUNTRY = "unknown_country"
    AMBIGUOUS_COUNTRY = "ambiguous_country"
    UNASSIGNED = "unassigned"
    LANDLINE = "landline"
    NOT_MOBILE = "not_mobile"


_OPENING, _CLOSING = "([【〔", ")]】〕"
_DASHES = "-−⁃ー－"
_MIDDLE_DOTS = "·・‧･"
_PLUSES = "+⁺₊﬩"
_QUOTES = "'`´‘’‚‛′\"“”„‟″"
# Look like nothing, yet Unicode calls them letters or symbols.
_BLANKS = "\u115f\u1160\u3164\uffa0\u2800"


def _spell(char: str) -> str:
    """One character with its width and script taken away: a digit, " ", "-", "(", ")", "+", "'" or itself."""
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if 0xFF01 <= ord(char) <= 0xFF5E:
        return _spell(chr(ord(char) - 0xFEE0))
    if category in ("Zs", "Zl", "Zp") or char.isspace() or char in _BLANKS:
        return " "
    if category == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    if category == "Pd" or char in _DASHES or char in _MIDDLE_DOTS:
        return "-"
    for spelling, variants in (("(", _OPENING), (")", _CLOSING), ("+", _PLUSES), ("'", _QUOTES)):
        if char in variants:
            return spelling
    return char


class _Table(dict[int, str]):
    """A `str.translate` table that learns each character when it first meets it."""

    def __init__(self, dropped: str) -> None:
        super().__init__()
        self._dropped = dropped

    def __missing__(self, code: int) -> str:
        spelled = _spell(chr(code))
        self[code] = "" if spelled and spelled in self._dropped else spelled
        return self[code]


_SPELLED = _Table(dropped="")
_FOLDED = _Table(dropped=" -()")

_PLAIN = re.compile(r"\+?[0-9]+")
_AROUND = " -()'"
_SCHEME = re.compile(r"tel *:", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"\+?([0-9])(?:[.,]([0-9]*))?[eE]([+-]?)([0-9]{1,3})")
_WHOLE_DECIMAL = re.compile(r"(\+?[0-9]+)\.0*")
_DOTTED = re.compile(r"\+?[0-9]+(?:\.[0-9]+)+")
_MASKED = re.compile(r"[0-9][*xX•●×]{2,}[0-9]")


def fold(text: str) -> str:
    """The text without separators, its digits ASCII."""
    return text.translate(_FOLDED)


def spell(text: str) -> str:
    """The text with its separators kept, in one spelling each: space, -, (, ), +, '."""
    return text.translate(_SPELLED)


def is_plain(folded: str) -> bool:
    """Whether nothing but digits and at most one leading plus is left."""
    return _PLAIN.fullmatch(folded) is not None


def digits_of(text: str) -> str | Reason:
    """The cell's number as ASCII digits with or without a leading plus, or why there is none."""
    folded = fold(text)
    if is_plain(folded):
        return folded
    spelled = spell(text).strip(_AROUND).lstrip(_AROUND + "=")
    if scheme := _SCHEME.match(spelled):
        spelled = spelled[scheme.end() :].lstrip(_AROUND)
    folded = fold(spelled)
    if not folded:
        return Reason.EMPTY
    if is_plain(folded):
        return folded
    if scientific := _SCIENTIFIC.fullmatch(spelled.replace(" ", "")):
        return _from_scientific(*scientific.groups(default=""))
    if whole := _WHOLE_DECIMAL.fullmatch(folded):
        return whole[1]
    if _DOTTED.fullmatch(folded):
        return folded.replace(".", "") if _dots_separate(spelled) else Reason.NOT_A_NUMBER
    return _what_is_wrong(folded)


def _from_scientific(first: str, fraction: str, sign: str, exponent: str) -> str | Reason:
    """`1.3812345678E+10` holds every digit; with fewer decimals than the exponent says, the rest was rounded away."""
    places = int(exponent)
    if sign == "-":
        return Reason.NOT_A_NUMBER
    if len(fraction) < places:
        return Reason.LOST_DIGITS
    return first + fraction[:places] if not fraction[places:].strip("0") else Reason.NOT_A_NUMBER


def _dots_separate(spelled: str) -> bool:
    """A lone dot may be a decimal point: it separates only after a short and before a long group (`138.12345678`)."""
    groups = re.findall(r"\+?[0-9]+", spelled)
    return len(groups) > 2 or (len(groups[0]) <= 5 and len(groups[1]) >= 4)


def _what_is_wrong(folded: str) -> Reason:
    if _MASKED.search(folded):
        return Reason.LOST_DIGITS
    digits = sum(char.isdecimal() for char in folded)
    if digits < 5:
        return Reason.NOT_A_NUMBER
    return Reason.EXTRA_TEXT
