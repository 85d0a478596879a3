"""A carrier whose requests are timed, counted and logged; for dispatch, which knows nothing of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from services.carriers.ports import (
    Answer,
    Carrier,
    CodeClass,
    CutShort,
    Receipt,
    ReceiptsAnswer,
    ReceiptsRequest,
    Submission,
)
from services.errors import NotTaken, RequestRefused, Unanswered

log = structlog.get_logger()

# What is told of each batch: the result, its seconds, and how many messages had which outcome.
Told = Callable[[str, float, Mapping[str, int]], None]


class ObservedCarrier:
    """Does what the carrier does. It has the port's methods only, so what else a carrier can do is asked of itself."""

    def __init__(self, carrier: Carrier, told: Told, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._carrier = carrier
        self._told = told
        self._monotonic = monotonic

    @property
    def max_numbers(self) -> int:
        """As the carrier."""
        return self._carrier.max_numbers

    @property
    def max_numbers_with_values(self) -> int:
        """As the carrier."""
        return self._carrier.max_numbers_with_values

    @property
    def opted_out_codes(self) -> frozenset[str]:
        """As the carrier."""
        return self._carrier.opted_out_codes

    @property
    def echoes_reference(self) -> bool:
        """As the carrier."""
        return self._carrier.echoes_reference

    @property
    def longest_seconds(self) -> float:
        """As the carrier."""
        return self._carrier.longest_seconds

    async def submit(self, submission: Submission) -> Answer:
        """As the carrier, whatever comes of it."""
        size = len(submission.numbers)
        began = self._monotonic()
        result, outcomes = "broken", {"unknown": size}
        try:
            answer = await self._carrier.submit(submission)
            result, outcomes = "answered", _outcomes(answer, size)
        except NotTaken:
            result, outcomes = "not_taken", {"not_taken": size}
            raise
        except RequestRefused:
            result, outcomes = "refused", {"refused": size}
            raise
        except Unanswered:
            result = "unanswered"
            raise
        except CutShort as cut:
            outcomes = _outcomes(cut.answer, size)
            raise
        finally:
            seconds = self._monotonic() - began
            log.info("batch.ended", result=result, seconds=round(seconds, 3), **outcomes)
            self._told(result, seconds, outcomes)
        return answer

    def kind_of(self, code: str) -> CodeClass | None:
        """As the carrier."""
        return self._carrier.kind_of(code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """As the carrier."""
        return self._carrier.read_receipts(request)

    def receipts_answer(self) -> ReceiptsAnswer:
        """As the carrier."""
        return self._carrier.receipts_answer()

    async def close(self) -> None:
        """As the carrier."""
        await self._carrier.close()


def _outcomes(answer: Answer, size: int) -> dict[str, int]:
    """How many messages had which outcome; those that had none are left out."""
    accepted = sum(outcome.accepted for outcome in answer.outcomes.values())
    not_taken = len(answer.not_taken.keys() - answer.outcomes.keys())
    counts = {
        "accepted": accepted,
        "refused": len(answer.outcomes) - accepted,
        "not_taken": not_taken,
        "unknown": size - len(answer.outcomes) - not_taken,
    }
    return {outcome: count for outcome, count in counts.items() if count > 0}
