"""csv, tsv and txt without any quote: cut at line ends and delimiters, twice as fast as by the rules of quoting."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, repeat
from typing import BinaryIO

from services.spreadsheets.columns import Cell
from services.spreadsheets.tables import BLOCK_ROWS, HEAD_ROWS, Block, Rows
from services.spreadsheets.texts import Shape


class Lines:
    """A block that has its rows as lines, cut only where a column is asked for."""

    def __init__(self, numbers: range, lines: list[str], delimiter: str, done: float) -> None:
        self.numbers: Sequence[int] = numbers
        self.done = done
        self._lines, self._delimiter = lines, delimiter
        self._rows: list[list[str]] | None = None

    def column(self, index: int) -> list[Cell]:
        """The column's cells, "" where there is none."""
        if self._rows is None:
            if not any(map(str.count, self._lines, repeat(self._delimiter))):
                return [*self._lines] if index == 0 else [""] * len(self._lines)
            self._rows = list(map(str.split, self._lines, repeat(self._delimiter)))
        try:
            return [row[index] for row in self._rows]
        except IndexError:
            return [row[index] if index < len(row) else "" for row in self._rows]

    def filled(self, no: int) -> bool:
        """Whether the row at this position has any content."""
        return bool(self._lines[no].replace(self._delimiter, " ").strip())


def blocks_of_lines(
    file: BinaryIO, shape: Shape, done: Callable[[], float], known: Callable[[], object] = lambda: True
) -> Iterator[Block]:
    """Read a text that has no quote. `done` is the share of the file read so far.

    A first, small block is `Rows`, and so are those after it until `known` says that the columns are: the first may be
    all empty lines.
    """
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=shape.encoding)
    try:
        lines = islice(text, shape.skip_lines, None)
        at, size = 1, HEAD_ROWS
        while part := list(map(str.rstrip, islice(lines, size), repeat("\n"))):
            numbers = range(at, at + len(part))
            if size == HEAD_ROWS or not known():
                yield Rows(numbers, [line.split(shape.delimiter) for line in part], 0, done())
            else:
                yield Lines(numbers, part, shape.delimiter, done())
            at, size = at + len(part), BLOCK_ROWS
    finally:
        text.detach()  # the file stays the caller's to close
