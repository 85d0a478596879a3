"""Tables in markup under the name .xls: HTML, as many web consoles export it, and Excel's XML of 2003.

A spreadsheet program opens both, so people call them spreadsheets.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import BinaryIO
from xml.parsers import expat

from services.errors import BadFile
from services.spreadsheets import texts
from services.spreadsheets.sender import Sender
from services.spreadsheets.tables import Row, Table, blocks_of, is_filled

_BLOCK = 1 << 16
_MAX_ROWS, _MAX_COLUMNS = 1 << 20, 1 << 14
_SS = "urn:schemas-microsoft-com:office:spreadsheet "
_EXCEL = "urn:schemas-microsoft-com:office:excel "


@dataclass(slots=True)
class _Grid:
    """Rows as they are filled; the places a wide or tall cell reaches over stay empty.

    `hidden` has a 1 at the place of each hidden row. `merged` are first and last row of each cell that spans rows.
    """

    rows: list[list[str]] = field(default_factory=list)
    hidden: bytearray = field(default_factory=bytearray)
    merged: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0
    _column: int = 0
    _under: dict[int, int] = field(default_factory=dict)

    def begin_row(self, *, hidden: bool = False, number: int = 0) -> None:
        """Go to the next row, or on to this one."""
        if max(number, self.count + 1) > _MAX_ROWS:
            raise BadFile("expands_too_much", rows=max(number, self.count + 1))
        gap = max(0, number - 1 - self.count)
        self.rows += [[] for _ in range(gap)]
        self.hidden += bytes(gap) + bytes([hidden])
        self.count += gap + 1
        self.rows.append([])
        self._column = 0

    def put(self, text: str, *, column: int = 0, across: int = 1, down: int = 1) -> None:
        """The row's next cell, or the one in this column, counted from 1."""
        at = column - 1 if column else self._column
        while not column and self._under.get(at, 0) >= self.count:
            at += 1
        row, end = self.rows[-1], at + max(1, across)
        if end > _MAX_COLUMNS:
            return
        if text:
            row += [""] * (at + 1 - len(row))
            row[at] = text
        self._column = end
        if down > 1:
            last = min(self.count + down - 1, _MAX_ROWS)
            self._under.update(dict.fromkeys(range(at, end), last))
            self.merged.append((self.count, last))


def send_html(file: BinaryIO, size: int, sender: Sender) -> None:
    """Send the rows of all tables of a page as one sheet without a name."""
    grid, table = _Grid(), Table("", merged=lambda: grid.merged)
    encoding, _ = texts.encoding_of(file)
    table.blocks = blocks_of(table, _html_rows(file, encoding, grid, table), 1, bytearray(), _share(file, size))
    sender.send_table(table)


def _share(file: BinaryIO, size: int) -> Callable[[int], float]:
    return lambda _row: min(1.0, file.tell() / size)


def _html_rows(file: BinaryIO, encoding: str, grid: _Grid, table: Table) -> Iterator[Row]:
    parser = _HtmlTables(grid)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding)
    try:
        while block := text.read(_BLOCK):
            parser.feed(block)
            yield from _taken(grid, table, keep=1)
        parser.close()
        parser.end_cell()
        yield from _taken(grid, table, keep=0)
    finally:
        text.detach()  # the file stays the caller's to close


def _taken(grid: _Grid, table: Table, keep: int) -> Iterator[Row]:
    """The rows that are whole; a hidden one leaves an empty one, so that the others keep their numbers."""
    ready, grid.rows = grid.rows[: len(grid.rows) - keep], grid.rows[len(grid.rows) - keep :]
    hidden, grid.hidden = grid.hidden[: len(ready)], grid.hidden[len(ready) :]
    for row, is_hidden in zip(ready, hidden, strict=True):
        table.hidden_rows += is_hidden and is_filled(row)
        yield [] if is_hidden else row


