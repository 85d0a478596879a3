"""Read the numbers of a file people uploaded, in a child process that may not use more memory than it is given."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from services.errors import BadFile
from services.spreadsheets.columns import Column
from services.spreadsheets.frames import LENGTH, unpack

__all__ = ["Chunk", "Column", "Sheet", "read_numbers"]

MAX_BYTES = 30 << 20
MEMORY_LIMIT_BYTES = 768 << 20
QUIET_SECONDS = 60.0  # parsing one sheet of the largest file takes about 5
_PIPE_BYTES = 1 << 20  # lets the child read on while the parent checks and stores
_FRAME_BYTES = 64 << 20  # an honest one has at most 20
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet; a csv is one with the name "".

    `candidates` are the columns that may hold the numbers, best first; the first is the one that is read. `skipped`
    says why a sheet is left out: "hidden", "empty", "no_number_column", or "" if it is read.
    """

    name: str
    candidates: tuple[Column, ...]
    skipped: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows read since the last chunk; the first one of each sheet has none and only announces it.

    `rows` are 1-based, as a spreadsheet shows them; `cells` are the raw cells of the number column, one for each. Rows
    without any content are left out; one with content elsewhere has the cell "". `done` is the share of the file
    read, 0 to 1.
    """

    sheet: Sheet
    rows: Sequence[int]
    cells: Sequence[str]
    done: float


def read_numbers(
    path: Path,
    *,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    column: str | None = None,
    quiet_seconds: float = QUIET_SECONDS,
) -> Generator[Chunk]:
    """Yield the number column of every visible sheet, whatever the format (told by content, not by name).

    `column` is a person's choice among a sheet's candidates: its header, or its letter where it has none. Headers and
    titles are not yielded. Closing the generator ends the child. Raises BadFile; also after some chunks, so whoever
    stores them must be able to take them back. Why and facts:

    not_a_spreadsheet (seen: see `kinds`), empty (sheets), no_number_column (sheets, headers), encrypted, truncated
    (error), too_large (size_mb, limit_mb), expands_too_much, login_page.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise BadFile("too_large", size_mb=-(-size >> 20), limit_mb=MAX_BYTES >> 20)
    if not size:
        raise BadFile("empty")
    with closing(_Child(path, memory_limit_bytes, column, quiet_seconds)) as child:
        sheet = Sheet("", (), "")
        done = 0.0
        while True:
            head, cells = child.frame()
            if "end" in head:
                return
            if "bad" in head:
                raise BadFile(cast(str, head["bad"]), **cast(dict[str, Any], head["facts"]))
            if "sheet" in head:
                found = cast(list[tuple[int, str, list[str]]], head["columns"])
                candidates = tuple(Column(index, header, tuple(samples)) for index, header, samples in found)
                sheet = Sheet(str(head["sheet"]), candidates, str(head["skipped"]))
                yield Chunk(sheet, (), (), done)
                continue
            done = cast(float, head["done"])
            rows = cast(list[int], head.get("rows") or range(*_bounds(head)))
            yield Chunk(sheet, rows, cells, done)


class _Child:
    """The reading process and the frames it sends."""

    def __init__(self, path: Path, memory_limit_bytes: int, column: str | None, quiet_seconds: float) -> None:
        self.quiet_seconds = quiet_seconds
        arguments = [str(path.absolute()), str(memory_limit_bytes), *([column] if column else [])]
        # An empty environment: no token of ours is where a hostile file could reach it.
        self.process = subprocess.Popen(  # noqa: S603 - our own module; a path cannot become an option
            [sys.executable, "-E", "-s", "-X", "utf8", "-m", "services.spreadsheets.child", *arguments],
            cwd=_ROOT,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=_PIPE_BYTES,
            start_new_session=True,
        )
        assert self.process.stdout
        self.pipe = self.process.stdout.fileno()
        self.poll = select.poll()
        self.poll.register(self.pipe, select.POLLIN)

    def frame(self) -> tuple[dict[str, object], list[str]]:
        (length,) = LENGTH.unpack(self._read(LENGTH.size))
        if length > _FRAME_BYTES:
            raise BadFile("expands_too_much")
        return unpack(self._read(length))

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            if not self.poll.poll(self.quiet_seconds * 1000):
                raise BadFile("expands_too_much", seconds=self.quiet_seconds)
            part = os.read(self.pipe, size)
            if not part:
                raise self._death()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _death(self) -> Exception:
        """Why the child ended without saying so: a signal is its memory limit, anything else is our own mistake."""
        assert self.process.stderr
        said = self.process.stderr.read()[-2000:].decode(errors="replace")
        code = self.process.wait()
        return BadFile("expands_too_much") if code < 0 else RuntimeError(f"spreadsheet reader ended ({code}): {said}")

    def close(self) -> None:
        self.process.kill()
        with self.process:  # closes the pipes and waits
            pass


def _bounds(head: dict[str, object]) -> tuple[int, int]:
    first, count = cast(tuple[int, int], head["range"])
    return first, first + count
