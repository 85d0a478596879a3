"""What an import has read: every number once, in order, where it stood first, with what stood beside it."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import repeat

from hypothesis import given
from hypothesis import strategies as st

from services.import_tally import ORIGINAL_LIMIT, Tally
from services.numbers import NumberChecker
from services.spreadsheets.reader import Chunk, Sheet

FIRST = Sheet("First", (), "", ("name", "city"))
BARE = Sheet("Bare", (), "")

Stored = list[tuple[int, int, str | None]]


def take(tally: Tally, sheet: Sheet, cells: Sequence[str], others: Sequence[tuple[str, ...]] | None = None) -> None:
    """As if each call were a sheet of its own: rows begin again."""
    chunk = Chunk(replace(sheet), range(2, 2 + len(cells)), cells, 1.0, others)
    tally.take(chunk, *NumberChecker("CN").check_many(cells))


def stored(tally: Tally) -> Stored:
    parts = tally.members()
    return [each for numbers, rows, texts in parts for each in zip(numbers, rows, texts or repeat(None), strict=False)]


@given(chunks=st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=4))
def test_each_number_is_stored_once_where_it_stood_first(chunks: list[list[int]]) -> None:
    expected: dict[int, int] = {}
    with closing(Tally()) as tally:
        for chunk in chunks:
            cells = [f"138{number:08}" for number in chunk]
            take(tally, BARE, cells)
            for row, cell in enumerate(cells, start=2):
                expected.setdefault(int("86" + cell), row)
        assert stored(tally) == [(number, row, None) for number, row in sorted(expected.items())]
        assert tally.read == tally.taken == sum(map(len, chunks))


def test_rows_without_a_number_leave_no_gap() -> None:
    tally = Tally()
    take(tally, BARE, ["12", "13800000002", "abc", "13800000001", "010 6234 5678"])
    assert stored(tally) == [(8613800000001, 5, None), (8613800000002, 3, None)]
    assert (tally.read, tally.taken, tally.invalid, tally.set_aside, tally.keepable) == (5, 2, 2, 1, 1)
    assert [(sheet, row) for sheet, row, _, _ in tally.rejects] == [("Bare", 2), ("Bare", 4), ("Bare", 6)]


def test_other_columns_stay_with_the_row_that_owns_the_number() -> None:
    with closing(Tally()) as tally:
        take(tally, FIRST, ["13800000003", "12", "13800000001"], [("Ana", ""), ("Wrong", "x"), ('B"\\en', "上海")])
        take(tally, BARE, ["13800000000"])
        take(tally, FIRST, ["13800000002", "13800000003"], [("", ""), ("Late", "Rome")])
        take(tally, BARE, ["13800000009"])
        found = {number: None if text is None else json.loads(text) for number, _, text in stored(tally)}
    assert found == {
        8613800000000: None,
        8613800000001: {"name": 'B"\\en', "city": "上海"},
        8613800000002: None,
        8613800000003: {"name": "Ana"},
        8613800000009: None,
    }


def test_what_is_hidden_is_counted() -> None:
    tally = Tally()
    for sheet in (Sheet("A", (), "", hidden_columns=2), Sheet("B", (), "hidden"), Sheet("C", (), "hidden")):
        tally.take(Chunk(sheet, (), (), 0.1), [], [])
    tally.take(Chunk(sheet, (2,), ("13800000001",), 0.5, hidden_rows=3), [8613800000001], [])
    tally.take(Chunk(sheet, (), (), 1.0, hidden_rows=1), [], [])
    assert (tally.hidden_rows, tally.hidden_columns, tally.hidden_sheets, tally.read) == (4, 2, 2, 1)
    assert tally.numberless_sheets == []


def test_sheets_without_numbers_are_named() -> None:
    tally = Tally()
    for sheet in (
        Sheet("HK", (), "no_number_column"),
        Sheet("Empty", (), "empty"),
        Sheet("Cake", (), "no_number_column"),
    ):
        tally.take(Chunk(sheet, (), (), 0.1), [], [])
    assert tally.numberless_sheets == ["HK", "Cake"]


def test_a_long_cell_is_kept_in_part() -> None:
    tally = Tally()
    take(tally, BARE, ["x" * 1000])
    assert len(tally.rejects[0][2]) == ORIGINAL_LIMIT


def test_a_number_by_its_country_code_is_counted_once() -> None:
    tally = Tally()
    take(tally, BARE, ["85261234567", "852 6123 4567", "+85261234567"])
    assert (len(tally.by_country_code), tally.taken) == (1, 3)
