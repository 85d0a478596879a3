"""The port every carrier implements, and the values that cross it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from services.errors import NotTaken, Unanswered

CodeClass = Literal[
    "accepted",
    "refused_number",
    "refused_content",
    "refused_account",
    "quota",
    "quota_account",
    "refused_hour",
    "retryable",
    "unknown",
    "unread",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most numbers of a batch, or of a request: where all get the same text, and where each has its own values."""

    plain: int
    with_values: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One batch of up to `Carrier.max_numbers` numbers, or `max_numbers_with_values` where it has values; no number
    stands in it twice.

    `reference` is the batch's own; the carrier echoes it in every receipt. `numbers` are E.164 without the plus.
    `sender` is the signature's channel number, empty where none was chosen; `text` is what arrives, signature included.
    `signature` is None where the template belongs to a signature (Huawei wants it only with a universal template).

    Where the template has variables, `values` holds what fills them for every number, in the order the carrier takes
    them, and `texts` what arrives at each; both are empty where all numbers get the one `text`.
    """

    reference: str
    numbers: Sequence[int]
    sender: str
    template_code: str
    text: str
    signature: str | None = None
    receipts_url: str | None = None
    values: Mapping[int, Sequence[str]] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)

    def values_for(self, number: int) -> Sequence[str]:
        """What fills the template's variables for this number; empty where it has none."""
        return self.values.get(number, ())

    def text_for(self, number: int) -> str:
        """What arrives at this number."""
        return self.texts.get(number, self.text)


class Outcome(NamedTuple):
    """What the carrier answered for one number. `segments` is None where it does not say.

    A tuple, because one is made for every message, and those are made in a third of the time.
    """

    accepted: bool
    code: str
    sms_id: str | None = None
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch, as far as the carrier said.

    `not_taken` holds the numbers that provably were not taken while others were or may have been: they may be sent
    again. A submitted number in neither is unknown, never refused; `unanswered` says why, of those whose own request
    had no answer.
    """

    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    not_taken: Mapping[int, NotTaken] = field(default_factory=dict)
    unanswered: Mapping[int, Unanswered] = field(default_factory=dict)


class CutShort(asyncio.CancelledError):
    """A `submit` was cancelled, and this much is known: `answer` is what was answered by then, and its `not_taken` are
    the numbers whose request was not begun. The others' request was under way: unknown.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


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
class Reply:
    """What a person answered. `sms_id` is the carrier's id of the answer, empty where it gives none.

    `opts_out` is the carrier's own verdict (True: out, False: back in), None where it leaves that to us.
    """

    number: int
    text: str
    sms_id: str = ""
    at: datetime | None = None
    opts_out: bool | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A message without a final word, as a carrier can be asked about it. It was handed over by `at`, and at most some
    minutes before."""

    number: int
    sms_id: str | None
    reference: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CarrierSignature:
    """A signature as the carrier's API lists it. `status` is an ApprovalStatus, `sms_type` None for every type."""

    name: str
    status: str
    channel_number: str = ""
    sms_type: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierTemplate:
    """A template as the carrier's API lists it. `signature` is None where it belongs to none, `sms_type` where the API
    does not say it."""

    code: str
    name: str
    text: str
    sms_type: str | None
    status: str
    signature: str | None = None
    reason: str | None = None


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
    """The callback is not in the carrier's format; the answer still says "do not send it again".

    Where a part of it can be read, `receipts` is what that says, and `rest` is the other part.
    """

    def __init__(self, why: str, receipts: Sequence[Receipt] = (), rest: bytes = b"") -> None:
        super().__init__(why)
        self.receipts, self.rest = receipts, rest


class ForeignReceipts(Exception):
    """The callback does not bear the carrier's signature: somebody else made it, and nothing of it is believed."""


class Carrier(Protocol):
    """One application's connection to its carrier."""

    @property
    def max_numbers(self) -> int:
        """The most numbers of a batch."""

    @property
    def max_numbers_with_values(self) -> int:
        """The same where the numbers of a batch have values of their own."""

    @property
    def echoes_reference(self) -> bool:
        """Whether every receipt holds the reference; else they are matched by SMS ID and number."""

    @property
    def opted_out_codes(self) -> frozenset[str]:
        """The codes, of outcomes and receipts, that say the person wants no more promotional SMS."""

    @property
    def longest_seconds(self) -> float:
        """No `submit` takes longer, so that a lease can outlive it."""

    async def submit(self, submission: Submission) -> Answer:
        """Hand one batch over. Raises NotTaken, RequestRefused or Unanswered (`services/errors.py`), nothing else;
        each of them is true of every number of the batch. Cancelled, it raises CutShort where a part may be told from
        the rest."""

    def kind_of(self, code: str) -> CodeClass | None:
        """What a code of an answer means (`services/carriers/codes.py`); None for one that is not listed."""

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """The receipts in a callback. Raises UnreadableReceipts or ForeignReceipts."""

    def receipts_answer(self) -> ReceiptsAnswer:
        """The answer to a callback that was stored, or that cannot be read."""

    async def close(self) -> None:
        """Close connections."""


@runtime_checkable
class PullsReceipts(Protocol):
    """A carrier that can be asked what became of messages."""

    def pull_receipts(self, unsettled: Sequence[Unsettled]) -> AsyncGenerator[Sequence[Receipt], None]:
        """What it knows of some of these, within its limits, or of others; as it learns it, for it may wait in between
        as long as its rate says. Raises CarrierError, where asking about any other would fail likewise."""


@runtime_checkable
class ReadsReplies(Protocol):
    """A carrier that calls us with what people answer."""

    def read_replies(self, request: ReceiptsRequest) -> Sequence[Reply]:
        """The replies in a callback. Raises UnreadableReceipts or ForeignReceipts."""

    def replies_answer(self) -> ReceiptsAnswer:
        """The answer to a callback that was stored, or that cannot be read."""


@runtime_checkable
class SyncsContent(Protocol):
    """A carrier whose API lists signatures and templates and takes new ones: their status is its word."""

    async def list_signatures(self) -> Sequence[CarrierSignature]:
        """All of the application's. Raises CarrierError."""

    async def list_templates(self) -> Sequence[CarrierTemplate]:
        """All of the application's. Raises CarrierError."""

    async def add_template(self, name: str, text: str, sms_type: str, signature: str | None) -> str:
        """Apply for a template; its code at the carrier. Raises CarrierError."""
