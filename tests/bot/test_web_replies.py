"""Replies over HTTP: stored before they are answered, strangers turned away, the unreadable kept for a look."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bot.inbox import Inbox
from bot.receipt_writer import ReceiptWriter
from bot.web import BODY_LIMIT, ReceiptsAddress, make_web_app
from services.carriers.ports import ForeignReceipts, ReceiptsAnswer, ReceiptsRequest, Reply, UnreadableReceipts
from services.database import Database
from services.opt_outs import OptOuts
from services.replies import Replies
from services.unread_callbacks import UnreadCallbacks
from tests.services.builders import FIRST_NUMBER, Marketing
from tests.services.fakes import FakeCarrier

TOKEN = "tok_en-1"
SECRET = "13812345678 please stop"


class TalkingCarrier(FakeCarrier):
    """Calls with JSON: `{"from": …, "text": …}` in a list. A header `Signed: no` shows that it did not."""

    asked: str = ""

    def read_replies(self, request: ReceiptsRequest) -> Sequence[Reply]:
        self.asked = request.url
        if request.headers.get("signed") == "no":
            raise ForeignReceipts("the signature is wrong")
        try:
            return [Reply(each["from"], each["text"], each["id"]) for each in json.loads(request.body)]
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableReceipts("not a list of replies") from error

    def replies_answer(self) -> ReceiptsAnswer:
        return ReceiptsAnswer(202, "application/json", b'{"taken":true}')


@pytest.fixture
def marketing(sqlite: Database) -> Marketing:
    return Marketing(sqlite)


@pytest.fixture
def carrier() -> TalkingCarrier:
    return TalkingCarrier()


@pytest.fixture
def unread(marketing: Marketing) -> UnreadCallbacks:
    return UnreadCallbacks(marketing.database, marketing.clock)


@pytest.fixture
async def url(marketing: Marketing, carrier: TalkingCarrier, unread: UnreadCallbacks) -> AsyncIterator[str]:
    """Application 1 speaks, application 2 (the next id) does not."""
    own = marketing.application_id
    addresses = {
        own: ReceiptsAddress(own, TOKEN, carrier),
        own + 1: ReceiptsAddress(own + 1, TOKEN, FakeCarrier()),
    }
    with ThreadPoolExecutor(1) as threads:
        inbox = Inbox(Replies(marketing.database, marketing.clock), unread, threads)
        writer = ReceiptWriter(marketing.receipts, threads)
        app = make_web_app(addresses, writer, None, "https://sms.example.com/here", inbox)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/replies/{own}"
        await runner.cleanup()


async def post(address: str, body: object, **headers: str) -> tuple[int, str]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data=io.BytesIO(content), headers=headers) as response,
    ):
        return response.status, await response.text()


def said(text: str, sms_id: str = "in-1", number: int = FIRST_NUMBER) -> dict[str, Any]:
    return {"from": number, "text": text, "id": sms_id}


def is_out(marketing: Marketing, number: int = FIRST_NUMBER) -> bool:
    return OptOuts(marketing.database, marketing.clock).find(marketing.workspace_id, number) is not None


def test_the_address_of_replies_has_the_same_token(carrier: TalkingCarrier) -> None:
    assert ReceiptsAddress(7, TOKEN, carrier).replies_path == f"/replies/7/{TOKEN}"


async def test_a_reply_is_stored_done_and_answered_as_the_carrier_wants(
    url: str, marketing: Marketing, carrier: TalkingCarrier
) -> None:
    both = [said("T"), said("STOP", "in-2", FIRST_NUMBER + 1)]
    assert await post(f"{url}/{TOKEN}?x=%20", both) == (202, '{"taken":true}')
    assert is_out(marketing)
    assert is_out(marketing, FIRST_NUMBER + 1)
    assert carrier.asked == f"https://sms.example.com/here/replies/{marketing.application_id}/{TOKEN}?x=%20"


async def test_a_reply_that_comes_again_is_answered_again(url: str, marketing: Marketing) -> None:
    for _ in range(2):
        assert (await post(f"{url}/{TOKEN}", [said("T")]))[0] == 202
    assert is_out(marketing)


async def test_a_stranger_and_a_carrier_without_replies_get_the_same_answer(
    url: str, marketing: Marketing, unread: UnreadCallbacks
) -> None:
    silent = url.rsplit("/", 1)[0] + f"/{marketing.application_id + 1}/{TOKEN}"
    paths = ["/wrong", "/tok_en-", "/%C3%A9", "/", f"9/{TOKEN}"]
    for address in (silent, *(url + path for path in paths)):
        assert await post(address, [said("T")]) == (404, "404: Not Found"), address
    assert not is_out(marketing)
    assert unread.kept() == []


async def test_what_the_carrier_did_not_sign_is_refused_and_not_kept(
    url: str, marketing: Marketing, unread: UnreadCallbacks
) -> None:
    assert (await post(f"{url}/{TOKEN}", [said("T")], Signed="no"))[0] == 401
    assert not is_out(marketing)
    assert unread.kept() == []


async def test_whoever_is_turned_away_is_said_once(url: str, marketing: Marketing) -> None:
    other = url.rsplit("/", 1)[0]
    own = marketing.application_id
    with capture_logs() as logs:
        for _ in range(3):
            await post(f"{url}/{TOKEN}", [said(SECRET)], Signed="no")
            await post(f"{url}/guess", [said(SECRET)])
            await post(f"{other}/{own + 1}/{TOKEN}", [said(SECRET)])
            await post(f"{other}/99999/{TOKEN}", [said(SECRET)])
    assert [(line["event"], line["application"]) for line in logs] == [
        ("replies.foreign", own),
        ("replies.stranger", own),
        ("replies.unexpected", own + 1),
        ("replies.stranger", None),
    ]
    assert TOKEN not in str(logs)
    assert SECRET not in str(logs)


async def test_what_cannot_be_read_is_answered_kept_and_named_in_the_log_without_what_it_says(
    url: str, marketing: Marketing, unread: UnreadCallbacks
) -> None:
    with capture_logs() as logs:
        assert (await post(f"{url}/{TOKEN}", {"text": SECRET}))[0] == 202
    (kept,) = unread.kept()
    assert json.loads(kept.body) == {"text": SECRET}
    assert kept.reason == "replies: not a list of replies"
    (line,) = logs
    assert (line["event"], line["application"]) == ("replies.unreadable", marketing.application_id)
    assert line["unread_callback"] == kept.id
    assert SECRET not in str(logs)


async def test_a_query_is_kept_where_there_is_no_body(url: str, unread: UnreadCallbacks) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/{TOKEN}?text=hm&from=1") as response:
        assert response.status == 202
    assert [each.body for each in unread.kept()] == ["text=hm&from=1"]


async def test_a_body_larger_than_any_reply_is_refused(url: str, unread: UnreadCallbacks) -> None:
    assert (await post(f"{url}/{TOKEN}", b"x" * (BODY_LIMIT + 1)))[0] == 413
    assert unread.kept() == []


async def test_a_reply_that_could_not_be_stored_is_not_answered_as_taken(
    url: str, marketing: Marketing, carrier: TalkingCarrier
) -> None:
    carrier.read_replies = lambda request: [Reply(2**80, "T", "in-1", datetime.now(UTC))]  # type: ignore[method-assign]
    assert (await post(f"{url}/{TOKEN}", []))[0] == 500
    assert not is_out(marketing)
