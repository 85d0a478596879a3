"""What Twilio's codes and statuses mean.

Some meanings of codes from 30001 on are general knowledge, as Twilio's error pages were not at hand.
"""

from __future__ import annotations

from typing import Literal

from services.carriers.codes import Code

MAX_TEXT = 1600

BODY_TOO_LONG = "21617"
_KEYS = "the credentials are wrong: check account_sid and auth_token"
_UNREACHABLE = "the phone is off or out of reach"

CODES: dict[str, Code] = {
    "20003": Code("refused_account", _KEYS),
    "20404": Code("refused_account", "there is no such account: check account_sid"),
    "20429": Code("retryable", "too many requests"),
    "21211": Code("refused_number", "the number is not valid"),
    "21408": Code("refused_number", "the account may not send to this country"),
    "21606": Code("refused_number", "the sender cannot reach this number"),
    "21608": Code("refused_number", "a trial account may send to verified numbers only"),
    "21610": Code("refused_number", "the person has unsubscribed"),
    "21612": Code("refused_number", "no route leads from the sender to this number"),
    "21614": Code("refused_number", "the number is not a mobile number"),
    BODY_TOO_LONG: Code("refused_content", f"the text is over {MAX_TEXT} characters"),
    "30001": Code("refused_account", "too many messages were waiting for the sender"),
    "30002": Code("refused_account", "the account is suspended"),
    "30003": Code("refused_number", _UNREACHABLE),
    "30004": Code("refused_number", "the operator or the person blocks the message"),
    "30005": Code("refused_number", "the number does not exist, or is out of reach"),
    "30006": Code("refused_number", "the number is a landline, or its operator cannot be reached"),
    "30007": Code("refused_content", "the text was filtered as unwanted"),
    "30008": Code("refused_number", "the operator does not say why it could not be delivered"),
    "35114": Code("refused_content", "the time to send at is malformed"),
    "35115": Code("refused_content", "the time to send at is out of the allowed window"),
}

STATUSES: dict[str, Literal["delivered", "failed", "pending"]] = {
    **dict.fromkeys(("queued", "accepted", "scheduled", "sending", "sent", "partially_delivered"), "pending"),
    **dict.fromkeys(("delivered", "read"), "delivered"),
    **dict.fromkeys(("undelivered", "failed", "canceled"), "failed"),
}

_STATUS_WORDS = {
    "sent": "on its way",
    "delivered": "delivered",
    "read": "delivered and read",
    "undelivered": "could not be delivered",
    "failed": "could not be sent",
    "canceled": "cancelled at Twilio",
}


def describe(code: str) -> str:
    """A code of an answer or a receipt in plain words; the code itself where it is not listed."""
    return CODES[code].text if code in CODES else _STATUS_WORDS.get(code, code)
