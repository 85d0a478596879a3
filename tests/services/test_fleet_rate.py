import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from services.clock import SystemClock
from services.fleet_rate import FleetRate
from tests.services.builders import Marketing


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


async def test_a_turn_given_back_is_there_at_once(marketing: Marketing, executor: Executor) -> None:
    rate = FleetRate(marketing.database, SystemClock(), executor, marketing.application_id, per_second=1)
    await rate.acquire()
    rate.give_back()
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
