"""What is done when a workspace removes the app or takes its tokens back, whoever says so: Slack's event, which comes
only to a process that is connected, or Slack's answer to a token that is no good any more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp

from bot.workspaces import NotInstalled, Workspaces
from services.removals import Removals

log = structlog.get_logger()


class Removal:
    """Its tokens are deleted, and nothing is sent in its name."""

    def __init__(self, workspaces: Workspaces, removals: Removals) -> None:
        self._workspaces = workspaces
        self._removals = removals

    async def told(self, team: str, event: str, event_time: int) -> None:
        """An event says so. `event_time` are Unix seconds, Slack's, rounded down."""
        since = await self._workspaces.installed_at(team)
        if since is not None and event_time < int(since):
            # Slack repeats what it could not deliver; meanwhile the workspace has installed the app again.
            log.info("workspace.removal_is_old", workspace=team, why=event)
            return
        await self._note(team, event)

    async def refused(self, team: str, token: str | None, code: str) -> None:
        """Slack says so of this token, or there has been None for a while. What has got another one has the app."""
        try:
            current = await self._workspaces.token(team)
        except NotInstalled:
            current = None
        if current == token:
            await self._note(team, code)

    async def _note(self, team: str, why: str) -> None:
        # In this order: without its tokens nobody would find out again.
        paused = await asyncio.to_thread(self._removals.removed, team)
        await self._workspaces.forget(team)
        log.warning("workspace.removed", workspace=team, why=why, paused=paused)


def listen_for_removal(app: AsyncApp, removal: Removal) -> None:
    """Have Slack's events tell it."""

    async def app_uninstalled(body: Mapping[str, Any]) -> None:
        await removal.told(body["team_id"], "app_uninstalled", body["event_time"])

    async def tokens_revoked(body: Mapping[str, Any]) -> None:
        # A person's token is nothing to us: the bot acts as itself.
        if (body["event"].get("tokens") or {}).get("bot"):
            await removal.told(body["team_id"], "tokens_revoked", body["event_time"])

    app.event("app_uninstalled")(app_uninstalled)
    app.event("tokens_revoked")(tokens_revoked)
