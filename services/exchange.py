"""Gathers what the requests of one worker want from the database, and does it in one transaction after another.

While one is being written to the disk, answers and wishes for a next batch gather for the next. So one commit serves as
many requests as are under way, and a claim is still on the disk before its request leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from services.claims import Claim
from services.outcomes import Handed, PutOff

log = structlog.get_logger()
T = TypeVar("T")

# A database that is away for a moment (restarted, failed over) must not cost an outcome.
WRITE_AGAIN_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
# So that no transaction grows without bounds.
MOST_AT_ONCE = 64

# A batch: its task and its number.
Key = tuple[int, int]


@dataclass(slots=True)
class Wanted:
    """Of one application: so many of the next batches, and these by name."""

    most: int = 0
    named: list[Key] = field(default_factory=list)


# Writes down what was handed over, and claims what is wanted of each application.
Commit = Callable[[Sequence[Handed], Mapping[int, Wanted]], Mapping[int, list[Claim]]]
Write = Callable[[Handed], None]
_Written = tuple[Handed, "asyncio.Future[None]"]
_Wish = tuple[int, Key | None, "asyncio.Future[Claim | None]"]


class Exchange:
    """Used on one event loop. `commit` and `write`, for one thing that may have been written before, run in the
    `executor`.
    """

    def __init__(self, executor: Executor, commit: Commit, write: Write) -> None:
        self._executor = executor
        self._commit = commit
        self._write = write
        self._handed: list[_Written] = []
        self._wishes: list[_Wish] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._working: asyncio.Task[None] | None = None

    async def claim(self, application_id: int, key: Key | None = None) -> Claim | None:
        """The application's next batch, or the one named by `key`, durably this worker's. None where there is nothing
        to do now.
        """
        found: asyncio.Future[Claim | None] = asyncio.get_running_loop().create_future()
        self._wishes.append((application_id, key, found))
        self._work_on()
        return await found

    async def write(self, handed: Handed) -> None:
        """Returns when it is on the disk, even where the caller is cancelled meanwhile."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._handed.append((handed, written))
        self._work_on()
        try:
            await asyncio.shield(written)
        except asyncio.CancelledError:
            # Who cancelled us may close the event loop next, and what has not begun by then never does.
            await asyncio.wait({written})
            raise

    async def settle(self) -> None:
        """Returns when nothing is under way any more."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _work_on(self) -> None:
        if self._working is None or self._working.done():
            self._working = self._start(self._work())

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _work(self) -> None:
        while self._handed or self._wishes:
            handed, self._handed = self._handed[:MOST_AT_ONCE], self._handed[MOST_AT_ONCE:]
            wishes, self._wishes = self._wishes[:MOST_AT_ONCE], self._wishes[MOST_AT_ONCE:]
            await self._do(handed, wishes)

    async def _do(self, handed: Sequence[_Written], wishes: Sequence[_Wish]) -> None:
        wanted: dict[int, Wanted] = {}
        for application_id, key, found in wishes:
            if found.done():
                continue
            of_application = wanted.setdefault(application_id, Wanted())
            if key is None:
                of_application.most += 1
            else:
                of_application.named.append(key)
        try:
            claims = await self._in_thread(self._commit, [each for each, _ in handed], wanted)
        except Exception as error:
            # What is wrong with one must not cost the others their outcome.
            for each, written in handed:
                self._start(self._write_alone(each, written))
            for _, _, found in wishes:
                if not found.done():
                    found.set_exception(error)
            return
        for _, written in handed:
            written.set_result(None)
        self._give_out(claims, wishes)

    def _give_out(self, claims: Mapping[int, list[Claim]], wishes: Sequence[_Wish]) -> None:
        left = {(each.task_id, each.no): each for found in claims.values() for each in found}
        for _, key, found in wishes:
            if key is not None and not found.done():
                found.set_result(left.pop(key, None))
        next_ones: dict[int, list[Claim]] = {}
        for claim in reversed(left.values()):
            next_ones.setdefault(claim.application_id, []).append(claim)
        for application_id, key, found in wishes:
            if key is None and not found.done():
                of_application = next_ones.get(application_id)
                found.set_result(of_application.pop() if of_application else None)
        for claim in (claim for of_application in next_ones.values() for claim in of_application):
            # Who wanted it is gone.
            unsent = Handed(claim, {}, PutOff(frozenset(claim.seqs), timedelta(0), None))
            self._handed.append((unsent, asyncio.get_running_loop().create_future()))

    async def _write_alone(self, handed: Handed, written: asyncio.Future[None]) -> None:
        """Writing twice is right too: the second time finds nothing to do."""
        try:
            for seconds in WRITE_AGAIN_SECONDS:
                try:
                    await self._in_thread(self._write, handed)
                    break
                except (DataError, IntegrityError, ProgrammingError):
                    raise
                except (DBAPIError, psycopg.OperationalError, psycopg.InterfaceError):
                    # Those of a COPY come as the driver has them.
                    log.exception("batch.not_recorded", again_in_seconds=seconds)
                    await asyncio.sleep(seconds)
            else:
                await self._in_thread(self._write, handed)
        except Exception as error:
            written.set_exception(error)
        else:
            written.set_result(None)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
