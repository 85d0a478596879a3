"""Raw cell → E.164 number, or why not. Nothing is guessed: what is not certain is refused, with a suggestion.

What people and spreadsheets add is stripped, then in this order:

1. Default region CN: 11 digits starting with 1 are a mainland number.
2. Default region CN: 13 digits starting with 86 are one with its country code.
3. `+` or `00` starts a full number.
   Another default region: digits that are one of its mobile numbers, with or without trunk prefix, are that number;
   11 digits starting with 1 that cannot be one of its numbers, and are a mainland mobile, are that.
4. Country code + number without plus is that number when it is a valid mobile and has no other reading.
5. Anything else is refused.

libphonenumber's metadata then judges: valid and possibly mobile is taken; right length but in no assigned range, a
landline or a service number is set aside, because metadata lags real numbering plans and a person may know better.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast

from services import number_cells, number_plan
from services.number_cells import Reason
from services.number_plan import ASSIGNED, Kind, Reading

__all__ = ["NumberChecker", "Reason", "Verdict", "check", "format_e164", "mask", "region_of"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`number` is the E.164 number as an integer where the cell is taken, and `reason` is None then.

    A cell that is `set_aside` may be kept all the same: `candidate` is the number it would be. `suggestion` is E.164
    text the person may have meant. `by_country_code`: read as country code + number though there was no plus.
    """

    number: int | None
    reason: Reason | None = None
    set_aside: bool = False
    candidate: int | None = None
    suggestion: str | None = None
    by_country_code: bool = False


_Read = Callable[[str], Reading]

_REASONS = {
    Kind.LANDLINE: Reason.LANDLINE,
    Kind.SERVICE: Reason.NOT_MOBILE,
    Kind.UNASSIGNED: Reason.UNASSIGNED,
    Kind.TOO_SHORT: Reason.TOO_SHORT,
    Kind.TOO_LONG: Reason.TOO_LONG,
    Kind.NO_COUNTRY: Reason.UNKNOWN_COUNTRY,
}
_MAINLAND = "86"
# E.164 allows 15 digits; libphonenumber a little more, an international prefix a little more still.
_MAX_DIGITS = 22
# The shortest mobile numbers have five digits and a country code.
_MIN_DIGITS = 6
# A cell may hold 32,767 characters; nobody hides a number behind more than this.
_MAX_EXPLAINED = 300
# Some 10 MB: what is not remembered is worked out again, the answer is the same.
_MAX_KNOWN = 50_000
# What people write again and again where they have no number: "n/a", "无".
_MAX_ODD = 2_000
# Few enough that one unusual cell slows down few others.
_AT_ONCE = 1_000


def check(raw: str | int | float | None, region: str = "CN") -> Verdict:
    """The verdict on one cell, by libphonenumber itself; never raises. A spreadsheet's number may be int or float."""
    return _check(_as_text(raw), number_plan.calling_code(region), number_plan.read_exactly)


