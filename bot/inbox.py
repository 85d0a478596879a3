"""Keeps what carriers tell besides receipts: replies, and callbacks that cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from services.carriers.ports import Reply
from services.replies import Replies
from services.unread_callbacks import UnreadCallbacks


class Inbox:
    """Replies are few, so each callback is a transaction of its own, on the disk when the call returns."""

    def __init__(self, replies: Replies, unread: UnreadCallbacks, executor: Executor) -> None:
        self._replies = replies
        self._unread = unread
        self._executor = executor

    async def store(self, application_id: int, received: Sequence[Reply]) -> None:
        """Keep what people replied, and do what they ask for."""
        rows = [(application_id, each) for each in received]
        await asyncio.get_running_loop().run_in_executor(self._executor, self._replies.store, rows)

    async def keep(self, application_id: int, reason: str, body: bytes) -> int:
        """Keep an unread callback for a look; its id."""
        keep = self._unread.keep
        return await asyncio.get_running_loop().run_in_executor(self._executor, keep, application_id, reason, body)
