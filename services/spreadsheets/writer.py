"""Write the files we hand out. No text becomes a formula, and no number loses a digit or its plus sign."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

Value = str | int | float | date | datetime | None

SHEET_ROWS = 1_048_576  # Excel's own limit, header included
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not imported: where it is, what it says, why not, and what it might have meant ("" if unclear)."""

    sheet: str
    row: int
    original: str
    reason: str
    suggestion: str = ""


def write_rejects(path: Path, rejects: Iterable[Reject], *, with_sheet: bool = True) -> int:
    """Write the reject file (xlsx) and return its number of rows. A csv has no sheets to name."""
    skip = 0 if with_sheet else 1
    headers = ("Sheet", "Row", "Original value", "Reason", "Suggestion")[skip:]
    rows = ((r.sheet, r.row, r.original, r.reason, r.suggestion)[skip:] for r in rejects)
    text_columns = [no for no, header in enumerate(headers) if header != "Row"]
    return write_table(path, "Rejected", headers, rows, widths=(18, 9, 26, 44, 22)[skip:], text_columns=text_columns)


def write_table(
    path: Path,
    title: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[Value]],
    *,
    widths: Sequence[float] = (),
    text_columns: Collection[int] = (),
) -> int:
    """Write an xlsx with a bold, frozen, filtered header and return its number of rows.

    `text_columns` (0-based) are formatted as text, so that Excel keeps their digits also when a person edits a cell. A
    str is literal text in every column. What does not fit on one sheet continues on the next, header repeated. Dates
    and times must have no zone. Memory does not grow with the rows.
    """
    book = Workbook(write_only=True)
    source = iter(rows)
    written = 0
    for no, first in enumerate(chain([next(source, None)], source), start=1):
        part = chain([] if first is None else [first], islice(source, SHEET_ROWS - 2))
        written += _write_sheet(book, _title(title, no), headers, part, widths, frozenset(text_columns))
    book.save(path)
    return written


def _write_sheet(
    book: Workbook,
    title: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[Value]],
    widths: Sequence[float],
    text_columns: Collection[int],
) -> int:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for no, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(no)].width = width
    # A cell is written out as it is appended, so one per column serves for all rows.
    cells = [WriteOnlyCell(sheet) for _ in headers]
    for cell, header in zip(cells, headers, strict=True):
        cell.font = Font(bold=True)
        _set(cell, header)
    sheet.append(cells)
    cells = [WriteOnlyCell(sheet) for _ in headers]
    for no in text_columns:
        cells[no].number_format = "@"
    count = 0
    for row in rows:
        for no, value in enumerate(row):
            _set(cells[no], str(value) if no in text_columns and value is not None else value)
        sheet.append(cells)
        count += 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(headers))}{count + 1}"
    return count


def _set(cell: Cell, value: Value) -> None:
    if isinstance(value, str) and value:
        cell.value = _NOT_XML.sub("", value)
        cell.data_type = "s"  # openpyxl took a leading = for a formula, and #N/A for an error
    else:
        cell.value = value or None if isinstance(value, str) else value


def _title(title: str, no: int) -> str:
    plain = _NOT_IN_TITLE.sub(" ", title).strip("' ")[:28] or "Sheet"
    return plain if no == 1 else f"{plain} {no}"
