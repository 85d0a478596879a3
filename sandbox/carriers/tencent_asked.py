"""What Tencent's stand-in can be asked for: statuses of messages, and the account's signatures and templates."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_PULLED, MAX_LISTED, MAX_TEMPLATES = 100, 100, 200
SUBSCRIBER_DIGITS = 10


class Refused(Exception):
    """The whole request is refused."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Known:
    """What became of a message; it is told from `due` on, in the loop's time. `context` is empty where it is not
    echoed."""

    due: float
    number: str
    serial: str
    code: str
    context: str
    sent_at: datetime


class Asked:
    """`queue_enabled` is what support enables: PullSmsSendStatus, which tells each status once. `signatures` and
    `templates` are entries as the lists give them; `refuses` holds numbers that it refuses to be asked about, with the
    code."""

    def __init__(self, sdk_app_id: str) -> None:
        self.queue_enabled = False
        self.refuses: dict[str, str] = {}
        self.signatures: list[dict[str, Any]] = []
        self.templates: list[dict[str, Any]] = []
        self._app = sdk_app_id
        self._known: list[Known] = []
        self._queue: deque[Known] = deque()

    def will_know(self, known: Known) -> None:
        """From its time on it can be asked for."""
        self._known.append(known)
        self._queue.append(known)

    def answer(self, action: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """What goes into `Response`. Raises Refused."""
        return ACTIONS[action](self, fields)

    def pull(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """PullSmsSendStatus."""
        if not self.queue_enabled:
            raise Refused("UnauthorizedOperation.RequestPermissionDeny", "The interface is not enabled")
        limit = self._limit(fields)
        ready, later = list[Known](), list[Known]()
        for known in self._queue:
            (ready if _is_due(known) and len(ready) < limit else later).append(known)
        self._queue = deque(later)
        return {"PullSmsSendStatusSet": [_status(known) for known in ready]}

    def pull_number(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """PullSmsSendStatusByPhoneNumber."""
        limit, begin = self._limit(fields), fields.get("BeginTime")
        if not isinstance(begin, int) or fields.get("Offset") != 0:
            raise Refused("InvalidParameterValue.BeginTimeVerifyFail", "BeginTime or Offset is wrong")
        if (code := self.refuses.get(str(fields.get("PhoneNumber")))) is not None:
            raise Refused(code, "No question about this number")
        found = [
            _status(known)
            for known in self._known
            if known.number == fields.get("PhoneNumber") and _is_due(known) and known.sent_at.timestamp() >= begin
        ]
        return {"PullSmsSendStatusSet": found[:limit]}

    def list_signatures(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeSmsSignList."""
        return {"DescribeSignListStatusSet": _page(self.signatures, fields)}

    def list_templates(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeSmsTemplateList."""
        return {"DescribeTemplateStatusSet": _page(self.templates, fields)}

    def add_template(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """AddSmsTemplate; it is under review from then on."""
        names = ("TemplateName", "TemplateContent", "SmsType", "International", "Remark")
        if missing := [name for name in names if name not in fields]:
            raise Refused("MissingParameter", f"{missing[0]} is missing")
        content = str(fields["TemplateContent"])
        if fields["SmsType"] == 1 and not content.endswith("拒收请回复R"):
            raise Refused("InvalidParameterValue.MarketingTemplateWithoutUnsubscribe", "It must end in 拒收请回复R")
        if len(self.templates) >= MAX_TEMPLATES:
            raise Refused("FailedOperation.TemplateNumberLimit", "There are 200 templates")
        made = {
            "TemplateId": 1_000_000 + len(self.templates),
            "International": fields["International"],
            "StatusCode": 1,
            "ReviewReply": "",
            "TemplateName": fields["TemplateName"],
            "CreateTime": 0,
            "TemplateContent": content,
        }
        self.templates.append(made)
        return {"AddTemplateStatus": {"TemplateId": str(made["TemplateId"])}}

    def _limit(self, fields: Mapping[str, Any]) -> int:
        if fields.get("SmsSdkAppId") != self._app:
            raise Refused("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "The SmsSdkAppId is wrong")
        limit = fields.get("Limit")
        if not isinstance(limit, int) or not 1 <= limit <= MAX_PULLED:
            raise Refused("InvalidParameterValue.LimitVerifyFail", "Limit is wrong")
        return limit


def _is_due(known: Known) -> bool:
    return asyncio.get_running_loop().time() >= known.due


def _status(known: Known) -> dict[str, Any]:
    return {
        "UserReceiveTime": int(known.sent_at.timestamp()),
        "CountryCode": known.number[1:-SUBSCRIBER_DIGITS],
        "SubscriberNumber": known.number[-SUBSCRIBER_DIGITS:],
        "PhoneNumber": known.number,
        "SerialNo": known.serial,
        "ReportStatus": "SUCCESS" if known.code == "DELIVRD" else "FAIL",
        "Description": known.code,
        "SessionContext": known.context,
    }


def _page(entries: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if fields.get("International") not in (0, 1):
        raise Refused("InvalidParameterValue.InvalidInternational", "International is 0 or 1")
    limit, offset = int(fields.get("Limit", 10)), int(fields.get("Offset", 0))
    if not 1 <= limit <= MAX_LISTED or offset < 0:
        raise Refused("InvalidParameterValue.LimitVerifyFail", "Limit or Offset is wrong")
    chosen = [each for each in entries if each["International"] in (fields["International"], 3)]
    return list(chosen[offset : offset + limit])


ACTIONS: Mapping[str, Callable[[Asked, Mapping[str, Any]], Mapping[str, Any]]] = {
    "PullSmsSendStatus": Asked.pull,
    "PullSmsSendStatusByPhoneNumber": Asked.pull_number,
    "DescribeSmsSignList": Asked.list_signatures,
    "DescribeSmsTemplateList": Asked.list_templates,
    "AddSmsTemplate": Asked.add_template,
}
