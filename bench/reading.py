"""Reading 1,000,000 rows: python-calamine alone in a process of its own (the floor) against our limited child.

A chunk is thrown away as it arrives, so what is measured is what isolation, the header search and the pipe add.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.files import Made, make_csv, make_xlsx
from services.spreadsheets.reader import read_numbers

ROWS = 1_000_000
RUNS = 3
_FLOOR = """
import sys, time, python_calamine
start = time.perf_counter()
book = python_calamine.CalamineWorkbook.from_path(sys.argv[1])
rows = sum(1 for no in range(len(book.sheet_names)) for _ in book.get_sheet_by_index(no).iter_rows())
print(time.perf_counter() - start, rows)
"""


def measure() -> dict[str, tuple[float, str]]:
    """Return name → (value, unit). Files are made once and kept in the machine's temporary folder."""
    xlsx, csv, table = made("1m.xlsx", make_xlsx), made("1m.csv", make_csv), made("1m-others.xlsx", _make_table)
    floors, ours, firsts, table_floors, tables = [], [], [], [], []
    for _ in range(RUNS):
        floors.append(floor_seconds(xlsx))
        ours.append(our_seconds(xlsx))
        firsts.append(first_rows_seconds(xlsx))
        table_floors.append(floor_seconds(table))
        tables.append(our_seconds(table, with_attributes=True))
    floor, our = statistics.median(floors), statistics.median(ours)
    return {
        "reading.xlsx.floor_seconds": (floor, "s"),
        "reading.xlsx.seconds": (our, "s"),
        "reading.xlsx.over_calamine": (our / floor, "x"),
        "reading.xlsx.rows_per_second": (ROWS / our, "rows/s"),
        "reading.xlsx.first_rows_over_calamine": (statistics.median(firsts) / floor, "x"),
        "reading.xlsx.child_peak_mb": (child_peak_mb(xlsx), "MB"),
        "reading.attributes.over_calamine": (statistics.median(tables) / statistics.median(table_floors), "x"),
        "reading.attributes.child_peak_mb": (child_peak_mb(table, with_attributes=True), "MB"),
        "reading.csv.rows_per_second": (ROWS / our_seconds(csv), "rows/s"),
        "reading.csv.child_peak_mb": (child_peak_mb(csv), "MB"),
    }


def _make_table(path: Path, rows: int) -> Made:
    return make_xlsx(path, rows, others=True)


def made(name: str, make: Callable[[Path, int], object]) -> Path:
    """The file of that name with 1,000,000 rows, made if it is not there yet."""
    path = Path(tempfile.gettempdir()) / "sms-bench" / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        make(part, ROWS)
        part.rename(path)
    return path


def floor_seconds(path: Path) -> float:
    """What python-calamine needs for the rows, the interpreter's own start not counted."""
    answer = subprocess.run([sys.executable, "-c", _FLOOR, path], capture_output=True, text=True, check=True).stdout
    seconds, rows = answer.split()
    assert int(rows) == ROWS + 1, rows
    return float(seconds)


def our_seconds(path: Path, *, with_attributes: bool = False) -> float:
    """What our reader needs, its process's start included."""
    start = time.perf_counter()
    rows = sum(len(chunk.cells) for chunk in read_numbers(path, with_attributes=with_attributes))
    assert rows == ROWS, rows
    return time.perf_counter() - start


def first_rows_seconds(path: Path) -> float:
    """How long it takes until there is something to check, the process's start included."""
    start = time.perf_counter()
    with closing(read_numbers(path)) as chunks:
        next(chunk for chunk in chunks if chunk.rows)
    return time.perf_counter() - start


def child_peak_mb(path: Path, *, with_attributes: bool = False) -> float:
    """The reading child's peak, asked of the kernel by a process that has no other child."""
    program = (
        "import resource, sys; from pathlib import Path; from services.spreadsheets.reader import read_numbers\n"
        f"for chunk in read_numbers(Path(sys.argv[1]), with_attributes={with_attributes}): pass\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    answer = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True).stdout
    return int(answer) / 1024


if __name__ == "__main__":
    for name, (value, unit) in measure().items():
        print(f"{name:40}{value:14,.2f} {unit}")
