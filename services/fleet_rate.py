"""How fast an application may send, held over every process that sends for it.

Turns are a row in the database: taking one moves the time of the next. A process takes as many at once as wait for one,
or as it has lately used in the time that a turn keeps: what it takes and does not use is lost to the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

from sqlalchemy import case, func, literal, select, update

from services.clock import Clock
from services.database import Database
from services.models import rate_turn

_MOST_SECONDS = 0.1
_SECOND = 1_000_000  # microseconds
# A turn can be used until the next one comes; where that is sooner than the first, for as long as the second: a busy
# loop wakes late, and to ask the database for each turn slows a worker.
_SOON, _KEEPS = 20_000, 50_000


class FleetRate:
    """As `rate.RateLimit`, for one application of a fleet. Used on the event loop; `executor` runs the statements."""

    def __init__(
        self, database: Database, clock: Clock, executor: Executor, application_id: int, per_second: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._executor = executor
        self._application_id = application_id
        interval = round(_SECOND / per_second)
        self._keeps = interval if interval >= _SOON else _KEEPS
        # Those kept from before must not make a second's turns more than they may be.
        self._interval = interval if interval >= _SOON else max(1, round(interval * (1 + _KEEPS / _SECOND)))
        self._most = max(1, round(per_second * _MOST_SECONDS))
        # Moments (microseconds since 1970) from which on one request each may leave.
        self._turns: deque[float] = deque()
        self._paused_until = 0
        self._waiting = 0
        self._used = self._soon = self._asked_at = 0
        self._asking: asyncio.Future[None] | None = None
        self._pauses: set[asyncio.Future[None]] = set()

    async def acquire(self) -> float:
        """As the protocol says."""
        while True:
            turn = await self._next()
            waited = False
            while (wait := max(turn, self._paused_until) - self._now()) > 0:
                await asyncio.sleep(wait / _SECOND)
                waited = True
            if not (waited and self._is_over(turn)):
                return turn

    def give_back(self, turn: float) -> None:
        """As the protocol says."""
        self._turns.appendleft(turn)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long, in any process: the carrier asked for it, or cannot be reached."""
        self._paused_until = max(self._paused_until, self._now() + round(seconds * _SECOND))
        pausing = asyncio.ensure_future(self._in_thread(self._put_off, seconds))
        self._pauses.add(pausing)
        pausing.add_done_callback(self._pauses.discard)

    async def _next(self) -> float:
        """The next turn that is not over: those that passed during a rest, a pause or a claim would come as a burst."""
        self._forget_missed()
        self._waiting += 1
        try:
            while not self._turns:
                await asyncio.shield(self._ask_for_more())
                # However long that took, there is one now.
                self._forget_missed(but=1)
        finally:
            self._waiting -= 1
        self._used += 1
        turn = self._turns.popleft()
        if len(self._turns) < self._soon // 2:
            # Before they are needed, so that nobody waits for the database.
            self._ask_for_more()
        return turn

    def _ask_for_more(self) -> asyncio.Future[None]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._take_for_all())
            # Nobody may be waiting for what it raises; whoever needs a turn asks again.
            self._asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
        return self._asking

    async def _take_for_all(self) -> None:
        """Also for those who come to wait in the same moment."""
        await asyncio.sleep(0)
        now = self._now()
        self._soon = round(self._used * self._keeps / max(now - self._asked_at, self._keeps))
        self._used, self._asked_at = 0, now
        await self._in_thread(self._take, min(max(1, self._waiting, self._soon), self._most))

    def _forget_missed(self, but: int = 0) -> None:
        while len(self._turns) > but and self._is_over(self._turns[0]):
            self._turns.popleft()

    def _is_over(self, turn: float) -> bool:
        return turn < self._now() - self._keeps

    def _take(self, count: int) -> None:
        """The next turns; those that nobody took in the past are gone, so that no burst follows a rest."""
        now, width = self._now(), count * self._interval
        first = case((rate_turn.c.next_at > now, rate_turn.c.next_at), else_=literal(now))
        taken = (
            update(rate_turn)
            .where(rate_turn.c.application_id == self._application_id)
            .values(next_at=first + width)
            .returning(rate_turn.c.next_at)
        )
        with self._database.write(everyone=True) as tx:
            if not self._database.is_sqlite:
                # What a crash of the database takes back lies in the past by the time that it is up again.
                tx.execute(select(func.set_config("synchronous_commit", "off", True)))
            after = tx.execute(taken).scalar()
            if after is None:
                self._database.bulk.insert_new(
                    tx, rate_turn, ["application_id", "next_at"], [(self._application_id, now)]
                )
                after = tx.execute(taken).scalar_one()
            tx.commit()
        self._turns.extend(range(after - width, after, self._interval))

    def _put_off(self, seconds: float) -> None:
        until = self._now() + round(seconds * _SECOND)
        later = (rate_turn.c.application_id == self._application_id, rate_turn.c.next_at < until)
        with self._database.write(everyone=True) as tx:
            tx.execute(update(rate_turn).where(*later).values(next_at=until))
            tx.commit()

    def _now(self) -> int:
        return round(self._clock.now().timestamp() * _SECOND)

    async def _in_thread(self, function: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
