"""Read the numbers of a file people uploaded, in a child process that may not use more memory than it is given."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from services.errors import BadFile, ServiceError
from services.spreadsheets.columns import Column
from services.spreadsheets.frames import LENGTH, unpack

__all__ = ["ChooseColumn", "Chunk", "Column", "Sheet", "read_numbers"]

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
    says why a sheet is left out: "hidden", "empty", "no_number_column", or "" if it is read. `attribute_names` are the
    other columns' headers, each made unique ("name", "name 2"), a column without header its letter; those without any
    content are left out, and so is what comes after `columns.MAX_ATTRIBUTES`. The first `names_before` of them
    stand before the numbers. `hidden_columns` counts the hidden ones that have content; they are neither candidates nor
    attributes.
    """

    name: str
    candidates: tuple[Column, ...]
    skipped: str
    attribute_names: tuple[str, ...] = ()
    hidden_columns: int = 0
    names_before: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows read since the last chunk; the first one of each sheet has none and only announces it.

    `rows` are 1-based, as a spreadsheet shows them; `cells` are the raw cells of the number column, one for each. Rows
    without any content are left out; one with content elsewhere has the cell "". `done` is the share of the file
    read, 0 to 1. `attributes`, where they were asked for, has for each row the texts of the sheet's
    `attribute_names`, "" where a cell is empty. `hidden_rows` counts rows with content that were left out because a
    person has hidden them, since the last chunk: their sum is the file's; a chunk may have nothing else.
    """

    sheet: Sheet
    rows: Sequence[int]
    cells: Sequence[str]
    done: float
    attributes: Sequence[tuple[str, ...]] | None = None
    hidden_rows: int = 0


class ChooseColumn(ServiceError):
    """A sheet has more than one column of numbers: a person must say which, as one more of `read_numbers(chosen=…)`."""

    def __init__(self, sheet: str, candidates: tuple[Column, ...]) -> None:
        super().__init__(f"{sheet!r}: {[candidate.choice for candidate in candidates]}")
        self.sheet, self.candidates = sheet, candidates


def read_numbers(
    path: Path,
    *,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    chosen: Sequence[str] = (),
    with_attributes: bool = False,
    ask: bool = False,
    quiet_seconds: float = QUIET_SECONDS,
) -> Generator[Chunk]:
    """Yield the number column of every visible sheet, whatever the format (told by content, not by name).

    `chosen` are a person's choices, each the `choice` of a candidate of some sheet; a sheet that has none of these
    columns is read as if nothing was chosen. Headers and titles are not yielded. Closing the generator ends the child.

    Raises BadFile, and with `ask` ChooseColumn where a sheet has several candidates and none was chosen, before any row
    of that sheet. Both also after some chunks, so whoever stores them must be able to take them back. BadFile's why and
    facts:

    not_a_spreadsheet (seen: see `kinds`), empty or all_hidden (sheets), no_number_column (sheets, headers), encrypted,
    truncated (error), too_large (size_mb, limit_mb), expands_too_much, login_page.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise BadFile("too_large", size_mb=-(-size >> 20), limit_mb=MAX_BYTES >> 20)
    if not size:
        raise BadFile("empty")
    options = json.dumps({"chosen": chosen, "attributes": with_attributes, "ask": ask})
    with closing(_Child(path, memory_limit_bytes, options, quiet_seconds)) as child:
        sheet = Sheet("", (), "")
        done = 0.0
        while True:
            head, cells = child.frame()
            if "end" in head:
                return
            if "bad" in head:
                raise BadFile(cast(str, head["bad"]), **cast(dict[str, Any], head["facts"]))
            if "choose" in head:
                raise ChooseColumn(str(head["choose"]), _columns(head))
            if "sheet" in head:
                hidden_rows, hidden_columns = cast(list[int], head["hidden"])
                names, before = tuple(cast(list[str], head["attributes"])), cast(int, head.get("before", 0))
                skipped = str(head["skipped"])
                sheet = Sheet(str(head["sheet"]), _columns(head), skipped, names, hidden_columns, before)
                yield Chunk(sheet, (), (), done, () if with_attributes else None, hidden_rows)
                continue
            done = cast(float, head["done"])
            yield _chunk(sheet, head, cells, with_attributes)


def _columns(head: dict[str, object]) -> tuple[Column, ...]:
    found = cast(list[tuple[int, str, list[str], str]], head["columns"])
    return tuple(Column(index, header, tuple(samples), choice) for index, header, samples, choice in found)


def _chunk(sheet: Sheet, head: dict[str, object], cells: list[str], with_attributes: bool) -> Chunk:
    rows = cast(list[int], head.get("rows") or range(*_bounds(head)))
    count, others = len(rows), len(sheet.attribute_names)
    if not count:
        cells = []
    if len(cells) != count * (1 + others):
        raise ValueError(f"{len(cells)} cells for {count} rows of {1 + others} columns")
    attributes: Sequence[tuple[str, ...]] | None = None
    if with_attributes:
        runs = (cells[at : at + count] for at in range(count, len(cells), count or 1))
        attributes = list(zip(*runs, strict=True)) if others else [()] * count
    return Chunk(sheet, rows, cells[:count], cast(float, head["done"]), attributes, cast(int, head["hidden"]))


class _Child:
    """The reading process and the frames it sends."""

    def __init__(self, path: Path, memory_limit_bytes: int, options: str, quiet_seconds: float) -> None:
        self.quiet_seconds = quiet_seconds
        arguments = [str(path.absolute()), str(memory_limit_bytes), options]
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
