"""Small spreadsheets, as people drop them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from openpyxl import Workbook


def a_csv(path: Path, cells: Sequence[str], header: str = "Mobile") -> Path:
    """One column; the name in a second one, so that a row without number is still a row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([(header, "Name"), *((cell, "Ana") for cell in cells)])
    return path


def an_xlsx(path: Path, sheets: Mapping[str, Sequence[str]], headers: Mapping[str, str] | None = None) -> Path:
    """One column of text in each sheet."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, cells in sheets.items():
        sheet = book.create_sheet(name)
        for cell in ((headers or {}).get(name, "Mobile"), *cells):
            sheet.append([cell])
    book.save(path)
    return path
