"""The port every carrier implements, and the values that cross it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Submission:
    """One request: one text for up to `Carrier.max_numbers` numbers.

    `reference` is the batch's own; the carrier echoes it in every receipt. `numbers` are E.164 without the plus.
    `signature` is None where the template belongs to a signature (Huawei wants it only with a universal template).
    """

    reference: str
    numbers: Sequence[int]
    sender: str
    template_code: str
    text: str
    signature: str | None = None
    variables: Sequence[str] = ()
    receipts_url: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the carrier answered for one number. `segments` is None where it does not say."""

    accepted: bool
    code: str
    sms_id: str | None = None
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A readable answer. A submitted number that `outcomes` does not hold is unknown, never refused."""

    outcomes: Mapping[int, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one segment. `status` is final unless `pending`; `code` is the carrier's own word."""

    status: Literal["delivered", "failed", "pending"]
    code: str
    sms_id: str
    reference: str | None = None
    number: int | None = None
    sequence: int = 1
    total: int = 1
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReceiptsRequest:
    """The carrier's callback as it came. Header names are lower case."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ReceiptsAnswer:
    """What the carrier wants to read so that it does not send the receipts again."""

    status: int
    content_type: str
    body: bytes


class UnreadableReceipts(Exception):
    """The callback is not in the carrier's format; the answer still says "do not send it again"."""


class Carrier(Protocol):
    """One application's connection to its carrier."""

    @property
    def max_numbers(self) -> int:
        """The most numbers one request takes."""

    async def submit(self, submission: Submission) -> Answer:
        """Hand one batch over. Raises NotTaken, RequestRefused or Unanswered (`services/errors.py`), nothing else."""

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """The receipts in a callback. Raises UnreadableReceipts."""

    def receipts_answer(self) -> ReceiptsAnswer:
        """The answer to a callback that was stored, or that cannot be read."""

    async def close(self) -> None:
        """Close connections."""
