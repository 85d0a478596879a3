"""Workspaces install the app through the bot's own HTTP, and each is answered with its own token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from sqlalchemy import select
from structlog.testing import capture_logs

from bot.config import read_config
from bot.oauth import BOT_SCOPES
from bot.wiring import Bot
from sandbox.slack.core import SIGNING_SECRET
from sandbox.slack.http_delivery import signature
from services.database import Database
from services.models import workspace
from tests.bot.settings import WHOLE, over_http
from tests.sandbox.people import until

# Slack's own client still signs this call with a class of aiohttp that goes in its next version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

SPRING, AUTUMN = "T0SPRING", "T0AUTUMN"
PUBLIC_URL = "https://sms.example.com"
KEY = Fernet.generate_key().decode()

UNINSTALLED = '{"type":"app_uninstalled"}'
REVOKED = '{"type":"tokens_revoked","tokens":{"oauth":[],"bot":["U0BOT"]}}'

Json = dict[str, Any]


@dataclass
class SlackOAuth:
    """Slack's side of an installation, and the few methods a command needs. `calls` are (method, token)."""

    url: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    said: list[Json] = field(default_factory=list)
    rotates: bool = False
    exchanged: int = 0

    async def exchange(self, request: web.Request) -> web.Response:
        given = await request.post()
        if given.get("grant_type") == "refresh_token":
            self.exchanged += 1
            return self._granted(str(given["refresh_token"]).rpartition("-")[2], f"-{self.exchanged}")
        team = str(given["code"]).removeprefix("code-")
        if team not in (SPRING, AUTUMN):
            return web.json_response({"ok": False, "error": "invalid_code"})
        return self._granted(team, "")

    def _granted(self, team: str, more: str) -> web.Response:
        answer: Json = {
            "ok": True,
            "app_id": "A1",
            "token_type": "bot",
            "access_token": f"xoxb-{team}{more}",
            "bot_user_id": "U0BOT",
            "scope": ",".join(BOT_SCOPES),
            "team": {"id": team, "name": team},
            "enterprise": None,
            "authed_user": {"id": "U0ANA"},
            "is_enterprise_install": False,
        }
        if self.rotates:
            # It ends within the two hours in which it is exchanged before it is used.
            answer |= {"refresh_token": f"xoxe-{team}", "expires_in": 600 if not more else 43_200}
        return web.json_response(answer)

    async def method(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        given = dict(await request.post())
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or str(given.get("token", ""))
        self.calls.append((name, token))
        answers: dict[str, Json] = {
            "auth.test": {"team_id": SPRING, "user_id": "U0BOT", "bot_id": "B1", "user": "sms", "team": "Spring"},
            "users.info": {"user": {"tz": "Europe/Madrid"}},
        }
        return web.json_response({"ok": True, **answers.get(name, {})})

    async def respond(self, request: web.Request) -> web.Response:
        self.said.append(await request.json())
        return web.Response(text="ok")


@pytest.fixture
async def slack() -> AsyncIterator[SlackOAuth]:
    made = SlackOAuth()
    app = web.Application()
    app.router.add_post("/api/oauth.v2.access", made.exchange)
    app.router.add_route("*", "/api/{name}", made.method)
    app.router.add_post("/respond", made.respond)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


class Visitor:
    """Somebody at the bot's own address, and Slack there."""

    def __init__(self, bot: Bot, slack: SlackOAuth, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{bot.http_port}"
        self.slack, self.session = slack, session

    async def begin(self) -> tuple[str, str]:
        """The state, and the cookie that goes with it."""
        async with self.session.get(f"{self.url}/slack/install", allow_redirects=False) as answer:
            assert answer.status == 302
            to = urlsplit(answer.headers["Location"])
            asked = parse_qs(to.query)
            assert f"{to.scheme}://{to.netloc}{to.path}" == f"{self.slack.url}/oauth/v2/authorize"
            assert set(asked["scope"][0].split(",")) == set(BOT_SCOPES)
            assert asked["redirect_uri"] == [f"{PUBLIC_URL}/slack/oauth_redirect"]
            # It is for HTTPS alone, so no client keeps it here.
            assert "Secure" in answer.headers["Set-Cookie"]
            return asked["state"][0], answer.headers["Set-Cookie"].partition(";")[0]

    async def come_back(self, team: str, state: str, cookie: str) -> int:
        asked = urlencode({"code": f"code-{team}", "state": state})
        async with self.session.get(f"{self.url}/slack/oauth_redirect?{asked}", headers={"Cookie": cookie}) as answer:
            return answer.status

    async def install(self, team: str) -> None:
        assert await self.come_back(team, *await self.begin()) == 200

    async def deliver(self, body: bytes, kind: str) -> int:
        """As Slack signs it."""
        stamp = str(int(time.time()))
        signed = {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature(SIGNING_SECRET, stamp, body),
            "Content-Type": kind,
        }
        async with self.session.post(f"{self.url}/slack/events", data=body, headers=signed) as answer:
            return answer.status

    async def type(self, team: str, command: str, text: str = "") -> int:
        fields = {
            "command": command,
            "text": text,
            "team_id": team,
            "user_id": "U0ANA",
            "channel_id": "C0MARKETING",
            "trigger_id": "1.2",
            "response_url": f"{self.slack.url}/respond",
        }
        return await self.deliver(urlencode(fields).encode(), "application/x-www-form-urlencoded")

    async def tell(self, team: str, event: str, seconds_ago: int = 0) -> int:
        body = (
            f'{{"type":"event_callback","team_id":"{team}","api_app_id":"A1","event_id":"Ev{time.time_ns()}",'
            f'"event_time":{int(time.time()) - seconds_ago},"event":{event}}}'
        )
        return await self.deliver(body.encode(), "application/json")


def settings(folder: Path, slack: SlackOAuth, **changes: str | None) -> dict[str, str]:
    """Two workspaces whose applications have one name."""
    spring = WHOLE.replace('name = "promo-cn"', f'name = "promo-cn"\nworkspace = "{SPRING}"')
    autumn = spring.replace(SPRING, AUTUMN).replace('name = "spring"', 'name = "fall"')
    given: dict[str, str | None] = {
        "SLACK_BOT_TOKEN": None,
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "secret",
        "SLACK_TOKEN_KEYS": KEY,
        "SLACK_API_URL": f"{slack.url}/api/",
        "PUBLIC_URL": PUBLIC_URL,
    }
    return over_http(folder, spring + autumn, **{**given, **changes})


@pytest.fixture
async def visitor(slack: SlackOAuth, tmp_path: Path) -> AsyncIterator[Visitor]:
    """The bot without a token of its own."""
    bot = Bot(read_config(settings(tmp_path, slack)))
    await bot.start()
    async with aiohttp.ClientSession() as session:
        yield Visitor(bot, slack, session)
    await bot.stop()


def tokens_used(slack: SlackOAuth, method: str = "users.info") -> list[str]:
    return [token for name, token in slack.calls if name == method]


async def test_each_workspace_is_answered_with_its_own_token(visitor: Visitor, slack: SlackOAuth) -> None:
    for team, template in ((SPRING, "spring"), (AUTUMN, "fall")):
        await visitor.install(team)
        slack.said.clear()
        assert await visitor.type(team, "/sms-templates") == 200
        await until(lambda: bool(slack.said), 10)
        assert template in str(slack.said[0])
        assert tokens_used(slack)[-1] == f"xoxb-{team}"


async def test_the_tokens_cannot_be_read_in_the_database(visitor: Visitor, tmp_path: Path) -> None:
    def files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("sms.db*"))

    await visitor.install(SPRING)
    written = await asyncio.to_thread(files)
    assert b"xoxb-" not in written
    assert SPRING.encode() in written


async def test_who_has_not_installed_it_is_not_served(visitor: Visitor, slack: SlackOAuth) -> None:
    assert await visitor.type(AUTUMN, "/sms-templates") == 200
    await until(lambda: bool(slack.said), 10)
    assert "reinstall this app" in slack.said[0]["text"]
    assert slack.calls == []


async def test_a_state_is_good_once_and_only_with_its_cookie(visitor: Visitor) -> None:
    state, cookie = await visitor.begin()
    assert await visitor.come_back(SPRING, "made-up", "slack-app-oauth-state=made-up") == 401
    assert await visitor.come_back(SPRING, state, "slack-app-oauth-state=another") == 400
    assert await visitor.come_back(SPRING, state, cookie) == 200
    assert await visitor.come_back(SPRING, state, cookie) == 401


async def test_what_slack_refuses_is_said(visitor: Visitor) -> None:
    assert await visitor.come_back("T0NOBODY", *await visitor.begin()) == 401


async def test_a_token_that_ends_is_exchanged_before_it_is_used(visitor: Visitor, slack: SlackOAuth) -> None:
    slack.rotates = True
    await visitor.install(SPRING)
    for _ in range(2):
        slack.said.clear()
        await visitor.type(SPRING, "/sms-templates")
        await until(lambda: bool(slack.said), 10)
    assert slack.exchanged == 1
    assert set(tokens_used(slack)) == {f"xoxb-{SPRING}-1"}


@pytest.mark.parametrize("event", [UNINSTALLED, REVOKED])
async def test_a_workspace_that_removes_it_is_forgotten_and_may_come_back(
    visitor: Visitor, slack: SlackOAuth, tmp_path: Path, event: str
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'sms.db'}")

    def is_removed(team: str = SPRING) -> bool:
        with database.read(team) as connection:
            query = select(workspace.c.removed_at).where(workspace.c.id == team)
            return connection.execute(query).scalar_one() is not None

    await visitor.install(SPRING)
    await visitor.install(AUTUMN)
    assert await visitor.tell(SPRING, event) == 200
    await until(is_removed, 10)
    assert not is_removed(AUTUMN)
    slack.calls.clear()
    await visitor.type(SPRING, "/sms-templates")
    await until(lambda: bool(slack.said), 10)
    assert "reinstall this app" in slack.said.pop()["text"]
    assert slack.calls == []
    await visitor.install(SPRING)
    assert not is_removed()
    await visitor.type(SPRING, "/sms-templates")
    await until(lambda: bool(slack.said), 10)
    database.close()


@pytest.mark.parametrize("event", [UNINSTALLED, REVOKED])
@pytest.mark.parametrize("home", [None, "xoxb-home"], ids=["installed", "token of the settings"])
async def test_a_removal_that_is_told_late_does_not_undo_a_new_installation(
    slack: SlackOAuth, tmp_path: Path, home: str | None, event: str
) -> None:
    bot = Bot(read_config(settings(tmp_path, slack, SLACK_BOT_TOKEN=home)))
    await bot.start()
    async with aiohttp.ClientSession() as session:
        visitor = Visitor(bot, slack, session)
        if home is None:
            await visitor.install(SPRING)
        with capture_logs() as logs:
            await visitor.tell(SPRING, event, seconds_ago=60)
            await until(lambda: any(each["event"] == "workspace.removal_is_old" for each in logs), 10)
        await visitor.type(SPRING, "/sms-templates")
        await until(lambda: bool(slack.said), 10)
    await bot.stop()
    assert tokens_used(slack) == [home or f"xoxb-{SPRING}"]


async def test_a_person_who_takes_their_own_token_back_changes_nothing(visitor: Visitor, slack: SlackOAuth) -> None:
    await visitor.install(SPRING)
    await visitor.tell(SPRING, '{"type":"tokens_revoked","tokens":{"oauth":["U0ANA"],"bot":[]}}')
    await visitor.type(SPRING, "/sms-templates")
    await until(lambda: bool(slack.said), 10)


async def test_a_token_in_the_settings_goes_beside_installations(slack: SlackOAuth, tmp_path: Path) -> None:
    bot = Bot(read_config(settings(tmp_path, slack, SLACK_BOT_TOKEN="xoxb-home")))
    await bot.start()
    async with aiohttp.ClientSession() as session:
        visitor = Visitor(bot, slack, session)
        await visitor.install(AUTUMN)
        for team, token in ((SPRING, "xoxb-home"), (AUTUMN, f"xoxb-{AUTUMN}")):
            slack.said.clear()
            await visitor.type(team, "/sms-templates")
            await until(lambda: bool(slack.said), 10)
            assert tokens_used(slack)[-1] == token
    await bot.stop()
