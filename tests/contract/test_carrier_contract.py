"""Every carrier, the same cases, over real sockets against its stand-in. A new carrier is a new `Stand` in STANDS."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

import pytest
from aiohttp import web

from sandbox.carriers.huawei import HuaweiSandbox
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.ports import Carrier, Receipt, ReceiptsRequest, Submission
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
GOOD = (8613811112222, 8613911113333, 8615011114444)


class Noon:
    def now(self) -> datetime:
        return NOON


class Stand(Protocol):
    """One carrier and its stand-in. `refused_number` is one the carrier refuses among good ones."""

    refused_number: int

    async def start(self, receipts_url: str) -> None: ...
    async def stop(self) -> None: ...
    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier: ...
    def submission(self, *numbers: int, template: str | None = None) -> Submission: ...
    def inject(self, kind: str, seconds: float = 1.0) -> None: ...
    def accepted(self) -> list[tuple[int, str]]: ...
    def assert_exact_request(self) -> None: ...


class HuaweiStand:
    refused_number = 8613800000005

    def __init__(self) -> None:
        self.sandbox = HuaweiSandbox(
            app_key="key-1",
            app_secret="secret-1",
            senders={"csms100000001"},
            templates={"tpl-spring": "【Shop】We open at ${1} on ${2}."},
            receipt_delay=(0.0, 0.05),
            now=Noon().now,
        )

    async def start(self, receipts_url: str) -> None:
        self.receipts_url = receipts_url
        await self.sandbox.start()

    async def stop(self) -> None:
        await self.sandbox.stop()

    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier:
        return Huawei(
            app_key="key-1",
            app_secret=secret or "secret-1",
            http=http,
            clock=Noon(),
            endpoint=url or self.sandbox.url,
        )

    def submission(self, *numbers: int, template: str | None = None) -> Submission:
        return Submission(
            reference="42.7",
            numbers=numbers,
            sender="csms100000001",
            template_code=template or "tpl-spring",
            text="【Shop】We open at 9 on Monday.",
            variables=("9", "星期一"),
            receipts_url=self.receipts_url,
        )

    def inject(self, kind: str, seconds: float = 1.0) -> None:
        self.sandbox.inject(kind, seconds=seconds)

    def accepted(self) -> list[tuple[int, str]]:
        return [(int(entry.number), entry.reference) for entry in self.sandbox.log]

    def assert_exact_request(self) -> None:
        """For a submission of GOOD[:2]; the signature is computed here once more, from the vendor's description."""
        (request,) = self.sandbox.requests
        callback = self.receipts_url.replace(":", "%3A").replace("/", "%2F")
        assert request.body.decode() == (
            "from=csms100000001&templateId=tpl-spring"
            "&templateParas=%5B%229%22%2C+%22%E6%98%9F%E6%9C%9F%E4%B8%80%22%5D"
            f"&statusCallback={callback}&extend=42.7&to=%2B8613811112222%2C%2B8613911113333"
        )
        host = self.sandbox.url.removeprefix("http://")
        canonical = (
            "POST\n/sms/batchSendSms/v1/\n\n"
            f"content-type:application/x-www-form-urlencoded\nhost:{host}\n"
            "x-sdk-content-sha256:UNSIGNED-PAYLOAD\nx-sdk-date:20261121T120000Z\n\n"
            "content-type;host;x-sdk-content-sha256;x-sdk-date\nUNSIGNED-PAYLOAD"
        )
        to_sign = f"SDK-HMAC-SHA256\n20261121T120000Z\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(b"secret-1", to_sign.encode(), hashlib.sha256).hexdigest()
        sent = dict(request.headers)
        assert sent.pop("authorization") == (
            "SDK-HMAC-SHA256 Access=key-1, "
            f"SignedHeaders=content-type;host;x-sdk-content-sha256;x-sdk-date, Signature={signature}"
        )
        assert sent == {
            "host": host,
            "content-type": "application/x-www-form-urlencoded",
            "x-sdk-content-sha256": "UNSIGNED-PAYLOAD",
            "x-sdk-date": "20261121T120000Z",
            "content-length": str(len(request.body)),
            "user-agent": "slack-bulk-sms",
            "accept": "*/*",
            "accept-encoding": sent["accept-encoding"],
        }


STANDS = [HuaweiStand]


class Callback:
    """Where receipts arrive, as they come."""

    def __init__(self) -> None:
        self.url = ""
        self._requests: asyncio.Queue[ReceiptsRequest] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self._requests.put_nowait(ReceiptsRequest(request.method, headers, dict(request.query), body))
        return web.Response(text="OK")

    async def read(self, carrier: Carrier, count: int) -> list[Receipt]:
        """Waits for that many callbacks."""
        async with asyncio.timeout(5):
            requests = [await self._requests.get() for _ in range(count)]
        return [receipt for request in requests for receipt in carrier.read_receipts(request)]


@asynccontextmanager
async def listening(callback: Callback) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/receipts", callback.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    callback.url = f"http://127.0.0.1:{runner.addresses[0][1]}/receipts"
    yield
    await runner.cleanup()


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    taken = Callback()
    async with listening(taken):
        yield taken


@pytest.fixture(params=STANDS, ids=lambda made: made.__name__.removesuffix("Stand").lower())
async def stand(request: pytest.FixtureRequest, callback: Callback) -> AsyncIterator[Stand]:
    made: Stand = request.param()
    await made.start(callback.url)
    yield made
    await made.stop()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(connect_seconds=1.0, read_seconds=0.3)
    yield client
    await client.close()


