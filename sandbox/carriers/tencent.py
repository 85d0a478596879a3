"""A stand-in for Tencent Cloud SMS on 127.0.0.1: POST / with its actions, and its delivery reports.

It checks the TC3-HMAC-SHA256 signature, and refuses what Tencent's reference says is refused: the whole request with
`Response.Error` at HTTP 200, or single numbers in `SendStatusSet`. Templates and signatures, and reports that are asked
for, are in `tencent_asked.py`. Reports go as JSON lists of up to 100 to `callback`,
which is set in the console and so belongs to the account; a push that is not answered with `"result": 0` is made twice
more.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiohttp import web

from sandbox.carriers.receipts import Delivery
from sandbox.carriers.server import Accepted, CarrierSandbox, Fate, Reply, json_reply
from sandbox.carriers.tencent_asked import ACTIONS, Asked, Known, Refused

SECRET_ID = "AKIDdemo"
SECRET_KEY = "demo-secret"
SDK_APP_ID = "1400000001"
MAX_NUMBERS = 200
MAX_CONTEXT = 511
MAX_PUSH = 100
TRIES = 3
CLOCK_SKEW = timedelta(minutes=5)
SHANGHAI = timedelta(hours=8)
VARIABLE = re.compile(r"\{\d+\}")
AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<date>\d{4}-\d\d-\d\d)/sms/tc3_request, ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)

MAGIC = {
    "001": Fate("UNDELIV"),
    "002": Fate("TSBLACK"),
    "003": Fate("EXPIRED"),
    "004": Fate(receipt=None),
    "005": Fate(receipt=None, refused="FailedOperation.PhoneNumberInBlacklist"),
    "006": Fate("DELIVRD", late=True),
}
ORDINARY = Fate("DELIVRD")

FIELDS = {
    "SendSms": "PhoneNumberSet SmsSdkAppId TemplateId SignName TemplateParamSet ExtendCode SessionContext SenderId",
    "SendMultiGlobalSms": "SmsSdkAppId MultiSmsInfoSet",
}


def check_signature(headers: Mapping[str, str], body: bytes, *, secret_id: str, secret_key: str, now: datetime) -> None:
    """TC3-HMAC-SHA256 of a POST to `/`; `headers` have lower-case names. Raises Refused."""
    given = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if given is None:
        raise Refused("AuthFailure.InvalidAuthorization", "Authorization is missing or malformed")
    if given["id"] != secret_id:
        raise Refused("AuthFailure.SecretIdNotFound", "The SecretId is not found")
    stamp = headers.get("x-tc-timestamp", "")
    at = datetime.fromtimestamp(int(stamp), UTC) if re.fullmatch(r"\d{1,11}", stamp) else None
    if at is None or abs(now - at) > CLOCK_SKEW or f"{at:%Y-%m-%d}" != given["date"]:
        raise Refused("AuthFailure.SignatureExpire", "The signature has expired")
    names = given["signed"].split(";")
    if not {"content-type", "host"} <= set(names) or not set(names) <= set(headers):
        raise Refused("AuthFailure.SignatureFailure", "content-type and host must be signed")
    lines = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in names)
    canonical = f"POST\n/\n\n{lines}\n{given['signed']}\n{hashlib.sha256(body).hexdigest()}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{stamp}\n{given['date']}/sms/tc3_request\n{digest}"
    key = ("TC3" + secret_key).encode()
    for part in (given["date"], "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), given["signature"]):
        raise Refused("AuthFailure.SignatureFailure", "The signature does not match")


class TencentSandbox(CarrierSandbox):
    """`signatures` (the texts approved) and `templates` (template id to full text, signature included, variables as
    `{1}`) are checked only where given. `echoes_context` is what support enables: reports with our `SessionContext`.
    Whoever answers TD or alike is on the block list from then on. `asked` is what it knows of content and reports.
    """

    def __init__(
        self,
        *,
        secret_id: str = SECRET_ID,
        secret_key: str = SECRET_KEY,
        sdk_app_id: str = SDK_APP_ID,
        signatures: Collection[str] | None = None,
        templates: Mapping[str, str] | None = None,
        callback: str = "",
        echoes_context: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.callback = callback
        self._id, self._key, self._app = secret_id, secret_key, sdk_app_id
        self._signatures, self._templates = signatures, templates
        self._echoes_context = echoes_context
        self._blocked: set[str] = set()
        self.asked = Asked(sdk_app_id)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/", self.answer)]

    def slow_down(self, seconds: float) -> Reply:
        return _error("RequestLimitExceeded", "Your current request times exceed the limit")

    def take(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            check_signature(headers, body, secret_id=self._id, secret_key=self._key, now=self.now())
            fields = self._read(headers, body)
            action = headers["x-tc-action"]
            if action in ACTIONS:
                found = self.asked.answer(action, fields)
                return json_reply("Ok", {"Response": {**found, "RequestId": str(uuid4())}})
        except Refused as refused:
            return _error(refused.code, refused.message)
        name = "SendStatusSet" if action == "SendSms" else "SendMultiStatusSet"
        each = self._settle(fields) if action == "SendSms" else self._settle_each(fields["MultiSmsInfoSet"])
        worst = next((status["Code"] for status in each if status["Code"] != "Ok"), "Ok")
        return json_reply(worst, {"Response": {name: self._shuffled(each), "RequestId": str(uuid4())}})

    def _read(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        action = headers.get("x-tc-action", "")
        if action not in (*FIELDS, *ACTIONS):
            raise Refused("InvalidAction", "The action does not exist")
        if headers.get("x-tc-version") != "2021-01-11":
            raise Refused("NoSuchVersion", "The version does not exist")
        if not headers.get("x-tc-region"):
            raise Refused("MissingParameter", "X-TC-Region is missing")
        try:
            fields = json.loads(body)
        except ValueError:
            raise Refused("FailedOperation.JsonParseFail", "The body is not JSON") from None
        if action in ACTIONS:
            return dict(fields)
        unknown = set(fields) - set(FIELDS[action].split())
        if unknown:
            raise Refused("UnknownParameter", f"The parameter {unknown.pop()} is not defined")
        if fields.get("SmsSdkAppId") != self._app:
            raise Refused("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "The SmsSdkAppId is wrong")
        if action == "SendMultiGlobalSms":
            self._check_messages(fields.get("MultiSmsInfoSet"))
            return dict(fields)
        self._check_numbers(fields.get("PhoneNumberSet"))
        if len(str(fields.get("SessionContext", "")).encode()) > MAX_CONTEXT:
            raise Refused("InvalidParameterValue.ContentLengthLimit", "SessionContext is too long")
        return dict(fields)

    def _check_messages(self, messages: object) -> None:
        if not isinstance(messages, list) or not messages:
            raise Refused("InvalidParameterValue.MultiSmsInfoSetEmpty", "MultiSmsInfoSet is empty")
        numbers = [message.get("PhoneNumber") for message in messages]
        self._check_numbers(numbers)
        if any(_canonical(str(number)).startswith("+86") for number in numbers):
            raise Refused("UnsupportedOperation.ContainDomesticPhoneNumber", "Numbers of the mainland")

    def _check_numbers(self, numbers: object) -> None:
        if not isinstance(numbers, list) or not numbers:
            raise Refused("MissingParameter.EmptyPhoneNumberSet", "PhoneNumberSet is empty")
        if len(numbers) > MAX_NUMBERS:
            raise Refused("LimitExceeded.PhoneNumberCountLimit", "PhoneNumberSet holds more than 200")
        mainland = {_canonical(str(number)).startswith("+86") for number in numbers}
        if len(mainland) > 1:
            raise Refused("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber", "Mixed numbers")

    def _settle(self, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        whole = self._refused_whole(fields)
        text = self._text(fields)
        parts, context = _segments(text), str(fields.get("SessionContext", ""))
        statuses, reports = [], []
        for index, written in enumerate(fields["PhoneNumberSet"], 1):
            number = _canonical(str(written))
            end = MAGIC.get(number[-3:], ORDINARY)
            blocked = "FailedOperation.PhoneNumberInBlacklist" if number in self._blocked else end.refused
            code = whole or blocked or ("Ok" if number else "InvalidParameterValue.IncorrectPhoneNumber")
            serial = f"5000:{random.randrange(10**9):09}{index:04}" if code == "Ok" else ""
            statuses.append(
                {
                    "SerialNo": serial,
                    "PhoneNumber": number or written,
                    "Fee": parts if code == "Ok" else 0,
                    "SessionContext": context,
                    "Code": code,
                    "Message": "send success" if code == "Ok" else code.rpartition(".")[2],
                    "IsoCode": "CN" if number.startswith("+86") else "DEF",
                }
            )
            if code == "Ok":
                sender, template = str(fields.get("SignName", "")), str(fields.get("TemplateId", ""))
                self.log.append(Accepted(number, context, serial, template, sender, parts, self.now(), text))
                if end.receipt is not None:
                    reports.append((number, serial, end))
        self._report(reports, context)
        return statuses

    def _shuffled(self, statuses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # Not in the order of the request: the number, not the place, says whose status it is.
        random.shuffle(statuses)
        return statuses

    def _settle_each(self, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        statuses = []
        for message in messages:
            alone = {name: value for name, value in message.items() if name != "PhoneNumber"}
            statuses += self._settle({**alone, "PhoneNumberSet": [message["PhoneNumber"]]})
        return statuses

    def reply_delivery(self, number: str, text: str) -> Delivery:
        if text.strip().upper() in ("T", "N", "TD", "R", "QX", "0000", "退订"):
            self._blocked.add(number)
        nation, mobile = _parts(number)
        said = {"nationcode": nation, "mobile": mobile, "text": text, "sign": "", "extend": ""}
        body = json.dumps(said | {"time": int(self.now().timestamp())}).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return Delivery(self.reply_callback, body, headers=headers, tries=TRIES, is_taken=_is_taken)

    def _refused_whole(self, fields: Mapping[str, Any]) -> str | None:
        """The code every number gets where signature, template or variables are wrong."""
        name, template = fields.get("SignName"), str(fields.get("TemplateId", ""))
        mainland = _canonical(str(fields["PhoneNumberSet"][0])).startswith("+86")
        if (name or mainland) and self._signatures is not None and name not in self._signatures:
            return "FailedOperation.SignatureIncorrectOrUnapproved"
        if self._templates is None:
            return None
        if template not in self._templates:
            return "FailedOperation.TemplateIncorrectOrUnapproved"
        wanted = set(VARIABLE.findall(self._templates[template]))
        given = fields.get("TemplateParamSet") or []
        return "FailedOperation.TemplateParamSetNotMatchApprovedTemplate" if len(wanted) != len(given) else None

    def _text(self, fields: Mapping[str, Any]) -> str:
        text = (self._templates or {}).get(str(fields.get("TemplateId", "")), "")
        for index, value in enumerate(fields.get("TemplateParamSet") or [], 1):
            text = text.replace(f"{{{index}}}", str(value))
        return text

    def _report(self, taken: Sequence[tuple[str, str, Fate]], context: str) -> None:
        """Several in a push, as many as fall together."""
        waiting = {late: [each for each in taken if each[2].late == late] for late in (False, True)}
        for reports in waiting.values():
            while reports:
                size = random.randint(1, MAX_PUSH)
                bundle, reports[:] = reports[:size], reports[size:]
                self._push(bundle, context)

    def _push(self, bundle: Sequence[tuple[str, str, Fate]], context: str) -> None:
        delay = self.delay(bundle[0][2])
        due = asyncio.get_running_loop().time() + delay
        told = context if self._echoes_context else ""
        for number, serial, end in bundle:
            self.asked.will_know(Known(due, number, serial, end.receipt or "", told, self.now()))
        if not self.callback:
            return
        at = self.now() + timedelta(seconds=delay) + SHANGHAI
        body = [self._item(number, serial, end, at, context) for number, serial, end in bundle]
        headers = {"Content-Type": "application/json; charset=utf-8"}
        self.receipts.schedule(
            delay, Delivery(self.callback, json.dumps(body).encode(), headers=headers, tries=TRIES, is_taken=_is_taken)
        )

    def _item(self, number: str, serial: str, end: Fate, at: datetime, context: str) -> dict[str, str]:
        nation, mobile = _parts(number)
        item = {
            "user_receive_time": f"{at:%Y-%m-%d %H:%M:%S}",
            "nationcode": nation,
            "mobile": mobile,
            "report_status": "SUCCESS" if end.receipt == "DELIVRD" else "FAIL",
            "errmsg": end.receipt or "",
            "description": "user received" if end.receipt == "DELIVRD" else "not received",
            "sid": serial,
        }
        return item | {"ext": context} if self._echoes_context else item


def _parts(number: str) -> tuple[str, str]:
    nation = next((code for code in ("86", "852", "44", "1") if number[1:].startswith(code)), number[1:3])
    return nation, number[1 + len(nation) :]


def _is_taken(status: int, body: bytes) -> bool:
    try:
        return status == 200 and json.loads(body)["result"] == 0
    except (ValueError, KeyError, TypeError):
        return False


def _error(code: str, message: str) -> Reply:
    return json_reply(code, {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": str(uuid4())}})


def _canonical(text: str) -> str:
    """`+` and E.164, empty for what is no number; mainland numbers may come without plus and country code."""
    if re.fullmatch(r"(\+?86|0086)?1[3-9]\d{9}", text):
        return "+86" + text[-11:]
    return text if re.fullmatch(r"\+(?!86)[1-9]\d{6,14}", text) else ""


def _segments(text: str) -> int:
    """Mainland: 70 UTF-16 units in one, else 67 in each. Other countries' GSM-7 is left to the real one."""
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= 70 else -(-units // 67)
