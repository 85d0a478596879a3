"""Numbers, shares, times and names as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.views.words import (
    as_plain,
    bar,
    bold,
    counted,
    duration,
    escape,
    listed,
    moment,
    named,
    number,
    person,
    share,
)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        pytest.param(0, 0, "0 %", id="nothing of nothing"),
        pytest.param(0, 10, "0 %", id="none"),
        pytest.param(10, 10, "100 %", id="all"),
        pytest.param(1, 1, "100 %", id="the only one"),
        pytest.param(1, 2, "50.0 %", id="half"),
        pytest.param(1, MILLION := 1_000_000, "0.1 %", id="one of a million is not none"),
        pytest.param(MILLION - 1, MILLION, "99.9 %", id="one missing of a million is not all"),
        pytest.param(9996, 10_000, "99.9 %", id="rounding up is not all"),
        pytest.param(2, 3, "66.7 %", id="rounded"),
    ],
)
def test_a_share_says_all_or_none_only_where_it_is_exact(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_no_share_lies(part: int, rest: int) -> None:
    whole = part + rest
    shown = share(part, whole)
    assert (shown == "100 %") == (whole > 0 and part == whole)
    assert (shown == "0 %") == (part == 0)
    assert 0 <= float(shown.removesuffix(" %")) <= 100
    if whole:
        assert abs(float(shown.removesuffix(" %")) - part / whole * 100) <= 0.11


@given(st.text())
def test_a_bold_name_is_one_bold_piece_that_mentions_nobody(name: str) -> None:
    shown = bold(name)
    assert not set("<>") & set(shown)
    assert "&" not in re.sub("&(amp|lt|gt);", "", shown)
    assert shown.count("*") == 2 or not name.replace("*", "").replace("`", "").strip()


@given(st.text())
def test_escaped_text_reads_as_it_was(text: str) -> None:
    shown = escape(text)
    assert not set("<>") & set(shown)
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


def test_plain_text_has_neither_marks_nor_escapes() -> None:
    assert as_plain("There is no group *a &lt;b&gt; &amp; c*. `/sms-groups` lists them.") == (
        "There is no group a <b> & c. /sms-groups lists them."
    )


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
    ],
)
def test_a_list_reads_as_a_sentence(names: list[str], shown: str) -> None:
    assert listed(names) == shown


def test_many_names_are_named_in_part() -> None:
    assert named(list("abcde")) == "*a*, *b*, *c*, *d* and *e*"
    assert named([f"g{n}" for n in range(1005)], most=2) == "*g0*, *g1* and 1,003 more"
    assert named(list("abc"), "or", 2) == "*a*, *b* or one of 1 more"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 customers"), (1, "1 customer"), (12_480, "12,480 customers"), (10**6, "1,000,000 customers")],
)
def test_a_count_takes_its_noun_with_it(value: int, shown: str) -> None:
    assert counted(value, "customer") == shown


def test_a_noun_may_have_its_own_plural() -> None:
    assert counted(2, "number is", "numbers are") == "2 numbers are"
    assert number(-12480) == "-12,480"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        pytest.param(0, "0.0 s", id="none"),
        pytest.param(2.14, "2.1 s", id="seconds"),
        pytest.param(59.94, "59.9 s", id="just under a minute"),
        pytest.param(59.96, "1 min 0 s", id="rounds to a minute, not to 60.0 s"),
        pytest.param(185, "3 min 5 s", id="minutes"),
        pytest.param(3599.7, "1 h 0 min", id="rounds to an hour, not to 60 min"),
        pytest.param(3840, "1 h 4 min", id="hours"),
        pytest.param(90_000, "25 h 0 min", id="more than a day"),
    ],
)
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    assert duration(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(("part", "filled"), [(-1, 0), (0, 0), (0.001, 1), (0.5, 10), (0.999, 19), (1, 20), (7, 20)])
def test_a_bar_begins_at_once_and_is_full_only_at_the_end(part: float, filled: int) -> None:
    assert bar(part) == "▓" * filled + "░" * (20 - filled)


def test_a_moment_is_shown_in_each_readers_zone_and_falls_back_to_utc() -> None:
    utc = datetime(2026, 12, 24, 9, 30, tzinfo=UTC)
    assert moment(utc) == "<!date^1798104600^{date_short_pretty} at {time}|24 Dec 2026 09:30 UTC>"
    assert moment(utc.astimezone(timezone(timedelta(hours=8)))) == moment(utc)


def test_a_person_is_mentioned_by_id() -> None:
    assert person("U0ANA") == "<@U0ANA>"
