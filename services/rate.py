"""How fast an application may send."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Rate(Protocol):
    """Turns to send, of one application."""

    async def acquire(self) -> float:
        """Wait for a turn and take it; which one it is, for `give_back`."""

    def give_back(self, turn: float) -> None:
        """A turn that was not used: somebody else may have it, as long as it is not over."""

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: the carrier asked for it, or cannot be reached."""


class RateLimit:
    """Lets requests through evenly, `per_second` of them each second.

    Not thread-safe: used on the event loop only.
    """

    def __init__(self, per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second
        self._monotonic = monotonic
        self._next = monotonic()
        self._paused_until = self._next

    async def acquire(self) -> float:
        """As the protocol says."""
        while (wait := max(self._next, self._paused_until) - self._monotonic()) > 0:  # noqa: ASYNC110 - a pause may come while waiting
            await asyncio.sleep(wait)
        self._next = max(self._next, self._monotonic() - self._interval) + self._interval
        return self._next - self._interval

    def give_back(self, turn: float) -> None:
        """As the protocol says."""
        self._next -= self._interval

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: the carrier asked for it, or cannot be reached."""
        self._paused_until = max(self._paused_until, self._monotonic() + seconds)
