"""A stand-in for Twilio's Messages resource on 127.0.0.1, with its signed callbacks of statuses and of answers.

It checks the account's credentials, takes one number a request, and refuses what Twilio's reference says is refused.
Each message is reported as `sent` and then as what became of it, in any order. `algorithm` is what callbacks are signed
with.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from aiohttp import web

from sandbox.carriers.receipts import Delivery, form
from sandbox.carriers.server import Accepted, CarrierSandbox, Fate, Reply, json_reply

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "demo-token"
SENDER = "+15005550006"
MAX_TEXT = 1600
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")

# The ErrorCode of a failure.
MAGIC = {
    "001": Fate("30008"),
    "002": Fate("30004"),
    "003": Fate("30003"),
    "004": Fate(receipt=None),
    "005": Fate(receipt=None, refused="21610"),
    "006": Fate("", late=True),
}
ORDINARY = Fate("")

REFUSALS = {
    "20003": (401, "Authenticate"),
    "20404": (404, "The requested resource was not found"),
    "20429": (429, "Too Many Requests"),
    "21211": (400, "The 'To' number is not a valid phone number."),
    "21606": (400, "The 'From' phone number provided is not a valid message-capable Twilio phone number."),
    "21602": (400, "Message body is required."),
    "21603": (400, "A 'From' phone number is required."),
    "21604": (400, "A 'To' phone number is required."),
    "21609": (400, "The 'StatusCallback' URL is not a valid URL."),
    "21610": (400, "Attempt to send to unsubscribed recipient"),
    "21617": (400, "The concatenated message body exceeds the 1600 character limit."),
}


KEYWORDS = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"), "STOP"),
    **dict.fromkeys(("START", "UNSTOP", "YES"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}


@dataclass(frozen=True, slots=True)
class _Message:
    """What becomes of it is known from `due` on, in the loop's time."""

    number: str
    end: Fate
    due: float


def signature(auth_token: str, url: str, fields: Sequence[tuple[str, str]], algorithm: str = "sha1") -> str:
    """X-Twilio-Signature of a POST of `fields` to `url`."""
    signed = url
    for name in sorted({name for name, _ in fields}):
        for value in sorted({value for field, value in fields if field == name}):
            signed += name + value
    digest = hmac.new(auth_token.encode(), signed.encode(), getattr(hashlib, algorithm)).digest()
    return base64.b64encode(digest).decode()


