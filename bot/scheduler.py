"""APScheduler's ticks, one service call each. The scheduler owns no facts: kill it at any line and nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.executors.pool import ThreadPoolExecutor as PoolExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

Tick = Callable[[], object] | Callable[[], Awaitable[object]]


class Ticks:
    """Calls each function at its interval, never twice at the same time, and not again for turns that were missed."""

    def __init__(self) -> None:
        executors = {"default": AsyncIOExecutor(), "threads": PoolExecutor(4)}
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = AsyncIOScheduler(executors=executors, job_defaults=defaults, timezone="UTC")

    def every(self, seconds: float, tick: Tick, *, in_thread: bool) -> None:
        """`in_thread` for plain functions, which may take a while; coroutines run on the event loop."""
        self._scheduler.add_job(tick, IntervalTrigger(seconds=seconds), executor="threads" if in_thread else "default")

    def start(self) -> None:
        """Call from the event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing more; functions under way end by themselves."""
        self._scheduler.shutdown(wait=False)
