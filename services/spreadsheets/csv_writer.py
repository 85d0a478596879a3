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


def _literal(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_CALCULATED) else cell
