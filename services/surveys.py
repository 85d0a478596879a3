"""Counts what a send would be: who gets it, who does not and why, where they are, what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection

from services import text
from services.audiences import Audience, Left, count_left_out, recipients
from services.hours import MAINLAND_ZONE, is_outside_hours
from services.number_regions import PlaceCounter
from services.states import Region
from services.variables import Columns, people

SAMPLES = 3
MISSING_SHOWN = 5
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class MissingRow:
    """A row that lacks the values of some variables."""

    row: int
    number: int
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Survey:
    """`recipients` counts messages, `numbers` those they go to. `segments_each` is the most that one copy has.

    `duplicates` are rows that add nothing, because their number stands elsewhere with the same values. `missing` counts
    rows that lack a value, by the names of the variables; the first few of them are in `missing_rows`. `countries` and
    `zones` share the messages out; zones are all that a number may be in.
    """

    recipients: int
    numbers: int
    segments_each: int
    segments: int
    left: Left
    duplicates: int
    samples: Sequence[tuple[int, str]]
    countries: Sequence[tuple[str | None, int]]
    zones: Mapping[tuple[str, ...], int]
    missing: Mapping[str, int]
    missing_count: int
    missing_rows: Sequence[MissingRow]

    def outside_hours(self, at: datetime) -> int:
        """How many messages come, or may come, outside 08:00–21:00 on their recipients' clocks."""
        return sum(count for zones, count in self.zones.items() if any(_is_outside(zone, at) for zone in zones))


def survey(connection: Connection, audience: Audience, body: str, columns: Columns | None) -> Survey:
    """Count it all; `body` is the text with its signature, `columns` what fills its variables."""
    left = count_left_out(connection, audience)
    if columns is not None:
        return _survey_rows(connection, audience, body, columns, left)
    each = text.segments(body, audience.region)
    wanted = recipients(audience).order_by("number")
    samples = connection.execute(wanted.limit(SAMPLES)).scalars().all()
    places = PlaceCounter()
    if audience.region is Region.INTERNATIONAL:
        for number in connection.execute(wanted, execution_options={"yield_per": _ROWS_AT_ONCE}).scalars():
            places.add(number)
    counted = left.recipients + left.excluded + left.outside_region + left.opted_out
    return Survey(
        recipients=left.recipients,
        numbers=left.recipients,
        segments_each=each,
        segments=each * left.recipients,
        left=left,
        duplicates=audience.size - counted,
        samples=[(number, body) for number in samples],
        countries=_countries(audience, places, left.recipients),
        zones=_zones(audience, places, left.recipients),
        missing={},
        missing_count=0,
        missing_rows=(),
    )


def _survey_rows(connection: Connection, audience: Audience, body: str, columns: Columns, left: Left) -> Survey:
    counter = text.SegmentCounter(body, columns.names, audience.region)
    places, is_abroad = PlaceCounter(), audience.region is Region.INTERNATIONAL
    copies = persons = segments = most = equal = missing_count = 0
    samples: list[tuple[int, str]] = []
    missing: dict[str, int] = {}
    missing_rows: list[MissingRow] = []
    for person in people(connection, audience, columns, body):
        equal += person.equal
        for row, names in person.missing:
            missing_count += 1
            missing.update({name: missing.get(name, 0) + 1 for name in names})
            if len(missing_rows) < MISSING_SHOWN:
                missing_rows.append(MissingRow(row, person.number, names))
        if not person.copies:
            continue
        persons += 1
        copies += len(person.copies)
        if is_abroad:
            places.add(person.number, len(person.copies))
        for copy in person.copies:
            each = counter.count(copy.values)
            segments += each
            most = max(most, each)
            if len(samples) < SAMPLES:
                samples.append((person.number, text.fill(body, columns.names, copy.values)))
    return Survey(
        recipients=copies,
        numbers=persons,
        segments_each=most,
        segments=segments,
        left=left,
        duplicates=equal,
        samples=samples,
        countries=_countries(audience, places, copies),
        zones=_zones(audience, places, copies),
        missing=missing,
        missing_count=missing_count,
        missing_rows=missing_rows,
    )


def _countries(audience: Audience, places: PlaceCounter, count: int) -> list[tuple[str | None, int]]:
    return [("CN", count)] if audience.region is Region.MAINLAND else places.countries()


def _zones(audience: Audience, places: PlaceCounter, count: int) -> dict[tuple[str, ...], int]:
    return {(MAINLAND_ZONE.key,): count} if audience.region is Region.MAINLAND else places.zones()


def _is_outside(zone: str, at: datetime) -> bool:
    try:
        return is_outside_hours(at, ZoneInfo(zone))
    except ZoneInfoNotFoundError:
        return False
