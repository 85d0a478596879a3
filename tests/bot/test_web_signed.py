"""Callbacks that a carrier signs: over the address it called, whatever became of it on the way here."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs
from yarl import URL

from bot.receipt_writer import ReceiptWriter
from bot.web import ReceiptsAddress, make_web_app
from sandbox.carriers.twilio import signature
from services.carriers.http import Http
from services.carriers.kannel import Kannel
from services.carriers.ports import Receipt
from services.carriers.tencent import Tencent
from services.carriers.twilio import Twilio
from services.clock import SystemClock

PUBLIC_URL = "https://sms.example.com:8443/behind/a/proxy"
FIELDS = [("MessageSid", "SM1"), ("MessageStatus", "delivered"), ("To", "+8613811112222")]


class Shelf:
    """Stands for `services.receipts.Receipts`."""

    def __init__(self) -> None:
        self.receipts: list[tuple[int, Receipt]] = []
        self._lock = threading.Lock()

    def store(self, rows: Sequence[tuple[int, Receipt]]) -> None:
        with self._lock:
            self.receipts.extend(rows)


async def at_once() -> None:
    """No rate to keep."""


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def url(shelf: Shelf) -> AsyncIterator[str]:
    http, clock = Http(), SystemClock()
    carriers: dict[int, Any] = {
        1: Twilio(account_sid="AC1", auth_token="token", http=http, clock=clock, pace=at_once, sender="+1"),
        2: Tencent(secret_id="a", secret_key="b", sdk_app_id="14", http=http, clock=clock, pace=at_once),
        3: Kannel(url="http://127.0.0.1:9/", username="u", password="p", http=http, clock=clock, pace=at_once),
    }
    addresses = {number: ReceiptsAddress(number, "secret", carrier) for number, carrier in carriers.items()}
    made: Any = shelf
    with ThreadPoolExecutor(1) as threads:
        app = make_web_app(addresses, ReceiptWriter(made, threads), None, PUBLIC_URL)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def post(address: str, signed: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(URL(address, encoded=True), data=dict(FIELDS), headers={"X-Twilio-Signature": signed}) as response,
    ):
        return response.status


async def test_a_callback_is_checked_against_the_public_address_with_its_query(url: str, shelf: Shelf) -> None:
    signed = signature("token", f"{PUBLIC_URL}/receipts/1/secret?ref=a%2Fb", FIELDS)
    assert await post(f"{url}/receipts/1/secret?ref=a%2Fb", signed) == 204
    ((application, receipt),) = shelf.receipts
    assert (application, receipt.reference, receipt.number) == (1, "a/b", 8613811112222)


@pytest.mark.parametrize(
    "signed",
    [
        pytest.param(signature("token", f"{PUBLIC_URL}/receipts/1/secret?ref=2", FIELDS), id="another reference"),
        pytest.param(signature("token", "http://127.0.0.1/receipts/1/secret?ref=1", FIELDS), id="another host"),
        pytest.param(signature("guess", f"{PUBLIC_URL}/receipts/1/secret?ref=1", FIELDS), id="another token"),
        pytest.param("", id="none"),
    ],
)
async def test_what_the_carrier_did_not_sign_is_not_stored(signed: str, url: str, shelf: Shelf) -> None:
    assert await post(f"{url}/receipts/1/secret?ref=1", signed) == 401
    assert shelf.receipts == []


async def test_whoever_knocks_again_and_again_is_said_once(url: str) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            assert await post(f"{url}/receipts/1/secret", "wrong") == 401
            assert await post(f"{url}/receipts/1/guess", "wrong") == 404
            assert await post(f"{url}/receipts/99/guess", "wrong") == 404
    assert [(line["event"], line["application"]) for line in logs] == [
        ("receipts.foreign", 1),
        ("receipts.stranger", 1),
        ("receipts.stranger", None),
    ]
    assert "secret" not in str(logs)


async def test_tencent_reads_its_own_answer_also_to_what_is_no_report(url: str, shelf: Shelf) -> None:
    report = {
        "nationcode": "86",
        "mobile": "13811112222",
        "report_status": "SUCCESS",
        "errmsg": "DELIVRD",
        "sid": "5:1",
    }
    async with aiohttp.ClientSession() as session:
        for body in ([report], {"text": "T"}):
            async with session.post(f"{url}/receipts/2/secret", json=body) as response:
                assert (response.status, response.content_type) == (200, "application/json")
                assert await response.json() == {"result": 0, "errmsg": "OK"}
    assert [receipt.sms_id for _, receipt in shelf.receipts] == ["5:1"]


async def test_kannel_reports_by_get(url: str, shelf: Shelf) -> None:
    query = "ref=42.7&type=1&to=%2B8613811112222&at=1795262400&id=&answer="
    async with aiohttp.ClientSession() as session, session.get(f"{url}/receipts/3/secret?{query}") as response:
        assert response.status == 200
    ((application, receipt),) = shelf.receipts
    assert (application, receipt.number, receipt.status) == (3, 8613811112222, "delivered")
