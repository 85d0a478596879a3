"""Renaming, copying, merging, splitting and deleting groups; lists of them in pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from services.entries import Entries, check_lines
from services.errors import NotAllowed, UnknownThing
from services.group_changes import GroupChanges, part_name
from services.groups import Group
from services.models import customer_group, group_member
from services.states import SmsType
from tests.services.builders import ANA, BEN, CHANNEL, FIRST_NUMBER, Marketing, numbers

HONG_KONG, SATELLITE = 852_6123_4567, 870_123_456_789


@pytest.fixture
def changes(marketing: Marketing) -> GroupChanges:
    return GroupChanges(marketing.database, marketing.clock)


def members(marketing: Marketing, group: Group) -> list[int]:
    """The numbers of a group, whose size must be their count."""
    query = select(group_member.c.number).where(group_member.c.group_id == group.id).order_by(group_member.c.number)
    with marketing.database.read(everyone=True) as connection:
        found = list(connection.execute(query).scalars())
    assert marketing.groups.by_id(marketing.workspace_id, group.id).size == len(found)
    return found


def refused(rule: str, act: Callable[[], object]) -> NotAllowed:
    with pytest.raises(NotAllowed) as raised:
        act()
    assert raised.value.rule == rule
    return raised.value


def test_a_renamed_group_is_found_by_its_new_name_only(marketing: Marketing, changes: GroupChanges) -> None:
    group = marketing.a_group("vip", numbers(2))
    assert changes.rename(marketing.workspace_id, group.id, "  Gold   club ").name == "Gold club"
    assert marketing.groups.find(marketing.workspace_id, "gold club").size == 2
    with pytest.raises(UnknownThing):
        marketing.groups.find(marketing.workspace_id, "vip")


def test_a_group_may_change_the_case_of_its_name_but_not_take_anothers(
    marketing: Marketing, changes: GroupChanges
) -> None:
    group = marketing.a_group("vip")
    marketing.a_group("gold")
    assert changes.rename(marketing.workspace_id, group.id, "VIP").name == "VIP"
    refused("group_exists", lambda: changes.rename(marketing.workspace_id, group.id, "ＧＯＬＤ"))
    refused("group_name", lambda: changes.rename(marketing.workspace_id, group.id, " "))
    assert marketing.groups.by_id(marketing.workspace_id, group.id).name == "VIP"


def test_a_task_keeps_the_name_its_group_had(marketing: Marketing, changes: GroupChanges) -> None:
    task = marketing.a_confirmed_task(2)
    changes.rename(marketing.workspace_id, marketing.groups.find(marketing.workspace_id, "vip").id, "gold")
    assert marketing.task(task).groups == ("vip",)


def test_a_copy_is_a_group_of_its_own(marketing: Marketing, changes: GroupChanges) -> None:
    group = marketing.a_group("vip", numbers(3), SmsType.PROMOTIONAL)
    copied = changes.copy(marketing.workspace_id, group.id, "copy", BEN)
    assert (copied.sms_type, copied.size, copied.created_by) == (SmsType.PROMOTIONAL, 3, BEN)
    assert members(marketing, copied) == members(marketing, group) == numbers(3)
    changes.delete(marketing.workspace_id, group.id)
    assert members(marketing, copied) == numbers(3)
    refused("group_exists", lambda: changes.copy(marketing.workspace_id, copied.id, "COPY", BEN))


def test_merging_counts_a_number_in_both_once(marketing: Marketing, changes: GroupChanges) -> None:
    old, vip = marketing.a_group("old", numbers(4)), marketing.a_group("vip", numbers(3, FIRST_NUMBER + 2))
    merged = changes.merge(marketing.workspace_id, old.id, vip.id)
    assert (merged.name, merged.into.size, merged.added, merged.already) == ("old", 5, 2, 2)
    assert members(marketing, vip) == numbers(5)
    assert [group.name for group in marketing.groups.list(marketing.workspace_id)] == ["vip"]


def test_merged_imports_belong_to_the_other_group(marketing: Marketing, changes: GroupChanges) -> None:
    old, vip = marketing.a_group("old"), marketing.a_group("vip")
    entries = Entries(marketing.database, marketing.clock)
    entries.enter(marketing.workspace_id, old.id, check_lines("13800000001"), CHANNEL, ANA)
    changes.merge(marketing.workspace_id, old.id, vip.id)
    (listed,) = marketing.groups.page(marketing.workspace_id).groups
    assert (listed.group.id, listed.last_import) == (vip.id, marketing.clock.now())


def test_only_groups_of_one_type_merge_and_none_with_itself(marketing: Marketing, changes: GroupChanges) -> None:
    news, offers = marketing.a_group("news"), marketing.a_group("offers", sms_type=SmsType.PROMOTIONAL)
    error = refused("merge_types_differ", lambda: changes.merge(marketing.workspace_id, news.id, offers.id))
    assert error.facts == {
        "group": "news",
        "group_type": "notification",
        "other": "offers",
        "other_type": "promotional",
    }
    refused("merge_with_itself", lambda: changes.merge(marketing.workspace_id, news.id, news.id))


def test_a_group_is_split_by_country(marketing: Marketing, changes: GroupChanges) -> None:
    group = marketing.a_group("vip", [*numbers(3), HONG_KONG, SATELLITE], SmsType.PROMOTIONAL)
    assert changes.countries(marketing.workspace_id, group.id) == [("CN", 3), (None, 1), ("HK", 1)]
    parts = changes.split(marketing.workspace_id, group.id, BEN)
    assert [(part.name, part.size, part.sms_type) for part in parts] == [
        ("vip CN", 3, SmsType.PROMOTIONAL),
        ("vip HK", 1, SmsType.PROMOTIONAL),
        ("vip other", 1, SmsType.PROMOTIONAL),
    ]
    assert [members(marketing, part) for part in parts] == [numbers(3), [HONG_KONG], [SATELLITE]]
    assert len(members(marketing, group)) == 5


def test_nothing_is_split_of_one_country_or_over_a_group_that_is_there(
    marketing: Marketing, changes: GroupChanges
) -> None:
    one = marketing.a_group("one", numbers(3))
    refused("one_country", lambda: changes.split(marketing.workspace_id, one.id, ANA))
    two = marketing.a_group("two", [*numbers(1), HONG_KONG])
    marketing.a_group("TWO hk")
    assert (
        refused("group_exists", lambda: changes.split(marketing.workspace_id, two.id, ANA)).facts["group"] == "two HK"
    )
    assert len(marketing.groups.list(marketing.workspace_id)) == 3


@pytest.mark.parametrize(
    ("name", "region", "part"),
    [
        pytest.param("vip", "CN", "vip CN", id="short"),
        pytest.param("x" * 60, "CN", "x" * 57 + " CN", id="as long as a name may be"),
        pytest.param("a" * 56 + " bcd", "HK", "a" * 56 + " HK", id="no space is left before it"),
        pytest.param("vip", None, "vip other", id="of no country"),
    ],
)
def test_a_part_is_named_for_its_country(name: str, region: str | None, part: str) -> None:
    assert part_name(name, region) == part


def test_a_deleted_group_is_gone_with_its_numbers(marketing: Marketing, changes: GroupChanges) -> None:
    group, other = marketing.a_group("vip", numbers(3)), marketing.a_group("gold", numbers(2))
    assert changes.delete(marketing.workspace_id, group.id).size == 3
    with marketing.database.read(everyone=True) as connection:
        assert connection.execute(select(func.count()).select_from(group_member)).scalar_one() == 2
        assert connection.execute(select(customer_group.c.id)).scalars().all() == [other.id]


def test_what_refers_to_a_group_is_told_before_it_is_deleted(marketing: Marketing, changes: GroupChanges) -> None:
    task = marketing.a_confirmed_task(2, at=marketing.in_(timedelta(hours=1)))
    marketing.a_group("staff", numbers(1, FIRST_NUMBER + 7))
    excluding = marketing.confirmed(marketing.a_draft(exclude=["staff"], at=marketing.in_(timedelta(hours=2))))
    over = marketing.confirmed(marketing.a_draft(at=marketing.in_(timedelta(hours=3))))
    marketing.tasks.cancel(marketing.workspace_id, over.number, ANA)
    marketing.a_draft()
    vip, staff = (marketing.groups.find(marketing.workspace_id, name) for name in ("vip", "staff"))
    found = changes.references(marketing.workspace_id, vip.id)
    assert (found.tasks, found.drafts) == ([task.number, excluding.number], 1)
    assert changes.references(marketing.workspace_id, staff.id).tasks == [excluding.number]
    assert changes.references(marketing.workspace_id, 999).tasks == []


async def test_a_scheduled_task_is_sent_after_its_group_is_deleted(marketing: Marketing, changes: GroupChanges) -> None:
    marketing.a_confirmed_task(3, at=marketing.in_(timedelta(hours=1)))
    changes.delete(marketing.workspace_id, marketing.groups.find(marketing.workspace_id, "vip").id)
    marketing.clock.move(timedelta(hours=1))
    marketing.tasks.start_due()
    await marketing.send_all()
    assert marketing.carrier.numbers == numbers(3)


@pytest.mark.parametrize("excluded", [False, True], ids=["chosen", "excluded"])
def test_a_preview_of_a_deleted_group_sends_nothing(
    marketing: Marketing, changes: GroupChanges, excluded: bool
) -> None:
    marketing.a_group("vip", numbers(3))
    marketing.a_group("staff", numbers(1))
    draft = marketing.a_draft(exclude=["staff"])
    gone = marketing.groups.find(marketing.workspace_id, "staff" if excluded else "vip")
    changes.delete(marketing.workspace_id, gone.id)
    with pytest.raises(UnknownThing, match=gone.name):
        marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)
    assert marketing.reports.list(marketing.workspace_id) == []


def test_a_group_is_neither_deleted_nor_merged_while_a_file_is_taken_into_it(
    marketing: Marketing, changes: GroupChanges, tmp_path: Path
) -> None:
    group, other = marketing.a_group("vip"), marketing.a_group("gold")
    path = tmp_path / "a.csv"
    path.write_text("13800000001\n")
    running = marketing.an_import(path, group)
    refused("group_importing", lambda: changes.delete(marketing.workspace_id, group.id))
    refused("group_importing", lambda: changes.merge(marketing.workspace_id, group.id, other.id))
    marketing.imports.run(running, path, lambda progress: None)
    assert changes.delete(marketing.workspace_id, group.id).size == 1
    assert marketing.imports.get(marketing.workspace_id, running.id).group is None


def test_no_workspace_changes_anothers_groups(marketing: Marketing, changes: GroupChanges) -> None:
    group, mine = marketing.a_group("vip", numbers(2)), marketing.a_group("gold")
    for act in (
        lambda: changes.rename("T0OTHER", group.id, "x"),
        lambda: changes.copy("T0OTHER", group.id, "x", BEN),
        lambda: changes.merge("T0OTHER", group.id, mine.id),
        lambda: changes.countries("T0OTHER", group.id),
        lambda: changes.split("T0OTHER", group.id, BEN),
        lambda: changes.delete("T0OTHER", group.id),
    ):
        with pytest.raises(UnknownThing):
            act()
    assert changes.references("T0OTHER", group.id).tasks == []


def test_groups_come_in_pages_by_name(marketing: Marketing) -> None:
    for n in range(23):
        marketing.a_group(f"group {n:02}")
    page = marketing.groups.page(marketing.workspace_id, page=3)
    assert [each.group.name for each in page.groups] == ["group 20", "group 21", "group 22"]
    assert (page.page, page.pages, page.total) == (3, 3, 23)
    assert marketing.groups.page(marketing.workspace_id, page=99).page == 3
    assert marketing.groups.page(marketing.workspace_id, page=-1).page == 1


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        pytest.param("vi", ["Big VIPs", "vip"], id="a part of the name"),
        pytest.param("ＶＩＰ", ["Big VIPs", "vip"], id="whatever its width"),
        pytest.param("100%", ["100% off"], id="no pattern"),
        pytest.param("_", [], id="no pattern either"),
        pytest.param("zzz", [], id="none"),
    ],
)
def test_groups_are_found_by_a_part_of_their_name(marketing: Marketing, typed: str, found: list[str]) -> None:
    for name in ("vip", "Big VIPs", "100% off", "gold"):
        marketing.a_group(name)
    page = marketing.groups.page(marketing.workspace_id, typed)
    assert [each.group.name for each in page.groups] == found
    assert (page.total, page.pages) == (len(found), 1)


def test_a_list_says_when_a_group_was_last_imported_into_and_sent_to(marketing: Marketing) -> None:
    marketing.a_group("staff", numbers(1, FIRST_NUMBER + 9))
    vip = marketing.a_group("vip", numbers(2))
    marketing.confirmed(marketing.a_draft(at=marketing.in_(timedelta(hours=1))))
    listed = {each.group.name: each for each in marketing.groups.page(marketing.workspace_id).groups}
    assert (listed["vip"].last_import, listed["vip"].last_send) == (None, None)
    marketing.clock.move(timedelta(hours=1))
    sent_at = marketing.clock.now()
    marketing.tasks.start_due()
    marketing.clock.move(timedelta(hours=1))
    entries = Entries(marketing.database, marketing.clock)
    entries.enter(marketing.workspace_id, vip.id, check_lines("13800000009"), CHANNEL, ANA)
    marketing.confirmed(marketing.a_draft(exclude=["staff"]))
    listed = {each.group.name: each for each in marketing.groups.page(marketing.workspace_id).groups}
    assert (listed["vip"].last_import, listed["vip"].last_send) == (marketing.clock.now(), marketing.clock.now())
    assert sent_at < marketing.clock.now()
    assert (listed["staff"].last_import, listed["staff"].last_send) == (None, None)


def test_the_last_used_groups_come_first_in_menus(marketing: Marketing) -> None:
    for name in ("a", "b", "c"):
        marketing.a_group(name, numbers(1))
        marketing.clock.move(timedelta(minutes=1))
    assert [group.name for group in marketing.groups.recent(marketing.workspace_id)] == ["c", "b", "a"]
    marketing.confirmed(marketing.a_draft(["a"]))
    assert [group.name for group in marketing.groups.recent(marketing.workspace_id)] == ["a", "c", "b"]


@pytest.mark.parametrize("name", ["template", "exclude", "all", "group", "create"])
def test_a_group_named_like_a_keyword_is_a_group(marketing: Marketing, name: str) -> None:
    marketing.a_group(name, numbers(2))
    assert marketing.a_draft([name]).recipients == 2
