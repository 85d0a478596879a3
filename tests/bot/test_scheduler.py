"""The ticks: each at its interval, never twice at once, whatever one of them does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from bot.scheduler import Ticks
from tests.sandbox.people import until


@pytest.fixture
async def ticks() -> AsyncIterator[Ticks]:
    made = Ticks()
    yield made
    await made.stop()


async def test_functions_run_in_threads_and_coroutines_on_the_loop(ticks: Ticks) -> None:
    threads: list[str] = []

    async def on_the_loop() -> None:
        threads.append(f"loop {threading.current_thread() is threading.main_thread()}")

    def in_a_thread() -> None:
        threads.append(f"thread {threading.current_thread() is threading.main_thread()}")

    ticks.every(0.02, on_the_loop, in_thread=False)
    ticks.every(0.02, in_a_thread, in_thread=True)
    ticks.start()
    await until(lambda: {"loop True", "thread False"} <= set(threads), 20)


async def test_a_slow_tick_is_not_begun_again_and_holds_up_no_other(ticks: Ticks) -> None:
    at_once, most, quick = [0], [0], [0]

    def slow() -> None:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.1)
        at_once[0] -= 1

    def fast() -> None:
        quick[0] += 1

    ticks.every(0.02, slow, in_thread=True)
    ticks.every(0.02, fast, in_thread=True)
    ticks.start()
    await until(lambda: quick[0] >= 10, 20)
    assert most == [1]


async def test_a_tick_that_fails_is_tried_again(ticks: Ticks, caplog: pytest.LogCaptureFixture) -> None:
    tries = [0]

    def fails() -> None:
        tries[0] += 1
        raise OSError("disk full")

    ticks.every(0.02, fails, in_thread=True)
    ticks.start()
    await until(lambda: tries[0] >= 3, 20)
    assert any(record.exc_info for record in caplog.records if record.levelname == "ERROR"), "it is in the log"


async def test_a_stop_waits_for_what_is_under_way_and_begins_nothing_more() -> None:
    begun, ended = [0], [0]

    async def tick() -> None:
        begun[0] += 1
        await asyncio.sleep(0.1)
        ended[0] += 1

    def in_a_thread() -> None:
        begun[0] += 1
        time.sleep(0.1)
        ended[0] += 1

    ticks = Ticks()
    ticks.every(0.02, tick, in_thread=False)
    ticks.every(0.02, in_a_thread, in_thread=True)
    ticks.start()
    await until(lambda: begun[0] >= 2, 20)
    await ticks.stop()
    assert begun == ended
    before = begun[0]
    await asyncio.sleep(0.05)
    assert begun[0] == before
