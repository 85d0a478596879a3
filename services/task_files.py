"""A task's messages as a file: those that failed, those nobody knows of, or all of them.

Written by a process of its own (`services/task_file_child.py`), so that a million rows never hold up the event loop.
"""

from __future__ import annotations

import json
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

from services.database import Database
from services.task_reports import Task

_ROOT = Path(__file__).parents[1]


class Which(StrEnum):
    """The messages that a file holds. FAILED: refused when handed over, or reported as failed."""

    FAILED = "failed"
    UNKNOWN = "unknown"
    ALL = "all"


class FileKind(StrEnum):
    """The kind of file, as its name ends."""

    XLSX = "xlsx"
    CSV = "csv"


class TaskFiles:
    """Writes files of tasks, in the order of the uploaders' rows and with their own columns."""

    def __init__(self, database: Database) -> None:
        url = database.engine.url
        if database.is_sqlite and url.database:
            # The process is started in another folder.
            url = url.set(database=str(Path(url.database).absolute()))
        self._url = url.render_as_string(hide_password=False)

    def write(self, task: Task, which: Which, kind: FileKind, path: Path) -> None:
        """Returns when the file is whole; a million rows take up to a minute. Raises RuntimeError where it is not."""
        wanted = {"url": self._url, "task_id": task.id, "which": which.value, "kind": kind.value}
        # By its input, because everybody on the machine can read a process's arguments.
        ended = subprocess.run(
            [sys.executable, "-E", "-s", "-X", "utf8", "-m", "services.task_file_child"],
            cwd=_ROOT,
            input=json.dumps({**wanted, "path": str(path.absolute()), "title": f"Task {task.number}"}).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if ended.returncode:
            said = ended.stderr[-2000:].decode(errors="replace")
            raise RuntimeError(f"writing a task's file ended ({ended.returncode}): {said}")
