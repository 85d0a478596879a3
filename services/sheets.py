"""Rows of a workbook of several sheets: stored as one count through all of them, shown as the sheet itself counts.

So files that are written in the order of the rows keep the order of the sheets, and no row needs to say its sheet.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence

# A sheet with how many rows count before its own.
Place = tuple[str, int]


def sheets_to_json(sheets: Sequence[Place]) -> str | None:
    """For `number_import.sheets`."""
    return json.dumps(sheets, ensure_ascii=False) if len(sheets) > 1 else None


def sheets_from_json(stored: str | None) -> list[Place]:
    """The reverse; nothing for NULL."""
    return [] if stored is None else [(name, before) for name, before in json.loads(stored)]


def befores_from_json(stored: str | None) -> list[int]:
    """Only how many rows count before each sheet's, for `row_in_sheet`."""
    return [before for _, before in sheets_from_json(stored)]


def row_in_sheet(row: int, befores: Sequence[int]) -> int:
    """What a sheet calls this row, by how many count before each sheet's; the row itself where there are none."""
    return row - befores[bisect_left(befores, row) - 1] if befores else row
