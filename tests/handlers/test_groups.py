"""The list of groups and everything that is done from it, over real services."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import update

from handlers import arguments, group_changes, groups
from handlers.arguments import write_pair
from handlers.groups import PAGE_SIZE, Grouping
from handlers.replies import Block, FieldErrors, OpenForm, Replace, Reply, Say, SendFile
from handlers.requests import Command
from handlers.views import group_changes as change_views
from handlers.views import groups as views
from handlers.views.countries import country
from sandbox.slack.blocks import check_view
from sandbox.slack.posting import UPDATE_TEXT, read_content
from services.entries import Entries, check_lines
from services.errors import NotAllowed, UnknownThing
from services.group_changes import GroupChanges, Merged, References
from services.group_exports import GroupExports
from services.groups import Group, GroupPage, ListedGroup
from services.models import group_member
from services.states import SmsType
from tests.handlers.samples import EVIL, LONGEST, MILLION, NOW, a_group, clicked, sent, typed
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, WORKSPACE, Marketing, numbers

HONG_KONG = 852_6123_4567


@pytest.fixture
def grouping(marketing: Marketing) -> Grouping:
    database = marketing.database
    return Grouping(marketing.groups, GroupChanges(database, marketing.clock), GroupExports(database))


def line(text: str = "") -> Command:
    return typed(text, "/sms-groups")


def shown(reply: Reply) -> str:
    """All that a private answer says; it is within Slack's limits."""
    assert isinstance(reply, Say | Replace), reply
    read_content({"text": reply.text, "blocks": reply.blocks}, longest_text=UPDATE_TEXT)
    assert not [text for text in mrkdwn([{"type": "mrkdwn", "text": reply.text}, *reply.blocks]) if "<!channel" in text]
    return f"{reply.text}\n{reply.blocks}"


def mrkdwn(node: Any) -> list[str]:
    """Every text that Slack reads marks in."""
    if isinstance(node, list):
        return [text for each in node for text in mrkdwn(each)]
    if not isinstance(node, dict):
        return []
    return [node["text"]] if node.get("type") == "mrkdwn" else mrkdwn([*node.values()])


def opened(reply: Reply) -> OpenForm:
    assert isinstance(reply, OpenForm), reply
    assert check_view({**reply.view, "private_metadata": "x" * 3000}) == []
    return reply


def refused(reply: Reply) -> dict[str, str]:
    """What stands under a form's fields."""
    assert isinstance(reply, FieldErrors), reply
    return dict(reply.errors)


def elements(reply: Reply, action_id: str) -> list[Block]:
    assert isinstance(reply, Say | Replace)
    return [each for block in reply.blocks for each in block.get("elements", ()) if each.get("action_id") == action_id]


def more(grouping: Grouping, what: str, group: Group) -> Reply:
    """An entry of the menu beside a group."""
    return group_changes.more(clicked(f"{what}:{group.id}"), grouping)


def test_the_list_says_what_is_in_each_group_and_what_was_done_with_it(
    marketing: Marketing, grouping: Grouping
) -> None:
    marketing.a_group("staff")
    marketing.confirmed(marketing.a_draft([marketing.a_group("vip", numbers(3)).name]))
    text = shown(groups.command(line(), grouping))
    assert "*vip* · notification\\n3 customers · no import yet · last send <!date^" in text
    assert "*staff* · notification\\n0 customers · no import yet · never sent to" in text


def test_each_group_has_the_consoles_operations_and_the_rest_behind_a_menu(
    marketing: Marketing, grouping: Grouping
) -> None:
    group = marketing.a_group("vip")
    listed = groups.command(line(), grouping)
    for action in (views.SEND, views.IMPORT, views.ENTER, views.EXPORT):
        assert [each["value"] for each in elements(listed, action)] == [str(group.id)]
    (menu,) = elements(listed, views.MORE)
    whats = [option["value"].partition(":") for option in menu["options"]]
    assert [what for what, _, key in whats if key == str(group.id)] == ["rename", "merge", "copy", "split", "delete"]


