"""What can go wrong, as data; the sentences people read are in `handlers/errors.py`.

ServiceError                       a person can act on it
├── UnknownThing                   no group, template, … of that name
├── NotAllowed                     it exists, but not like this
└── BadFile                        an uploaded file that cannot be read

CarrierError                       a carrier's request did not end in an answer per number
├── NotTaken                       provably not taken: may be tried again
├── RequestRefused                 the carrier refused the whole request
└── Unanswered                     nobody knows; never tried again by itself
"""

from __future__ import annotations

from collections.abc import Sequence


class ServiceError(Exception):
    """Expected; carries data for `handlers/errors.py` to put into words."""


class UnknownThing(ServiceError):
    """Nothing of this `kind` has this `name` in the workspace; `known` are names to suggest from."""

    def __init__(self, kind: str, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(f"unknown {kind}: {name!r}")
        self.kind, self.name, self.known = kind, name, tuple(known)


class NotAllowed(ServiceError):
    """Refused by a rule. `rule` names it; `facts` are the values its sentence needs."""

    def __init__(self, rule: str, **facts: object) -> None:
        super().__init__(f"{rule}: {facts}")
        self.rule, self.facts = rule, facts


class BadFile(ServiceError):
    """A file that cannot be imported. `why` is one of the keys in `BadFile.WHYS`."""

    WHYS = (
        "not_a_spreadsheet",
        "empty",
        "all_hidden",
        "no_number_column",
        "encrypted",
        "truncated",
        "too_large",
        "expands_too_much",
        "login_page",
        "not_downloadable",
        "unexpected",
    )

    def __init__(self, why: str, **facts: object) -> None:
        assert why in self.WHYS, why
        super().__init__(f"{why}: {facts}")
        self.why, self.facts = why, facts


class CarrierError(Exception):
    """`code` as the carrier wrote it, or ours in lower case; `reason` for logs and details."""

    retryable = False

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


class NotTaken(CarrierError):
    """The request provably never left, or the carrier said "slow down": no number of it was taken."""

    retryable = True

    def __init__(self, code: str, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(code, reason)
        self.retry_after_seconds = retry_after_seconds


class RequestRefused(CarrierError):
    """The carrier read the request and refused it whole (credentials, template, …): every number is refused."""


class Unanswered(CarrierError):
    """No readable answer after the request was written: every number of it is unknown."""
