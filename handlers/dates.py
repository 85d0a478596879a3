"""A day as people type it in a filter. What is not understood wholly is refused."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.errors import ServiceError

_NEAR = {"today": 0, "今天": 0, "yesterday": -1, "昨天": -1, "tomorrow": 1, "明天": 1}
_DATE = re.compile(r"(20\d\d)([-/.])(\d{1,2})\2(\d{1,2})")


class UnclearDay(ServiceError):
    """`value` is no day."""

    def __init__(self, value: str) -> None:
        super().__init__(f"unclear day: {value!r}")
        self.value = value


def parse_day(text: str, now: datetime, zone: ZoneInfo) -> date:
    """The day that `text` means to someone in `zone` at `now`. Raises UnclearDay."""
    wanted = unicodedata.normalize("NFKC", text).strip().lower()
    if wanted in _NEAR:
        return now.astimezone(zone).date() + timedelta(days=_NEAR[wanted])
    found = _DATE.fullmatch(wanted)
    if found is None:
        raise UnclearDay(text)
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        raise UnclearDay(text) from None


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Its first moment there, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
