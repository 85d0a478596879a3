"""Each carrier's callbacks, from the wire to the table: what is theirs is stored and answered in their own words, what
cannot be read is answered the same way and kept for a look, and nobody else's leaves a trace.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import select
from structlog.testing import capture_logs
from yarl import URL

from bot.applications_file import ApplicationsFile
from bot.carriers import make_carrier
from bot.inbox import Inbox
from bot.receipt_writer import ReceiptWriter
from bot.web import BODY_LIMIT, ReceiptsAddress, make_web_app
from sandbox.carriers.twilio import signature
from services.carriers.http import Http
from services.clock import SystemClock
from services.content import ApplicationDeclaration
from services.database import Database
from services.models import receipt
from services.replies import Replies
from services.states import Region
from services.unread_callbacks import BODY_LIMIT as KEPT_BODY
from services.unread_callbacks import UnreadCallbacks
from tests.services.builders import Marketing

PUBLIC_URL = "https://sms.example.com"
TOKEN = "tok_en-1"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FIRST, SECOND = 8613811112222, 8613911113333


@dataclass(frozen=True)
class Call:
    """A request as the carrier makes it, below the address; `signed`: with Twilio's signature where it is Twilio's."""

    query: str = ""
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    signed: bool = True


@dataclass(frozen=True)
class Kind:
    """`several` holds reports of both numbers, in one call where the carrier does that."""

    several: list[Call]
    malformed: list[Call]
    answer: tuple[int, str, bytes]


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def a_huawei(number: int, **more: object) -> dict[str, Any]:
    return {"smsMsgId": f"id-{number}", "status": "DELIVRD", "to": f"+{number}", "extend": "42.7", **more}


def a_tencent(number: int) -> dict[str, Any]:
    to = {"nationcode": "86", "mobile": str(number)[2:]}
    return {**to, "report_status": "SUCCESS", "errmsg": "DELIVRD", "sid": f"id-{number}"}


def a_twilio(number: int) -> Call:
    body = form(MessageSid=f"id-{number}", MessageStatus="delivered", To=f"+{number}")
    return Call(query="ref=42.7", body=body, headers=FORM)


def a_kannel(number: int) -> Call:
    return Call(query=f"ref=42.7&type=1&to=%2B{number}&at=1795262400&id=&answer=", method="GET")


def as_json(value: object) -> Call:
    return Call(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


APPLICATIONS = """
[[application]]
name = "huawei"
carrier = "huawei"
region = "mainland"
app_key = "k"
app_secret = "s"
[[application]]
name = "tencent"
carrier = "tencent"
region = "mainland"
secret_id = "a"
secret_key = "b"
sdk_app_id = "14"
[[application]]
name = "twilio"
carrier = "twilio"
region = "international"
account_sid = "AC00000000000000000000000000000001"
auth_token = "token"
from = "+15005550006"
[[application]]
name = "kannel"
carrier = "kannel"
region = "mainland"
url = "http://127.0.0.1:9/"
username = "u"
password = "p"
"""
KINDS = {
    "huawei": Kind(
        several=[as_json({"statusReportList": [a_huawei(FIRST), a_huawei(SECOND)]})],
        malformed=[
            Call(),
            Call(body=b"\xff\xfe\x00"),
            Call(body=b"status=DELIVRD", headers=FORM),
            as_json({"statusReportList": "none"}),
            as_json({"statusReportList": [a_huawei(FIRST, sequence=3, total=2)]}),
        ],
        answer=(200, "text/plain", b"OK"),
    ),
    "tencent": Kind(
        several=[as_json([a_tencent(FIRST), a_tencent(SECOND)])],
        malformed=[Call(), Call(body=b"<xml/>"), as_json({"sid": "1"}), as_json([]), as_json([{"sid": "1"}])],
        answer=(200, "application/json", b'{"result":0,"errmsg":"OK"}'),
    ),
    "twilio": Kind(
        several=[a_twilio(FIRST), a_twilio(SECOND)],
        malformed=[Call(query="ref=42.7", body=form(To=f"+{FIRST}"), headers=FORM)],
        answer=(204, "text/plain", b""),
    ),
    "kannel": Kind(
        several=[a_kannel(FIRST), a_kannel(SECOND)],
        malformed=[
            Call(method="GET"),
            Call(query=f"ref=42.7&type=99&to={FIRST}", method="GET"),
            Call(query="ref=42.7&type=1&to=somebody", method="GET"),
            Call(query=f"type=1&to={FIRST}", method="GET"),
        ],
        answer=(200, "text/plain", b"OK"),
    ),
}
each_carrier = pytest.mark.parametrize("name", KINDS)


async def at_once() -> None:
    """No rate to keep."""


class Carriers:
    """The web application with all four, and what is in the tables behind it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._folder = folder
        declared = [ApplicationDeclaration(name, name, Region.MAINLAND, (), ()) for name in KINDS]
        self.marketing = Marketing(database, applications=declared)
        self.unread = UnreadCallbacks(database, self.marketing.clock)
        self.url = ""

    def addresses(self) -> dict[int, ReceiptsAddress]:
        path = self._folder / "applications.toml"
        path.write_text(APPLICATIONS, "utf-8")
        made = [
            (self.id(each.name), make_carrier(each, Http(), SystemClock(), at_once))
            for each in ApplicationsFile(path, {}).applications()
        ]
        return {number: ReceiptsAddress(number, TOKEN, carrier) for number, carrier in made}

    def id(self, name: str) -> int:
        return self.marketing.applications[name].id

    async def call(self, name: str, call: Call, token: str = TOKEN, kind: str = "receipts") -> tuple[int, str, bytes]:
        path = f"/{kind}/{self.id(name)}/{token}" + (f"?{call.query}" if call.query else "")
        headers = dict(call.headers)
        if name == "twilio" and call.signed:
            fields = parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True)
            headers["X-Twilio-Signature"] = signature("token", PUBLIC_URL + path, fields)
        address = URL(self.url + path, encoded=True)
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                call.method, address, data=io.BytesIO(call.body) if call.body else None, headers=headers
            ) as response,
        ):
            return response.status, response.content_type, await response.read()

    def stored(self) -> list[tuple[int, int, str]]:
        """(application, number, status) of every receipt."""
        query = select(receipt.c.application_id, receipt.c.number, receipt.c.status).order_by(receipt.c.number)
        with self.marketing.database.read(everyone=True) as connection:
            return [(row.application_id, row.number, row.status) for row in connection.execute(query)]


