"""A whole import of 100,000 rows: read in the limited child, checked, stored in the group; and the naive way beside it.

The naive way is what one writes first: openpyxl's read-only mode, phonenumbers for every cell, an ORM object for every
number. It is measured on fewer rows, and compared by the time one row takes.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import phonenumbers
from openpyxl import load_workbook
from sqlalchemy import BigInteger, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench.files import Made, make_csv, make_xlsx
from bench.processes import in_own_process, new_database, peak_mb
from bench.reading import child_peak_mb
from services.clock import SystemClock
from services.content import Content
from services.database import Database
from services.groups import Groups
from services.imports import Imports, UploadedFile
from services.states import ImportState, SmsType

ROWS = 100_000
NAIVE_ROWS = 20_000
RUNS = 3
WORKSPACE = "T0BENCH"
_PROGRAM = "import sys; from bench import imports; imports.{}(*sys.argv[1:])"


def measure() -> dict[str, tuple[float, str]]:
    """Figures by name, each with its unit: the fastest of three runs, the highest of their peaks."""
    with tempfile.TemporaryDirectory(prefix="sms-bench-") as folder:
        xlsx, csv, small = Path(folder) / "100k.xlsx", Path(folder) / "100k.csv", Path(folder) / "20k.xlsx"
        made = {xlsx: make_xlsx(xlsx, ROWS), csv: make_csv(csv, ROWS)}
        make_xlsx(small, NAIVE_ROWS)
        runs = {
            (path.suffix[1:], kind): _best(path, kind, made[path])
            for path, kind in ((xlsx, "sqlite"), (csv, "sqlite"), (xlsx, "postgresql"))
        }
        naive = float(in_own_process(_PROGRAM.format("print_naive"), str(small)))
        reader = child_peak_mb(xlsx)
    figures: dict[str, tuple[float, str]] = {
        f"import.{suffix}.{kind}.rows_per_second": (ROWS / run["seconds"], "rows/s")
        for (suffix, kind), run in runs.items()
    }
    figures["import.parent_peak_mb"] = (max(run["peak_mb"] for run in runs.values()), "MB")
    figures["import.reader_peak_mb"] = (reader, "MB")
    ours = runs["xlsx", "sqlite"]["seconds"] / ROWS
    figures["import.xlsx.sqlite.naive_over_us"] = (naive / NAIVE_ROWS / ours, "x")
    return figures


def _best(path: Path, kind: str, made: Made) -> Mapping[str, float]:
    runs = []
    for _ in range(RUNS):
        with new_database(kind) as url:
            run = json.loads(in_own_process(_PROGRAM.format("print_run"), str(path), url))
        assert run["imported"] == made.distinct, run
        runs.append(run)
    return {"seconds": min(run["seconds"] for run in runs), "peak_mb": max(run["peak_mb"] for run in runs)}


def print_run(path: str, url: str) -> None:
    """One import in this process; prints its seconds, its peak and how many numbers it took, as JSON."""
    clock, database = SystemClock(), Database(url)
    database.migrate()
    Content(database).declare(WORKSPACE, [])
    group = Groups(database, clock).create(WORKSPACE, "vip", SmsType.NOTIFICATION, "U0BENCH")
    imports = Imports(database, clock)
    file = UploadedFile("F0BENCH", Path(path).name, Path(path).stat().st_size, "", "C0BENCH", "1.0")
    received = imports.receive(WORKSPACE, file, "U0BENCH")
    assert received is not None
    running = imports.begin(WORKSPACE, received.id, group.id)
    seconds = _seconds(lambda: imports.run(running, Path(path), lambda _progress: None))
    ended = imports.get(WORKSPACE, received.id)
    assert (ended.state, ended.rows) == (ImportState.DONE, ROWS), ended
    database.close()
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "imported": ended.imported}))


class _Base(DeclarativeBase):
    pass


class _Customer(_Base):
    __tablename__ = "customer"
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    row: Mapped[int]


def print_naive(path: str) -> None:
    """The naive import in this process, on SQLite in WAL mode; prints its seconds."""
    with new_database("sqlite") as url:
        engine = create_engine(url)
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA journal_mode=WAL"))
        _Base.metadata.create_all(engine)

        def work() -> None:
            seen = set()
            with Session(engine) as session:
                sheet = load_workbook(path, read_only=True).worksheets[0]
                for row, (cell,) in enumerate(sheet.iter_rows(min_row=2, values_only=True), start=2):
                    number = _validated(str(cell))
                    if number is None or number in seen:
                        continue
                    seen.add(number)
                    session.add(_Customer(number=number, row=row))
                session.commit()

        print(_seconds(work))
        engine.dispose()


def _validated(cell: str) -> int | None:
    try:
        number = phonenumbers.parse(cell, "CN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