class _HtmlTables(HTMLParser):
    """Fills a grid with the cells of all tables; one that stands in a cell begins rows of its own."""

    def __init__(self, grid: _Grid) -> None:
        super().__init__(convert_charrefs=True)
        self._grid = grid
        self._cell: list[str] | None = None
        self._is_told = False
        self._spans = (1, 1)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "tr":
            self.end_cell()
            style = (said.get("style") or "").replace(" ", "").lower()
            self._grid.begin_row(hidden="display:none" in style)
        elif tag in ("td", "th"):
            self.end_cell()
            if not self._grid.rows:
                self._grid.begin_row()
            self._spans = _count(said.get("colspan")), _count(said.get("rowspan"))
            # Excel writes the value here where what it shows is shorter, such as 1.38E+10.
            value = said.get("x:num")
            self._cell, self._is_told = [value] if value else [], bool(value)
        elif tag == "br" and self._cell:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self.end_cell()

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._is_told:
            self._cell.append(data)

    def end_cell(self) -> None:
        """Put the cell that is open, if any, into the grid."""
        if self._cell is not None:
            across, down = self._spans
            self._grid.put("".join(self._cell).strip(), across=across, down=down)
            self._cell = None


def _count(value: str | None, otherwise: int = 1) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 8 else otherwise


@dataclass(slots=True)
class _Sheet:
    name: str
    grid: _Grid = field(default_factory=_Grid)
    columns: int = 0
    hidden_columns: set[int] = field(default_factory=set)
    visible: bool = True


def send_xml(file: BinaryIO, sender: Sender) -> None:
    """Send the visible sheets of a workbook in Excel's XML of 2003; tell of the others."""
    for sheet in _XmlSheets().read(file):
        if not sheet.visible:
            sender.skip(sheet.name, "hidden")
            continue
        table = Table(sheet.name, hidden_columns=sheet.hidden_columns)
        merged = sheet.grid.merged
        table.merged = merged.copy
        table.blocks = blocks_of(table, iter(sheet.grid.rows), 1, sheet.grid.hidden, lambda _row: 1.0)
        sender.send_table(table)


class _XmlSheets:
    """Every sheet of a workbook, read whole before the first is given: only its end says whether it is hidden."""

    def __init__(self) -> None:
        self.sheets: list[_Sheet] = []
        self._text: list[str] | None = None
        self._cell: Mapping[str, str] = {}
        self._data = ""
        self._in_comment = False

    def read(self, file: BinaryIO) -> list[_Sheet]:
        """Raises BadFile."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = _refuse_entities
        file.seek(0)
        try:
            parser.ParseFile(file)
        except expat.ExpatError as error:
            raise BadFile("truncated", error=str(error)) from error
        return self.sheets

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        said = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        if tag == _SS + "Worksheet":
            self.sheets.append(_Sheet(said.get("Name", "")))
        elif not self.sheets:
            return
        elif tag == _SS + "Column":
            self._column(said)
        elif tag == _SS + "Row":
            hidden = said.get("Hidden") == "1"
            self.sheets[-1].grid.begin_row(hidden=hidden, number=_count(said.get("Index"), 0))
        elif tag == _SS + "Cell":
            self._cell, self._data = said, ""
        elif tag == _SS + "Comment":
            self._in_comment = True
        elif tag == _EXCEL + "Visible" or (tag == _SS + "Data" and not self._in_comment):
            self._text = []

    def _column(self, said: Mapping[str, str]) -> None:
        sheet = self.sheets[-1]
        first = _count(said.get("Index"), sheet.columns + 1)
        sheet.columns = min(first + _count(said.get("Span"), 0), _MAX_COLUMNS)
        if said.get("Hidden") == "1":
            sheet.hidden_columns.update(range(first - 1, sheet.columns))

    def _characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _end(self, tag: str) -> None:
        if tag == _SS + "Comment":
            self._in_comment = False
        elif tag == _SS + "Data" and self._text is not None:
            self._data, self._text = "".join(self._text), None
        elif tag == _EXCEL + "Visible":
            self.sheets[-1].visible, self._text = self._text == ["SheetVisible"], None
        elif tag == _SS + "Cell" and self.sheets and self.sheets[-1].grid.rows:
            spans = {name: _count(self._cell.get(name), 0) for name in ("Index", "MergeAcross", "MergeDown")}
            across, down = spans["MergeAcross"] + 1, spans["MergeDown"] + 1
            self.sheets[-1].grid.put(self._data, column=spans["Index"], across=across, down=down)


def _refuse_entities(*_declaration: object) -> None:
    raise BadFile("not_a_spreadsheet", seen="xml")
