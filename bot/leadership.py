"""Which one of several processes ticks: the one that holds the lease. With SQLite there is only this one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from services.leases import Leases

log = structlog.get_logger()

LEASE = timedelta(seconds=6)
RENEWED_EVERY_SECONDS = 2.0
_NAME = "ticks"


class Leadership:
    """Asks for the lease all the time, and renews it while it has it."""

    def __init__(self, leases: Leases, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._monotonic = monotonic
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    def leads(self) -> bool:
        """Whether this process may tick now. A process that was held up for longer than its lease may not, although
        nobody has told it yet."""
        return self._monotonic() < self._until

    def start(self) -> None:
        """Call from the event loop."""
        self._asking = asyncio.create_task(self._ask())

    async def stop(self) -> None:
        """Leave the lease to another process at once. Call when nothing ticks any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        if self.leads():
            self._until = 0.0
            await asyncio.to_thread(self._leases.let_go, _NAME)

    async def _ask(self) -> None:
        led = False
        while True:
            asked_at = self._monotonic()
            try:
                holds = await asyncio.to_thread(self._leases.hold, _NAME, LEASE)
            except Exception:
                # The database may be away for a moment; what we hold runs out by itself.
                log.exception("leadership.unknown")
            else:
                self._until = asked_at + LEASE.total_seconds() if holds else 0.0
                if holds != led:
                    led = holds
                    log.info("leadership.taken" if holds else "leadership.lost")
            await asyncio.sleep(RENEWED_EVERY_SECONDS)
