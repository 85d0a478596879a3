"""The countries of many numbers at once, by libphonenumber's metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services import number_plan


class Run(NamedTuple):
    """Numbers of one region with none of another between them. `region` is as `RegionReader.region_of` gives it."""

    region: str | None
    first: int
    last: int
    size: int


class RegionReader:
    """Tells regions fast where numbers come in order: it asks once for all that share the digits that matter."""

    def __init__(self) -> None:
        self._plan = number_plan.PlanReader()
        self._region: str | None = None
        # The numbers around the last one that are of its region for certain.
        self.first, self.last = 1, 0

    def region_of(self, number: int) -> str | None:
        """ISO region ("CN"); None for worldwide services and where no region fits."""
        if not self.first <= number <= self.last:
            self._learn(number)
        return self._region

    def _learn(self, number: int) -> None:
        digits = str(number)
        self._plan.free = len(digits) - 1
        # A region is found by the same patterns as a reading.
        self._plan.read(digits)
        alike = 10**self._plan.free
        self.first = number // alike * alike
        self.last = self.first + alike - 1
        region = number_plan.region_of(number)
        self._region = None if region == "001" else region


class PlaceCounter:
    """Counts numbers by country and by the time zones they may be in; fast where they come in order."""

    def __init__(self) -> None:
        self._regions = RegionReader()
        self._places: Counter[tuple[str | None, tuple[str, ...]]] = Counter()
        self._place: tuple[str | None, tuple[str, ...]] = (None, ())
        self._first, self._last = 1, 0
        self._count = 0

    def add(self, number: int, messages: int = 1) -> None:
        """Count `messages` to this number."""
        if not self._first <= number <= self._last:
            self._settle()
            self._learn(number)
        self._count += messages

    def countries(self) -> list[tuple[str | None, int]]:
        """How many each region ("CN") has, most first; None for those of no country."""
        self._settle()
        found: Counter[str | None] = Counter()
        for (region, _), count in self._places.items():
            found[region] += count
        return sorted(found.items(), key=lambda each: (-each[1], each[0] or ""))

    def zones(self) -> dict[tuple[str, ...], int]:
        """How many there are for each set of time zones."""
        self._settle()
        found: Counter[tuple[str, ...]] = Counter()
        for (_, zones), count in self._places.items():
            found[zones] += count
        return dict(found)

    def _settle(self) -> None:
        if self._count:
            self._places[self._place] += self._count
            self._count = 0

    def _learn(self, number: int) -> None:
        region = self._regions.region_of(number)
        zones, length = number_plan.time_zones_of(number)
        alike = 10 ** (len(str(number)) - length)
        first = number // alike * alike
        self._place = region, zones
        self._first, self._last = max(first, self._regions.first), min(first + alike - 1, self._regions.last)


def runs(numbers: Iterable[int]) -> Iterator[Run]:
    """Put ascending numbers together by region."""
    reader = RegionReader()
    region: str | None = None
    first = last = size = 0
    for number in numbers:
        found = reader.region_of(number)
        if size and found != region:
            yield Run(region, first, last, size)
            size = 0
        if size == 0:
            region, first = found, number
        last = number
        size += 1
    if size:
        yield Run(region, first, last, size)
