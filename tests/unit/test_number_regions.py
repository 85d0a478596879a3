"""Numbers counted by country and time zone are counted as libphonenumber's own functions would."""

from __future__ import annotations

from collections import Counter

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import timezone

from services.number_plan import time_zones_of
from services.number_regions import PlaceCounter
from services.numbers import region_of

BEGINNINGS = ["1", "1212", "1808", "44", "447", "7", "79", "77", "34", "852", "86138", "61", "590690", "999", "870"]
NUMBERS = st.builds(
    lambda beginning, rest: int((beginning + rest)[:13]),
    st.sampled_from(BEGINNINGS),
    st.text("0123456789", min_size=7, max_size=9),
)


@settings(deadline=None)
@given(st.lists(NUMBERS, max_size=20))
def test_every_number_is_counted_in_its_country_and_time_zones(numbers: list[int]) -> None:
    counter = PlaceCounter()
    for number in sorted(numbers):
        counter.add(number, 2)
    regions = Counter(None if region_of(number) == "001" else region_of(number) for number in numbers)
    assert dict(counter.countries()) == {region: 2 * count for region, count in regions.items()}
    zones = Counter(time_zones_of(number)[0] for number in numbers)
    assert counter.zones() == {zone: 2 * count for zone, count in zones.items()}


@settings(deadline=None)
@given(NUMBERS)
def test_time_zones_are_those_of_libphonenumber(number: int) -> None:
    digits = str(number)
    code = next(
        (digits[:n] for n in (1, 2, 3) if int(digits[:n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), digits[:3]
    )
    parsed = phonenumbers.PhoneNumber(country_code=int(code), national_number=int(digits[len(code) :] or 0))
    known = timezone.time_zones_for_geographical_number(parsed)
    expected = () if known == (timezone.UNKNOWN_TIMEZONE,) else tuple(known)
    if str(parsed.national_number) == digits[len(code) :]:
        assert time_zones_of(number)[0] == expected


@pytest.mark.parametrize(
    ("number", "zones"),
    [(1_212_555_0100, ("America/New_York",)), (7_916_123_4567, ("Europe/Moscow",)), (99_912_345_678, ())],
)
def test_an_area_code_says_where_it_is(number: int, zones: tuple[str, ...]) -> None:
    assert time_zones_of(number)[0] == zones


def test_the_most_numbers_come_first() -> None:
    counter = PlaceCounter()
    for number in (44_7400_123_456, 852_6412_3456, 852_6412_3457):
        counter.add(number)
    assert counter.countries() == [("HK", 2), ("GB", 1)]
