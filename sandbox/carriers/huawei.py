"""A stand-in for Huawei Cloud Message & SMS on 127.0.0.1: POST /sms/batchSendSms/v1 and its status reports.

It checks the SDK-HMAC-SHA256 signature and refuses what Huawei's reference says is refused; what it takes is logged
number by number, and each segment's report is sent to `statusCallback`. What becomes of a number is in its last three
digits, so any list of some thousand numbers holds a few of each:

    …001  failed: UNDELIV          …004  taken, never reported
    …002  failed: MBBLACK          …005  refused in the answer: E200025
    …003  failed: EXPIRED          …006  delivered, but late (60 s)
    all others: delivered

Control, as JSON over HTTP (the tables of faults are in `faults.py`):

    POST   /control/faults    {"kind": "http_429", "count": 3, "seconds": 2}
    GET    /control/faults    what is still to come; DELETE clears
    GET    /control/log       ?after=0&limit=10000: the numbers accepted, oldest first; DELETE forgets log and requests
    GET    /control/requests  every request with its answer's code
    GET    /control/receipts  {"waiting": …, "sent": …, "failed": …}
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiohttp import web

from sandbox.carriers import faults
from sandbox.carriers.faults import Faults
from sandbox.carriers.huawei_checks import (
    VARIABLE,
    Form,
    Refused,
    canonical_number,
    check_signature,
    read_form,
    segments,
)
from sandbox.carriers.receipts import ReceiptSender

PATH = "/sms/batchSendSms/v1"
APP_KEY = "demo-key"
APP_SECRET = "demo-secret"
DELIVERED = "DELIVRD"
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a number: `refused` in the answer, or `receipt` some time later; neither is silence."""

    receipt: str | None = DELIVERED
    refused: str | None = None
    late: bool = False


MAGIC = {
    "001": Fate("UNDELIV"),
    "002": Fate("MBBLACK"),
    "003": Fate("EXPIRED"),
    "004": Fate(receipt=None),
    "005": Fate(receipt=None, refused="E200025"),
    "006": Fate(late=True),
}
ORDINARY = Fate()


def fate(number: str) -> Fate:
    """By the last three digits."""
    return MAGIC.get(number[-3:], ORDINARY)


