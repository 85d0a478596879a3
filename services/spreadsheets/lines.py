"""csv, tsv and txt without any quote: cut at line ends and delimiters, twice as fast as by the rules of quoting."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, repeat
from typing import BinaryIO

from services.spreadsheets.columns import Cell
from services.spreadsheets.tables import HEAD_ROWS, Block, Rows
from services.spreadsheets.texts import Shape

_BLOCK = 1 << 17


class Lines:
    """A block that has its rows as lines, cut only where a column is asked for."""

    def __init__(self, first: int, text: str, delimiter: str, done: float) -> None:
        self._lines = text.removesuffix("\n").split("\n")
        self.numbers: Sequence[int] = range(first, first + len(self._lines))
        self.done = done
        self._text, self._delimiter = text, delimiter
        self._rows: list[list[str]] | None = None

    def column(self, index: int) -> list[Cell]:
        """The column's cells, "" where there is none."""
        if self._rows is None:
            if self._delimiter not in self._text:
                return [*self._lines] if index == 0 else [""] * len(self._lines)
            self._rows = list(map(str.split, self._lines, repeat(self._delimiter)))
        try:
            return [row[index] for row in self._rows]
        except IndexError:
            return [row[index] if index < len(row) else "" for row in self._rows]

    def as_rows(self) -> Rows:
        """The same, with every row cut."""
        return Rows(self.numbers, [line.split(self._delimiter) for line in self._lines], 0, self.done)

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
        at, part = 1, "".join(islice(lines, HEAD_ROWS))
        while part:
            block = Lines(at, part, shape.delimiter, done())
            yield block if at > 1 and known() else block.as_rows()
            at += len(block.numbers)
            # Whole lines. Many at a time, for half the price of one after the other.
            part = text.read(_BLOCK) + text.readline()
    finally:
        text.detach()  # the file stays the caller's to close