async def failure(carrier: Carrier, submission: Submission) -> CarrierError:
    with pytest.raises(CarrierError) as raised:
        await carrier.submit(submission)
    return raised.value


async def test_every_number_is_accepted_with_an_id_of_its_own(stand: Stand, http: Http) -> None:
    answer = await stand.carrier(http).submit(stand.submission(*GOOD))
    assert answer.outcomes.keys() == set(GOOD)
    assert all(outcome.accepted and outcome.segments == 1 for outcome in answer.outcomes.values())
    assert len({outcome.sms_id for outcome in answer.outcomes.values()}) == len(GOOD)
    assert sorted(stand.accepted()) == [(number, "42.7") for number in GOOD]


async def test_the_bytes_sent_are_the_ones_documented(stand: Stand, http: Http) -> None:
    await stand.carrier(http).submit(stand.submission(*GOOD[:2]))
    stand.assert_exact_request()


async def test_a_full_request_is_accepted(stand: Stand, http: Http) -> None:
    carrier = stand.carrier(http)
    numbers = [8613811110100 + step for step in range(carrier.max_numbers)]
    answer = await carrier.submit(stand.submission(*numbers))
    assert answer.outcomes.keys() == set(numbers)


async def test_one_refused_number_leaves_the_others_accepted(stand: Stand, http: Http) -> None:
    answer = await stand.carrier(http).submit(stand.submission(GOOD[0], stand.refused_number, GOOD[1]))
    refused = answer.outcomes[stand.refused_number]
    assert (refused.accepted, refused.sms_id, bool(refused.code)) == (False, None, True)
    assert all(answer.outcomes[number].accepted for number in GOOD[:2])
    assert [number for number, _ in stand.accepted()] == list(GOOD[:2])


async def test_a_wrong_template_refuses_every_number(stand: Stand, http: Http) -> None:
    answer = await stand.carrier(http).submit(stand.submission(*GOOD, template="no-such-template"))
    assert [answer.outcomes[number].accepted for number in GOOD] == [False] * 3
    assert stand.accepted() == []


async def test_wrong_credentials_refuse_the_whole_request(stand: Stand, http: Http) -> None:
    error = await failure(stand.carrier(http, secret="wrong"), stand.submission(*GOOD))
    assert type(error) is RequestRefused
    assert stand.accepted() == []


async def test_a_slow_down_takes_nothing_and_says_how_long(stand: Stand, http: Http) -> None:
    stand.inject("http_429", seconds=2)
    error = await failure(stand.carrier(http), stand.submission(*GOOD))
    assert isinstance(error, NotTaken)
    assert error.retry_after_seconds == 2
    assert stand.accepted() == []
    assert (await stand.carrier(http).submit(stand.submission(*GOOD))).outcomes.keys() == set(GOOD)


async def test_a_refused_connection_takes_nothing(stand: Stand, http: Http) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = await failure(stand.carrier(http, url=url), stand.submission(*GOOD))
    assert type(error) is NotTaken


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("timeout_after", True),
        ("reset_after", True),
        ("garbage", True),
        ("half", True),
        ("reset_before", False),
        ("http_500", False),
    ],
)
async def test_without_a_readable_answer_nobody_knows(stand: Stand, http: Http, kind: str, taken: bool) -> None:
    stand.inject(kind)
    error = await failure(stand.carrier(http), stand.submission(*GOOD))
    assert type(error) is Unanswered
    assert len(stand.accepted()) == (len(GOOD) if taken else 0)


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "garbage", "half"])
async def test_receipts_still_name_number_and_reference_of_what_was_never_answered(
    stand: Stand, http: Http, callback: Callback, kind: str
) -> None:
    stand.inject(kind)
    carrier = stand.carrier(http)
    await failure(carrier, stand.submission(*GOOD))
    receipts = await callback.read(carrier, len(GOOD))
    assert {(receipt.number, receipt.reference, receipt.status) for receipt in receipts} == {
        (number, "42.7", "delivered") for number in GOOD
    }


async def test_a_receipt_carries_the_id_of_the_answer(stand: Stand, http: Http, callback: Callback) -> None:
    carrier = stand.carrier(http)
    answer = await carrier.submit(stand.submission(*GOOD))
    for receipt in await callback.read(carrier, len(GOOD)):
        assert receipt.number is not None
        assert receipt.sms_id == answer.outcomes[receipt.number].sms_id
        assert (receipt.sequence, receipt.total) == (1, 1)
        assert receipt.at is not None
        assert receipt.at.tzinfo is UTC


async def test_requests_that_run_at_once_do_not_mix(stand: Stand, http: Http) -> None:
    carrier = stand.carrier(http)
    batches = [[8613811120100 + 50 * batch + step for step in range(50)] for batch in range(12)]
    answers = await asyncio.gather(*(carrier.submit(stand.submission(*numbers)) for numbers in batches))
    assert [set(answer.outcomes) for answer in answers] == [set(numbers) for numbers in batches]


async def test_no_error_tells_a_secret(stand: Stand, http: Http) -> None:
    for kind in ("http_429", "http_500", "reset_before", "garbage", "timeout_after"):
        stand.inject(kind)
        error = await failure(stand.carrier(http, secret="hush-hush"), stand.submission(*GOOD))
        assert not re.search("hush", f"{error!r} {error.reason}")
