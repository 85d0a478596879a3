"""Workspaces that install the app: their tokens are unreadable in the database, rotated in time, and forgotten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from slack_bolt.error import BoltError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.installations import Installations, States
from bot.token_cipher import TokenCipher, UnreadableTokens
from bot.workspaces import Home, NotInstalled, Workspaces
from services.database import Database

# Slack's own client still signs this call with a class of aiohttp that goes in its next version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

OLD_KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
TEAM, OTHER = "T0SPRING", "T0OTHER"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'sms.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    made = Database(url)
    made.migrate()
    yield made
    with made.write(everyone=True) as tx:
        for table in ("slack_bots", "slack_installations", "slack_oauth_states"):
            tx.exec_driver_sql(f"DELETE FROM {table}")
        tx.commit()
    made.close()


def installations(database: Database, *keys: str) -> Installations:
    return Installations(database, "1.2", TokenCipher(keys or (OLD_KEY,)))


def installed(team: str = TEAM, token: str = "xoxb-1", **more: Any) -> Installation:
    return Installation(
        app_id="A1", team_id=team, bot_token=token, bot_id="B1", bot_user_id="U0BOT", user_id="U0ANA", **more
    )


def everything_written(database: Database) -> str:
    with database.read(everyone=True) as connection:
        return "".join(
            str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            for table in ("slack_bots", "slack_installations")
        )


async def token(store: Installations, team: str = TEAM) -> str | None:
    bot = await store.async_find_bot(enterprise_id=None, team_id=team)
    return None if bot is None else bot.bot_token


async def test_a_token_is_kept_and_unreadable_in_the_database(database: Database) -> None:
    store = installations(database)
    await store.async_save(installed(token="xoxb-secret", user_token="xoxp-secret", bot_refresh_token="xoxe-secret"))
    assert await token(store) == "xoxb-secret"
    assert "secret" not in everything_written(database)


async def test_a_rotated_token_is_longer_and_fits(database: Database) -> None:
    store = installations(database)
    await store.async_save(installed(token="xoxe.xoxb-1-" + "M" * 300))
    assert await token(store) == "xoxe.xoxb-1-" + "M" * 300


async def test_a_new_key_in_front_still_reads_the_old_ones_tokens(database: Database) -> None:
    await installations(database, OLD_KEY).async_save(installed())
    both = installations(database, NEW_KEY, OLD_KEY)
    assert await token(both) == "xoxb-1"
    await both.async_save(installed(OTHER, "xoxb-2"))
    only_new = installations(database, NEW_KEY)
    assert await token(only_new, OTHER) == "xoxb-2"
    with pytest.raises(UnreadableTokens):
        await token(only_new)


async def test_a_workspace_in_an_organisation_is_found_by_its_team_alone(database: Database) -> None:
    store = installations(database)
    await store.async_save(installed(enterprise_id="E1"))
    assert await token(store) == "xoxb-1"
    with pytest.raises(BoltError):
        await store.async_save(installed(enterprise_id="E1", is_enterprise_install=True))


async def test_what_is_removed_is_gone(database: Database) -> None:
    store = installations(database)
    await store.async_save(installed())
    await store.async_save(installed(OTHER, "xoxb-2"))
    await store.async_delete_all(enterprise_id=None, team_id=TEAM)
    assert (await token(store), await token(store, OTHER)) == (None, "xoxb-2")
    assert TEAM not in everything_written(database)


async def test_a_state_is_good_once(database: Database) -> None:
    states = States(database)
    state = await states.async_issue()
    assert not await states.async_consume("another")
    assert await states.async_consume(state)
    assert not await states.async_consume(state)


class TokenExchange:
    """oauth.v2.access, as far as a refresh goes: each refresh token is good once."""

    def __init__(self) -> None:
        self.calls = 0
        self.good = {"xoxe-1"}
        # Answers once so many have asked; and who is refused is told so only then.
        self.together = asyncio.Barrier(1)
        self.refuse = asyncio.Event()
        self.refuse.set()

    async def answer(self, request: web.Request) -> web.Response:
        given = await request.post()
        self.calls += 1
        await self.together.wait()
        if given["refresh_token"] not in self.good:
            await self.refuse.wait()
            return web.json_response({"ok": False, "error": "invalid_refresh_token"})
        self.good = {f"xoxe-{self.calls + 1}"}
        return web.json_response(
            {
                "ok": True,
                "token_type": "bot",
                "access_token": f"xoxb-rotated-{self.calls}",
                "refresh_token": f"xoxe-{self.calls + 1}",
                "expires_in": 43200,
            }
        )


@pytest.fixture
async def exchange() -> AsyncIterator[tuple[TokenExchange, AsyncTokenRotator]]:
    slack = TokenExchange()
    app = web.Application()
    app.router.add_post("/api/oauth.v2.access", slack.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    client = AsyncWebClient(base_url=f"http://127.0.0.1:{port}/api/")
    yield slack, AsyncTokenRotator(client_id="1.2", client_secret="s", client=client)
    await runner.cleanup()


async def test_a_token_that_ends_soon_is_exchanged_once_and_kept(
    database: Database, exchange: tuple[TokenExchange, AsyncTokenRotator]
) -> None:
    slack, rotator = exchange
    store = installations(database)
    soon = int(time.time()) + 600
    await store.async_save(installed(bot_refresh_token="xoxe-1", bot_token_expires_at=soon))
    workspaces = Workspaces(None, store, rotator, lambda token: AsyncWebClient(token=token))
    assert (await workspaces.client(TEAM)).token == "xoxb-rotated-1"
    assert (await workspaces.client(TEAM)).token == "xoxb-rotated-1"
    assert slack.calls == 1
    assert await token(store) == "xoxb-rotated-1"


@pytest.mark.parametrize("seconds_left", [600, 0], ids=["still good", "ended"])
async def test_two_processes_that_exchange_a_token_at_once_both_have_one_that_is_good(
    database: Database, exchange: tuple[TokenExchange, AsyncTokenRotator], seconds_left: int
) -> None:
    slack, rotator = exchange
    slack.together = asyncio.Barrier(2)
    slack.refuse.clear()
    ends_at = int(time.time()) + seconds_left
    await installations(database).async_save(installed(bot_refresh_token="xoxe-1", bot_token_expires_at=ends_at))
    processes = [
        Workspaces(None, installations(database), rotator, lambda token: AsyncWebClient(token=token)) for _ in range(2)
    ]
    asked = {asyncio.create_task(each.token(TEAM)) for each in processes}
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    slack.refuse.set()
    assert await asyncio.gather(*asked) == ["xoxb-rotated-2"] * 2
    assert slack.calls == 2


async def test_a_refused_exchange_leaves_a_token_that_is_still_good(
    database: Database, exchange: tuple[TokenExchange, AsyncTokenRotator]
) -> None:
    """Another process may have made it, and not stored its result yet."""
    store = installations(database)
    soon = int(time.time()) + 600
    await store.async_save(installed(bot_refresh_token="xoxe-gone", bot_token_expires_at=soon))
    workspaces = Workspaces(None, store, exchange[1], lambda token: AsyncWebClient(token=token))
    assert await workspaces.token(TEAM) == "xoxb-1"


async def test_a_revoked_refresh_token_means_not_installed(
    database: Database, exchange: tuple[TokenExchange, AsyncTokenRotator]
) -> None:
    store = installations(database)
    await store.async_save(installed(bot_refresh_token="xoxe-gone", bot_token_expires_at=int(time.time())))
    with pytest.raises(NotInstalled):
        await Workspaces(None, store, exchange[1], lambda token: AsyncWebClient(token=token)).client(TEAM)


async def test_each_workspace_has_its_own_client(database: Database) -> None:
    store = installations(database)
    await store.async_save(installed(OTHER, "xoxb-2"))
    home = Home(TEAM, AsyncWebClient(token="xoxb-home"))
    workspaces = Workspaces(home, store, None, lambda token: AsyncWebClient(token=token))
    assert (await workspaces.client(TEAM)).token == "xoxb-home"
    assert (await workspaces.client(OTHER)).token == "xoxb-2"
    assert await workspaces.client(OTHER) is await workspaces.client(OTHER)
    await workspaces.forget(OTHER)
    with pytest.raises(NotInstalled):
        await workspaces.client(OTHER)


async def test_without_installations_there_is_the_one_of_the_settings() -> None:
    home = Home(TEAM, AsyncWebClient(token="xoxb-home"))
    workspaces = Workspaces(home, None, None, lambda token: AsyncWebClient(token=token))
    assert (await workspaces.client(TEAM)).token == "xoxb-home"
    with pytest.raises(NotInstalled):
        await workspaces.client(OTHER)


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        TokenCipher(["secret"])
