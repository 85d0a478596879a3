"""Whole imports: read in the limited child, checked, sorted, stored in the group; the floor and the naive way beside.

The floor is python-calamine reading the same file and doing nothing with it. The naive way is what one writes first:
openpyxl's read-only mode, phonenumbers for every cell, an ORM object for every number. It is measured on fewer rows,
and compared by the time one row takes. All take turns, and the fastest run of each counts: what else a machine does
makes a run slower, never faster.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import phonenumbers
from openpyxl import load_workbook
from sqlalchemy import BigInteger, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench.acknowledgements import slowest_of_a_hundred
from bench.files import Made, make_csv, make_xlsx
from bench.processes import Family, in_own_process, new_database, peak_mb
from bench.reading import floor_seconds
from services.clock import SystemClock
from services.content import Content
from services.database import Database
from services.groups import Groups
from services.imports import Imports, UploadedFile
from services.states import ImportState, SmsType

ROWS = 1_000_000
FEWER_ROWS = 100_000
LARGE_ROWS, LARGE_SHEET_ROWS = 2_100_000, 700_000
NAIVE_ROWS = 20_000
RUNS = 3
WORKSPACE = "T0BENCH"
_PROGRAM = "import sys; from bench import imports; imports.{}(*sys.argv[1:])"

_MAKERS: Sequence[tuple[str, Callable[[Path, int], Made]]] = (("xlsx", make_xlsx), ("csv", make_csv))

Figures = dict[str, tuple[float, str]]


@dataclass(frozen=True, slots=True)
class _Best:
    """The fastest of some runs, and the highest of their peaks: ours, the reader's, and of all processes together."""

    seconds: float
    parent_mb: float
    reader_mb: float
    all_mb: float

    @classmethod
    def of(cls, runs: Sequence[Mapping[str, float]]) -> _Best:
        """Of runs that each give `seconds` and, where they are ours, the peaks."""
        peaks = (max(run.get(name, 0.0) for run in runs) for name in ("parent_mb", "reader_mb", "all_mb"))
        return cls(min(run["seconds"] for run in runs), *peaks)


def measure() -> Figures:
    """Figures by name, each with its unit. Takes four minutes on two cores."""
    with tempfile.TemporaryDirectory(prefix="sms-bench-") as name:
        folder = Path(name)
        xlsx, csv, small, large = (folder / each for each in ("1m.xlsx", "1m.csv", "20k.xlsx", "30mb.xlsx"))
        rows, csv_rows = make_xlsx(xlsx, ROWS), make_csv(csv, ROWS)
        large_rows = make_xlsx(large, LARGE_ROWS, sheet_rows=LARGE_SHEET_ROWS)
        make_xlsx(small, NAIVE_ROWS)
        few = {kind: (folder / f"100k.{kind}", make(folder / f"100k.{kind}", FEWER_ROWS)) for kind, make in _MAKERS}
        turns: list[Callable[[], Mapping[str, float]]] = [
            lambda: {"seconds": floor_seconds(xlsx)},
            lambda: _run(xlsx, "sqlite", rows),
            lambda: _run(csv, "sqlite", csv_rows),
            lambda: _run(xlsx, "postgresql", rows),
            lambda: _run(large, "sqlite", large_rows),
            lambda: {"seconds": float(in_own_process(_PROGRAM.format("print_naive"), str(small)))},
            *(partial(_run, path, "sqlite", made) for path, made in few.values()),
        ]
        runs = [[turn() for turn in turns] for _ in range(RUNS)]
        acknowledged = slowest_of_a_hundred(xlsx)
    floor, sqlite, text, postgresql, thirty_mb, naive, *rest = (_Best.of(each) for each in zip(*runs, strict=True))
    fewer = dict(zip(few, rest, strict=True))
    return {
        "import.floor_seconds": (floor.seconds, "s"),
        "import.xlsx.sqlite.rows_per_second": (ROWS / sqlite.seconds, "rows/s"),
        "import.xlsx.sqlite.over_reader": (sqlite.seconds / floor.seconds, "x"),
        "import.xlsx.sqlite.naive_over_us": (naive.seconds / NAIVE_ROWS / (sqlite.seconds / ROWS), "x"),
        "import.xlsx.postgresql.over_reader": (postgresql.seconds / floor.seconds, "x"),
        "import.xlsx_30mb.per_row_ratio": (thirty_mb.seconds / LARGE_ROWS / (sqlite.seconds / ROWS), "x"),
        "import.xlsx_30mb.peak_mb": (thirty_mb.all_mb, "MB"),
        "import.csv.over_xlsx": (text.seconds / sqlite.seconds, "x"),
        "import.parent_peak_mb": (max(sqlite.parent_mb, postgresql.parent_mb, text.parent_mb), "MB"),
        "import.reader_peak_mb": (max(sqlite.reader_mb, postgresql.reader_mb, text.reader_mb), "MB"),
        "import.ack_p99_ms": (acknowledged, "ms"),
        **{
            f"import.100k.{kind}.rows_per_second": (FEWER_ROWS / best.seconds, "rows/s") for kind, best in fewer.items()
        },
        **{f"import.100k.{kind}.peak_mb": (best.all_mb, "MB") for kind, best in fewer.items()},
    }


def _run(path: Path, kind: str, made: Made) -> Mapping[str, float]:
    with new_database(kind) as url:
        run: dict[str, float] = json.loads(in_own_process(_PROGRAM.format("print_run"), str(path), url))
    assert (run["rows"], run["imported"]) == (made.rows, made.distinct), run
    return run


def print_run(path: str, url: str) -> None:
    """One import in this process; prints its seconds, its peaks and how many numbers it took, as JSON."""
    clock, database = SystemClock(), Database(url)
    database.migrate()
    Content(database).declare(WORKSPACE, [])
    group = Groups(database, clock).create(WORKSPACE, "vip", SmsType.NOTIFICATION, "U0BENCH")
    imports = Imports(database, clock)
    file = UploadedFile("F0BENCH", Path(path).name, Path(path).stat().st_size, "", "C0BENCH", "1.0")
    received = imports.receive(WORKSPACE, file, "U0BENCH")
    assert received is not None
    running = imports.begin(WORKSPACE, received.id, group.id)
    family = Family()
    threading.Thread(target=family.watch, daemon=True).start()
    seconds = _seconds(lambda: imports.run(running, Path(path), lambda _progress: None))
    family.stop()
    ended = imports.get(WORKSPACE, received.id)
    assert ended.state is ImportState.DONE, ended
    database.close()
    run = {"seconds": seconds, "rows": ended.rows, "imported": ended.imported}
    peaks = {
        "parent_mb": peak_mb(),
        "reader_mb": family.peak_mb("spreadsheets.child"),
        "all_mb": family.peak_together_mb,
    }
    print(json.dumps({**run, **peaks}))


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
