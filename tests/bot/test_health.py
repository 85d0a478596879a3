"""What a probe is told: alive, ready or why not, and figures; over real HTTP."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot import health
from bot.config import read_config
from bot.health import Health, Verdict, database_part, ticks_verdict
from bot.metrics import Metrics
from bot.scheduler import TickAge
from bot.web import make_web_app, signs_of_life
from bot.wiring import Bot
from sandbox.slack.server import SlackSandbox
from services.database import Database
from tests.bot.settings import environment
from tests.bot.workplace import MANIFEST, PATIENT
from tests.sandbox.people import until

Answer = tuple[int, dict[str, Any]]


class Part:
    """Says what the test wants, and counts how often it was asked."""

    def __init__(self, name: str, verdict: Verdict) -> None:
        self.name = name
        self.verdict = verdict
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> Mapping[str, Verdict]:
        self.asked += 1
        await self.answers.wait()
        return {self.name: self.verdict}


@asynccontextmanager
async def served(asked: Health) -> AsyncIterator[str]:
    nobody: Any = None
    app = make_web_app({}, nobody, None, signs=signs_of_life(asked, Metrics()))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
    await asked.stop()


async def get(url: str) -> Answer:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def test_alive_is_whoever_answers_and_ready_is_whose_every_part_is() -> None:
    database, slack = Part("database", Verdict(True)), Part("slack", Verdict(False, "not connected"))
    async with served(Health({"database": database, "slack": slack})) as url:
        assert await get(f"{url}/healthz") == (200, {"live": True})
        told = {"ready": False, "parts": {"database": {"ok": True}, "slack": {"ok": False, "why": "not connected"}}}
        assert await get(f"{url}/readyz") == (503, told)
        assert await get(f"{url}/healthz?ready=1") == (503, told)


async def test_the_verdict_is_asked_for_again_once_it_is_a_second_old() -> None:
    seconds = [100.0]
    part = Part("slack", Verdict(False, "not connected"))
    asked = Health({"slack": part}, lambda: seconds[0])
    assert not (await asked.ready()).ok
    part.verdict = Verdict(True)
    seconds[0] += health.KEPT_SECONDS - 0.1
    assert not (await asked.ready()).ok
    seconds[0] += 0.2
    assert (await asked.ready()).ok
    assert part.asked == 2


async def test_a_part_that_hangs_is_not_ready_and_not_asked_again_meanwhile() -> None:
    seconds = itertools.count(0.0, health.KEPT_SECONDS)
    part = Part("database", Verdict(True))
    part.answers.clear()
    asked = Health({"database": part}, lambda: next(seconds), answer_seconds=0.05)
    for _ in range(3):
        assert (await asked.ready()).parts == {"database": Verdict(False, "no answer in 0 s")}
    assert part.asked == 1
    part.answers.set()
    assert (await asked.ready()).ok
    await asked.stop()


async def test_a_part_that_fails_is_not_ready() -> None:
    async def broken() -> Mapping[str, Verdict]:
        raise ZeroDivisionError

    assert (await Health({"slack": broken}).ready()).parts == {"slack": Verdict(False, "ZeroDivisionError")}


@pytest.mark.parametrize(
    ("ages", "verdict"),
    [
        pytest.param([], Verdict(False, "not started"), id="before the start"),
        pytest.param([TickAge("quick", 0.5, 59.0), TickAge("hourly", 3600, 10_000.0)], Verdict(True), id="all run"),
        pytest.param(
            [TickAge("quick", 0.5, 61.0), TickAge("other", 0.5, 0.1)],
            Verdict(False, "not ended well: quick for 61 s"),
            id="a quick one is stuck",
        ),
        pytest.param(
            [TickAge("hourly", 3600, 10_801.0)],
            Verdict(False, "not ended well: hourly for 10801 s"),
            id="an hourly one",
        ),
    ],
)
def test_a_tick_is_stuck_after_a_few_intervals_and_a_minute(ages: list[TickAge], verdict: Verdict) -> None:
    assert ticks_verdict(ages) == verdict


async def test_the_database_part_tells_the_database_from_its_schema(sqlite: Database, tmp_path: Path) -> None:
    assert await database_part(sqlite)() == {"database": Verdict(True), "schema": Verdict(True)}
    away = Database("sqlite:////nowhere/sms.db")
    assert await database_part(away)() == {"database": Verdict(False, "it cannot be opened")}
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    found = await database_part(empty)()
    assert found["database"] == Verdict(True)
    assert found["schema"].why is not None
    assert found["schema"].why.startswith("it is missing, needed is ")
    empty.close()


async def test_a_whole_bot_is_ready_while_slack_reaches_it(tmp_path: Path) -> None:
    slack = SlackSandbox(MANIFEST, timings=PATIENT)
    await slack.start()
    bot = Bot(read_config(environment(tmp_path, SLACK_API_URL=slack.api_url, HTTP_PORT="0")))
    await bot.start()
    url = f"http://127.0.0.1:{bot.http_port}"
    try:
        ready = {"ready": True, "parts": {part: {"ok": True} for part in ("database", "schema", "slack", "ticks")}}
        assert await get(f"{url}/readyz") == (200, ready)
        await slack.stop()

        async def has_noticed() -> bool:
            return (await get(f"{url}/readyz"))[0] == 503

        async with asyncio.timeout(20):
            while not await has_noticed():  # noqa: ASYNC110 - a probe can only ask again
                await asyncio.sleep(0.1)
        _, told = await get(f"{url}/readyz")
        assert told["parts"]["slack"] == {"ok": False, "why": "not connected"}
    finally:
        await bot.stop()
    await until(lambda: not any(each.name.startswith("dispatch") for each in threading.enumerate()), 10)
