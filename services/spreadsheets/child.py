"""The process that reads a stranger's file: `python -m services.spreadsheets.child PATH MEMORY_LIMIT_BYTES [COLUMN]`.

It limits its own memory before it looks at the file, and writes frames (see `frames`) to standard output. A file that
takes it down takes nothing else with it.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from services.errors import BadFile
from services.spreadsheets import columns, frames, kinds, texts
from services.spreadsheets.columns import Cell

CHUNK_ROWS = 10_000
MAX_ROWS = 1 << 24  # 16 times what a sheet can have; a row number may claim more
CELL_CHARACTERS = 500  # of a cell that is no number anyway; bounds what the parent must hold

Row = Sequence[Cell]


class Sender:
    """Writes frames, and remembers what the whole file had, to refuse one without any number column."""

    def __init__(self, out: BinaryIO, wanted: str | None) -> None:
        self.out, self.wanted = out, wanted
        self.rows, self.with_numbers = 0, 0
        self.names: list[str] = []
        self.headers: list[str] = []

    def send(self, head: dict[str, object], cells: Sequence[str] = ()) -> None:
        """Write one frame; blocks while the parent has not read the ones before."""
        self.out.write(frames.pack(head, cells))
        self.out.flush()

    def skip(self, name: str, why: str) -> None:
        """Tell of a sheet that is left out."""
        self.send({"sheet": name, "skipped": why, "columns": []})

    def send_sheet(
        self, name: str, rows: Iterator[Row], first_row: int, offset: int, done: Callable[[int], float]
    ) -> None:
        """Send one sheet: `first_row` is the number of the first row given, `done` the share read after that many."""
        head = list(islice(rows, columns.HEADER_ROWS + columns.SAMPLE_ROWS))
        if not any(map(_filled, head)):
            rows = iter(rows)
            while not any(map(_filled, head)):
                first_row += len(head)
                if not (head := list(islice(rows, CHUNK_ROWS))):
                    return self.skip(name, "empty")
        layout = columns.find(head, self.wanted, offset)
        self.names.append(name)
        if layout.number is None:
            self.headers.extend(layout.headers)
            return self.skip(name, "no_number_column")
        self.with_numbers += 1
        found = [(column.index, column.header, column.samples) for column in layout.candidates]
        self.send({"sheet": name, "skipped": "", "columns": found})
        at = first_row + layout.data_from
        rest = chain(head[layout.data_from :], rows)
        del head
        while chunk := list(islice(rest, CHUNK_ROWS)):
            self._send_chunk(chunk, layout.number.index - offset, at, done)
            at += len(chunk)
        return None

    def _send_chunk(self, rows: list[Row], index: int, at: int, done: Callable[[int], float]) -> None:
        try:
            cells = [row[index] for row in rows]
        except IndexError:
            cells = [row[index] if index < len(row) else "" for row in rows]
        if set(map(type, cells)) != {str}:
            cells = [columns.text_of(cell) for cell in cells]
        texts_: list[str] = cells  # type: ignore[assignment]
        if max(map(len, texts_)) > CELL_CHARACTERS:
            texts_ = [text[:CELL_CHARACTERS] for text in texts_]
        numbers: list[int] = [at, len(rows)]
        kind = "range"
        if not all(map(str.strip, texts_)):
            kept = [no for no, cell in enumerate(texts_) if cell.strip() or _filled(rows[no])]
            if len(kept) < len(rows):
                kind, numbers = "rows", [at + no for no in kept]
                texts_ = [texts_[no] for no in kept]
        self.rows += len(texts_)
        self.send({kind: numbers, "done": done(at + len(rows))}, texts_)

    def finish(self) -> None:
        """End, or refuse the file for what all its sheets lack."""
        if self.with_numbers and self.rows:
            return self.send({"end": True})
        if self.names and not self.with_numbers:
            raise BadFile("no_number_column", sheets=self.names, headers=self.headers[:20])
        raise BadFile("empty", sheets=self.names)


def _filled(row: Row) -> bool:
    return any(columns.text_of(cell).strip() for cell in row if cell != "")


def send_workbook(file: BinaryIO, kind: kinds.Kind, sender: Sender) -> None:
    """Send every visible sheet of an xlsx, xlsm, xlsb, xls or ods."""
    import python_calamine as calamine

    sizes = kinds.sheet_sizes(file) if kind == "zip" else []
    try:
        # Through the open file, not the path: given a path, calamine believes its extension.
        book = calamine.CalamineWorkbook.from_path(f"/dev/fd/{file.fileno()}")
        if len(sizes) != len(book.sheet_names):
            sizes = [1] * len(book.sheet_names)
        for no, meta in enumerate(book.sheets_metadata):
            if meta.typ != calamine.SheetTypeEnum.WorkSheet:
                continue
            if meta.visible != calamine.SheetVisibleEnum.Visible:
                sender.skip(meta.name, "hidden")
                continue
            sheet = book.get_sheet_by_index(no)
            if sheet.total_height > MAX_ROWS:
                raise BadFile("expands_too_much", rows=sheet.total_height)
            before, share, height = sum(sizes[:no]), sizes[no], max(1, sheet.total_height)

            def done(row: int, before: int = before, share: int = share, height: int = height) -> float:
                return (before + share * min(1, row / height)) / (sum(sizes) or 1)

            first_row, offset = sheet.start or (0, 0)
            rows: Iterator[Row] = islice(sheet.iter_rows(), first_row, None)
            sender.send_sheet(meta.name, rows, first_row + 1, offset, done)
            del sheet, rows
    except calamine.PasswordError as error:
        raise BadFile("encrypted") from error
    except calamine.CalamineError as error:
        raise kinds.why_unreadable(file, kind, str(error)) from error


def send_text(file: BinaryIO, size: int, sender: Sender) -> None:
    """Send a csv, tsv or txt as one sheet without a name."""
    shape = texts.shape_of(file)
    position = file.tell

    def done(_row: int) -> float:
        return min(1.0, position() / size)

    sender.send_sheet("", iter(texts.rows_of(file, shape)), 1, 0, done)


def main(path: Path, memory_limit_bytes: int, wanted: str | None, out: BinaryIO) -> None:
    """Read the file and send it, or say why not. What is not foreseen here ends the process with a traceback."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
    sender = Sender(out, wanted)
    try:
        with path.open("rb") as file:
            kind = kinds.kind_of(file)
            if kind == "text":
                send_text(file, path.stat().st_size, sender)
            else:
                send_workbook(file, kind, sender)
        sender.finish()
    except BadFile as error:
        sender.send({"bad": error.why, "facts": error.facts})
    except MemoryError:
        sender.send({"bad": "expands_too_much", "facts": {}})
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        # How a Rust library says that it met what it believed impossible: a damaged file.
        sender.send({"bad": "truncated", "facts": {"error": str(error)[:200]}})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else None, sys.stdout.buffer)
