"""The loop, the ticks and the rate as the bot has them, with a carrier that notes when each request is begun."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta

from bench.tasks_to_send import Desk, declare
from bot.scheduler import START_EVERY_SECONDS, Ticks
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.ports import Answer, Submission
from services.clock import SystemClock
from services.database import Database
from services.dispatch import Dispatch
from services.rate import RateLimit
from services.senders import Sender, connections_for


class Watched(Huawei):
    """Notes when each request is begun, by its reference."""

    begun: list[tuple[str, float]]

    async def submit(self, submission: Submission) -> Answer:
        self.begun.append((submission.reference, time.time()))
        return await super().submit(submission)


@asynccontextmanager
async def sending(database: Database, desk: Desk, endpoint: str, per_second: float) -> AsyncIterator[Watched]:
    """Send and start what is due, until the block ends."""
    http, clock = Http(), SystemClock()
    rate = RateLimit(per_second)
    watched = Watched(app_key="key", app_secret="secret", http=http, clock=clock, pace=rate.acquire, endpoint=endpoint)
    watched.begun = []
    sender = Sender(declare(database), watched, rate, None, connections_for(watched, min(per_second, 1000)))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as executor:
        dispatch = Dispatch(
            database,
            clock,
            [sender],
            owner="bench",
            executor=executor,
            request_timeout=timedelta(seconds=http.longest_seconds),
        )

        def start_due() -> None:
            if desk.tasks.start_due():
                loop.call_soon_threadsafe(dispatch.wake)

        ticks = Ticks()
        ticks.every(START_EVERY_SECONDS, start_due, in_thread=True)
        ticks.start()
        running = asyncio.create_task(dispatch.run())
        try:
            yield watched
        finally:
            dispatch.stop()
            await running
            await ticks.stop()
    await http.close()
