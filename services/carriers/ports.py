"""The port every carrier implements, and the values that cross it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from services.errors import NotTaken


@dataclass(frozen=True, slots=True)
class Submission:
    """One batch: one text for up to `Carrier.max_numbers` numbers.

    `reference` is the batch's own; the carrier echoes it in every receipt. `numbers` are E.164 without the plus.
    `sender` is the signature's channel number, empty where none was chosen; `text` is what arrives, signature included.
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
    """What became of a batch, as far as the carrier said.

    `not_taken` holds the numbers that provably were not taken while others were or may have been: they may be sent
    again. A submitted number in neither is unknown, never refused.
    """

    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    not_taken: Mapping[int, NotTaken] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one segment. `status` is final unless `pending`; `code` is the carrier's own word.

    Without a `reference` it is matched by `sms_id` and `number`.
    """

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
    """The carrier's callback as it came. Header names are lower case.

    `url` is the address the carrier called, PUBLIC_URL and query included: some sign it.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptsAnswer:
    """What the carrier wants to read so that it does not send the receipts again."""

    status: int
    content_type: str
    body: bytes


class UnreadableReceipts(Exception):
    """The callback is not in the carrier's format; the answer still says "do not send it again"."""


class ForeignReceipts(Exception):
    """The callback does not bear the carrier's signature: somebody else made it, and nothing of it is believed."""


class Carrier(Protocol):
    """One application's connection to its carrier."""

    @property
    def max_numbers(self) -> int:
        """The most numbers of a batch."""

    @property
    def echoes_reference(self) -> bool:
        """Whether every receipt holds the reference; else they are matched by SMS ID and number."""

    @property
    def longest_seconds(self) -> float:
        """No `submit` takes longer, so that a lease can outlive it."""

    async def submit(self, submission: Submission) -> Answer:
        """Hand one batch over. Raises NotTaken, RequestRefused or Unanswered (`services/errors.py`), nothing else;
        each of them is true of every number of the batch."""

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """The receipts in a callback. Raises UnreadableReceipts or ForeignReceipts."""

    def receipts_answer(self) -> ReceiptsAnswer:
        """The answer to a callback that was stored, or that cannot be read."""

    async def close(self) -> None:
        """Close connections."""
