"""What libphonenumber's metadata says of a number written in full; the only place that asks phonenumbers."""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, ValidationResult


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
    """`number` is country code + number with trunk prefixes taken out; meaningless from TOO_SHORT on."""

    kind: Kind
    number: int


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
    number = int(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return Reading(_kind(parsed), number)


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
