"""Receipts over HTTP: stored before they are answered, many callbacks in one transaction, strangers turned away."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.receipt_writer import ReceiptWriter
from bot.web import BODY_LIMIT, ReceiptsAddress, make_web_app
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.ports import Receipt
from services.clock import SystemClock
from services.rate import RateLimit
from tests.sandbox.people import until

TOKEN = "tok_en-1"
FORM = "application/x-www-form-urlencoded"


class Shelf:
    """Stands for `services.receipts.Receipts`: keeps what is stored, a transaction at a time."""

    def __init__(self) -> None:
        self.transactions: list[Sequence[tuple[int, Receipt]]] = []
        self.open = threading.Event()
        self.open.set()
        self.broken = False
        self.asked = False

    def store(self, rows: Sequence[tuple[int, Receipt]]) -> None:
        self.asked = True
        self.open.wait(5)
        if self.broken:
            raise OSError("disk full")
        self.transactions.append(rows)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def writer(shelf: Shelf) -> AsyncIterator[ReceiptWriter]:
    with ThreadPoolExecutor(1) as threads:
        made: Any = shelf
        yield ReceiptWriter(made, threads)


@pytest.fixture
async def url(writer: ReceiptWriter) -> AsyncIterator[str]:
    carrier = Huawei(
        app_key="k",
        app_secret="s",
        http=Http(),
        clock=SystemClock(),
        pace=RateLimit(1000).acquire,
        endpoint="http://127.0.0.1:9",
    )
    app = make_web_app({7: ReceiptsAddress(7, TOKEN, carrier)}, writer, None)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def post(address: str, body: bytes | str) -> tuple[int, str]:
    content = io.BytesIO(body.encode() if isinstance(body, str) else body)
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data=content, headers={"Content-Type": FORM}) as response,
    ):
        return response.status, await response.text()


def report(sms_id: str, status: str = "DELIVRD") -> str:
    return f"smsMsgId={sms_id}&status={status}&to=%2B8613800000001&extendFields=ref-1&total=1&sequence=1"


def test_an_address_holds_the_application_and_its_token() -> None:
    carrier: Any = None
    assert ReceiptsAddress(7, TOKEN, carrier).path == f"/receipts/7/{TOKEN}"


async def test_a_report_is_stored_and_then_answered(url: str, shelf: Shelf) -> None:
    status, _ = await post(f"{url}/receipts/7/{TOKEN}", report("id-1"))
    assert status == 200
    ((stored,),) = shelf.transactions
    assert (stored[0], stored[1].sms_id, stored[1].status) == (7, "id-1", "delivered")


@pytest.mark.parametrize(
    "path",
    [
        "/receipts/7/wrong",
        "/receipts/7/tok_en-",
        "/receipts/7/tok_en-11",
        f"/receipts/8/{TOKEN}",
        f"/receipts/0/{TOKEN}",
        f"/receipts/-7/{TOKEN}",
        f"/receipts/{'9' * 30}/{TOKEN}",
        "/receipts/7/%C3%A9",
        "/receipts/7/%00",
        "/receipts/7/",
        f"/receipts/x/{TOKEN}",
        "/",
        "/slack/events",
    ],
)
async def test_a_stranger_learns_nothing(path: str, url: str, shelf: Shelf) -> None:
    assert (await post(url + path, report("id-1")))[0] == 404
    assert shelf.transactions == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe\x00", id="not text"),
        pytest.param(b"{}", id="json"),
        pytest.param(b"status=DELIVRD", id="no id"),
        pytest.param(b"&".join([b"a=b"] * 3000), id="too many fields"),
    ],
)
async def test_what_is_no_report_is_answered_and_not_stored(body: bytes, url: str, shelf: Shelf) -> None:
    status, _ = await post(f"{url}/receipts/7/{TOKEN}", body)
    assert status == 200, "or the carrier would send it again for ever"
    assert shelf.transactions == []


async def test_a_body_larger_than_any_report_is_refused(url: str, shelf: Shelf) -> None:
    assert (await post(f"{url}/receipts/7/{TOKEN}", b"x" * (BODY_LIMIT + 1)))[0] == 413
    assert shelf.transactions == []


async def test_a_report_that_could_not_be_stored_is_not_answered_as_taken(url: str, shelf: Shelf) -> None:
    shelf.broken = True
    assert (await post(f"{url}/receipts/7/{TOKEN}", report("id-1")))[0] == 500
    shelf.broken = False
    assert (await post(f"{url}/receipts/7/{TOKEN}", report("id-1")))[0] == 200
    assert len(shelf.transactions) == 1


async def test_nothing_is_answered_before_it_is_on_the_disk(url: str, shelf: Shelf) -> None:
    shelf.open.clear()
    asked = asyncio.create_task(post(f"{url}/receipts/7/{TOKEN}", report("id-1")))
    done, _ = await asyncio.wait([asked], timeout=0.1)
    assert not done
    shelf.open.set()
    assert (await asked)[0] == 200


async def test_what_comes_meanwhile_gathers_for_the_next_transaction(
    url: str, shelf: Shelf, writer: ReceiptWriter
) -> None:
    shelf.open.clear()
    first = asyncio.create_task(post(f"{url}/receipts/7/{TOKEN}", report("id-0")))
    await until(lambda: shelf.asked, 10)
    others = [asyncio.create_task(post(f"{url}/receipts/7/{TOKEN}", report(f"id-{n}"))) for n in range(1, 30)]
    await until(lambda: len(writer._waiting) == 29, 10)
    shelf.open.set()
    assert {status for status, _ in await asyncio.gather(first, *others)} == {200}
    assert [len(each) for each in shelf.transactions] == [1, 29]


async def test_one_callers_end_is_not_anothers(writer: ReceiptWriter, shelf: Shelf) -> None:
    receipt = Receipt("delivered", "DELIVRD", "id-1")
    shelf.open.clear()
    gone = asyncio.create_task(writer.store([(7, receipt)]))
    stays = asyncio.create_task(writer.store([(7, receipt)]))
    await asyncio.sleep(0.01)
    gone.cancel()
    shelf.open.set()
    await stays
    assert sum(len(each) for each in shelf.transactions) == 2
