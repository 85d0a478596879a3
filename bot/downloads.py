"""Fetches uploaded files from Slack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import stamina

from services.errors import BadFile

LIMIT_BYTES = 30 * 1024 * 1024
_CHUNK = 1 << 18


class Downloads:
    """Sends the workspace's `token` only to Slack's own hosts, and follows no redirect with it."""

    def __init__(
        self, session: aiohttp.ClientSession, token: Callable[[str], Awaitable[str]], slack_api_url: str
    ) -> None:
        self._session = session
        self._token = token
        self._api = urlsplit(slack_api_url)

    async def fetch(self, workspace: str, url: str, path: Path) -> None:
        """Write the file at `url` to `path`. Raises BadFile."""
        if not self._is_slack(url):
            raise BadFile("not_downloadable", reason="not Slack's address")
        token = await self._token(workspace)
        try:
            async for attempt in stamina.retry_context(on=_passes, attempts=4, timeout=60):
                with attempt:
                    await self._fetch(token, url, path)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BadFile("not_downloadable", reason=str(error)) from error

    async def _fetch(self, token: str, url: str, path: Path) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in (301, 302, 303, 307, 308):
                raise BadFile("login_page")
            if response.status == 429 or response.status >= 500:
                response.raise_for_status()
            if response.status != 200:
                raise BadFile("not_downloadable", reason=f"HTTP {response.status}")
            if response.content_type == "text/html":
                raise BadFile("login_page")
            size = 0
            with path.open("wb") as file:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > LIMIT_BYTES:
                        raise BadFile("too_large", limit_mb=LIMIT_BYTES >> 20)
                    file.write(chunk)

    def _is_slack(self, url: str) -> bool:
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc) == (self._api.scheme, self._api.netloc):
            return True
        host = parts.hostname or ""
        return parts.scheme == "https" and (host == "slack.com" or host.endswith((".slack.com", ".slack-edge.com")))


def _passes(error: Exception) -> bool:
    """Whether the same request may well succeed a moment later."""
    lost = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, aiohttp.ClientResponseError)
    return isinstance(error, lost)
