"""How Slack's requests reach this process: over Socket Mode's WebSocket, or over our own HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.bad_config import BadConfig
from bot.environment import SlackSettings
from bot.health import Verdict
from bot.metrics import Metrics


def over_http(app: AsyncApp) -> Handler:
    """What answers Slack's requests over HTTP; Bolt checks their signature."""

    async def slack_events(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    return slack_events


class SlackConnection:
    """Over HTTP there is nothing to open, and nothing that could be lost."""

    def __init__(self, settings: SlackSettings, client: AsyncWebClient, metrics: Metrics) -> None:
        self._settings = settings
        self._client = client
        self._metrics = metrics
        self._handler: AsyncSocketModeHandler | None = None

    async def open(self, app: AsyncApp) -> None:
        """Returns when `app` is asked what people do. Raises BadConfig."""
        if not self._settings.uses_socket_mode:
            return
        self._handler = handler = AsyncSocketModeHandler(app, self._settings.app_token, web_client=self._client)
        try:
            # Asked for here, because connecting tries a wrong token again for ever.
            opened = await self._client.apps_connections_open(app_token=self._settings.app_token or "")
            handler.client.wss_uri = opened["url"]
            await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt has no types here
        except SlackApiError as error:
            code = error.response.get("error")
            raise BadConfig(f"Slack refuses SLACK_APP_TOKEN: {code}. It needs the scope connections:write.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BadConfig(f"Slack's Socket Mode does not answer: {error or 'it takes too long'}.") from error

    async def close(self) -> None:
        """Slack deals its requests to other processes."""
        if self._handler is not None:
            await self._handler.close_async()  # type: ignore[no-untyped-call] # Bolt has no types here

    async def verdict(self) -> Mapping[str, Verdict]:
        """Whether Slack can reach us, as far as we can know it."""
        if not self._settings.uses_socket_mode:
            return {"slack": Verdict(True)}
        if self._handler is None or not await self._handler.client.is_connected():
            return {"slack": Verdict(False, "not connected")}
        return {"slack": Verdict(True)}

    async def look(self) -> None:
        """The same, for the figures."""
        verdicts = await self.verdict()
        mode = "socket" if self._settings.uses_socket_mode else "http"
        self._metrics.slack_connection(mode, connected=verdicts["slack"].ok)
