"""How a workspace installs the app. Slack's part of it is Bolt's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.environment import OAuthSettings
from bot.installations import Installations, States
from bot.token_cipher import TokenCipher
from bot.workspaces import NotInstalled, Workspaces
from services.database import Database
from services.removals import Removals

log = structlog.get_logger()

INSTALL_PATH, REDIRECT_PATH = "/slack/install", "/slack/oauth_redirect"
# What the bot may do in a workspace that installs it; a test holds app_manifest.yaml to the same.
BOT_SCOPES = (
    *("channels:history", "channels:read", "chat:write", "commands", "files:read", "files:write", "groups:history"),
    *("groups:read", "im:write", "usergroups:read", "users:read"),
)


def installations_of(settings: OAuthSettings, database: Database) -> Installations:
    """Those in the database, with their tokens."""
    return Installations(database, settings.client_id, TokenCipher(settings.token_keys))


def make_flow(
    settings: OAuthSettings,
    installations: Installations,
    states: States,
    removals: Removals,
    *,
    api_url: str,
    public_url: str,
) -> AsyncOAuthFlow:
    """The way to an installation: to Slack's question, and back with its answer to `public_url`."""

    async def success(given: AsyncSuccessArgs) -> BoltResponse:
        installed = given.installation
        assert installed.team_id is not None
        asked = await asyncio.to_thread(removals.installed, installed.team_id)
        log.info("workspace.installed", workspace=installed.team_id, by=installed.user_id, asked_about=asked)
        return _page(200, "Installed. Go back to Slack, add the bot to a channel, and type /sms-help there.")

    async def failure(given: AsyncFailureArgs) -> BoltResponse:
        log.warning("workspace.not_installed", error=given.reason)
        return _page(given.suggested_status_code, f"Not installed ({given.reason}). Begin again at {INSTALL_PATH}.")

    return AsyncOAuthFlow(
        # Of its own: this one has no token.
        client=AsyncWebClient(base_url=api_url),
        logger=logging.getLogger("slack_bolt"),
        settings=AsyncOAuthSettings(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            scopes=BOT_SCOPES,
            redirect_uri=f"{public_url}{REDIRECT_PATH}",
            install_path=INSTALL_PATH,
            redirect_uri_path=REDIRECT_PATH,
            install_page_rendering_enabled=False,
            callback_options=AsyncCallbackOptions(success=success, failure=failure),
            authorization_url=urljoin(api_url, "../oauth/v2/authorize"),
            installation_store=installations,
            state_store=states,
        ),
    )


def install_routes(flow: AsyncOAuthFlow) -> list[web.RouteDef]:
    """Where people begin, and where Slack leads them back to."""

    def handled(handle: Callable[..., Awaitable[BoltResponse]]) -> Any:
        async def handler(request: web.Request) -> web.Response:
            return await to_aiohttp_response(await handle(await to_bolt_request(request)))

        return handler

    return [
        web.get(INSTALL_PATH, handled(flow.handle_installation)),
        web.get(REDIRECT_PATH, handled(flow.handle_callback)),
    ]


def authorizing(workspaces: Workspaces) -> Callable[..., Awaitable[Any]]:
    """What Bolt asks before each request: as whom the bot answers in its workspace."""

    async def authorize(team_id: str | None) -> AuthorizeResult | None:
        try:
            return None if team_id is None else await workspaces.authorize(team_id)
        except NotInstalled:
            log.warning("workspace.unknown", workspace=team_id)
            return None

    return authorize


def _page(status: int, text: str) -> BoltResponse:
    return BoltResponse(status=status, headers={"Content-Type": "text/plain; charset=utf-8"}, body=text)
