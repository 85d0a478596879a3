"""Sorts numbers and drops the repeated ones; many of them in a process of its own.

Each number comes with a mark that says where it stood. Marks grow as numbers come, so the smallest is the first.
`python -m services.number_runs` reads frames from standard input and writes the sorted ones to standard output; with
`--repeated` it keeps repeated numbers.
"""

from __future__ import annotations

import operator
import subprocess
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, compress
from pathlib import Path
from struct import Struct
from typing import IO

MARK_BITS = 40
_MARK = (1 << MARK_BITS) - 1
# Sorted at a time; fewer than these are not worth a process, in which a million take 56 MB.
RUN = 200_000
PART = 50_000
_ROOT = Path(__file__).parents[1]
_COUNT = Struct("<i")
_END = -1
_REPEATED = "--repeated"

Part = tuple["array[int]", "array[int]"]


class NumberRuns:
    """Sorted runs, merged in the end a range of values at a time; `repeated` numbers stay where that is asked for."""

    def __init__(self, run: int = RUN, part: int = PART, *, repeated: bool = False) -> None:
        self._run, self._part, self._repeated = run, part, repeated
        # Number and mark in one integer each.
        self._unsorted: list[int] = []
        self._runs: list[list[int]] = []

    def add(self, numbers: array[int], marks: array[int]) -> None:
        """Take in numbers of up to 2^62 with their marks, of up to 40 bits."""
        piece = [number << MARK_BITS | mark for number, mark in zip(numbers, marks, strict=True)]
        # Sorted while the processor has them at hand, then made anew, so that they stand in memory in their order:
        # sorting and merging a million without this takes half as long again.
        piece.sort()
        self._unsorted += [each + 0 for each in piece]
        if len(self._unsorted) >= self._run:
            self._close_run()

    def parts(self) -> Iterator[Part]:
        """Every number once with its smallest mark, in order, some at a time; each of its marks where repeated ones
        stay. A number is never in two parts.
        """
        self._close_run()
        starts = [0] * len(self._runs)
        for bound in self._bounds():
            part: list[int] = []
            for no, run in enumerate(self._runs):
                end = bisect_left(run, bound, starts[no])
                part += run[starts[no] : end]
                starts[no] = end
            if part:
                yield _merged(part, repeated=self._repeated)

    def _close_run(self) -> None:
        run, self._unsorted = self._unsorted, []
        run.sort()
        self._runs.append(run)

    def _bounds(self) -> list[int]:
        """Values between which about a part of all lies, never one number's; the last is above every value."""
        step = max(1, self._part // 10)
        sample = sorted(chain.from_iterable(run[step::step] for run in self._runs))
        return [*(value & ~_MARK for value in sample[9::10]), 1 << 127]


def _merged(part: list[int], *, repeated: bool) -> Part:
    """The first of each number. Sorting finds the runs in it and only merges them."""
    part.sort()
    numbers = array("q", [each >> MARK_BITS for each in part])
    marks = array("q", [each & _MARK for each in part])
    if repeated:
        return numbers, marks
    is_first = bytearray(map(operator.ne, numbers, chain((-1,), numbers)))
    if all(is_first):
        return numbers, marks
    return array("q", compress(numbers, is_first)), array("q", compress(marks, is_first))


class Sorter:
    """Sorts what it is given: here if it is little, else in a process that works while more is coming."""

    def __init__(self, run: int = RUN, *, repeated: bool = False) -> None:
        self._run, self._repeated = run, repeated
        self._waiting: list[Part] = []
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, numbers: array[int], marks: array[int]) -> None:
        """As `NumberRuns.add`."""
        self._count += len(numbers)
        self._waiting.append((numbers, marks))
        if self._process is None and self._count > self._run:
            self._process = _start(repeated=self._repeated)
        if self._process is not None:
            self._hand_over(self._process)

    def parts(self) -> Iterator[Part]:
        """As `NumberRuns.parts`. The first may take a second, the others follow while the caller works."""
        if self._process is None:
            runs = NumberRuns(self._run, repeated=self._repeated)
            for numbers, marks in self._waiting:
                runs.add(numbers, marks)
            yield from runs.parts()
            return
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        while (part := _read(self._process.stdout)) is not None:
            yield part

    def close(self) -> None:
        """Call in any case."""
        if self._process is not None:
            self._process.kill()
            with self._process:  # closes the pipes and waits
                pass

    def _hand_over(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        for numbers, marks in self._waiting:
            _write(process.stdin, numbers, marks)
        self._waiting.clear()


def _start(*, repeated: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-E", "-s", "-m", "services.number_runs", *([_REPEATED] if repeated else [])],
        cwd=_ROOT,
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pipesize=1 << 20,
        start_new_session=True,
    )


def _write(out: IO[bytes], numbers: array[int], marks: array[int]) -> None:
    out.write(_COUNT.pack(len(numbers)))
    out.write(memoryview(numbers))
    out.write(memoryview(marks))


def _read(source: IO[bytes]) -> Part | None:
    """The next frame, None at a proper end. Raises EOFError where the other process has died."""
    head = source.read(_COUNT.size)
    if len(head) < _COUNT.size:
        raise EOFError("the sorting process ended early")
    (count,) = _COUNT.unpack(head)
    if count == _END:
        return None
    numbers, marks = array("q"), array("q")
    for values in (numbers, marks):
        values.frombytes(source.read(count * values.itemsize))
        if len(values) != count:
            raise EOFError("the sorting process ended early")
    return numbers, marks


def main(source: IO[bytes], out: IO[bytes], *, repeated: bool = False) -> None:
    """Sort until the input ends."""
    runs = NumberRuns(repeated=repeated)
    while head := source.read(_COUNT.size):
        (count,) = _COUNT.unpack(head)
        numbers, marks = array("q"), array("q")
        numbers.frombytes(source.read(count * numbers.itemsize))
        marks.frombytes(source.read(count * marks.itemsize))
        runs.add(numbers, marks)
    for numbers, marks in runs.parts():
        _write(out, numbers, marks)
        out.flush()
    out.write(_COUNT.pack(_END))
    out.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer, repeated=_REPEATED in sys.argv[1:])
