"""Confirming a task of 1,000,000 recipients: the copy, in order, and its batches."""

from __future__ import annotations

import time

from bench.processes import in_own_process, new_database
from bench.tasks_to_send import Desk
from services.database import Database

RECIPIENTS = 1_000_000
RUNS = 3
_PROGRAM = "import sys; from bench import confirm; confirm.print_seconds(sys.argv[1])"


def measure() -> dict[str, tuple[float, str]]:
    """Figures by name, each with its unit: the fastest of three tasks, one after the other in one database."""
    figures = {}
    for kind in ("sqlite", "postgresql"):
        with new_database(kind) as url:
            figures[f"confirm.{kind}.seconds"] = (float(in_own_process(_PROGRAM, url)), "s")
    return figures


def print_seconds(url: str) -> None:
    """Confirm in this process."""
    database = Database(url)
    desk = Desk(database)
    desk.group(RECIPIENTS)
    seconds = []
    for _ in range(RUNS):
        draft = desk.draft()
        start = time.perf_counter()
        task = desk.confirm(draft)
        seconds.append(time.perf_counter() - start)
        assert task.recipients == RECIPIENTS
    database.close()
    print(min(seconds))
