"""Stores receipts of many callbacks in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from services.carriers.ports import Receipt
from services.receipts import Receipts


class ReceiptWriter:
    """While one transaction is being written, the callbacks that come meanwhile gather for the next."""

    def __init__(self, receipts: Receipts, executor: Executor) -> None:
        self._receipts = receipts
        self._executor = executor
        self._waiting: list[tuple[Sequence[tuple[int, Receipt]], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, received: Sequence[tuple[int, Receipt]]) -> None:
        """Returns when the receipts are on the disk."""
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((received, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await stored

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            rows = [receipt for received, _ in group for receipt in received]
            try:
                await asyncio.get_running_loop().run_in_executor(self._executor, self._receipts.store, rows)
            except Exception as error:
                for _, stored in group:
                    if not stored.cancelled():
                        stored.set_exception(error)
            else:
                for _, stored in group:
                    if not stored.cancelled():
                        stored.set_result(None)
