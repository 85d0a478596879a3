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


def unclear_sheets(path: Path) -> Path:
    """Two sheets with two columns of numbers each, under names of their own: each has to be asked about."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, header in (("Spring", ("mobile", "phone")), ("Winter", ("tel", "cell"))):
        sheet = book.create_sheet(name)
        for row in (header, *((f"1380000000{no}", f"1390000000{no}") for no in range(3))):
            sheet.append(row)
    book.save(path)
    return path
