"""Slack's client for each workspace: the one whose token is in the settings, and all that have installed the app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import structlog
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.bad_config import BadConfig
from bot.environment import SlackSettings
from bot.installations import Installations
from bot.slack_calls import Counting, make_client

log = structlog.get_logger()

_GONE = {"invalid_refresh_token", "token_revoked", "account_inactive", "invalid_auth", "not_authed"}
# A token that ends sooner is exchanged before it is used; Slack's live twelve hours.
ROTATED_MINUTES_BEFORE = 120


class NotInstalled(Exception):
    """The workspace has not installed the app, or has removed it."""


@dataclass(frozen=True, slots=True)
class Home:
    """The workspace of SLACK_BOT_TOKEN, and who the bot is there."""

    team_id: str
    client: AsyncWebClient
    bot_id: str | None = None
    bot_user_id: str | None = None
    # When its token was seen to be good, in Unix seconds.
    since: float = 0.0


class Workspaces:
    """`make_client` makes a client of a token; it is kept for as long as the token stays the same."""

    def __init__(
        self,
        home: Home | None,
        installations: Installations | None,
        rotator: AsyncTokenRotator | None,
        make_client: Callable[[str], AsyncWebClient],
    ) -> None:
        self._home = home
        self._installations = installations
        self._rotator = rotator
        self._make_client = make_client
        self._clients: dict[str, AsyncWebClient] = {}
        self._rotating = asyncio.Lock()

    async def client(self, team_id: str) -> AsyncWebClient:
        """Raises NotInstalled."""
        if self._home is not None and team_id == self._home.team_id:
            return self._home.client
        bot = await self._bot(team_id)
        assert bot.bot_token is not None
        known = self._clients.get(team_id)
        if known is None or known.token != bot.bot_token:
            known = self._clients[team_id] = self._make_client(bot.bot_token)
        return known

    async def authorize(self, team_id: str) -> AuthorizeResult:
        """As Bolt wants to know it. Raises NotInstalled."""
        if self._home is not None and team_id == self._home.team_id:
            home = self._home
            token, bot_id, user_id = home.client.token, home.bot_id, home.bot_user_id
        else:
            bot = await self._bot(team_id)
            token, bot_id, user_id = bot.bot_token, bot.bot_id, bot.bot_user_id
        return AuthorizeResult(enterprise_id=None, team_id=team_id, bot_token=token, bot_id=bot_id, bot_user_id=user_id)

    async def token(self, team_id: str) -> str:
        """The bot's token there. Raises NotInstalled."""
        token = (await self.client(team_id)).token
        assert token is not None
        return token

    async def installed_at(self, team_id: str) -> float | None:
        """In Unix seconds; None where it is not. For a token of the settings: when it was seen to be good."""
        if self._home is not None and team_id == self._home.team_id:
            return self._home.since
        try:
            return (await self._find(team_id)).installed_at
        except NotInstalled:
            return None

    async def forget(self, team_id: str) -> None:
        """The workspace has removed the app or revoked its tokens."""
        if self._home is not None and team_id == self._home.team_id:
            # Another token comes with the next start.
            self._home = None
        self._clients.pop(team_id, None)
        if self._installations is not None:
            await self._installations.async_delete_all(enterprise_id=None, team_id=team_id)

    async def _bot(self, team_id: str) -> Bot:
        bot = await self._find(team_id)
        if self._rotator is None or bot.bot_token_expires_at is None:
            return bot
        async with self._rotating:
            # Another request may have exchanged it meanwhile, and a refresh token is good once.
            bot = await self._find(team_id)
            try:
                rotated = await self._rotator.perform_bot_token_rotation(
                    bot=bot, minutes_before_expiration=ROTATED_MINUTES_BEFORE
                )
            except SlackTokenRotationError as error:
                stored = await self._find(team_id)
                if stored.bot_refresh_token != bot.bot_refresh_token:
                    # Another process was faster.
                    return stored
                code = error.api_error.response.get("error")
                if code in _GONE and (bot.bot_token_expires_at or 0) <= time.time():
                    raise NotInstalled(team_id) from error
                # It is good for a while yet, and the next request tries again.
                log.warning("token.not_rotated", workspace=team_id, error=code)
                return bot
            if rotated is None:
                return bot
            assert self._installations is not None
            await self._installations.async_save_bot(rotated)
            return rotated

    async def _find(self, team_id: str) -> Bot:
        if self._installations is None:
            raise NotInstalled(team_id)
        bot = await self._installations.async_find_bot(enterprise_id=None, team_id=team_id)
        if bot is None or bot.bot_token is None:
            raise NotInstalled(team_id)
        return bot


async def ask_home(settings: SlackSettings, client: AsyncWebClient) -> Home:
    """Whose SLACK_BOT_TOKEN, the client's, is. Raises BadConfig."""
    asked_at = time.time()
    try:
        who = await client.auth_test()
        return Home(str(who["team_id"]), client, who.get("bot_id"), who.get("user_id"), asked_at)
    except SlackApiError as error:
        code = error.response.get("error")
        raise BadConfig(f"Slack refuses SLACK_BOT_TOKEN: {code} (docs/slack.md says how to get one).") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        url = settings.api_url
        raise BadConfig(f"SLACK_API_URL: {url} does not answer: {error or 'it takes too long'}.") from error


def find_workspaces(
    settings: SlackSettings, home: Home | None, installations: Installations | None, counting: Counting
) -> Workspaces:
    """The workspace of SLACK_BOT_TOKEN, if there is one; those that install the app come and go."""
    rotator = None
    if settings.oauth is not None:
        rotator = AsyncTokenRotator(
            client_id=settings.oauth.client_id,
            client_secret=settings.oauth.client_secret,
            client=AsyncWebClient(base_url=settings.api_url),
        )
    return Workspaces(home, installations, rotator, lambda token: make_client(token, settings.api_url, counting))


def only_home(team_id: str, client: AsyncWebClient) -> Workspaces:
    """One workspace, and no others."""
    return Workspaces(Home(team_id, client), None, None, lambda _token: client)
