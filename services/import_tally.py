"""What an import has read so far, kept small: two million numbers must fit beside everything else the bot holds."""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, islice
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
    of their own while the file is still being read. `attribute_names` are those of all sheets, the columns to the right
    of the numbers first. With `repeated`, a number is there again where its attributes differ.
    """

    def __init__(self, run: int = RUN, *, repeated: bool = False) -> None:
        self.rejects: list[RejectedRow] = []
        self.by_country_code: set[int] = set()
        self.read = self.taken = self.invalid = self.set_aside = self.keepable = 0
        self.hidden_rows = self.hidden_columns = self.hidden_sheets = 0
        self.numberless_sheets: list[str] = []
        self.attribute_names: list[str] = []
        self._repeated = repeated
        self._sorter = Sorter(run, repeated=repeated)
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
            if chunk.sheet.skipped == "no_number_column":
                self.numberless_sheets.append(chunk.sheet.name)
            self._name_attributes(chunk.sheet)
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

    def _name_attributes(self, sheet: Sheet) -> None:
        names = (*sheet.attribute_names[sheet.names_before :], *sheet.attribute_names[: sheet.names_before])
        self.attribute_names += [name for name in names if name not in self.attribute_names]

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
        """Each number once, in order, some at a time; the first row it stood in keeps it. With `repeated` also the
        later rows of it, but for those whose attributes it had before.
        """
        self._attributes.flush()
        for numbers, marks in self._sorter.parts():
            if self._repeated:
                numbers, marks = self._without_equal(numbers, marks)
            texts = map(self._attributes.at, marks) if self._attributes else None
            yield numbers, array("i", [mark & _ROW for mark in marks]), texts

    def _without_equal(self, numbers: array[int], marks: array[int]) -> tuple[array[int], array[int]]:
        last, seen = -1, set[str | None]()
        is_new = bytearray()
        following = chain(islice(numbers, 1, None), (-1,))
        for number, mark, next_number in zip(numbers, marks, following, strict=True):
            if number != last:
                last, seen = number, set()
                if number != next_number:
                    is_new.append(True)
                    continue
            text = self._attributes.at(mark) if self._attributes else None
            is_new.append(text not in seen)
            seen.add(text)
        return array("q", compress(numbers, is_new)), array("q", compress(marks, is_new))

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
