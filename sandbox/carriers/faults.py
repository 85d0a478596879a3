"""What a stand-in carrier does wrong on demand: a queue of faults for the next requests and the next receipts."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

REQUEST_FAULTS = {
    "delay": "works as ever, `seconds` later, or as soon as the faults are cleared",
    "http_429": "not taken: 429 with Retry-After: `seconds`",
    "slow_down": "not taken: what this carrier itself says when it is too busy",
    "http_500": "not taken: 500 without a readable body",
    "reset_before": "not taken: the connection is reset after the request was read",
    "reset_after": "taken: the connection is reset instead of an answer",
    "timeout_after": "taken: no answer ever comes",
    "garbage": "taken: 200 with an HTML page for an answer",
    "http_403": "taken: 403 with an HTML page, as a proxy makes one that lets requests through and no answer",
    "half": "taken: the answer breaks off in its middle",
}
# Those where the carrier does not get to work on the request.
BEFORE = frozenset({"http_429", "slow_down", "http_500", "reset_before"})
RECEIPT_FAULTS = {
    "lost": "the receipt is never sent",
    "duplicated": "the receipt is sent twice",
    "storm": "the receipts are held back, then sent all at once in random order, `seconds` after the first",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`seconds` means what the tables above say it means."""

    kind: str
    seconds: float


class Faults:
    """First in, first out, for requests and receipts apart."""

    def __init__(self) -> None:
        self._requests: deque[Fault] = deque()
        self._receipts: deque[Fault] = deque()
        self._cleared = asyncio.Event()

    def inject(self, kind: str, count: int = 1, seconds: float = 1.0) -> None:
        """The next `count` requests (or receipts) get this fault. Raises ValueError for a kind not in the tables."""
        if kind not in REQUEST_FAULTS and kind not in RECEIPT_FAULTS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join((*REQUEST_FAULTS, *RECEIPT_FAULTS))}")
        if not (1 <= count <= 1_000_000 and 0 <= seconds <= 3600):
            raise ValueError("count is 1 to 1,000,000 and seconds is 0 to 3,600")
        queue = self._requests if kind in REQUEST_FAULTS else self._receipts
        queue.extend([Fault(kind, seconds)] * count)

    def clear(self) -> None:
        """Everything works again from now on, requests that are being delayed too."""
        self._requests.clear()
        self._receipts.clear()
        self._cleared.set()
        self._cleared = asyncio.Event()

    async def hold_up(self, seconds: float) -> None:
        """Returns after that time, or when the faults are cleared."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._cleared.wait(), seconds)

    def for_request(self) -> Fault | None:
        return self._requests.popleft() if self._requests else None

    def for_receipt(self) -> Fault | None:
        return self._receipts.popleft() if self._receipts else None

    def waiting(self) -> dict[str, int]:
        """How many of each kind are still to come."""
        counts: dict[str, int] = {}
        for fault in (*self._requests, *self._receipts):
            counts[fault.kind] = counts.get(fault.kind, 0) + 1
        return counts


def reset(request: web.Request) -> web.Response:
    """Reset the connection under the request, as a crashed or overloaded server does."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        # lingering for zero seconds makes closing send RST instead of FIN
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def break_off(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole body, send half of it, close."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def never_answer(stopping: asyncio.Event) -> web.Response:
    """Keep the request open until the sandbox stops."""
    await stopping.wait()
    return web.Response(status=503)
