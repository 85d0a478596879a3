"""Sends a stand-in carrier's receipts when they are due: many connections, kept open, each receipt once."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from sandbox.carriers.faults import Faults

CONNECTIONS = 16
HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


class ReceiptSender:
    """`sent` and `failed` count the receipts the callback took and did not take; a failed one is not sent again."""

    def __init__(self, faults: Faults) -> None:
        self.sent = self.failed = 0
        self._faults = faults
        self._due: list[tuple[float, float, str, Mapping[str, str]]] = []
        self._ready: asyncio.Queue[tuple[str, Mapping[str, str]]] = asyncio.Queue()
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

    def schedule(self, delay: float, url: str, fields: Mapping[str, str]) -> None:
        """POST `fields` as a form to `url` after `delay` seconds, unless a fault says otherwise."""
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
            # what is due at the same time goes in random order, as an operator's reports do
            heapq.heappush(self._due, (at, random.random(), url, fields))
        self._wake.set()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._due and self._due[0][0] <= loop.time():
                _, _, url, fields = heapq.heappop(self._due)
                self._ready.put_nowait((url, fields))
            self._wake.clear()
            wait = self._due[0][0] - loop.time() if self._due else None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

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
            url, fields = await self._ready.get()
            self._in_hand += 1
            try:
                async with session.post(url, data=urlencode(fields).encode(), headers=HEADERS) as answer:
                    await answer.read()
                taken = answer.status < 300
            except (ClientError, OSError, TimeoutError):
                taken = False
            finally:
                self._in_hand -= 1
            self.sent += taken
            self.failed += not taken