class NumberChecker:
    """Checks cells in bulk against one default region, always as `check` does. Keep one for a whole file and thread.

    Most cells are a number as it stands, and its last digits hardly ever matter: what goes before them is looked up.
    """

    def __init__(self, region: str = "CN") -> None:
        self._code = number_plan.calling_code(region)
        self._reader = number_plan.PlanReader()
        # By a plain cell without as many of its last digits: what to add to it for its number, or its verdict.
        self._but_8: dict[str, int | _Alike] = {}
        self._but_6: dict[str, int | _Alike] = {}
        self._but_4: dict[str, int | _Alike] = {}
        self._odd: dict[str, Verdict] = {}

    def check_many(self, cells: Sequence[str]) -> tuple[list[int], list[tuple[int, Verdict]]]:
        """Returns (numbers, rest). `numbers` is aligned with `cells`: the number, or 0 where a cell is not taken.

        `rest` holds (index, verdict) of every cell not taken, and of those taken by their country code: those are
        counted apart.
        """
        numbers: list[int] = []
        rest: list[tuple[int, Verdict]] = []
        for start in range(0, len(cells), _AT_ONCE):
            part = cells[start : start + _AT_ONCE]
            found, odd = self._quickly(part)
            for index in odd:
                cell = part[index]
                added = self._but_8.get(cell[:-8])
                if added is None:
                    added = self._but_6.get(cell[:-6])
                if type(added) is int and cell[-8:].isdecimal():
                    found[index] = int(cell) + added
                    continue
                verdict = self._check(cell)
                found[index] = verdict.number or 0
                if verdict.number is None or verdict.by_country_code:
                    rest.append((start + index, verdict))
            numbers += found
        return numbers, rest

    def _quickly(self, cells: Sequence[str]) -> tuple[list[int], Iterable[int]]:
        """The numbers of cells like many before, in half the time for all at once; where the others stand."""
        added = list(map(self._but_8.get, [cell[:-8] for cell in cells]))
        odd = [index for index, each in enumerate(added) if type(each) is not int]
        plain = [*cells]
        for index in odd:
            plain[index], added[index] = "0", 0
        text = "".join(plain)
        if text.isdecimal() or text.replace("+", "").isdecimal():
            with suppress(ValueError):  # a plus within
                return list(map(operator.add, map(int, plain), cast(list[int], added))), odd
        return [0] * len(cells), range(len(cells))

    def _check(self, cell: str) -> Verdict:
        if (odd := self._odd.get(cell)) is not None:
            return odd
        plain = number_cells.fold(cell)
        if len(plain) <= _MAX_DIGITS and number_cells.is_plain(plain):
            alike = self._but_8.get(plain[:-8])
            if alike is None:
                alike = self._but_6.get(plain[:-6])
            if alike is None:
                alike = self._but_4.get(plain[:-4])
            verdict = self._learn(plain) if alike is None else _unlike(alike, int(plain))
            if verdict.number is not None or verdict.set_aside or plain == cell:
                return verdict if alike is not None else self._remember(cell, verdict)
        return self._remember(cell, _check(cell, self._code, self._reader.read))

    def _remember(self, cell: str, verdict: Verdict) -> Verdict:
        if len(self._odd) < _MAX_ODD and len(cell) <= _MAX_DIGITS:
            self._odd[cell] = verdict
        return verdict

    def _learn(self, plain: str) -> Verdict:
        self._reader.free = len(plain)
        verdict = _check(plain, self._code, self._reader.read)
        alike = _alike(verdict, int(plain))
        for count, known in ((8, self._but_8), (6, self._but_6), (4, self._but_4)):
            # The rules look at the first two characters, and at the first digit that is not zero.
            kept = plain[:-count]
            if self._reader.free >= count and len(kept) > 1 and kept.lstrip("+0"):
                if len(known) < _MAX_KNOWN:
                    known[kept] = alike
                break
        return verdict


@dataclass(frozen=True, slots=True)
class _Alike:
    """A verdict that holds for many cells, its numbers as differences from the cell's own digits."""

    verdict: Verdict
    number: int | None
    candidate: int | None
    suggestion: int | None


def _alike(verdict: Verdict, cell: int) -> int | _Alike:
    """What all cells like this one have in common; just the difference for one that is simply taken."""
    number, candidate = verdict.number, verdict.candidate
    if number is not None and not verdict.by_country_code:
        return number - cell
    return _Alike(
        verdict,
        None if number is None else number - cell,
        None if candidate is None else candidate - cell,
        None if verdict.suggestion is None else int(verdict.suggestion) - cell,
    )


def _unlike(alike: int | _Alike, cell: int) -> Verdict:
    """The verdict on one cell of those that are alike."""
    if isinstance(alike, int):
        return Verdict(alike + cell)
    common = alike.verdict
    return Verdict(
        None if alike.number is None else alike.number + cell,
        common.reason,
        common.set_aside,
        None if alike.candidate is None else alike.candidate + cell,
        None if alike.suggestion is None else format_e164(alike.suggestion + cell),
        common.by_country_code,
    )


def format_e164(number: int) -> str:
    """`8613800000001` → `+8613800000001`."""
    return f"+{number}"


def mask(number: int) -> str:
    """For channels and logs: `+86 138****0001`. At least four digits are hidden; a short number shows less."""
    code = number_plan.calling_code_of(number)
    national = str(number)[len(code) :]
    first = national[: max(0, min(3, len(national) - 8))]
    last = national[max(len(first) + 4, len(national) - 4) :]
    return f"+{code} {first}****{last}" if code else f"+****{last}"


