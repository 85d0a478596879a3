"""Where a signature or a template stands, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handlers.views.words import bold, escape, several
from services.content import SIGNATURE_UNUSABLE, TYPE_UNKNOWN, NotShown
from services.elsewhere import Gap
from services.states import ApprovalStatus, ContentOrigin, Region, SmsType

REGIONS = {Region.MAINLAND: "mainland China", Region.INTERNATIONAL: "numbers outside mainland China"}
CARRIERS = {"huawei": "Huawei", "tencent": "Tencent", "twilio": "Twilio", "kannel": "Kannel"}

_NOT_SHOWN_MOST = 8


def carrier_name(carrier: str) -> str:
    """As it writes itself."""
    return CARRIERS.get(carrier, escape(carrier))


def not_shown(items: Sequence[NotShown]) -> str:
    """*spring* (pending) and *code* (verification)."""
    return several([f"{bold(each.name)} ({_why(each.why)})" for each in items], most=_NOT_SHOWN_MOST)


def gap_list(items: Sequence[Gap], write: Callable[[str], str]) -> str:
    """spring (its template has another text) and hello with 【Spring】 (…); `write` is how a name is written."""
    return several([f"{write(gap_name(each))} ({each.why})" for each in items])


def gap_name(gap: Gap) -> str:
    """A template, with the signature where another one would make it another text."""
    return gap.template if gap.signature is None else f"{gap.template} with 【{gap.signature}】"


def why_not_approved(what: str, name: str, status: str, reason: str | None, origin: str) -> str:
    """Why it cannot be chosen, and what to do; `what` is Template or Signature."""
    named, listed = f"{what} {bold(name)}", f"`/sms-{what.lower()}s`"
    because = f": {trimmed(reason)}" if reason else ""
    by_carrier = origin == ContentOrigin.CARRIER
    match status:
        case ApprovalStatus.PENDING if by_carrier:
            return f"{named} is still under review at the carrier. {listed} shows when that is over."
        case ApprovalStatus.PENDING:
            return f"{named} is not approved yet. Somebody other than its author has to approve it: see {listed}."
        case ApprovalStatus.REJECTED if by_carrier:
            return f"{named} was rejected by the carrier{because}. Choose another one, or apply for a better one."
        case ApprovalStatus.REJECTED:
            return f"{named} was rejected{because}. Edit it under {listed}, and it is looked at again."
        case _ if by_carrier:
            return f"{named} is no longer offered by the carrier{because}. Choose another one: {listed} lists them."
        case _ if origin == ContentOrigin.SETTINGS:
            return f"{named} is no longer in the settings. Choose another one: {listed} lists them."
        case _:
            return f"{named} is disabled{because}. Enable it under {listed}, or choose another one."


def trimmed(reason: str) -> str:
    """A reason as somebody wrote it, for the middle of a sentence of ours."""
    return escape(" ".join(reason.split()).rstrip(".。"))


def _why(why: str) -> str:
    if why == SIGNATURE_UNUSABLE:
        return "its signature is not approved"
    if why == TYPE_UNKNOWN:
        return "SMS type not known"
    return f"{why} only" if why in (SmsType.PROMOTIONAL, SmsType.NOTIFICATION) else why
