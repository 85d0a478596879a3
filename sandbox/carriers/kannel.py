"""A stand-in for Kannel's smsbox on 127.0.0.1: GET /cgi-bin/sendsms and its reports, as Kannel 1.4.5 does them.

Its traps are there too: a text of more segments than `max_messages` is cut and taken, and what is not in the GSM
alphabet becomes question marks without `coding=2`; `log` says what would have arrived.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote
from uuid import uuid4

from aiohttp import web

from sandbox.carriers.receipts import Delivery
from sandbox.carriers.server import Accepted, CarrierSandbox, Fate, Reply
from sandbox.carriers.twilio import EXTENSION, GSM, segments

PATH = "/cgi-bin/sendsms"
USERNAME = "demo"
PASSWORD = "demo-secret"
DENIED = "Number(s) has/have been denied by white- and/or black-lists."
BUSY = "Temporal failure, try again later."

# Type of report and the operator's word.
MAGIC = {
    "001": Fate("UNDELIV"),
    "002": Fate("REJECTD"),
    "003": Fate("EXPIRED"),
    "004": Fate(receipt=None),
    "005": Fate(receipt=None, refused=DENIED),
    "006": Fate("DELIVRD", late=True),
}
ORDINARY = Fate("DELIVRD")
TYPES = {"DELIVRD": 1, "UNDELIV": 2, "EXPIRED": 2, "REJECTD": 16, "ACCEPTD": 8}


class KannelSandbox(CarrierSandbox):
    """One sendsms-user; `denies_all` is a white-list that lets no number through."""

    reply_query = "?from=%p&to=%P&text=%a&charset=%C&coding=%c&ts=%T&id=%I"

    def __init__(
        self, *, username: str = USERNAME, password: str = PASSWORD, max_messages: int = 3, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.denies_all = False
        self._username, self._password, self._max_messages = username, password, max_messages

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get(PATH, self.answer)]

    def slow_down(self, seconds: float) -> Reply:
        return _line(503, BUSY)

    def take(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> Reply:
        fields = dict(parse_qsl(request.raw_path.partition("?")[2], keep_blank_values=True))
        if (fields.get("username"), fields.get("password")) != (self._username, self._password):
            return _line(403, "Authorization failed for sendsms")
        if not fields.get("to"):
            return _line(400, "Missing receiver number, rejected")
        if fields.get("charset", "UTF-8").upper() not in ("UTF-8", "UTF-16BE", "ISO-8859-1"):
            return _line(400, "Charset or body misformed, rejected")
        mask = fields.get("dlr-mask", "0")
        if not mask.isdigit() or int(mask) > 63:
            return _line(400, "DLR-Mask field misformed, rejected")
        number = fields["to"]
        end = MAGIC.get(number[-3:], ORDINARY)
        if self.denies_all or end.refused or re.fullmatch(r"\+?\d{3,20}", number) is None:
            return _line(400, DENIED)
        text = self._arriving(fields)
        self._log(fields, text)
        if int(mask) and "dlr-url" in fields:
            self._report(end, number, fields["from"], fields["dlr-url"], int(mask))
        return _line(202, "0: Accepted for delivery")

    def reply_delivery(self, number: str, text: str) -> Delivery:
        """GET of an sms-service's get-url, its escapes filled in; text outside the GSM alphabet comes as UTF-16."""
        is_gsm = all(char in GSM or char in EXTENSION for char in text)
        written = quote(text, safe="") if is_gsm else quote(text.encode("utf-16-be"), safe="")
        values = {
            "p": quote(number, safe=""),
            "P": "10690000",
            "a": written,
            "C": "UTF-8" if is_gsm else "UTF-16BE",
            "c": "0" if is_gsm else "2",
            "T": str(int(self.now().timestamp())),
            "i": "FAKE",
            "I": str(uuid4()),
        }
        filled = re.sub(r"%([pPaCcTiI])", lambda found: values[found[1]], self.reply_callback)
        return Delivery(filled, method="GET")

    def _arriving(self, fields: Mapping[str, str]) -> str:
        text = fields.get("text", "")
        if fields.get("charset", "").upper() != "UTF-8":
            text = text.encode().decode("latin-1")
        if fields.get("coding") != "2":
            text = "".join(char if char in GSM or char in EXTENSION else "?" for char in text)
        while segments(text) > self._max_messages:
            text = text[:-1]
        return text

    def _log(self, fields: Mapping[str, str], text: str) -> None:
        reference = dict(parse_qsl(fields.get("dlr-url", "").partition("?")[2])).get("ref", "")
        number = "+" + fields["to"].lstrip("+")
        self.log.append(Accepted(number, reference, "", "", fields.get("from", ""), segments(text), self.now(), text))

    def _report(self, end: Fate, number: str, sender: str, template: str, mask: int) -> None:
        if end.receipt is None:
            return
        operators_id, delay = str(uuid4()), self.delay(end)
        at_operator = () if end.receipt == "REJECTD" else (("ACCEPTD", delay),)
        for status, after in (*at_operator, (end.receipt, delay)):
            if TYPES[status] & mask:
                values = {
                    "d": str(TYPES[status]),
                    "p": number,
                    "P": sender,
                    "T": str(int(self.now().timestamp() + after)),
                    "I": str(uuid4()),
                    "F": "" if status == "ACCEPTD" else operators_id,
                    "A": "ACK/" if status == "ACCEPTD" else f"id:7 sub:001 dlvrd:001 stat:{status} err:000 text:",
                }
                self.receipts.schedule(after, Delivery(_filled(template, values), method="GET"))


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"%([dpPTIFA])", lambda found: quote(values[found[1]], safe=""), template)


def _line(status: int, text: str) -> Reply:
    return Reply(text, text.encode(), status, "text/html")
