"""The countries of many numbers at once, by libphonenumber's metadata."""

from __future__ import annotations

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
        self._first, self._last = 1, 0

    def region_of(self, number: int) -> str | None:
        """ISO region ("CN"); None for worldwide services and where no region fits."""
        if not self._first <= number <= self._last:
            self._learn(number)
        return self._region

    def _learn(self, number: int) -> None:
        digits = str(number)
        self._plan.free = len(digits) - 1
        # A region is found by the same patterns as a reading.
        self._plan.read(digits)
        alike = 10**self._plan.free
        self._first = number // alike * alike
        self._last = self._first + alike - 1
        region = number_plan.region_of(number)
        self._region = None if region == "001" else region


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
