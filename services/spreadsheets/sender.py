"""The child's side of the pipe: finds each table's number column and sends its rows as frames (see `frames`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import BinaryIO

from services.errors import BadFile
from services.spreadsheets import columns, frames
from services.spreadsheets.columns import Layout
from services.spreadsheets.tables import HEAD_ROWS, Block, Row, Rows, Table, is_filled

CELL_CHARACTERS = 500  # of a cell that is no number anyway; bounds what the parent must hold
FRAME_CELLS = 40_000
FRAME_ROWS = 250  # at least


class Asked(Exception):
    """The parent was told to ask a person for the column; there is nothing more to read."""


class Sender:
    """Writes frames, and remembers what the whole file had, to refuse one without any number column."""

    def __init__(
        self, out: BinaryIO, chosen: Sequence[str] = (), *, attributes: bool = False, ask: bool = False
    ) -> None:
        self.out, self.chosen, self.attributes, self.ask = out, chosen, attributes, ask
        self.rows, self.with_numbers, self.followed, self.hidden = 0, 0, False, False
        self.names: list[str] = []
        self.headers: list[str] = []

    def send(self, head: dict[str, object], cells: Sequence[str] = ()) -> None:
        """Write one frame; blocks while the parent has not read the ones before."""
        self.out.write(frames.pack(head, cells))
        self.out.flush()

    def skip(self, name: str, why: str, hidden_rows: int = 0, hidden_columns: int = 0) -> None:
        """Tell of a sheet that is left out."""
        self.hidden |= why == "hidden"
        hidden = [hidden_rows, hidden_columns]
        self.send({"sheet": name, "skipped": why, "columns": [], "attributes": [], "hidden": hidden})

    def send_table(self, table: Table) -> None:
        """Send one sheet."""
        taken, numbers, rows = _head(table)
        if not rows:
            return self.skip(table.name, "hidden" if table.hidden_rows else "empty", table.hidden_rows)
        head = Rows(numbers, rows, table.offset, 0)
        hidden_columns = sum(any(cell != "" for cell in head.column(column)) for column in table.hidden_columns)
        layout = self._layout(table, numbers, rows)
        self.names.append(table.name)
        if layout.number is None:
            self.headers.extend(layout.headers)
            return self.skip(table.name, "no_number_column", 0, hidden_columns)
        found = [(column.index, column.header, column.samples, column.choice) for column in layout.candidates]
        if self.ask and not layout.chosen and len(found) > 1:
            self.send({"choose": table.name, "columns": found})
            raise Asked
        self.with_numbers += 1
        self.followed |= layout.chosen
        kept = layout.attributes if self.attributes else ()
        names = [name for _, name in kept]
        before = sum(index < layout.number.index for index, _ in kept)
        told = {"sheet": table.name, "skipped": "", "columns": found, "attributes": names, "before": before}
        self.send({**told, "hidden": [0, hidden_columns]})
        start = numbers[layout.data_from] if layout.data_from < len(numbers) else numbers[-1] + 1
        return self._send_rows(table, chain((block.from_row(start) for block in taken), table.blocks), layout)

    def _layout(self, table: Table, numbers: list[int], rows: list[Row]) -> Layout:
        layout = columns.find(rows, self.chosen, table.offset, table.hidden_columns)
        if layout.number and 0 < layout.data_from < len(rows):
            row = Rows([0], [rows[layout.data_from]], table.offset, 0)
            if row.column(layout.number.index) == [""]:
                # The row under the header has no number: perhaps the header is merged over it.
                place = {number: no for no, number in enumerate(numbers)}
                merged = [(place[a], place[b]) for a, b in table.merged() if a in place and b in place]
                return columns.find(rows, self.chosen, table.offset, table.hidden_columns, merged)
        return layout

    def _send_rows(self, table: Table, blocks: chain[Block], layout: Layout) -> None:
        assert layout.number
        kept = [index for index, _ in layout.attributes] if self.attributes else []
        table.wanted = (layout.number.index, *kept)
        told, done = 0, 0.0
        for block in blocks:
            numbers, cells, others = _select(block, layout.number.index, kept)
            done = block.done
            self.rows += len(cells)
            step = max(FRAME_ROWS, FRAME_CELLS // (1 + len(kept)))
            for at in range(0, len(cells), step):
                part = slice(at, at + step)
                run = [*cells[part], *chain.from_iterable(other[part] for other in others)] if others else cells[part]
                self.send({**_rows_head(numbers[part]), "hidden": table.hidden_rows - told, "done": done}, run)
                told = table.hidden_rows
        self.hidden |= table.hidden_rows > 0
        if told < table.hidden_rows:
            self.send({"range": [1, 0], "hidden": table.hidden_rows - told, "done": done})

    def finish(self) -> None:
        """End, or refuse the file for what all its sheets lack."""
        if self.names and (not self.with_numbers or (self.chosen and not self.followed)):
            raise BadFile("no_number_column", sheets=self.names, headers=self.headers[:20])
        if not self.rows:
            raise BadFile("all_hidden" if self.hidden else "empty", sheets=self.names)
        self.send({"end": True})


def _head(table: Table) -> tuple[list[Rows], list[int], list[Row]]:
    """The blocks taken to know a sheet by, and numbers and rows of its first filled ones."""
    taken: list[Rows] = []
    numbers: list[int] = []
    rows: list[Row] = []
    for block in table.blocks:
        assert isinstance(block, Rows)
        filled = [no for no, row in enumerate(block.rows) if is_filled(row)][: HEAD_ROWS - len(rows)]
        if not filled and not rows:
            continue
        taken.append(block)
        numbers.extend(block.numbers[no] for no in filled)
        rows.extend(block.rows[no] for no in filled)
        if len(rows) >= HEAD_ROWS:
            break
    return taken, numbers, rows


def _select(block: Block, index: int, others: Sequence[int]) -> tuple[Sequence[int], list[str], list[list[str]]]:
    """Numbers, number cells and other columns of a block, without its empty rows."""
    numbers = block.numbers
    cells = _short(columns.texts_of(block.column(index)))
    texts = (columns.texts_of(block.column(other), errors=False) for other in others)
    found = [_short([text.strip() for text in each]) for each in texts]
    if not all(map(str.strip, cells)):
        kept = [no for no, cell in enumerate(cells) if cell.strip() or block.filled(no)]
        if len(kept) < len(cells):
            numbers = [numbers[no] for no in kept]
            cells = [cells[no] for no in kept]
            found = [[each[no] for no in kept] for each in found]
    return numbers, cells, found


def _short(texts: list[str]) -> list[str]:
    if texts and max(map(len, texts)) > CELL_CHARACTERS:
        return [text[:CELL_CHARACTERS] for text in texts]
    return texts


def _rows_head(numbers: Sequence[int]) -> dict[str, object]:
    if isinstance(numbers, range):
        return {"range": [numbers.start, len(numbers)]}
    return {"rows": numbers}
