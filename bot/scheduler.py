"""APScheduler's ticks, one service call each. The scheduler owns no facts: kill it at any line and nothing is lost."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.executors.pool import ThreadPoolExecutor as PoolExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

# How soon a task begins whose time has come.
START_EVERY_SECONDS = 0.25

Tick = Callable[[], object] | Callable[[], Awaitable[object]]


class Ticks:
    """Calls each function at its interval, never twice at the same time, and not again for turns that were missed."""

    def __init__(self) -> None:
        executors = {"default": AsyncIOExecutor(), "threads": PoolExecutor(4)}
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = AsyncIOScheduler(executors=executors, job_defaults=defaults, timezone="UTC")
        self._under_way: set[asyncio.Task[object]] = set()

    def every(self, seconds: float, tick: Tick, *, in_thread: bool) -> None:
        """`in_thread` for plain functions, which may take a while; coroutines run on the event loop."""
        job, executor = (tick, "threads") if in_thread else (self._noted(tick), "default")
        self._scheduler.add_job(job, IntervalTrigger(seconds=seconds), executor=executor)

    def start(self) -> None:
        """Call from the event loop."""
        self._scheduler.start()

    async def stop(self) -> None:
        """Begin nothing more; returns when what was under way has ended."""
        self._scheduler.pause()
        # APScheduler's own shutdown would cancel coroutines, and with them a post that Slack is just taking.
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._scheduler.shutdown(wait=True)
        # It puts its own end off to the loop's next turn.
        await asyncio.sleep(0)

    def _noted(self, tick: Tick) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            current = asyncio.current_task()
            assert current is not None
            self._under_way.add(current)
            try:
                called = tick()
                assert inspect.isawaitable(called)
                await called
            finally:
                self._under_way.discard(current)

        return run
