"""What every stand-in carrier is: an HTTP server on 127.0.0.1 with a log of the numbers it took, faults on demand,
receipts, and a control over HTTP.

What becomes of a number is in its last three digits, so any list of some thousand numbers holds a few of each:

    …001  failed: not delivered       …004  taken, never reported
    …002  failed: on a block list     …005  refused in the answer
    …003  failed: expired             …006  delivered, but late (60 s)
    all others: delivered

Control, as JSON (the tables of faults are in `faults.py`):

    POST   /control/faults    {"kind": "http_429", "count": 3, "seconds": 2}
    GET    /control/faults    what is still to come; DELETE clears
    GET    /control/log       ?after=0&limit=10000: the numbers accepted, oldest first; DELETE forgets log and requests
    GET    /control/requests  every request with its answer's code
    GET    /control/receipts  {"waiting": …, "sent": …, "failed": …}
    POST   /control/replies   {"number": "+86…", "text": "STOP"}: what the person at that number answers; "url" says
                              where answers go from now on, as the console is told
"""

from __future__ import annotations

import asyncio
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sandbox.carriers import faults
from sandbox.carriers.faults import Faults
from sandbox.carriers.receipts import Delivery, ReceiptSender


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a number: `refused` in the answer, or `receipt` some time later; neither is silence."""

    receipt: str | None
    refused: str | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """One number this carrier took and would bill. `number` has its plus; `reference` is what the request gave to be
    found again by; `template` or `text` is empty where this carrier has none."""

    number: str
    reference: str
    sms_id: str
    template: str
    sender: str
    segments: int
    at: datetime
    text: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came (`target` is its path with the query), and the `code` of its answer; the fault's name
    where a fault answered."""

    at: datetime
    headers: Mapping[str, str]
    body: bytes
    code: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer and the carrier's own code in it."""

    code: str
    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(code: str, body: object, status: int = 200) -> Reply:
    return Reply(code, json.dumps(body, ensure_ascii=False).encode(), status)


