"""What a carrier's codes mean in plain words, by the carrier's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.carriers import huawei, kannel, tencent, twilio
from services.carriers.codes import HTTP_CODES

_DESCRIBE: Mapping[str, Callable[[str], str]] = {
    "huawei": huawei.describe,
    "tencent": tencent.describe,
    "twilio": twilio.describe,
    "kannel": kannel.describe,
}


def describe(carrier: str, code: str) -> str:
    """The code itself where the carrier does not document it, and for a carrier nobody knows any more."""
    return _DESCRIBE.get(carrier, str)(code)


def is_unread(code: str) -> bool:
    """Whether it stands for an error page in the place of an answer, which leaves its messages unknown."""
    return HTTP_CODES.get(code) == "unread"
