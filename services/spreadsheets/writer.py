"""Write the files we hand out. No text becomes a formula, and no number loses a digit or its plus sign.

openpyxl writes every part of a workbook except the rows: styling a cell with it takes 30 µs, which a million failed
numbers do not have. Rows are inline strings, streamed, so memory does not grow with them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

Value = str | int | float | None

SHEET_ROWS = 1_048_576  # Excel's own limit, header included
_CELL_CHARACTERS = 32_767  # Excel's too
_EXACT_BELOW = 10**15  # a spreadsheet keeps 15 digits of a number
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile("[\x00-\x1f&<>\ud800-\udfff\ufffe\uffff]|^ | $")
_NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\]")
_SHEET_PART = "xl/worksheets/sheet{}.xml"
_DIMENSION = re.compile(rb"<dimension[^>]*/>")


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
    str is literal text in every column, and a time is given as one, since a cell holds no zone. What does not fit on
    one sheet continues on the next, header repeated.
    """
    source = iter(rows)
    shell = _Shell(title, headers, widths, frozenset(text_columns))
    counts: list[int] = []
    first = next(source, None)
    with ZipFile(path, "w", ZIP_DEFLATED) as book:
        while first is not None or not counts:
            sheet_rows = chain([] if first is None else [first], islice(source, SHEET_ROWS - 2))
            with book.open(_SHEET_PART.format(len(counts) + 1), "w") as sheet:
                sheet.write(shell.around_rows([*counts, 0])[0])
                counts.append(_write_rows(sheet, sheet_rows, shell))
                sheet.write(shell.around_rows(counts)[1])
            first = next(source, None)
        for name, content in shell.parts(counts).items():
            if name not in book.NameToInfo:
                book.writestr(name, content)
    return sum(counts)


class _Shell:
    """A workbook without rows, as openpyxl writes it."""

    def __init__(
        self, title: str, headers: Sequence[str], widths: Sequence[float], text_columns: frozenset[int]
    ) -> None:
        self.title = _NOT_IN_TITLE.sub(" ", title).strip("' ")[:26] or "Sheet"
        self.headers, self.widths, self.text_columns = headers, widths, text_columns
        self.text_style = 0

    def parts(self, counts: Sequence[int]) -> dict[str, bytes]:
        """Every part of a workbook with a sheet for each of these numbers of rows, by its name."""
        book = Workbook()
        book.remove(book.worksheets[0])
        for no, count in enumerate(counts, start=1):
            sheet = book.create_sheet(self.title if no == 1 else f"{self.title} {no}")
            sheet.freeze_panes = "A2"
            sheet.auto_filter.ref = f"A1:{get_column_letter(len(self.headers))}{count + 1}"
            for column, header in enumerate(self.headers, start=1):
                cell = sheet.cell(1, column)
                cell.value = header
                cell.data_type = "s"  # openpyxl takes a leading = for a formula
                cell.font = Font(bold=True)
            for column, width in enumerate(self.widths, start=1):
                sheet.column_dimensions[get_column_letter(column)].width = width
            for column in self.text_columns:
                dimension = sheet.column_dimensions[get_column_letter(column + 1)]
                dimension.number_format = "@"
                self.text_style = dimension.style_id
        file = io.BytesIO()
        book.save(file)
        with ZipFile(file) as saved:
            return {name: saved.read(name) for name in saved.namelist()}

    def around_rows(self, counts: Sequence[int]) -> tuple[bytes, bytes]:
        """What stands before and behind the rows in the last sheet's part."""
        whole = self.parts(counts)[_SHEET_PART.format(len(counts))]
        before, end, behind = whole.partition(b"</sheetData>")
        # It would tell readers that the header is all there is.
        return _DIMENSION.sub(b"", before), end + behind


def _write_rows(sheet: IO[bytes], rows: Iterator[Sequence[Value]], shell: _Shell) -> int:
    """Write the rows from row 2 on, and return how many they are."""
    columns = []
    for no in range(len(shell.headers)):
        as_text = no in shell.text_columns
        columns.append((get_column_letter(no + 1), f'" s="{shell.text_style}"' if as_text else '"', as_text))
    count = 0
    while part := list(islice(rows, 2_000)):
        lines = []
        for at, row in enumerate(part, start=count + 2):
            cells = [
                f'<c r="{letter}{at}{style}{_content(value, as_text)}</c>'
                for (letter, style, as_text), value in zip(columns, row, strict=True)
                if value is not None and value != ""
            ]
            lines.append(f'<row r="{at}">{"".join(cells)}</row>')
        sheet.write("".join(lines).encode())
        count += len(part)
    return count


def _content(value: Value, as_text: bool) -> str:
    """The rest of a cell's start tag, and what is inside it."""
    if not as_text and isinstance(value, int | float) and abs(value) < _EXACT_BELOW:
        return f"><v>{value!r}</v>"
    text = str(value)[:_CELL_CHARACTERS]
    if not _SPECIAL.search(text):
        return f' t="inlineStr"><is><t>{text}</t></is>'
    plain = _NOT_XML.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f' t="inlineStr"><is><t xml:space="preserve">{plain.replace(chr(13), "&#13;")}</t></is>'
