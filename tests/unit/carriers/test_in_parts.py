"""A batch as several requests, most often one for each number: what stops it, and what becomes of every number then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.carriers.in_parts import InParts
from services.carriers.ports import Answer, CutShort, Outcome
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered

NUMBERS = list(range(1, 11))
TAKEN, DENIED = Outcome(True, "ok"), Outcome(False, "denied")


async def at_once() -> None:
    """No rate to keep."""


class Carrier:
    """Answers each number as told, and takes the others; `asked` is what reached it."""

    def __init__(self, answers: dict[int, Outcome | CarrierError] | None = None, seconds: float = 0.0) -> None:
        self.asked: list[int] = []
        self.most_at_once = 0
        self._under_way = 0
        self._answers = answers or {}
        self._seconds = seconds

    async def send(self, number: int) -> Answer:
        self.asked.append(number)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        await asyncio.sleep(self._seconds)
        self._under_way -= 1
        answer = self._answers.get(number, TAKEN)
        if isinstance(answer, CarrierError):
            raise answer
        return Answer({number: answer})


async def submit(carrier: Carrier, pace: Callable[[], Awaitable[None]] = at_once, **how: Any) -> Answer:
    return await InParts(pace, **how).submit_each(NUMBERS, carrier.send)


async def test_every_number_has_its_own_outcome() -> None:
    answer = await submit(Carrier({4: DENIED}))
    assert answer.outcomes == {number: DENIED if number == 4 else TAKEN for number in NUMBERS}
    assert answer.not_taken == {}


async def test_no_more_are_under_way_than_allowed_over_all_batches() -> None:
    carrier = Carrier(seconds=0.001)
    in_parts = InParts(at_once, at_once=3)
    await asyncio.gather(*(in_parts.submit_each(NUMBERS, carrier.send) for _ in range(4)))
    assert carrier.most_at_once == 3
    assert len(carrier.asked) == 40


async def test_a_slow_down_stops_the_batch_and_gives_back_what_was_not_started() -> None:
    carrier = Carrier({3: NotTaken("busy", "slow down", 7)})
    answer = await submit(carrier, at_once=1)
    assert carrier.asked == [1, 2, 3]
    assert answer.outcomes.keys() == {1, 2}
    assert answer.not_taken.keys() == set(range(3, 11))
    assert {trouble.retry_after_seconds for trouble in answer.not_taken.values()} == {7}


async def test_a_missing_answer_stops_the_batch_and_only_that_number_is_unknown() -> None:
    carrier = Carrier({3: Unanswered("read_timeout", "TimeoutError")})
    answer = await submit(carrier, at_once=1)
    assert carrier.asked == [1, 2, 3]
    assert answer.outcomes.keys() == {1, 2}
    assert answer.not_taken.keys() == set(range(4, 11))
    assert {trouble.retry_after_seconds for trouble in answer.not_taken.values()} == {None}


async def test_what_is_under_way_when_the_batch_stops_still_ends() -> None:
    carrier = Carrier({1: NotTaken("busy", "slow down")}, seconds=0.001)
    answer = await submit(carrier, at_once=4)
    assert answer.outcomes.keys() == {2, 3, 4}
    assert answer.not_taken.keys() == {1, *range(5, 11)}


async def test_a_refusal_that_awaits_every_number_refuses_the_rest_unasked() -> None:
    carrier = Carrier({3: RequestRefused("20003", "credentials")})
    answer = await submit(carrier, at_once=1)
    assert carrier.asked == [1, 2, 3]
    assert answer.outcomes == {1: TAKEN, 2: TAKEN, **dict.fromkeys(range(3, 11), Outcome(False, "20003"))}


@pytest.mark.parametrize(
    "trouble",
    [
        NotTaken("busy", "slow down", 7),
        Unanswered("read_timeout", "TimeoutError"),
        RequestRefused("20003", "credentials"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_what_is_true_of_every_number_is_raised(trouble: CarrierError) -> None:
    with pytest.raises(type(trouble)) as raised:
        await submit(Carrier(dict.fromkeys(NUMBERS, trouble)))
    assert raised.value.code == trouble.code


async def test_a_batch_that_has_no_time_left_gives_the_rest_back_at_once() -> None:
    carrier = Carrier(seconds=0.03)
    began = time.monotonic()
    answer = await submit(carrier, at_once=1, window_seconds=0.05)
    assert time.monotonic() - began < 1
    assert 1 <= len(carrier.asked) < 10
    assert answer.outcomes.keys() == set(carrier.asked)
    assert answer.not_taken.keys() == set(NUMBERS) - set(carrier.asked)
    assert {(each.code, each.retry_after_seconds) for each in answer.not_taken.values()} == {("out_of_time", 0.0)}


async def test_a_pause_longer_than_the_batch_leaves_all_but_the_first_for_later() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    carrier = Carrier()
    answer = await submit(carrier, never, window_seconds=0.05)
    assert carrier.asked == [1]
    assert answer.not_taken.keys() == set(NUMBERS[1:])


async def test_the_first_request_uses_the_turn_the_batch_was_given() -> None:
    turns = 0

    async def pace() -> None:
        nonlocal turns
        turns += 1

    await submit(Carrier(), pace)
    assert turns == len(NUMBERS) - 1


async def test_slots_are_given_back_whatever_happened() -> None:
    in_parts = InParts(at_once, at_once=2, window_seconds=1.0)
    for trouble in (NotTaken("busy", "x"), Unanswered("reset", "x"), RequestRefused("20003", "x")):
        for _ in range(3):
            await in_parts.submit_each(NUMBERS, Carrier({2: trouble}).send)
    answer = await in_parts.submit_each(NUMBERS, Carrier().send)
    assert answer.outcomes.keys() == set(NUMBERS)


async def test_of_a_part_only_what_its_answer_left_out_is_unknown_and_only_what_it_said_goes_back() -> None:
    async def send(part: Sequence[int]) -> Answer:
        if part[0] == 1:
            return Answer({1: TAKEN}, {2: NotTaken("busy", "x")})
        return Answer(dict.fromkeys(part, TAKEN))

    answer = await InParts(at_once, at_once=1).submit([[1, 2, 3], [4, 5], [6]], send)
    assert answer.outcomes == {1: TAKEN}
    # A "slow down" of one number stops the parts that were not started.
    assert answer.not_taken.keys() == {2, 4, 5, 6}


async def test_a_part_without_an_answer_is_unknown_as_a_whole() -> None:
    async def send(part: Sequence[int]) -> Answer:
        if part[0] == 3:
            raise Unanswered("reset", "x")
        return Answer(dict.fromkeys(part, TAKEN))

    answer = await InParts(at_once, at_once=1).submit([[1, 2], [3, 4], [5, 6]], send)
    assert answer.outcomes.keys() == {1, 2}
    assert answer.not_taken.keys() == {5, 6}


async def test_a_refused_part_refuses_the_others_unasked() -> None:
    async def send(part: Sequence[int]) -> Answer:
        if part[0] == 3:
            raise RequestRefused("20003", "credentials")
        return Answer(dict.fromkeys(part, TAKEN))

    answer = await InParts(at_once, at_once=1).submit([[1, 2], [3, 4], [5, 6]], send)
    assert answer.outcomes == {1: TAKEN, 2: TAKEN, **dict.fromkeys((3, 4, 5, 6), Outcome(False, "20003"))}


class Stuck:
    """Answers the first numbers, and then no more; `full` is set when `slots` requests are under way without one."""

    def __init__(self, answered: int, slots: int) -> None:
        self.begun: list[int] = []
        self.full = asyncio.Event()
        self._answered, self._slots = answered, slots

    async def send(self, number: int) -> Answer:
        self.begun.append(number)
        if number <= self._answered:
            return Answer({number: TAKEN})
        if len(self.begun) == self._answered + self._slots:
            self.full.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(("answered", "slots"), [(0, 1), (4, 3), (9, 1)])
async def test_cut_short_only_what_was_under_way_is_unknown(answered: int, slots: int) -> None:
    carrier = Stuck(answered, slots)
    running = asyncio.create_task(InParts(at_once, at_once=slots).submit_each(NUMBERS, carrier.send))
    await carrier.full.wait()
    running.cancel()
    with pytest.raises(CutShort) as cut:
        await running
    answer = cut.value.answer
    assert answer.outcomes == dict.fromkeys(NUMBERS[:answered], TAKEN)
    assert answer.not_taken.keys() == set(NUMBERS) - set(carrier.begun)
    assert {each.retry_after_seconds for each in answer.not_taken.values()} <= {0.0}


async def test_cut_short_before_anything_was_begun_all_of_it_goes_back() -> None:
    in_parts, other = InParts(at_once, at_once=1), Stuck(0, 1)
    before = asyncio.create_task(in_parts.submit_each(NUMBERS, other.send))
    await other.full.wait()
    carrier = Carrier()
    running = asyncio.create_task(in_parts.submit_each(NUMBERS, carrier.send))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(CutShort) as cut:
        await running
    assert (carrier.asked, cut.value.answer.outcomes) == ([], {})
    assert cut.value.answer.not_taken.keys() == set(NUMBERS)
    before.cancel()
    await asyncio.wait({before})


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 12))
async def test_whenever_it_is_cut_short_nothing_goes_back_that_was_begun(turns: int, slots: int) -> None:
    carrier = Carrier(seconds=0.0)
    running = asyncio.create_task(submit(carrier, at_once=slots))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    try:
        answer = await running
    except CutShort as cut:
        answer = cut.answer
    except asyncio.CancelledError:
        assert not carrier.asked
        return
    assert not set(carrier.asked) & answer.not_taken.keys()
    assert answer.outcomes.keys() <= set(carrier.asked)


SAID = st.sampled_from([TAKEN, DENIED, NotTaken("busy", "x"), Unanswered("reset", "x"), RequestRefused("20003", "x")])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NUMBERS), SAID), st.integers(1, 12))
async def test_no_number_is_both_and_what_may_have_been_taken_never_goes_back(
    answers: dict[int, Outcome | CarrierError], at_once_: int
) -> None:
    carrier = Carrier(answers)
    ended = (await asyncio.gather(submit(carrier, at_once=at_once_), return_exceptions=True))[0]
    if isinstance(ended, BaseException):
        assert {type(answers.get(number, TAKEN)) for number in carrier.asked} == {type(ended)}
        return
    answer = ended
    assert not answer.outcomes.keys() & answer.not_taken.keys()
    assert len(carrier.asked) == len(set(carrier.asked))
    for number in carrier.asked:
        said = answers.get(number, TAKEN)
        assert (number in answer.not_taken) == isinstance(said, NotTaken)
        if isinstance(said, Outcome):
            assert answer.outcomes[number] == said
    unknown = set(NUMBERS) - answer.outcomes.keys() - answer.not_taken.keys()
    assert unknown == {number for number in carrier.asked if isinstance(answers.get(number), Unanswered)}