class CarrierSandbox(ABC):
    """`log` holds every number accepted and `requests` every request, oldest first; both are public to read.

    `receipt_delay` is a range in seconds, `late_seconds` what …006 adds, `latency` how long an answer takes;
    `reply_callback` is where what people answer goes, which is set in the console.
    """

    # What goes behind the address of `reply_callback` in this carrier's settings.
    reply_query = ""

    def __init__(
        self,
        *,
        receipt_delay: tuple[float, float] = (0.5, 2.0),
        late_seconds: float = 60.0,
        latency: float = 0.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.url = self.reply_callback = ""
        self.log: list[Accepted] = []
        self.requests: list[Request] = []
        self.faults = Faults()
        self.receipts = ReceiptSender(self.faults)
        self.now = now
        self._receipt_delay, self._late_seconds, self._latency = receipt_delay, late_seconds, latency
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def routes(self) -> Sequence[web.RouteDef]:
        """The carrier's own API; each handler is `answer`."""

    @abstractmethod
    def take(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a request; the numbers taken are logged and their receipts scheduled. Header names are lower case."""

    @abstractmethod
    def slow_down(self, seconds: float) -> Reply:
        """The carrier's own way to say "not now"."""

    @abstractmethod
    def reply_delivery(self, number: str, text: str) -> Delivery:
        """The callback that says what the person at `number` (with its plus) answered."""

    def reply(self, number: str, text: str) -> None:
        """The person at this number answers. Raises ValueError where nobody has said where answers go."""
        if not self.reply_callback:
            raise ValueError("nobody has said where answers go: give url")
        self.receipts.send(self.reply_delivery("+" + number.removeprefix("+"), text))

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; `url` tells where."""
        app = web.Application()
        app.add_routes([*self.routes(), *self._control()])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.receipts.start()

    async def stop(self) -> None:
        """Drop receipts still to be sent and every open request."""
        self._stopping.set()
        await self.receipts.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def inject(self, kind: str, count: int = 1, seconds: float = 1.0) -> None:
        """As POST /control/faults. Raises ValueError for an unknown kind."""
        self.faults.inject(kind, count, seconds)

    def delay(self, end: Fate) -> float:
        """In how many seconds a receipt is due."""
        return random.uniform(*self._receipt_delay) + (self._late_seconds if end.late else 0.0)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`take`, unless a fault says otherwise."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        fault = self.faults.for_request()
        kind, seconds = (fault.kind, fault.seconds) if fault else ("", 0.0)
        if self._latency:
            await asyncio.sleep(self._latency)
        if kind == "delay":
            await self.faults.hold_up(seconds)
        if kind in faults.BEFORE:
            self.requests.append(Request(self.now(), headers, body, kind, request.raw_path))
            return self._fail(request, kind, seconds)
        reply = self.take(request, headers, body)
        self.requests.append(Request(self.now(), headers, body, reply.code, request.raw_path))
        match kind:
            case "reset_after":
                return faults.reset(request)
            case "timeout_after":
                return await faults.never_answer(self._stopping)
            case "garbage":
                return web.Response(text="<html><body>Welcome</body></html>", content_type="text/html")
            case "http_403":
                return web.Response(status=403, text="<html>Forbidden</html>", content_type="text/html")
            case "half":
                return await faults.break_off(request, reply.body)
            case _:
                return _response(reply)

    def _fail(self, request: web.Request, kind: str, seconds: float) -> web.Response:
        match kind:
            case "reset_before":
                return faults.reset(request)
            case "http_500":
                return web.Response(status=500, text="<html>Internal Server Error</html>", content_type="text/html")
            case "slow_down":
                return _response(self.slow_down(seconds))
            case _:
                throttled = {"error_code": "APIGW.0308", "error_msg": "The throttling threshold has been reached"}
                return web.json_response(throttled, status=429, headers={"Retry-After": str(int(seconds))})

    def _control(self) -> list[web.RouteDef]:
        return [
            web.post("/control/faults", self._inject),
            web.get("/control/faults", self._list_faults),
            web.delete("/control/faults", self._clear_faults),
            web.get("/control/log", self._list_log),
            web.delete("/control/log", self._clear_log),
            web.get("/control/requests", self._list_requests),
            web.get("/control/receipts", self._count_receipts),
            web.post("/control/replies", self._reply),
        ]

    async def _inject(self, request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
            self.inject(str(wanted["kind"]), int(wanted.get("count", 1)), float(wanted.get("seconds", 1.0)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return await self._list_faults(request)

    async def _list_faults(self, _: web.Request) -> web.Response:
        return web.json_response({"waiting": self.faults.waiting()})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return await self._list_faults(request)

    async def _list_log(self, request: web.Request) -> web.Response:
        try:
            after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "10000"))
        except ValueError:
            return web.json_response({"error": "after and limit are numbers"}, status=400)
        page = self.log[max(after, 0) :][: max(limit, 0)]
        return web.json_response({"total": len(self.log), "accepted": [_plain(entry) for entry in page]})

    async def _clear_log(self, _: web.Request) -> web.Response:
        self.log.clear()
        self.requests.clear()
        return web.json_response({"total": 0})

    async def _list_requests(self, _: web.Request) -> web.Response:
        return web.json_response({"total": len(self.requests), "requests": [_plain(entry) for entry in self.requests]})

    async def _reply(self, request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
            self.reply_callback = str(wanted.get("url", self.reply_callback))
            self.reply(str(wanted["number"]), str(wanted["text"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"url": self.reply_callback})

    async def _count_receipts(self, _: web.Request) -> web.Response:
        counts = {"waiting": self.receipts.waiting, "sent": self.receipts.sent, "failed": self.receipts.failed}
        return web.json_response(counts)


def _response(reply: Reply) -> web.Response:
    return web.Response(
        body=reply.body, status=reply.status, content_type=reply.content_type, charset="utf-8", headers=reply.headers
    )


def _plain(entry: Accepted | Request) -> dict[str, Any]:
    shown = asdict(entry)
    shown["at"] = entry.at.isoformat()
    if isinstance(entry, Request):
        shown["body"] = entry.body.decode("utf-8", "replace")
        shown["headers"] = dict(entry.headers)
    return shown
