"""How fast an application may send, held over every process that sends for it.

Turns are a row in the database: taking one moves the time of the next. A process takes a tenth of a second's turns at
once, so that the row is asked ten times a second by each process and not for every request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

from sqlalchemy import case, literal, update

from services.clock import Clock
from services.database import Database
from services.models import rate_turn

_SLICE_SECONDS = 0.1
_SECOND = 1_000_000  # microseconds


class FleetRate:
    """As `rate.RateLimit`, for one application of a fleet. Used on the event loop; `executor` runs the statements."""

    def __init__(
        self, database: Database, clock: Clock, executor: Executor, application_id: int, per_second: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._executor = executor
        self._application_id = application_id
        self._interval = max(1, round(_SECOND / per_second))
        self._slice = max(1, round(per_second * _SLICE_SECONDS))
        # Moments (microseconds since 1970) from which on one request each may leave.
        self._turns: deque[int] = deque()
        self._paused_until = 0
        self._taking = asyncio.Lock()
        self._pauses: set[asyncio.Future[None]] = set()

    async def acquire(self) -> None:
        """Wait for a turn and take it."""
        while not self._turns:
            async with self._taking:
                if not self._turns:
                    await self._in_thread(self._take)
        turn = self._turns.popleft()
        while (wait := max(turn, self._paused_until) - self._now()) > 0:  # noqa: ASYNC110 - a pause may come while waiting
            await asyncio.sleep(wait / _SECOND)

    def give_back(self) -> None:
        """A turn that was not used."""
        self._turns.appendleft(0)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long, in any process: the carrier asked for it, or cannot be reached."""
        self._paused_until = max(self._paused_until, self._now() + round(seconds * _SECOND))
        pausing = asyncio.ensure_future(self._in_thread(self._put_off, seconds))
        self._pauses.add(pausing)
        pausing.add_done_callback(self._pauses.discard)

    def _take(self) -> None:
        """The next slice of turns; those that nobody took in the past are gone, so that no burst follows a rest."""
        now, width = self._now(), self._slice * self._interval
        first = case((rate_turn.c.next_at > now, rate_turn.c.next_at), else_=literal(now))
        taken = (
            update(rate_turn)
            .where(rate_turn.c.application_id == self._application_id)
            .values(next_at=first + width)
            .returning(rate_turn.c.next_at)
        )
        with self._database.write(everyone=True) as tx:
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
