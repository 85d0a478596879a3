"""The workspaces that have installed the app, with their tokens: Slack's own stores in our database, encrypted."""

from __future__ import annotations

import asyncio
from copy import copy
from logging import Logger, getLogger
from typing import Any, TypeVar

from slack_bolt.error import BoltError
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore

from bot.token_cipher import TokenCipher
from services.database import Database

Kept = TypeVar("Kept", Bot, Installation)

STATE_SECONDS = 600


class Installations(AsyncInstallationStore):
    """What Bolt asks for the workspaces' tokens. The stores themselves are synchronous, so they work in threads.

    They are kept by team alone, whatever organisation it is part of: a team's id is unique in Slack, and the bot's
    background work knows nothing else.
    """

    def __init__(self, database: Database, client_id: str, cipher: TokenCipher) -> None:
        self._store = SQLAlchemyInstallationStore(client_id=client_id, engine=database.writing_engine)
        self._cipher = cipher

    @property
    def logger(self) -> Logger:
        """As Bolt wants it."""
        return getLogger(__name__)

    async def async_save(self, installation: Installation) -> None:
        """Raises BoltError for an installation in a whole organisation."""
        await asyncio.to_thread(self._store.save, self._cipher.hide(_of_team(installation)))

    async def async_save_bot(self, bot: Bot) -> None:
        """Raises BoltError for an installation in a whole organisation."""
        await asyncio.to_thread(self._store.save_bot, self._cipher.hide(_of_team(bot)))

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Raises UnreadableTokens."""
        found = await asyncio.to_thread(self._store.find_bot, enterprise_id=None, team_id=team_id)
        return None if found is None or team_id is None else self._cipher.show(found)

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Nothing where there is none."""
        await asyncio.to_thread(self._store.delete_bot, enterprise_id=None, team_id=team_id)

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Nothing where there is none."""
        await asyncio.to_thread(self._store.delete_installation, enterprise_id=None, team_id=team_id, user_id=user_id)


class States(AsyncOAuthStateStore):
    """The states of installations under way; each is good once, for ten minutes."""

    def __init__(self, database: Database) -> None:
        self._store = SQLAlchemyOAuthStateStore(expiration_seconds=STATE_SECONDS, engine=database.writing_engine)

    @property
    def logger(self) -> Logger:
        """As Bolt wants it."""
        return getLogger(__name__)

    async def async_issue(self, *_arguments: Any, **_named: Any) -> str:
        """A new one."""
        return await asyncio.to_thread(self._store.issue)

    async def async_consume(self, state: str) -> bool:
        """Whether it was issued here and has not been used."""
        return await asyncio.to_thread(self._store.consume, state)


def _of_team(kept: Kept) -> Kept:
    if kept.team_id is None or kept.is_enterprise_install:
        raise BoltError("The app is installed in one workspace at a time, not in a whole organisation.")
    changed = copy(kept)
    changed.enterprise_id = None
    return changed
