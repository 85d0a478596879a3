"""Doubles of what services reach the outside world through."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.carriers.ports import (
    Answer,
    CarrierSignature,
    CarrierTemplate,
    CodeClass,
    Outcome,
    Receipt,
    ReceiptsAnswer,
    ReceiptsRequest,
    Submission,
)
from services.errors import NotTaken, RequestRefused, Unanswered

Answering = Callable[[Submission], Awaitable[Answer]]

# What some codes mean to the carrier.
KINDS: Mapping[str, CodeClass] = {
    "E000112": "refused_account",
    "E000623": "quota_account",
    "E200026": "refused_account",
    "E200028": "refused_content",
    "TOO_LATE": "refused_hour",
    "http_403": "unread",
}

# Ten in the morning in Shanghai, on a working day.
MORNING = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = MORNING) -> None:
        self._now = at

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by

    def set(self, at: datetime) -> None:
        self._now = at


class InlineExecutor(Executor):
    """Does everything at once, in the caller's thread; after `kill()` nothing at all, as when the process is gone."""

    def __init__(self) -> None:
        self._dead = False

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            if self._dead:
                raise Killed
            done.set_result(function(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        return done

    def kill(self) -> None:
        self._dead = True


class Killed(Exception):
    """The process was gone before this could be written."""


class FakeCarrier:
    """Answers as scripted, then accepts everything. `requests` is its log of what reached it.

    A request that the script says was not taken is not in `requests`: it never got there.
    """

    def __init__(
        self,
        max_numbers: int = 500,
        *,
        max_numbers_with_values: int | None = None,
        echoes_reference: bool = True,
        classes: Mapping[str, CodeClass] | None = None,
    ) -> None:
        self._max_numbers = max_numbers
        self._max_numbers_with_values = max_numbers_with_values or max_numbers
        self._classes = KINDS if classes is None else classes
        self.opted_out_codes = frozenset({"OPTED_OUT"})
        self.echoes_reference = echoes_reference
        self._script: deque[Answering] = deque()
        self.requests: list[Submission] = []
        self.before_each: Callable[[Submission], None] = lambda submission: None

    @property
    def max_numbers(self) -> int:
        return self._max_numbers

    @property
    def max_numbers_with_values(self) -> int:
        return self._max_numbers_with_values

    @property
    def longest_seconds(self) -> float:
        return 0.0

    @property
    def numbers(self) -> list[int]:
        """Every number that reached it, in order, as often as it did."""
        return [number for request in self.requests for number in request.numbers]

    def will(self, *answers: Answering) -> None:
        """What the next requests are answered with."""
        self._script.extend(answers)

    async def submit(self, submission: Submission) -> Answer:
        self.before_each(submission)
        answer = self._script.popleft() if self._script else accept
        self.requests.append(submission)
        try:
            return await answer(submission)
        except NotTaken:
            self.requests.remove(submission)
            raise

    def kind_of(self, code: str) -> CodeClass | None:
        return self._classes.get(code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        raise NotImplementedError

    def receipts_answer(self) -> ReceiptsAnswer:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


def accepted(number: int) -> Outcome:
    return Outcome(accepted=True, code="000000", sms_id=f"id-{number}", segments=1)


async def accept(submission: Submission) -> Answer:
    """Every number is accepted."""
    return Answer({number: accepted(number) for number in submission.numbers})


def refuse(*refused: int, code: str = "E200028") -> Answering:
    """These numbers are refused, the others accepted."""

    async def answer(submission: Submission) -> Answer:
        outcomes = dict((await accept(submission)).outcomes)
        return Answer(outcomes | dict.fromkeys(refused, Outcome(accepted=False, code=code)))

    return answer


def leave_out(*left_out: int) -> Answering:
    """The answer does not name these numbers; the others are accepted."""

    async def answer(submission: Submission) -> Answer:
        whole = await accept(submission)
        return Answer({number: outcome for number, outcome in whole.outcomes.items() if number not in left_out})

    return answer


def not_taken(code: str = "http_429", retry_after_seconds: float | None = None) -> Answering:
    """The request provably had no effect."""

    async def answer(_submission: Submission) -> Answer:
        raise NotTaken(code, "slow down", retry_after_seconds)

    return answer


async def refuse_all(submission: Submission) -> Answer:
    """Every number is refused, each for itself."""
    return await refuse(*submission.numbers)(submission)


def refuse_whole(code: str = "E000510") -> Answering:
    """The carrier refuses the request as such."""

    async def answer(_submission: Submission) -> Answer:
        raise RequestRefused(code, "no such template")

    return answer


async def unanswered(_submission: Submission) -> Answer:
    """The request was written, and no readable answer came."""
    raise Unanswered("timeout", "no answer within 30 s")


async def error_page(_submission: Submission) -> Answer:
    """A page that the carrier did not write came in the place of its answer."""
    raise Unanswered("http_403", "the answer cannot be read")


async def crash(_submission: Submission) -> Answer:
    """A defect of ours in a carrier's module."""
    raise ZeroDivisionError


class Held:
    """Requests that wait for the test: `arrived` is set when one is there, `answer` lets it go on."""

    def __init__(self, then: Answering = accept) -> None:
        self.arrived = asyncio.Event()
        self._released = asyncio.Event()
        self._then = then

    async def __call__(self, submission: Submission) -> Answer:
        self.arrived.set()
        await self._released.wait()
        return await self._then(submission)

    def release(self) -> None:
        self._released.set()


@dataclass
class FakeConsole:
    """A carrier whose API lists content. `before_each` runs while it is being asked."""

    signatures: Sequence[CarrierSignature] = ()
    templates: Sequence[CarrierTemplate] = ()
    trouble: Exception | None = None
    add_trouble: Exception | None = None
    applied: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    before_each: Callable[[], None] = lambda: None
    answers_after: float = 0.0
    asked: int = 0

    async def list_signatures(self) -> Sequence[CarrierSignature]:
        self.asked += 1
        await asyncio.sleep(self.answers_after)
        self.before_each()
        if self.trouble is not None:
            raise self.trouble
        return self.signatures

    async def list_templates(self) -> Sequence[CarrierTemplate]:
        self.before_each()
        return self.templates

    async def add_template(self, name: str, text: str, sms_type: str, signature: str | None) -> str:
        self.before_each()
        if self.add_trouble is not None:
            raise self.add_trouble
        self.applied.append((name, text, sms_type, signature))
        return f"code-{len(self.applied)}"