def test_pages_are_turned_in_place_and_keep_the_filter(marketing: Marketing, grouping: Grouping) -> None:
    for n in range(PAGE_SIZE + 2):
        marketing.a_group(f"group: {n:02}")
    marketing.a_group("vip")
    first = groups.command(line('name:"group:"'), grouping)
    assert "page 1 of 2, 10 in all" in shown(first)
    assert not elements(first, views.PREVIOUS_PAGE)
    (following,) = elements(first, views.NEXT_PAGE)
    second = groups.turn_page(clicked(following["value"]), grouping)
    assert isinstance(second, Replace)
    assert "group: 09" in shown(second)
    assert "vip" not in shown(second)
    (back,) = elements(second, views.PREVIOUS_PAGE)
    assert not elements(second, views.NEXT_PAGE)
    assert "group: 00" in shown(groups.turn_page(clicked(back["value"]), grouping))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("name:vi", "*vip*", id="by a part of the name"),
        pytest.param("name:zzz", "No group has *zzz* in its name", id="none"),
        pytest.param("", "*gold*", id="all"),
    ],
)
def test_groups_are_listed_by_name(marketing: Marketing, grouping: Grouping, text: str, says: str) -> None:
    marketing.a_group("vip")
    marketing.a_group("gold")
    assert says in shown(groups.command(line(text), grouping))


def test_without_groups_it_says_how_to_make_one(grouping: Grouping) -> None:
    assert "Drop a spreadsheet" in shown(groups.command(line(), grouping))


