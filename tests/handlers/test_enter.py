"""`/sms-enter`: the form, what it says of wrong lines, and what becomes of the right ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from handlers import enter
from handlers.enter import Entering
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.requests import Submission
from handlers.views import enter as views
from sandbox.slack.blocks import check_view
from sandbox.slack.posting import UPDATE_TEXT, read_content
from services.entries import Entries, check_lines
from services.errors import NotAllowed, UnknownThing
from services.pool import Pool
from services.states import SmsType
from tests.handlers.samples import ANA_HERE, LONGEST, MILLION, a_group, an_import, clicked, typed
from tests.services.builders import WORKSPACE, Marketing, numbers

RIGHT = "13800000001\n85261234567\n13800000001"
WRONG = "13800000001\n1380013800\n\n00852 6123 4567 ext 5\nhello"


@pytest.fixture
def entering(marketing: Marketing) -> Entering:
    return Entering(Entries(marketing.database, marketing.clock), marketing.groups, marketing.imports)


def filled(text: str, *ticked: str, **fields: object) -> Submission:
    """Ana sends the form."""
    values = {"group": "", "name": "", "sms_type": "", "wrong": "", **{k: str(v) for k, v in fields.items()}}
    return Submission(**ANA_HERE, values={**values, "numbers": text}, lists={"wrong": ticked})


def opened(reply: Reply) -> dict[str, Any]:
    """The form's fields by block id."""
    assert isinstance(reply, OpenForm), reply
    assert check_view({**reply.view, "private_metadata": "x" * 3000}) == []
    return {block["block_id"]: block for block in reply.view["blocks"] if block["type"] == "input"}


def errors(reply: Reply) -> dict[str, str]:
    assert isinstance(reply, FieldErrors), reply
    return dict(reply.errors)


def said(reply: Reply) -> str:
    assert isinstance(reply, Say | Replace), reply
    read_content({"text": reply.text, "blocks": reply.blocks}, longest_text=UPDATE_TEXT)
    return f"{reply.text}\n{reply.blocks}"


def test_the_form_has_the_consoles_fields(marketing: Marketing, entering: Entering) -> None:
    marketing.a_group("vip")
    fields = opened(enter.command(typed("", "/sms-enter"), entering))
    assert list(fields) == ["numbers", "wrong", "group", "name", "sms_type"]
    assert fields["numbers"]["element"]["multiline"] is True
    assert [fields[name]["optional"] for name in fields] == [False, True, True, True, True]


def test_without_a_group_a_new_one_must_be_named(entering: Entering) -> None:
    fields = opened(enter.command(typed("", "/sms-enter"), entering))
    assert list(fields) == ["numbers", "wrong", "name", "sms_type"]
    assert not fields["name"]["optional"]


def test_the_group_named_or_clicked_is_chosen(marketing: Marketing, entering: Entering) -> None:
    vip = marketing.a_group("vip")
    for n in range(110):
        marketing.a_group(f"group {n}")
    for reply in (
        enter.command(typed('group:"VIP"', "/sms-enter"), entering),
        enter.open_form(clicked(vip.id), entering),
    ):
        field = opened(reply)["group"]
        assert field["element"]["initial_option"]["value"] == str(vip.id)
        assert "the 100 groups last used. /sms-enter group:name takes any." in field["hint"]["text"]
    with pytest.raises(UnknownThing):
        enter.command(typed("group:zzz", "/sms-enter"), entering)


