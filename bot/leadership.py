"""Which one of several processes ticks: the one that holds the lease. With SQLite there is only this one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from services.leases import TICKS, Leases

log = structlog.get_logger()

LEASE = timedelta(seconds=6)
RENEWED_EVERY_SECONDS = 2.0


class Leadership:
    """Asks for the lease all the time, and renews it while it has it."""

    def __init__(self, leases: Leases, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._monotonic = monotonic
        self._until = 0.0
        self._stopping = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    def leads(self) -> bool:
        """Whether this process may tick now. A process that was held up for longer than its lease may not, although
        nobody has told it yet."""
        return self._monotonic() < self._until

    async def start(self) -> None:
        """Asks once before it returns, and raises what the database says; then it goes on asking."""
        await self._ask()
        self._asking = asyncio.create_task(self._go_on_asking())

    async def stop(self) -> None:
        """Leave the lease to another process at once. Call when nothing ticks any more."""
        if self._asking is not None:
            # Not cut short: what is just being asked for would be ours after we have let go.
            self._stopping.set()
            await self._asking
            self._asking = None
        if self.leads():
            self._until = 0.0
            await asyncio.to_thread(self._leases.let_go, TICKS)

    async def _go_on_asking(self) -> None:
        # What the first question brought is told with the next one: a start that fails says why, and nothing else.
        told = False
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), RENEWED_EVERY_SECONDS)
                return
            try:
                holds = await self._ask()
            except Exception:
                # The database may be away for a moment; what we hold runs out by itself.
                log.exception("leadership.unknown")
                continue
            if holds != told:
                told = holds
                log.info("leadership.taken" if holds else "leadership.lost")

    async def _ask(self) -> bool:
        asked_at = self._monotonic()
        holds = await asyncio.to_thread(self._leases.hold, TICKS, LEASE)
        self._until = asked_at + LEASE.total_seconds() if holds else 0.0
        return holds
