"""A stand-in for Huawei Cloud Message & SMS on 127.0.0.1: batchSendSms and batchSendDiffSms, status reports, answers.

It checks the SDK-HMAC-SHA256 signature or WSSE and refuses what Huawei's reference says is refused; what it takes is
logged number by number, and each segment's report is sent to `statusCallback`. Its management API is in
`huawei_management.py`.
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
    check_wsse,
    read_diff,
    read_form,
    segments,
    sign_callback,
)
from sandbox.carriers.huawei_management import Management
from sandbox.carriers.receipts import Delivery
from sandbox.carriers.receipts import form as post_form
from sandbox.carriers.server import Accepted, CarrierSandbox, Fate, Reply, json_reply

PATH, DIFF_PATH = "/sms/batchSendSms/v1", "/sms/batchSendDiffSms/v1"
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
    where given. With `signs_callbacks` its reports are signed, as a customer can ask for.
    """

    def __init__(
        self,
        *,
        app_key: str = APP_KEY,
        app_secret: str = APP_SECRET,
        senders: Collection[str] | None = None,
        templates: Mapping[str, str] | None = None,
        strict_signature: bool = True,
        signs_callbacks: bool = False,
        management: Management | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._key, self._secret, self._strict = app_key, app_secret, strict_signature
        self._senders, self._templates = senders, templates
        self._signs_callbacks = signs_callbacks
        self.management = management or Management()

    def routes(self) -> Sequence[web.RouteDef]:
        managed = "/v2/{project}/msgsms/{kind:apps|signatures|templates}"
        return [
            web.post(PATH, self.answer),
            web.post(DIFF_PATH, self.answer),
            web.get(managed, self.answer),
            web.post(managed, self.answer),
            web.get(managed + "/{id}", self.answer),
        ]

    def slow_down(self, seconds: float) -> Reply:
        """The platform's queue is full."""
        return json_reply("E200015", {"code": "E200015", "description": "Too many messages are waiting"})

    def take(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> Reply:
        if "kind" in request.match_info:
            return self.management.take(request, headers, body, self.now())
        content_type = headers.get("content-type", "")
        try:
            if self._strict:
                self._check(request, headers, body)
            is_diff = request.path == DIFF_PATH
            forms = read_diff(content_type, body) if is_diff else [read_form(content_type, body)]
        except Refused as refused:
            answer = {"code": refused.code, "description": refused.description}
            return json_reply(refused.code, answer, refused.http_status)
        results = self._settle(forms)
        good = all(result["status"] == "000000" for result in results)
        code, description = ("000000", "Success") if good else ("E000510", "The SMS fails to be sent; see status")
        return json_reply(code, {"code": code, "description": description, "result": results})

    def reply_delivery(self, number: str, text: str) -> Delivery:
        fields = {"smsMsgId": f"{uuid4()}_1", "from": number, "to": "1069031221280000001", "body": text}
        return post_form(self.reply_callback, fields | {"createTime": self.now().strftime(TIME)})

    def _check(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> None:
        if headers.get("authorization", "").startswith("WSSE"):
            check_wsse(headers, key=self._key, secret=self._secret, now=self.now())
            return
        check_signature(request.method, request.path, headers, body, key=self._key, secret=self._secret, now=self.now())

    def _settle(self, forms: Sequence[Form]) -> list[dict[str, Any]]:
        seen: set[tuple[str, str]] = set()
        batch, results = uuid4(), list[dict[str, Any]]()
        for form in forms:
            results += self._settle_entry(form, f"{batch}_{len(results)}", seen)
        return results

    def _settle_entry(self, form: Form, batch: str, seen: set[tuple[str, str]]) -> list[dict[str, Any]]:
        text = self._text(form)
        whole, parts, now, results = self._refused_whole(form), segments(text), self.now(), []
        for index, written in enumerate(form.numbers, 1):
            number = canonical_number(written)
            status = whole or _status(number, text, seen)
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
                seen.add((number, text))
                self.log.append(Accepted(number, form.reference, sms_id, form.template, form.sender, parts, now, text))
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
            self.receipts.schedule(delay, self._delivery(form.callback, fields))

    def _delivery(self, callback: str, fields: Mapping[str, str]) -> Delivery:
        delivery = post_form(callback, fields)
        if not self._signs_callbacks:
            return delivery
        signed = sign_callback(callback, delivery.body, key=self._key, secret=self._secret, now=self.now())
        return post_form(callback, fields, signed)


def _status(number: str | None, text: str, seen: Collection[tuple[str, str]]) -> str:
    if number is None:
        return "E200025"
    if (number, text) in seen:
        return "E200041"
    return fate(number).refused or "000000"
