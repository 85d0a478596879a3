"""A thousand messages through a real Kannel, with every receipt; the bot's own parts, and no stand-in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot.receipt_writer import ReceiptWriter
from bot.web import ReceiptsAddress, make_web_app
from services.carriers.http import Http
from services.carriers.kannel import Kannel
from services.carriers.ports import Submission
from services.content import ApplicationDeclaration, TemplateDeclaration
from services.database import Database
from services.dispatch import Dispatch, Sender
from services.errors import NotTaken, RequestRefused
from services.rate import RateLimit
from services.states import Region, SmsType
from services.task_reports import Task
from tests.contract.callback import Callback, listening
from tests.e2e.kannel import MAX_MESSAGES, PASSWORD, SENDER, USERNAME, RealKannel, missing
from tests.services.audit import check_every_task
from tests.services.builders import Marketing
from tests.services.fakes import FakeClock

pytestmark = pytest.mark.e2e

EACH = 200
# What arrives, and as how many segments.
TEXTS = {
    "plain": ("Doors open at 9 + free coffee & cake: 50% off, ~today~ only [ask us] @ 3 €.", 1),
    "chinese": ("春季营业时间：每天 08:00–22:00。我们在老地方等您。", 1),
    "emoji": ("Spring 🌱 is here 🎉 see you at 9 + bring a friend 👨‍👩‍👧", 1),
    # The first segment ends between the two units of an emoji.
    "long": ("字" * 66 + "🌱" + "今天全场饮品第二杯半价，到店即享。" * 5, 3),
    "long plain": ("All of this week's offers, in one message. " * 8, 3),
}
ANSWERS = [
    ("8613800000009", "text", "STOP", "STOP"),
    ("+8613800000010", "text", "a+b and 100% & more", "a+b and 100% & more"),
    ("8613800000011", "text", "café", "café"),
    ("8613800000012", "ucs2", "%90%00%8B%A2", "退订"),
    ("8613800000013", "ucs2", "%D8%3C%DF%31", "🌱"),
]
TELEGRAM = Submission("1.1", [8613800000001], SENDER, "", "x")


class Today(FakeClock):
    """The real time: retries must come."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if absent := missing():
        reason = f"Debian's packages kannel and kannel-extras are not installed: no {', '.join(absent)}"
        if os.environ.get("REQUIRE_KANNEL"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
async def kannel(tmp_path: Path) -> AsyncIterator[RealKannel]:
    real = RealKannel(tmp_path)
    try:
        await real.start()
        yield real
    finally:
        await real.stop()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http()
    yield client
    await client.close()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    made.migrate()
    return made


def carrier(kannel: RealKannel, http: Http, rate: RateLimit, password: str = PASSWORD) -> Kannel:
    return Kannel(
        url=kannel.url,
        username=USERNAME,
        password=password,
        http=http,
        clock=Today(),
        pace=rate.acquire,
        sender=SENDER,
        max_messages=MAX_MESSAGES,
    )


async def test_a_thousand_messages_arrive_whole_and_every_receipt_comes(
    kannel: RealKannel, http: Http, database: Database
) -> None:
    templates = [TemplateDeclaration(name, "", SmsType.NOTIFICATION, text) for name, (text, _) in TEXTS.items()]
    application = ApplicationDeclaration("operator", "kannel", Region.INTERNATIONAL, (), templates)
    marketing = Marketing(database, clock=Today(), applications=[application])
    rate = RateLimit(1000)
    sends_by = carrier(kannel, http, rate)
    with ThreadPoolExecutor(1) as sending, ThreadPoolExecutor(1) as receiving:
        address = ReceiptsAddress(marketing.application_id, "token", sends_by)
        app = make_web_app({address.application_id: address}, ReceiptWriter(marketing.receipts, receiving), None)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receipts_url = f"http://127.0.0.1:{runner.addresses[0][1]}{address.path}"
        sender = Sender(marketing.application_id, sends_by, rate, receipts_url)
        dispatch = marketing.a_dispatch(sender, executor=sending)
        tasks, expected = confirmed(marketing)
        await send_until_reported(dispatch, marketing, tasks)
        await runner.cleanup()
    assert kannel.received() == expected
    assert kannel.segments() == sum(EACH * segments for _, segments in TEXTS.values())
    for task in map(marketing.task, tasks):
        counts = (task.accepted, task.delivered, task.failed, task.refused, task.unknown)
        assert counts == (EACH, EACH, 0, 0, 0)
    check_every_task(database)
    database.close()


def confirmed(marketing: Marketing) -> tuple[list[Task], dict[str, str]]:
    """A task for each text, and what is to arrive at each number."""
    tasks, expected = [], {}
    for place, (name, (text, _)) in enumerate(TEXTS.items()):
        numbers = [85260000000 + EACH * place + step for step in range(EACH)]
        marketing.a_group(name, numbers)
        tasks.append(marketing.confirmed(marketing.a_draft([name], name)))
        expected.update({f"+{number}": text for number in numbers})
    return tasks, expected


async def send_until_reported(dispatch: Dispatch, marketing: Marketing, tasks: list[Task]) -> None:
    running = asyncio.create_task(dispatch.run())
    try:
        async with asyncio.timeout(60):
            while not all(marketing.task(task).is_settled for task in tasks):
                await asyncio.sleep(0.2)
                await asyncio.to_thread(marketing.receipts.apply)
    finally:
        dispatch.stop()
        await running


async def test_wrong_credentials_are_refused_whole(kannel: RealKannel, http: Http) -> None:
    with pytest.raises(RequestRefused, match=r"^Authorization failed for sendsms: the credentials are wrong"):
        await carrier(kannel, http, RateLimit(1000), password="wrong").submit(TELEGRAM)


async def test_a_text_that_kannel_would_cut_never_leaves(kannel: RealKannel, http: Http) -> None:
    too_long = Submission("1.1", [8613800000001], SENDER, "", "字" * (MAX_MESSAGES * 67 + 1))
    with pytest.raises(RequestRefused, match=r"^text_too_long"):
        await carrier(kannel, http, RateLimit(1000)).submit(too_long)
    assert kannel.received() == {}


async def test_a_number_kannel_does_not_take_is_refused_alone(kannel: RealKannel, http: Http) -> None:
    answer = await carrier(kannel, http, RateLimit(1000)).submit(
        Submission("1.1", [8613800000001, 99911112222, 8613800000002], SENDER, "", "x")
    )
    assert {number: (outcome.accepted, outcome.code) for number, outcome in answer.outcomes.items()} == {
        8613800000001: (True, "0"),
        8613800000002: (True, "0"),
        99911112222: (False, "Number(s) has/have been denied by white- and/or black-lists."),
    }


async def test_without_kannel_nothing_is_taken(kannel: RealKannel, http: Http) -> None:
    await kannel.stop()
    with pytest.raises(NotTaken, match=r"^connection_refused"):
        await carrier(kannel, http, RateLimit(1000)).submit(TELEGRAM)


async def test_what_people_answer_is_read_with_every_character(http: Http, tmp_path: Path) -> None:
    callback = Callback()
    async with listening(callback):
        # As docs/carriers/kannel.md says.
        query = "from=%p&to=%P&text=%a&charset=%C&coding=%c&ts=%T&id=%I"
        kannel = RealKannel(tmp_path, f"{callback.replies_url}?{query}")
        try:
            await kannel.start()
            reads = carrier(kannel, http, RateLimit(1000))
            ids = set()
            for number, kind, content, text in ANSWERS:
                await kannel.answer(number, kind, content)
                (reply,) = reads.read_replies(await callback.next())
                assert (reply.number, reply.text, reply.opts_out) == (int(number), text, None)
                assert reply.at is not None
                ids.add(reply.sms_id)
            assert len(ids - {""}) == len(ANSWERS)
        finally:
            await kannel.stop()