def test_a_group_is_created_by_the_command_or_the_form(marketing: Marketing, grouping: Grouping) -> None:
    assert "*spring sale* is there, for promotional SMS" in shown(
        groups.command(line('create name:"spring sale" type:Promotional'), grouping)
    )
    opened(groups.new_group(clicked("new"), grouping))
    shown(groups.submit_new_group(sent(name="vip", sms_type="notification"), grouping))
    assert [group.name for group in marketing.groups.list(WORKSPACE)] == ["spring sale", "vip"]
    assert (
        "exists already" in refused(groups.submit_new_group(sent(name="VIP", sms_type="promotional"), grouping))["name"]
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("create type:promotional", NotAllowed, id="no name"),
        pytest.param("create name:vip", NotAllowed, id="no type"),
        pytest.param("type:promotional", NotAllowed, id="a type alone"),
        pytest.param("create name:vip type:verification", NotAllowed, id="verification"),
        pytest.param("create name:vip type:news", UnknownThing, id="no such type"),
        pytest.param("destroy name:vip", UnknownThing, id="no such action"),
    ],
)
def test_a_mistyped_command_makes_nothing(
    marketing: Marketing, grouping: Grouping, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        groups.command(line(text), grouping)
    assert marketing.groups.list(WORKSPACE) == []


@pytest.mark.parametrize(
    "name", ["vip", "spring sale", "template", "exclude", "all", 'the "best"', "a,b", "金卡：会员"]
)
def test_import_file_says_exactly_what_to_write_beside_the_file(
    marketing: Marketing, grouping: Grouping, name: str
) -> None:
    group = marketing.a_group(name)
    pair = write_pair("group", name)
    assert pair in shown(groups.import_file(clicked(group.id), grouping)).replace("\\'", "'")
    assert arguments.find_one(f"here it is {pair}", "group") == name
    assert arguments.parse(f"{pair} template:spring", ("group", "template")).all("group") == [name]


def test_a_group_is_renamed_in_a_form_that_names_what_is_wrong(marketing: Marketing, grouping: Grouping) -> None:
    group = marketing.a_group("vip")
    marketing.a_group("gold")
    form = opened(more(grouping, views.RENAME, group))
    assert form.view["blocks"][0]["element"]["initial_value"] == "vip"
    assert "exists already" in refused(group_changes.submit_rename(sent(form.context, name="Gold"), grouping))["name"]
    renamed = group_changes.submit_rename(sent(form.context, name="春季"), grouping)
    assert renamed == Say("Group *vip* is now called *春季*.")
    assert marketing.groups.find(WORKSPACE, "春季").id == group.id


def test_a_group_is_copied(marketing: Marketing, grouping: Grouping) -> None:
    group = marketing.a_group("vip", numbers(3))
    form = opened(more(grouping, views.COPY, group))
    assert "exists already" in refused(group_changes.submit_copy(sent(form.context, name="vip"), grouping))["name"]
    assert group_changes.submit_copy(sent(form.context, name="copy"), grouping) == Say(
        "Group *copy* is there, with the 3 numbers of *vip*."
    )


def test_a_group_is_merged_into_one_of_its_type(marketing: Marketing, grouping: Grouping) -> None:
    vip, gold = marketing.a_group("vip", numbers(3)), marketing.a_group("gold", numbers(2))
    marketing.a_group("offers", sms_type=SmsType.PROMOTIONAL)
    form = opened(more(grouping, views.MERGE, vip))
    options = form.view["blocks"][1]["element"]["options"]
    assert [option["value"] for option in options] == [str(gold.id)]
    merged = group_changes.submit_merge(sent(form.context, into=gold.id), grouping)
    assert merged == Say("Group *vip* is merged into *gold*, which has 1 more: 3 customers. 2 were there already.")
    assert "no longer there" in refused(group_changes.submit_merge(sent(form.context, into=gold.id), grouping))["into"]


def test_without_another_group_of_its_type_there_is_nothing_to_merge_into(
    marketing: Marketing, grouping: Grouping
) -> None:
    group = marketing.a_group("vip")
    marketing.a_group("offers", sms_type=SmsType.PROMOTIONAL)
    assert "no other notification group" in shown(more(grouping, views.MERGE, group))


def test_a_split_shows_its_counts_before_it_is_made(marketing: Marketing, grouping: Grouping) -> None:
    group = marketing.a_group("vip", [*numbers(3), HONG_KONG])
    asked = more(grouping, views.SPLIT, group)
    assert "into 2 groups, named like *vip CN*? It stays as it is." in shown(asked)
    assert "• mainland China (CN): 3 customers\\n• Hong Kong (HK): 1 customer" in shown(asked)
    assert len(marketing.groups.list(WORKSPACE)) == 1
    (button,) = elements(asked, change_views.SPLIT)
    made = group_changes.split(clicked(button["value"]), grouping)
    assert made == Replace("There are 2 new groups: *vip CN* (3) and *vip HK* (1).")
    with pytest.raises(NotAllowed, match="group_exists"):
        group_changes.split(clicked(button["value"]), grouping)


@pytest.mark.parametrize("count", [0, 3])
def test_a_group_of_one_country_or_none_is_not_split(marketing: Marketing, grouping: Grouping, count: int) -> None:
    asked = more(grouping, views.SPLIT, marketing.a_group("vip", numbers(count)))
    assert "nothing to split" in shown(asked)
    assert not elements(asked, change_views.SPLIT)


def test_deleting_asks_and_says_what_refers_to_the_group(marketing: Marketing, grouping: Grouping) -> None:
    task = marketing.a_confirmed_task(3, at=marketing.in_(timedelta(hours=1)))
    marketing.a_draft()
    group = marketing.groups.find(WORKSPACE, "vip")
    asked = more(grouping, views.DELETE, group)
    assert "Delete *vip* with its 3 numbers? This cannot be taken back." in shown(asked)
    assert f"Task {task.number} keeps their own copy" not in shown(asked)
    assert f"Task {task.number} keeps its own copy of the recipients and goes on as confirmed." in shown(asked)
    assert "1 preview of it can no longer be sent." in shown(asked)
    (button,) = elements(asked, change_views.DELETE)
    (leave,) = elements(asked, change_views.LEAVE)
    assert group_changes.leave(clicked(leave["value"]), grouping) == Replace("Nothing was changed.")
    deleted = group_changes.delete(clicked(button["value"]), grouping)
    assert deleted == Replace("Group *vip* is deleted, with its 3 numbers.")
    with pytest.raises(UnknownThing):
        group_changes.delete(clicked(button["value"]), grouping)


def exported(grouping: Grouping, group: Group, kind: str, path: Path) -> Path:
    form = opened(group_changes.export_form(clicked(group.id), grouping))
    reply = group_changes.submit_export(sent(form.context, kind=kind), grouping)
    assert isinstance(reply, SendFile)
    assert reply.say.endswith("are in our direct messages.")
    reply.write(path / reply.name)
    return path / reply.name


def with_attributes(marketing: Marketing, number: int, attributes: str) -> None:
    with marketing.database.write(everyone=True) as tx:
        tx.execute(update(group_member).where(group_member.c.number == number).values(attributes=attributes))
        tx.commit()


def filled(marketing: Marketing) -> Group:
    """Two numbers, one of them typed, with other columns that differ."""
    group = marketing.a_group("vip/gold: 2026", [FIRST_NUMBER])
    entries = Entries(marketing.database, marketing.clock)
    entries.enter(WORKSPACE, group.id, check_lines("\n85261234567"), CHANNEL, ANA)
    with_attributes(marketing, FIRST_NUMBER, '{"Name": "=1+1", "City": "上海"}')
    with_attributes(marketing, HONG_KONG, '{"City": "香港", "Note": "+852"}')
    return marketing.groups.by_id(WORKSPACE, group.id)


HEADERS = ["Number", "Country", "In the group since (UTC)", "Imported from", "Row", "City", "Note", "Name"]


def test_a_group_comes_as_a_workbook_with_all_that_is_known(
    marketing: Marketing, grouping: Grouping, tmp_path: Path
) -> None:
    path = exported(grouping, filled(marketing), "xlsx", tmp_path)
    assert path.name == "vip gold 2026.xlsx"
    book = load_workbook(path)
    rows = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()]
    assert rows == [
        HEADERS,
        ["+85261234567", "HK", "2026-03-04 02:00", "typed", "2", "香港", "+852", None],
        ["+8613800000001", "CN", None, None, "1", "上海", None, "=1+1"],
    ]
    assert {cell.data_type for row in book.worksheets[0].iter_rows(min_row=2) for cell in row} <= {"s", "n"}


