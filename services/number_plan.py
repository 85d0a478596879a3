"""What libphonenumber's metadata says of a number written in full; the only place that asks phonenumbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import cache, lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberType, ValidationResult
from phonenumbers.tzdata import TIMEZONE_DATA

from services.number_patterns import Automaton, State, UnsupportedPattern


class Kind(Enum):
    """What stands behind country code + number."""

    MOBILE = auto()
    LANDLINE = auto()
    SERVICE = auto()
    UNASSIGNED = auto()
    TOO_SHORT = auto()
    TOO_LONG = auto()
    NO_COUNTRY = auto()


class Reading(NamedTuple):
    """`number` is country code + number with its trunk prefix taken out; 0 where the length is wrong."""

    kind: Kind
    number: int


ASSIGNED = frozenset({Kind.MOBILE, Kind.LANDLINE, Kind.SERVICE})


_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
_PARSE_ERRORS = {
    NumberParseException.TOO_LONG: Kind.TOO_LONG,
    NumberParseException.INVALID_COUNTRY_CODE: Kind.NO_COUNTRY,
}


def read_exactly(digits: str) -> Reading:
    """Asks phonenumbers what `+digits` is. `digits` are ASCII digits: an extension can never hide in them."""
    try:
        parsed = phonenumbers.parse("+" + digits)
    except NumberParseException as error:
        return Reading(_PARSE_ERRORS.get(error.error_type, Kind.TOO_SHORT), 0)
    kind = _kind(parsed)
    if kind not in ASSIGNED and kind is not Kind.UNASSIGNED:
        return Reading(kind, 0)
    return Reading(kind, int(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)))


def _kind(parsed: phonenumbers.PhoneNumber) -> Kind:
    if phonenumbers.is_valid_number(parsed):
        number_type = phonenumbers.number_type(parsed)
        if number_type in _MOBILE:
            return Kind.MOBILE
        return Kind.LANDLINE if number_type == PhoneNumberType.FIXED_LINE else Kind.SERVICE
    possible = phonenumbers.is_possible_number_for_type_with_reason(parsed, PhoneNumberType.MOBILE)
    if possible == ValidationResult.IS_POSSIBLE:
        return Kind.UNASSIGNED
    return Kind.TOO_LONG if possible == ValidationResult.TOO_LONG else Kind.TOO_SHORT


def calling_code(region: str) -> str:
    """Country calling code of a region such as "CN", as digits; empty for a region that does not exist."""
    code = phonenumbers.country_code_for_region(region.upper())
    return str(code) if code else ""


def calling_code_of(number: int) -> str:
    """The country calling code a full number starts with; empty where none fits. No code starts another one."""
    digits = str(number)
    for length in (1, 2, 3):
        if digits[:length].isdecimal() and int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return digits[:length]
    return ""


@lru_cache(maxsize=65_536)
def region_of(number: int) -> str | None:
    """ISO region of a full number ("CN"; "001" for worldwide services), None where nothing fits."""
    code = calling_code_of(number)
    if not code:
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    if len(regions) == 1:
        return regions[0]
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(f"+{number}"))
    except NumberParseException:
        return None


# Every beginning of digits that a longer entry of the time zone metadata goes on from.
_ZONES_GO_ON = frozenset(prefix[:length] for prefix in TIMEZONE_DATA for length in range(len(prefix)))


def time_zones_of(number: int) -> tuple[tuple[str, ...], int]:
    """The time zones a full number may be in, none where the metadata knows none; and how many of its first digits say
    so: all numbers that begin with these are in the same.
    """
    digits = str(number)
    length = next((at for at in range(len(digits) + 1) if digits[:at] not in _ZONES_GO_ON), len(digits))
    known = (TIMEZONE_DATA[digits[:at]] for at in range(length, 0, -1) if digits[:at] in TIMEZONE_DATA)
    return next(known, ()), length


_NOWHERE = {kind: Reading(kind, 0) for kind in (Kind.TOO_SHORT, Kind.TOO_LONG, Kind.NO_COUNTRY)}


class PlanReader:
    """Reads as `read_exactly` does, and knows which digits that hangs on, so that one answer serves for many numbers.

    All that phonenumbers asks of a national number is its length and which patterns of its plan it matches, with and
    without trunk prefix. Numbers alike in that are read alike, so phonenumbers is asked for one of them only.
    """

    def __init__(self) -> None:
        self.free = 0

    def read(self, digits: str) -> Reading:
        """As `read_exactly`. Lowers `free` to how many digits at the end do not matter to the reading."""
        code = next((digits[:length] for length in (1, 2, 3) if digits[:length] in _CALLING_CODES), "")
        plan = _plan_of(code) if code else None
        found = plan.read(digits[len(code) :]) if plan else None
        if found is None:
            # Without country code the digits after the third say nothing but how many they are.
            self.free = min(self.free, 0 if code else len(digits) - 3)
            return read_exactly(digits)
        reading, free = found
        self.free = min(self.free, free)
        return reading


_CALLING_CODES = {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}


class _Plan:
    """The numbering plan behind one calling code, which several regions may share. Raises UnsupportedPattern."""

    def __init__(self, code: str) -> None:
        self._code = code
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
        found = (PhoneMetadata.metadata_for_region_or_calling_code(int(code), region) for region in regions)
        plans = [plan for plan in found if plan is not None]
        patterns = [pattern for plan in plans for pattern in _patterns(plan)]
        self._start = Automaton((tag, *pattern) for tag, pattern in enumerate(patterns)).start
        # phonenumbers takes trunk prefixes and the form of the country from the first, the main region.
        prefix = plans[0].national_prefix_for_parsing
        self._prefix_start = Automaton([(0, prefix, False)] if prefix else []).start
        self._prefix = re.compile(prefix) if prefix else None
        self._rewrites = bool(plans[0].national_prefix_transform_rule)
        self._answers: dict[tuple[object, ...], tuple[Kind, bool] | None] = {}

    def read(self, national: str) -> tuple[Reading, int] | None:
        """The reading, and how many digits at the end do not matter to it; None where only phonenumbers can tell."""
        match = self._prefix.match(national) if self._prefix else None
        if match and self._rewrites and match.groups() and match.groups()[-1] is not None:
            return None
        rest = national[match.end() :] if match else national
        tags, free = _walk(self._start, national)
        rest_tags, rest_free = _walk(self._start, rest) if match else (tags, free)
        key = (len(national), len(rest), match is None, tags, rest_tags)
        if key not in self._answers:
            self._answers[key] = self._ask(national, rest)
        answer = self._answers[key]
        if answer is None:
            return None
        kind, is_stripped = answer
        reading = _NOWHERE.get(kind) or Reading(kind, int(self._code + (rest if is_stripped else national)))
        return reading, min(free, rest_free, _free_of_prefix(self._prefix_start, national))

    def _ask(self, national: str, rest: str) -> tuple[Kind, bool] | None:
        kind, number = read_exactly(self._code + national)
        if number in (0, int(self._code + national)):
            return kind, False
        return (kind, True) if number == int(self._code + rest) else None


def _patterns(plan: PhoneMetadata) -> Iterator[tuple[str, bool]]:
    """Every pattern that phonenumbers holds a national number against; and whether its first digits alone may match."""
    for description in (
        *(plan.general_desc, plan.fixed_line, plan.mobile, plan.toll_free, plan.premium_rate, plan.shared_cost),
        *(plan.personal_number, plan.voip, plan.pager, plan.uan, plan.voicemail),
    ):
        if description and description.national_number_pattern:
            yield description.national_number_pattern, False
    if plan.leading_digits:
        yield plan.leading_digits, True


def _walk(state: State, digits: str) -> tuple[frozenset[int], int]:
    """The tags at the end, and how many of the last digits do not matter to them."""
    for position, digit in enumerate(digits):
        if (outcome := state.outcome(len(digits) - position)) is not None:
            return outcome, len(digits) - position
        state = state.after(digit)
    return state.tags, 0


def _free_of_prefix(state: State, digits: str) -> int:
    """How many of the last digits no pattern of a trunk prefix can reach."""
    for position, digit in enumerate(digits):
        if state.is_dead:
            return len(digits) - position
        state = state.after(digit)
    return 0


@cache
def _plan_of(code: str) -> _Plan | None:
    """None where the metadata uses what an automaton cannot follow: then phonenumbers is asked for every number."""
    try:
        return _Plan(code)
    except UnsupportedPattern:
        return None
