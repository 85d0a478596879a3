"""The text as it will arrive, and the segments it is billed as.

Mainland China counts characters (UTF-16 units, so an emoji is two) and never uses GSM-7: 70 in one segment, 67 in
each of several. Elsewhere a text wholly in the GSM 03.38 alphabet has 160 septets, or 153 each; any other character
makes it 70 or 67 units as well.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Sequence

from services.states import Region

# GSM 03.38 default alphabet without its escape code; it is C with cedilla in upper case only.
_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each is sent as an escape and one more septet.
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")

_GSM_LIMITS = (160, 153)
_UNIT_LIMITS = (70, 67)

# `{1}`, `{name}` and Huawei's `${1}`.
_VARIABLE = re.compile(r"\$?\{([\w.-]{1,32})\}")


def render(text: str, signature: str | None, region: Region) -> str:
    """The text as it will arrive: signed `【name】` in the mainland, `[name]` elsewhere; None or "" adds nothing."""
    if not signature:
        return text
    name = signature.strip().strip("【】[]")
    return f"【{name}】{text}" if region is Region.MAINLAND else f"[{name}]{text}"


def variables(text: str) -> list[str]:
    """Names of the template's variables, each once, in order: `{1}`, `{name}` or `${1}`."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def fill(text: str, names: Sequence[str], values: Sequence[str]) -> str:
    """The text with `values` in the place of the variables `names`, one for each; what a value holds stays as it is."""
    filling = dict(zip(names, values, strict=True))
    return _VARIABLE.sub(lambda found: filling.get(found[1], found[0]), text)


def fits_gsm(text: str) -> bool:
    """Whether every character is in the GSM 03.38 alphabet, so that no other coding is needed."""
    return all(char in _GSM_BASIC or char in _GSM_EXTENSION for char in text)


def segments(text: str, region: Region) -> int:
    """How many segments each recipient's copy is billed as; 0 for an empty text."""
    return sum(1 for _ in _parts(text, region))


def split(text: str, region: Region) -> list[str]:
    """The text cut where the carrier cuts it; neither a surrogate pair nor an escape pair is ever parted."""
    return list(_parts(text, region))


class SegmentCounter:
    """Counts the segments of one text filled with many sets of values, without making most of the texts."""

    def __init__(self, text: str, names: Sequence[str], region: Region) -> None:
        self._text, self._names, self._region = text, names, region
        found = _VARIABLE.findall(text)
        self._times = [found.count(name) for name in names]
        rest = _VARIABLE.sub("", text)
        self._gsm = region is not Region.MAINLAND and fits_gsm(rest)
        self._fixed = len(rest)
        # Where every character counts as one, only the length matters.
        self._is_even = self._is_even_value(rest)

    def count(self, values: Sequence[str]) -> int:
        """As `segments(fill(text, names, values), region)`."""
        if not self._is_even or not all(map(self._is_even_value, values)):
            return segments(fill(self._text, self._names, values), self._region)
        length = self._fixed + sum(map(operator.mul, self._times, map(len, values)))
        alone, each = _GSM_LIMITS if self._gsm else _UNIT_LIMITS
        return 1 if 0 < length <= alone else -(-length // each)

    def _is_even_value(self, value: str) -> bool:
        if self._gsm:
            return _GSM_BASIC.issuperset(value)
        return value.isascii() or max(value) <= "\uffff"


def _parts(text: str, region: Region) -> Iterator[str]:
    gsm = region is not Region.MAINLAND and fits_gsm(text)
    costs = [2 if (char in _GSM_EXTENSION if gsm else char > "\uffff") else 1 for char in text]
    alone, each = _GSM_LIMITS if gsm else _UNIT_LIMITS
    limit = alone if sum(costs) <= alone else each
    start = used = 0
    for index, cost in enumerate(costs):
        if used + cost > limit:
            yield text[start:index]
            start, used = index, 0
        used += cost
    if text:
        yield text[start:]