def test_a_csv_holds_the_same_and_no_cell_is_a_formula(
    marketing: Marketing, grouping: Grouping, tmp_path: Path
) -> None:
    path = exported(grouping, filled(marketing), "csv", tmp_path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        HEADERS,
        ["85261234567", "HK", "2026-03-04 02:00", "typed", "2", "香港", "'+852", ""],
        ["8613800000001", "CN", "", "", "1", "上海", "", "'=1+1"],
    ]


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_an_exported_file_is_imported_without_loss(
    marketing: Marketing, grouping: Grouping, tmp_path: Path, kind: str
) -> None:
    path = exported(grouping, filled(marketing), kind, tmp_path)
    again = marketing.imported(path, marketing.a_group("again"))
    assert (again.imported, again.rejects) == (2, 0)


@pytest.mark.parametrize("name", LONGEST)
def test_every_answer_holds_the_longest_names_and_largest_counts(name: str) -> None:
    group = a_group(name)
    page = GroupPage([ListedGroup(group, NOW, NOW)] * PAGE_SIZE, 2, 3, MILLION)
    countries: list[tuple[str | None, int]] = [(None, MILLION), *((code, MILLION) for code in _CODES)]
    for reply in (
        views.group_list(page, name),
        views.group_list(GroupPage([], 1, 1, 0), name),
        change_views.ask_split(group, countries),
        change_views.ask_split(group, countries[:1]),
        Say(change_views.was_split([group] * 240)),
        change_views.ask_delete(group, References(range(1_000_000, 1_001_000), MILLION)),
        change_views.ask_delete(group, References([], 0)),
        Say(change_views.merged(Merged(name, group, MILLION, MILLION))),
        Say(change_views.renamed(name, group)),
        Say(change_views.copied(group, group)),
        Say(change_views.deleted(group)),
        Say(change_views.merge_impossible(group)),
    ):
        shown(reply)
    forms: list[Callable[[], Any]] = [
        lambda: change_views.rename_form(group),
        lambda: change_views.copy_form(group),
        lambda: change_views.export_form(group),
        lambda: change_views.merge_form(group, [a_group(name, id=n) for n in range(150)]),
    ]
    for form in forms:
        opened(OpenForm(form()))


_CODES = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJ"]


def test_a_menu_that_does_not_hold_all_groups_says_so() -> None:
    form = change_views.merge_form(a_group(), [a_group(EVIL, id=n) for n in range(101)])
    assert "the 100 groups last used" in str(form)
    assert "last used" not in str(change_views.merge_form(a_group(), [a_group(EVIL)]))


@pytest.mark.parametrize(
    ("region", "name"), [("HK", "Hong Kong (HK)"), ("CN", "mainland China (CN)"), ("ZZ", "ZZ"), (None, "no country")]
)
def test_a_country_is_named(region: str | None, name: str) -> None:
    assert country(region) == name