class TwilioSandbox(CarrierSandbox):
    """`senders` (From numbers and messaging services) are checked only where given. Who answers STOP gets nothing more
    (21610) until START; `advanced_opt_out` says in each such answer what it was taken for. Messages to the numbers in
    `refuses_lookups` cannot be asked about."""

    def __init__(
        self,
        *,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        senders: Collection[str] | None = None,
        algorithm: str = "sha1",
        advanced_opt_out: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._advanced_opt_out = advanced_opt_out
        self._opted_out: set[str] = set()
        self.refuses_lookups: set[str] = set()
        self._messages: dict[str, _Message] = {}
        self._sid, self._token, self._senders, self._algorithm = account_sid, auth_token, senders, algorithm

    def routes(self) -> Sequence[web.RouteDef]:
        messages = "/2010-04-01/Accounts/{account}/Messages"
        return [web.post(f"{messages}.json", self.answer), web.get(messages + "/{sid:SM[0-9a-f]+}.json", self.answer)]

    def slow_down(self, seconds: float) -> Reply:
        return _refusal("20429")

    def take(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> Reply:
        expected = "Basic " + base64.b64encode(f"{self._sid}:{self._token}".encode()).decode()
        if headers.get("authorization") != expected or request.match_info["account"] != self._sid:
            return _refusal("20003")
        if "sid" in request.match_info:
            return self._look_up(request.match_info["sid"])
        fields = dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True))
        code = self._refused(fields)
        if code is not None:
            return _refusal(code)
        number, text = fields["To"], fields["Body"]
        sender = fields.get("From") or fields["MessagingServiceSid"]
        sid, parts = f"SM{uuid4().hex}", segments(text)
        callback = fields.get("StatusCallback", "")
        reference = dict(parse_qsl(callback.partition("?")[2])).get("ref", "")
        self.log.append(Accepted(number, reference, sid, "", sender, parts, self.now(), text))
        end = MAGIC.get(number[-3:], ORDINARY)
        delay = self.delay(end)
        self._messages[sid] = _Message(number, end, asyncio.get_running_loop().time() + delay)
        if callback:
            self._report(number, sid, sender, callback, delay)
        answer = {
            "account_sid": self._sid,
            "api_version": "2010-04-01",
            "body": text,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": fields.get("From"),
            "messaging_service_sid": fields.get("MessagingServiceSid"),
            "num_segments": "0" if "MessagingServiceSid" in fields else str(parts),
            "sid": sid,
            "status": "accepted" if "MessagingServiceSid" in fields else "queued",
            "to": number,
        }
        return json_reply("queued", answer, 201)

    def reply_delivery(self, number: str, text: str) -> Delivery:
        kind = KEYWORDS.get(text.strip().upper())
        if kind == "STOP":
            self._opted_out.add(number)
        elif kind == "START":
            self._opted_out.discard(number)
        fields = {
            "AccountSid": self._sid,
            "Body": text,
            "From": number,
            "MessageSid": f"SM{uuid4().hex}",
            "NumMedia": "0",
            "To": SENDER,
        }
        if self._advanced_opt_out and kind:
            fields["OptOutType"] = kind
        return form(self.reply_callback, fields, self._signed(self.reply_callback, list(fields.items())))

    def _look_up(self, sid: str) -> Reply:
        message = self._messages.get(sid)
        if message is None:
            return _refusal("20404")
        if message.number in self.refuses_lookups:
            return _refusal("21211")
        is_over = message.end.receipt is not None and asyncio.get_running_loop().time() >= message.due
        failure = message.end.receipt if is_over else None
        status = ("undelivered" if failure else "delivered") if is_over else "sent"
        answer = {"sid": sid, "to": message.number, "status": status, "error_code": int(failure) if failure else None}
        return json_reply(status, answer)

    def _signed(self, url: str, fields: Sequence[tuple[str, str]]) -> dict[str, str]:
        headers = {"X-Twilio-Signature": signature(self._token, url, fields, self._algorithm)}
        if self._algorithm == "sha256":
            headers["X-Twilio-Webhooks-Signature-Settings"] = "key=AuthToken,algorithm=HMAC_SHA256"
        return headers

    def _refused(self, fields: Mapping[str, str]) -> str | None:
        number, text = fields.get("To", ""), fields.get("Body", "")
        sender = fields.get("From") or fields.get("MessagingServiceSid")
        callback = fields.get("StatusCallback", "")
        if not number or not text or not sender:
            return "21604" if not number else "21602" if not text else "21603"
        if re.fullmatch(r"\+[1-9]\d{6,14}", number) is None:
            return "21211"
        if self._senders is not None and sender not in self._senders:
            return "21606"
        if len(text) > MAX_TEXT:
            return "21617"
        if callback and not callback.startswith(("http://", "https://")):
            return "21609"
        return "21610" if number in self._opted_out else MAGIC.get(number[-3:], ORDINARY).refused

    def _report(self, number: str, sid: str, sender: str, callback: str, delay: float) -> None:
        end = MAGIC.get(number[-3:], ORDINARY)
        if end.receipt is None:
            return
        final = "undelivered" if end.receipt else "delivered"
        for status, after in (("sent", delay * random.random() * 1.1), (final, delay)):
            fields = [
                ("AccountSid", self._sid),
                ("ApiVersion", "2010-04-01"),
                ("From", sender),
                ("MessageSid", sid),
                ("MessageStatus", status),
                ("SmsSid", sid),
                ("SmsStatus", status),
                ("To", number),
            ]
            if status == "undelivered":
                fields.append(("ErrorCode", end.receipt))
            self.receipts.schedule(after, form(callback, dict(fields), self._signed(callback, fields)))


def _refusal(code: str) -> Reply:
    status, message = REFUSALS[code]
    link = f"https://www.twilio.com/docs/errors/{code}"
    return json_reply(code, {"code": int(code), "message": message, "more_info": link, "status": status}, status)


def segments(text: str) -> int:
    """160 septets in one, else 153 in each; 70 and 67 units where a character is not in the GSM alphabet."""
    if all(char in GSM or char in EXTENSION for char in text):
        septets = sum(2 if char in EXTENSION else 1 for char in text)
        return 1 if septets <= 160 else -(-septets // 153)
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= 70 else -(-units // 67)