def region_of(number: int) -> str | None:
    """ISO region of a number ("CN"), "001" for worldwide services, None where no region fits."""
    return number_plan.region_of(number)


def _as_text(raw: str | int | float | None) -> str:
    if raw is None:
        return ""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool) or not 0 <= raw < 10**30:
        return "#"
    return f"{raw:d}" if isinstance(raw, int) else f"{raw:.0f}" if raw.is_integer() else repr(raw)


def _check(text: str, code: str, read: _Read) -> Verdict:
    digits = number_cells.digits_of(text)
    if isinstance(digits, Reason):
        return _explain(digits, text, code, read)
    verdict = _judge(digits, code, read)
    if verdict.number is not None:
        return verdict
    if verdict.reason and not verdict.set_aside and not number_cells.is_plain(text):
        explained = _explain(verdict.reason, text, code, read)
        if explained.reason != verdict.reason:
            return explained
    if verdict.reason in (Reason.LANDLINE, Reason.NOT_MOBILE):
        return verdict
    return replace(verdict, suggestion=_suggest(digits, verdict, code, read))


def _judge(digits: str, code: str, read: _Read) -> Verdict:
    """Rules 1 to 5 on ASCII digits with or without a leading plus."""
    verdict = _by_rules(digits, code, read)
    if verdict.reason is Reason.UNASSIGNED and read(str(verdict.candidate)).number != verdict.candidate:
        # A zero was taken out as trunk prefix and one more is left: its length is right by accident only.
        return Verdict(None, Reason.TOO_LONG)
    return verdict


def _by_rules(digits: str, code: str, read: _Read) -> Verdict:
    if len(digits) > _MAX_DIGITS:
        return Verdict(None, Reason.TOO_LONG)
    if digits[0] == "+":
        return _verdict(read(digits[1:]))
    if code == _MAINLAND:
        if len(digits) == 11 and digits[0] == "1":
            return _verdict(read(_MAINLAND + digits))
        if len(digits) == 13 and digits.startswith(_MAINLAND):
            return _verdict(read(digits))
    if digits.startswith("00"):
        return _verdict(read(digits[2:]))
    return _judge_mainland(digits, read) if code == _MAINLAND else _judge_elsewhere(digits, code, read)


def _judge_mainland(digits: str, read: _Read) -> Verdict:
    abroad = read(digits)
    # A landline dialled at home starts with 0 and no country code does: a valid mobile abroad has no other reading.
    if abroad.kind is Kind.MOBILE:
        return _verdict(abroad, by_country_code=True)
    home = read(_MAINLAND + digits)
    if home.kind in (Kind.LANDLINE, Kind.SERVICE):
        return _verdict(home)
    if abroad.kind in (Kind.LANDLINE, Kind.SERVICE, Kind.UNASSIGNED):
        return _verdict(abroad, by_country_code=True)
    if digits.startswith(_MAINLAND) and len(digits) > 10:
        return _verdict(abroad)
    if len(digits) == 11:
        return Verdict(None, Reason.UNKNOWN_COUNTRY)
    return Verdict(None, Reason.TOO_SHORT if len(digits) < 11 else Reason.TOO_LONG)


def _judge_elsewhere(digits: str, code: str, read: _Read) -> Verdict:
    home = read(code + digits) if code else Reading(Kind.NO_COUNTRY, 0)
    if home.kind is Kind.MOBILE:
        return _verdict(home)
    is_like_mainland = len(digits) == 11 and digits[0] == "1"
    if code and is_like_mainland and (mainland := read(_MAINLAND + digits)).kind is Kind.MOBILE:
        if home.kind in ASSIGNED or home.kind is Kind.UNASSIGNED:
            return Verdict(None, Reason.AMBIGUOUS_COUNTRY)
        return _verdict(mainland)
    abroad = read(digits)
    if abroad.kind is Kind.MOBILE:
        if home.kind in ASSIGNED:
            return Verdict(None, Reason.AMBIGUOUS_COUNTRY)
        return _verdict(abroad, by_country_code=True)
    for kinds in (ASSIGNED, {Kind.UNASSIGNED}):
        if home.kind in kinds:
            return _verdict(home)
        if abroad.kind in kinds:
            return _verdict(abroad, by_country_code=True)
    return _verdict(home)


