"""The file of a million failed numbers: six columns, in the order of the uploader's rows, by a process of its own."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from bench.processes import Family, in_own_process, new_database
from bench.tasks import store_tasks
from services.database import Database
from services.task_files import FileKind, TaskFiles, Which
from services.task_reports import TaskReports

ROWS = 1_000_000
RUNS = 3
WORKSPACE = "T0BENCH"
_PROGRAM = "import sys; from bench import exports; exports.print_run(*sys.argv[1:])"

Figures = dict[str, tuple[float, str]]


def measure() -> Figures:
    """Figures by name, each with its unit. Takes two minutes on two cores."""
    with new_database("sqlite") as url:
        database = Database(url)
        database.migrate()
        store_tasks(database, tasks=1, messages=ROWS, failed=True)
        database.close()
        runs: dict[str, list[Mapping[str, float]]] = {kind.value: [] for kind in FileKind}
        for _ in range(RUNS):
            for kind, found in runs.items():
                found.append(json.loads(in_own_process(_PROGRAM, url, kind)))
    peak = max(run["peak_mb"] for found in runs.values() for run in found)
    best = {kind: min(run["seconds"] for run in found) for kind, found in runs.items()}
    return {
        "export.xlsx.seconds": (best["xlsx"], "s"),
        "export.csv.seconds": (best["csv"], "s"),
        "export.peak_mb": (peak, "MB"),
    }


def print_run(url: str, kind: str) -> None:
    """Write the file once; prints its seconds and the child's peak, as JSON."""
    database = Database(url)
    task = TaskReports(database).get(WORKSPACE, 1)
    family = Family()
    watching = threading.Thread(target=family.watch)
    watching.start()
    with tempfile.TemporaryDirectory(prefix="sms-bench-") as folder:
        path = Path(folder) / "file"
        began = time.perf_counter()
        TaskFiles(database).write(task, Which.FAILED, FileKind(kind), path)
        seconds = time.perf_counter() - began
        assert path.stat().st_size > ROWS
        if kind == FileKind.CSV.value:
            with path.open("rb") as file:
                assert sum(1 for _ in file) == ROWS + 1
    family.stop()
    watching.join()
    database.close()
    print(json.dumps({"seconds": seconds, "peak_mb": family.peak_mb("task_file_child")}))