def test_right_lines_go_into_an_existing_group(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip", numbers(1), SmsType.PROMOTIONAL)
    text = said(enter.submit(filled(RIGHT, group=group.id), entering))
    assert text.startswith(
        "1 imported · 1 already in the group · 1 of these read as country code + number · 1 duplicate left out · "
        "you are not charged for those"
    )
    assert "*vip*, which now has 2 customers" in text


def test_right_lines_go_into_a_new_group(marketing: Marketing, entering: Entering) -> None:
    said(enter.submit(filled(RIGHT, name="gold", sms_type="promotional"), entering))
    (group,) = marketing.groups.list(WORKSPACE)
    assert (group.name, group.sms_type, group.size) == ("gold", SmsType.PROMOTIONAL, 2)


def test_numbers_of_the_workspaces_own_region_need_no_country_code(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip")
    form = filled("6123 4567\n13800000001\n85261234568", group=group.id)
    assert "*1 imported*" not in str(enter.submit(form, entering)), "in the mainland it is too short"
    answer = enter.submit(replace(form, region="HK"), entering)
    assert "*3 imported* · 1 of these read as country code + number" in said(answer)
    fields = opened(enter.command(typed("", "/sms-enter", region="HK"), entering))
    assert "numbers of Hong Kong (HK) as dialled there" in fields["numbers"]["hint"]["text"]


def test_each_wrong_line_is_named_and_nothing_is_taken(marketing: Marketing, entering: Entering) -> None:
    found = errors(enter.submit(filled(WRONG, name="gold", sms_type="promotional"), entering))
    assert found == {
        "numbers": "Line 2 (1380013800): too short. "
        "Line 4 (00852 6123 4567 ext 5): a number with an extension; did you mean +85261234567? "
        "Line 5 (hello): not a phone number. Correct them, or tick below to leave them out."
    }
    assert marketing.groups.list(WORKSPACE) == []


def test_ticked_the_right_ones_are_taken_and_the_wrong_ones_left_out(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip")
    text = said(enter.submit(filled(WRONG, views.LEAVE_OUT, group=group.id), entering))
    assert "*1 imported* · 3 wrong left out" in text
    assert marketing.groups.by_id(WORKSPACE, group.id).size == 1


def test_a_number_in_no_assigned_range_is_taken_where_ticked(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip")
    assert "in no assigned range" in errors(enter.submit(filled("12000000000", group=group.id), entering))["numbers"]
    kept = enter.submit(filled("12000000000", views.KEEP_SET_ASIDE, group=group.id), entering)
    assert "*1 imported*" in said(kept)


def test_where_no_line_is_right_nothing_is_made(marketing: Marketing, entering: Entering) -> None:
    found = errors(enter.submit(filled("hello", views.LEAVE_OUT, name="gold", sms_type="promotional"), entering))
    assert "Line 1 (hello)" in found["numbers"]
    assert marketing.groups.list(WORKSPACE) == []


def buttons(reply: Reply) -> dict[str, dict[str, Any]]:
    """The answer's buttons by their text."""
    assert isinstance(reply, Say | Replace), reply
    (row,) = [block for block in reply.blocks if block["type"] == "actions"]
    return {element["text"]["text"]: element for element in row["elements"]}


def test_what_was_set_aside_is_kept_with_one_press(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip")
    text = "13800000001\n12000000000\n021 6437 4321\nhello"
    answer = enter.submit(filled(text, views.LEAVE_OUT, group=group.id), entering)
    assert "*1 imported* · 1 wrong left out · 2 set aside · you are not charged for those" in said(answer)
    assert list(buttons(answer)) == ["Send SMS", "Keep these 2 anyway", "Undo"]
    kept = enter.keep(clicked(buttons(answer)["Keep these 2 anyway"]["value"]), entering)
    assert isinstance(kept, Replace)
    assert "*3 imported* · 1 wrong left out · you are not charged for those" in said(kept)
    assert "which now has 3 customers · 2 that were set aside were kept" in said(kept)
    assert list(buttons(kept)) == ["Send SMS", "Undo"]


def test_typed_numbers_can_be_undone(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip", numbers(1))
    answer = enter.submit(filled("\n".join(map(str, numbers(3))), group=group.id), entering)
    undo = buttons(answer)["Undo"]
    assert undo["confirm"]["text"]["text"] == "The numbers that you added are taken out of vip again."
    undone = enter.undo(clicked(undo["value"]), entering)
    assert isinstance(undone, Replace)
    assert undone.text == "Undone: the 2 numbers that you added are out of *vip*."
    assert marketing.groups.by_id(WORKSPACE, group.id).size == 1
    with pytest.raises(NotAllowed, match="not_undoable"):
        enter.undo(clicked(undo["value"]), entering)


def test_undoing_says_how_many_were_still_there(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip")
    answer = enter.submit(filled("\n".join(map(str, numbers(3))), group=group.id), entering)
    pool = Pool(marketing.database)
    for number in numbers(2):
        pool.remove(WORKSPACE, number)
    undone = enter.undo(clicked(buttons(answer)["Undo"]["value"]), entering)
    assert isinstance(undone, Replace)
    assert undone.text == "Undone: the 1 number that you added is out of *vip*."
    answer = enter.submit(filled("13800000001", group=group.id), entering)
    pool.remove(WORKSPACE, numbers(1)[0])
    undone = enter.undo(clicked(buttons(answer)["Undo"]["value"]), entering)
    assert isinstance(undone, Replace)
    assert undone.text == "Undone: *vip* had none of the numbers that you added any more."


def test_where_nothing_is_new_there_is_nothing_to_undo(marketing: Marketing, entering: Entering) -> None:
    group = marketing.a_group("vip", numbers(2))
    assert list(buttons(enter.submit(filled("13800000001", group=group.id), entering))) == ["Send SMS"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("\n".join(map(str, numbers(101))), "101 lines", id="more than 100"),
        pytest.param(" \n ", "no number", id="none"),
    ],
)
def test_too_many_lines_or_none_are_told(marketing: Marketing, entering: Entering, text: str, says: str) -> None:
    assert says in errors(enter.submit(filled(text, group=marketing.a_group("vip").id), entering))["numbers"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({}, "name", id="no group"),
        pytest.param({"name": "  "}, "name", id="only spaces"),
        pytest.param({"name": "gold"}, "sms_type", id="no type"),
        pytest.param({"name": "vip", "sms_type": "promotional"}, "name", id="a name that is taken"),
        pytest.param({"group": 1, "name": "gold"}, "name", id="both"),
        pytest.param({"group": 999}, "group", id="a group that is gone"),
    ],
)
def test_the_choice_of_the_group_is_told_where_it_is_wrong(
    marketing: Marketing, entering: Entering, fields: dict[str, object], field: str
) -> None:
    marketing.a_group("vip")
    found = errors(enter.submit(filled(RIGHT, **fields), entering))
    assert list(found) == [field]
    assert not set("*`") & set(found[field])


def test_everything_wrong_is_told_at_once(entering: Entering) -> None:
    assert set(errors(enter.submit(filled(WRONG), entering))) == {"numbers", "name"}


@pytest.mark.parametrize(
    ("right", "rest"),
    [
        pytest.param((), "Also wrong: lines 9–100.", id="all wrong"),
        pytest.param(range(10, 101), "Also wrong: line 9.", id="one more"),
        pytest.param((11, 14, *range(16, 101)), "Also wrong: lines 9–10, 12–13 and 15.", id="with right ones between"),
    ],
)
def test_of_many_wrong_lines_the_first_are_explained_and_all_are_named(right: Sequence[int], rest: str) -> None:
    typed_ = ["13800000001" if no in right else "no number at all, and a long text" for no in range(1, 101)]
    text = views.wrong_lines(check_lines("\n".join(typed_)).wrong)
    assert "Line 8 (no number at all" in text
    assert "Line 9 (" not in text
    assert rest in text


def test_many_wrong_lines_fit_under_a_field() -> None:
    wrong = check_lines("\n".join("no number at all, and a long text besides" for _ in range(100))).wrong
    assert len(views.wrong_lines(wrong[::2])) < 1000


@pytest.mark.parametrize("name", LONGEST)
def test_the_form_and_its_answer_hold_the_longest_names(name: str) -> None:
    group = a_group(name)
    opened(OpenForm(views.enter_form([a_group(name, id=n) for n in range(200)], group)))
    counts = ("already_in_group", "duplicates", "invalid", "set_aside", "by_country_code", "keepable", "kept")
    values: dict[str, Any] = {"group": name, "imported": MILLION, **dict.fromkeys(counts, MILLION)}
    done = an_import(**values)
    said(Say(*views.entered(done, group)))
    said(Say(*views.undone(done)))
