"""What an import has read so far, kept small: two million numbers must fit beside everything else the bot holds."""

from __future__ import annotations

import operator
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress, repeat
from json.encoder import encode_basestring
from typing import IO

from services.numbers import Reason, Verdict
from services.spreadsheets.reader import Chunk, Sheet

# Set aside, yet a person may know better; nobody reads an SMS at a service number.
KEEPABLE = (Reason.UNASSIGNED, Reason.LANDLINE)
# A longer cell says no more in a reject file.
ORIGINAL_LIMIT = 200
SORTED_AT_ONCE = 700_000
_POSITION_BITS = 32
_POSITION = (1 << _POSITION_BITS) - 1

# sheet, row, the cell's text, why it was not taken
RejectedRow = tuple[str, int, str, Verdict]


class Tally:
    """Takes chunks in; `members` gives what is to be stored. `rejects` is for the caller to empty now and then.

    `read` rows are `taken`, duplicates included, invalid or set_aside. Some `sorted_at_once` numbers are Python
    integers at the same time; a million of those take 56 MB.
    """

    def __init__(self, sorted_at_once: int = SORTED_AT_ONCE) -> None:
        self._sorted_at_once = sorted_at_once
        self.rejects: list[RejectedRow] = []
        self.by_country_code: set[int] = set()
        self.read = self.taken = self.invalid = self.set_aside = self.keepable = 0
        self.hidden_rows = self.hidden_columns = self.hidden_sheets = 0
        self._numbers: array[int] = array("q")
        self._rows: array[int] = array("i")
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
        self._numbers.extend(taken)
        self._rows.extend(rows)
        self.taken = len(self._numbers)
        if chunk.attributes and chunk.sheet.attribute_names:
            lines = _as_json(chunk.sheet.attribute_names, compress(chunk.attributes, numbers))
            self._attributes.extend(lines, before=len(self._numbers))

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
        numbers: array[int] = array("q")
        positions: array[int] = array("i")
        for part in _sorted_parts(self._numbers, self._sorted_at_once):
            found = [packed >> _POSITION_BITS for packed in part]
            is_first = [True, *map(operator.ne, found[1:], found)]
            numbers.extend(compress(found, is_first))
            positions.extend(compress([packed & _POSITION for packed in part], is_first))
        rows = array("i", map(self._rows.__getitem__, positions))
        self._numbers, self._rows = array("q"), array("i")
        self._attributes.flush()
        return Members(numbers, rows, positions, self._attributes)


class Members:
    """Sorted numbers with the row each comes from."""

    def __init__(self, numbers: array[int], rows: array[int], positions: array[int], attributes: _Texts) -> None:
        self._numbers, self._rows = numbers, rows
        self._positions, self._attributes = positions, attributes

    def __len__(self) -> int:
        return len(self._numbers)

    def parts(self, size: int) -> Iterator[tuple[array[int], array[int], Iterable[str | None]]]:
        """Numbers, rows and attributes (as JSON, or None), so many at a time."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            texts = map(self._attributes.at, self._positions[part]) if self._attributes else repeat(None)
            yield self._numbers[part], self._rows[part], texts


def _sorted_parts(numbers: array[int], at_once: int) -> Iterator[list[int]]:
    """Number and position in one integer each, sorted; all of one number are in one part."""
    count = -(-len(numbers) // at_once)
    if count <= 1:
        yield sorted([number << _POSITION_BITS | at for at, number in enumerate(numbers)])
        return
    sample = sorted(numbers[:: max(1, len(numbers) // 1000)])
    inner = [sample[len(sample) * no // count] for no in range(1, count)]
    for low, high in zip([0, *inner], [*inner, 1 << 62], strict=True):
        yield sorted([n << _POSITION_BITS | at for at, n in enumerate(numbers) if low <= n < high])


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
