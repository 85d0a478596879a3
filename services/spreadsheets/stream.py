"""Large xlsx sheets, read while they inflate: the first rows come at once, and the checking of them can begin.

python-calamine gives the first row after it has read the last. Here a regular expression made from the first rows takes
rows of their shape, and an XML parser those of any other; every byte goes through one of the two. Whatever is not
known for certain to mean the same to calamine raises Unusual, and calamine reads on behind the last row given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import lt
from typing import IO, TypeVar
from zipfile import ZipFile

from services.errors import BadFile
from services.spreadsheets.cells import RawRow, RowParser, Values
from services.spreadsheets.columns import Cell, letter_of
from services.spreadsheets.strings import FAILURES, Unusual, check_plain, check_start
from services.spreadsheets.tables import Block, Rows, Table

_FIRST_BLOCK, _BLOCK = 1 << 16, 1 << 18
_LONGEST_ROW = 16 << 20
_ODD_BYTES, _ODD_SHARE = 1 << 20, 0.15  # more as XML would be slower than calamine
_SHEET_DATA = re.compile(rb"<sheetData\s*(/?)>")
_COLUMN = re.compile(rb"<col\b[^>]*>")
_SAYS = re.compile(rb"""([a-z]+)=["']([a-z0-9]*)["']""")
_HIDDEN = re.compile(rb"""hidden\s*=\s*["'](?:1|true)""")
_MERGED = re.compile(rb'<mergeCell\b[^>]*ref="[A-Z]+([0-9]+):[A-Z]+([0-9]+)"')
# A cell nobody asked for, of any kind.
_OTHER = (
    rb'(?:<c r="%s\1"[^>]*+>(?:(?:<f[^>]*+>(?:[^<]*+</f>)?+)?+'
    rb"(?:<v>[^<]*+</v>|<is><t[^>]*+>[^<]*+</t></is>)?+</c>)?+)?+"
)


T = TypeVar("T")


@dataclass(slots=True)
class Columns:
    """A block with the wanted columns only, and without rows that have no content."""

    numbers: Sequence[int]
    columns: Mapping[int, list[Cell]]
    done: float

    def column(self, index: int) -> list[Cell]:
        return self.columns[index]

    def filled(self, no: int) -> bool:
        return True


class Stream:
    """One sheet. `last` is the last row that was given, or left out as hidden."""

    def __init__(self, book: ZipFile, part: str, values: Values, done: Callable[[int], float]) -> None:
        self.book, self.part, self.values, self.done = book, part, values, done
        self.last = self.read = self.odd = 0
        self.shapes: dict[int, set[str]] = {}
        self.pattern: re.Pattern[bytes] | None = None

    def blocks(self, table: Table) -> Iterator[Block]:
        """Yield `Rows` until `table.wanted` is known, `Columns` from then on. Raises Unusual."""
        try:
            with self.book.open(self.part) as file:
                for xml in self._row_blocks(file, table):
                    if not table.wanted:
                        yield self._rows(xml, table)
                    else:
                        yield self._columns(xml, table) or self._rows(xml, table)
        except FAILURES as error:
            raise Unusual(str(error)) from error

    def merged(self) -> list[tuple[int, int]]:
        """First and last row of the cells that span rows; they stand behind all rows. Raises Unusual."""
        with self.book.open(self.part) as file:
            end = b""
            while block := file.read(_BLOCK):
                _, found, behind = (end + block).partition(b"</sheetData")
                if found:
                    spans = _MERGED.findall(behind + file.read(_LONGEST_ROW))
                    return [(int(first), int(last)) for first, last in spans if first != last]
                end = block[-20:]
        raise Unusual("no end")

    def _row_blocks(self, file: IO[bytes], table: Table) -> Iterator[bytes]:
        """Whole rows of XML, many at a time."""
        rest = file.read(_FIRST_BLOCK)
        start = _SHEET_DATA.search(rest)
        if not start:
            raise Unusual("no beginning")
        check_start(rest[: start.start()])
        table.hidden_columns |= _hidden_columns(rest[: start.start()])
        self.read = len(rest)
        rest = b"</sheetData>" if start[1] else rest[start.end() :]
        while True:
            cut = rest.rfind(b"</row>") + 6
            if cut > 5:
                yield check_plain(rest[:cut])
                rest = rest[cut:]
            more = b"" if b"</sheetData>" in rest else file.read(_BLOCK)
            if not more:
                break
            self.read += len(more)
            rest += more
            if len(rest) > _LONGEST_ROW:
                raise Unusual("long row")
        before, end, _ = rest.partition(b"</sheetData>")
        if not end:
            raise Unusual("no end")
        if before.strip():
            yield check_plain(before)
        while file.read(_BLOCK):  # to the end, where the checksum is compared
            pass

    def _rows(self, xml: bytes, table: Table) -> Rows:
        """A block of rows of any shape."""
        (found,) = RowParser().parse([xml])
        self._check_order([row.number for row in found])
        visible = [row for row in found if not row.hidden]
        for row in visible:
            for index, cell in row.cells.items():
                self.shapes.setdefault(index, set()).update(cell.shapes)
        rows = [self._whole(row) for row in visible]
        hidden = sum(any(map(_has_content, self._whole(row))) for row in found if row.hidden)
        self._commit(found[-1].number if found else self.last, hidden, table)
        return Rows([row.number for row in visible], rows, 0, self.done(self.read))

    def _whole(self, row: RawRow) -> list[Cell]:
        cells: list[Cell] = [""] * (max(row.cells, default=-1) + 1)
        for index, cell in row.cells.items():
            cells[index] = self.values.cell(cell)
        return cells

    def _columns(self, xml: bytes, table: Table) -> Columns | None:
        """A block of rows most of which have the usual shape; None where something must be looked at row by row."""
        if b"hidden" in xml and _HIDDEN.search(xml):
            return None
        if self.pattern is None:
            self.pattern = self._pattern(table.wanted)
        stride = 2 + 2 * len(table.wanted)
        parts = self.pattern.split(xml)
        numbers = list(map(int, parts[1::stride]))
        columns: dict[int, list[Cell]] = {}
        for no, index in enumerate(sorted(table.wanted)):
            inline = "inline" in self.shapes.get(index, ())
            columns[index] = self.values.column(parts[2 + 2 * no :: stride], parts[3 + 2 * no :: stride], inline=inline)
        if any(gaps := parts[::stride]):
            numbers = self._weave(gaps, numbers, columns)
        if self._may_be_empty(table.wanted[0], columns[table.wanted[0]]):
            return None
        last = numbers[-1] if numbers else self.last
        whole = range(numbers[0] if numbers else last + 1, last + 1)
        gapless = whole.start > self.last and len(whole) == len(numbers) and list(whole) == numbers
        if not gapless:
            self._check_order(numbers)
        self._commit(last, 0, table)
        return Columns(whole if gapless else numbers, columns, self.done(self.read))

    def _may_be_empty(self, index: int, cells: list[Cell]) -> bool:
        """Whether a row may have nothing but spaces where its number should be, and so perhaps nothing at all."""
        texts = self.values.has_blank or not self.shapes.get(index, set()).isdisjoint(("text", "inline"))
        return "" in cells or (texts and not all(map(_has_content, cells)))

    def _pattern(self, wanted: Sequence[int]) -> re.Pattern[bytes]:
        cells = b""
        for index in sorted({*self.shapes, *wanted}):
            letter = letter_of(index).encode()
            if index not in wanted:
                cells += _OTHER % letter
                continue
            shapes = self.shapes.get(index, set())
            value = b"<v>([^<&]*+)</v>" if "text" in shapes else b"<v>([0-9.eE+-]*+)</v>"
            if "inline" in shapes:
                value = rb"<is><t>((?![ \t\n])[^<&]*+(?<![ \t\n]))</t></is>"
            if "marked" in shapes:
                value = rb'<is><t xml:space="preserve">([^<&]*+)</t></is>'
            if "formula" in shapes:
                value = b"(?:<f[^>]*+>(?:[^<]*+</f>)?+)?+" + value
            if index == wanted[0]:
                cells += rb'<c r="%s\1"([^>]*+)>%s</c>' % (letter, value)
            else:
                cells += rb'(?:<c r="%s\1"([^>]*+)>(?:%s</c>)?+)?+' % (letter, value)
        return re.compile(rb'<row r="([1-9][0-9]{0,6}+)"[^>]*+>%s</row>' % cells)

    def _weave(self, gaps: Sequence[bytes], numbers: list[int], columns: dict[int, list[Cell]]) -> list[int]:
        """Put the rows of another shape between those of the usual one; return all numbers."""
        places = [no for no, gap in enumerate(gaps) if gap.strip()]
        self.odd += sum(len(gaps[no]) for no in places)
        if self.odd > max(_ODD_BYTES, _ODD_SHARE * self.read):
            raise Unusual("too many odd rows")
        runs: list[list[tuple[int, list[Cell]]]] = []
        for run in RowParser().parse([gaps[no] for no in places]):
            cells = [(row.number, self._whole(row)) for row in run]
            runs.append([(number, row) for number, row in cells if any(map(_has_content, row))])
        for index, column in columns.items():
            inserts = [[row[index] if index < len(row) else "" for _, row in run] for run in runs]
            columns[index] = _woven(column, places, inserts)
        return _woven(numbers, places, [[number for number, _ in run] for run in runs])

    def _check_order(self, numbers: Sequence[int]) -> None:
        if not numbers or (numbers[0] > self.last and all(map(lt, numbers, numbers[1:]))):
            return
        if min(numbers) <= self.last:
            # Its first reading was given already; Excel calls such a file damaged.
            raise BadFile("truncated", error=f"row {min(numbers)} again")
        raise Unusual("rows in no order")

    def _commit(self, last: int, hidden: int, table: Table) -> None:
        self.last = last
        table.hidden_rows += hidden


def _woven(base: list[T], places: Sequence[int], inserts: Sequence[list[T]]) -> list[T]:
    """`base` with each run inserted before the element that is at its place."""
    woven: list[T] = []
    before = 0
    for place, run in zip(places, inserts, strict=True):
        woven += base[before:place]
        woven += run
        before = place
    return woven + base[before:]


def _has_content(cell: Cell) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else True


def _hidden_columns(head: bytes) -> set[int]:
    hidden: set[int] = set()
    for tag in _COLUMN.findall(head):
        said = dict(_SAYS.findall(tag))
        if said.get(b"hidden") in (b"1", b"true"):
            hidden.update(range(int(said.get(b"min", 1)) - 1, min(int(said.get(b"max", 1)), 1 << 14)))
    return hidden
