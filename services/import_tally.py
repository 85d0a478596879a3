"""What an import has read so far, kept small: two million numbers must fit beside everything else the bot holds."""

from __future__ import annotations

import operator
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, repeat
from json.encoder import encode_basestring
from typing import IO

from services.numbers import Reason, Verdict
from services.spreadsheets.reader import Chunk, Sheet

# Set aside, yet a person may know better; nobody reads an SMS at a service number.
KEEPABLE = (Reason.UNASSIGNED, Reason.LANDLINE)
# A longer cell says no more in a reject file.
ORIGINAL_LIMIT = 200
RUN = 250_000
_POSITION_BITS = 32
_POSITION = (1 << _POSITION_BITS) - 1

# sheet, row, the cell's text, why it was not taken
RejectedRow = tuple[str, int, str, Verdict]


class Tally:
    """Takes chunks in; `members` gives what is to be stored. `rejects` is for the caller to empty now and then.

    `read` rows are `taken`, duplicates included, invalid or set_aside. Numbers are sorted by runs of so many, while the
    file is still being read.
    """

    def __init__(self, run: int = RUN) -> None:
        self.rejects: list[RejectedRow] = []
        self.by_country_code: set[int] = set()
        self.read = self.taken = self.invalid = self.set_aside = self.keepable = 0
        self.hidden_rows = self.hidden_columns = self.hidden_sheets = 0
        self._rows: array[int] = array("i")
        # Number and position in one integer each: sorted runs one after the other, and what is not sorted yet.
        self._sorted: list[int] = []
        self._unsorted: list[int] = []
        self._run = run
        self._attributes = _Texts()
        self._sheet: Sheet | None = None

    def take(self, chunk: Chunk, numbers: Sequence[int], rest: Iterable[tuple[int, Verdict]]) -> None:
        """Count one chunk. `numbers` and `rest` are `NumberChecker.check_many` of its cells."""
        if chunk.sheet is not self._sheet:
            self._sheet = chunk.sheet
            self.hidden_columns += chunk.sheet.hidden_columns
            self.hidden_sheets += chunk.sheet.skipped == "hidden"
        self.hidden_rows += chunk.hidden_rows
        self.read += len(numbers)
        for index, verdict in rest:
            self._take_rest(chunk, index, verdict)
        rows: Iterable[int] = chunk.rows
        taken: Iterable[int] = numbers
        if 0 in numbers:
            taken, rows = filter(None, numbers), compress(chunk.rows, numbers)
        self._unsorted += [number << _POSITION_BITS | at for at, number in enumerate(taken, self.taken)]
        self._rows.extend(rows)
        self.taken = len(self._rows)
        if len(self._unsorted) >= self._run:
            self._sort_run()
        if chunk.attributes and chunk.sheet.attribute_names:
            lines = _as_json(chunk.sheet.attribute_names, compress(chunk.attributes, numbers))
            self._attributes.extend(lines, before=self.taken)

    def close(self) -> None:
        """Let go of what it keeps on disk; call when the members are stored."""
        self._attributes.close()

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

    def members(self) -> Members:
        """Each number once, sorted; the first row it stood in keeps it. Nothing can be taken in afterwards."""
        self._sort_run()
        packed, self._sorted = self._sorted, []
        # Sorting finds the runs in it and only merges them.
        packed.sort()
        found = array("q", [each >> _POSITION_BITS for each in packed])
        is_first = list(map(operator.ne, found, chain((0,), found)))
        numbers = array("q", compress(found, is_first))
        positions = array("i", [each & _POSITION for each in compress(packed, is_first)])
        rows = array("i", map(self._rows.__getitem__, positions))
        self._rows = array("i")
        self._attributes.flush()
        return Members(numbers, rows, positions, self._attributes)

    def _sort_run(self) -> None:
        self._unsorted.sort()
        self._sorted += self._unsorted
        self._unsorted = []


class Members:
    """Sorted numbers with the row each comes from."""

    def __init__(self, numbers: array[int], rows: array[int], positions: array[int], attributes: _Texts) -> None:
        self._numbers, self._rows = numbers, rows
        self._positions, self._attributes = positions, attributes

    def __len__(self) -> int:
        return len(self._numbers)

    def parts(self, size: int) -> Iterator[tuple[array[int], array[int], Iterable[str | None] | None]]:
        """Numbers, rows and attributes (each as JSON or None; none at all where no row has any), so many at a time."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            texts = map(self._attributes.at, self._positions[part]) if self._attributes else None
            yield self._numbers[part], self._rows[part], texts


def _as_json(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[bytes]:
    """One object a row, without what is empty; b"" where all of it is."""
    keys = [f"{encode_basestring(name)}:" for name in names]
    lines = []
    for row in rows:
        pairs = [key + encode_basestring(text) for key, text in zip(keys, row, strict=True) if text]
        lines.append(f"{{{','.join(pairs)}}}".encode() if pairs else b"")
    return lines


class _Texts:
    """Texts by position, on disk; a position may have none."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._ends: array[int] = array("q")

    def __bool__(self) -> bool:
        return self._file is not None

    def extend(self, lines: Sequence[bytes], *, before: int) -> None:
        """The next positions; `before` is how many there are in all, with these."""
        if self._file is None:
            # Without a name, so that it is gone with us, however we end.
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as we do
        end = self._pad(before - len(lines))
        self._ends.extend(list(accumulate(map(len, lines), initial=end))[1:])
        self._file.write(b"".join(lines))

    def flush(self) -> None:
        """Call between the last `extend` and the first `at`."""
        if self._file is not None:
            self._file.flush()

    def at(self, position: int) -> str | None:
        """The text of this position."""
        assert self._file is not None
        if position >= len(self._ends):
            return None
        start = self._ends[position - 1] if position else 0
        size = self._ends[position] - start
        return os.pread(self._file.fileno(), size, start).decode() if size else None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _pad(self, count: int) -> int:
        end = self._ends[-1] if self._ends else 0
        self._ends.extend(repeat(end, count - len(self._ends)))
        return end
