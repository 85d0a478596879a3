"""A stand-in for Huawei Cloud Message & SMS on 127.0.0.1: POST /sms/batchSendSms/v1 and its status reports.

It checks the SDK-HMAC-SHA256 signature and refuses what Huawei's reference says is refused; what it takes is logged
number by number, and each segment's report is sent to `statusCallback`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from aiohttp import web

from sandbox.carriers.huawei_checks import (
    VARIABLE,
    Form,
    Refused,
    canonical_number,
    check_signature,
    read_form,
    segments,
)
from sandbox.carriers.receipts import form as post_form
from sandbox.carriers.server import Accepted, CarrierSandbox, Fate, Reply, json_reply

PATH = "/sms/batchSendSms/v1"
APP_KEY = "demo-key"
APP_SECRET = "demo-secret"
DELIVERED = "DELIVRD"
TIME = "%Y-%m-%dT%H:%M:%SZ"


MAGIC = {
    "001": Fate("UNDELIV"),
    "002": Fate("MBBLACK"),
    "003": Fate("EXPIRED"),
    "004": Fate(receipt=None),
    "005": Fate(receipt=None, refused="E200025"),
    "006": Fate(DELIVERED, late=True),
}
ORDINARY = Fate(DELIVERED)


def fate(number: str) -> Fate:
    """By the last three digits."""
    return MAGIC.get(number[-3:], ORDINARY)


class HuaweiSandbox(CarrierSandbox):
    """`senders` and `templates` (template id to full text, signature included, variables as `${1}`) are checked only
    where given.
    """

    def __init__(
        self,
        *,
        app_key: str = APP_KEY,
        app_secret: str = APP_SECRET,
        senders: Collection[str] | None = None,
        templates: Mapping[str, str] | None = None,
        strict_signature: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._key, self._secret, self._strict = app_key, app_secret, strict_signature
        self._senders, self._templates = senders, templates

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(PATH, self.answer)]

    def slow_down(self, seconds: float) -> Reply:
        """The platform's queue is full."""
        return json_reply("E200015", {"code": "E200015", "description": "Too many messages are waiting"})

    def take(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            if self._strict:
                check_signature(
                    request.method, request.path, headers, body, key=self._key, secret=self._secret, now=self.now()
                )
            form = read_form(headers.get("content-type", ""), body)
        except Refused as refused:
            answer = {"code": refused.code, "description": refused.description}
            return json_reply(refused.code, answer, refused.http_status)
        results = self._settle(form)
        good = all(result["status"] == "000000" for result in results)
        code, description = ("000000", "Success") if good else ("E000510", "The SMS fails to be sent; see status")
        return json_reply(code, {"code": code, "description": description, "result": results})

    def _settle(self, form: Form) -> list[dict[str, Any]]:
        whole, parts = self._refused_whole(form), segments(self._text(form))
        now, batch, seen, results = self.now(), uuid4(), set[str](), []
        for index, written in enumerate(form.numbers, 1):
            number = canonical_number(written)
            status = whole or _status(number, seen)
            sms_id = f"{batch}_{index}"
            results.append(
                {
                    "total": parts,
                    "originTo": written,
                    "createTime": now.strftime(TIME),
                    "from": form.sender,
                    "smsMsgId": sms_id,
                    "countryId": "CN" if number and number.startswith("+86") else "",
                    "status": status,
                }
            )
            if number and status == "000000":
                seen.add(number)
                self.log.append(Accepted(number, form.reference, sms_id, form.template, form.sender, parts, now))
                if form.callback:
                    self._report(number, sms_id, parts, form)
        return results

    def _refused_whole(self, form: Form) -> str | None:
        """The status every number gets where sender, template or variables are wrong."""
        if self._senders is not None and form.sender not in self._senders:
            return "E200018"
        if self._templates is None:
            return None
        if form.template not in self._templates:
            return "E200030"
        wanted = set(VARIABLE.findall(self._templates[form.template]))
        return "E200028" if len(wanted) != len(form.variables) else None

    def _text(self, form: Form) -> str:
        text = (self._templates or {}).get(form.template, "")
        values = dict(zip(dict.fromkeys(VARIABLE.findall(text)), form.variables, strict=False))
        return form.signature + VARIABLE.sub(lambda found: values.get(found[0], ""), text)

    def _report(self, number: str, sms_id: str, parts: int, form: Form) -> None:
        end = fate(number)
        if end.receipt is None:
            return
        delay = self.delay(end)
        for part in range(1, parts + 1):
            fields = {
                "sequence": str(part),
                "total": str(parts),
                "orgCode": "000" if end.receipt == DELIVERED else end.receipt,
                "source": "2",
                "smsMsgId": sms_id,
                "status": end.receipt,
                "statusDesc": "Success" if end.receipt == DELIVERED else "The message was not delivered",
            }
            if form.reference:
                fields |= {"extend": form.reference, "to": number}
            if end.receipt == "EXPIRED":
                fields["source"] = "1"
            else:
                fields["updateTime"] = (self.now() + timedelta(seconds=delay)).strftime(TIME)
            self.receipts.schedule(delay, post_form(form.callback, fields))


def _status(number: str | None, seen: Collection[str]) -> str:
    if number is None:
        return "E200025"
    if number in seen:
        return "E200041"
    return fate(number).refused or "000000"
