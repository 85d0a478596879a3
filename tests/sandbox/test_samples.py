"""The two sample files hold what their script says, judged by the bot's own rules for numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from python_calamine import load_workbook

import sandbox.samples
from sandbox.carriers.huawei import MAGIC
from sandbox.samples import make
from services.numbers import check

SAMPLES = Path(sandbox.samples.__file__).parent


def column(path: Path, header: str) -> list[object]:
    """The cells under the header, and the cells of empty rows."""
    rows = load_workbook(path).get_sheet_by_index(0).to_python()
    at = next(index for index, row in enumerate(rows) if header in row)
    return [row[rows[at].index(header)] for row in rows[at + 1 :]]


def findings(cells: list[object]) -> Counter[str]:
    counts: Counter[str] = Counter()
    taken = set()
    for cell in cells:
        assert isinstance(cell, str | int | float)
        if cell == "":
            counts["no number"] += 1
            continue
        verdict = check(cell)
        if verdict.number is None:
            counts["set aside" if verdict.set_aside else "invalid"] += 1
        elif verdict.number in taken:
            counts["duplicate"] += 1
        else:
            taken.add(verdict.number)
            counts["imported"] += 1
            counts["by country code"] += verdict.by_country_code
    return +counts


def test_customers_are_all_imported() -> None:
    assert findings(column(SAMPLES / "customers.xlsx", "手机号/Mobile")) == {"imported": 12_480}


def test_messy_holds_what_its_script_promises() -> None:
    assert findings(column(SAMPLES / "messy.xlsx", "手机号码")) == {
        "imported": 470,
        "by country code": 10,
        "duplicate": 60,
        "invalid": 48,
        "set aside": 14,
        "no number": 6 + 18,
    }


@pytest.mark.parametrize(
    ("file", "header"), [("customers.xlsx", "手机号/Mobile"), ("messy.xlsx", "手机号码")], ids=["customers", "messy"]
)
def test_a_few_numbers_of_each_fate_are_among_them(file: str, header: str) -> None:
    endings = Counter(str(check(str(cell)).number)[-3:] for cell in column(SAMPLES / file, header))
    assert all(1 <= endings[ending] <= 24 for ending in MAGIC)


def test_the_script_still_writes_the_messy_file_that_is_here(tmp_path: Path) -> None:
    make.messy(tmp_path / "messy.xlsx")
    assert column(tmp_path / "messy.xlsx", "手机号码") == column(SAMPLES / "messy.xlsx", "手机号码")
