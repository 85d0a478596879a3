"""Asks carriers what became of messages that nobody has heard of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

import structlog

from bot.receipt_writer import ReceiptWriter
from services.carriers.ports import PullsReceipts, Unsettled
from services.clock import Clock
from services.errors import CarrierError, NotTaken
from services.settling import Settling

log = structlog.get_logger()

AFTER_TROUBLE = timedelta(minutes=10)
# A tick that takes much longer counts as stuck.
TICK_SECONDS = 20.0


class ReceiptPuller:
    """`carriers` are those that can be asked, by application. Who does not answer well is left alone for 10 minutes.

    One that takes longer than `tick_seconds`, because it has to wait for its rate, goes on beyond the tick, and holds
    up no other.
    """

    def __init__(
        self,
        settling: Settling,
        writer: ReceiptWriter,
        carriers: Mapping[int, PullsReceipts],
        clock: Clock,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._settling = settling
        self._writer = writer
        self._carriers = carriers
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._not_before: dict[int, datetime] = {}
        self._asking: dict[int, asyncio.Task[None]] = {}

    async def tick(self) -> None:
        """Ask each of them that is not still being asked. No database session is open meanwhile."""
        for application_id in self._carriers.keys() - self._asking.keys():
            self._asking[application_id] = asyncio.create_task(self._ask(application_id))
        if not self._asking:
            return
        await asyncio.wait(self._asking.values(), timeout=self._tick_seconds)
        ended = {application_id: asked for application_id, asked in self._asking.items() if asked.done()}
        self._asking = {each: asked for each, asked in self._asking.items() if each not in ended}
        errors = [error for asked in ended.values() if (error := asked.exception()) is not None]
        if errors:
            raise errors[0]

    async def stop(self) -> None:
        """Ask no longer. What was found is stored."""
        for asked in self._asking.values():
            asked.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _ask(self, application_id: int) -> None:
        now = self._clock.now()
        if now < self._not_before.get(application_id, now):
            return
        unsettled = await asyncio.to_thread(self._settling.next_unsettled, application_id)
        if unsettled is None:
            return
        try:
            await self._pull(application_id, unsettled)
        except CarrierError as error:
            asked = error.retry_after_seconds if isinstance(error, NotTaken) else None
            pause = AFTER_TROUBLE if asked is None else timedelta(seconds=asked)
            self._not_before[application_id] = self._clock.now() + pause
            log.warning("receipts.not_pulled", application=application_id, code=error.code, reason=error.reason)

    async def _pull(self, application_id: int, unsettled: Sequence[Unsettled]) -> None:
        count = 0
        try:
            async with aclosing(self._carriers[application_id].pull_receipts(unsettled)) as pulled:
                async for receipts in pulled:
                    if receipts:
                        await self._writer.store([(application_id, receipt) for receipt in receipts])
                        count += len(receipts)
        finally:
            if count:
                log.info("receipts.pulled", application=application_id, asked=len(unsettled), count=count)
