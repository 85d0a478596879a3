"""Callbacks that could not be read, kept so that somebody who runs the bot can look at them.

They may hold numbers and texts, so nothing of them goes into a log or a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select

from services.clock import Clock
from services.database import Database, insert_row
from services.models import application, unread_callback

BODY_LIMIT = 4096
# Of each application, the newest.
MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class UnreadCallback:
    """One callback: its first 4,096 bytes as text, and why it could not be read."""

    id: int
    workspace_id: str
    application: str
    received_at: datetime
    reason: str
    body: str


class UnreadCallbacks:
    """Those of every application."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def keep(self, application_id: int, reason: str, body: bytes) -> int:
        """Its id. The oldest of the application give way to it."""
        # PostgreSQL's text takes no NUL.
        text = body[:BODY_LIMIT].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        values = {
            "application_id": application_id,
            "received_at": self._clock.now(),
            "reason": reason,
            "body": text,
        }
        mine = unread_callback.c.application_id == application_id
        last_to_go = (
            select(unread_callback.c.id)
            .where(mine)
            .order_by(unread_callback.c.id.desc())
            .limit(1)
            .offset(MOST_KEPT)
            .scalar_subquery()
        )
        with self._database.write(everyone=True) as tx:
            callback_id = insert_row(tx, insert(unread_callback).values(**values))
            tx.execute(delete(unread_callback).where(mine, unread_callback.c.id <= last_to_go))
            tx.commit()
        return callback_id

    def kept(self) -> Sequence[UnreadCallback]:
        """All of them, the oldest first."""
        query = (
            select(unread_callback, application.c.name, application.c.workspace_id)
            .join(application, application.c.id == unread_callback.c.application_id)
            .order_by(unread_callback.c.id)
        )
        with self._database.read(everyone=True) as connection:
            return [_unread(row) for row in connection.execute(query)]


def _unread(row: Row[Any]) -> UnreadCallback:
    return UnreadCallback(row.id, row.workspace_id, row.name, row.received_at, row.reason, row.body)
