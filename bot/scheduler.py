"""APScheduler's ticks, one service call each. The scheduler owns no facts: kill it at any line and nothing is lost."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.executors.pool import ThreadPoolExecutor as PoolExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

log = structlog.get_logger()
# How soon a task begins whose time has come.
START_EVERY_SECONDS = 0.25

Tick = Callable[[], object] | Callable[[], Awaitable[object]]
# What is told of each run: the tick's name, its seconds, and whether it ended well.
Ran = Callable[[str, float, bool], None]

# Long enough for Slack to answer a post that is under way.
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TickAge:
    """A tick, its interval, and how long ago it last ended well; before the first time, how long it has been due."""

    name: str
    every_seconds: float
    age_seconds: float


class Ticks:
    """Calls each function at its interval, never twice at the same time, and not again for turns that were missed.

    Only while `leads()`: of several processes one ticks.
    """

    def __init__(
        self,
        ran: Ran = lambda name, seconds, well: None,
        monotonic: Callable[[], float] = time.monotonic,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._leads = leads
        self._threads = PoolExecutor(4)
        executors = {"default": AsyncIOExecutor(), "threads": self._threads}
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = AsyncIOScheduler(executors=executors, job_defaults=defaults, timezone="UTC")
        self._under_way: set[asyncio.Task[object]] = set()
        self._ran = ran
        self._monotonic = monotonic
        self._every: dict[str, float] = {}
        self._everywhere: set[str] = set()
        self._ended_well: dict[str, float] = {}
        self._stopped = False

    def every(self, seconds: float, tick: Tick, *, in_thread: bool, everywhere: bool = False) -> None:
        """`in_thread` for plain functions, which may take a while; coroutines run on the event loop. `everywhere`: also
        in a process that does not lead.
        """
        name = getattr(tick, "__qualname__", type(tick).__name__).rpartition("<locals>.")[2]
        assert name not in self._every, name
        self._every[name] = seconds
        if everywhere:
            self._everywhere.add(name)
        job, executor = (self._watched(name, tick), "threads") if in_thread else (self._noted(name, tick), "default")
        self._scheduler.add_job(job, IntervalTrigger(seconds=seconds), executor=executor, name=name)

    def start(self) -> None:
        """Call from the event loop."""
        self._ended_well = {name: self._monotonic() + seconds for name, seconds in self._every.items()}
        self._scheduler.start()

    def ages(self) -> list[TickAge]:
        """Every tick; none before the start."""
        now = self._monotonic()
        return [TickAge(name, self._every[name], max(now - at, 0)) for name, at in self._ended_well.items()]

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Begin nothing more; returns when what was under way has ended, or is given up after so many seconds.

        Only coroutines can be given up; they wait for Slack, and what Slack may have got is looked for after the next
        start.
        """
        if self._stopped:
            return
        self._stopped = True
        self._scheduler.pause()
        if self._under_way:
            # APScheduler's own shutdown would cancel coroutines, and with them a post that Slack is just taking.
            await asyncio.wait(self._under_way, timeout=seconds)
        given_up = list(self._under_way)
        for late in given_up:
            late.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)
        self._scheduler.shutdown(wait=False)
        # It puts its own end off to the loop's next turn.
        await asyncio.sleep(0)

    def _watched(self, name: str, tick: Tick) -> Callable[[], object]:
        def run() -> object:
            if not self._is_our_turn(name):
                return None
            began = self._monotonic()
            well = False
            try:
                done = tick()
                well = True
            finally:
                self._note(name, began, well=well)
            return done

        return run

    def _noted(self, name: str, tick: Tick) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            if not self._is_our_turn(name):
                return
            current = asyncio.current_task()
            assert current is not None
            self._under_way.add(current)
            began = self._monotonic()
            well = False
            try:
                called = tick()
                assert inspect.isawaitable(called)
                await called
                well = True
            except asyncio.CancelledError:
                log.warning("tick.given_up", tick=name)
            finally:
                self._under_way.discard(current)
                self._note(name, began, well=well)

        return run

    def _is_our_turn(self, name: str) -> bool:
        """Where another process ticks, ours is not stuck."""
        if not self._leads() and name not in self._everywhere:
            self._ended_well[name] = self._monotonic()
            return False
        return True

    def _note(self, name: str, began: float, *, well: bool) -> None:
        now = self._monotonic()
        if well:
            self._ended_well[name] = now
        self._ran(name, now - began, well)
