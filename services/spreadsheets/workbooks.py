"""xlsx, xlsm, xlsb, xls and ods: every visible sheet, by python-calamine or, in a large xlsx, as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from services.errors import BadFile
from services.spreadsheets import kinds, ole
from services.spreadsheets.cells import Values, style_kinds
from services.spreadsheets.columns import ErrorText
from services.spreadsheets.hidden import Package, SheetPart
from services.spreadsheets.sender import Sender
from services.spreadsheets.stream import Stream
from services.spreadsheets.strings import FAILURES, Unusual, shared_strings
from services.spreadsheets.tables import Block, Hidden, Row, Table, blocks_of

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

MAX_ROWS = 1 << 24  # 16 times what a sheet can have; a row number may claim more
STREAM_BYTES = 4 << 20  # of a sheet's XML; calamine reads less in the time a stream needs to begin


def send_workbook(file: BinaryIO, kind: kinds.Kind, sender: Sender) -> None:
    """Send every visible sheet; tell of the others."""
    import python_calamine as calamine

    package = Package(file) if kind == "zip" else None
    try:
        if package and max((part.size for part in package.sheets), default=0) >= STREAM_BYTES:
            _send_streamed(file, package, sender)
        else:
            _send_calamine(_Calamine(file, kind, package), sender)
    except calamine.PasswordError as error:
        raise BadFile("encrypted") from error
    except OverflowError as error:  # a duration of a million years
        raise BadFile("truncated", error=str(error)[:200]) from error
    except calamine.CalamineError as error:
        raise kinds.why_unreadable(file, kind, str(error)) from error


def _send_calamine(book: _Calamine, sender: Sender) -> None:
    for no, (name, visible) in enumerate(book.sheets):
        if visible is None:
            continue
        if not visible:
            sender.skip(name, "hidden")
            continue
        table = Table(name)
        table.blocks = book.blocks(table, no)
        sender.send_table(table)


def _send_streamed(file: BinaryIO, package: Package, sender: Sender) -> None:
    try:
        values: Values | None = Values(shared_strings(package.zip), style_kinds(package.zip))
    except (Unusual, *FAILURES):
        values = None
    if values is None or not all(part.known for part in package.sheets):
        return _send_calamine(_Calamine(file, "zip", package), sender)
    streams = _Streams(file, package, values)
    for no, part in enumerate(package.sheets):
        if not part.worksheet:
            continue
        if not part.visible:
            sender.skip(part.name, "hidden")
            continue
        table = Table(part.name)
        table.blocks = streams.blocks(table, no, part)
        sender.send_table(table)
    return None


class _Streams:
    """The sheets of a large xlsx; from the first one that is no stream calamine reads them."""

    def __init__(self, file: BinaryIO, package: Package, values: Values) -> None:
        self.file, self.package = file, package
        self.values: Values | None = values
        self.book: _Calamine | None = None

    def blocks(self, table: Table, no: int, part: SheetPart) -> Iterator[Block]:
        last = 0
        if self.values is not None:
            before, whole = sum(part.size for part in self.package.sheets[:no]), self.package.size

            def done(read: int) -> float:
                return (before + min(read, part.size)) / whole

            stream = Stream(self.package.zip, part.path, self.values, done)
            table.merged = partial(_merged_in, stream)
            try:
                yield from stream.blocks(table)
            except Unusual:
                last = stream.last
            else:
                return
            del stream
            self.values = None  # calamine needs the memory for its own
        if self.book is None:
            self.book = _Calamine(self.file, "zip", self.package)
        names = [name for name, _ in self.book.sheets]
        if part.name in names:
            yield from self.book.blocks(table, names.index(part.name), last)


class _Calamine:
    """A workbook read by python-calamine. `sheets` are name and visibility, which is None for what is no worksheet."""

    def __init__(self, file: BinaryIO, kind: kinds.Kind, package: Package | None) -> None:
        import python_calamine as calamine

        self.package = package
        copy = ole.old(file) if kind == "ole" else None
        if copy is None:
            try:
                # Through the open file, not the path: given a path, calamine believes its extension.
                self.book = calamine.CalamineWorkbook.from_path(f"/dev/fd/{file.fileno()}")
            except BaseException as error:
                panic = type(error).__name__ == "PanicException"
                copy = ole.old(file, always=True) if kind == "ole" and panic else None
                if copy is None:
                    raise
        if copy is not None:
            with copy.file:
                self.book = calamine.CalamineWorkbook.from_path(f"/dev/fd/{copy.file.fileno()}")
        self.copy = copy
        worksheet, visible = calamine.SheetTypeEnum.WorkSheet, calamine.SheetVisibleEnum.Visible
        self.sheets = [
            (copy.text(meta.name) if copy else meta.name, meta.visible == visible if meta.typ == worksheet else None)
            for meta in self.book.sheets_metadata
        ]

    def blocks(self, table: Table, no: int, last: int = 0) -> Iterator[Block]:
        """The rows of a sheet behind row `last`."""
        hidden = self.package.hidden_in(table.name) if self.package else Hidden()
        sheet = self.book.get_sheet_by_index(no)
        if sheet.total_height > MAX_ROWS:
            raise BadFile("expands_too_much", rows=sheet.total_height)
        first_row, offset = sheet.start or (0, 0)
        rows: Iterator[Row] = sheet.iter_rows() if self.copy is None else map(self.copy.row, sheet.iter_rows())
        if hidden.errors:
            rows = _with_errors(rows, hidden.errors, offset)
        if last:
            # The table has begun with the columns counted from A.
            rows = ([""] * offset + list(row) for row in rows)
            first_row = max(first_row, last)
        else:
            table.offset = offset
        table.hidden_columns |= hidden.columns
        table.merged = lambda: _merged_down(sheet)
        sizes = self._sizes()
        before, size, whole, height = sum(sizes[:no]), sizes[no], sum(sizes) or 1, max(1, sheet.total_height)

        def done(row: int) -> float:
            return (before + size * min(1, row / height)) / whole

        yield from blocks_of(table, islice(rows, first_row, None), first_row + 1, hidden.rows, done)

    def _sizes(self) -> list[int]:
        sizes = {part.name: part.size for part in self.package.sheets} if self.package else {}
        return [sizes.get(name, 1) for name, _ in self.sheets]


def _with_errors(rows: Iterator[Row], errors: Mapping[int, Mapping[int, str]], offset: int) -> Iterator[Row]:
    """The rows with what calamine leaves empty: the cells whose formulas failed."""
    for number, row in enumerate(rows, start=1):
        if number in errors:
            cells = list(row)
            for index, text in errors[number].items():
                if offset <= index < offset + len(cells):
                    cells[index - offset] = ErrorText(text)
            row = cells
        yield row


def _merged_in(stream: Stream) -> Sequence[tuple[int, int]]:
    try:
        return stream.merged()
    except (Unusual, *FAILURES):
        return ()


def _merged_down(sheet: CalamineSheet) -> Sequence[tuple[int, int]]:
    """First and last row, from 1, of the cells that span rows; for ods calamine cannot say."""
    ranges = sheet.merged_cell_ranges or ()
    return [(first + 1, last + 1) for (first, _), (last, _) in ranges if first < last]
