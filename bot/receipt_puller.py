"""Asks carriers what became of messages that nobody has heard of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from bot.receipt_writer import ReceiptWriter
from services.carriers.ports import PullsReceipts
from services.clock import Clock
from services.errors import CarrierError, NotTaken
from services.settling import Settling

log = structlog.get_logger()

AFTER_TROUBLE = timedelta(minutes=10)


class ReceiptPuller:
    """`carriers` are those that can be asked, by application. Who does not answer well is left alone for 10 minutes."""

    def __init__(
        self, settling: Settling, writer: ReceiptWriter, carriers: Mapping[int, PullsReceipts], clock: Clock
    ) -> None:
        self._settling = settling
        self._writer = writer
        self._carriers = carriers
        self._clock = clock
        self._not_before: dict[int, datetime] = {}

    async def tick(self) -> None:
        """Ask each of them once. No database session is open meanwhile."""
        await asyncio.gather(*(self._ask(application_id) for application_id in self._carriers))

    async def _ask(self, application_id: int) -> None:
        now = self._clock.now()
        if now < self._not_before.get(application_id, now):
            return
        unsettled = await asyncio.to_thread(self._settling.next_unsettled, application_id)
        if unsettled is None:
            return
        try:
            receipts = await self._carriers[application_id].pull_receipts(unsettled)
        except CarrierError as error:
            asked = error.retry_after_seconds if isinstance(error, NotTaken) else None
            self._not_before[application_id] = now + (AFTER_TROUBLE if asked is None else timedelta(seconds=asked))
            log.warning("receipts.not_pulled", application=application_id, code=error.code, reason=error.reason)
            return
        if receipts:
            log.info("receipts.pulled", application=application_id, asked=len(unsettled), count=len(receipts))
            await self._writer.store([(application_id, receipt) for receipt in receipts])
