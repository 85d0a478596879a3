"""The strict grammar of `at:`, in English and Chinese. What is not understood wholly is refused, never guessed.

A day and a time in either order, a time alone (today), or a delay. A time is on the 24-hour clock (`10:00`) or says
which half of the day it means (`10am`, `上午10点`).
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.errors import ServiceError


class UnclearTime(ServiceError):
    """`value` is not in the grammar; `examples` are, in the language of `value`."""

    def __init__(self, value: str, examples: Sequence[str]) -> None:
        super().__init__(f"unclear time: {value!r}")
        self.value, self.examples = value, tuple(examples)


class PastTime(ServiceError):
    """`value` means `moment` (UTC), which is over; `suggestion`, where there is one, is the same time tomorrow."""

    def __init__(self, value: str, moment: datetime, suggestion: str | None = None) -> None:
        super().__init__(f"past time: {value!r}")
        self.value, self.moment, self.suggestion = value, moment, suggestion


class TooFarAhead(ServiceError):
    """`value` means `moment` (UTC), after `latest`, which is one calendar month from now (the consoles' rule)."""

    def __init__(self, value: str, moment: datetime, latest: datetime) -> None:
        super().__init__(f"too far ahead: {value!r}")
        self.value, self.moment, self.latest = value, moment, latest


class SkippedTime(ServiceError):
    """`value` is a time that clocks in `zone` jump over that day; `instead` (UTC) is later by as much as they jump."""

    def __init__(self, value: str, zone: str, instead: datetime) -> None:
        super().__init__(f"skipped time: {value!r}")
        self.value, self.zone, self.instead = value, zone, instead


def parse_time(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The moment (UTC) that `text` means to someone in `zone` at `now` (aware): later than now, by a month at most.

    Raises UnclearTime, PastTime, TooFarAhead or SkippedTime. An hour that a clock change doubles is the first one;
    show `describe_time`, which tells the two apart.
    """
    wanted = _normal(text)
    local = now.astimezone(zone)
    latest = _a_month_after(local)
    suggestion = None
    if delay := _delay(wanted):
        moment = (now + delay).astimezone(UTC).replace(microsecond=0)
    elif meant := _days_and_clock(wanted, local.date()):
        days, clock = meant
        moment = _moment(text, days[0], clock, zone)
        if moment <= now and len(days) > 1:
            again = _moment(text, days[1], clock, zone)
            # "5 Jan" said in November is too far ahead; "1 Nov" said then is over.
            moment = again if again <= latest or again - now < now - moment else moment
        if days[0] == local.date():
            suggestion = f"{'明天' if _is_chinese(wanted) else 'tomorrow'} {clock:%H:%M}"
    else:
        raise UnclearTime(text, _examples(wanted, local))
    if moment <= now:
        raise PastTime(text, moment, suggestion)
    if moment > latest:
        raise TooFarAhead(text, moment, latest)
    return moment


def describe_time(moment: datetime, zone: ZoneInfo) -> str:
    """`Mon 23 Nov 2026, 10:00 (Europe/Madrid, UTC+1)`: the same to every reader, also in an hour that comes twice."""
    local = moment.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    shift = f"{'-' if offset < timedelta() else '+'}{hours}" + (f":{minutes:02}" if minutes else "")
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    day = f"{_WEEKDAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"
    return f"{day}, {clock} ({zone.key}, UTC{shift if offset else ''})"


def is_doubled(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks in `zone` show this time twice that day."""
    local = moment.astimezone(zone)
    return local.replace(fold=0).utcoffset() > local.replace(fold=1).utcoffset()  # type: ignore[operator] # both aware


def _moment(text: str, day: date, clock: time, zone: ZoneInfo) -> datetime:
    wall = datetime.combine(day, clock)
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != wall:
        raise SkippedTime(text, zone.key, moment)
    return moment


def _a_month_after(local: datetime) -> datetime:
    year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    day = min(local.day, monthrange(year, month)[1])
    return local.replace(year=year, month=month, day=day).astimezone(UTC)


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _examples(wanted: str, local: datetime) -> tuple[str, ...]:
    day = local.date() + timedelta(days=7)
    if _is_chinese(wanted):
        return "明天上午10点", "周五 18:00", f"{day.month}月{day.day}日 10:00", "30分钟后"
    return "tomorrow 10:00", "monday 9am", f"{day.day} {_MONTHS[day.month - 1]} 10:00", "in 2 hours"


def _is_chinese(wanted: str) -> bool:
    return re.search("[\u4e00-\u9fff]", wanted) is not None


# ---- spelling


_CHINESE_DIGITS = dict(zip("零〇一二两兩三四五六七八九", (0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_CHINESE_NUMBER = re.compile(
    "[零〇一二两兩三四五六七八九十]{1,3}(?=[点點时時分月日号號])|(?<=[点點时時])[一二三四五六七八九十]{1,3}$"
)


def _normal(text: str) -> str:
    """Lower case, one width, `am` without dots, Chinese numerals as digits, no spaces beside Chinese characters."""
    wanted = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    wanted = re.sub(r"\b([ap])\.m\b\.?", r"\1m", wanted)
    wanted = re.sub("(?<=[\u4e00-\u9fff]) | (?=[\u4e00-\u9fff])", "", wanted)
    return _CHINESE_NUMBER.sub(_in_digits, wanted)


def _in_digits(found: re.Match[str]) -> str:
    tens, ten, ones = found[0].rpartition("十")
    if len(tens) > 1 or len(ones) > 1 or tens == "十":
        return found[0]
    if not ten:
        return str(_CHINESE_DIGITS[ones])
    return str((_CHINESE_DIGITS[tens] if tens else 1) * 10 + (_CHINESE_DIGITS[ones] if ones else 0))


# ---- delays

_DELAYS = (
    re.compile(r"in (?P<hours>\d{1,4}) ?(?:hours?|hrs?|h)(?: (?:and )?(?P<minutes>\d{1,5}) ?(?:minutes?|mins?|m))?"),
    re.compile(r"in (?P<minutes>\d{1,5}) ?(?:minutes?|mins?|m)"),
    re.compile(r"(?P<hours>\d{1,4})个?(?:小时|钟头)(?:(?P<minutes>\d{1,5})分钟?)?[后後]"),
    re.compile(r"(?P<minutes>\d{1,5})分钟?[后後]"),
    re.compile(r"(?P<half>半)个?小时[后後]"),
)


def _delay(wanted: str) -> timedelta | None:
    for pattern in _DELAYS:
        if found := pattern.fullmatch(wanted):
            parts = found.groupdict()
            minutes = 30 if "half" in parts else int(parts["minutes"] or 0)
            return timedelta(hours=int(parts.get("hours") or 0), minutes=minutes)
    return None


# ---- a day and a time


def _days_and_clock(wanted: str, today: date) -> tuple[list[date], time] | None:
    """The days `wanted` can mean, earliest first (a weekday comes again, so does a date without year), and the time."""
    wanted = re.sub("^(?:at|on) ", "", wanted)
    if clock := _clock(wanted):
        return [today], clock
    for pattern, days_of in _DAYS:
        for found in pattern.finditer(wanted):
            before, after = wanted[: found.start()], wanted[found.end() :]
            days = days_of(found, today)
            clock = _clock(re.sub("^,? (?:at )?", "", after) if not before else re.sub(",? (?:on )?$", "", before))
            if days and clock and not (before and after):
                return days, clock
    return None


_NEAR_DAYS = {"today": 0, "tomorrow": 1, "今天": 0, "今日": 0, "今": 0, "明天": 1, "明日": 1, "明": 1}
_NEAR_DAYS |= {"后天": 2, "後天": 2, "大后天": 3, "大後天": 3}


def _near_day(found: re.Match[str], today: date) -> list[date]:
    return [today + timedelta(days=_NEAR_DAYS[found[1]])]


def _weekday(found: re.Match[str], today: date) -> list[date]:
    """Alone it is the coming one; with "this" or "next" the one of this or the next week, which begins on Monday."""
    which, name = found.groups()
    weekday = _CHINESE_WEEKDAYS[name] if name in _CHINESE_WEEKDAYS else _WEEKDAYS.index(name[:3].title())
    if which is None:
        coming = today + timedelta(days=(weekday - today.weekday()) % 7)
        return [coming, coming + timedelta(days=7)]
    weeks = 1 if which in ("next", "下") else 0
    return [today + timedelta(days=weekday - today.weekday() + 7 * weeks)]


def _full_date(found: re.Match[str], _: date) -> list[date]:
    return _on(int(found["year"]), int(found["month"]), int(found["day"]))


def _date(found: re.Match[str], today: date) -> list[date]:
    month, day = found["month"], int(found["day"])
    number = int(month) if month.isdecimal() else _MONTHS.index(month[:3].title()) + 1
    if found["year"]:
        return _on(int(found["year"]), number, day)
    return _on(today.year, number, day) + _on(today.year + 1, number, day)


def _on(year: int, month: int, day: int) -> list[date]:
    try:
        return [date(year, month, day)]
    except ValueError:
        return []


_CHINESE_WEEKDAYS = dict(zip("一二三四五六日天", (0, 1, 2, 3, 4, 5, 6, 6), strict=True))
_WEEKDAY_NAMES = "mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
_MONTH_NAME = (
    "(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY_OF_MONTH = r"(?<!\d)(?P<day>\d{1,2})(?:st|nd|rd|th)?(?!\d)"
_YEAR = r"(?:,? (?P<year>20\d\d)(?!\d))?"
_DaysOf = Callable[[re.Match[str], date], list[date]]
_DAYS: tuple[tuple[re.Pattern[str], _DaysOf], ...] = (
    (re.compile("(today|tomorrow|今天|今日|明天|明日|大后天|大後天|后天|後天|[今明](?=[早晚]))"), _near_day),
    (re.compile(rf"(?:(this|next) )?\b({_WEEKDAY_NAMES})\b"), _weekday),
    (re.compile("([这這本下])?个?(?:周|週|星期|礼拜)([一二三四五六日天])"), _weekday),
    (
        re.compile(r"(?<!\d)(?P<year>20\d\d)([-/])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?!\d)(?:t(?=\d))?"),
        _full_date,
    ),
    (re.compile(rf"{_DAY_OF_MONTH} (?:of )?{_MONTH_NAME}{_YEAR}"), _date),
    (re.compile(rf"{_MONTH_NAME} {_DAY_OF_MONTH}{_YEAR}"), _date),
    (re.compile(r"(?:(?<!\d)(?P<year>20\d\d)年)?(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号號]"), _date),
)

# The hours of the 24-hour clock that a part of the day can mean; any other is unclear (上午12点, 晚上12点).
_PARTS_OF_DAY = {"am": range(12), "pm": range(12, 24), "凌晨": range(6), "上午": range(1, 12), "中午": range(11, 15)}
_PARTS_OF_DAY |= dict.fromkeys(("清晨", "早上", "早晨", "早"), range(4, 12))
_PARTS_OF_DAY |= {"下午": range(12, 20), "傍晚": range(16, 21), "晚上": range(17, 24), "晚": range(17, 24)}
_PARTS_OF_HOUR = {"半": 30, "一刻": 15, "三刻": 45, "整": 0, None: 0}
_CLOCK = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?")
_HALF_DAY_CLOCK = re.compile(r"(?P<hour>1[0-2]|0?[1-9])(?::(?P<minute>\d\d))? ?(?P<part>am|pm)")
_CHINESE_CLOCK = re.compile(
    f"(?P<part>{'|'.join(part for part in _PARTS_OF_DAY if _is_chinese(part))})?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d)|[点點时時](?:(?P<minutes>\d\d|\d{1,2}分)|(?P<quarter>半|一刻|三刻|整))?)"
)


def _clock(words: str) -> time | None:
    for pattern in (_CLOCK, _HALF_DAY_CLOCK, _CHINESE_CLOCK):
        if found := pattern.fullmatch(words):
            parts = found.groupdict()
            hour = _hour(int(parts["hour"]), parts.get("part"), is_exact=":" in words)
            spelled = parts["minute"] or (parts.get("minutes") or "").rstrip("分")
            minute = int(spelled) if spelled else _PARTS_OF_HOUR[parts.get("quarter")]
            second = int(parts.get("second") or 0)
            return time(hour, minute, second) if hour is not None and minute < 60 and second < 60 else None
    return None


def _hour(hour: int, part: str | None, *, is_exact: bool) -> int | None:
    """The hour from 0 to 23; None for one that the part of the day does not have, or that could be in either half."""
    if part is None:
        return hour if hour < 24 and (is_exact or hour > 12) else None
    if part in ("am", "pm"):
        hour %= 12
    return next((meant for meant in (hour, hour + 12) if meant in _PARTS_OF_DAY[part]), None)
