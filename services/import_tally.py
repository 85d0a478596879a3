"""What an import has read so far, kept small: two million numbers must fit beside everything else the bot holds."""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from json.encoder import encode_basestring
from typing import IO

from services.number_runs import MARK_BITS, RUN, Sorter
from services.numbers import Reason, Verdict
from services.spreadsheets.reader import Chunk, Sheet

# Set aside, yet a person may know better; nobody reads an SMS at a service number.
KEEPABLE = (Reason.UNASSIGNED, Reason.LANDLINE)
# A longer cell says no more in a reject file.
ORIGINAL_LIMIT = 200
# A number's mark is its sheet and row. No file of 30 MB has a row beyond these; of even more sheets the order is lost.
_ROW_BITS = 26
_ROW = (1 << _ROW_BITS) - 1
_LAST_SHEET = (1 << (MARK_BITS - _ROW_BITS)) - 1

# sheet, row, the cell's text, why it was not taken
RejectedRow = tuple[str, int, str, Verdict]
# numbers, rows and attributes (each as JSON or None; none at all where no row of the file has any)
Members = tuple["array[int]", "array[int]", Iterable[str | None] | None]


class Tally:
    """Takes chunks in; `members` gives what is to be stored. `rejects` is for the caller to empty now and then.

    `read` rows are `taken`, duplicates included, invalid or set_aside. More than `run` numbers are sorted by a process
    of their own while the file is still being read.
    """

    def __init__(self, run: int = RUN) -> None:
        self.rejects: list[RejectedRow] = []
        self.by_country_code: set[int] = set()
        self.read = self.taken = self.invalid = self.set_aside = self.keepable = 0
        self.hidden_rows = self.hidden_columns = self.hidden_sheets = 0
        self._sorter = Sorter(run)
        self._attributes = _Texts()
        self._sheet: Sheet | None = None
        self._sheets = -1

    def take(self, chunk: Chunk, numbers: Sequence[int], rest: Iterable[tuple[int, Verdict]]) -> None:
        """Count one chunk. `numbers` and `rest` are `NumberChecker.check_many` of its cells."""
        if chunk.sheet is not self._sheet:
            self._sheet = chunk.sheet
            self._sheets = min(self._sheets + 1, _LAST_SHEET)
            self.hidden_columns += chunk.sheet.hidden_columns
            self.hidden_sheets += chunk.sheet.skipped == "hidden"
        self.hidden_rows += chunk.hidden_rows
        self.read += len(numbers)
        for index, verdict in rest:
            self._take_rest(chunk, index, verdict)
        taken: Iterable[int] = numbers
        places = self._places(chunk.rows)
        if 0 in numbers:
            taken, places = filter(None, numbers), compress(places, numbers)
        marks = array("q", places)
        self._sorter.add(array("q", taken), marks)
        self.taken += len(marks)
        if chunk.attributes and chunk.sheet.attribute_names:
            lines = _as_json(chunk.sheet.attribute_names, compress(chunk.attributes, numbers))
            self._attributes.extend(marks, lines)

    def _places(self, rows: Sequence[int]) -> Iterable[int]:
        sheet = self._sheets << _ROW_BITS
        if isinstance(rows, range):
            return range(sheet + rows.start, sheet + rows.stop)
        return map(sheet.__add__, rows)

    def _take_rest(self, chunk: Chunk, index: int, verdict: Verdict) -> None:
        if verdict.number is not None:
            self.by_country_code.add(verdict.number)
            return
        if verdict.set_aside:
            self.set_aside += 1
            self.keepable += verdict.reason in KEEPABLE and verdict.candidate is not None
        else:
            self.invalid += 1
        self.rejects.append((chunk.sheet.name, chunk.rows[index], chunk.cells[index][:ORIGINAL_LIMIT], verdict))

    def members(self) -> Iterator[Members]:
        """Each number once, in order, some at a time; the first row it stood in keeps it."""
        self._attributes.flush()
        for numbers, marks in self._sorter.parts():
            texts = map(self._attributes.at, marks) if self._attributes else None
            yield numbers, array("i", [mark & _ROW for mark in marks]), texts

    def close(self) -> None:
        """End its process and let go of what it keeps on disk; call in any case."""
        self._sorter.close()
        self._attributes.close()


def _as_json(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[bytes]:
    """One object a row, without what is empty; b"" where all of it is."""
    keys = [f"{encode_basestring(name)}:" for name in names]
    lines = []
    for row in rows:
        pairs = [key + encode_basestring(text) for key, text in zip(keys, row, strict=True) if text]
        lines.append(f"{{{','.join(pairs)}}}".encode() if pairs else b"")
    return lines


class _Texts:
    """Texts by mark, on disk; a mark may have none."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._marks: array[int] = array("q")
        self._ends: array[int] = array("q", [0])

    def __bool__(self) -> bool:
        return self._file is not None

    def extend(self, marks: Iterable[int], lines: Sequence[bytes]) -> None:
        """Texts for these marks, which are larger than those before."""
        if self._file is None:
            # Without a name, so that it is gone with us, however we end.
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as we do
        end = self._ends[-1]
        for mark, line in zip(marks, lines, strict=True):
            if line:
                end += len(line)
                self._marks.append(mark)
                self._ends.append(end)
        self._file.write(b"".join(lines))

    def flush(self) -> None:
        """Call between the last `extend` and the first `at`."""
        if self._file is not None:
            self._file.flush()

    def at(self, mark: int) -> str | None:
        """The text of this mark."""
        assert self._file is not None
        place = bisect_left(self._marks, mark)
        if place == len(self._marks) or self._marks[place] != mark:
            return None
        start = self._ends[place]
        return os.pread(self._file.fileno(), self._ends[place + 1] - start, start).decode()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
