"""A worker that lives several times: each life but the last ends by SIGKILL, at a moment it cannot know.

    python -m tests.services.killed_worker DATABASE_URL APPLICATION_ID LOG SEED LIVES

What its carrier takes is appended to LOG, a number a line, before the answer is given.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from sqlalchemy import exists, select

from services.carriers.ports import Answer, Submission
from services.clock import SystemClock
from services.database import Database
from services.dispatch import Dispatch, Sender
from services.models import batch
from services.rate import RateLimit
from services.states import BatchState
from tests.services.fakes import FakeCarrier, accept

MAX_NUMBERS = 50
LONGEST_LIFE_SECONDS = 0.08


class LoggingCarrier(FakeCarrier):
    """Takes numbers one after the other, so that a kill may come between any two."""

    def __init__(self, log: int) -> None:
        super().__init__(MAX_NUMBERS)
        self._log = log

    async def submit(self, submission: Submission) -> Answer:
        for number in submission.numbers:
            os.write(self._log, b"%d\n" % number)
            if number % 10 == 0:
                await asyncio.sleep(0.0005)
        return await accept(submission)


async def live(url: str, application_id: int, log: int) -> None:
    """As `bot run` does: take back what the last life left, then send until nothing is open."""
    database = Database(url)
    sender = Sender(application_id, LoggingCarrier(log), RateLimit(1_000_000), None, connections=3)
    with ThreadPoolExecutor(1 if database.is_sqlite else 3) as executor:
        dispatch = Dispatch(
            database,
            SystemClock(),
            [sender],
            owner="embedded",
            executor=executor,
            request_timeout=timedelta(seconds=30),
        )
        dispatch.give_up_lost(own=True)
        running = asyncio.create_task(dispatch.run())
        while await asyncio.to_thread(is_open, database):  # noqa: ASYNC110 - rows set no event
            await asyncio.sleep(0.01)
        dispatch.stop()
        await running
    database.close()


def is_open(database: Database) -> bool:
    """Whether anything waits or is under way."""
    query = select(exists().where(batch.c.state.in_([BatchState.PLANNED.value, BatchState.SENDING.value])))
    with database.read(everyone=True) as connection:
        return bool(connection.execute(query).scalar())


def main(url: str, application_id: int, path: str, seed: int, lives: int) -> None:
    """Forked, not started anew, so that a life takes milliseconds to begin."""
    moments = random.Random(seed)
    ended: dict[int, int] = {}
    for life in range(lives):
        child = os.fork()
        if child == 0:
            log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            asyncio.run(live(url, application_id, log))
            os._exit(0)
        if life < lives - 1 and _has_handed_over(child, path, ended):
            time.sleep(moments.uniform(0, LONGEST_LIFE_SECONDS))
            os.kill(child, signal.SIGKILL)
        if child not in ended:
            _, ended[child] = os.waitpid(child, 0)
        assert ended[child] in (0, signal.SIGKILL), ended[child]


def _has_handed_over(child: int, path: str, ended: dict[int, int]) -> bool:
    """Wait until this life has handed something over; False where it ended first, with nothing left to do."""
    before = _size(path)
    while _size(path) == before:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            ended[child] = status
            return False
        time.sleep(0.002)
    return True


def _size(path: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        return Path(path).stat().st_size
    return 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
