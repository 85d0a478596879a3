"""Customer lists for the tests: real workbooks whose every cell's fate is known beforehand."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import openpyxl
from openpyxl import Workbook

Row = tuple[object, ...]

PREFIXES = ("135", "136", "138", "139", "150", "158", "177", "186", "188", "199")
# What the sandbox carrier does with a number that ends so (sandbox/carriers/huawei.py).
FAILED = {"001": "UNDELIV", "002": "MBBLACK", "003": "EXPIRED"}
REFUSED = {"005": "E200025"}
UNREPORTED = ("004", "006")


@dataclass(frozen=True, slots=True)
class CustomerList:
    """`numbers` (E.164) are those to be imported, each once; `rejected` what is left out: row and text as typed."""

    path: Path
    rows: int
    numbers: frozenset[str]
    duplicates: int
    invalid: int
    landlines: int
    rejected: tuple[tuple[int, str], ...]

    def failing(self) -> dict[str, str]:
        """Which numbers the carrier will refuse or report as failed, and with which code."""
        codes = {**FAILED, **REFUSED}
        return {number: codes[number[-3:]] for number in self.numbers if number[-3:] in codes}


def numbers(count: int, seed: int = 1, magic: Sequence[str] = ()) -> list[str]:
    """`count` different mainland numbers of 11 digits: the first end as `magic` says, no other ends so."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        start = f"{chance.choice(PREFIXES)}{chance.randrange(10**5):05}"
        ending = magic[len(found)] if len(found) < len(magic) else f"{chance.randrange(7, 1000):03}"
        found[start + ending] = None
    return list(found)


def messy_list(path: Path, rows: int, magic: Sequence[str]) -> CustomerList:
    """An xlsx in which 80 % are customers; the rest says one of them again, is invalid or a landline."""
    chance = random.Random(rows)
    duplicates, invalid, landlines = rows * 12 // 100, rows * 5 // 100, rows * 3 // 100
    good = numbers(rows - duplicates - invalid - landlines, rows, magic)
    again = [f"+86 {each[:3]} {each[3:7]} {each[7:]}" for each in chance.choices(good, k=duplicates)]
    broken = [chance.choice((f"13{n:08}", f"{n:05} 待补", f"1.38E+{n}")) for n in range(invalid)]
    fixed = [f"010-6{n:07}" for n in range(landlines)]
    cells: list[tuple[str, bool]] = [*((each, True) for each in (*good, *again)), *((e, False) for e in broken + fixed)]
    chance.shuffle(cells)
    write_xlsx(path, [("姓名", "手机号", "City"), *((f"客户{no}", cell, "上海") for no, (cell, _) in enumerate(cells))])
    rejected = tuple((row, cell) for row, (cell, is_good) in enumerate(cells, start=2) if not is_good)
    return CustomerList(path, rows, _e164(good), duplicates, invalid, landlines, rejected)


def clean_list(path: Path, count: int, seed: int = 1, magic: Sequence[str] = ()) -> CustomerList:
    """A csv of nothing but customers, written in no time."""
    good = numbers(count, seed, magic)
    path.write_text("mobile\n" + "\n".join(good) + "\n", "utf-8")
    return CustomerList(path, count, _e164(good), 0, 0, 0, ())


def write_xlsx(path: Path, rows: Iterable[Row]) -> Path:
    """A workbook of one sheet."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Customers")
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def read_xlsx(content: bytes) -> list[Row]:
    """Every row of the only sheet, the header first."""
    (sheet,) = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    return [tuple(row) for row in sheet.iter_rows(values_only=True)]


def _e164(good: Iterable[str]) -> frozenset[str]:
    return frozenset(f"+86{number}" for number in good)
