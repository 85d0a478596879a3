"""How fast an application may send, on a loop whose time jumps to its next timer."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rate import RateLimit
from tests.jumping import play, take


@pytest.mark.parametrize("workers", [1, 8])
def test_turns_come_evenly(workers: int) -> None:
    async def scene(now: Callable[[], float]) -> None:
        start = now()
        taken = await take(RateLimit(50, now), now, 200, workers)
        assert taken[0] == start
        gaps = [later - earlier for earlier, later in pairwise(taken)]
        assert all(gap == pytest.approx(0.02) for gap in gaps)

    play(scene)


@given(
    per_second=st.sampled_from([1.0, 7.0, 50.0, 1000.0]),
    steps=st.lists(st.tuples(st.sampled_from(["work", "rest", "look", "pause"]), st.integers(1, 40)), max_size=12),
)
def test_no_second_ever_sees_more_than_its_share(per_second: float, steps: list[tuple[str, int]]) -> None:
    async def scene(now: Callable[[], float]) -> None:
        rate = RateLimit(per_second, now)
        taken: list[float] = []
        for step, size in steps:
            if step == "work":
                taken += await take(rate, now, size, workers=4)
            elif step == "rest":
                await asyncio.sleep(size / 10)
            elif step == "look":
                for _ in range(size):
                    rate.give_back(await rate.acquire())
            else:
                rate.pause(size / 10)
        for index, moment in enumerate(taken):
            within = sum(1 for other in taken[index:] if other < moment + 1)
            # One that was saved up by being late, and one for a bound that is no whole number of turns.
            assert within <= per_second + 2

    play(scene)


def test_waking_late_is_made_up_for_by_one_turn_at_most() -> None:
    async def scene(now: Callable[[], float]) -> None:
        rate = RateLimit(10, now)
        await rate.acquire()
        await asyncio.sleep(60)
        start = now()
        taken = [moment - start for moment in await take(rate, now, 4)]
        assert taken == pytest.approx([0, 0, 0.1, 0.2])

    play(scene)


def test_a_pause_holds_those_who_wait_already() -> None:
    async def scene(now: Callable[[], float]) -> None:
        rate = RateLimit(10, now)
        await rate.acquire()
        waiting = asyncio.create_task(rate.acquire())
        await asyncio.sleep(0.05)
        start = now()
        rate.pause(7)
        await waiting
        assert now() - start == pytest.approx(7)

    play(scene)


def test_after_a_pause_turns_come_evenly_again() -> None:
    async def scene(now: Callable[[], float]) -> None:
        rate = RateLimit(10, now)
        rate.pause(5)
        start = now()
        taken = [moment - start for moment in await take(rate, now, 4, workers=4)]
        assert taken[0] == pytest.approx(5)
        assert taken[-1] >= 5.2 - 0.001

    play(scene)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def scene(now: Callable[[], float]) -> None:
        rate = RateLimit(10, now)
        rate.pause(5)
        rate.pause(1)
        start = now()
        await rate.acquire()
        assert now() - start == pytest.approx(5)

    play(scene)


def test_a_turn_given_back_does_not_shorten_a_pause() -> None:
    async def scene(now: Callable[[], float]) -> None:
        rate = RateLimit(1, now)
        turn = await rate.acquire()
        rate.pause(5)
        rate.give_back(turn)
        start = now()
        await rate.acquire()
        assert now() - start == pytest.approx(5)

    play(scene)


def test_a_turn_given_back_can_be_taken() -> None:
    async def scene(now: Callable[[], float]) -> None:
        rate = RateLimit(1, now)
        rate.give_back(await rate.acquire())
        start = now()
        await rate.acquire()
        assert now() == start

    play(scene)
