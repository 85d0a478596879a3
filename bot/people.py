"""What the edge needs to know of people and channels."""

from __future__ import annotations

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

log = structlog.get_logger()

KEPT_SECONDS = 600
# Direct messages between people are hidden from the bot; its own need a scope it has no other use for.
_ABSENT = {"channel_not_found", "not_in_channel", "missing_scope"}


class People:
    """Asks Slack, and remembers time zones for ten minutes."""

    def __init__(self, client: AsyncWebClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self._zones: dict[str, tuple[ZoneInfo, float]] = {}

    async def zone(self, user: str) -> ZoneInfo:
        """The person's own time zone as set in Slack; UTC where Slack does not say."""
        known = self._zones.get(user)
        if known is not None and self._monotonic() - known[1] < KEPT_SECONDS:
            return known[0]
        try:
            answer = await self._client.users_info(user=user)
            zone = ZoneInfo(answer["user"].get("tz") or "UTC")
        except (SlackApiError, ZoneInfoNotFoundError, ValueError) as error:
            log.warning("zone.unknown", user=user, error=str(error))
            return ZoneInfo("UTC")
        self._zones[user] = (zone, self._monotonic())
        return zone

    async def bot_is_in(self, channel: str) -> bool:
        """Whether the bot can post its results there. A private channel it is not in does not exist for it."""
        try:
            answer = await self._client.conversations_info(channel=channel)
        except SlackApiError as error:
            if error.response.get("error") in _ABSENT:
                log.info("channel.hidden", channel=channel, error=error.response.get("error"))
                return False
            raise
        return bool(answer["channel"].get("is_member"))
