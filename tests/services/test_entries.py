"""Typed numbers, taken into a group as an import without a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.entries import Entered, Entries, check_lines, is_typed
from services.errors import NotAllowed, UnknownThing
from services.numbers import Reason
from services.states import ImportState
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, Marketing, numbers


@pytest.fixture
def entries(marketing: Marketing) -> Entries:
    return Entries(marketing.database, marketing.clock)


def counts(entered: Entered) -> tuple[int, int, int, int, int]:
    return (
        entered.imported,
        entered.already_in_group,
        entered.duplicates,
        entered.left_out,
        entered.by_country_code,
    )


def test_right_lines_are_imported_and_every_line_is_in_one_count(marketing: Marketing, entries: Entries) -> None:
    group = marketing.a_group("vip", numbers(1))
    lines = check_lines("13800000001\n13800000002\n\n+86 138-0000-0002\n85261234567\n021 6437 4321\nhello\n")
    entered = entries.enter(marketing.workspace_id, group.id, lines, CHANNEL, ANA)
    assert counts(entered) == (2, 1, 1, 2, 1)
    assert entered.group.size == 3
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
    found = marketing.imports.get(marketing.workspace_id, entered.import_id)
    assert (found.state, found.group_id, found.uploaded_by) == (ImportState.DONE, group.id, ANA)
    assert (found.rows, found.imported, found.invalid, found.set_aside) == (3, 1, 1, 1)
    assert is_typed(found.file.file_id)
    assert [(each.row, each.original, each.reason) for each in marketing.imports.rejects(found.id)] == [
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


def test_a_number_in_no_assigned_range_is_kept_only_where_asked() -> None:
    typed = "+86 12000000000"
    assert [wrong.verdict.reason for wrong in check_lines(typed).wrong] == [Reason.UNASSIGNED]
    assert check_lines(typed, keep_unassigned=True).right == [(1, 86_120_0000_0000)]
    assert check_lines("021 6437 4321", keep_unassigned=True).right == []


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
    assert marketing.groups.by_id(marketing.workspace_id, group.id).size == 0