@pytest.fixture
async def carriers(sqlite: Database, tmp_path: Path) -> AsyncIterator[Carriers]:
    made = Carriers(sqlite, tmp_path)
    marketing = made.marketing
    with ThreadPoolExecutor(1) as threads:
        inbox = Inbox(Replies(sqlite, marketing.clock), made.unread, threads)
        app = make_web_app(made.addresses(), ReceiptWriter(marketing.receipts, threads), None, PUBLIC_URL, inbox)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
        await runner.cleanup()


@each_carrier
async def test_reports_of_several_messages_are_stored_once_and_answered_each_time(
    name: str, carriers: Carriers
) -> None:
    for _ in range(2):
        for call in KINDS[name].several:
            assert await carriers.call(name, call) == KINDS[name].answer
    own = carriers.id(name)
    assert carriers.stored() == [(own, FIRST, "delivered"), (own, SECOND, "delivered")]
    assert carriers.unread.kept() == []


@pytest.mark.parametrize(
    ("name", "call"), [(name, call) for name, kind in KINDS.items() for call in kind.malformed], ids=lambda each: ""
)
async def test_what_cannot_be_read_is_answered_as_what_was_taken_and_kept_for_a_look(
    name: str, call: Call, carriers: Carriers
) -> None:
    with capture_logs() as logs:
        assert await carriers.call(name, call) == KINDS[name].answer, "or the carrier would send it again for ever"
    assert carriers.stored() == []
    (kept,) = carriers.unread.kept()
    assert kept.application == name
    assert kept.reason.startswith("receipts: ")
    (line,) = [each for each in logs if each["event"] == "receipts.unreadable"]
    assert line["unread_callback"] == kept.id
    assert str(FIRST) not in str(logs)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("huawei", a_huawei(FIRST), a_huawei(SECOND, sequence=3, total=2)),
        ("tencent", a_tencent(FIRST), {**a_tencent(SECOND), "mobile": "unreadable", "ext": "42.7"}),
    ],
)
async def test_of_a_push_that_can_be_read_in_part_the_reports_are_stored_and_the_rest_is_kept(
    name: str, good: dict[str, Any], bad: dict[str, Any], carriers: Carriers
) -> None:
    reports = [good, bad, 7]
    call = as_json({"statusReportList": reports} if name == "huawei" else reports)
    assert await carriers.call(name, call) == KINDS[name].answer
    assert carriers.stored() == [(carriers.id(name), FIRST, "delivered")]
    (kept,) = carriers.unread.kept()
    assert kept.reason.startswith("receipts: 2 of 3 reports, ")
    assert json.loads(kept.body) == [bad, 7]


@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("kind", ["receipts", "replies"])
@each_carrier
async def test_carriers_call_with_get_and_post_and_nothing_else_is_taken(
    name: str, kind: str, method: str, carriers: Carriers
) -> None:
    for call in (*KINDS[name].several, *KINDS[name].malformed):
        status, _, _ = await carriers.call(name, replace(call, method=method), kind=kind)
        assert status == 405
    assert (carriers.stored(), carriers.unread.kept()) == ([], [])


@each_carrier
async def test_a_stranger_is_turned_away_said_once_and_never_stored(name: str, carriers: Carriers) -> None:
    with capture_logs() as logs:
        for call in [*KINDS[name].several, *KINDS[name].malformed]:
            status, _, _ = await carriers.call(name, call, token="guess")
            assert status == 404
    assert [(line["event"], line["application"]) for line in logs] == [("receipts.stranger", carriers.id(name))]
    assert carriers.stored() == []
    assert carriers.unread.kept() == []


@each_carrier
async def test_a_body_larger_than_any_report_is_refused_and_never_stored(name: str, carriers: Carriers) -> None:
    status, _, _ = await carriers.call(name, Call(body=b"a=" + b"x" * BODY_LIMIT, headers=FORM))
    assert status == 413
    assert carriers.stored() == []
    assert carriers.unread.kept() == []


async def test_what_twilio_did_not_sign_is_refused_and_never_stored(carriers: Carriers) -> None:
    for call in (*KINDS["twilio"].several, *KINDS["twilio"].malformed):
        unsigned = Call(call.query, call.body, call.method, {**call.headers, "X-Twilio-Signature": "x"}, signed=False)
        assert (await carriers.call("twilio", unsigned))[0] == 401
    assert carriers.stored() == []
    assert carriers.unread.kept() == []


async def test_of_a_long_one_that_cannot_be_read_only_the_beginning_is_kept(carriers: Carriers) -> None:
    await carriers.call("tencent", Call(body=b"x" * (BODY_LIMIT - 1)))
    (kept,) = carriers.unread.kept()
    assert kept.body == "x" * KEPT_BODY
