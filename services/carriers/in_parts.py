"""A batch as several requests, for carriers that take one number in each, or one set of values."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.carriers.ports import Answer, CutShort, Outcome
from services.errors import NotTaken, RequestRefused, Unanswered

MAX_NUMBERS = 50  # of a batch: as many as are lost from sight at most when the process dies
AT_ONCE = 16
WINDOW_SECONDS = 10.0

SendPart = Callable[[Sequence[int]], Awaitable[Answer]]
SendOne = Callable[[int], Awaitable[Answer]]
Pace = Callable[[], Awaitable[None]]


class InParts:
    """Sends the requests of one application, `at_once` of them under way over all its batches.

    `pace` waits for a turn; a batch's first request uses the one its batch was given. No request starts later than
    `window_seconds` after its batch, so that a lease can outlive them all: what is left then was not taken.
    """

    def __init__(self, pace: Pace, *, at_once: int = AT_ONCE, window_seconds: float = WINDOW_SECONDS) -> None:
        self._pace = pace
        self._slots = asyncio.Semaphore(at_once)
        self._window_seconds = window_seconds

    async def submit(self, parts: Sequence[Sequence[int]], send: SendPart) -> Answer:
        """Send each part. `send` gives its numbers' outcomes, or raises NotTaken or Unanswered of all of them, or
        RequestRefused where the same answer awaits every number of the batch.

        Trouble of any kind stops the batch: what was not started by then is refused likewise, or was not taken. Being
        cancelled is such trouble, and raises CutShort.
        """
        numbers = [number for part in parts for number in part]
        batch = _Batch()
        deadline = asyncio.get_running_loop().time() + self._window_seconds
        try:
            async with asyncio.TaskGroup() as group:
                for index, part in enumerate(parts):
                    if not await self._turn(deadline, paced=index > 0):
                        batch.stop(NotTaken("out_of_time", "the batch's time was over", retry_after_seconds=0.0))
                        break
                    if batch.stopped:
                        self._slots.release()
                        break
                    batch.begun.update(part)
                    group.create_task(self._send(batch, part, send))
        except asyncio.CancelledError as cut:
            batch.stop(NotTaken("cut_short", "the batch was given up", retry_after_seconds=0.0))
            raise CutShort(batch.so_far(numbers)) from cut
        return batch.answer(numbers)

    async def submit_each(self, numbers: Sequence[int], send: SendOne) -> Answer:
        """The same with a request for each number."""

        async def send_part(part: Sequence[int]) -> Answer:
            return await send(part[0])

        return await self.submit([[number] for number in numbers], send_part)

    async def _turn(self, deadline: float, *, paced: bool) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                if paced:
                    await self._pace()
                await self._slots.acquire()
        except TimeoutError:
            return False
        return True

    async def _send(self, batch: _Batch, part: Sequence[int], send: SendPart) -> None:
        try:
            answer = await send(part)
        except NotTaken as trouble:
            batch.not_taken.update(dict.fromkeys(part, trouble))
            batch.stop(trouble)
        except RequestRefused as refusal:
            batch.outcomes.update(dict.fromkeys(part, Outcome(False, refusal.code)))
            batch.refusal = refusal
        except Unanswered as trouble:
            batch.unanswered.update(dict.fromkeys(part, trouble))
            batch.stop(NotTaken(trouble.code, "another request of the batch had no answer"))
        else:
            batch.outcomes.update(answer.outcomes)
            batch.not_taken.update(answer.not_taken)
            for left in answer.not_taken.values():
                batch.stop(left)
        finally:
            self._slots.release()


class _Batch:
    """What became of each number so far. One that was begun and stands nowhere else is unknown."""

    def __init__(self) -> None:
        self.begun: set[int] = set()
        self.outcomes: dict[int, Outcome] = {}
        self.not_taken: dict[int, NotTaken] = {}
        self.unanswered: dict[int, Unanswered] = {}
        self.refusal: RequestRefused | None = None
        self._trouble: NotTaken | None = None

    @property
    def stopped(self) -> bool:
        return self.refusal is not None or self._trouble is not None

    def stop(self, trouble: NotTaken) -> None:
        """Start no other request; the first reason counts."""
        self._trouble = self._trouble or trouble

    def so_far(self, numbers: Sequence[int]) -> Answer:
        """What is known of each number; only one that was not begun is told of by the others."""
        for number in numbers:
            if number in self.begun:
                continue
            if self.refusal is not None:
                self.outcomes[number] = Outcome(False, self.refusal.code)
            elif self._trouble is not None:
                self.not_taken[number] = self._trouble
        return Answer(self.outcomes, self.not_taken, self.unanswered)

    def answer(self, numbers: Sequence[int]) -> Answer:
        """The same, when all that was begun has ended. Raises what is true of every number."""
        answer = self.so_far(numbers)
        if self._trouble is not None and len(self.not_taken) == len(numbers):
            raise self._trouble
        if self.unanswered and len(self.unanswered) == len(numbers):
            raise next(iter(self.unanswered.values()))
        if self.refusal is not None and [o.code for o in self.outcomes.values()] == [self.refusal.code] * len(numbers):
            raise self.refusal
        return answer
