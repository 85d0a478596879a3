"""Workbooks written by LibreOffice and Gnumeric; `tests/data/spreadsheets/README.md` tells what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.spreadsheets.reader import Chunk, read_numbers

DATA = Path(__file__).parents[1] / "data" / "spreadsheets"
NAMES = {4: "李娜", 5: "王小明", 6: "hidden one", 7: "Zoë Ağa", 9: "no number", 10: "number formula"}
NUMBERS = {4: "13812345678", 5: "13812345679", 6: "13812345670", 7: "13812345671", 9: "", 10: "13812345672"}
FAR = [(502, "13812345673", ("Li", "Wuhan")), (503, "13812345674", ("Wu", ""))]


def sheets(name: str) -> dict[str, list[Chunk]]:
    found: dict[str, list[Chunk]] = {}
    for chunk in read_numbers(DATA / name, with_attributes=True):
        found.setdefault(chunk.sheet.name, []).append(chunk)
    return found


def rows(chunks: list[Chunk]) -> list[tuple[int, str, tuple[str, ...]]]:
    return [row for chunk in chunks for row in zip(chunk.rows, chunk.cells, chunk.attributes or (), strict=True) if row]


def without(values: dict[int, str], *rows: int) -> dict[int, str]:
    return {row: value for row, value in values.items() if row not in rows}


@pytest.mark.parametrize("name", ["customers.ods", "customers.xlsx", "customers-gnumeric.xlsx"])
def test_a_workbook_is_read_without_its_hidden_rows_and_columns(name: str) -> None:
    customers = sheets(name)["Customers"]
    assert customers[0].sheet.attribute_names == ("No.", "姓名", "Joined", "Balance", "Note")
    assert (customers[0].sheet.hidden_columns, sum(chunk.hidden_rows for chunk in customers)) == (1, 1)
    found = rows(customers)
    assert {row: cell for row, cell, _ in found} == without(NUMBERS, 6)
    assert {row: values[1] for row, _, values in found} == without(NAMES, 6)
    assert [values[2:] for _, _, values in found][:3] == [
        ("2026-05-01", "12.5", "ab"),
        ("2026-05-01 10:30", "0.3", ""),
        ("09:05", "-3", "two\nlines"),
    ]
    assert found[-1][2] == ("6", "number formula", "", "", "spaces")


@pytest.mark.parametrize("name", ["customers-97.xls", "customers-95.xls"])
def test_an_xls_is_read_its_hidden_rows_too(name: str) -> None:
    customers = rows(sheets(name)["Customers"])
    others = [row for row in customers if row[0] != 7]  # where each writer left something out
    assert {row: cell for row, cell, _ in others} == without(NUMBERS, 7)
    assert {row: values[1] for row, _, values in others} == without(NAMES, 7)
    assert customers[0][2][2:5] == ("2026-05-01", "12.5", "13900000001")


@pytest.mark.parametrize("path", sorted(DATA.glob("customers*")), ids=lambda path: path.name)
def test_a_table_far_from_the_corner_is_read(path: Path) -> None:
    found = sheets(path.name)
    assert [row for row in rows(found["Far away"]) if row[1]] == FAR
    assert found["Far away"][0].sheet.attribute_names == ("Name", "City")
    assert found["Far away"][0].sheet.candidates[0].letter == "AA"
    assert found["Empty"][0].sheet.skipped == "empty"


@pytest.mark.parametrize("name", ["customers.ods", "customers.xlsx", "customers-97.xls"])
def test_a_hidden_sheet_is_left_out(name: str) -> None:
    (staff,) = sheets(name)["Staff"]
    assert (staff.sheet.skipped, staff.rows) == ("hidden", ())
