"""Which column fills which variable, and who gets one copy and who two."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import text
from services.variables import Columns, group_rows, match, to_json

BODY = "Dear {name}, {1}."
COLUMNS = Columns(["name", "1"], {7: ["Name", "Code"], 8: [None, "Code"]})


@pytest.mark.parametrize(
    ("names", "headers", "filled_by"),
    [
        pytest.param(["name"], ["Code", "Name"], ["Name"], id="whatever the case"),
        pytest.param(["order_no"], ["ＯＲＤＥＲ＿ＮＯ"], ["ＯＲＤＥＲ＿ＮＯ"], id="whatever the width"),
        pytest.param(["firstname"], ["First  Name"], ["First  Name"], id="whatever the spaces"),
        pytest.param(["客户姓名"], ["客户 姓名"], ["客户 姓名"], id="Chinese"),
        pytest.param(["name", "1"], ["Name", "Code"], ["Name", "Name"], id="a name and a place may be one column"),
        pytest.param(["1", "2"], ["Name", "Code"], ["Name", "Code"], id="by place"),
        pytest.param(["2", "1"], ["Name", "Code"], ["Code", "Name"], id="by place, not by order in the text"),
        pytest.param(["1", "2"], ["2", "1"], ["1", "2"], id="a header that is the number goes first"),
        pytest.param(["3"], ["Name", "Code"], [None], id="fewer columns"),
        pytest.param(["0"], ["Name"], [None], id="there is no column 0"),
        pytest.param(["city"], ["Name", "Code"], [None], id="no such header"),
        pytest.param(["NUM_6"], ["num_6"], ["num_6"], id="Huawei's own kind"),
        pytest.param(["name"], ["name", "NAME"], ["name"], id="the first of two"),
        pytest.param(["name"], [], [None], id="numbers only"),
        pytest.param(["9" * 30], ["Name"], [None], id="a place far away"),
    ],
)
def test_a_column_fills_the_variable_of_its_name_or_place(
    names: Sequence[str], headers: Sequence[str], filled_by: Sequence[str | None]
) -> None:
    assert match(names, headers) == filled_by


def row(number: int, name: str = "", code: str = "", import_id: int = 7, at: int = 1) -> tuple[int, int, int, str]:
    given_cells = {key: value for key, value in (("Name", name), ("Code", code)) if value}
    return number, import_id, at, json.dumps(given_cells)


def test_equal_values_make_one_copy_and_different_ones_both() -> None:
    found = [row(1, "Ana", "x"), row(1, "Ana", "x", at=2), row(1, "Ana", "y", at=3), row(2, "Ben", "x", at=4)]
    first, second = group_rows(found, COLUMNS, BODY)
    assert ([copy.values for copy in first.copies], first.equal) == ([("Ana", "x"), ("Ana", "y")], 1)
    assert [copy.row for copy in first.copies] == [1, 3]
    assert [copy.values for copy in second.copies] == [("Ben", "x")]


def test_different_values_that_make_the_same_text_are_one_copy() -> None:
    columns = Columns(["1", "2"], {7: ["Name", "Code"]})
    (person,) = group_rows([row(1, "ab", "c"), row(1, "a", "bc")], columns, "{1}{2}")
    assert (len(person.copies), person.equal) == (1, 1)


@pytest.mark.parametrize("cells", [("", "x"), (" ", "x"), ("Ana", "")])
def test_a_row_without_a_value_is_missing_and_no_copy(cells: tuple[str, str]) -> None:
    (person,) = group_rows([row(1, *cells, at=7)], COLUMNS, BODY)
    assert person.copies == []
    assert person.missing == [(7, ["1" if cells[0].strip() else "name"])]


@pytest.mark.parametrize("import_id", [8, 9], ids=["its import has no such column", "its import is not known"])
def test_a_row_of_an_import_without_the_column_is_missing(import_id: int) -> None:
    (person,) = group_rows([row(1, "Ana", "x", import_id=import_id)], COLUMNS, BODY)
    assert (person.copies, len(person.missing)) == ([], 1)


WORDS = st.sampled_from(["", "a", "b", "ab", "ba"])
ROWS = st.lists(st.tuples(st.integers(1, 6), WORDS, WORDS), max_size=30)


@given(ROWS)
def test_nobody_reads_the_same_text_twice_and_every_row_is_accounted_for(
    found: list[tuple[int, str, str]],
) -> None:
    rows = [row(*each, at=at) for at, each in enumerate(sorted(found, key=lambda each: each[0]))]
    body, columns = "{1}{2}", Columns(["1", "2"], {7: ["Name", "Code"]})
    people = list(group_rows(rows, columns, body))
    assert [person.number for person in people] == sorted({number for number, *_ in found})
    for person in people:
        texts = [text.fill(body, columns.names, copy.values) for copy in person.copies]
        mine = {name + code for number, name, code in found if number == person.number and name and code}
        assert len(texts) == len(set(texts))
        assert set(texts) == mine
    counted = sum(len(person.copies) + len(person.missing) + person.equal for person in people)
    assert counted == len(found)


@given(st.lists(st.text(), max_size=4))
def test_values_are_stored_as_json(values: list[str]) -> None:
    assert json.loads(to_json(values)) == values
    assert "\0" not in to_json(values)
