"""What carriers' codes mean. Every code has one class, and every class one consequence:

accepted          the number was taken
refused_number    refused: this number cannot be sent to
refused_content   refused: the text, template, variables or signature would have to change
refused_account   refused: whoever looks after the account has to act; what was not sent yet of the batch is refused too
quota             refused: a limit of this number is used up, and waiting a moment does not help
quota_account     refused: a limit of the whole account is used up; like refused_account it is the same for every number
refused_hour      refused: not at this hour, whoever sends it; the same for every number, too
retryable         not taken: the carrier's own "slow down"; sent again later
unknown           nobody knows: never sent again by itself
unread            nobody knows, for an error page came in the place of an answer; the next request would most likely end
                  alike, as with a wrong address or credentials

At a class in SAME_FOR_ALL the task pauses. At one in ACCOUNT_WIDE another account may be better off, and only there may
one take over (services/failover.py).

A code that no table lists, inside a well-formed answer, is refused, kept as the carrier wrote it, and logged with what
the carrier says beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

import structlog

from services.carriers.ports import Answer, CodeClass, Outcome
from services.errors import NotTaken, Unanswered

log = structlog.get_logger()

ACCOUNT_WIDE: frozenset[CodeClass | None] = frozenset({"refused_account", "quota_account"})
SAME_FOR_ALL = ACCOUNT_WIDE | {"refused_hour", "unread"}

MAX_WORD = 128  # longer than any identifier a carrier documents
MAX_SENTENCE = 200

_NO_TEXTS: Mapping[str, object] = {}
# What may be somebody's number; codes are shorter.
_DIGITS = re.compile(r"\d(?:[ .()-]{0,2}\d){6,}")


class Code(NamedTuple):
    """A class and its plain words: no capital at the start, no full stop at the end."""

    kind: CodeClass
    text: str


# A status by itself refuses nothing: who wrote the page may stand behind a carrier that has taken the request. Timeouts
# (408) and what is no refusal pass by themselves.
HTTP_CODES: dict[str, CodeClass] = {
    f"http_{status}": "unread" for status in range(300, 500) if status not in (408, 429)
}


def kind_of(codes: Mapping[str, Code], code: str) -> CodeClass | None:
    """The class of a carrier's code, or of the HTTP status that was all there was; None where nothing is known."""
    return codes[code].kind if code in codes else HTTP_CODES.get(code)


def unread(status: int) -> Unanswered:
    """An answer of this status that is none of the carrier's."""
    return Unanswered(f"http_{status}", "the answer cannot be read")


def settle(
    said: Mapping[int, Outcome],
    asked: int,
    codes: Mapping[str, Code],
    carrier: str,
    texts: Mapping[str, object] = _NO_TEXTS,
) -> Answer:
    """Sort what the carrier said of each number by the class of its code; `asked` is how many numbers were submitted,
    and `texts` what it said beside a code.

    Raises NotTaken where no number was taken.
    """
    outcomes: dict[int, Outcome] = {}
    not_taken: dict[int, NotTaken] = {}
    unlisted = set()
    for number, outcome in said.items():
        known = None if outcome.accepted else codes.get(outcome.code)
        if known is None:
            outcomes[number] = outcome
            if not outcome.accepted:
                unlisted.add(outcome.code)
        elif known.kind == "retryable":
            not_taken[number] = NotTaken(outcome.code, known.text)
        elif known.kind != "unknown":
            outcomes[number] = outcome
    if unlisted:
        told = {loggable(code): loggable(texts.get(code)) for code in sorted(unlisted)}
        log.warning("carrier.codes_unlisted", carrier=carrier, codes=told)
    if not_taken and len(not_taken) == asked:
        raise next(iter(not_taken.values()))
    return Answer(outcomes, not_taken)


def loggable(said: object) -> str:
    """A carrier's own sentence as a log may have it: without numbers, and short. Empty for anything that is none."""
    return _DIGITS.sub("…", said)[:MAX_SENTENCE] if isinstance(said, str) else ""


def word(value: object) -> str | None:
    """An identifier as carriers write them; None for anything that is none, or that a database would not take."""
    # unprintable covers NUL and lone surrogates
    return value if value.__class__ is str and 0 < len(value) <= MAX_WORD and value.isprintable() else None


def e164(value: object) -> int | None:
    """An E.164 number with or without its plus."""
    digits = value.strip().removeprefix("+") if isinstance(value, str) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 15 else None


def segment_count(value: object) -> int | None:
    """A positive number of segments, written as a number or as text."""
    if value.__class__ is int and 1 <= value <= 1000:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000 else None


def phrase(status: int) -> str:
    """An HTTP status with its name."""
    return f"{status} {HTTPStatus(status).phrase}"
