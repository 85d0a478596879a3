"""When people may be written to."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hours import MAINLAND_ZONE, is_outside_hours, may_send, next_allowed
from services.states import Region, SmsType

PROMOTIONAL, MAINLAND = SmsType.PROMOTIONAL, Region.MAINLAND
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 hypothesis wants naive bounds


def shanghai(clock: str, day: int = 4) -> datetime:
    at = datetime.combine(date(2026, 3, day), time.fromisoformat(clock), MAINLAND_ZONE)
    return at.astimezone(UTC)


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [("07:59:59", False), ("08:00", True), ("12:00", True), ("21:59:59", True), ("22:00", False), ("00:00", False)],
)
def test_carriers_take_promotional_sms_in_the_mainland_from_8_to_22(clock: str, allowed: bool) -> None:
    assert may_send(PROMOTIONAL, MAINLAND, shanghai(clock)) is allowed
    assert may_send(SmsType.NOTIFICATION, MAINLAND, shanghai(clock))
    assert may_send(PROMOTIONAL, Region.INTERNATIONAL, shanghai(clock))


@pytest.mark.parametrize(
    ("wanted", "next_one"),
    [
        (shanghai("22:00"), shanghai("08:00", 5)),
        (shanghai("23:59"), shanghai("08:00", 5)),
        (shanghai("00:00"), shanghai("08:00")),
        (shanghai("07:59:59"), shanghai("08:00")),
        (shanghai("10:30"), shanghai("10:30")),
    ],
)
def test_the_next_allowed_minute_is_the_coming_8_o_clock(wanted: datetime, next_one: datetime) -> None:
    assert next_allowed(wanted) == next_one


@given(MOMENTS)
def test_the_next_allowed_minute_is_allowed_and_none_before_it_is(moment: datetime) -> None:
    found = next_allowed(moment)
    assert may_send(PROMOTIONAL, MAINLAND, found)
    assert timedelta(0) <= found - moment <= timedelta(hours=10)
    assert found == moment or not may_send(PROMOTIONAL, MAINLAND, found - timedelta(seconds=1))


def test_civil_hours_are_those_of_the_zone_asked_for() -> None:
    noon_in_shanghai = shanghai("12:00")
    assert not is_outside_hours(noon_in_shanghai)
    assert is_outside_hours(noon_in_shanghai, ZoneInfo("Europe/London"))
    assert not is_outside_hours(shanghai("20:59"))
    assert is_outside_hours(shanghai("21:00"))
