"""Numbers sorted and each kept once, here and in a process of its own."""

import io
from array import array
from collections.abc import Sequence
from contextlib import closing
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.number_runs import MARK_BITS, NumberRuns, Sorter, main

LISTS = st.lists(st.lists(st.integers(1, 10**15 - 1) | st.integers(1, 9), max_size=40), max_size=5)


def marked(lists: Sequence[Sequence[int]]) -> list[tuple["array[int]", "array[int]"]]:
    """The lists as arrays, marks counting through all of them."""
    parts, mark = [], 0
    for numbers in lists:
        parts.append((array("q", numbers), array("q", range(mark, mark + len(numbers)))))
        mark += len(numbers)
    return parts


def expected(lists: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    first: dict[int, int] = {}
    for mark, number in enumerate(chain.from_iterable(lists)):
        first.setdefault(number, mark)
    return sorted(first.items())


def flat(parts: object) -> list[tuple[int, int]]:
    return [each for numbers, marks in parts for each in zip(numbers, marks, strict=True)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("run", [1, 2, 7, 1000])
@pytest.mark.parametrize("part", [1, 3, 20, 1000])
@given(lists=LISTS)
def test_each_number_is_there_once_with_its_first_mark(run: int, part: int, lists: list[list[int]]) -> None:
    runs = NumberRuns(run, part)
    for numbers, marks in marked(lists):
        runs.add(numbers, marks)
    assert flat(runs.parts()) == expected(lists)


def test_the_largest_number_and_mark_there_can_be_are_kept() -> None:
    runs = NumberRuns()
    largest, mark = (1 << 62) - 1, (1 << MARK_BITS) - 1
    runs.add(array("q", [largest, 1]), array("q", [mark, mark]))
    assert flat(runs.parts()) == [(1, mark), (largest, mark)]


@pytest.mark.parametrize("run", [10, 1_000_000], ids=["in a process", "here"])
def test_the_sorter_says_the_same_wherever_it_sorts(run: int) -> None:
    lists = [[(no * 7919) % 1000 + 1 for no in range(start, start + 300)] for start in range(0, 3000, 300)]
    with closing(Sorter(run)) as sorter:
        for numbers, marks in marked(lists):
            sorter.add(numbers, marks)
        assert flat(sorter.parts()) == expected(lists)


def test_nothing_gives_nothing() -> None:
    with closing(Sorter()) as sorter:
        assert flat(sorter.parts()) == []


def test_a_sorting_process_that_dies_is_noticed() -> None:
    with closing(Sorter(run=1)) as sorter:
        sorter.add(array("q", [1, 2]), array("q", [0, 1]))
        assert sorter._process is not None
        sorter._process.kill()
        sorter._process.wait()
        with pytest.raises((EOFError, BrokenPipeError)):
            flat(sorter.parts())


def test_a_reader_gone_ends_the_process_whole() -> None:
    out = io.BytesIO()
    main(io.BytesIO(b""), out)
    assert out.getvalue() == b"\xff\xff\xff\xff"