@dataclass(frozen=True, slots=True)
class Accepted:
    """One number this carrier took and would bill. `number` has its plus; `reference` is the request's `extend`."""

    number: str
    reference: str
    sms_id: str
    template: str
    sender: str
    segments: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came, and the `code` of its answer (the fault's name where a fault answered)."""

    at: datetime
    headers: Mapping[str, str]
    body: bytes
    code: str


class HuaweiSandbox:
    """`log` holds every number accepted and `requests` every request, oldest first; both are public to read.

    `senders` and `templates` (template id to full text, signature included, variables as `${1}`) are checked only where
    given. `receipt_delay` is a range in seconds, `late_seconds` what …006 adds, `latency` how long an answer takes.
    """

    def __init__(
        self,
        *,
        app_key: str = APP_KEY,
        app_secret: str = APP_SECRET,
        senders: Collection[str] | None = None,
        templates: Mapping[str, str] | None = None,
        receipt_delay: tuple[float, float] = (0.5, 2.0),
        late_seconds: float = 60.0,
        latency: float = 0.0,
        strict_signature: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.url = ""
        self.log: list[Accepted] = []
        self.requests: list[Request] = []
        self.faults = Faults()
        self.receipts = ReceiptSender(self.faults)
        self._key, self._secret, self._strict = app_key, app_secret, strict_signature
        self._senders, self._templates = senders, templates
        self._receipt_delay, self._late_seconds, self._latency = receipt_delay, late_seconds, latency
        self._now = now
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; `url` tells where."""
        app = web.Application()
        app.add_routes(
            [
                web.post(PATH, self._send),
                web.post("/control/faults", self._inject),
                web.get("/control/faults", self._list_faults),
                web.delete("/control/faults", self._clear_faults),
                web.get("/control/log", self._list_log),
                web.delete("/control/log", self._clear_log),
                web.get("/control/requests", self._list_requests),
                web.get("/control/receipts", self._count_receipts),
            ]
        )
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

    async def _send(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        fault = self.faults.for_request()
        kind = fault.kind if fault else ""
        seconds = fault.seconds if fault else 0.0
        delay = self._latency + (seconds if kind == "delay" else 0.0)
        if delay:
            await asyncio.sleep(delay)
        if kind in {"http_429", "http_500", "reset_before"}:
            self.requests.append(Request(self._now(), headers, body, kind))
            if kind == "reset_before":
                return faults.reset(request)
            if kind == "http_500":
                return web.Response(status=500, text="<html>Internal Server Error</html>", content_type="text/html")
            return web.json_response(
                {"error_code": "APIGW.0308", "error_msg": "The throttling threshold has been reached"},
                status=429,
                headers={"Retry-After": str(int(seconds))},
            )
        status, answer = self._take(request.method, request.path, headers, body)
        self.requests.append(Request(self._now(), headers, body, str(answer["code"])))
        match kind:
            case "reset_after":
                return faults.reset(request)
            case "timeout_after":
                return await faults.never_answer(self._stopping)
            case "garbage":
                return web.Response(text="<html><body>Welcome</body></html>", content_type="text/html")
            case "half":
                return await faults.break_off(request, json.dumps(answer).encode())
            case _:
                return web.json_response(answer, status=status)

    def _take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """The HTTP status and the answer; the numbers taken are logged and their receipts scheduled."""
        try:
            if self._strict:
                check_signature(method, path, headers, body, key=self._key, secret=self._secret, now=self._now())
            form = read_form(headers.get("content-type", ""), body)
        except Refused as refused:
            return refused.http_status, {"code": refused.code, "description": refused.description}
        results = self._settle(form)
        good = all(result["status"] == "000000" for result in results)
        code, description = ("000000", "Success") if good else ("E000510", "The SMS fails to be sent; see status")
        return 200, {"code": code, "description": description, "result": results}

    def _settle(self, form: Form) -> list[dict[str, Any]]:
        whole, parts = self._refused_whole(form), segments(self._text(form))
        now, batch, seen, results = self._now(), uuid4(), set[str](), []
        for index, written in enumerate(form.numbers, 1):
            number = canonical_number(written)
            status = whole or _status(number, seen)
            sms_id = f"{batch}_{index}"
            results.append(
                {
                    "total": parts,
                    "originTo": written,
                    "createTime": now.strftime(TIME),
                    "from": form.sender,
                    "smsMsgId": sms_id,
                    "countryId": "CN" if number and number.startswith("+86") else "",
                    "status": status,
                }
            )
            if number and status == "000000":
                seen.add(number)
                self.log.append(Accepted(number, form.reference, sms_id, form.template, form.sender, parts, now))
                if form.callback:
                    self._report(number, sms_id, parts, form)
        return results

    def _refused_whole(self, form: Form) -> str | None:
        """The status every number gets where sender, template or variables are wrong."""
        if self._senders is not None and form.sender not in self._senders:
            return "E200018"
        if self._templates is None:
            return None
        if form.template not in self._templates:
            return "E200030"
        wanted = set(VARIABLE.findall(self._templates[form.template]))
        return "E200028" if len(wanted) != len(form.variables) else None

    def _text(self, form: Form) -> str:
        text = (self._templates or {}).get(form.template, "")
        values = dict(zip(dict.fromkeys(VARIABLE.findall(text)), form.variables, strict=False))
        return form.signature + VARIABLE.sub(lambda found: values.get(found[0], ""), text)

    def _report(self, number: str, sms_id: str, parts: int, form: Form) -> None:
        end = fate(number)
        if end.receipt is None:
            return
        delay = random.uniform(*self._receipt_delay) + (self._late_seconds if end.late else 0.0)
        for part in range(1, parts + 1):
            fields = {
                "sequence": str(part),
                "total": str(parts),
                "orgCode": "000" if end.receipt == DELIVERED else end.receipt,
                "source": "2",
                "smsMsgId": sms_id,
                "status": end.receipt,
                "statusDesc": "Success" if end.receipt == DELIVERED else "The message was not delivered",
            }
            if form.reference:
                fields |= {"extend": form.reference, "to": number}
            if end.receipt == "EXPIRED":
                fields["source"] = "1"
            else:
                fields["updateTime"] = (self._now() + timedelta(seconds=delay)).strftime(TIME)
            self.receipts.schedule(delay, form.callback, fields)

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

    async def _count_receipts(self, _: web.Request) -> web.Response:
        counts = {"waiting": self.receipts.waiting, "sent": self.receipts.sent, "failed": self.receipts.failed}
        return web.json_response(counts)


def _status(number: str | None, seen: Collection[str]) -> str:
    if number is None:
        return "E200025"
    if number in seen:
        return "E200041"
    return fate(number).refused or "000000"


def _plain(entry: Accepted | Request) -> dict[str, Any]:
    shown = asdict(entry)
    shown["at"] = entry.at.isoformat()
    if isinstance(entry, Request):
        shown["body"] = entry.body.decode("utf-8", "replace")
        shown["headers"] = dict(entry.headers)
    return shown
