"""What `at:` understands, and that it refuses all else. It is Wednesday 18 November 2026, 12:30 in Madrid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.times import PastTime, SkippedTime, TooFarAhead, UnclearTime, describe_time, is_doubled, parse_time

MADRID = ZoneInfo("Europe/Madrid")
SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 18, 11, 30, tzinfo=UTC)

UNDERSTOOD = {
    "18:00": "2026-11-18 18:00",
    "18:00:30": "2026-11-18 18:00:30",
    "at 18:00": "2026-11-18 18:00",
    "7pm": "2026-11-18 19:00",
    "10:30pm": "2026-11-18 22:30",
    "10:30 P.M.": "2026-11-18 22:30",
    "today 18:00": "2026-11-18 18:00",
    "Today at 6pm": "2026-11-18 18:00",
    "tomorrow 10:00": "2026-11-19 10:00",
    "TOMORROW   10:00": "2026-11-19 10:00",
    "tomorrow 9am": "2026-11-19 09:00",
    "tomorrow, 9 am": "2026-11-19 09:00",
    "tomorrow 12am": "2026-11-19 00:00",
    "tomorrow 12pm": "2026-11-19 12:00",
    "tomorrow 00:00": "2026-11-19 00:00",
    "10:00 tomorrow": "2026-11-19 10:00",
    "monday 9am": "2026-11-23 09:00",
    "mon 9am": "2026-11-23 09:00",
    "on monday at 9am": "2026-11-23 09:00",
    "9am on monday": "2026-11-23 09:00",
    "next Monday 9am": "2026-11-23 09:00",
    "next friday 9am": "2026-11-27 09:00",
    "friday 9am": "2026-11-20 09:00",
    "this friday 9am": "2026-11-20 09:00",
    "wednesday 18:00": "2026-11-18 18:00",
    "wednesday 9am": "2026-11-25 09:00",
    "2026-12-01 10:00": "2026-12-01 10:00",
    "2026-12-01T10:00": "2026-12-01 10:00",
    "2026/12/1 10:00": "2026-12-01 10:00",
    "1 Dec 10:00": "2026-12-01 10:00",
    "1st of December 10:00": "2026-12-01 10:00",
    "Dec 1 10:00": "2026-12-01 10:00",
    "Dec 1, 2026 at 10:00": "2026-12-01 10:00",
    "10am on 1 Dec 2026": "2026-12-01 10:00",
    "18 dec 12:30": "2026-12-18 12:30",
    "in 1 minute": "2026-11-18 12:31",
    "in 30 minutes": "2026-11-18 13:00",
    "in 30min": "2026-11-18 13:00",
    "in 2 hours": "2026-11-18 14:30",
    "in 2h 15m": "2026-11-18 14:45",
    "in 1 hour and 30 minutes": "2026-11-18 14:00",
    "明天上午10点": "2026-11-19 10:00",
    "明天 上午 10 点": "2026-11-19 10:00",
    "明天 10:00": "2026-11-19 10:00",
    "明天１０：００": "2026-11-19 10:00",
    "明早9点": "2026-11-19 09:00",
    "后天下午3点半": "2026-11-20 15:30",
    "後天下午三點一刻": "2026-11-20 15:15",
    "大后天下午两点整": "2026-11-21 14:00",
    "今天晚上8点": "2026-11-18 20:00",
    "今晚8点05": "2026-11-18 20:05",
    "下午3:30": "2026-11-18 15:30",
    "明天15点20分": "2026-11-19 15:20",
    "明天中午12点": "2026-11-19 12:00",
    "明天凌晨0点30分": "2026-11-19 00:30",
    "明天早上八点三十": "2026-11-19 08:30",
    "12月1日 10:00": "2026-12-01 10:00",
    "2026年12月1号上午十点": "2026-12-01 10:00",
    "十二月一日上午十点": "2026-12-01 10:00",
    "下周一上午9点": "2026-11-23 09:00",
    "下星期日上午9点": "2026-11-29 09:00",
    "周五 18:00": "2026-11-20 18:00",
    "本周五 18:00": "2026-11-20 18:00",
    "上午10点周日": "2026-11-22 10:00",
    "30分钟后": "2026-11-18 13:00",
    "2个小时后": "2026-11-18 14:30",
    "1小时30分钟后": "2026-11-18 14:00",
    "半小时后": "2026-11-18 13:00",
}

UNCLEAR = [
    *(
        "",
        " ",
        "now",
        "soon",
        "10",
        "10:3",
        "1000",
        "25:00",
        "10:60",
        "24:00",
        "13pm",
        "0am",
        "tomorrow",
        "tomorrow at 10",
    ),
    *("morning", "tomorrow morning", "tomorrow noon", "monday", "next week", "10:00 10:00", "10:00 tomorrow maybe"),
    *("tomorrow monday 9am", "9am-10am", "every monday 9am", "last monday 9am", "not tomorrow 9am", "dec 110:00"),
    *("12/1 10:00", "31 feb 10:00", "32 dec 10:00", "2026-13-01 10:00", "1999-12-01 10:00", "2026-12-01", "1 dec"),
    *("2026-12-01T10:00Z", "2026-12-01 10:00+01:00", "10:00 UTC", "in 5", "in minutes", "in 0 minutes", "in two hours"),
    *(
        "10.30",
        "明天",
        "明天10点",
        "明天十点半",
        "10点",
        "晚上12点",
        "上午12点",
        "晚上3点",
        "下下周一上午9点",
        "上周一上午9点",
    ),
    *(
        "每周一上午9点",
        "明天或后天上午10点",
        "明天上午10点前",
        "13月1日 10:00",
        "二十十点",
        "一二点",
        "明天上午10点61分",
    ),
]


@pytest.mark.parametrize(("text", "wall"), UNDERSTOOD.items(), ids=UNDERSTOOD)
def test_a_time_in_the_grammar_is_that_moment(text: str, wall: str) -> None:
    expected = datetime.fromisoformat(wall).replace(tzinfo=MADRID).astimezone(UTC)
    assert parse_time(text, NOW, MADRID) == expected


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_is_not_understood_wholly_is_refused_with_examples_that_are(text: str) -> None:
    with pytest.raises(UnclearTime) as refused:
        parse_time(text, NOW, MADRID)
    assert refused.value.value == text
    assert [parse_time(example, NOW, MADRID) for example in refused.value.examples]


def test_examples_are_in_the_language_of_the_question() -> None:
    with pytest.raises(UnclearTime) as refused:
        parse_time("明天10点", NOW, MADRID)
    assert refused.value.examples[0] == "明天上午10点"


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("10:00", "tomorrow 10:00"),
        ("10am", "tomorrow 10:00"),
        ("12:30", "tomorrow 12:30"),
        ("today 9am", "tomorrow 09:00"),
        ("上午10点", "明天 10:00"),
        ("2026-11-18 10:00", "tomorrow 10:00"),
        ("2026-11-01 10:00", None),
        ("1 nov 10:00", None),
        ("this monday 9am", None),
        ("本周一上午9点", None),
    ],
)
def test_a_past_time_is_refused_and_today_becomes_tomorrow(text: str, suggestion: str | None) -> None:
    with pytest.raises(PastTime) as refused:
        parse_time(text, NOW, MADRID)
    assert refused.value.moment <= NOW
    assert refused.value.suggestion == suggestion
    if suggestion:
        assert parse_time(suggestion, NOW, MADRID) > NOW


@pytest.mark.parametrize(
    "text", ["18 dec 12:31", "2026-12-19 10:00", "2027-11-19 10:00", "5 jan 10:00", "in 800 hours"]
)
def test_more_than_a_calendar_month_ahead_is_refused(text: str) -> None:
    with pytest.raises(TooFarAhead) as refused:
        parse_time(text, NOW, MADRID)
    assert refused.value.latest == datetime(2026, 12, 18, 11, 30, tzinfo=UTC)
    assert refused.value.moment > refused.value.latest


def test_a_month_from_the_31st_ends_with_the_shorter_month() -> None:
    now = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)
    assert parse_time("28 feb 09:00", now, ZoneInfo("UTC")) == datetime(2027, 2, 28, 9, 0, tzinfo=UTC)
    with pytest.raises(TooFarAhead):
        parse_time("28 feb 09:01", now, ZoneInfo("UTC"))


def test_a_date_without_year_said_in_december_is_in_the_next_year() -> None:
    assert parse_time("5 jan 10:00", datetime(2026, 12, 20, 9, 0, tzinfo=UTC), ZoneInfo("UTC")).year == 2027


def test_the_same_words_are_another_moment_in_another_zone() -> None:
    assert parse_time("tomorrow 10:00", NOW, SHANGHAI) == datetime(2026, 11, 19, 2, 0, tzinfo=UTC)
    assert parse_time("tomorrow 10:00", NOW, NEW_YORK) == datetime(2026, 11, 19, 15, 0, tzinfo=UTC)


def test_today_is_the_persons_day_not_utcs() -> None:
    evening = datetime(2026, 11, 18, 20, 0, tzinfo=UTC)
    assert parse_time("today 10:00", evening, SHANGHAI) == datetime(2026, 11, 19, 2, 0, tzinfo=UTC)


def test_an_hour_that_clocks_jump_over_is_refused() -> None:
    with pytest.raises(SkippedTime) as refused:
        parse_time("2027-03-28 02:30", datetime(2027, 3, 20, 9, 0, tzinfo=UTC), MADRID)
    assert refused.value.zone == "Europe/Madrid"
    assert describe_time(refused.value.instead, MADRID) == "Sun 28 Mar 2027, 03:30 (Europe/Madrid, UTC+2)"


def test_an_hour_that_comes_twice_is_its_first_and_is_described_unambiguously() -> None:
    first = parse_time("2026-10-25 02:30", datetime(2026, 10, 20, 9, 0, tzinfo=UTC), MADRID)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert describe_time(first, MADRID) == "Sun 25 Oct 2026, 02:30 (Europe/Madrid, UTC+2)"
    assert describe_time(first + timedelta(hours=1), MADRID) == "Sun 25 Oct 2026, 02:30 (Europe/Madrid, UTC+1)"


@pytest.mark.parametrize(
    ("wall", "zone", "doubled"),
    [
        ("2026-10-25 01:59", MADRID, False),
        ("2026-10-25 02:00", MADRID, True),
        ("2026-10-25 02:59", MADRID, True),
        ("2026-10-25 03:00", MADRID, False),
        ("2026-11-01 01:30", NEW_YORK, True),
        ("2027-03-28 03:30", MADRID, False),
        ("2026-10-25 02:30", SHANGHAI, False),
    ],
)
def test_a_time_that_clocks_show_twice_is_known(wall: str, zone: ZoneInfo, doubled: bool) -> None:
    local = datetime.fromisoformat(wall).replace(tzinfo=zone)
    assert is_doubled(local.astimezone(UTC), zone) is doubled
    assert is_doubled(local.replace(fold=1).astimezone(UTC), zone) is doubled


def test_a_delay_counts_real_minutes_across_a_clock_change() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert parse_time("in 2 hours", before, MADRID) == before + timedelta(hours=2)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Madrid", "Mon 23 Nov 2026, 10:00 (Europe/Madrid, UTC+1)"),
        ("UTC", "Mon 23 Nov 2026, 09:00 (UTC, UTC)"),
        ("America/New_York", "Mon 23 Nov 2026, 04:00 (America/New_York, UTC-5)"),
        ("Asia/Kolkata", "Mon 23 Nov 2026, 14:30 (Asia/Kolkata, UTC+5:30)"),
        ("America/St_Johns", "Mon 23 Nov 2026, 05:30 (America/St_Johns, UTC-3:30)"),
        ("Asia/Shanghai", "Mon 23 Nov 2026, 17:00 (Asia/Shanghai, UTC+8)"),
    ],
)
def test_a_moment_is_described_with_zone_and_offset(zone: str, text: str) -> None:
    assert describe_time(datetime(2026, 11, 23, 9, 0, tzinfo=UTC), ZoneInfo(zone)) == text


WORDS = [*"0123456789:/-., ", "today", "tomorrow", "next", "monday", "fri", "dec", "may", "am", "pm", "in", "at", "on"]
WORDS += [
    "hours",
    "minutes",
    "2026",
    "10:00",
    "9am",
    "明天",
    "今",
    "周",
    "一",
    "日",
    "月",
    "年",
    "点",
    "半",
    "分",
    "十",
    "下",
    "上午",
    "晚",
]
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 hypothesis wants naive bounds
ZONES = st.sampled_from([MADRID, SHANGHAI, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")])


@settings(deadline=None)
@given(st.text() | st.lists(st.sampled_from(WORDS), max_size=8).map("".join), MOMENTS, ZONES)
def test_any_text_is_a_moment_in_the_coming_month_or_refused(text: str, now: datetime, zone: ZoneInfo) -> None:
    try:
        moment = parse_time(text, now, zone)
    except (UnclearTime, PastTime, TooFarAhead, SkippedTime):
        return
    assert now < moment <= now + timedelta(days=31, hours=2)
    assert moment.tzinfo is UTC


@settings(deadline=None)
@given(st.integers(1, 27 * 24 * 60), MOMENTS, ZONES)
def test_a_date_written_out_is_read_back(minutes: int, now: datetime, zone: ZoneInfo) -> None:
    moment = (now + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    wall = moment.astimezone(zone)
    if moment <= now or wall.fold:
        return
    for text in (
        f"{wall:%Y-%m-%d %H:%M}",
        f"{wall:%H:%M} {wall.day} {wall:%b}",
        f"{wall.month}月{wall.day}日 {wall:%H:%M}",
    ):
        assert parse_time(text, now, zone) == moment
