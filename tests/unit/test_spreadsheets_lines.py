"""A text without quotes, cut at line ends and delimiters, says what the rules of quoting say."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spreadsheets.columns import Cell
from services.spreadsheets.lines import Lines, blocks_of_lines
from services.spreadsheets.tables import HEAD_ROWS
from services.spreadsheets.texts import Shape, rows_of

LINES = st.lists(st.text(st.characters(exclude_characters='"\r\n', exclude_categories=["Cs"]), max_size=8), max_size=12)


@given(before=st.integers(0, 3), lines=LINES, end=st.sampled_from(["\n", "\r\n", "\r"]), skip=st.integers(0, 1))
def test_the_same_cells_come_out(before: int, lines: list[str], end: str, skip: int) -> None:
    filling = [f"{no},x" for no in range(HEAD_ROWS - before)]
    content = end.join([*filling, *lines, *lines])
    shape = Shape("utf-8", ",", True, skip, False)
    expected = list(rows_of(io.BytesIO(content.encode()), shape))
    width = max(map(len, expected), default=0)
    found: list[list[Cell]] = []
    numbers: list[int] = []
    filled: list[bool] = []
    for block in blocks_of_lines(io.BytesIO(content.encode()), shape, lambda: 0.5):
        numbers += block.numbers
        columns = [block.column(index) for index in range(width)]
        found += [[column[no] for column in columns] for no in range(len(block.numbers))]
        filled += [block.filled(no) for no in range(len(block.numbers))]
    assert numbers == list(range(1, len(expected) + 1))
    assert found == [row + [""] * (width - len(row)) for row in expected]
    assert filled == [any(cell.strip() for cell in row) for row in expected]


@pytest.mark.parametrize("index", [0, 1, 5])
def test_a_block_without_delimiters_has_one_column(index: int) -> None:
    block = Lines(3, "138\n\n", ";", 1.0)
    assert list(block.numbers) == [3, 4]
    assert block.column(index) == (["138", ""] if index == 0 else ["", ""])
    assert [block.filled(0), block.filled(1)] == [True, False]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_long_text_comes_in_blocks_of_whole_lines(end: str) -> None:
    lines = [f"{no},{'x' * (no % 50)}" for no in range(30_000)]
    shape = Shape("utf-8", ",", True, 0, False)
    blocks = list(blocks_of_lines(io.BytesIO(end.join(lines).encode()), shape, lambda: 0.5))
    assert len(blocks) > 3
    assert [number for block in blocks for number in block.numbers] == list(range(1, 30_001))
    assert [cell for block in blocks for cell in block.column(0)] == [str(no) for no in range(30_000)]
    assert [cell for block in blocks for cell in block.column(1)] == ["x" * (no % 50) for no in range(30_000)]
