"""Write a csv that a spreadsheet program opens as it is: UTF-8 with BOM, and no cell is a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

# What makes a spreadsheet program calculate, or hides such a character from a look at the first one.
_CALCULATED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_csv(path: Path, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Returns the number of rows. A cell that would be calculated gets an apostrophe in front."""
    count = 0
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(_literal, headers))
        for row in rows:
            writer.writerow(map(_literal, row))
            count += 1
    return count


def write_csv_columns(path: Path, headers: Sequence[str], parts: Iterable[Sequence[Sequence[str]]]) -> int:
    """The same for rows that come some at a time as columns, each as long as the others: in a third of the time."""
    count = 0
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        csv.writer(file).writerow(map(_literal, headers))
        for columns in parts:
            plain = [column if _is_plain(column) else [*map(_written, column)] for column in columns]
            file.write("\r\n".join(map(",".join, zip(*plain, strict=True))) + "\r\n")
            count += len(columns[0])
    return count


def _is_plain(column: Sequence[str]) -> bool:
    """No cell needs anything. One look at all of them together is faster than one at each."""
    together = "".join(column)
    if any(sign in together for sign in ('"', ",", "\r", "\n")):
        return False
    return {cell[:1] for cell in column}.isdisjoint(_CALCULATED)


def _written(cell: str) -> str:
    literal = _literal(cell)
    if any(sign in literal for sign in ('"', ",", "\r", "\n")):
        return '"' + literal.replace('"', '""') + '"'
    return literal


def _literal(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_CALCULATED) else cell
