"""The customer pool: totals, where a number is, and what it was sent."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import number_regions
from services import numbers as number_rules
from services.entries import Entries, check_lines
from services.pool import Fate, Pool
from services.states import SmsType
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, Marketing, numbers
from tests.services.fakes import refuse

HONG_KONG, US, CANADA = 852_6123_4567, 1_202_555_0143, 1_416_555_0199


@pytest.fixture
def pool(marketing: Marketing) -> Pool:
    return Pool(marketing.database)


def test_totals_count_a_number_in_several_groups_once(marketing: Marketing, pool: Pool) -> None:
    marketing.a_group("vip", [*numbers(3), HONG_KONG])
    marketing.a_group("gold", [*numbers(2), US], SmsType.PROMOTIONAL)
    marketing.a_group("empty")
    totals = pool.totals(marketing.workspace_id)
    assert totals.numbers == 5
    assert totals.types == [(SmsType.NOTIFICATION, 4), (SmsType.PROMOTIONAL, 3)]
    assert totals.countries == [("CN", 3), ("US", 1), ("HK", 1)]
    assert [(group.name, group.size) for group in totals.groups] == [("vip", 4), ("gold", 3), ("empty", 0)]
    assert totals.group_count == 3


def test_an_empty_pool_has_totals_too(marketing: Marketing, pool: Pool) -> None:
    totals = pool.totals(marketing.workspace_id)
    assert (totals.numbers, totals.types, totals.countries, totals.groups) == (0, [], [], [])


def test_a_number_is_found_in_each_of_its_groups_with_its_import(marketing: Marketing, pool: Pool) -> None:
    gold, vip = marketing.a_group("gold", numbers(3)), marketing.a_group("vip")
    entered = Entries(marketing.database, marketing.clock)
    entered.enter(marketing.workspace_id, vip.id, check_lines("13800000009\n13800000001"), CHANNEL, ANA)
    found = pool.find(marketing.workspace_id, FIRST_NUMBER)
    assert found.region == "CN"
    assert [(each.group.name, each.row) for each in found.groups] == [("gold", 1), ("vip", 2)]
    unknown, typed = found.groups
    assert (unknown.since, unknown.file, unknown.by) == (None, None, None)
    assert (typed.since, typed.file, typed.by) == (marketing.clock.now(), "", ANA)
    assert gold.id == unknown.group.id


def test_a_number_nobody_knows_is_nowhere(marketing: Marketing, pool: Pool) -> None:
    marketing.a_confirmed_task(5)
    for number in (FIRST_NUMBER - 1, FIRST_NUMBER + 5, HONG_KONG):
        found = pool.find(marketing.workspace_id, number)
        assert (found.groups, found.messages, found.message_count) == ([], [], 0)


async def test_every_message_to_a_number_is_told_with_what_became_of_it(marketing: Marketing, pool: Pool) -> None:
    marketing.a_confirmed_task(3, group="first")
    await marketing.send_all()
    marketing.a_confirmed_task(4, group="second", first=FIRST_NUMBER - 2)
    marketing.carrier.will(refuse(FIRST_NUMBER))
    await marketing.send_all()
    marketing.a_confirmed_task(1, group="third", at=marketing.in_(timedelta(days=1)))
    cancelled = marketing.a_confirmed_task(1, group="fourth", at=marketing.in_(timedelta(days=1)))
    marketing.tasks.cancel(marketing.workspace_id, cancelled.number, ANA)
    marketing.a_confirmed_task(2, group="others", first=FIRST_NUMBER + 1)
    found = pool.find(marketing.workspace_id, FIRST_NUMBER)
    assert [(each.task, each.fate, each.code) for each in found.messages] == [
        (4, Fate.HELD_BACK, ""),
        (3, Fate.WAITING, ""),
        (2, Fate.REFUSED, "E200028"),
        (1, Fate.ACCEPTED, "000000"),
    ]
    assert {each.template for each in found.messages} == {"spring"}
    assert {each.carrier for each in found.messages} == {"huawei"}
    assert found.message_count == 4


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(FIRST_NUMBER, FIRST_NUMBER + 8), min_size=1))
def test_halving_finds_exactly_who_was_sent_to(marketing: Marketing, pool: Pool, chosen: set[int]) -> None:
    before = {number: pool.find(marketing.workspace_id, number).message_count for number in numbers(9)}
    marketing.a_group(f"of {marketing.groups.page(marketing.workspace_id).total}", chosen)
    names = [group.name for group in marketing.groups.recent(marketing.workspace_id)]
    newest = max(names, key=lambda name: int(name.removeprefix("of ")))
    marketing.confirmed(marketing.a_draft([newest]))
    for number, count in before.items():
        assert pool.find(marketing.workspace_id, number).message_count == count + (number in chosen)


@pytest.mark.parametrize(
    ("digits", "found"),
    [
        pytest.param("0002", [FIRST_NUMBER + 1, FIRST_NUMBER + 10_001], id="four digits"),
        pytest.param("00000002", [FIRST_NUMBER + 1], id="eight digits"),
        pytest.param("9999", [], id="none"),
    ],
)
def test_last_digits_find_numbers(marketing: Marketing, pool: Pool, digits: str, found: list[int]) -> None:
    marketing.a_group("vip", [*numbers(3), FIRST_NUMBER + 10_001])
    marketing.a_group("gold", numbers(3))
    assert pool.search(marketing.workspace_id, digits).numbers == found


def test_more_than_ten_hits_are_told(marketing: Marketing, pool: Pool) -> None:
    marketing.a_group("vip", [FIRST_NUMBER + n * 10_000 for n in range(11)])
    found = pool.search(marketing.workspace_id, "0001")
    assert (len(found.numbers), found.more) == (10, True)


def test_a_removed_number_is_in_no_group_and_sizes_stay_exact(marketing: Marketing, pool: Pool) -> None:
    for name, count in (("gold", 2), ("vip", 3), ("none", 0)):
        marketing.a_group(name, numbers(count))
    removed = pool.remove(marketing.workspace_id, FIRST_NUMBER)
    assert (removed.groups, removed.tasks) == (["gold", "vip"], [])
    assert pool.find(marketing.workspace_id, FIRST_NUMBER).groups == []
    sizes = {group.name: group.size for group in marketing.groups.list(marketing.workspace_id)}
    assert sizes == {"gold": 1, "vip": 2, "none": 0}
    again = pool.remove(marketing.workspace_id, FIRST_NUMBER)
    assert (again.groups, again.tasks) == ([], [])


async def test_a_confirmed_task_keeps_its_copy_of_a_removed_number(marketing: Marketing, pool: Pool) -> None:
    marketing.a_confirmed_task(1, group="sent")
    await marketing.send_all()
    scheduled = marketing.a_confirmed_task(2, at=marketing.in_(timedelta(hours=1)))
    assert pool.remove(marketing.workspace_id, FIRST_NUMBER).tasks == [scheduled.number]
    marketing.clock.move(timedelta(hours=1))
    marketing.tasks.start_due()
    await marketing.send_all()
    assert marketing.carrier.numbers.count(FIRST_NUMBER) == 2


def test_no_workspace_sees_or_removes_anothers_numbers(marketing: Marketing, pool: Pool) -> None:
    other = Marketing(marketing.database, workspace_id="T0OTHER")
    other.a_confirmed_task(3)
    assert pool.totals(marketing.workspace_id).numbers == 0
    found = pool.find(marketing.workspace_id, FIRST_NUMBER)
    assert (found.groups, found.messages) == ([], [])
    assert pool.search(marketing.workspace_id, "0001").numbers == []
    assert pool.remove(marketing.workspace_id, FIRST_NUMBER).groups == []
    assert pool.find("T0OTHER", FIRST_NUMBER).message_count == 1


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(10_000, 10**15 - 1)))
def test_countries_told_in_order_are_those_told_one_by_one(chosen: set[int]) -> None:
    ordered = sorted([*chosen, US, US + 1, CANADA, HONG_KONG, 7_701_000_0000, 7_901_000_0000, 44_7781_000_000])
    told = list(number_regions.runs(ordered))
    assert sum(run.size for run in told) == len(ordered)
    assert all(one.last < other.first and one.region != other.region for one, other in pairwise(told))
    by_number = {number: run.region for run in told for number in ordered if run.first <= number <= run.last}
    for number in ordered:
        region = number_rules.region_of(number)
        assert by_number[number] == (None if region == "001" else region)
