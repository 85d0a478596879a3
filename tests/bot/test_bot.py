"""The whole program in this process: what keeps it from starting, and that nothing of it stays behind."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncBoltRequest
from structlog.testing import capture_logs

from bot.bad_config import BadConfig
from bot.config import read_config
from bot.web import receipts_path, replies_path
from bot.wiring import Bot
from sandbox.carriers.huawei import HuaweiSandbox
from sandbox.slack.server import SlackSandbox
from services.clock import SystemClock
from services.content import Content
from services.database import DatabaseUnavailable
from services.opt_outs import OptOuts
from services.unread_callbacks import UnreadCallbacks
from tests.bot.settings import WHOLE, environment, with_failover
from tests.bot.workplace import MANIFEST, PATIENT
from tests.sandbox.people import until


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(MANIFEST, timings=PATIENT)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


def threads() -> set[str]:
    """The bot's own threads."""
    ours = ("dispatch", "receipts", "handler", "import")
    return {each.name for each in threading.enumerate() if each.name.startswith(ours)}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"SLACK_BOT_TOKEN": "xoxb-wrong"},
            "Slack refuses SLACK_BOT_TOKEN: invalid_auth (docs/slack.md says how to get one).",
            id="bot token",
        ),
        pytest.param(
            {"SLACK_APP_TOKEN": "xapp-wrong"},
            "Slack refuses SLACK_APP_TOKEN: invalid_auth. It needs the scope connections:write.",
            id="app token",
        ),
        pytest.param(
            {"SLACK_API_URL": "http://127.0.0.1:9/api/"},
            "SLACK_API_URL: http://127.0.0.1:9/api/ does not answer: ",
            id="no Slack",
        ),
        pytest.param(
            {"toml": WHOLE.replace("carrier =", 'workspace = "T1"\ncarrier =')},
            "No application belongs to workspace T0SANDBOX: correct `workspace` or leave it out.",
            id="another workspace",
        ),
    ],
)
async def test_what_keeps_it_from_starting_is_one_sentence(
    changes: dict[str, Any], sentence: str, slack: SlackSandbox, tmp_path: Path
) -> None:
    config = read_config(environment(tmp_path, **{"SLACK_API_URL": slack.api_url, **changes}))
    with pytest.raises(BadConfig) as raised:
        await Bot(config).start()
    assert str(raised.value).startswith(sentence)
    assert str(raised.value).endswith(".")
    assert threads() == set()


async def test_a_port_in_use_is_named(slack: SlackSandbox, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = read_config(environment(tmp_path, SLACK_API_URL=slack.api_url, HTTP_PORT=str(port)))
        with pytest.raises(BadConfig, match=f"HTTP_PORT: cannot listen on 127.0.0.1:{port}: "):
            await Bot(config).start()


async def test_a_database_that_cannot_be_opened_is_named(slack: SlackSandbox, tmp_path: Path) -> None:
    given = environment(tmp_path, SLACK_API_URL=slack.api_url, DATABASE_URL="sqlite:////nowhere/sms.db")
    with pytest.raises(DatabaseUnavailable):
        await Bot(read_config(given)).start()


async def test_it_starts_and_stops_and_starts_again(
    slack: SlackSandbox, carrier: HuaweiSandbox, tmp_path: Path
) -> None:
    toml = WHOLE.replace("http://127.0.0.1:9", carrier.url)
    config = read_config(environment(tmp_path, toml, SLACK_API_URL=slack.api_url))
    for _ in range(2):
        bot = Bot(config)
        await bot.start()
        assert slack.connected
        await bot.stop()
        await until(lambda: not slack.connected, 20)
        assert threads() == set()


async def test_a_callback_that_cannot_be_read_is_kept_by_the_running_bot(
    slack: SlackSandbox, carrier: HuaweiSandbox, tmp_path: Path
) -> None:
    toml = WHOLE.replace("http://127.0.0.1:9", carrier.url)
    bot = Bot(read_config(environment(tmp_path, toml, SLACK_API_URL=slack.api_url)))
    await bot.start()
    try:
        ((_, _, known),) = Content(bot._database).declared()
        address = f"http://127.0.0.1:{bot.http_port}{receipts_path(known.id, known.receipts_token)}"
        async with aiohttp.ClientSession() as session, session.post(address, data=b"{}") as response:
            assert response.status == 200
        kept = UnreadCallbacks(bot._database, SystemClock()).kept()
        assert [(each.application, each.body) for each in kept] == [("promo-cn", "{}")]
    finally:
        await bot.stop()


async def test_who_answers_stop_is_put_on_the_list_by_the_running_bot(
    slack: SlackSandbox, carrier: HuaweiSandbox, tmp_path: Path
) -> None:
    toml = WHOLE.replace("http://127.0.0.1:9", carrier.url)
    bot = Bot(read_config(environment(tmp_path, toml, SLACK_API_URL=slack.api_url)))
    await bot.start()
    try:
        ((workspace, _, known),) = Content(bot._database).declared()
        opt_outs = OptOuts(bot._database, SystemClock())
        carrier.reply_callback = f"http://127.0.0.1:{bot.http_port}{replies_path(known.id, known.receipts_token)}"
        carrier.reply("8613800000001", "thanks")
        carrier.reply("8613800000002", "退订")
        await until(lambda: opt_outs.count(workspace) > 0, 10)
        assert [each.number for each in opt_outs.rows(workspace)] == [8613800000002]
    finally:
        await bot.stop()


async def test_bolts_warnings_do_not_tell_what_people_sent(
    slack: SlackSandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bolt = logging.getLogger("slack_bolt")
    before, bolt.level = bolt.level, logging.ERROR
    app = Bot(read_config(environment(tmp_path, SLACK_API_URL=slack.api_url)))._make_app()
    body = {"type": "block_actions", "actions": [{"action_id": "gone", "value": "13812345678"}], "team": {"id": "T1"}}
    with caplog.at_level(logging.INFO):
        response = await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
    bolt.level = before
    assert response.status == 404
    assert "13812345678" not in caplog.text


async def test_what_a_failover_cannot_take_over_is_logged_at_the_start(slack: SlackSandbox, tmp_path: Path) -> None:
    toml = with_failover(WHOLE, "We open at ten.")
    bot = Bot(read_config(environment(tmp_path, toml, SLACK_API_URL=slack.api_url)))
    with capture_logs() as logs:
        await bot.start()
    await bot.stop()
    (warned,) = [each for each in logs if each["event"] == "failover.lacks"]
    assert (warned["application"], warned["failover"]) == ("promo-cn", "second")
    assert warned["cannot_take_over"] == ["spring: its template has another text"]
