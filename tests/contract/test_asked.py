"""Carriers that can be asked what became of messages, through dispatch and the inbox: what was lost is found, and
nothing is believed that is not provably about a message of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.receipt_puller import ReceiptPuller
from bot.receipt_writer import ReceiptWriter
from sandbox.carriers.server import CarrierSandbox
from sandbox.carriers.tencent import TencentSandbox
from sandbox.carriers.twilio import TwilioSandbox
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.kannel import Kannel
from services.carriers.ports import PullsReceipts, Receipt, Unsettled
from services.carriers.tencent import Tencent
from services.carriers.twilio import Twilio
from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.dispatch import Sender
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered
from services.pool import Fate
from services.rate import RateLimit
from services.settling import ASKED_AFTER, Settling
from services.states import Region, SmsType
from services.task_messages import MessagePlace, TaskMessages
from services.task_reports import Task
from tests.contract.stands import GOOD, STANDS, TencentStand, TwilioStand, at_once
from tests.services.audit import check_every_task
from tests.services.builders import Marketing
from tests.services.fakes import FakeClock

NUMBERS = [8613811110100 + step for step in range(6)]
FAILS, SILENT = 8613811110001, 8613811110004
SPRING = TemplateDeclaration("spring", "1", SmsType.NOTIFICATION, "Hello.", "Shop")
APPLICATION = ApplicationDeclaration("app", "any", Region.MAINLAND, (SignatureDeclaration("Shop", "Shop"),), (SPRING,))


class Office:
    """One application at a stand-in, its sends, and a person who lets time pass."""

    def __init__(self, sandbox: CarrierSandbox, carrier: Any, database: Database, clock: FakeClock) -> None:
        self.sandbox, self.carrier, self.clock = sandbox, carrier, clock
        workspace = type(sandbox).__name__
        self.marketing = Marketing(database, workspace_id=workspace, clock=clock, applications=[APPLICATION])
        self.threads = ThreadPoolExecutor(1)
        writer = ReceiptWriter(self.marketing.receipts, self.threads)
        pulled = {self.marketing.application_id: carrier}
        self.puller = ReceiptPuller(Settling(database, clock), writer, pulled, clock)

    async def send(self, *numbers: int) -> Task:
        self.marketing.a_group("vip", numbers)
        task = self.marketing.confirmed(self.marketing.a_draft())
        sender = Sender(self.marketing.application_id, self.carrier, RateLimit(1e6), "http://127.0.0.1:9/receipts")
        dispatch = self.marketing.a_dispatch(sender)
        while claim := dispatch.claim(sender):
            await dispatch.send_batch(claim, sender)
        return task

    async def ask(self, after: timedelta = ASKED_AFTER + timedelta(minutes=1)) -> None:
        self.clock.move(after)
        await asyncio.sleep(0.06)
        await self.puller.tick()
        self.marketing.receipts.apply()
        check_every_task(self.marketing.database)

    async def until(self, task: Task, counts: tuple[int, int, int]) -> None:
        """Waits for what is being asked."""
        async with asyncio.timeout(20):
            while self.counts(task) != counts:
                await asyncio.sleep(0.02)
                self.marketing.receipts.apply()

    def failed(self, task: Task) -> list[tuple[int, str]]:
        page = TaskMessages(self.marketing.database).page(task, MessagePlace(), len(NUMBERS) * 2)
        return [(message.number, message.code) for message in page.messages if message.fate is Fate.FAILED]

    def counts(self, task: Task) -> tuple[int, int, int]:
        now = self.marketing.task(task)
        return now.delivered, now.failed, now.unknown


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC))


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(connect_seconds=1.0, read_seconds=0.3)
    yield client
    await client.close()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    made.migrate()
    return made


@pytest.fixture
async def tencent(http: Http, database: Database, clock: FakeClock) -> AsyncIterator[Office]:
    sandbox = TencentSandbox(receipt_delay=(0.0, 0.05), now=clock.now)
    async for office in open_office(sandbox, database, clock, lambda: tencent_carrier(sandbox, http, clock)):
        yield office


def tencent_carrier(sandbox: CarrierSandbox, http: Http, clock: FakeClock, *, pull: bool = False) -> Tencent:
    return Tencent(
        secret_id="AKIDdemo",
        secret_key="demo-secret",
        sdk_app_id="1400000001",
        http=http,
        clock=clock,
        pace=at_once,
        endpoint=sandbox.url,
        pull_receipts=pull,
    )


@pytest.fixture
async def twilio(http: Http, database: Database, clock: FakeClock) -> AsyncIterator[Office]:
    sandbox = TwilioSandbox(account_sid="AC1", receipt_delay=(0.0, 0.05), now=clock.now)

    def carrier() -> Twilio:
        return Twilio(
            account_sid="AC1",
            auth_token="demo-token",
            http=http,
            clock=clock,
            pace=at_once,
            sender="+1",
            endpoint=sandbox.url,
        )

    async for office in open_office(sandbox, database, clock, carrier):
        yield office


async def open_office(sandbox: CarrierSandbox, database: Database, clock: FakeClock, carrier: Any) -> Any:
    await sandbox.start()
    office = Office(sandbox, carrier(), database, clock)
    yield office
    office.threads.shutdown()
    database.close()
    await sandbox.stop()


async def pull(carrier: PullsReceipts, *unsettled: Unsettled) -> list[Receipt]:
    return [receipt async for receipts in carrier.pull_receipts(unsettled) for receipt in receipts]


async def test_what_was_never_reported_is_found_by_asking(tencent: Office, twilio: Office) -> None:
    for office, code in ((tencent, "UNDELIV"), (twilio, "30008")):
        task = await office.send(*NUMBERS, FAILS, SILENT)
        await office.ask(after=timedelta(minutes=1))
        assert office.counts(task) == (0, 0, 8), "they are too young to be asked about"
        await office.ask()
        assert office.counts(task) == (6, 1, 1)
        assert office.failed(task) == [(FAILS, code)]


async def test_at_tencent_a_message_without_an_answer_is_found_by_the_reference_it_echoes(tencent: Office) -> None:
    tencent.sandbox._echoes_context = True  # type: ignore[attr-defined]
    tencent.sandbox.inject("garbage")
    task = await tencent.send(*NUMBERS)
    assert tencent.marketing.task(task).accepted == 0
    await tencent.ask()
    assert tencent.counts(task) == (6, 0, 0)


async def test_at_tencent_nothing_is_guessed_about_a_message_without_id_and_reference(tencent: Office) -> None:
    tencent.sandbox.inject("garbage")
    task = await tencent.send(*NUMBERS)
    await tencent.ask()
    assert tencent.counts(task) == (0, 0, 6), "the statuses may be of any message to these numbers"


async def test_at_twilio_a_message_without_an_answer_cannot_be_found(twilio: Office) -> None:
    twilio.sandbox.inject("garbage", len(NUMBERS))
    task = await twilio.send(*NUMBERS)
    await twilio.ask()
    assert twilio.counts(task) == (0, 0, 6)
    assert len(twilio.sandbox.requests) == 6, "there is nothing to ask with"


async def test_tencents_queue_is_emptied_where_it_is_enabled(http: Http, database: Database, clock: FakeClock) -> None:
    sandbox = TencentSandbox(receipt_delay=(0.0, 0.0), now=clock.now)
    sandbox.asked.queue_enabled = True
    made = open_office(sandbox, database, clock, lambda: tencent_carrier(sandbox, http, clock, pull=True))
    async for office in made:
        numbers = [8613811110100 + step for step in range(150)]
        task = await office.send(*numbers)
        await office.ask(after=timedelta(seconds=30))
        assert office.counts(task) == (150, 0, 0), "without waiting for the five minutes"
        asked_for = [request.headers["x-tc-action"] for request in sandbox.requests]
        assert asked_for == ["SendSms", "PullSmsSendStatus", "PullSmsSendStatus"]


async def test_what_came_before_trouble_is_not_lost(tencent: Office) -> None:
    task = await tencent.send(*NUMBERS)
    tencent.sandbox.inject("delay", seconds=0.0)
    tencent.sandbox.inject("http_500")
    await tencent.ask()
    assert tencent.counts(task) == (1, 0, 5)
    await tencent.ask(after=timedelta(minutes=11))
    assert tencent.counts(task) == (6, 0, 0)


@pytest.mark.parametrize("code", ["InvalidParameterValue.IncorrectPhoneNumber", "SomethingNew.Altogether"])
async def test_tencent_not_answering_about_one_number_leaves_the_others_asked_about(tencent: Office, code: str) -> None:
    task = await tencent.send(*NUMBERS)
    tencent.sandbox.asked.refuses[f"+{NUMBERS[0]}"] = code  # type: ignore[attr-defined]
    await tencent.ask()
    assert tencent.counts(task) == (5, 0, 1)


async def test_twilio_not_answering_about_one_message_leaves_the_others_asked_about(twilio: Office) -> None:
    task = await twilio.send(*NUMBERS)
    twilio.sandbox.refuses_lookups = {f"+{NUMBERS[0]}"}  # type: ignore[attr-defined]
    await twilio.ask()
    assert twilio.counts(task) == (5, 0, 1)


async def test_who_waits_for_its_rate_holds_up_no_other_and_no_tick(tencent: Office, twilio: Office) -> None:
    turns, has_turn = [1, 1], asyncio.Event()

    async def pace() -> None:
        if not turns:
            await has_turn.wait()
        else:
            turns.pop()

    slow, fast = await twilio.send(*NUMBERS), await tencent.send(*NUMBERS)
    twilio.carrier._pace = pace
    both = {office.marketing.application_id: office.carrier for office in (twilio, tencent)}
    settling, writer = Settling(tencent.marketing.database, tencent.clock), twilio.puller._writer
    tencent.puller = ReceiptPuller(settling, writer, both, tencent.clock, tick_seconds=0.05)
    await tencent.ask()
    await tencent.until(fast, (6, 0, 0))
    await twilio.until(slow, (2, 0, 4))
    has_turn.set()
    await twilio.until(slow, (6, 0, 0))
    looked_up = [request.target for request in twilio.sandbox.requests if "/Messages/" in request.target]
    assert len(looked_up) == len(set(looked_up)) == 6
    await tencent.puller.stop()


async def test_stopped_while_it_waits_nobody_is_asked_any_longer(twilio: Office) -> None:
    task = await twilio.send(*NUMBERS)
    twilio.carrier._pace = asyncio.Event().wait
    twilio.puller._tick_seconds = 0.05
    await twilio.ask()
    await twilio.puller.stop()
    assert twilio.counts(task) == (0, 0, 6)


async def test_a_carrier_that_does_not_answer_is_left_alone_for_a_while(tencent: Office) -> None:
    task = await tencent.send(*NUMBERS)
    tencent.sandbox.inject("http_500")
    await tencent.ask()
    asked = len(tencent.sandbox.requests)
    await tencent.ask(after=timedelta(minutes=5))
    assert len(tencent.sandbox.requests) == asked
    await tencent.ask(after=timedelta(minutes=6))
    assert tencent.counts(task) == (6, 0, 0)


@pytest.mark.parametrize("made", [TencentStand, TwilioStand])
@pytest.mark.parametrize(
    ("kind", "error"), [("http_429", NotTaken), ("garbage", Unanswered), ("timeout_after", Unanswered)]
)
async def test_asking_fails_as_any_request_does(
    made: type[TencentStand] | type[TwilioStand], http: Http, kind: str, error: type[CarrierError]
) -> None:
    stand = made()
    await stand.start("http://127.0.0.1:9")
    carrier = stand.carrier(http)
    assert isinstance(carrier, PullsReceipts)
    stand.sandbox.inject(kind)
    asked = Unsettled(GOOD[0], "SM" + "0" * 32, "42.7", datetime(2026, 11, 21, 12, tzinfo=UTC))
    with pytest.raises(error):
        await pull(carrier, asked)
    stand.sandbox.inject("delay", seconds=0.0)
    assert await pull(carrier, replace(asked, sms_id="SM" + "1" * 32)) == [], "nobody knows of it"
    await stand.sandbox.stop()


async def test_the_bytes_of_a_question_are_the_ones_documented(http: Http) -> None:
    tencent, twilio = TencentStand(), TwilioStand()
    asked = Unsettled(GOOD[0], "SM1", "42.7", datetime(2026, 11, 21, 11, tzinfo=UTC))
    for stand in (tencent, twilio):
        await stand.start("http://127.0.0.1:9")
        carrier = stand.carrier(http)
        assert isinstance(carrier, PullsReceipts)
        assert await pull(carrier, asked) == []
        await stand.sandbox.stop()
    (request,) = tencent.sandbox.requests
    # Ten minutes before it was handed over.
    assert request.body.decode() == (
        '{"BeginTime":1795258200,"Offset":0,"Limit":100,"PhoneNumber":"+8613811112222","SmsSdkAppId":"1400006666"}'
    )
    tencent.assert_signed(request, "PullSmsSendStatusByPhoneNumber")
    (request,) = twilio.sandbox.requests
    assert (request.target, request.body) == ("/2010-04-01/Accounts/AC1/Messages/SM1.json", b"")
    assert request.headers["authorization"] == "Basic QUMxOnNlY3JldC0x"


async def test_wrong_credentials_are_told(http: Http) -> None:
    for stand in (TencentStand(), TwilioStand()):
        await stand.start("http://127.0.0.1:9")
        carrier = stand.carrier(http, secret="wrong")
        assert isinstance(carrier, PullsReceipts)
        asked = Unsettled(GOOD[0], "SM1", "42.7", datetime(2026, 11, 21, 11, tzinfo=UTC))
        with pytest.raises((RequestRefused, Unanswered)):
            await pull(carrier, asked)
        await stand.sandbox.stop()


def test_only_those_that_can_be_asked_say_so() -> None:
    assert [issubclass(each, PullsReceipts) for each in (Tencent, Twilio, Huawei, Kannel)] == [True, True, False, False]
    assert len(STANDS) == 4
