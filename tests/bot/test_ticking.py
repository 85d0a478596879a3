"""Which ticks each program has, as it tells Prometheus itself; and that the operators' page names the same."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.config import read_config, read_worker_config
from bot.wiring import Bot
from bot.worker import Worker
from sandbox.slack.server import SlackSandbox
from services.content import ApplicationDeclaration, Content
from services.database import Database
from services.states import Region
from tests.bot.settings import environment, without_slack
from tests.bot.workplace import MANIFEST, PATIENT

OPERATE = Path(__file__).parents[2] / "docs/operate.md"

# Each with its seconds.
OF_RUN = {
    "start_due": 0.25,
    "Receipts.keep_up": 0.5,
    "Posts.want_results": 1,
    "Posts.close_receipt_windows": 3600,
    "Dispatch.give_up_lost": 2,
    "Retention.tick": 60,
    "SendTasks.forget_drafts": 3600,
    "ReceiptPuller.tick": 30,
    "ImportRunner.tick": 0.5,
    "Announcer.tick": 0.5,
    "ContentSync.tick": 1,
    "SlackConnection.look": 5,
}
ON_POSTGRESQL = {"Dispatch.requeue_lost": 1}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(MANIFEST, timings=PATIENT)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def ticks_of(program: Bot | Worker) -> dict[str, float]:
    """The scheduler tells of its ticks once it is started."""
    await program.start()
    try:
        url = f"http://127.0.0.1:{program.http_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            told = re.findall(r'^sms_tick_interval_seconds\{tick="(.*)"\} (.*)$', await response.text(), re.MULTILINE)
    finally:
        await program.stop()
    return {name: float(seconds) for name, seconds in told}


async def test_run_ticks_with_all_there_is_to_be_done_again_and_again(slack: SlackSandbox, tmp_path: Path) -> None:
    assert await ticks_of(Bot(read_config(environment(tmp_path, SLACK_API_URL=slack.api_url)))) == OF_RUN


async def test_run_on_postgresql_also_puts_back_what_the_queue_has_lost(
    slack: SlackSandbox, postgresql: Database, postgresql_url: str, tmp_path: Path
) -> None:
    given = environment(tmp_path, SLACK_API_URL=slack.api_url, DATABASE_URL=postgresql_url)
    assert await ticks_of(Bot(read_config(given), sends=False)) == OF_RUN | ON_POSTGRESQL


async def test_a_worker_ticks_with_nothing(postgresql: Database, postgresql_url: str, tmp_path: Path) -> None:
    Content(postgresql).declare("T0SANDBOX", [ApplicationDeclaration("promo-cn", "huawei", Region.MAINLAND)])
    assert await ticks_of(Worker(read_worker_config(without_slack(tmp_path, DATABASE_URL=postgresql_url)))) == {}


def test_the_operators_page_tells_of_every_tick_what_stands_still_without_it() -> None:
    page = OPERATE.read_text("utf-8").partition("### SmsTickStuck\n")[2].partition("\n### ")[0]
    named = re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)
    assert sorted(named) == sorted(OF_RUN | ON_POSTGRESQL)
