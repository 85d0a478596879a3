"""Kannel, the open source gateway, in front of any operator that speaks SMPP: sendsms, reports and what people answer.

Written from Kannel's user guide and from trying Kannel 1.4.5 (Debian's kannel and kannel-extras). One request takes one
number here, though sendsms takes several: its answer does not say which of them it did not take.

What Kannel does without a word, and what is done about it:
- it cuts a text that has more segments than its user's `max-messages`: such a text is refused here before it leaves
- without `coding=2` it turns what is not in the GSM alphabet into question marks
- without `charset=UTF-8` it reads the text as something else
- it reads a `+` in the query as a space: everything is percent-encoded
- it hands on what people answer in the coding they wrote it in: UTF-16 in the address's query, for one
- it gives no id: ours is in the address of the report, and reports come in any order, as GET, one for each recipient;
  its own id (`%I`) is another one in each report, the operator's (`%F`) often missing in the first

The credentials are in the query, so an address never goes into a log or an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl, quote

from yarl import URL

from services import text
from services.carriers.codes import Code, e164, kind_of, phrase, settle, unread, word
from services.carriers.http import Http, HttpAnswer, retry_after_seconds
from services.carriers.in_parts import MAX_NUMBERS, WINDOW_SECONDS, InParts, Pace
from services.carriers.ports import (
    Answer,
    CodeClass,
    Outcome,
    Receipt,
    ReceiptsAnswer,
    ReceiptsRequest,
    Reply,
    Submission,
    UnreadableReceipts,
)
from services.clock import Clock
from services.errors import NotTaken, RequestRefused
from services.states import Region

ENDPOINT = "http://127.0.0.1:13013/cgi-bin/sendsms"
MAX_MESSAGES = 1  # Kannel's own default of a sendsms-user's `max-messages`
GSM, UCS2 = 0, 2

# Which reports Kannel is asked for.
DELIVERED, FAILED, BUFFERED, AT_OPERATOR, REJECTED, INTERMEDIATE = 1, 2, 4, 8, 16, 32
DLR_MASK = DELIVERED | FAILED | AT_OPERATOR | REJECTED

REPORTS: dict[int, tuple[Literal["delivered", "failed", "pending"], str]] = {
    DELIVERED: ("delivered", "DELIVRD"),
    FAILED: ("failed", "UNDELIV"),
    BUFFERED: ("pending", "BUFFRED"),
    AT_OPERATOR: ("pending", "ACCEPTD"),
    REJECTED: ("failed", "REJECTD"),
    INTERMEDIATE: ("pending", "ENROUTE"),
}

TOO_LONG = "text_too_long"

# The code is the status line itself, up to its colon where it has one.
CODES: dict[str, Code] = {
    "0": Code("accepted", "accepted for delivery"),
    "3": Code("accepted", "waiting in Kannel, which has no connection to the operator now"),
    "Authorization failed for sendsms": Code("refused_account", "the credentials are wrong: check username, password"),
    "Missing receiver number, rejected": Code("refused_number", "the number is missing"),
    "Number(s) has/have been denied by white- and/or black-lists.": Code(
        "refused_number", "Kannel's white-list or black-list does not let the number through"
    ),
    "Charset or body misformed, rejected": Code("refused_content", "the text cannot be read"),
    "DLR-Mask field misformed, rejected": Code(
        "refused_account", "Kannel does not know the reports that are asked for"
    ),
    "Invalid content-type": Code("refused_account", "the address is not that of sendsms"),
    "Temporal failure, try again later.": Code("retryable", "too much is waiting in Kannel"),
    TOO_LONG: Code("refused_content", "the text has more segments than max_messages allows"),
}

# The status words of SMPP 3.4, and Kannel's own types.
_REPORT_WORDS = {
    "DELIVRD": "delivered",
    "EXPIRED": "not delivered in time; the phone may have been off",
    "DELETED": "deleted before it was delivered",
    "UNDELIV": "could not be delivered",
    "ACCEPTD": "at the operator",
    "UNKNOWN": "the operator does not know what became of it",
    "REJECTD": "rejected by the operator",
    "ENROUTE": "on its way",
    "BUFFRED": "waiting at the operator",
}

_STAT = re.compile(r"\bstat:(\w{1,16})")


def describe(code: str) -> str:
    """A code of an answer or a receipt in plain words; the code itself where it is not listed."""
    return CODES[code].text if code in CODES else _REPORT_WORDS.get(code, code)


class Kannel:
    """One sendsms-user of a Kannel. `http` is shared with other carriers and closed by whoever made it.

    A signature's channel number, where a submission has one, goes before `sender`.
    """

    max_numbers = max_numbers_with_values = MAX_NUMBERS
    echoes_reference = True
    # Its lists are the operator's of Kannel, who put the number there for whatever reason.
    opted_out_codes: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        url: str,
        username: str,
        password: str,
        http: Http,
        clock: Clock,
        pace: Pace,
        sender: str = "",
        smsc: str | None = None,
        max_messages: int = MAX_MESSAGES,
    ) -> None:
        """`url` is that of sendsms; `max_messages` is what Kannel's configuration says; `smsc` names a connection to an
        operator, where Kannel is not to choose. Raises ValueError for a `url` that is no address."""
        base = URL(url)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError("not an http(s) address")
        self._url = url
        self._credentials = {"username": username, "password": password}
        self._sender, self._smsc, self._max_messages = sender, smsc, max_messages
        self._http, self._clock = http, clock
        self._in_parts = InParts(pace)
        self.longest_seconds = WINDOW_SECONDS + http.longest_seconds

    async def submit(self, submission: Submission) -> Answer:
        """GET sendsms for each number. A text that Kannel would cut is refused."""
        if not submission.texts and self._is_too_long(submission.text):
            raise RequestRefused(TOO_LONG, CODES[TOO_LONG].text)

        async def send(number: int) -> Answer:
            if self._is_too_long(submission.text_for(number)):
                return Answer({number: Outcome(False, TOO_LONG)})
            answer = await self._http.request("GET", self._request(submission, number), headers={})
            return settle({number: self.read_answer(answer)}, 1, CODES, "kannel")

        return await self._in_parts.submit_each(submission.numbers, send)

    def kind_of(self, code: str) -> CodeClass | None:
        """From the table above."""
        return kind_of(CODES, code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """One report about one recipient, from the query that our own address asked for."""
        query = request.query
        kind, to = query.get("type", ""), e164(query.get("to"))
        if not (kind.isascii() and kind.isdigit() and len(kind) <= 2 and int(kind) in REPORTS):
            raise UnreadableReceipts("a report of no known type")
        if to is None:
            raise UnreadableReceipts("a report without a number")
        reference = word(query.get("ref"))
        if reference is None:
            raise UnreadableReceipts("a report without our reference")
        status, code = REPORTS[int(kind)]
        told = _STAT.search(query.get("answer", ""))
        return [
            Receipt(
                status=status,
                code=told[1] if told else code,
                sms_id=word(query.get("id")) or f"{reference}.{to}",
                reference=reference,
                number=to,
                at=_time(query),
            )
        ]

    def receipts_answer(self) -> ReceiptsAnswer:
        """Any 2xx will do."""
        return ReceiptsAnswer(200, "text/plain", b"OK")

    def read_replies(self, request: ReceiptsRequest) -> Sequence[Reply]:
        """One answer of one person, from the query that the sms-service's get-url asked for (docs/carriers/kannel.md).

        Its bytes are read from the address as it was called: they are text only in the coding that it names.
        """
        query = request.url.partition("?")[2]
        try:
            fields = dict(parse_qsl(query, keep_blank_values=True, encoding="latin-1", max_num_fields=64))
        except ValueError as error:
            raise UnreadableReceipts("a query with too many fields") from error
        number, content = e164(fields.get("from")), _decoded(fields)
        if number is None or content is None:
            raise UnreadableReceipts("a reply without from or a text that can be read")
        return [Reply(number, content, word(fields.get("id")) or "", _time({"at": fields.get("ts", "")}))]

    def replies_answer(self) -> ReceiptsAnswer:
        """Nothing: Kannel would send it to the person."""
        return ReceiptsAnswer(200, "text/plain", b"")

    def _is_too_long(self, content: str) -> bool:
        return text.segments(content, Region.INTERNATIONAL) > self._max_messages

    async def close(self) -> None:
        """Nothing of its own to close."""

    def _request(self, submission: Submission, number: int) -> str:
        content = submission.text_for(number)
        coding = GSM if text.fits_gsm(content) else UCS2
        fields = {
            **self._credentials,
            "from": submission.sender or self._sender,
            "to": f"+{number}",
            "text": content,
            "charset": "UTF-8",
            "coding": str(coding),
        }
        if self._smsc:
            fields["smsc"] = self._smsc
        if submission.receipts_url:
            fields["dlr-mask"] = str(DLR_MASK)
            fields["dlr-url"] = _report_url(submission.receipts_url, submission.reference)
        query = "&".join([f"{name}={quote(value, safe='')}" for name, value in fields.items() if value])
        return f"{self._url}?{query}"

    def read_answer(self, answer: HttpAnswer) -> Outcome:
        """What the answer to one number's request says. Raises NotTaken, Unanswered, or RequestRefused where the same
        answer awaits every number."""
        status = answer.status
        line = _status_line(answer.body)
        known = CODES.get(line)
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            seconds = retry_after_seconds(answer, self._clock.now())
            raise NotTaken(f"http_{status}", known.text if known else phrase(status), seconds)
        if 200 <= status < 300 and known is not None and known.kind == "accepted":
            return Outcome(True, line)
        # A line that is not listed is Kannel's own at 400 only; at the others anybody in between may have written it.
        if not line or not (status == HTTPStatus.BAD_REQUEST or (known is not None and 400 <= status < 500)):
            raise unread(status)
        if known is not None and known.kind == "refused_account":
            raise RequestRefused(line, known.text)
        return Outcome(False, line)


def _report_url(receipts_url: str, reference: str) -> str:
    # Kannel puts the values in for %…: type, recipient (not %P, the sender), unix time, the operator's id, its text
    return f"{receipts_url}?ref={quote(reference, safe='')}&type=%d&to=%p&at=%T&id=%F&answer=%A"


def _decoded(fields: Mapping[str, str]) -> str | None:
    written = fields.get("text", "").encode("latin-1")
    charset = "utf-16-be" if fields.get("coding") == str(UCS2) else fields.get("charset") or "utf-8"
    try:
        return written.decode(charset)
    except (LookupError, ValueError):
        return None


def _status_line(body: bytes) -> str:
    """The whole of a line such as `Invalid content-type`, the number of `0: Accepted for delivery`, or empty text for
    anything that is none."""
    line = body.decode("utf-8", "replace").strip()
    if "<" in line or "{" in line or word(line) is None:
        return ""
    number, colon, _ = line.partition(":")
    return number if colon and number.isascii() and number.isdigit() else line


def _time(query: Mapping[str, str]) -> datetime | None:
    at = query.get("at", "")
    return datetime.fromtimestamp(int(at), UTC) if at.isascii() and at.isdigit() and len(at) <= 11 else None
