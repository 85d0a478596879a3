import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from services.clock import SystemClock
from services.database import Database
from services.fleet_rate import FleetRate
from services.models import rate_turn
from tests.jumping import play, take
from tests.services.builders import Marketing
from tests.services.fakes import InlineExecutor


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


async def turns(rate: FleetRate, count: int) -> list[float]:
    """When each of so many turns came."""
    came = []
    for _ in range(count):
        await rate.acquire()
        came.append(time.monotonic())
    return came


async def test_two_processes_together_send_as_fast_as_one_may(marketing: Marketing, executor: Executor) -> None:
    one, other = (
        FleetRate(marketing.database, SystemClock(), executor, marketing.application_id, per_second=200)
        for _ in range(2)
    )
    began = time.monotonic()
    came = sorted([each for some in await asyncio.gather(turns(one, 50), turns(other, 50)) for each in some])
    # 100 turns of 5 ms each; what the machine delays comes later, never earlier.
    assert came[-1] - began >= 0.49 - 0.1, "a slice may be taken at its beginning"
    for index in range(len(came) - 45):
        assert came[index + 45] - came[index] >= 0.1, "no tenth of a second holds two of its slices"


async def test_a_rest_gives_no_burst_afterwards(marketing: Marketing, executor: Executor) -> None:
    rate = FleetRate(marketing.database, SystemClock(), executor, marketing.application_id, per_second=100)
    await turns(rate, 10)
    await asyncio.sleep(0.3)
    began = time.monotonic()
    came = await turns(rate, 20)
    assert came[-1] - began >= 0.18


class LoopClock:
    """Tells the time of a loop that jumps."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._now() + self.passed, UTC)


class SlowExecutor(InlineExecutor):
    """Every statement takes a second."""

    def __init__(self, clock: LoopClock) -> None:
        super().__init__()
        self._clock = clock

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done = super().submit(function, *arguments, **named)
        self._clock.passed += 1
        return done


def a_fleet(marketing: Marketing, now: Callable[[], float], per_second: float, processes: int = 3) -> list[FleetRate]:
    """Processes of which none has sent before."""
    with marketing.database.write(everyone=True) as tx:
        tx.execute(delete(rate_turn))
        tx.commit()
    database, application_id = marketing.database, marketing.application_id
    return [FleetRate(database, LoopClock(now), InlineExecutor(), application_id, per_second) for _ in range(processes)]


async def look_and_give_back(rate: FleetRate, jobs: int) -> None:
    """Jobs for which there is nothing to do, each of which finds out only when all have their turns."""
    for turn in [await rate.acquire() for _ in range(jobs)]:
        rate.give_back(turn)


STEPS = st.tuples(st.sampled_from(["work", "rest", "look", "pause"]), st.integers(1, 40), st.integers(0, 2))


@given(per_second=st.sampled_from([1.0, 7.0, 50.0, 1000.0]), steps=st.lists(STEPS, max_size=8))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_second_ever_sees_more_than_the_fleets_share(
    per_second: float, steps: list[tuple[str, int, int]], sqlite: Database
) -> None:
    marketing = Marketing(sqlite)

    async def scene(now: Callable[[], float]) -> None:
        fleet = a_fleet(marketing, now, per_second)
        taken: list[float] = []
        for step, size, which in steps:
            if step == "work":
                some = await asyncio.gather(*(take(rate, now, size, workers=4) for rate in fleet[: which + 1]))
                taken += [moment for each in some for moment in each]
            elif step == "rest":
                await asyncio.sleep(size / 10)
            elif step == "look":
                await look_and_give_back(fleet[which], size)
            else:
                fleet[which].pause(size / 10)
        taken.sort()
        for index, moment in enumerate(taken):
            within = sum(1 for other in taken[index:] if other < moment + 1)
            assert within <= per_second + 2, "one that was late, and one for a bound that is no whole number of turns"

    play(scene)


def test_turns_given_back_before_a_rest_are_gone_after_it(marketing: Marketing) -> None:
    async def scene(now: Callable[[], float]) -> None:
        fleet = a_fleet(marketing, now, 50, processes=4)
        await asyncio.gather(*(look_and_give_back(rate, 32) for rate in fleet))
        await asyncio.sleep(3)
        start = now()
        taken = await asyncio.gather(*(take(rate, now, 40, workers=32) for rate in fleet))
        moments = sorted(moment - start for each in taken for moment in each)
        assert sum(1 for moment in moments if moment < 1) <= 52
        assert sum(1 for moment in moments if moment < 0.05) <= 4

    play(scene)


def test_processes_that_want_less_than_the_rate_do_not_wait_for_each_other(marketing: Marketing) -> None:
    async def scene(now: Callable[[], float]) -> None:
        async def a_connection(rate: FleetRate) -> None:
            for _ in range(20):
                await rate.acquire()
                await asyncio.sleep(0.03)

        start = now()
        fleet = a_fleet(marketing, now, 1000, processes=4)
        await asyncio.gather(*(a_connection(rate) for rate in fleet for _ in range(2)))
        assert now() - start < 20 * 0.03 * 1.2

    play(scene)


def test_those_who_wait_through_a_pause_do_not_all_go_at_its_end(marketing: Marketing) -> None:
    async def scene(now: Callable[[], float]) -> None:
        (rate,) = a_fleet(marketing, now, 50, processes=1)
        waiting = asyncio.create_task(take(rate, now, 40, workers=32))
        await asyncio.sleep(0.05)
        rate.pause(5)
        until = now() + 5
        after = [moment - until for moment in await waiting if moment >= until]
        assert len(after) > 30
        assert sum(1 for moment in after if moment < 0.1) <= 6

    play(scene)


def test_a_database_slower_than_a_slice_still_lets_through(marketing: Marketing) -> None:
    async def scene(now: Callable[[], float]) -> None:
        clock = LoopClock(now)
        rate = FleetRate(marketing.database, clock, SlowExecutor(clock), marketing.application_id, per_second=50)
        assert len(await take(rate, now, 5)) == 5

    play(scene)


async def test_a_turn_given_back_is_there_at_once(marketing: Marketing, executor: Executor) -> None:
    rate = FleetRate(marketing.database, SystemClock(), executor, marketing.application_id, per_second=1)
    rate.give_back(await rate.acquire())
    async with asyncio.timeout(0.5):
        await rate.acquire()


async def test_a_pause_holds_for_the_other_process_too(marketing: Marketing, executor: Executor) -> None:
    one, other = (
        FleetRate(marketing.database, SystemClock(), executor, marketing.application_id, per_second=1000)
        for _ in range(2)
    )
    await one.acquire()
    began = time.monotonic()
    one.pause(0.5)
    await one.acquire()
    assert time.monotonic() - began >= 0.49
    began_paused = time.monotonic()
    one.pause(0.4)
    await asyncio.sleep(0.1)
    await other.acquire()
    assert time.monotonic() - began_paused >= 0.39