def _verdict(reading: Reading, *, by_country_code: bool = False) -> Verdict:
    if reading.kind is Kind.MOBILE:
        return Verdict(reading.number, by_country_code=by_country_code)
    reason = _REASONS[reading.kind]
    if reading.kind in (Kind.LANDLINE, Kind.SERVICE, Kind.UNASSIGNED):
        return Verdict(None, reason, set_aside=True, candidate=reading.number, by_country_code=by_country_code)
    return Verdict(None, reason)


def _suggest(digits: str, verdict: Verdict, code: str, read: _Read) -> str | None:
    """The mobile number these digits are without stray zeros, or with the country code or plus that may be missing."""
    bare = digits.lstrip("+0")
    for attempt in (code + bare, bare):
        if bare and len(attempt) <= _MAX_DIGITS:
            reading = read(attempt)
            if reading.kind is Kind.MOBILE and reading.number != verdict.candidate:
                return format_e164(reading.number)
    return None


_BETWEEN = " ().-"
_RUNS = (re.compile(r"\+?[0-9]+"), re.compile(r"\+?[0-9][0-9().-]*"), re.compile(r"\+?[0-9][0-9(). -]*"))
_EXTENSION = re.compile(r"(?:;?\s*ext(?:ension|n)?|转|轉|分机|分機|доб|x|#)[\s.:=-]*[0-9]{1,7}\s*\)?\s*", re.IGNORECASE)
_TAIL = re.compile(r"-\s*[0-9]{1,6}\s*")
# `13812345678/79` is two numbers to whoever writes it; a list has whole ones, and "Li, 13812345678" is none.
_NEXT_NUMBER = re.compile(r"[0-9][ )]*(?:[/\\&~]\s*[+0-9]|[;,|、，；]\s*\+?(?:[ ().-]*[0-9]){6})")


def _explain(reason: Reason, text: str, code: str, read: _Read) -> Verdict:
    """Says better than `reason` what is wrong with a cell that holds more than a number, and suggests the one in it."""
    spelled = number_cells.spell(text[:_MAX_EXPLAINED])
    found = _numbers_within(spelled, code, read)
    if len(found) > 1:
        return Verdict(None, Reason.TWO_NUMBERS, suggestion=format_e164(found[0]))
    tails = (_EXTENSION, _TAIL) if reason is Reason.TOO_LONG else (_EXTENSION,)
    if any(_ends_with(tail, spelled) for tail in tails) and reason in (Reason.TOO_LONG, Reason.EXTRA_TEXT):
        return Verdict(None, Reason.EXTENSION, suggestion=format_e164(found[0]) if found else None)
    if found and reason in (Reason.EXTRA_TEXT, Reason.TOO_LONG):
        better = Reason.TWO_NUMBERS if _NEXT_NUMBER.search(spelled) else Reason.EXTRA_TEXT
        return Verdict(None, better, suggestion=format_e164(found[0]))
    if reason is Reason.EXTRA_TEXT and not any(char.isalpha() for char in spelled):
        joined = _judge("".join(filter(str.isdecimal, spelled)), code, read)
        return Verdict(None, reason, suggestion=format_e164(joined.number) if joined.number else None)
    return Verdict(None, reason)


def _ends_with(tail: re.Pattern[str], spelled: str) -> bool:
    return any(match.end() == len(spelled) for match in tail.finditer(spelled))


def _numbers_within(spelled: str, code: str, read: _Read) -> list[int]:
    """Different numbers that would be taken if they stood alone; runs of digits first, then runs with separators."""
    for runs in _RUNS:
        found: list[int] = []
        for run in runs.findall(spelled):
            digits = "".join(char for char in run if char not in _BETWEEN)
            number = _judge(digits, code, read).number if len(digits) >= _MIN_DIGITS else None
            if number and number not in found:
                found.append(number)
        if found:
            return found
    return []
