"""xlsx, xlsm, xlsb, xls and ods: every visible sheet, read by python-calamine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from services.errors import BadFile
from services.spreadsheets import kinds, ole
from services.spreadsheets.hidden import Package
from services.spreadsheets.sender import Sender
from services.spreadsheets.tables import Hidden, Row, Table, blocks_of

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MAX_ROWS = 1 << 24  # 16 times what a sheet can have; a row number may claim more


def send_workbook(file: BinaryIO, kind: kinds.Kind, sender: Sender) -> None:
    """Send every visible sheet; tell of the others."""
    import python_calamine as calamine

    package = Package(file) if kind == "zip" else None
    try:
        book, old = _open(file, kind)
        said = old.text if old else str
        sizes = [package.size_of(name) if package else 1 for name in book.sheet_names]
        for no, meta in enumerate(book.sheets_metadata):
            if meta.typ != calamine.SheetTypeEnum.WorkSheet:
                continue
            if meta.visible != calamine.SheetVisibleEnum.Visible:
                sender.skip(said(meta.name), "hidden")
                continue
            hidden = package.hidden_in(meta.name) if package else Hidden()
            sheet = book.get_sheet_by_index(no)
            if sheet.total_height > MAX_ROWS:
                raise BadFile("expands_too_much", rows=sheet.total_height)
            rows = sheet.iter_rows() if old is None else map(old.row, sheet.iter_rows())
            share = (sum(sizes[:no]), sizes[no], sum(sizes) or 1)
            sender.send_table(_table(sheet, rows, said(meta.name), hidden, share))
            del sheet, rows
    except calamine.PasswordError as error:
        raise BadFile("encrypted") from error
    except calamine.CalamineError as error:
        raise kinds.why_unreadable(file, kind, str(error)) from error


def _open(file: BinaryIO, kind: kinds.Kind) -> tuple[CalamineWorkbook, ole.Old | None]:
    import python_calamine as calamine

    copy = ole.old(file) if kind == "ole" else None
    if copy is None:
        try:
            # Through the open file, not the path: given a path, calamine believes its extension.
            return calamine.CalamineWorkbook.from_path(f"/dev/fd/{file.fileno()}"), None
        except BaseException as error:
            copy = ole.old(file, always=True) if kind == "ole" and type(error).__name__ == "PanicException" else None
            if copy is None:
                raise
    with copy.file:
        return calamine.CalamineWorkbook.from_path(f"/dev/fd/{copy.file.fileno()}"), copy


def _table(sheet: CalamineSheet, rows: Iterator[Row], name: str, hidden: Hidden, share: tuple[int, int, int]) -> Table:
    before, size, whole = share
    height = max(1, sheet.total_height)

    def done(row: int) -> float:
        return (before + size * min(1, row / height)) / whole

    first_row, offset = sheet.start or (0, 0)
    table = Table(name, iter(()), offset, hidden.columns, _merged_down(sheet))
    table.blocks = blocks_of(table, islice(rows, first_row, None), first_row + 1, hidden.rows, done)
    return table


def _merged_down(sheet: CalamineSheet) -> Sequence[tuple[int, int]]:
    """First and last row, from 1, of the cells that span rows; for ods calamine cannot say."""
    ranges = sheet.merged_cell_ranges or ()
    return [(first + 1, last + 1) for (first, _), (last, _) in ranges if first < last]
