"""Sends a stand-in carrier's receipts when they are due: many connections, kept open, each receipt once."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from sandbox.carriers.faults import Faults

CONNECTIONS = 16
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One callback. `is_taken` judges the answer's status and body; it is tried `tries` times."""

    url: str
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    tries: int = 1
    is_taken: Callable[[int, bytes], bool] = lambda status, _: 200 <= status < 300


def form(url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Delivery:
    """A POST of these fields."""
    return Delivery(url, urlencode(fields).encode(), headers={**FORM, **(headers or {})})


class ReceiptSender:
    """`sent` and `failed` count the receipts the callback took and did not take, in the end."""

    def __init__(self, faults: Faults) -> None:
        self.sent = self.failed = 0
        self._faults = faults
        self._due: list[tuple[float, float, Delivery]] = []
        self._ready: asyncio.Queue[Delivery] = asyncio.Queue()
        self._wake = asyncio.Event()
        self._storm_at = 0.0
        self._in_hand = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """Receipts still to be sent, the late ones included."""
        return len(self._due) + self._ready.qsize() + self._in_hand

    def start(self) -> None:
        """Needs a running event loop."""
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._send_all())]

    async def stop(self) -> None:
        """Drop what is still to be sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def schedule(self, delay: float, delivery: Delivery) -> None:
        """Send it after `delay` seconds, unless a fault says otherwise."""
        now = asyncio.get_running_loop().time()
        at, copies = now + delay, 1
        fault = self._faults.for_receipt()
        match fault.kind if fault else "":
            case "lost":
                return
            case "duplicated":
                copies = 2
            case "storm" if fault:
                if self._storm_at < now:
                    self._storm_at = now + fault.seconds
                at = self._storm_at
        for _ in range(copies):
            self._push(at, delivery)

    def send(self, delivery: Delivery) -> None:
        """Send it at once, whatever the faults: it is no receipt."""
        self._push(asyncio.get_running_loop().time(), delivery)

    def _push(self, at: float, delivery: Delivery) -> None:
        # what is due at the same time goes in random order, as an operator's reports do
        heapq.heappush(self._due, (at, random.random(), delivery))
        self._wake.set()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._due and self._due[0][0] <= loop.time():
                _, _, delivery = heapq.heappop(self._due)
                self._ready.put_nowait(delivery)
            self._wake.clear()
            wait = self._due[0][0] - loop.time() if self._due else None
            # Not wait_for, which before Python 3.12 may lose a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _send_all(self) -> None:
        connector = TCPConnector(limit=CONNECTIONS)
        async with (
            ClientSession(connector=connector, timeout=ClientTimeout(total=10), cookie_jar=DummyCookieJar()) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(CONNECTIONS):
                group.create_task(self._send_some(session))

    async def _send_some(self, session: ClientSession) -> None:
        while True:
            delivery = await self._ready.get()
            self._in_hand += 1
            try:
                async with session.request(
                    delivery.method,
                    URL(delivery.url, encoded=True),
                    data=delivery.body or None,
                    headers=delivery.headers,
                ) as answer:
                    taken = delivery.is_taken(answer.status, await answer.read())
            except (ClientError, OSError, TimeoutError):
                taken = False
            finally:
                self._in_hand -= 1
            if not taken and delivery.tries > 1:
                again = replace(delivery, tries=delivery.tries - 1)
                self._push(asyncio.get_running_loop().time() + RETRY_SECONDS, again)
            else:
                self.sent += taken
                self.failed += not taken
