"""The quick reader reads as phonenumbers does, and the digits it calls free are free."""

from __future__ import annotations

import random

import phonenumbers
import pytest

from services.number_plan import Kind, PlanReader, Reading, calling_code, calling_code_of, read_exactly

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
TYPES = [kind for kind in range(11) if kind != phonenumbers.PhoneNumberType.UNKNOWN]


def trunk_prefix(region: str) -> str:
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    return (plan and plan.national_prefix) or ""


def random_digits(count: int, seed: int) -> list[str]:
    """Country code + number: half example numbers of every type, with or without trunk prefix, half any digits."""
    dice = random.Random(seed)
    digits = []
    for _ in range(count // 2):
        digits.append(str(dice.choice(CODES)) + "".join(dice.choices("0123456789", k=dice.randrange(1, 15))))
        region = dice.choice(sorted(phonenumbers.SUPPORTED_REGIONS))
        number = phonenumbers.example_number_for_type(region, dice.choice(TYPES)) or phonenumbers.example_number(region)
        assert number is not None
        changed = dice.randrange(1, 7)
        national = phonenumbers.national_significant_number(number)[:-changed]
        trunk = dice.choice(("", "", "0", "00", trunk_prefix(region)))
        digits.append(f"{number.country_code}{trunk}{national}" + "".join(dice.choices("0123456789", k=changed)))
    return digits


def test_the_quick_reader_reads_as_phonenumbers_does() -> None:
    reader = PlanReader()
    for digits in random_digits(2000, seed=30):
        assert reader.read(digits) == read_exactly(digits), digits


def test_other_digits_in_free_places_change_nothing_else() -> None:
    reader, dice = PlanReader(), random.Random(31)
    for digits in random_digits(1500, seed=32):
        reader.free = len(digits)
        reading = reader.read(digits)
        if reader.free > 0:
            other = digits[: -reader.free] + "".join(dice.choices("0123456789", k=reader.free))
            shift = int(other) - int(digits) if reading.number else 0
            assert read_exactly(other) == Reading(reading.kind, reading.number + shift), (digits, other)


def test_the_last_nine_digits_of_a_mainland_mobile_number_from_13_are_free() -> None:
    reader = PlanReader()
    reader.free = 13
    assert reader.read("8613812345678") == Reading(Kind.MOBILE, 8613812345678)
    assert reader.free == 9


@pytest.mark.parametrize(
    ("digits", "kind"),
    [
        ("8613812345678", Kind.MOBILE),
        ("12125551234", Kind.MOBILE),
        ("861012345678", Kind.LANDLINE),
        ("18005551234", Kind.SERVICE),
        ("8612125551234", Kind.UNASSIGNED),
        ("861381234567", Kind.TOO_SHORT),
        ("86138123456789", Kind.TOO_LONG),
        ("86", Kind.TOO_SHORT),
        ("99912345678", Kind.NO_COUNTRY),
        ("1" * 300, Kind.TOO_LONG),
    ],
)
def test_a_number_in_full_is_of_one_kind(digits: str, kind: Kind) -> None:
    assert read_exactly(digits).kind is kind
    assert PlanReader().read(digits).kind is kind


def test_a_trunk_prefix_is_no_part_of_the_number() -> None:
    assert read_exactly("4407400123456") == Reading(Kind.MOBILE, 447400123456)


def test_calling_codes_go_by_region_and_by_number() -> None:
    assert (calling_code("CN"), calling_code("us"), calling_code("XX"), calling_code("")) == ("86", "1", "", "")
    assert [calling_code_of(number) for number in (8613812345678, 12125551234, 85261234567, 999, 0)] == [
        *("86", "1", "852", "", "")
    ]
