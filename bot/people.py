"""What the edge needs to know of people and channels."""

from __future__ import annotations

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from slack_sdk.errors import SlackApiError

from bot.workspaces import Workspaces

log = structlog.get_logger()

KEPT_SECONDS = 600
_LOCALE = "en-US"
# Direct messages between people are hidden from the bot; its own need a scope it has no other use for.
_ABSENT = {"channel_not_found", "not_in_channel", "missing_scope"}


class People:
    """Asks Slack, and remembers time zones and languages for ten minutes."""

    def __init__(self, workspaces: Workspaces, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._workspaces = workspaces
        self._monotonic = monotonic
        self._known: dict[tuple[str, str], tuple[ZoneInfo, str, float]] = {}

    async def zone(self, team: str, user: str) -> ZoneInfo:
        """The person's own time zone as set in Slack; UTC where Slack does not say."""
        return (await self._about(team, user))[0]

    async def locale(self, team: str, user: str) -> str:
        """The person's own language as set in Slack, such as zh-CN; en-US where Slack does not say."""
        return (await self._about(team, user))[1]

    async def _about(self, team: str, user: str) -> tuple[ZoneInfo, str]:
        known = self._known.get((team, user))
        if known is not None and self._monotonic() - known[2] < KEPT_SECONDS:
            return known[:2]
        try:
            client = await self._workspaces.client(team)
            answer = await client.users_info(user=user, include_locale=True)
            zone = ZoneInfo(answer["user"].get("tz") or "UTC")
        except (SlackApiError, ZoneInfoNotFoundError, ValueError) as error:
            log.warning("zone.unknown", user=user, error=str(error))
            return ZoneInfo("UTC"), _LOCALE
        locale = answer["user"].get("locale") or _LOCALE
        self._known[team, user] = (zone, locale, self._monotonic())
        return zone, locale

    async def bot_is_in(self, team: str, channel: str) -> bool:
        """Whether the bot can post its results there. A private channel it is not in does not exist for it."""
        client = await self._workspaces.client(team)
        try:
            answer = await client.conversations_info(channel=channel)
        except SlackApiError as error:
            if error.response.get("error") in _ABSENT:
                log.info("channel.hidden", channel=channel, error=error.response.get("error"))
                return False
            raise
        return bool(answer["channel"].get("is_member"))
