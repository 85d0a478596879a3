"""Typed numbers, taken into a group as an import without a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.entries import Entries, check_lines, is_typed
from services.errors import NotAllowed, UnknownThing
from services.groups import Group
from services.imports import Import
from services.numbers import Reason
from services.states import ImportState
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, Marketing, numbers


@pytest.fixture
def entries(marketing: Marketing) -> Entries:
    return Entries(marketing.database, marketing.clock)


def counts(entered: Import) -> tuple[int, int, int, int, int]:
    return (
        entered.imported,
        entered.already_in_group,
        entered.duplicates,
        entered.rejects,
        entered.by_country_code,
    )


def size(marketing: Marketing, group: Group) -> int:
    return marketing.groups.by_id(marketing.workspace_id, group.id).size


def test_right_lines_are_imported_and_every_line_is_in_one_count(marketing: Marketing, entries: Entries) -> None:
    group = marketing.a_group("vip", numbers(1))
    lines = check_lines("13800000001\n13800000002\n\n+86 138-0000-0002\n85261234567\n021 6437 4321\nhello\n")
    entered = entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)
    assert counts(entered) == (2, 1, 1, 2, 1)
    assert size(marketing, group) == 3
    assert [(wrong.line, wrong.text, wrong.verdict.reason) for wrong in lines.wrong] == [
        (6, "021 6437 4321", Reason.LANDLINE),
        (7, "hello", Reason.NOT_A_NUMBER),
    ]


def test_typed_numbers_are_an_import_like_any_other(marketing: Marketing, entries: Entries) -> None:
    group = marketing.a_group("vip")
    lines = check_lines("13800000001\nhello\0\n021 6437 4321")
    entered = entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)
    (listed,) = marketing.groups.page(marketing.workspace_id).groups
    assert listed.last_import == marketing.clock.now()
    found = marketing.imports.get(marketing.workspace_id, entered.id)
    assert (found.state, found.group_id, found.uploaded_by) == (ImportState.DONE, group.id, ANA)
    assert (found.rows, found.imported, found.invalid, found.set_aside) == (3, 1, 1, 1)
    assert is_typed(found.file.file_id)
    assert [
        (each.row, each.original, each.reason) for each in marketing.imports.rejects(marketing.workspace_id, found.id)
    ] == [
        (2, "hello", "not_a_number"),
        (3, "021 6437 4321", "landline"),
    ]
    assert marketing.imports.running() == []
    assert marketing.posts.due() == []


def test_the_same_numbers_again_bring_nothing_new(marketing: Marketing, entries: Entries) -> None:
    group = marketing.a_group("vip")
    lines = check_lines("13800000001\n13800000002")
    entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)
    assert counts(entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)) == (0, 2, 0, 0, 0)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        pytest.param("13800000001", FIRST_NUMBER, id="mainland bare"),
        pytest.param("85261234567", 852_6123_4567, id="country code + number, as the console takes it"),
        pytest.param("+1 202-555-0143", 1_202_555_0143, id="with a plus"),
        pytest.param("\t１３８０００００００１ \r", FIRST_NUMBER, id="full width, tabs and a carriage return"),
    ],
)
def test_a_line_is_read_as_a_cell_is(typed: str, number: int) -> None:
    lines = check_lines(typed)
    assert (lines.right, lines.wrong) == ([(1, number)], [])


@pytest.mark.parametrize(
    ("typed", "reason", "number"),
    [
        pytest.param("+86 12000000000", Reason.UNASSIGNED, 86_120_0000_0000, id="no assigned range"),
        pytest.param("021 6437 4321", Reason.LANDLINE, 86_21_6437_4321, id="a landline"),
        pytest.param("400 810 8888", Reason.NOT_MOBILE, None, id="a service number, which nobody reads an SMS at"),
    ],
)
def test_what_is_set_aside_is_kept_only_where_asked(typed: str, reason: Reason, number: int | None) -> None:
    assert [wrong.verdict.reason for wrong in check_lines(typed).wrong] == [reason]
    assert check_lines(typed, keep_set_aside=True).right == ([] if number is None else [(1, number)])


def test_what_was_set_aside_can_be_kept_afterwards(marketing: Marketing, entries: Entries) -> None:
    group = marketing.a_group("vip")
    lines = check_lines("13800000001\n12000000000\n021 6437 4321\n400 810 8888\nhello")
    entered = entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)
    assert (entered.imported, entered.invalid, entered.set_aside, entered.keepable) == (1, 1, 3, 2)
    kept = marketing.imports.keep(marketing.workspace_id, entered.id)
    assert (kept.imported, kept.invalid, kept.set_aside, kept.keepable, kept.kept) == (3, 1, 1, 0, 2)
    assert size(marketing, group) == 3


def test_typed_numbers_can_be_undone_while_nothing_was_sent_to_them(marketing: Marketing, entries: Entries) -> None:
    group = marketing.a_group("vip", numbers(2))
    lines = check_lines("\n".join(map(str, numbers(3))))
    entered = entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)
    assert marketing.imports.undo(marketing.workspace_id, entered.id, ANA).state is ImportState.UNDONE
    assert size(marketing, group) == 2
    again = entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)
    task = marketing.confirmed(marketing.a_draft())
    with pytest.raises(NotAllowed) as refused:
        marketing.imports.undo(marketing.workspace_id, again.id, ANA)
    assert (refused.value.rule, refused.value.facts["number"]) == ("import_sent", task.number)


@pytest.mark.parametrize("count", [1, 100])
def test_up_to_100_lines_are_taken(count: int) -> None:
    assert len(check_lines("\n\n".join(map(str, numbers(count)))).right) == count


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        pytest.param("\n".join(map(str, numbers(101))), "too_many_lines", id="101 lines"),
        pytest.param("", "no_lines", id="empty"),
        pytest.param(" \n\t\n", "no_lines", id="only spaces"),
    ],
)
def test_no_line_and_more_than_100_are_refused(typed: str, rule: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        check_lines(typed)
    assert (refused.value.rule, refused.value.facts["limit"]) == (rule, 100)


@given(st.text(max_size=300))
def test_whatever_is_typed_every_line_is_right_or_wrong_or_empty(typed: str) -> None:
    try:
        lines = check_lines(typed)
    except NotAllowed as refused:
        if refused.rule not in {"no_lines", "too_many_lines"}:
            raise
        return
    told = [line for line, _ in lines.right] + [wrong.line for wrong in lines.wrong]
    assert sorted(told) == [no for no, line in enumerate(typed.replace("\r\n", "\n").split("\n"), 1) if line.strip()]


def test_another_workspaces_group_takes_nothing(marketing: Marketing, entries: Entries) -> None:
    group = marketing.a_group("vip")
    with pytest.raises(UnknownThing):
        entries.enter("T0OTHER", group.id, check_lines("13800000001"), CHANNEL, ANA)
    assert size(marketing, group) == 0
