"""A sheet while it is read: what it is called, what is hidden in it, and its rows, a block at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from typing import Protocol

from services.spreadsheets.columns import HEADER_ROWS, SAMPLE_ROWS, Cell

BLOCK_ROWS = 10_000
HEAD_ROWS = HEADER_ROWS + SAMPLE_ROWS

Row = Sequence[Cell]


class Block(Protocol):
    """Some rows. `numbers` are theirs, from 1; columns are counted from 0 for A. `done` is the file's share read."""

    @property
    def numbers(self) -> Sequence[int]: ...

    @property
    def done(self) -> float: ...

    def column(self, index: int) -> list[Cell]:
        """The column's cells, "" where there is none."""
        ...

    def filled(self, no: int) -> bool:
        """Whether the row at this position has any content."""
        ...


@dataclass(slots=True)
class Rows:
    """A block that has its rows as lists, the first cell of each in column `offset`."""

    numbers: Sequence[int]
    rows: Sequence[Row]
    offset: int
    done: float

    def column(self, index: int) -> list[Cell]:
        at = index - self.offset
        if at < 0:
            return [""] * len(self.rows)
        try:
            return [row[at] for row in self.rows]
        except IndexError:
            return [row[at] if at < len(row) else "" for row in self.rows]

    def filled(self, no: int) -> bool:
        return is_filled(self.rows[no])

    def from_row(self, number: int) -> Rows:
        """The rows from this one on."""
        at = bisect_left(self.numbers, number)
        return Rows(self.numbers[at:], self.rows[at:], self.offset, self.done)


@dataclass(slots=True)
class Hidden:
    """What of a sheet is hidden: `rows` has a 1 at the place of each such row, from 0; columns are counted from 0.

    `errors` are the texts of formulas that failed, by row, from 1, and column.
    """

    rows: bytearray = field(default_factory=bytearray)
    columns: set[int] = field(default_factory=set)
    errors: dict[int, dict[int, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """One sheet. `blocks` gives `Rows` until `wanted` is set: the columns that will be asked for, the numbers' first.

    `merged` gives first and last row of each cell that spans several. `hidden_rows` grows while blocks are taken:
    those left out that have any content.
    """

    name: str
    blocks: Iterator[Block] = field(default_factory=lambda: iter(()))
    offset: int = 0
    hidden_columns: set[int] = field(default_factory=set)
    merged: Callable[[], Sequence[tuple[int, int]]] = tuple
    wanted: Sequence[int] = ()
    hidden_rows: int = 0


def blocks_of(
    table: Table, rows: Iterator[Row], first_row: int, hidden: bytearray, done: Callable[[int], float]
) -> Iterator[Rows]:
    """Cut rows into blocks without the hidden ones, a small block first. `done` is the share read after a row."""
    size, at = HEAD_ROWS, first_row
    while block := list(islice(rows, size)):
        numbers: Sequence[int] = range(at, at + len(block))
        mask = hidden[at - 1 : at - 1 + len(block)]
        at += len(block)
        size = BLOCK_ROWS
        if any(mask):
            table.hidden_rows += sum(map(is_filled, compress(block, mask)))
            visible = [not hide for hide in mask] + [True] * (len(block) - len(mask))
            numbers, block = list(compress(numbers, visible)), list(compress(block, visible))
        yield Rows(numbers, block, table.offset, done(at - 1))


def is_filled(row: Row) -> bool:
    """Whether a row has any content; spaces are none."""
    return any(cell != "" and (not isinstance(cell, str) or cell.strip()) for cell in row)
